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

Platform: TypeAlias = Literal["auto", "web", "desktop", "server", "memory"]

ADAPTER_VARIABLE: Final = "STORAGE_ADAPTER"

_KINDS: Final = ("indexeddb", "native", "memory")
_OTHER_NAMES: Final = {
    "sqljs": "indexeddb",
    "better-sqlite3": "native",
    "sqlite": "native",
}
"""Names of the original for what serves the same purpose here."""

_LATER: Final = frozenset({"postgres", "supabase-postgres", "capacitor-sqlite"})
_BY_PLATFORM: Final[Mapping[str, tuple[str, ...]]] = {
    "web": ("indexeddb",),
    "desktop": ("native",),
    "server": ("native",),
    "memory": ("memory",),
}


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
        kind: ``indexeddb``, ``native`` or ``memory``.
        reason: Why it is tried, for people.
    """

    kind: str
    reason: str


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
) -> tuple[Candidate, ...]:
    """Return the adapters to try, in order; the first that opens is taken.

    Args:
        found: What `detect` found.
        platform: Where the caller says it runs.
        adapter: One kind by name; nothing else is tried.
        persistence: False asks for memory.
        priority: Kinds in the order to try them.

    Raises:
        StorageResolutionError: A name is not known, or its adapter is not part of
            this release.
        ValueError: *platform* is not known.
    """
    if platform != "auto" and platform not in _BY_PLATFORM:
        msg = f"platform is auto, {', '.join(_BY_PLATFORM)}; not {platform!r}"
        raise ValueError(msg)
    if adapter is not None:
        return (Candidate(_kind(adapter), f"adapter={adapter!r} was asked for"),)
    if not persistence:
        return (Candidate("memory", "persistence=False was asked for"),)
    if priority is not None:
        return tuple(Candidate(_kind(name), "it is in priority=") for name in priority)
    if platform != "auto":
        return tuple(
            Candidate(kind, f"platform={platform!r} was asked for")
            for kind in _BY_PLATFORM[platform]
        )
    named = found.environment.get(ADAPTER_VARIABLE)
    if named:
        return (Candidate(_kind(named), f"{ADAPTER_VARIABLE}={named} is set"),)
    if found.is_browser:
        return (Candidate("indexeddb", "this is a browser"),)
    if found.has_volume:
        return (Candidate("indexeddb", "a durable volume is mounted"),)
    return (Candidate("native", "this is an operating system with files"),)


def _kind(name: str) -> str:
    kind = _OTHER_NAMES.get(name, name)
    if kind in _KINDS:
        return kind
    reason = (
        "is not part of this release"
        if kind in _LATER
        else f"is not known; there are {', '.join(_KINDS)}"
    )
    raise StorageResolutionError([(name, reason)])
