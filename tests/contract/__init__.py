"""What a port promises, written once and run by each adapter."""
