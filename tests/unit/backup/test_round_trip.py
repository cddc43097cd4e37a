"""What goes out as a backup comes in as it was."""

import asyncio
import shutil
import sqlite3
from contextlib import closing

import pytest

from pyodide_app.storage import create_agentos_storage
from pyodide_app.storage.backup import inspect_backup
from tests.unit.backup.conftest import DATA
from tests.unit.backup.histories import content, image

STRANGE = "a\0\"'\\\u202e\ufeff日本 \U0001f9d1\u200d\U0001f680 <script>"


async def fill(storage):
    events = [
        {"type": "user_message", "text": STRANGE, "timestamp": 1},
        {"type": "text_delta", "textDelta": "x", "timestamp": 1},
        {
            "type": "final_response",
            "finalResponseText": '{"looks": "like json"}',
            "usage": {"promptTokens": 2**53 + 1, "totalCostUSD": 0.1},
            "nested": [[None, True, -0.0, 1e-300]],
            "timestamp": 9_999_999_999_999,
        },
    ]
    await storage.conversations.save(
        STRANGE, STRANGE, "p", events, metadata={"original": {"a": 1}}, title=STRANGE
    )
    await storage.conversations.save("empty", "", "")
    await storage.sessions.save("s", "u", STRANGE, "agency", "t", {"k": []})
    await storage.personas.cache("p", "P", {"name": STRANGE})
    await storage.telemetry.record(None, "t", {"x": 1.5}, timestamp=-1)
    await storage.workflows.save("w", STRANGE, {"steps": []})


async def test_every_record_comes_back_exactly(storage):
    await fill(storage)
    before = await content(storage)
    exported = await storage.export_database()
    await storage.conversations.delete("live")

    report = await storage.import_database(exported)

    assert report.problems == ()
    assert await content(storage) == before
    found = inspect_backup(exported)
    assert report.added == found.counts
    assert found.kind == "pyodide_app"
    assert found.schema_version == 2


async def test_merging_ones_own_export_changes_nothing(storage):
    await fill(storage)
    before = await content(storage)

    report = await storage.import_database(
        await storage.export_database(), mode="merge"
    )

    assert report.added == report.updated == type(report.added)()
    assert await content(storage) == before


async def test_a_replacement_can_be_undone(storage):
    before = await content(storage)

    report = await storage.import_database(DATA / "original-seed-schema.db")
    assert await storage.conversations.get("live") is None
    undone = await storage.restore(report.restore_point.id)

    assert await content(storage) == before
    assert await storage.restore_points() == [undone, report.restore_point]


async def test_no_restore_point_is_kept_if_none_is_wanted(storage):
    report = await storage.import_database(
        DATA / "original-seed-schema.db", keep_restore_point=False
    )

    assert report.restore_point is None
    assert await storage.restore_points() == []


async def test_what_is_written_during_an_import_is_in_the_restore_point(storage):
    """Between the copy that is kept and the replacement no commit has room."""
    stop = asyncio.Event()
    written = 0

    async def write():
        nonlocal written
        while not stop.is_set():
            await storage.conversations.save(f"w{written}", "u", "p")
            written += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        report = await storage.import_database(DATA / "original-seed-schema.db")
        stop.set()

    after = {row[0] for row in (await content(storage))["conversations"]}
    await storage.restore(report.restore_point.id)
    before = {row[0] for row in (await content(storage))["conversations"]}
    assert written > 3
    assert {f"w{number}" for number in range(written)} <= before | after


async def test_an_older_schema_is_brought_up_to_date(memory, build):
    """A file of version 1 has no search yet."""
    await memory.conversations.save("c", "u", "p", [{"type": "note", "text": "walrus"}])
    triggers = await memory.adapter.all(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
    )
    file = build(
        ";".join(f"DROP TRIGGER {row['name']}" for row in triggers)
        + ";DROP TABLE message_search; DROP TABLE search_text;"
        "DELETE FROM schema_migration WHERE version = 2; PRAGMA user_version = 1",
        await memory.export_database(),
    )
    assert inspect_backup(file).schema_version == 1

    await memory.import_database(file)

    assert len(await memory.conversations.search("walrus")) == 1
    version = await memory.adapter.get("PRAGMA user_version")
    assert version == {"user_version": 2}


@pytest.fixture
def live_copy(tmp_path):
    """The files of a database that a program in WAL mode has open."""
    source, copy = tmp_path / "source.db", tmp_path / "copy" / "source.db"
    shutil.copyfile(DATA / "original-seed-schema.db", source)
    copy.parent.mkdir()
    with closing(sqlite3.connect(source, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("UPDATE conversations SET user_id = 'in the log'")
        for file in tmp_path.glob("source.db*"):
            shutil.copyfile(file, copy.with_name(file.name))
    return copy


async def test_a_file_comes_with_what_is_in_its_log(memory, live_copy):
    before = {file.name: file.read_bytes() for file in live_copy.parent.iterdir()}

    await memory.import_database(live_copy)

    users = {row[1] for row in (await content(memory))["conversations"]}
    assert users == {"in the log"}
    after = {file.name: file.read_bytes() for file in live_copy.parent.iterdir()}
    assert after == before


async def test_a_file_in_wal_mode_without_its_log_comes_as_it_is(memory, live_copy):
    """All that a person drags in is the one file."""
    report = await memory.import_database(live_copy.read_bytes())

    assert report.added.events == 1758
    assert report.problems == ()


async def test_a_database_that_is_open_elsewhere_can_be_imported(memory, tmp_path):
    async with await create_agentos_storage(
        adapter="native", path=tmp_path / "other.db"
    ) as other:
        await other.conversations.save("c", "u", "p")
        before = await image(other)

        await memory.import_database(tmp_path / "other.db")

        assert await image(other) == before
    assert await memory.conversations.get("c") is not None


async def test_bytes_of_every_type_are_taken(memory):
    data = (DATA / "original-seed-schema.db").read_bytes()

    for form in (bytes, bytearray, memoryview):
        report = await memory.import_database(form(data))
        assert report.added.conversations == 60
