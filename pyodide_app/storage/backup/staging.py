"""A fresh database with our schema, built from a backup beside the live one."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from pyodide_app.errors import BackupDamagedError, ConstraintError, SqlError
from pyodide_app.storage.adapters.sqlite import ENGINE_PRAGMAS
from pyodide_app.storage.backup.records import CONSUMED, Record, records_of
from pyodide_app.storage.backup.report import BackupCounts, BackupKind, Problems
from pyodide_app.storage.backup.source import Source
from pyodide_app.storage.engine import Engine, quote_identifier
from pyodide_app.storage.migrations import migrate
from pyodide_app.storage.schema import MIGRATIONS

__all__ = ["MESSAGE_TYPES", "count_rows", "staged_database"]

_COLUMNS: Final = {
    "conversations": 6,
    "conversation_events": 5,
    "sessions": 8,
    "personas": 6,
    "telemetry": 5,
    "workflows": 5,
}

MESSAGE_TYPES: Final = (
    "event_type IN ('user_message', 'final_response', 'tool_result_emission') "
    "OR event_type LIKE '%\\_message' ESCAPE '\\'"
)
"""SQL: an event in which somebody, or a tool, said something."""

_ROWS_AT_A_TIME: Final = 1000
"""Between two moments in which others may run."""

_PLAIN: Final = re.compile(r"\s*CREATE\s+(TABLE|INDEX|UNIQUE\s+INDEX)\s", re.IGNORECASE)


@contextlib.asynccontextmanager
async def staged_database(
    path: str, kind: BackupKind, source: Source, problems: Problems
) -> AsyncIterator[Engine]:
    """Yield a database that holds what *source* does; if all is well, it stays."""
    # The file is nobody's yet: what fails is thrown away, not rolled back.
    pragmas = (*ENGINE_PRAGMAS, "journal_mode = OFF", "synchronous = OFF")
    engine = Engine(path, pragmas=pragmas, name="the imported database")
    try:
        migrate(engine, MIGRATIONS)
        with engine.transaction():
            for number, record in enumerate(records_of(kind, source, problems)):
                _write(engine, record, problems)
                if number % _ROWS_AT_A_TIME == 0:
                    await asyncio.sleep(0)
        _carry_others(engine, kind, source, problems)
        _check(engine)
        yield engine
    except BaseException:
        engine.close()
        Path(path).unlink(missing_ok=True)
        raise


def count_rows(engine: Engine, *, schema: str = "main") -> BackupCounts:
    """Return the counts of a database that has our schema."""

    def count(table: str, condition: str = "1") -> int:
        row = engine.get(
            f"SELECT count(*) AS n FROM {schema}.{table} WHERE {condition}"
        )
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


def _write(engine: Engine, record: Record, problems: Problems) -> None:
    table, values = record
    places = ", ".join("?" * _COLUMNS[table])
    sql = f"INSERT OR IGNORE INTO {table} VALUES ({places})"
    try:
        result = engine.run(sql, values)
    except ConstraintError:
        if table == "conversation_events":
            _adopt(engine, values[1], values[4], problems)
            result = engine.run(sql, values)
        else:
            raise
    if result.changes == 0:
        problems.add("duplicate", f"{{n}} rows of {table} had an id that came before")


def _adopt(engine: Engine, id: object, time: object, problems: Problems) -> None:
    """Give events whose conversation is missing one to be in."""
    text = str(id)
    made = engine.run(
        "INSERT OR IGNORE INTO conversations VALUES (?, ?, ?, ?, ?, ?)",
        (text, "unknown", "unknown", int(str(time)), int(str(time)), "{}"),
    )
    problems.add(
        "orphan_events",
        "{n} conversations were missing; their events are in a new one",
        made.changes,
    )


def _carry_others(
    engine: Engine, kind: BackupKind, source: Source, problems: Problems
) -> None:
    """Take over the tables that are not ours, with their rows and indexes."""
    engine.run("PRAGMA foreign_keys = OFF")
    ours = CONSUMED[kind]
    carried: set[str] = set()
    for name, sql in source.objects("table"):
        if name in ours or name.startswith("sqlite_"):
            continue
        if source.is_virtual(name):
            if not (kind == "pyodide_app" and name.startswith("message_search")):
                problems.add("left_out", f"the virtual table {name} is left out")
            continue
        if _made(engine, name, sql, problems):
            _copy(engine, source, name, problems)
            carried.add(name)
    for name, sql in source.objects("index"):
        on = re.search(r"\sON\s+[\"'`\[]?([^\s\"'`\]\(]+)", sql, re.IGNORECASE)
        if sql and on and on.group(1) in carried:
            _made(engine, name, sql, problems)
    known = {name for _, name in _our_objects(engine)}
    for type in ("trigger", "view"):
        for name, _ in source.objects(type):
            if kind != "pyodide_app" or name not in known:
                problems.add(
                    "left_out", f"the {type} {name} is left out; it never runs"
                )
    engine.run("PRAGMA foreign_keys = ON")


def _made(engine: Engine, name: str, sql: str, problems: Problems) -> bool:
    """Run one definition of the backup, if it is one and no more."""
    try:
        if _PLAIN.match(sql):
            engine.run(sql)
            return True
    except SqlError:
        # Below: it is left out.
        pass
    problems.add("left_out", f"{name} is left out; this app cannot make it")
    return False


def _copy(engine: Engine, source: Source, table: str, problems: Problems) -> None:
    columns = source.tables[table]
    has_rowids = source.rowids(table) and "rowid" not in columns
    names = ", ".join(quote_identifier(column) for column in columns)
    selected = [*columns]
    if has_rowids:
        names, selected = f"rowid, {names}", ["rowid", *columns]
    places = ", ".join("?" * len(selected))
    sql = f"INSERT INTO {quote_identifier(table)} ({names}) VALUES ({places})"
    with engine.transaction():
        for row in source.rows(table, selected, with_rowid=has_rowids):
            try:
                engine.run(sql, tuple(row.values()))
            except ConstraintError:
                problems.add("left_out", f"{{n}} rows of {table} break its own rules")


def _our_objects(engine: Engine) -> Iterator[tuple[str, str]]:
    for row in engine.all("SELECT type, name FROM sqlite_schema"):
        yield str(row["type"]), str(row["name"])


def _check(engine: Engine) -> None:
    lines = [
        str(next(iter(row.values()))) for row in engine.all("PRAGMA integrity_check")
    ]
    if lines != ["ok"]:
        raise BackupDamagedError(lines)
