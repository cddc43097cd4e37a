"""Files that are refused: the reason is typed, the live database untouched."""

import os
import random
import sqlite3
from contextlib import closing

import pytest

from pyodide_app.errors import (
    BackupDamagedError,
    BackupError,
    BackupSchemaUnknownError,
    BackupTooLargeError,
    BackupTooNewError,
    BackupTruncatedError,
    DurabilityError,
    NotADatabaseError,
    PassphraseRequiredError,
    QuotaExceededError,
    StorageInUseError,
)
from pyodide_app.storage.backup import import_backup, inspect_backup
from pyodide_app.storage.schema import SCHEMA_VERSION
from tests.unit.backup.conftest import DATA
from tests.unit.backup.histories import image, left_behind

SEED = (DATA / "original-seed-schema.db").read_bytes()
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + bytes(5000)
NOISE = random.Random(1).randbytes(9000)  # noqa: S311 (to repeat, not to hide)

REFUSED = {
    "0 bytes": (b"", NotADatabaseError),
    "1 byte": (b"S", NotADatabaseError),
    "99 bytes": (SEED[:99], BackupTruncatedError),
    "only a header": (SEED[:100], BackupTruncatedError),
    "one page": (SEED[:4096], BackupTruncatedError),
    "half": (SEED[: len(SEED) // 2], BackupTruncatedError),
    "one byte short": (SEED[:-1], BackupTruncatedError),
    "one byte more": (SEED + b"\0", BackupTruncatedError),
    "a picture": (PNG, NotADatabaseError),
    "JSON": (b'{"version": "1.0.0", "data": {}}', NotADatabaseError),
    "noise": (NOISE, NotADatabaseError),
    "as many pages of noise": (NOISE[:1024], PassphraseRequiredError),
    "zeros": (bytes(8192), NotADatabaseError),
    "huge page count": (
        SEED[:28] + b"\x7f\xff\xff\xff" + SEED[32:],
        BackupTruncatedError,
    ),
    "pages of 0xff": (SEED[:4096] + b"\xff" * (len(SEED) - 4096), BackupDamagedError),
    "pages of zeros": (SEED[:4096] + bytes(len(SEED) - 4096), BackupDamagedError),
    "a future format": (SEED[:18] + b"\x09\x09" + SEED[20:], None),
}


async def refused(storage, source, kind=BackupError):
    """Check that every way in refuses *source*, and return the error."""
    before = await image(storage)
    with pytest.raises(kind) as refusal:
        inspect_backup(source)
    for mode in ("replace", "merge"):
        with pytest.raises(kind) as again:
            await storage.import_database(source, mode=mode)
        assert again.value.code == refusal.value.code
    assert await image(storage) == before
    assert left_behind(storage) == []
    return refusal.value


@pytest.mark.parametrize("name", [name for name in REFUSED if REFUSED[name][1]])
async def test_what_is_no_sound_database_is_refused(storage, tmp_path, name):
    data, kind = REFUSED[name]
    await refused(storage, data, kind)
    file = tmp_path / "file.db"
    file.write_bytes(data)
    await refused(storage, file, kind)


async def test_versions_in_the_header_do_not_decide(memory):
    """They only say which journal its program used; the copy needs none."""
    report = await memory.import_database(REFUSED["a future format"][0])
    assert report.added.conversations == 60


async def test_a_file_of_two_gigabytes_is_refused_before_it_is_read(memory, tmp_path):
    file = tmp_path / "huge.db"
    file.write_bytes(SEED[:4096])
    os.truncate(file, 2 << 30)

    for refusing in (memory.inspect_backup, memory.import_database):
        with pytest.raises(BackupTooLargeError) as refusal:
            await refusing(file)
        assert refusal.value.size == 2 << 30
    with pytest.raises(BackupTooLargeError):
        inspect_backup(file)
    assert await memory.restore_points() == []


async def test_on_a_desktop_the_size_alone_is_no_reason(storage, tmp_path):
    """The message of the refusal sends people there."""
    file = tmp_path / "huge.db"
    file.write_bytes(SEED)
    os.truncate(file, 2 << 30)

    if storage.adapter.kind == "native":
        # What follows the pages that its header counts is no part of it.
        assert (await storage.import_database(file)).added.conversations == 60
    else:
        with pytest.raises(BackupTooLargeError):
            await storage.import_database(file)


async def test_the_database_of_another_program_is_refused_with_its_tables(
    storage, build
):
    file = build(
        "CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT);"
        "CREATE TABLE moz_bookmarks (id INTEGER PRIMARY KEY, fk INTEGER);"
        "INSERT INTO moz_places (url) VALUES ('https://example.org/')"
    )
    error = await refused(storage, file, BackupSchemaUnknownError)
    assert error.tables == ("moz_bookmarks", "moz_places")


@pytest.mark.parametrize(
    "script",
    [
        "",
        "CREATE TABLE conversations (id)",
        "CREATE TABLE conversations (id, persona_id)",
        "CREATE TABLE conversation_events (id)",
        "CREATE TABLE messages (id); CREATE TABLE conversations (id, user_id)",
        "CREATE VIEW conversations AS SELECT 1 AS id, 2 AS persona_id;"
        "CREATE VIEW conversation_events AS SELECT 1 AS id",
    ],
)
async def test_a_name_alone_makes_no_schema(storage, build, script):
    file = build(f"PRAGMA user_version = 1; {script}")
    await refused(storage, file, BackupSchemaUnknownError)


@pytest.mark.parametrize("by", ["PRAGMA user_version = 99", "log"])
async def test_a_newer_schema_is_refused_with_its_version(storage, build, by):
    if by == "log":
        by = "INSERT INTO schema_migration VALUES (99, 'future', '', 0)"
    file = build(by, await storage.export_database())
    error = await refused(storage, file, BackupTooNewError)
    assert (error.found, error.supported) == (99, SCHEMA_VERSION)


async def test_a_schema_that_cannot_be_read_is_refused(storage, build):
    """Whoever edits `sqlite_schema` can make any text stand there."""
    for change in (
        "sql = 'CREATE TABLE x AS SELECT 1'",
        "sql = 'DROP TABLE personas'",
        "sql = CAST(x'435245415445ff' AS TEXT)",
        "rootpage = 2",
        "rootpage = 99999",
    ):
        file = build(
            "PRAGMA writable_schema = ON;"
            f"UPDATE sqlite_master SET {change} WHERE name = 'sessions'",
            SEED,
        )
        await refused(storage, file, BackupDamagedError)


async def test_a_file_that_keeps_its_reader_busy_is_given_up(
    storage, build, monkeypatch
):
    """An index may compute, and the check of its rows computes it again."""
    monkeypatch.setattr("pyodide_app.storage.backup.source._SECONDS", 0.05)
    monkeypatch.setattr("pyodide_app.storage.backup.source._SECONDS_PER_MIB", 0.0)
    slow = "length(hex(zeroblob(40000 + id)))"
    file = build(
        "CREATE TABLE slow (id INTEGER PRIMARY KEY);"
        "INSERT INTO slow SELECT value FROM (WITH RECURSIVE n (value) AS (SELECT 1 "
        "UNION ALL SELECT value + 1 FROM n LIMIT 30000) SELECT value FROM n);"
        f"CREATE INDEX slower ON slow ({slow})",
        SEED,
    )
    error = await refused(storage, file, BackupDamagedError)
    assert "seconds" in str(error)


async def test_a_value_that_would_not_fit_into_memory_is_never_made(storage, build):
    """A few bytes of schema could ask for gigabytes."""
    file = build(
        "CREATE TABLE bomb (id INTEGER PRIMARY KEY,"
        " big AS (zeroblob(900000000)) NOT NULL); INSERT INTO bomb VALUES (1)",
        SEED,
    )
    await refused(storage, file, BackupDamagedError)


async def test_a_file_in_the_midst_of_a_transaction_is_refused(storage, tmp_path):
    file = tmp_path / "busy.db"
    file.write_bytes(SEED)
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("PRAGMA cache_spill = 1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE conversation_events SET event_data = event_data || ' '")
        before = await image(storage)
        for call in (storage.inspect_backup, storage.import_database):
            with pytest.raises(StorageInUseError):
                await call(file)
        db.execute("ROLLBACK")
    assert await image(storage) == before
    assert (await storage.inspect_backup(file)).counts.conversations == 60


async def test_a_missing_file_is_the_callers_mistake(storage, tmp_path):
    with pytest.raises(FileNotFoundError):
        await storage.import_database(tmp_path / "missing.db")


async def test_an_unknown_mode_is_the_callers_mistake(storage):
    with pytest.raises(ValueError, match="mode"):
        await storage.import_database(SEED, mode="append")


async def test_an_import_inside_a_transaction_is_refused(storage):
    """The original committed nothing, and hid why (defect D14)."""
    before = await image(storage)

    async def work(_):
        await storage.import_database(SEED)

    with pytest.raises(Exception, match="inside a transaction"):
        await storage.adapter.transaction(work)
    await storage.adapter.run("BEGIN")
    with pytest.raises(Exception, match="BEGIN"):
        await storage.import_database(SEED)
    await storage.adapter.run("ROLLBACK")

    assert await image(storage) == before


@pytest.mark.parametrize("mode", ["replace", "merge"])
async def test_an_import_that_cannot_be_made_durable_changes_nothing(
    mode, storage, monkeypatch
):
    async def full(*_args):
        raise QuotaExceededError

    before = await image(storage)
    monkeypatch.setattr(type(storage.adapter), "_keep", full)
    with pytest.raises(DurabilityError):
        await storage.import_database(SEED, mode=mode)

    assert await image(storage) == before


async def test_a_replacement_that_fails_leaves_no_restore_point(storage, monkeypatch):
    async def full(*_args):
        raise QuotaExceededError

    before = await image(storage)
    monkeypatch.setattr(type(storage.adapter), "_replace", full)
    with pytest.raises(QuotaExceededError):
        await storage.import_database(SEED)

    assert await image(storage) == before


async def test_a_merge_that_fails_half_way_changes_nothing(storage, build):
    """A trigger of the live database refuses one row of many."""
    await storage.adapter.exec(
        "CREATE TRIGGER stubborn BEFORE INSERT ON telemetry BEGIN"
        " SELECT raise(ABORT, 'no'); END"
    )
    await storage.flush()
    before = await image(storage)

    with pytest.raises(Exception, match="no"):
        await import_backup(storage, SEED, mode="merge", keep_restore_point=False)

    assert await image(storage) == before
    await storage.adapter.run("ATTACH ':memory:' AS incoming")
