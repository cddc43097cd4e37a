"""SQL storage: adapters, typed repositories, backup and search."""
