"""Making a database equal any sound SQLite file, its schema included.

For programs with a schema of their own. What of it would run later is refused,
unless it is ours or the caller trusts it.
"""

import contextlib
from pathlib import Path

from pyodide_app.errors import BackupDamagedError, BackupUnsafeError, SqlError
from pyodide_app.storage.adapter import StorageAdapter
from pyodide_app.storage.backup.carrying import made_by_us, plan_all
from pyodide_app.storage.backup.header import LARGEST_BACKUP
from pyodide_app.storage.backup.opening import BackupFile, plain_file
from pyodide_app.storage.backup.report import Problems
from pyodide_app.storage.backup.source import Source
from pyodide_app.storage.engine import Engine

__all__ = ["replace_with_backup"]


async def replace_with_backup(
    adapter: StorageAdapter,
    source: BackupFile,
    *,
    trust_schema: bool = False,
    limit: int = LARGEST_BACKUP,
    passphrase: str | None = None,
) -> None:
    """Make the database equal any sound SQLite file.

    Its schema comes with it, so what would run later is refused: triggers, views
    and virtual tables that are not those of our schema, and definitions that call
    functions which SQLite keeps from untrusted schemas. The state before is kept
    as a restore point.

    Args:
        adapter: Whose database it is.
        source: The file's content, or its path.
        trust_schema: Take all of it.
        limit: The largest size that is accepted, in bytes.
        passphrase: Of the backup, if it is encrypted.

    Raises:
        BackupError: It is refused; the database is untouched.
        EncryptionError: It is encrypted, and *passphrase* does not open it.
        DurabilityError: It could not be made durable; the database is as it was.
    """
    scratch = adapter.scratch_path
    with plain_file(
        source, scratch=scratch, limit=limit, always_copy=True, passphrase=passphrase
    ) as copy:
        with contextlib.closing(Source(str(copy), Problems())) as file:
            if file.integrity != "ok":
                raise BackupDamagedError([file.integrity])
            if not trust_schema:
                _refuse_code(file)
            search = [
                found.name
                for found in file.objects
                if found.type == "virtual table" and made_by_us(found)
            ]
        for name in search:
            _repair_search(copy, name)
        await adapter.replace_database(str(copy), keep_as="before import")


def _refuse_code(file: Source) -> None:
    left_out = plan_all(file).left_out
    if left_out:
        raise BackupUnsafeError([f"{found.type} {found.name}" for found, _ in left_out])


def _repair_search(file: Path, name: str) -> None:
    """Build a full-text index anew if it does not fit its texts.

    SQLite's check of the file does not look into what a module keeps in tables.
    """
    # Source: https://sqlite.org/fts5.html#the_integrity_check_command
    check = f"INSERT INTO {name} ({name}, rank) VALUES ('integrity-check', 1)"
    with Engine(str(file)) as engine:
        try:
            engine.run(check)
        except SqlError:
            try:
                engine.run(f"INSERT INTO {name} ({name}) VALUES ('rebuild')")
            except SqlError as error:
                raise BackupDamagedError([str(error)]) from error
