"""What a fault report needs to know of a database, and no word of its content.

No name of a conversation, no text of a row, no name of a file but the path of the
database: a report is made to be shown to others.
"""

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyodide_app import __version__
from pyodide_app.storage.adapter import Durability, EvictionRisk, StorageStatus
from pyodide_app.storage.apsw_at_first_use import engine_version, sqlite_version
from pyodide_app.storage.engine import Engine

__all__ = [
    "Diagnosis",
    "FlushTiming",
    "StoreState",
    "Verification",
    "diagnosed",
    "diagnosis_of",
]


@dataclass(frozen=True, slots=True)
class FlushTiming:
    """How long one flush took.

    Attributes:
        kind: ``record`` or ``checkpoint``.
        at: When it ended, in Unix milliseconds.
        duration_ms: Until the browser said that it is durable.
        bytes: Written.
        pages: In a record; 0 in a checkpoint.
    """

    kind: str
    at: int
    duration_ms: float
    bytes: int
    pages: int


@dataclass(frozen=True, slots=True)
class StoreState:
    """What the browser's host has in IndexedDB, for all databases of the origin.

    Attributes:
        head: Where the next record goes: ``epoch.seq``.
        epoch: Counts the hosts that ever opened the store.
        records: In the log, fences included.
        log_bytes: Of the records behind the checkpoint.
        checkpoints: Published; 1 at rest, or 0 before the first one.
        checkpoint_bytes: Of the segments that the last one lists.
        garbage: Segments and parts of the log that wait to be deleted.
        reserve_bytes: Kept free for `prune`.
        restore_points: How many are kept.
        restore_point_bytes: What they take.
        quarantined: Items that were set aside as damaged.
        quarantined_bytes: What they take.
        losses: How often the browser has closed the store under this host.
        rewrites: How often all was written anew from memory, because it had gone.
        flushes: The last ones, oldest first.
        features: What the browser can do, by name.
        user_agent: The browser, in its own words.
    """

    head: str
    epoch: int
    records: int
    log_bytes: int
    checkpoints: int
    checkpoint_bytes: int
    garbage: int
    reserve_bytes: int
    restore_points: int
    restore_point_bytes: int
    quarantined: int
    quarantined_bytes: int
    losses: int
    rewrites: int
    flushes: tuple[FlushTiming, ...]
    features: Mapping[str, bool]
    user_agent: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What reading everything back has shown.

    Attributes:
        ok: Nothing is wrong.
        problems: What is, for people; names of records and extents, not of files.
        method: ``checksums`` of all that is stored in the browser; elsewhere
            ``quick_check`` of SQLite, which reads every page; on PostgreSQL
            ``read_rows``, which reads every row.
        bytes: Read.
        compared_image: What is stored was also compared with what is in memory.
        duration_ms: What it took.
        integrity_problems: Found by ``PRAGMA integrity_check``, at most 100; on
            PostgreSQL the tables that could not be read. None if it was not asked
            for.
    """

    ok: bool
    problems: tuple[str, ...]
    method: str
    bytes: int
    compared_image: bool
    duration_ms: float
    integrity_problems: int | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How a database is.

    Attributes:
        made_at: Unix milliseconds.
        release: Of this package.
        sqlite: Version of SQLite.
        engine: Versions of what binds and encrypts it.
        python: Version and platform.
        mode: As in `StorageStatus`, and so are the attributes down to ``encryption``.
        path: Of the database; ``:memory:`` if it has none.
        page_size: Of the database, in bytes.
        store: Only in the browser; elsewhere None.
        verification: None if it was not asked for.
    """

    made_at: int
    release: str
    sqlite: str
    engine: str
    python: str
    mode: str
    path: str
    durability: Durability
    committed_seq: int
    durable_seq: int
    pending_bytes: int
    last_error_code: str | None
    usage: int | None
    quota: int | None
    persisted: bool | None
    eviction_risk: EvictionRisk
    database_bytes: int
    encryption: str | None
    page_size: int
    store: StoreState | None
    verification: Verification | None


def diagnosed(
    engine: Engine,
    status: StorageStatus,
    path: str,
    *,
    verify: bool,
    integrity_check: bool,
    volume: Mapping[str, Any] | None = None,
) -> Diagnosis:
    """Return the diagnosis of an open database.

    Args:
        engine: With no transaction open.
        status: Of the database.
        path: Where it is.
        verify: Read everything back; what *volume* has verified is not read again.
        integrity_check: Let SQLite check each table and index, too.
        volume: What `Volume.diagnose` has returned, in the browser.
    """
    verification = None
    if verify or integrity_check:
        found = None if volume is None else volume["verification"]
        verification = _verified(engine, found, integrity_check=integrity_check)
    return diagnosis_of(
        status,
        path,
        page_size=engine.page_size,
        store=None if volume is None else _store_state(volume),
        verification=verification,
    )


def diagnosis_of(
    status: StorageStatus,
    path: str,
    *,
    page_size: int,
    engine: str | None = None,
    store: StoreState | None = None,
    verification: Verification | None = None,
) -> Diagnosis:
    """Return the diagnosis that these make up with what this process is."""
    return Diagnosis(
        made_at=int(time.time() * 1000),
        release=__version__,
        sqlite=sqlite_version(),
        engine=engine or engine_version(),
        python=f"{platform.python_version()} on {platform.system() or 'unknown'}",
        mode=status.mode,
        path=path,
        durability=status.durability,
        committed_seq=status.committed_seq,
        durable_seq=status.durable_seq,
        pending_bytes=status.pending_bytes,
        last_error_code=status.last_error_code,
        usage=status.usage,
        quota=status.quota,
        persisted=status.persisted,
        eviction_risk=status.eviction_risk,
        database_bytes=status.database_bytes,
        encryption=status.encryption,
        page_size=page_size,
        store=store,
        verification=verification,
    )


def _verified(
    engine: Engine, found: Mapping[str, Any] | None, *, integrity_check: bool
) -> Verification:
    started = time.perf_counter()
    problems: tuple[str, ...] = ()
    if found is not None:
        problems = tuple(str(problem) for problem in found["problems"])
    elif engine.problems_found_by("quick_check") > 0:
        problems = ("SQLite finds damage in the file",)
    integrity = engine.problems_found_by("integrity_check") if integrity_check else None
    spent = (time.perf_counter() - started) * 1000
    return Verification(
        ok=not problems and not integrity,
        problems=problems,
        method="quick_check" if found is None else "checksums",
        bytes=engine.size if found is None else int(found["bytes"]),
        compared_image=found is not None and bool(found["comparedImage"]),
        duration_ms=spent + (0 if found is None else float(found["durationMs"])),
        integrity_problems=integrity,
    )


def _store_state(volume: Mapping[str, Any]) -> StoreState:
    return StoreState(
        head=str(volume["head"]),
        epoch=int(volume["epoch"]),
        records=int(volume["records"]),
        log_bytes=int(volume["logBytes"]),
        checkpoints=int(volume["checkpoints"]),
        checkpoint_bytes=int(volume["checkpointBytes"]),
        garbage=int(volume["garbage"]),
        reserve_bytes=int(volume["reserveBytes"]),
        restore_points=int(volume["restorePoints"]),
        restore_point_bytes=int(volume["restorePointBytes"]),
        quarantined=int(volume["quarantined"]),
        quarantined_bytes=int(volume["quarantinedBytes"]),
        losses=int(volume["losses"]),
        rewrites=int(volume["rewrites"]),
        flushes=tuple(
            FlushTiming(
                kind=str(flush["kind"]),
                at=int(flush["at"]),
                duration_ms=float(flush["durationMs"]),
                bytes=int(flush["bytes"]),
                pages=int(flush["pages"]),
            )
            for flush in volume["flushes"]
        ),
        features={
            str(key): bool(is_there) for key, is_there in volume["features"].items()
        },
        user_agent=str(volume["userAgent"]),
    )
