"""One file per kind of database."""

from pyodide_app.storage.adapters.indexeddb import IndexedDbAdapter
from pyodide_app.storage.adapters.memory import MemoryAdapter
from pyodide_app.storage.adapters.native import NativeSqliteAdapter
from pyodide_app.storage.adapters.postgres import PostgresAdapter

__all__ = [
    "IndexedDbAdapter",
    "MemoryAdapter",
    "NativeSqliteAdapter",
    "PostgresAdapter",
]
