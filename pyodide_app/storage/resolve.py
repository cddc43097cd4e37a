"""Which adapters to try, as a pure function of what was asked and what was found.

`detect` looks at the platform, once, here; `candidates` decides and does no I/O.

Rule 1: what was asked for by name is tried alone; a failure is an error, never a
        silent fall to something weaker.
Rule 2: memory is chosen only where it was asked for.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pyodide_app.errors import StorageResolutionError, StoreUnavailableError
from pyodide_app.storage.volume import installed_volume

__all__ = ["Candidate", "Detected", "Platform", "candidates", "detect"]

Platform: TypeAlias = Literal[
    "auto", "web", "electron", "desktop", "capacitor", "server", "memory"
]

ADAPTER_VARIABLE: Final = "STORAGE_ADAPTER"
DATABASE_VARIABLE: Final = "DATABASE_URL"

_KINDS: Final = ("indexeddb", "native", "postgres", "memory")
_OTHER_NAMES: Final = {
    "sqljs": "indexeddb",
    "better-sqlite3": "native",
    "sqlite": "native",
    "supabase-postgres": "postgres",
    "capacitor": "capacitor-sqlite",
}
"""Names of the original for what serves the same purpose here."""

_LATER: Final = frozenset({"capacitor-sqlite"})
_NOT_HERE: Final = (
    "is not part of this release; in the app's page platform='web' keeps data in "
    "IndexedDB"
)
_BY_PLATFORM: Final[Mapping[str, str]] = {
    "web": "indexeddb",
    "desktop": "native",
    "capacitor": "capacitor-sqlite",
    "memory": "memory",
}
_PLATFORMS: Final = (*_BY_PLATFORM, "electron", "server")


@dataclass(frozen=True, slots=True)
class Detected:
    """What was found where the code runs.

    Attributes:
        is_browser: Python runs in WebAssembly.
        has_volume: The host has mounted a durable volume.
        environment: Environment variables.
    """

    is_browser: bool
    has_volume: bool
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An adapter to try.

    Attributes:
        kind: ``indexeddb``, ``native``, ``postgres`` or ``memory``.
        reason: Why it is tried, for people.
        obstacle: Why it cannot be opened, if that is known already.
    """

    kind: str
    reason: str
    obstacle: str | None = None


def detect() -> Detected:
    """Look at the platform."""
    try:
        installed_volume()
    except StoreUnavailableError:
        has_volume = False
    else:
        has_volume = True
    return Detected(
        is_browser=sys.platform == "emscripten",
        has_volume=has_volume,
        environment=os.environ,
    )


def candidates(
    found: Detected,
    *,
    platform: Platform = "auto",
    adapter: str | None = None,
    persistence: bool = True,
    priority: Sequence[str] | None = None,
    has_path: bool = False,
    has_url: bool = False,
) -> tuple[Candidate, ...]:
    """Return the adapters to try, in order; the first that opens is taken.

    Args:
        found: What `detect` found.
        platform: Where the caller says it runs.
        adapter: One kind by name; nothing else is tried.
        persistence: False asks for memory.
        priority: Kinds in the order to try them.
        has_path: The caller names a file, so ``DATABASE_URL`` is not looked at.
        has_url: The caller names a server.

    Raises:
        StorageResolutionError: A name is not known.
        ValueError: *platform* is not known.
    """
    if platform != "auto" and platform not in _PLATFORMS:
        msg = f"platform is auto, {', '.join(_PLATFORMS)}; not {platform!r}"
        raise ValueError(msg)
    if adapter is not None:
        return (_candidate(adapter, f"adapter={adapter!r} was asked for"),)
    if not persistence:
        return (Candidate("memory", "persistence=False was asked for"),)
    if priority is not None:
        return tuple(_candidate(name, "it is in priority=") for name in priority)
    server = None
    if has_url:
        server = "url= names a PostgreSQL server"
    elif not has_path:
        server = _server_of(found)
    asked = f"platform={platform!r} was asked for"
    if platform == "server":
        if server is not None:
            return (Candidate("postgres", f"{asked}, and {server}"),)
        reason = f"{asked}, and {DATABASE_VARIABLE} names no PostgreSQL server"
        return (Candidate("native", reason),)
    if platform == "electron":
        # A window of Electron is a browser; Python beside it has files.
        kind = "indexeddb" if found.is_browser else "native"
        return (Candidate(kind, asked),)
    if platform != "auto":
        return (_candidate(_BY_PLATFORM[platform], asked),)
    named = found.environment.get(ADAPTER_VARIABLE)
    if named:
        return (_candidate(named, f"{ADAPTER_VARIABLE}={named} is set"),)
    if has_url and server is not None:
        return (Candidate("postgres", server),)
    if found.is_browser:
        return (Candidate("indexeddb", "this is a browser"),)
    if found.has_volume:
        return (Candidate("indexeddb", "a durable volume is mounted"),)
    if server is not None:
        return (Candidate("postgres", server),)
    return (Candidate("native", "this is an operating system with files"),)


def _server_of(found: Detected) -> str | None:
    """Return why a server is meant; None if it is none of PostgreSQL's."""
    scheme = found.environment.get(DATABASE_VARIABLE, "").partition("://")[0]
    if scheme in ("postgres", "postgresql"):
        return f"{DATABASE_VARIABLE} names a PostgreSQL server"
    return None


def _candidate(name: str, reason: str) -> Candidate:
    kind = _OTHER_NAMES.get(name, name)
    if kind in _KINDS:
        return Candidate(kind, reason)
    if kind in _LATER:
        return Candidate(kind, reason, _NOT_HERE)
    raise StorageResolutionError(
        [(name, f"is not known; there are {', '.join(_KINDS)}")]
    )
