"""The databases that the original packages wrote come in with everything."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from pyodide_app.storage.backup import inspect_backup
from tests.unit.backup.conftest import DATA
from tests.unit.backup.histories import content

SEED = DATA / "original-seed-schema.db"
CORE = DATA / "original-agentos-storage.db"
RUNTIME = DATA / "original-agentos-runtime.db"


def rows(file, sql):
    """Return what a native reader sees, as mappings."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(sql)]


async def events(storage, conversation_id):
    found = []
    cursor = None
    while True:
        page = await storage.conversations.events(
            conversation_id, limit=100, cursor=cursor
        )
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.parametrize(
    ("file", "kind", "counts"),
    [
        (SEED, "original-seed", (60, 1758, 1110, 108, 25, 3, 300, 1)),
        (CORE, "original-agentos-storage", (20, 0, 200, 20, 0, 0, 0, 0)),
        (RUNTIME, "original-agentos-runtime", (15, 0, 180, 15, 0, 0, 0, 0)),
    ],
)
def test_an_inspection_counts_what_is_there(file, kind, counts):
    found = inspect_backup(file)

    assert found.kind == kind
    assert found.counts == type(found.counts)(*counts)
    assert found.problems == ()
    assert found.integrity == "ok"
    assert found.importable
    assert found.size_bytes == file.stat().st_size
    assert found.schema_version == 0
    assert inspect_backup(file.read_bytes()) == found


def test_the_range_of_times_is_that_of_all_rows():
    found = inspect_backup(RUNTIME)

    assert found.first_at == 1795410804199
    assert found.last_at == 1795410804326


async def test_the_seed_schema_comes_over_word_for_word(memory):
    await memory.import_database(SEED)

    for table, columns in {
        "conversations": "id, user_id, persona_id, created_at, updated_at, metadata",
        "sessions": "*",
        "personas": "*",
        "workflows": "*",
        # Their numbers become ids that are unique everywhere.
        "conversation_events": "conversation_id, event_type, event_data, timestamp",
        "telemetry": "session_id, event_type, event_data, timestamp",
    }.items():
        order = "id" if table not in ("conversation_events", "telemetry") else columns
        sql = f"SELECT {columns} FROM {table} ORDER BY {order}"
        assert await memory.adapter.all(sql) == rows(SEED, sql)


async def test_events_of_the_seed_schema_keep_their_order(memory):
    await memory.import_database(SEED)

    for conversation in ("conv-0", "conv-7", "conv-59"):
        theirs = rows(
            SEED,
            "SELECT event_data FROM conversation_events "
            f"WHERE conversation_id = '{conversation}' ORDER BY timestamp, id",
        )
        ours = [event.event_data for event in await events(memory, conversation)]
        assert ours == [json.loads(row["event_data"]) for row in theirs]


async def test_each_message_of_the_agent_package_becomes_its_events(memory):
    await memory.import_database(CORE)

    for message in rows(CORE, "SELECT * FROM messages ORDER BY conversationId"):
        found = [
            event
            for event in await events(memory, message["conversationId"])
            if event.event_data["messageId"] == message["id"]
        ]
        said = found[-1]
        assert said.timestamp == message["timestamp"]
        assert said.event_data["metadata"] == json.loads(message["metadata"])
        if message["role"] == "user":
            assert said.event_type == "user_message"
            assert said.event_data["text"] == message["content"]
            assert len(found) == 1
            continue
        assert said.event_type == "final_response"
        assert said.event_data["finalResponseText"] == message["content"]
        assert said.event_data["model"] == message["model"]
        assert said.event_data["usage"] == {
            name: message[name]
            for name in ("promptTokens", "completionTokens", "totalTokens")
        }
        if message["toolCalls"] is None:
            assert len(found) == 1
        else:
            assert [event.event_type for event in found[:-1]] == ["tool_call_request"]
            calls = json.loads(message["toolCalls"])
            assert found[0].event_data["toolCalls"] == calls


async def test_usage_is_summed_once(memory):
    await memory.import_database(CORE)
    await memory.import_database(CORE, mode="merge")

    found = (await memory.telemetry.summary()).rows

    assert sum(row.calls for row in found) == 100
    assert sum(row.prompt_tokens for row in found) == 1100
    assert sum(row.completion_tokens for row in found) == 2200
    assert sum(row.total_tokens for row in found) == 3300
    assert {row.model for row in found} == {"gpt-4o-mini"}


async def test_each_message_of_the_runtime_becomes_its_events(memory):
    await memory.import_database(RUNTIME)

    for conversation in rows(RUNTIME, "SELECT * FROM conversations"):
        ours = await events(memory, conversation["id"])
        theirs = rows(
            RUNTIME,
            "SELECT * FROM conversation_messages "
            f"WHERE conversation_id = '{conversation['id']}' ORDER BY timestamp, rowid",
        )
        said = [event for event in ours if event.event_type != "tool_call_request"]
        assert [
            (event.event_data.get("text") or event.event_data.get("finalResponseText"))
            for event in said
        ] == [message["content"] for message in theirs]
        calls = [
            json.loads(message["tool_calls"])
            for message in theirs
            if message["tool_calls"]
        ]
        assert calls == [
            event.event_data["toolCalls"]
            for event in ours
            if event.event_type == "tool_call_request"
        ]


async def test_text_that_looks_like_json_stays_text(memory):
    await memory.import_database(RUNTIME)

    found = await memory.adapter.all(
        "SELECT json_type(event_data, '$.finalResponseText') AS type "
        "FROM conversation_events "
        "WHERE event_data ->> '$.finalResponseText' = '{\"looks\":\"like json\"}'"
    )

    assert found
    assert {row["type"] for row in found} == {"text"}


@pytest.mark.parametrize("file", [CORE, RUNTIME])
async def test_titles_personas_and_columns_of_their_own_are_kept(memory, file):
    await memory.import_database(file)

    for theirs in rows(file, "SELECT * FROM conversations"):
        ours = (await memory.conversations.get(theirs["id"])).conversation
        assert ours.title == theirs["title"]
        assert ours.persona_id == "v_researcher"
        if file == CORE:
            assert ours.metadata["tags"] == json.loads(theirs["metadata"])["tags"]
            assert (ours.created_at, ours.updated_at) == (
                theirs["createdAt"],
                theirs["lastActivity"],
            )
            continue
        details = json.loads(theirs["session_details"])
        assert ours.metadata == {
            **details,
            "tags": json.loads(theirs["tags"]),
            "gmi_instance_id": theirs["gmi_instance_id"],
            "language": theirs["language"],
            "is_archived": theirs["is_archived"],
        }


@pytest.mark.parametrize("file", [SEED, CORE, RUNTIME])
async def test_importing_twice_adds_nothing(memory, file):
    first = await memory.import_database(file, mode="merge")
    once = await content(memory)

    second = await memory.import_database(file, mode="merge")

    assert await content(memory) == once
    assert second.added == second.updated == type(second.added)()
    assert second.skipped == first.added


@pytest.mark.parametrize("file", [SEED, CORE, RUNTIME])
async def test_what_was_imported_is_found(memory, file):
    await memory.import_database(file)

    hits = await memory.conversations.search("café")

    assert hits


async def test_all_three_merge_into_one_that_native_sqlite_opens(memory, tmp_path):
    for file in (SEED, CORE, RUNTIME):
        await memory.import_database(file, mode="merge")
    exported = tmp_path / "exported.db"
    exported.write_bytes(await memory.export_database())

    assert rows(exported, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    found = rows(exported, "SELECT count(*) AS n FROM conversations")
    assert found == [{"n": 60 + 20 + 15}]
    found = rows(exported, "SELECT count(*) AS n FROM conversation_events")
    assert found == [{"n": 1758 + 220 + 195}]


@pytest.mark.parametrize("file", [SEED, CORE, RUNTIME])
async def test_a_backup_is_read_and_never_written(memory, tmp_path, file):
    copy = tmp_path / "copy.db"
    shutil.copyfile(file, copy)
    copy.chmod(0o400)

    inspect_backup(copy)
    await memory.import_database(copy)

    assert copy.read_bytes() == file.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"copy.db"}


async def test_progress_is_told_and_never_goes_back(memory):
    told = []

    await memory.import_database(SEED, progress=lambda *what: told.append(what))

    assert told[0] == ("check", 0.0)
    copying = [fraction for phase, fraction in told if phase == "copy"]
    assert copying == sorted(copying)
    assert 0 <= copying[0] <= copying[-1] <= 1
    assert told[-1] == ("save", 1.0)
