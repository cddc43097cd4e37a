"""From what a caller hands in to an open, checked file.

The file of the caller is never written. A copy is made only where one is needed:
of bytes, of a file that wants a write-ahead log, which a reader without write
access could not open, and of an encrypted file, whose copy is plain.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from pyodide_app.errors import (
    BackupDamagedError,
    BackupTooLargeError,
    PassphraseRequiredError,
    SqlError,
    StorageInUseError,
    WrongPassphraseError,
)
from pyodide_app.ids import new_id
from pyodide_app.storage.backup.header import (
    HEADER_SIZE,
    LARGEST_BACKUP,
    check_header,
    is_wal,
)
from pyodide_app.storage.backup.report import Problems
from pyodide_app.storage.backup.source import Source
from pyodide_app.storage.encryption import EncryptionKey, looks_encrypted
from pyodide_app.storage.engine import Engine

__all__ = ["BackupFile", "ScratchPath", "opened", "plain_file", "without_wal"]

BackupFile: TypeAlias = bytes | bytearray | memoryview | str | Path
"""The content of a backup, or where it is."""

ScratchPath: TypeAlias = Callable[[str], str]
"""Gives a path, ending in a name, where a file may be written."""

_VERSIONS: Final = 18
_ROLLBACK_JOURNAL: Final = b"\x01\x01"
"""Source: https://www.sqlite.org/fileformat2.html#file_format_version_numbers"""

_HOT: Final = bytes.fromhex("d9d505f920a163d7")
"""A journal that begins so belongs to a transaction that did not end.

Source: https://www.sqlite.org/fileformat2.html#the_rollback_journal
"""

_LOOK: Final = 512
"""Bytes at the start of a file that tell what it is."""

_BACKUP: Final = "the backup"

_BESIDE: Final = ("-wal", "-journal")


@contextlib.contextmanager
def opened(
    data: BackupFile,
    problems: Problems,
    *,
    scratch: ScratchPath | None = None,
    limit: int = LARGEST_BACKUP,
    passphrase: str | None = None,
) -> Iterator[Source]:
    """Open a backup for reading.

    Raises:
        BackupError: It is no sound database.
        EncryptionError: It is encrypted, and *passphrase* does not open it.
        StorageInUseError: Some program is, or was, in the midst of writing it.
    """
    with (
        plain_file(data, scratch=scratch, limit=limit, passphrase=passphrase) as path,
        contextlib.closing(Source(str(path), problems)) as source,
    ):
        yield source


@contextlib.contextmanager
def plain_file(
    data: BackupFile,
    *,
    scratch: ScratchPath | None = None,
    limit: int = LARGEST_BACKUP,
    always_copy: bool = False,
    passphrase: str | None = None,
) -> Iterator[Path]:
    """Yield the path of a file that holds *data* and needs no log beside it.

    A copy is the caller's own, and is gone afterwards.
    """
    if isinstance(data, str | Path):
        path = Path(data)
        head, size = _look(path)
    else:
        path, content = None, bytes(data)
        head, size = content[:_LOOK], len(content)
    copy = Path((scratch or _temporary)("backup.db"))
    is_encrypted = looks_encrypted(head, size)
    if not is_encrypted:
        check_header(head[:HEADER_SIZE], size, limit=limit)
        if path is not None and not is_wal(head) and not always_copy:
            yield path
            return
    elif size > limit:
        raise BackupTooLargeError(size=size, limit=limit)
    elif passphrase is None:
        raise PassphraseRequiredError(_BACKUP)
    try:
        if path is None:
            copy.write_bytes(content)
        else:
            _copy(path, copy)
        if passphrase is not None and is_encrypted:
            _decrypt(copy, EncryptionKey(passphrase))
        without_wal(copy)
        yield copy
    finally:
        for end in ("", *_BESIDE):
            _beside(copy, end).unlink(missing_ok=True)


def without_wal(file: Path) -> None:
    """Make the header of *file* say that it has no write-ahead log."""
    with file.open("r+b") as content:
        content.seek(_VERSIONS)
        content.write(_ROLLBACK_JOURNAL)


def _look(file: Path) -> tuple[bytes, int]:
    """Return the header and the size of *file*, if nobody is half-way in it."""
    journal = _beside(file, "-journal")
    if journal.exists():
        with journal.open("rb") as content:
            if content.read(len(_HOT)) == _HOT:
                raise StorageInUseError(file.name)
    with file.open("rb") as content:
        return content.read(_LOOK), file.stat().st_size


def _decrypt(file: Path, key: EncryptionKey) -> None:
    """Make an encrypted file plain. Nothing in it runs."""
    try:
        with Engine.open_foreign(str(file), key) as engine:
            image = engine.serialize()
    except WrongPassphraseError:
        raise WrongPassphraseError(_BACKUP) from None
    except SqlError as error:
        raise BackupDamagedError([str(error)]) from error
    file.write_bytes(image)


def _copy(file: Path, copy: Path) -> None:
    """Copy a database with what its program had committed to its log."""
    shutil.copyfile(file, copy)
    log = _beside(file, "-wal")
    if log.exists() and log.stat().st_size:
        shutil.copyfile(log, _beside(copy, "-wal"))
        pragmas = ("locking_mode = EXCLUSIVE", "journal_mode = DELETE")
        Engine(str(copy), pragmas=pragmas).close()


def _beside(file: Path, end: str) -> Path:
    return file.with_name(file.name + end)


def _temporary(name: str) -> str:
    return str(Path(tempfile.gettempdir()) / f"pyodide-app-{new_id()}-{name}")
