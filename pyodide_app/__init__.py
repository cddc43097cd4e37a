"""A durable, transactional SQLite database for Python in the browser.

The names below are the public ones. They are imported when first used, so that
`import pyodide_app.errors` costs nothing but itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyodide_app.agentos import AgentOS
    from pyodide_app.errors import PyodideAppError, StorageError
    from pyodide_app.storage import (
        AgentOSStorage,
        IndexedDbAdapter,
        MemoryAdapter,
        NativeSqliteAdapter,
        PostgresAdapter,
        StorageAdapter,
        create_agentos_storage,
    )

__all__ = [
    "AgentOS",
    "AgentOSStorage",
    "IndexedDbAdapter",
    "MemoryAdapter",
    "NativeSqliteAdapter",
    "PostgresAdapter",
    "PyodideAppError",
    "StorageAdapter",
    "StorageError",
    "create_agentos_storage",
]

__version__ = "0.1.0"

_HOMES = {
    "AgentOS": "pyodide_app.agentos",
    "PyodideAppError": "pyodide_app.errors",
    "StorageError": "pyodide_app.errors",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_HOMES.get(name, "pyodide_app.storage")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
