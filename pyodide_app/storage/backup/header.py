"""What can be known of a file from its size and its first 100 bytes. Pure."""

from typing import Final

from pyodide_app.errors import (
    BackupTooLargeError,
    BackupTruncatedError,
    NotADatabaseError,
)

__all__ = ["HEADER_SIZE", "LARGEST_BACKUP", "check_header", "is_wal"]

HEADER_SIZE: Final = 100
"""Bytes. Source: https://www.sqlite.org/fileformat2.html#the_database_header"""

LARGEST_BACKUP: Final = 1 << 30
"""Bytes that fit into a browser's memory beside the database they replace."""

_MAGIC: Final = b"SQLite format 3\0"
_PAGE_SIZES: Final = frozenset(1 << power for power in range(9, 17))

_LOOKS_LIKE: Final = (
    (b"SQLite format 3", "its header is damaged"),
    (b"SQLite format ", "it has an older format of SQLite"),
    (b"** This file contains an SQLite 2", "it has an older format of SQLite"),
    (b"\x89PNG", "it is a PNG picture"),
    (b"\xff\xd8\xff", "it is a JPEG picture"),
    (b"%PDF", "it is a PDF document"),
    (b"PK\x03\x04", "it is a ZIP archive; unpack it first"),
    (b"\x1f\x8b", "it is compressed with gzip; unpack it first"),
    (b"<", "it is HTML or XML"),
    (b"{", "it is JSON"),
    (b"[", "it is JSON"),
)
_BLANKS: Final = b"\xef\xbb\xbf \t\r\n"
"""White space, and the mark that some editors put before a text."""


def check_header(head: bytes, size: int, *, limit: int = LARGEST_BACKUP) -> None:
    """Return if a file of *size* bytes that begins with *head* may be a backup.

    Args:
        head: The first `HEADER_SIZE` bytes, or all if there are fewer.
        size: Of the file, in bytes.
        limit: The largest size that is accepted, in bytes.

    Raises:
        NotADatabaseError: It is something else.
        BackupTruncatedError: It is shorter than its header says.
        BackupTooLargeError: It is larger than *limit*.
    """
    if not head.startswith(_MAGIC):
        raise NotADatabaseError(_guess(head))
    if size < HEADER_SIZE:
        raise BackupTruncatedError(size=size, expected=512)
    if size > limit:
        raise BackupTooLargeError(size=size, limit=limit)
    page_size = int.from_bytes(head[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    if page_size not in _PAGE_SIZES:
        reason = "its header is damaged"
        raise NotADatabaseError(reason)
    expected = int.from_bytes(head[28:32], "big") * page_size
    # The count is right only if the same program wrote both counters.
    is_counted = head[24:28] == head[92:96] and expected > 0
    if is_counted and size < expected:
        raise BackupTruncatedError(size=size, expected=expected)
    if size % page_size:
        raise BackupTruncatedError(size=size, expected=size + -size % page_size)


def is_wal(head: bytes) -> bool:
    """Return whether the header says that the file wants a write-ahead log."""
    return head[18:20] != b"\x01\x01"


def _guess(head: bytes) -> str:
    """Return what the file is instead, as far as its start tells."""
    if not head:
        return "it is empty"
    for start, what in _LOOKS_LIKE:
        if head.startswith(start) or head.lstrip(_BLANKS).startswith(start):
            return what
    return ""
