"""What is told about a backup, before and after it is taken over."""

from collections import Counter
from dataclasses import dataclass, fields
from typing import Final, Literal, TypeAlias

from pyodide_app.storage.adapter import RestorePoint

__all__ = [
    "ORPHANS",
    "BackupCounts",
    "BackupInspection",
    "BackupKind",
    "BackupProblem",
    "ImportReport",
    "Problems",
]

BackupKind: TypeAlias = Literal[
    "pyodide_app",
    "original-seed",
    "original-agentos-storage",
    "original-agentos-runtime",
]
"""Whose schema a backup has. The originals are three that differ."""


@dataclass(frozen=True, slots=True)
class BackupCounts:
    """Rows by what they are.

    Attributes:
        messages: Events, or rows, in which somebody said something.
        tool_calls: Events, or rows, in which a model asked for tools.
        other_tables: Tables that are not ours.
    """

    conversations: int = 0
    events: int = 0
    messages: int = 0
    tool_calls: int = 0
    sessions: int = 0
    personas: int = 0
    telemetry: int = 0
    workflows: int = 0
    other_tables: int = 0

    def __sub__(self, other: "BackupCounts") -> "BackupCounts":
        names = [field.name for field in fields(self)]
        return BackupCounts(
            **{name: getattr(self, name) - getattr(other, name) for name in names}
        )


@dataclass(frozen=True, slots=True)
class BackupProblem:
    """Something in a backup that is not as it should be, or is left out."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class BackupInspection:
    """What a backup holds.

    Attributes:
        schema_version: Of our schema; 0 for the originals, which have none.
        first_at: The earliest time in it, in Unix milliseconds, or None.
        importable: Always true: what is not importable raises.
        integrity: ``ok``, or what SQLite says about indexes and constraints.
    """

    kind: BackupKind
    schema_version: int
    size_bytes: int
    counts: BackupCounts
    first_at: int | None
    last_at: int | None
    problems: tuple[BackupProblem, ...]
    importable: bool
    integrity: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        added: Rows that are new.
        updated: Rows that were there and older.
        skipped: Rows that were there and not older.
        restore_point: The state before, or None if none was kept.
    """

    mode: Literal["replace", "merge"]
    kind: BackupKind
    added: BackupCounts
    updated: BackupCounts
    skipped: BackupCounts
    restore_point: RestorePoint | None
    problems: tuple[BackupProblem, ...]


ORPHANS: Final = "{n} conversations are missing; they are made anew for their events"
"""Told alike before and after, so that a reader knows it again."""


class Problems:
    """Collects problems; many of one sort become one, with their number."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, code: str, message: str, count: int = 1) -> None:
        """Note a problem; *message* has ``{n}`` where its number goes."""
        if count:
            self._counts[code, message] += count

    def list(self) -> tuple[BackupProblem, ...]:
        """Return the problems in the order they first came."""
        return tuple(
            BackupProblem(code, message.replace("{n}", f"{count:,}"))
            for (code, message), count in self._counts.items()
        )
