"""Ordered, append-only migrations of one SQLite schema.

Rule 1: a released migration is never edited, only followed by another one.
Rule 2: a migration and the record that it ran commit together or not at all.
Rule 3: this module does not decide when to run. The caller sees to it that
        nobody else uses the connection.

A tab left open across an update can meet a database that a newer release has
migrated. It must refuse: guessing would write rows the new release cannot read.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from pyodide_app.errors import MigrationChangedError, SchemaTooNewError
from pyodide_app.ids import now_ms
from pyodide_app.storage.adapter import Parameters, Row, RunResult

__all__ = ["CREATE_LOG", "Connection", "Migration", "migrate", "pending_of"]

CREATE_LOG = """
CREATE TABLE IF NOT EXISTS schema_migration (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at INTEGER NOT NULL
)
"""


class Connection(Protocol):
    """One synchronous connection to one SQLite database.

    An implementation guarantees that outside `transaction` each statement commits
    alone, and that `transaction` undoes what happened inside if that raises.
    """

    def run(self, sql: str, parameters: Parameters = None) -> RunResult:
        """Run one statement."""
        ...

    def all(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Return every row."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit what happens inside, or undo it if it raises."""
        ...


@dataclass(frozen=True, slots=True)
class Migration:
    """One step in the history of the schema.

    Attributes:
        version: Position in the history, counted from 1 without gaps.
        name: Short snake_case label, shown in errors and logs.
        statements: SQL, exactly one statement per item, run in order.
    """

    version: int
    name: str
    statements: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """SHA-256 of the statements, as 64 lowercase hex digits."""
        text = "\x00".join(self.statements)
        return hashlib.sha256(text.encode()).hexdigest()


def migrate(
    connection: Connection, history: Sequence[Migration]
) -> tuple[Migration, ...]:
    """Bring the database to the last version in *history*.

    Each migration has a transaction of its own, so a failure leaves the database
    at the last version that applied in full. ``user_version`` is that version.

    Args:
        connection: Open, with no transaction in progress.
        history: Every migration ever released, ordered by version.

    Returns:
        The migrations applied by this call, oldest first.

    Raises:
        SchemaTooNewError: A newer release has migrated the database.
            No migration runs.
        MigrationChangedError: A migration was edited after it was applied.
            No migration runs.
        SqlError: A statement failed; its migration was rolled back.
    """
    applied: list[Migration] = []
    for migration in pending_of(_applied(connection), history):
        with connection.transaction():
            # Another process may have applied it while this one waited its turn.
            if migration not in pending_of(_applied(connection), history):
                continue
            connection.run(CREATE_LOG)
            for statement in migration.statements:
                connection.run(statement)
            connection.run(
                "INSERT INTO schema_migration (version, name, checksum, applied_at) "
                "VALUES (?, ?, ?, ?)",
                (migration.version, migration.name, migration.checksum, now_ms()),
            )
            # A pragma takes no parameters; the version is an int.
            connection.run(f"PRAGMA user_version = {migration.version:d}")
        applied.append(migration)
    return tuple(applied)


def _applied(connection: Connection) -> list[str]:
    """Return the checksums of the migrations that ran, oldest first."""
    has_log = connection.all(
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?",
        ("schema_migration",),
    )
    if not has_log:
        return []
    rows = connection.all("SELECT checksum FROM schema_migration ORDER BY version")
    return [str(row["checksum"]) for row in rows]


def pending_of(
    applied: Sequence[str], history: Sequence[Migration]
) -> tuple[Migration, ...]:
    """Return the part of *history* that follows the applied checksums."""
    _check_numbering(history)
    if len(applied) > len(history):
        raise SchemaTooNewError(found=len(applied), supported=len(history))
    for checksum, migration in zip(applied, history, strict=False):
        if checksum != migration.checksum:
            raise MigrationChangedError(version=migration.version, name=migration.name)
    return tuple(history[len(applied) :])


def _check_numbering(history: Iterable[Migration]) -> None:
    for expected, migration in enumerate(history, start=1):
        if migration.version != expected:
            msg = (
                f"migration {migration.name!r} has version "
                f"{migration.version}, expected {expected}"
            )
            raise ValueError(msg)
