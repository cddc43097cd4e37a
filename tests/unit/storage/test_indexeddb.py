"""What makes the browser's adapter durable, over a volume that can lose power."""

import sqlite3

import pytest

from pyodide_app.errors import (
    CapabilityError,
    QuotaExceededError,
    RecordNotFoundError,
    SqlError,
    StorageClosedError,
    StorageInUseError,
    StorageResolutionError,
    StoreUnavailableError,
    TransactionError,
)
from pyodide_app.storage import IndexedDbAdapter, create_agentos_storage
from pyodide_app.storage.volume import install_volume


@pytest.fixture
def open_adapter(volume):
    opened = []

    async def open_one(**options):
        adapter = IndexedDbAdapter("app", volume=volume, **options)
        await adapter.open()
        opened.append(adapter)
        return adapter

    yield open_one
    for adapter in opened:
        if adapter.is_open:
            adapter._engine.close()
        adapter._release()


async def rows_after_a_crash(volume, adapter):
    """Return what is there after the tab died without closing."""
    adapter._engine.close()
    adapter._release()
    volume.crash()
    again = IndexedDbAdapter("app", volume=volume)
    await again.open()
    try:
        assert await again.all("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        return [row["x"] for row in await again.all("SELECT x FROM t ORDER BY x")]
    finally:
        await again.close()


@pytest.mark.parametrize(
    ("durability", "strict"), [("commit", False), ("strict", True)]
)
async def test_an_acknowledged_write_survives(volume, open_adapter, durability, strict):
    adapter = await open_adapter(durability=durability)
    await adapter.run("CREATE TABLE t (x)")

    await adapter.run("INSERT INTO t VALUES (1)")
    await adapter.transaction(lambda trx: trx.run("INSERT INTO t VALUES (2)"))
    await adapter.exec("INSERT INTO t VALUES (3); INSERT INTO t VALUES (4)")
    await adapter.get("INSERT INTO t VALUES (5) RETURNING x")
    await adapter.run("BEGIN")
    await adapter.run("INSERT INTO t VALUES (6)")
    await adapter.run("COMMIT")

    assert set(volume.flushes) == {strict}
    assert await rows_after_a_crash(volume, adapter) == [1, 2, 3, 4, 5, 6]


async def test_each_commit_flushes_once_and_reading_never(volume, open_adapter):
    adapter = await open_adapter(durability="commit")
    await adapter.run("CREATE TABLE t (x)")
    volume.flushes.clear()

    async def work(trx):
        await trx.run("INSERT INTO t VALUES (1)")
        await trx.transaction(lambda deep: deep.run("INSERT INTO t VALUES (2)"))
        await trx.all("SELECT * FROM t")
        assert volume.flushes == []

    await adapter.transaction(work)
    assert len(volume.flushes) == 1
    await adapter.all("SELECT * FROM t")
    await adapter.run("UPDATE t SET x = 1 WHERE x = 99")
    assert len(volume.flushes) == 1


async def test_batched_commits_are_durable_after_a_flush(volume, open_adapter):
    adapter = await open_adapter()
    await adapter.run("CREATE TABLE t (x)")
    await adapter.run("INSERT INTO t VALUES (1)")
    assert volume.flushes == []
    await adapter.flush()
    await adapter.run("INSERT INTO t VALUES (2)")

    status = await adapter.status()
    assert status.committed_seq == status.durable_seq + 1
    assert status.pending_bytes > 0
    assert await rows_after_a_crash(volume, adapter) == [1]


async def test_half_a_transaction_is_never_flushed(volume, open_adapter):
    adapter = await open_adapter()
    await adapter.run("CREATE TABLE t (x)")
    await adapter.flush()
    # More than the page cache holds, so that SQLite writes before it commits.
    await adapter.run("PRAGMA cache_size = 5")

    async def work(trx):
        for n in range(200):
            await trx.run("INSERT INTO t VALUES (?)", ("x" * 2000 + str(n),))
        await volume.flush(strict=False)
        raise LookupError

    with pytest.raises(LookupError):
        await adapter.transaction(work)

    assert await rows_after_a_crash(volume, adapter) == []


@pytest.mark.parametrize(
    ("options", "interval"),
    [
        ({}, 100),
        ({"save_interval_ms": 5000}, 5000),
        ({"save_interval_ms": 0}, 0),
        ({"auto_save": False}, None),
    ],
)
async def test_the_save_interval_reaches_the_volume(
    volume, open_adapter, options, interval
):
    """Defect D3 of the original: 0 becomes 5000, and without it nothing saves."""
    adapter = await open_adapter(**options)

    assert volume.autosave == {adapter.path: interval}


async def test_close_makes_everything_durable(volume, open_adapter):
    adapter = await open_adapter(auto_save=False)
    await adapter.run("CREATE TABLE t AS SELECT 1 AS x")

    await adapter.close()

    assert await rows_after_a_crash(volume, await open_adapter()) == [1]


async def test_a_flush_that_fails_is_an_error_of_the_write(volume, open_adapter):
    """Defect D4: the original reports success and loses it."""
    adapter = await open_adapter(durability="commit")
    await adapter.run("CREATE TABLE t (x)")
    volume.failure = QuotaExceededError("test")

    with pytest.raises(QuotaExceededError):
        await adapter.run("INSERT INTO t VALUES (1)")

    status = await adapter.status()
    assert status.last_error_code == "quota_exceeded"
    assert status.durable_seq < status.committed_seq
    # It is committed: still there, and durable once there is space.
    assert await adapter.all("SELECT x FROM t") == [{"x": 1}]
    volume.failure = None
    await adapter.flush()
    assert await rows_after_a_crash(volume, adapter) == [1]


async def test_a_close_that_cannot_flush_says_so_and_closes(volume, open_adapter):
    adapter = await open_adapter()
    await adapter.run("CREATE TABLE t (x)")
    volume.failure = QuotaExceededError("test")

    with pytest.raises(QuotaExceededError):
        await adapter.close()

    with pytest.raises(StorageClosedError):
        await adapter.run("SELECT 1")
    volume.failure = None
    again = await open_adapter()
    assert await again.all("SELECT * FROM t") == []


async def test_a_replacement_that_is_not_durable_changes_nothing(
    volume, open_adapter, tmp_path
):
    adapter = await open_adapter(durability="commit")
    await adapter.run("CREATE TABLE t AS SELECT 1 AS x")
    staged = adapter.scratch_path("staged.db")
    connection = sqlite3.connect(staged)
    connection.execute("CREATE TABLE t AS SELECT 2 AS x")
    connection.close()
    volume.failure = QuotaExceededError("test")

    with pytest.raises(QuotaExceededError):
        await adapter.replace_database(staged)

    volume.failure = None
    assert await adapter.all("SELECT x FROM t") == [{"x": 1}]
    await adapter.replace_database(staged)
    assert await rows_after_a_crash(volume, adapter) == [2]


async def test_one_database_is_opened_once(volume, open_adapter):
    """Two connections on one file would destroy it: there are no locks here."""
    adapter = await open_adapter()

    with pytest.raises(StorageInUseError, match="app"):
        await open_adapter()

    await adapter.close()
    await open_adapter()


async def test_what_the_volume_relies_on_cannot_be_switched_off(open_adapter):
    adapter = await open_adapter()

    for pragma in ("journal_mode = WAL", "locking_mode = NORMAL"):
        with pytest.raises(SqlError, match="not authorized"):
            await adapter.run(f"PRAGMA {pragma}")

    assert await adapter.get("PRAGMA journal_mode") == {"journal_mode": "delete"}


@pytest.mark.parametrize("name", ["../up", "a/b", "ä ö", "C:", ".", "%2F", "x" * 60])
async def test_any_name_is_a_file_in_the_volume(volume, name):
    adapter = IndexedDbAdapter(name, volume=volume)
    await adapter.open()
    await adapter.run("CREATE TABLE t (x)")
    await adapter.close()

    assert adapter.path.rpartition("/")[0] == volume.root
    assert len(list((volume._root).iterdir())) == 1


def test_options_that_make_no_sense_are_refused(volume):
    for options in (
        {"db_name": ""},
        {"save_interval_ms": -1},
        {"durability": "sometimes"},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            IndexedDbAdapter(**{"db_name": "a", **options}, volume=volume)


async def test_the_installed_volume_is_used(volume):
    adapter = IndexedDbAdapter("app")
    with pytest.raises(StoreUnavailableError):
        await adapter.open()

    install_volume(volume)
    try:
        await adapter.open()
        await adapter.run("CREATE TABLE t (x)")
        await adapter.close()
    finally:
        install_volume(None)

    assert (volume._durable / "app.db").exists()


async def test_what_was_set_aside_is_listed_read_and_deleted(volume, open_adapter):
    adapter = await open_adapter()
    first = volume.set_aside("record-1.2.bin", b"damaged")
    second = volume.set_aside("record-1.3.bin", b"behind it")

    items = await adapter.quarantine()
    assert [(item.id, item.name, item.size) for item in items] == [
        (first, "record-1.2.bin", 7),
        (second, "record-1.3.bin", 9),
    ]
    assert items[0].reason == "its checksum is wrong"
    assert await adapter.read_quarantined(second) == b"behind it"

    await adapter.delete_quarantined(first)
    assert [item.id for item in await adapter.quarantine()] == [second]
    with pytest.raises(RecordNotFoundError):
        await adapter.read_quarantined(first)


async def test_a_database_moves_and_says_where_it_is(volume, open_adapter):
    """It stays open, with its rows; moving it to where it is does nothing."""
    adapter = await open_adapter()
    await adapter.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    assert (await adapter.status()).store == "indexeddb"

    await adapter.move_to("opfs")
    await adapter.move_to("opfs")

    assert (await adapter.status()).store == "opfs"
    assert await adapter.all("SELECT x FROM t") == [{"x": 1}]


async def test_a_store_that_is_asked_for_is_moved_to_when_it_is_opened(
    volume, open_adapter
):
    adapter = await open_adapter()
    await adapter.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    await adapter.close()

    adapter = await open_adapter(store="opfs")

    assert (await adapter.status()).store == "opfs"
    assert await adapter.all("SELECT x FROM t") == [{"x": 1}]
    await adapter.close()
    adapter = await open_adapter()
    assert (await adapter.status()).store == "opfs"


async def test_a_move_that_fails_leaves_the_database_open_and_where_it_was(
    volume, open_adapter
):
    adapter = await open_adapter()
    await adapter.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    volume.failure = QuotaExceededError()

    with pytest.raises(QuotaExceededError):
        await adapter.move_to("opfs")

    volume.failure = None
    assert (await adapter.status()).store == "indexeddb"
    assert await adapter.all("SELECT x FROM t") == [{"x": 1}]


async def test_opening_where_it_cannot_be_leaves_nothing_behind(volume, open_adapter):
    """It can be opened where it is, by the same name."""
    volume.failure = QuotaExceededError()
    with pytest.raises(QuotaExceededError):
        await open_adapter(store="opfs")

    volume.failure = None
    adapter = await open_adapter()

    assert (await adapter.status()).store == "indexeddb"


async def test_a_move_inside_a_transaction_is_refused(open_adapter):
    adapter = await open_adapter()

    with pytest.raises(TransactionError):
        await adapter.transaction(lambda _: adapter.move_to("opfs"))

    await adapter.close()
    with pytest.raises(StorageClosedError):
        await adapter.move_to("opfs")


async def test_only_a_browser_has_stores():
    with pytest.raises(ValueError, match="indexeddb or opfs"):
        IndexedDbAdapter("app", store="cloud")  # type: ignore[arg-type]  # that is it
    async with await create_agentos_storage(adapter="memory") as storage:
        with pytest.raises(CapabilityError, match="browser"):
            await storage.move_to("opfs")
    with pytest.raises(StorageResolutionError, match="for a browser"):
        await create_agentos_storage(adapter="memory", store="opfs")
