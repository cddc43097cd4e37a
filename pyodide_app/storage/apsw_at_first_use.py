"""What `engine` uses of apsw, looked up when it is first used.

Nothing of an extension module can be in a copy of Python's memory (see
``web/worker/snapshot.js``). So importing our packages imports no apsw: the first
database does. Python's own ``sqlite3`` stands in where apsw cannot be imported.
"""

import functools
import importlib
from types import ModuleType
from typing import Any

__all__ = ["engine_version", "sqlite_version", "why_not_apsw"]


def why_not_apsw() -> str | None:
    """Return why apsw cannot be imported, or None if it can."""
    return _library()[1]


def sqlite_version() -> str:
    """Return the version of SQLite, such as ``3.54.0``."""
    return str(_library()[0].sqlite_lib_version())


def engine_version() -> str:
    """Return what SQLite is reached by, with its versions."""
    apsw, reason = _library()
    if reason is not None:
        return "Python's sqlite3"
    return f"APSW {apsw.apsw_version()}, {apsw.mc_version}"


def __getattr__(name: str) -> Any:  # noqa: ANN401  # whatever apsw calls so
    if name.startswith("__"):
        raise AttributeError(name)  # of a module; asking for it is no use of apsw
    value = getattr(_library()[0], name)
    globals()[name] = value
    return value


@functools.cache
def _library() -> tuple[ModuleType, str | None]:
    try:
        return importlib.import_module("apsw"), None
    except ImportError as error:
        from pyodide_app.storage import stdlib_engine

        return stdlib_engine, str(error)
