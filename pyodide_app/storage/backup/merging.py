"""Adding what one database holds to another.

Rule 1: of a record that both have, the one updated last stays; of two updated at
        the same time, the one whose columns are greater. Events and measurements
        are never changed, so both keep all of theirs. So merging the same twice
        adds nothing, and two merges give the same in either order.
Rule 2: all of it is one transaction; if it fails, nothing has changed.
"""

from pyodide_app.storage.adapter import StorageAdapter
from pyodide_app.storage.backup.report import BackupCounts
from pyodide_app.storage.backup.staging import COLUMNS, MESSAGE_TYPES

__all__ = ["merge_staged"]

_GROWING = ("conversation_events", "telemetry")
"""Tables whose rows only come."""


async def merge_staged(
    adapter: StorageAdapter, staged: str
) -> tuple[BackupCounts, BackupCounts]:
    """Merge a database that has our schema; return what was added and updated.

    Args:
        adapter: The live database.
        staged: The file of the other one.
    """
    async with adapter.attached(staged) as (ours, theirs):
        return await adapter.transaction(lambda inner: _merged(inner, ours, theirs))


async def _merged(
    adapter: StorageAdapter, ours: str, theirs: str
) -> tuple[BackupCounts, BackupCounts]:
    added: dict[str, int] = {}
    updated: dict[str, int] = {}
    unknown = (
        f"{theirs}conversation_events AS theirs WHERE NOT EXISTS "
        f"(SELECT 1 FROM {ours}conversation_events AS ours WHERE ours.id = theirs.id)"
    )
    said = await _count(adapter, f"{unknown} AND ({MESSAGE_TYPES})")
    called = await _count(adapter, f"{unknown} AND event_type = 'tool_call_request'")
    for table, columns in COLUMNS.items():
        names = ", ".join(columns)
        before = await _count(adapter, f"{ours}{table}")
        conflict = "DO NOTHING"
        if table not in _GROWING:
            rank = _rank("excluded", columns)
            sets = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
            conflict = f"DO UPDATE SET {sets} WHERE {rank} > {_rank(table, columns)}"
        # "WHERE true" keeps the parser from taking ON for that of a join.
        result = await adapter.run(
            f"INSERT INTO {ours}{table} ({names}) "
            f"SELECT {names} FROM {theirs}{table} WHERE true "
            f"ON CONFLICT (id) {conflict}"
        )
        added[table] = await _count(adapter, f"{ours}{table}") - before
        updated[table] = result.changes - added[table]
    events = added.pop("conversation_events")
    for table in _GROWING:
        updated.pop(table)
    return (
        BackupCounts(**added, events=events, messages=said, tool_calls=called),
        BackupCounts(**updated),
    )


def _rank(table: str, columns: tuple[str, ...]) -> str:
    """Return SQL for what decides which of two records stays."""
    rest = [name for name in columns if name not in ("id", "updated_at")]
    # Quoted, NULL is a text too, so that there is always a greater one.
    values = ", ".join(f"quote({table}.{name})" for name in rest)
    return f"({table}.updated_at, {values})"


async def _count(adapter: StorageAdapter, rows: str) -> int:
    row = await adapter.get(f"SELECT count(*) AS n FROM {rows}")
    return int(row["n"]) if row and isinstance(row["n"], int) else 0
