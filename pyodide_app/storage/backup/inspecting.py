"""What a backup holds, found out without changing anything."""

import asyncio
import contextlib
import itertools
from collections.abc import Generator
from typing import cast

from pyodide_app.storage.backup.carrying import ROWS_AT_A_TIME, plan_others
from pyodide_app.storage.backup.header import LARGEST_BACKUP
from pyodide_app.storage.backup.opening import BackupFile, ScratchPath, opened
from pyodide_app.storage.backup.records import (
    CONSUMED,
    MESSAGE_TABLES,
    kind_of,
    records_of,
)
from pyodide_app.storage.backup.report import (
    ORPHANS,
    BackupCounts,
    BackupInspection,
    BackupKind,
    Problems,
)
from pyodide_app.storage.backup.source import Source
from pyodide_app.storage.backup.staging import MESSAGE_TYPES

__all__ = ["ainspect_backup", "inspect_backup"]


def inspect_backup(
    source: BackupFile,
    *,
    scratch: ScratchPath | None = None,
    limit: int = LARGEST_BACKUP,
    passphrase: str | None = None,
) -> BackupInspection:
    """Return what a backup holds. Nothing is changed, and nothing in it runs.

    Every row is read as an import would, so the problems are those it would tell.

    Args:
        source: The file's content, or its path.
        scratch: Where a copy may be made; default: the system's temporary folder.
        limit: The largest size that is accepted, in bytes.
        passphrase: Of the backup, if it is encrypted.

    Raises:
        BackupError: It cannot be imported; the error says why.
        EncryptionError: It is encrypted, and *passphrase* does not open it.
    """
    looking = _look(source, scratch, limit, passphrase)
    while True:
        try:
            next(looking)
        except StopIteration as end:
            return cast("BackupInspection", end.value)  # what _look returns


async def ainspect_backup(
    source: BackupFile,
    *,
    scratch: ScratchPath | None = None,
    limit: int = LARGEST_BACKUP,
    passphrase: str | None = None,
) -> BackupInspection:
    """Return what `inspect_backup` does, and let other tasks run meanwhile."""
    looking = _look(source, scratch, limit, passphrase)
    with contextlib.closing(looking):
        while True:
            try:
                next(looking)
            except StopIteration as end:
                return cast("BackupInspection", end.value)  # what _look returns
            await asyncio.sleep(0)


def _look(
    source: BackupFile,
    scratch: ScratchPath | None,
    limit: int,
    passphrase: str | None,
) -> Generator[None, None, BackupInspection]:
    """Return what a backup holds; yield whenever others may run."""
    problems = Problems()
    with opened(
        source, problems, scratch=scratch, limit=limit, passphrase=passphrase
    ) as file:
        kind = kind_of(file)
        plan = plan_others(kind, file, CONSUMED[kind])
        others = (file.rows(table.name) for table in plan.tables)
        rows = itertools.chain(records_of(kind, file, problems), *others)
        for number, _ in enumerate(rows):
            if number % ROWS_AT_A_TIME == 0:
                yield
        _tell_orphans(file, problems)
        plan.tell(problems)
        times = _times(file)
        return BackupInspection(
            kind=kind,
            schema_version=file.user_version if kind == "pyodide_app" else 0,
            size_bytes=file.size,
            counts=_counts(kind, file, len(plan.tables)),
            first_at=min(times, default=None),
            last_at=max(times, default=None),
            problems=problems.list(),
            importable=True,
            integrity=file.integrity,
        )


def _counts(kind: BackupKind, file: Source, other_tables: int) -> BackupCounts:
    messages = file.count("conversation_events", MESSAGE_TYPES)
    tool_calls = file.count("conversation_events", "event_type = 'tool_call_request'")
    if kind in MESSAGE_TABLES:
        table, _, calls = MESSAGE_TABLES[kind]
        messages += file.count(table)
        if calls in file.tables[table]:
            tool_calls += file.count(table, f"{calls} IS NOT NULL AND {calls} <> '[]'")
    return BackupCounts(
        conversations=file.count("conversations"),
        events=file.count("conversation_events"),
        messages=messages,
        tool_calls=tool_calls,
        sessions=file.count("sessions"),
        personas=file.count("personas"),
        telemetry=file.count("telemetry"),
        workflows=file.count("workflows"),
        other_tables=other_tables,
    )


def _times(file: Source) -> list[int]:
    return [
        *file.span("conversations", "created_at", "updated_at"),
        *file.span("conversations", "createdAt", "lastActivity"),
        *file.span("conversation_events", "timestamp"),
        *file.span("messages", "timestamp"),
        *file.span("conversation_messages", "timestamp"),
        *file.span("sessions", "created_at", "updated_at"),
        *file.span("telemetry", "timestamp"),
    ]


def _tell_orphans(file: Source, problems: Problems) -> None:
    owners = {
        "conversation_events": "conversation_id",
        "messages": "conversationId",
        "conversation_messages": "conversation_id",
    }
    for table, owner in owners.items():
        if owner in file.tables.get(table, ()):
            problems.add(
                "orphan_events",
                ORPHANS,
                file.number(
                    f"SELECT count(DISTINCT {owner}) FROM {table} NOT INDEXED "
                    f"WHERE {owner} NOT IN (SELECT id FROM conversations NOT INDEXED "
                    "WHERE id IS NOT NULL)"
                ),
            )
