"""Taking a backup over into the live database."""

import dataclasses
from pathlib import Path
from typing import Final, Literal, Protocol

from pyodide_app.errors import BackupUnsafeError
from pyodide_app.storage.adapter import RestorePoint, StorageAdapter
from pyodide_app.storage.backup.records import CONSUMED, kind_of
from pyodide_app.storage.backup.report import (
    BackupCounts,
    BackupInspection,
    ImportReport,
    Problems,
)
from pyodide_app.storage.backup.source import Source, opened
from pyodide_app.storage.backup.staging import (
    MESSAGE_TYPES,
    count_rows,
    staged_database,
)
from pyodide_app.storage.migrations import Migration
from pyodide_app.storage.schema import MIGRATIONS, SCHEMA_VERSION

__all__ = ["HasAdapter", "import_backup", "inspect_backup", "replace_with_backup"]


class HasAdapter(Protocol):
    """A storage, as far as an import needs it."""

    @property
    def adapter(self) -> StorageAdapter:
        """Its adapter."""
        ...


def inspect_backup(data: bytes | str | Path) -> BackupInspection:
    """Return what a backup holds. Nothing is changed, and nothing in it runs.

    Raises:
        BackupError: It cannot be imported; the error says why.
    """
    problems = Problems()
    with opened(data, problems) as source:
        kind = kind_of(source)
        times = [
            *source.span("conversations", "created_at", "updated_at"),
            *source.span("conversations", "createdAt", "lastActivity"),
            *source.span("conversation_events", "timestamp"),
            *source.span("messages", "timestamp"),
            *source.span("conversation_messages", "timestamp"),
        ]
        for type in ("trigger", "view"):
            names = [name for name, _ in source.objects(type)]
            foreign = [name for name in names if name not in _our_names()]
            if foreign:
                shown = ", ".join(foreign[:5]) + (", …" if len(foreign) > 5 else "")
                problems.add(
                    "left_out",
                    f"{len(foreign):,} {type}s are left out and never run: {shown}",
                )
        return BackupInspection(
            kind=kind,
            schema_version=source.user_version if kind == "pyodide_app" else 0,
            size_bytes=source.size,
            counts=_counts_of(source, CONSUMED[kind]),
            first_at=min(times, default=None),
            last_at=max(times, default=None),
            problems=problems.list(),
            importable=True,
            integrity=source.integrity,
        )


async def import_backup(
    storage: HasAdapter,
    data: bytes | str | Path,
    *,
    mode: Literal["replace", "merge"] = "replace",
    keep_restore_point: bool = True,
) -> ImportReport:
    """Take over a backup.

    ``replace``: the database becomes what the backup holds. ``merge``: what it
    holds is added; of a record that both have, the one updated last stays.

    Raises:
        BackupError: It is refused; the live database is untouched.
        DurabilityError: It could not be made durable; the live database is as
            it was.
    """
    adapter = storage.adapter
    problems = Problems()
    staged = adapter.scratch_path("import.db")
    with opened(data, problems) as source:
        kind = kind_of(source)
        async with staged_database(staged, kind, source, problems) as engine:
            held = count_rows(engine)
            others = len(engine.tables() - _our_names())
            engine.close()
    try:
        point = await _kept(adapter, mode) if keep_restore_point else None
        if mode == "merge":
            added, updated = await _merge(adapter, staged)
            if others:
                problems.add(
                    "left_out", "{n} other tables are left out of a merge", others
                )
        else:
            await adapter.replace_database(staged)
            added = dataclasses.replace(held, other_tables=others)
            updated = BackupCounts()
    finally:
        Path(staged).unlink(missing_ok=True)
    return ImportReport(
        mode=mode,
        kind=kind,
        added=added,
        updated=updated,
        skipped=held - added - updated if mode == "merge" else BackupCounts(),
        restore_point=point,
        problems=problems.list(),
    )


async def replace_with_backup(
    adapter: StorageAdapter, data: bytes | str | Path, *, trust_schema: bool = False
) -> None:
    """Make the database equal any sound SQLite file.

    Its schema comes with it, so objects that would run later are refused, unless
    they are those of our own schema.

    Args:
        adapter: Whose database it is.
        data: The file.
        trust_schema: Accept its triggers, views and virtual tables.

    Raises:
        BackupError: It is refused; the database is untouched.
    """
    problems = Problems()
    with opened(data, problems) as source:
        if not trust_schema:
            _refuse_code(source)
    staged = adapter.scratch_path("import.db")
    content = data if isinstance(data, bytes) else Path(data).read_bytes()
    try:
        # A rollback journal, whatever the file was made with.
        Path(staged).write_bytes(content[:18] + b"\x01\x01" + content[20:])
        await adapter.keep_restore_point("before import")
        await adapter.replace_database(staged)
    finally:
        Path(staged).unlink(missing_ok=True)


async def _kept(adapter: StorageAdapter, mode: str) -> RestorePoint:
    reason = "before replacing" if mode == "replace" else "before merging"
    return await adapter.keep_restore_point(f"{reason} the database")


_DATED: Final = {
    "conversations": ("user_id", "persona_id", "metadata"),
    "sessions": ("user_id", "display_name", "target_type", "target_id", "metadata"),
    "personas": ("display_name", "description", "definition"),
    "workflows": ("name", "definition"),
}
"""Tables whose rows change, and the columns that do."""

_GROWING: Final = ("conversation_events", "telemetry")
"""Tables whose rows only come."""


async def _merge(
    adapter: StorageAdapter, staged: str
) -> tuple[BackupCounts, BackupCounts]:
    """Add what the staged database holds, in one transaction of the live one."""
    await adapter.run("ATTACH ? AS incoming", (staged,))
    try:
        return await adapter.transaction(_merged)
    finally:
        await adapter.run("DETACH incoming")


async def _merged(adapter: StorageAdapter) -> tuple[BackupCounts, BackupCounts]:
    added: dict[str, int] = {}
    updated: dict[str, int] = {}

    async def count(condition: str) -> int:
        row = await adapter.get(f"SELECT count(*) AS n FROM {condition}")
        return int(row["n"]) if row and isinstance(row["n"], int) else 0

    new_events = (
        "incoming.conversation_events AS theirs WHERE NOT EXISTS "
        "(SELECT 1 FROM main.conversation_events AS ours WHERE ours.id = theirs.id)"
    )
    said = await count(f"{new_events} AND ({MESSAGE_TYPES})")
    called = await count(f"{new_events} AND event_type = 'tool_call_request'")
    for table, columns in _DATED.items():
        sets = ", ".join(f"{column} = excluded.{column}" for column in columns)
        updated[table] = await count(
            f"incoming.{table} AS theirs JOIN main.{table} AS ours USING (id) "
            "WHERE theirs.updated_at > ours.updated_at"
        )
        before = await count(f"main.{table}")
        names = ", ".join(("id", *columns, "created_at", "updated_at"))
        await adapter.run(
            f"INSERT INTO main.{table} ({names}) "
            f"SELECT {names} FROM incoming.{table} WHERE true "
            f"ON CONFLICT (id) DO UPDATE SET {sets}, "
            "updated_at = excluded.updated_at, "
            f"created_at = min({table}.created_at, excluded.created_at) "
            f"WHERE excluded.updated_at > {table}.updated_at"
        )
        added[table] = await count(f"main.{table}") - before
    for table in _GROWING:
        before = await count(f"main.{table}")
        await adapter.run(
            f"INSERT OR IGNORE INTO main.{table} SELECT * FROM incoming.{table}"
        )
        added[table] = await count(f"main.{table}") - before
    events = added.pop("conversation_events")
    return (
        BackupCounts(**added, events=events, messages=said, tool_calls=called),
        BackupCounts(**updated),
    )


def _counts_of(source: Source, ours: frozenset[str]) -> BackupCounts:
    messages = (
        source.count("messages")
        + source.count("conversation_messages")
        + source.count("conversation_events", MESSAGE_TYPES)
    )
    tool_calls = (
        source.count("conversation_events", "event_type = 'tool_call_request'")
        + _with_calls(source, "messages", "toolCalls")
        + _with_calls(source, "conversation_messages", "tool_calls")
    )
    return BackupCounts(
        conversations=source.count("conversations"),
        events=source.count("conversation_events"),
        messages=messages,
        tool_calls=tool_calls,
        sessions=source.count("sessions"),
        personas=source.count("personas"),
        telemetry=source.count("telemetry"),
        workflows=source.count("workflows"),
        other_tables=sum(
            name not in ours and not name.startswith("sqlite_")
            for name in source.tables
            if not source.is_virtual(name)
        ),
    )


def _with_calls(source: Source, table: str, column: str) -> int:
    if column not in source.tables.get(table, ()):
        return 0
    return source.count(table, f"{column} IS NOT NULL AND {column} <> '[]'")


def _refuse_code(source: Source) -> None:
    ours = {_folded(sql) for migration in MIGRATIONS for sql in migration.statements}
    found = [
        f"{type} {name}"
        for type in ("trigger", "view")
        for name, sql in source.objects(type)
        if _folded(sql) not in ours
    ]
    found += [
        f"virtual table {name}"
        for name, sql in source.objects("table")
        if "VIRTUAL" in sql[:40].upper() and _folded(sql) not in ours
    ]
    if found:
        raise BackupUnsafeError(found)


def _folded(sql: str) -> str:
    return " ".join(sql.split())


def _our_names() -> frozenset[str]:
    """Return the names of everything that our migrations make."""
    return _names_made_by(MIGRATIONS, SCHEMA_VERSION)


def _names_made_by(history: tuple[Migration, ...], version: int) -> frozenset[str]:
    words = (
        sql.replace("UNIQUE ", "").replace("VIRTUAL ", "").split()
        for migration in history[:version]
        for sql in migration.statements
    )
    made = {word[2] for word in words if word[0] == "CREATE"}
    shadows = {
        f"message_search_{part}" for part in ("data", "idx", "docsize", "config")
    }
    return frozenset(made | shadows | {"schema_migration"})
