"""A fresh database with our schema, built from a backup beside the live one.

Rule 1: the schema of the backup is never adopted. Our migrations make the tables;
        rows are copied into them by columns that we name.
Rule 2: what was built is checked, and counted against what was read, before
        anybody sees it. If anything fails, the file is gone.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final

from pyodide_app.errors import BackupDamagedError, ConstraintError
from pyodide_app.ids import derived_id
from pyodide_app.storage.adapter import SqlValue
from pyodide_app.storage.adapters.sqlite import ENGINE_PRAGMAS
from pyodide_app.storage.backup.carrying import ROWS_AT_A_TIME, Plan, carry
from pyodide_app.storage.backup.fields import NOBODY, encode
from pyodide_app.storage.backup.records import Record, records_of
from pyodide_app.storage.backup.report import (
    ORPHANS,
    BackupCounts,
    BackupKind,
    Problems,
)
from pyodide_app.storage.backup.source import Source, in_time
from pyodide_app.storage.engine import Engine
from pyodide_app.storage.migrations import migrate
from pyodide_app.storage.schema import MIGRATIONS

__all__ = [
    "COLUMNS",
    "COPIED",
    "MESSAGE_TYPES",
    "Progress",
    "count_rows",
    "no_progress",
    "staged_database",
]

Progress = Callable[[str, float], None]
"""Told the phase, and how much of the import is done, from 0 to 1."""

COPIED: Final = 0.8
"""How much of an import is done when all rows are copied."""

MESSAGE_TYPES: Final = (
    "event_type IN ('user_message', 'final_response', 'tool_result_emission') "
    "OR substr(event_type, -8) = '_message'"
)
"""SQL: an event in which somebody, or a tool, said something."""

_DATED: Final = ("created_at", "updated_at")
_TARGET: Final = ("display_name", "target_type", "target_id")

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "conversations": ("id", "user_id", "persona_id", *_DATED, "metadata"),
    "conversation_events": (
        "id",
        "conversation_id",
        "event_type",
        "event_data",
        "timestamp",
    ),
    "sessions": ("id", "user_id", *_TARGET, *_DATED, "metadata"),
    "personas": ("id", "display_name", "description", "definition", *_DATED),
    "telemetry": ("id", "session_id", "event_type", "event_data", "timestamp"),
    "workflows": ("id", "name", "definition", *_DATED),
}
"""Of our six tables, as they are now and as `records_of` orders them."""

_DOCUMENTS: Final = ("metadata", "event_data", "definition")

_INSERT: Final = {
    table: f"INSERT INTO {table} ({', '.join(columns)}) "
    f"VALUES ({', '.join('?' * len(columns))}) ON CONFLICT (id) DO NOTHING"
    for table, columns in COLUMNS.items()
}


def no_progress(_phase: str, _fraction: float) -> None:
    """Tell nobody."""


@contextlib.asynccontextmanager
async def staged_database(
    path: str,
    kind: BackupKind,
    source: Source,
    plan: Plan,
    problems: Problems,
    progress: Progress = no_progress,
) -> AsyncIterator[Engine]:
    """Yield a database that holds what *source* does; if all is well, it stays."""
    # The file is nobody's yet: what fails is thrown away, not rolled back.
    pragmas = (*ENGINE_PRAGMAS, "journal_mode = OFF", "synchronous = OFF")
    total = max(sum(source.count(table) for table in source.tables), 1)
    done = 0

    def copied(rows: int) -> None:
        nonlocal done
        done += rows
        progress("copy", COPIED * min(done / total, 1.0))

    try:
        with Engine(path, pragmas=pragmas, name="the imported database") as engine:
            migrate(engine, MIGRATIONS)
            writer = _Writer(engine, problems)
            with engine.transaction():
                for number, record in enumerate(records_of(kind, source, problems)):
                    writer.write(record)
                    if number % ROWS_AT_A_TIME == 0:
                        copied(ROWS_AT_A_TIME)
                        await asyncio.sleep(0)
            await carry(plan, source, engine, problems, copied)
            progress("check", COPIED)
            with in_time(engine, source.size, "its check"):
                _check(engine, writer.written)
            yield engine
    except BaseException:
        Path(path).unlink(missing_ok=True)
        raise


def count_rows(engine: Engine) -> BackupCounts:
    """Return the counts of a database that has our schema."""

    def count(table: str, condition: str = "1") -> int:
        row = engine.get(f"SELECT count(*) AS n FROM {table} WHERE {condition}")
        return int(row["n"]) if row and isinstance(row["n"], int) else 0

    return BackupCounts(
        conversations=count("conversations"),
        events=count("conversation_events"),
        messages=count("conversation_events", MESSAGE_TYPES),
        tool_calls=count("conversation_events", "event_type = 'tool_call_request'"),
        sessions=count("sessions"),
        personas=count("personas"),
        telemetry=count("telemetry"),
        workflows=count("workflows"),
    )


class _Writer:
    """Writes records; one that SQLite refuses is written in a form it takes."""

    def __init__(self, engine: Engine, problems: Problems) -> None:
        self._engine = engine
        self._problems = problems
        self.written: Counter[str] = Counter()

    def write(self, record: Record) -> None:
        table, values = record
        # It may have both faults, each once.
        for _ in range(2):
            try:
                changes = self._insert(table, values)
                break
            except ConstraintError as error:
                if error.sqlite_code == "SQLITE_CONSTRAINT_FOREIGNKEY":
                    self._adopt(str(values[1]), values[4])
                else:
                    values = self._wrapped(table, values)
        else:
            changes = self._insert(table, values)
        if changes == 0:
            self._meet(table, values)

    def _insert(self, table: str, values: tuple[SqlValue, ...]) -> int:
        changes = self._engine.run(_INSERT[table], values).changes
        self.written[table] += changes
        return changes

    def _adopt(self, id: str, time: SqlValue) -> None:
        """Make the conversation that an event names and the backup lacks."""
        values = (id, NOBODY, NOBODY, time, time, "{}")
        self._insert("conversations", values)
        self._problems.add("orphan_events", ORPHANS)

    def _wrapped(
        self, table: str, values: tuple[SqlValue, ...]
    ) -> tuple[SqlValue, ...]:
        """Return *values* with JSON that Python takes and SQLite does not, as text."""
        column = next(name for name in COLUMNS[table] if name in _DOCUMENTS)
        place = COLUMNS[table].index(column)
        self._problems.add(
            "invalid_json",
            f"{{n}} values of {table}.{column} were too deep for JSON here; "
            'they are in "original"',
        )
        document = encode({"original": {column: values[place]}})
        return (*values[:place], document, *values[place + 1 :])

    def _meet(self, table: str, values: tuple[SqlValue, ...]) -> None:
        """Keep a row whose id came before, unless it is the same row again."""
        columns = ", ".join(COLUMNS[table])
        same = self._engine.get(
            f"SELECT {columns} FROM {table} WHERE id = ?", (values[0],)
        )
        if same is not None and tuple(same.values()) == values:
            self._problems.add("duplicate", f"{{n}} rows of {table} came twice")
            return
        id = derived_id(0, "duplicate", *map(str, values))
        self._problems.add(
            "duplicate_id",
            f"{{n}} rows of {table} had the id of another; they have a new one",
        )
        self._insert(table, (id, *values[1:]))


def _check(engine: Engine, written: Mapping[str, int]) -> None:
    """Raise unless the database is sound and holds what was written to it."""
    # Ours were checked as they came; of other tables rows are taken as they are.
    engine.run("PRAGMA ignore_check_constraints = ON")
    lines = [
        str(next(iter(row.values()))) for row in engine.all("PRAGMA integrity_check")
    ]
    if lines != ["ok"]:
        raise BackupDamagedError(lines)
    for table in COLUMNS:
        row = engine.get(f"SELECT count(*) AS n FROM {table}")
        if row is None or row["n"] != written.get(table, 0):
            raise BackupDamagedError([f"not every row of {table} arrived"])
