"""What is said of a file from its first bytes and its size."""

import pytest

from pyodide_app.errors import (
    BackupTooLargeError,
    BackupTruncatedError,
    NotADatabaseError,
)
from pyodide_app.storage.backup import LARGEST_BACKUP, check_header
from tests.unit.backup.conftest import DATA

WHOLE = (DATA / "original-seed-schema.db").read_bytes()
HEAD, SIZE = WHOLE[:100], len(WHOLE)


def test_a_whole_file_passes():
    check_header(HEAD, SIZE)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "empty"),
        (b'{"conversations": []}', "JSON"),
        (b"\xef\xbb\xbf  [1]", "JSON"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"\n<html>", "HTML"),
        (b"PK\x03\x04", "ZIP"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"SQLite format 2\0", "older"),
        (bytes(range(7, 107)), "encrypted"),
    ],
)
def test_what_is_no_database_is_named(head, words):
    with pytest.raises(NotADatabaseError, match=words):
        check_header(head, len(head))


@pytest.mark.parametrize("size", [1, 15, 16, 99, 100, 4096, SIZE - 4096, SIZE - 1])
def test_a_file_shorter_than_it_says_is_truncated(size):
    with pytest.raises((BackupTruncatedError, NotADatabaseError)) as refused:
        check_header(WHOLE[: min(size, 100)], size)
    if size >= 16:
        assert isinstance(refused.value, BackupTruncatedError)
        assert refused.value.size == size


@pytest.mark.parametrize("size", [1 << 31, 5 << 30])
def test_a_file_too_large_to_hold_is_refused_by_its_size(size):
    with pytest.raises(BackupTooLargeError) as refused:
        check_header(HEAD, size)
    assert (refused.value.size, refused.value.limit) == (size, LARGEST_BACKUP)


def test_the_limit_is_a_parameter():
    with pytest.raises(BackupTooLargeError):
        check_header(HEAD, SIZE, limit=SIZE - 1)
    check_header(HEAD, SIZE, limit=SIZE)


def test_a_page_count_beyond_the_file_is_refused():
    head = HEAD[:28] + b"\xff\xff\xff\xfe" + HEAD[32:]
    with pytest.raises(BackupTruncatedError):
        check_header(head, SIZE)


@pytest.mark.parametrize("page_size", [0, 2, 256, 513, 4095, 40000])
def test_a_page_size_that_sqlite_has_not_is_refused(page_size):
    head = HEAD[:16] + page_size.to_bytes(2, "big") + HEAD[18:]
    with pytest.raises(NotADatabaseError, match="damaged"):
        check_header(head, SIZE)


def test_a_file_cut_within_a_page_is_truncated_even_if_its_count_is_stale():
    """A count written by another program than the last one counts for nothing."""
    head = HEAD[:92] + b"\xff\xff\xff\xff" + HEAD[96:]
    with pytest.raises(BackupTruncatedError):
        check_header(head, SIZE - 100)
    check_header(head, SIZE - 4096)
