"""The systems compared with: what each is, how it is opened, what it promises.

Each runs as its authors mean it to be used, at the weakest durability that still
survives the death of the tab, and at the strict one where it has that too. Where
a setting makes one faster without weakening that, it gets it.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.benchmarks.chromium import Side

__all__ = ["DEFAULT_PEERS", "OURS", "PEERS", "Mode", "Peer"]


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to open a system.

    Attributes:
        promise: One of `results.PROMISES`.
        options: For `open` of its engine.
    """

    promise: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """One of them, or ours, on one kind of storage.

    Attributes:
        name: As given to ``--peers``.
        title: For tables, with versions.
        storage: ``IndexedDB``, ``OPFS`` or ``memory``.
        bundle: Folder of `bundles.BUNDLES` with its engine.
        modes: The relaxed one first.
        in_page: It runs in a page, not in a dedicated worker.
        is_sqlite: It takes part in what only SQLite runs.
        runs_at_most: Fewer than asked for, of what takes minutes each time.
        trips_at_most: Of each of the 12 round trips, for the same reason.
        only_trips: It is left out of the 16 tests, too: it writes 28 MB for each of
            their thousand commits.
    """

    name: str
    title: str
    storage: str
    bundle: str
    modes: Sequence[Mode]
    in_page: bool = False
    is_sqlite: bool = True
    runs_at_most: int = sys.maxsize
    trips_at_most: int = sys.maxsize
    only_trips: bool = False

    @property
    def is_ours(self) -> bool:
        """True for the system that this project is."""
        return self is OURS

    @property
    def is_original(self) -> bool:
        """True for the TypeScript adapter that ours descends from."""
        return self.in_page

    @property
    def is_durable(self) -> bool:
        """False for what is gone with its tab."""
        return self.storage != "memory"

    def as_side(self, mode: Mode) -> Side:
        """Return what a page makes of it, opened in *mode*."""
        if self.is_ours:
            return Side(self.name, "/bench/sides/ours.js", mode.options)
        given = {
            "name": self.name,
            "bundle": self.bundle,
            "inPage": self.in_page,
            "options": dict(mode.options),
        }
        return Side(self.name, "/bench/sides/peer.js", given)


OURS = Peer(
    "ours",
    "pyodide_app: Python, `IndexedDbAdapter`",
    "IndexedDB",
    "",
    [Mode("commit"), Mode("strict")],
)
"""In Python, in the host's worker."""


_WA_SQLITE = "@journeyapps/wa-sqlite 2.0.6"

# As ours has it: no lock is taken and given back for each commit.
_ALONE = {"locking": "EXCLUSIVE"}
_SHARED = {"locking": "NORMAL"}


def _wa_sqlite(
    name: str,
    storage: str,
    file_system: str,
    build: str,
    modes: Sequence[Mode],
    runs_at_most: int = sys.maxsize,
) -> Peer:
    """Return wa-sqlite on *file_system*."""
    options = {"fileSystem": file_system, "build": build, **_ALONE}
    return Peer(
        name,
        f"{_WA_SQLITE}, {file_system} ({build})",
        storage,
        "wa-sqlite-2",
        [Mode(mode.promise, {**options, **mode.options}) for mode in modes],
        runs_at_most=runs_at_most,
    )


_NORMAL = {"synchronous": "NORMAL"}
_FULL = {"synchronous": "FULL"}

_ALL = (
    Peer(
        "original",
        "@framers/sql-storage-adapter 0.6.8, sql.js 1.16.0",
        "IndexedDB",
        "original",
        [Mode("stored")],
        in_page=True,
    ),
    Peer(
        "original-1.13",
        "@framers/sql-storage-adapter 0.6.8, sql.js 1.13.0",
        "IndexedDB",
        "original-1.13",
        [Mode("stored")],
        in_page=True,
    ),
    Peer(
        "wa-idb-1",
        "wa-sqlite 1.0.0, IDBBatchAtomicVFS (asyncify)",
        "IndexedDB",
        "wa-sqlite",
        [Mode("commit", {"durability": "default", **_FULL, **_ALONE})],
        runs_at_most=3,
    ),
    _wa_sqlite(
        "wa-idb",
        "IndexedDB",
        "IDBBatchAtomicVFS",
        "jspi",
        # Unless it is strict, it waits for IndexedDB when it gives its lock back.
        [Mode("accepted", {**_NORMAL, **_SHARED}), Mode("strict", _FULL)],
        runs_at_most=3,
    ),
    _wa_sqlite(
        "wa-mirror", "IndexedDB", "IDBMirrorVFS", "jspi", [Mode("commit", _FULL)]
    ),
    _wa_sqlite(
        "wa-ahp", "OPFS", "AccessHandlePoolVFS", "sync", [Mode("strict", _NORMAL)]
    ),
    _wa_sqlite("wa-coop", "OPFS", "OPFSCoopSyncVFS", "sync", [Mode("strict", _NORMAL)]),
    _wa_sqlite(
        "wa-wal",
        "OPFS",
        "OPFSWriteAheadVFS",
        "sync",
        # Locked exclusively it loses committed rows by the third of the 16 tests.
        [Mode("commit", {**_NORMAL, **_SHARED}), Mode("strict", {**_FULL, **_SHARED})],
    ),
    Peer(
        "sahpool",
        "@sqlite.org/sqlite-wasm 3.54.1, opfs-sahpool",
        "OPFS",
        "sqlite-wasm",
        [Mode("strict", {**_NORMAL, **_ALONE})],
    ),
    Peer(
        "pglite",
        "@electric-sql/pglite 0.5.17, idb://",
        "IndexedDB",
        "pglite",
        [Mode("stored", {"relaxed": False})],
        is_sqlite=False,
        runs_at_most=1,
        trips_at_most=10,
        only_trips=True,
    ),
    Peer(
        "pglite-relaxed",
        "@electric-sql/pglite 0.5.17, idb://, relaxedDurability",
        "IndexedDB",
        "pglite",
        [Mode("batched", {"relaxed": True})],
        is_sqlite=False,
    ),
    Peer("sql.js", "sql.js 1.16.0", "memory", "sql.js", [Mode("lost")]),
)

PEERS = {peer.name: peer for peer in _ALL}
"""By name. ``npm install`` gives the first of the original today; 1.13 is what the
package was written with, and is faster at some things."""

DEFAULT_PEERS = [name for name in PEERS if name != "original-1.13"]
