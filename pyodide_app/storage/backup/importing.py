"""Taking a backup over into the live database."""

import dataclasses
from pathlib import Path
from typing import Literal, Protocol

from pyodide_app.storage.adapter import StorageAdapter
from pyodide_app.storage.backup.carrying import plan_others
from pyodide_app.storage.backup.header import LARGEST_BACKUP
from pyodide_app.storage.backup.merging import merge_staged
from pyodide_app.storage.backup.opening import BackupFile, opened
from pyodide_app.storage.backup.records import CONSUMED, kind_of
from pyodide_app.storage.backup.report import BackupCounts, ImportReport, Problems
from pyodide_app.storage.backup.staging import (
    COPIED,
    Progress,
    count_rows,
    no_progress,
    staged_database,
)

__all__ = ["HasAdapter", "import_backup"]


class HasAdapter(Protocol):
    """A storage, as far as an import needs it."""

    @property
    def adapter(self) -> StorageAdapter:
        """Its adapter."""
        ...


async def import_backup(
    storage: HasAdapter,
    source: BackupFile,
    *,
    mode: Literal["replace", "merge"] = "replace",
    keep_restore_point: bool = True,
    progress: Progress | None = None,
    limit: int = LARGEST_BACKUP,
    passphrase: str | None = None,
) -> ImportReport:
    """Take over a backup.

    ``replace``: the database becomes what the backup holds. ``merge``: what it
    holds is added; of a record that both have, the one updated last stays.

    Args:
        storage: The live database.
        source: The file's content, or its path.
        mode: See above.
        keep_restore_point: Keep the state before, so that this can be undone.
        progress: Told the phase (``check``, ``copy``, ``save``) and how much of the
            whole is done, from 0 to 1.
        limit: The largest size that is accepted, in bytes.
        passphrase: Of the backup, if it is encrypted.

    Raises:
        BackupError: It is refused; the live database is untouched.
        EncryptionError: It is encrypted, and *passphrase* does not open it.
        DurabilityError: It could not be made durable; the live database is as
            it was.
    """
    if mode not in ("replace", "merge"):
        msg = f"mode is 'replace' or 'merge', not {mode!r}"
        raise ValueError(msg)
    adapter, tell, problems = storage.adapter, progress or no_progress, Problems()
    staged = adapter.scratch_path("import.db")
    tell("check", 0.0)
    scratch = adapter.scratch_path
    with opened(
        source, problems, scratch=scratch, limit=limit, passphrase=passphrase
    ) as file:
        kind = kind_of(file)
        plan = plan_others(kind, file, CONSUMED[kind])
        if mode == "merge":
            # The tables of its program stay in the file; the live ones stay too.
            plan = plan.without_tables()
        plan.tell(problems)
        async with staged_database(staged, kind, file, plan, problems, tell) as made:
            held = dataclasses.replace(count_rows(made), other_tables=len(plan.tables))
    tell("save", (COPIED + 1) / 2)
    try:
        if mode == "replace":
            reason = "before import" if keep_restore_point else None
            point = await adapter.replace_database(staged, keep_as=reason)
            added, updated, skipped = held, BackupCounts(), BackupCounts()
        else:
            point = (
                await adapter.keep_restore_point("before import")
                if keep_restore_point
                else None
            )
            added, updated = await merge_staged(adapter, staged)
            skipped = held - added - updated
    finally:
        Path(staged).unlink(missing_ok=True)
    tell("save", 1.0)
    return ImportReport(
        mode=mode,
        kind=kind,
        added=added,
        updated=updated,
        skipped=skipped,
        restore_point=point,
        problems=problems.list(),
    )
