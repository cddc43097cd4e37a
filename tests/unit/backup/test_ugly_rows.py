"""Rows that no program should have written: kept in a safe form, and told."""

import json
import sqlite3
from contextlib import closing

import pytest

from pyodide_app.storage.backup import inspect_backup
from tests.unit.backup.conftest import DATA
from tests.unit.backup.histories import content

SEED = DATA / "original-seed-schema.db"

LOOSE = """
CREATE TABLE conversations (id, user_id, persona_id, created_at, updated_at, metadata);
CREATE TABLE conversation_events (id, conversation_id, event_type, event_data,
    timestamp);
CREATE TABLE sessions (id, user_id, display_name, target_type, target_id, created_at,
    updated_at, metadata);
CREATE TABLE personas (id, display_name, description, definition, created_at,
    updated_at);
CREATE TABLE telemetry (id, session_id, event_type, event_data, timestamp);
CREATE TABLE workflows (id, name, definition, created_at, updated_at);
"""
"""The seed schema without a rule."""


async def taken_over(storage, file):
    """Import *file* twice over, and check that its inspection told of the problems."""
    found = inspect_backup(file)
    report = await storage.import_database(file)
    assert set(report.problems) == set(found.problems) | {
        problem for problem in report.problems if problem.code.startswith("duplicate")
    }
    once = await content(storage)
    await storage.import_database(file, mode="merge")
    assert await content(storage) == once
    lines = await storage.adapter.all("PRAGMA integrity_check")
    assert lines == [{"integrity_check": "ok"}]
    return {problem.code: problem.message for problem in report.problems}


async def conversation(storage, id="c"):
    return (await storage.conversations.get(id)).conversation


async def test_null_where_a_value_is_needed(memory, build):
    file = build(
        LOOSE + "INSERT INTO conversations VALUES ('c', NULL, NULL, NULL, NULL, NULL);"
        "INSERT INTO conversation_events VALUES (NULL, 'c', NULL, NULL, NULL);"
        "INSERT INTO sessions VALUES ('s', NULL, NULL, NULL, NULL, NULL, NULL, NULL);"
        "INSERT INTO personas VALUES ('p', NULL, NULL, NULL, NULL, NULL);"
        "INSERT INTO telemetry VALUES (NULL, NULL, NULL, NULL, NULL);"
        "INSERT INTO workflows VALUES ('w', NULL, NULL, NULL, NULL)"
    )

    problems = await taken_over(memory, file)

    assert "were missing" in problems["missing"]
    held = await content(memory)
    assert {table: len(rows) for table, rows in held.items()} == dict.fromkeys(held, 1)
    assert held["conversations"] == [("c", "unknown", "unknown", 0, 0, "{}")]


async def test_rows_without_an_id_stay_apart(memory, build):
    file = build(
        LOOSE + "INSERT INTO conversations VALUES (NULL, 'a', 'p', 1, 1, '{}');"
        "INSERT INTO conversations VALUES (NULL, 'b', 'p', 1, 1, '{}');"
        "INSERT INTO conversations VALUES (NULL, 'b', 'p', 1, 1, '{}')"
    )

    problems = await taken_over(memory, file)

    assert problems["missing_id"].startswith("3 ")
    assert [row[1] for row in (await content(memory))["conversations"]].count("b") == 2


async def test_events_of_a_missing_conversation_get_one(memory, build):
    file = build(
        "PRAGMA foreign_keys = OFF;"
        "DELETE FROM conversations WHERE id IN ('conv-1', 'conv-2')",
        SEED,
    )

    problems = await taken_over(memory, file)

    assert problems["orphan_events"].startswith("2 conversations")
    held = await content(memory)
    assert len(held["conversations"]) == 60
    assert len(held["conversation_events"]) == 1758
    assert (await conversation(memory, "conv-1")).user_id == "unknown"


async def test_an_event_may_have_two_faults(memory, build):
    """Its conversation is missing, and it is too deep for SQLite's JSON."""
    deep = '{"a":' + "[" * 1500 + "]" * 1500 + "}"
    file = build(
        LOOSE + "INSERT INTO conversation_events VALUES "
        f"('e', 'gone', 'note', '{deep}', 1)"
    )

    problems = await taken_over(memory, file)

    assert {"orphan_events", "invalid_json"} <= set(problems)
    ((id, conversation_id, *_),) = (await content(memory))["conversation_events"]
    assert (id, conversation_id) == ("e", "gone")


async def test_ids_that_come_twice(memory, build):
    file = build(
        LOOSE + "INSERT INTO conversations VALUES ('c', 'first', 'p', 1, 1, '{}');"
        "INSERT INTO conversations VALUES ('c', 'other', 'p', 1, 1, '{}');"
        "INSERT INTO conversations VALUES ('c', 'first', 'p', 1, 1, '{}');"
        "INSERT INTO conversation_events VALUES ('e', 'c', 'note', '{\"n\": 1}', 1);"
        "INSERT INTO conversation_events VALUES ('e', 'c', 'note', '{\"n\": 2}', 1);"
        "INSERT INTO conversation_events VALUES ('e', 'c', 'note', '{\"n\": 2}', 1)"
    )

    problems = await taken_over(memory, file)

    assert "duplicate" in problems
    assert "duplicate_id" in problems
    held = await content(memory)
    assert sorted(row[1] for row in held["conversations"]) == ["first", "other"]
    notes = [json.loads(row[3])["n"] for row in held["conversation_events"]]
    assert sorted(notes) == [1, 2]


@pytest.mark.parametrize(
    ("stored", "time", "code"),
    [
        ("'1762500000000'", 1762500000000, "wrong_type"),
        ("1762500000000.0", 1762500000000, "wrong_type"),
        ("'2025-11-07T07:20:00Z'", 1762500000000, "wrong_type"),
        ("'2025-11-07 07:20:00'", 1762500000000, "wrong_type"),
        ("'yesterday'", 0, "invalid_time"),
        ("x'00ff'", 0, "invalid_time"),
        ("9e999", 0, "invalid_time"),
        ("-5", -5, None),
        ("9223372036854775807", 9223372036854775807, None),
    ],
)
async def test_times_of_every_type(memory, build, stored, time, code):
    file = build(
        LOOSE + f"INSERT INTO conversations VALUES ('c', 'u', 'p', {stored}, 1, '{{}}')"
    )

    problems = await taken_over(memory, file)

    assert set(problems) == ({code} if code else set())
    held = await conversation(memory)
    assert held.created_at == time
    assert ("original" in held.metadata) == bool(code)


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("'no json'", "no json"),
        ("'[1, 2]'", "[1, 2]"),
        ("'\"text\"'", '"text"'),
        ("'null'", "null"),
        ("'{\"open\": '", '{"open": '),
        ("'{\"x\": NaN}'", '{"x": NaN}'),
        ("'{\"x\": 1e999}'", '{"x": 1e999}'),
        ("'{'''", "{'"),
        ("17", 17),
        ("1.5", 1.5),
        ("x'00ff'", {"base64": "AP8="}),
        ("''", ""),
    ],
)
async def test_what_is_no_json_object_is_kept_as_it_was(memory, build, stored, kept):
    file = build(
        LOOSE + f"INSERT INTO conversations VALUES ('c', 'u', 'p', 1, 1, {stored});"
        f"INSERT INTO conversation_events VALUES (1, 'c', 'note', {stored}, 1)"
    )

    problems = await taken_over(memory, file)

    assert "invalid_json" in problems
    assert (await conversation(memory)).metadata == {"original": {"metadata": kept}}


async def test_json_nested_deeper_than_sqlite_reads(memory, build):
    deep = '{"a":' * 1200 + "1" + "}" * 1200
    file = build(
        LOOSE + "INSERT INTO conversations VALUES ('c', 'u', 'p', 1, 1, '{}');"
        f"INSERT INTO conversation_events VALUES (1, 'c', 'note', '{deep}', 1)"
    )

    report = await memory.import_database(file)

    assert {problem.code for problem in report.problems} == {"invalid_json"}
    held = json.loads((await content(memory))["conversation_events"][0][3])
    assert held == {"original": {"event_data": deep}}


async def test_half_a_surrogate_pair_in_json(memory, build):
    """JSON can say it, UTF-8 cannot; it comes through a merge with a title."""
    core = DATA / "original-agentos-storage.db"
    file = build(
        "UPDATE conversations SET metadata = '{\"half\": \"\\ud83d\"}', title = 't'",
        core,
    )

    await memory.import_database(file)

    row = await memory.adapter.get("SELECT metadata FROM conversations")
    assert json.loads(row["metadata"])["half"] == "\ud83d"


async def test_wrong_types_in_every_text(memory, build):
    file = build(
        LOOSE + "INSERT INTO conversations VALUES (5, 1.5, x'ff61', 1, 1, '{\"a\":1}');"
        "INSERT INTO conversation_events VALUES (1, 5, 7, '{}', 1)"
    )

    problems = await taken_over(memory, file)

    assert "wrong_type" in problems
    held = await conversation(memory, "5")
    assert (held.user_id, held.persona_id) == ("1.5", "\ufffda")
    assert held.metadata == {
        "a": 1,
        "original": {"persona_id": {"base64": "/2E="}},
    }
    assert (await content(memory))["conversation_events"][0][2] == "7"


async def test_a_target_type_that_breaks_its_check(memory, build):
    file = build(
        LOOSE + "INSERT INTO sessions VALUES ('s', 'u', 'd', 'team', 't', 1, 1, '{}')"
    )

    problems = await taken_over(memory, file)

    assert "invalid_choice" in problems
    session = await memory.sessions.get("s")
    assert session.target_type == "persona"
    assert session.metadata == {"original": {"target_type": "team"}}


async def test_columns_that_we_do_not_have_become_members(memory, build):
    file = build(
        "ALTER TABLE conversations ADD COLUMN mood TEXT;"
        "ALTER TABLE conversations ADD COLUMN title TEXT;"
        "ALTER TABLE conversation_events ADD COLUMN rating INTEGER;"
        "ALTER TABLE workflows ADD COLUMN picture BLOB;"
        "UPDATE conversations SET mood = 'glad', title = 'of the column';"
        "UPDATE conversation_events SET rating = 5 WHERE id = 1;"
        "UPDATE workflows SET picture = x'00ff'",
        SEED,
    )

    await taken_over(memory, file)

    held = (await conversation(memory, "conv-0")).metadata
    assert held["mood"] == "glad"
    assert held["title"] == "of the column"
    assert held["original"]["metadata.title"] == "café opening hours 営業時間"
    event = await memory.adapter.get(
        "SELECT event_data ->> '$.rating' AS rating FROM conversation_events "
        "WHERE conversation_id = 'conv-0' ORDER BY timestamp, id"
    )
    assert event == {"rating": 5}
    definition = (await memory.workflows.get("wf-1")).definition
    assert definition["picture"] == {"base64": "AP8="}


async def test_text_that_is_not_utf_8_is_repaired_and_told(memory, build):
    file = build(
        "UPDATE sessions SET display_name = CAST(x'fffe41' AS TEXT);"
        "UPDATE conversation_events SET event_data = "
        "CAST(x'7b2274657874223a22c3227d' AS TEXT) WHERE id = 1",
        SEED,
    )

    problems = await taken_over(memory, file)

    assert "UTF-8" in problems["invalid_text"]
    sessions = (await content(memory))["sessions"]
    assert len(sessions) == 25
    assert {row[2] for row in sessions} == {"\ufffd\ufffdA"}
    held = (await content(memory))["conversation_events"]
    assert len(held) == 1758


async def test_text_with_zeros_and_every_script(memory, build):
    file = build(LOOSE)
    strange = "a\0b\u202e\ufeff\U0001f9d1\u200d\U0001f680\uffff"
    data = json.dumps({"type": "user_message", "text": strange}, ensure_ascii=False)
    with closing(sqlite3.connect(file)) as db, db:
        db.execute(
            "INSERT INTO conversations VALUES (?, ?, 'p', 1, 1, '{}')",
            (strange, strange),
        )
        db.execute(
            "INSERT INTO conversation_events VALUES (1, ?, 'user_message', ?, 1)",
            (strange, data),
        )

    await taken_over(memory, file)

    found = await memory.conversations.get(strange)
    assert found.conversation.user_id == strange
    assert found.events[0].event_data["text"] == strange


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
async def test_a_database_in_utf_16(memory, build, encoding):
    script = "".join(
        line + ";\n"
        for line in closing_dump(SEED)
        if not line.startswith(
            ("BEGIN", "COMMIT", "DELETE FROM", 'INSERT INTO "sqlite')
        )
    )
    file = build(f"PRAGMA encoding = '{encoding}'; BEGIN; {script} COMMIT")

    await memory.import_database(SEED)
    expected = await content(memory)
    report = await memory.import_database(file)

    assert report.problems == ()
    assert await content(memory) == expected


def closing_dump(file):
    with closing(sqlite3.connect(file)) as db:
        return [line.rstrip(";") for line in db.iterdump()]


async def test_messages_of_every_role_and_shape(memory, build):
    file = build(
        "DELETE FROM conversation_messages;"
        "INSERT INTO conversation_messages (id, conversation_id, role, content,"
        " timestamp, tool_calls, tool_call_id, multimodal_data, audio_url,"
        " audio_transcript, voice_settings, metadata) VALUES"
        " ('1', 'rt-0', 'system', 'be kind', 1, NULL, NULL, NULL, NULL, NULL, NULL,"
        "  '{}'),"
        " ('2', 'rt-0', 'user', 'hi', 2, NULL, NULL, '[{\"image\":\"x\"}]', 'u', 't',"
        "  'v', NULL),"
        " ('3', 'rt-0', 'assistant', '', 3, '[{\"id\":\"c1\",\"type\":\"function\","
        '"function":{"name":"look","arguments":"{}"}}]\', NULL, NULL, NULL,'
        "  NULL, NULL, '{\"a\":1}'),"
        " ('4', 'rt-0', 'tool', '{\"found\":2}', 4, NULL, 'c1', NULL, NULL, NULL, NULL,"
        "  'no json'),"
        " ('5', 'rt-0', 'assistant', 'two', 5, 'no json', NULL, NULL, NULL, NULL, NULL,"
        "  NULL),"
        " ('6', 'rt-0', 'summary', 'short', 6, NULL, NULL, NULL, NULL, NULL, NULL,"
        "  NULL),"
        " ('7', 'rt-0', 'thought', 'hm', 7, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        DATA / "original-agentos-runtime.db",
    )

    await taken_over(memory, file)

    found = (await memory.conversations.get("rt-0")).events
    assert [(event.event_type, event.event_data) for event in found] == [
        (
            "system_message",
            {
                "type": "system_message",
                "text": "be kind",
                "role": "system",
                "messageId": "1",
                "metadata": {},
            },
        ),
        (
            "user_message",
            {
                "type": "user_message",
                "text": "hi",
                "messageId": "2",
                "multimodal_data": '[{"image":"x"}]',
                "audio_url": "u",
                "audio_transcript": "t",
                "voice_settings": "v",
            },
        ),
        (
            "tool_call_request",
            {
                "type": "tool_call_request",
                "toolCalls": [
                    {
                        "id": "c1",
                        "name": "look",
                        "arguments": "{}",
                        "type": "function",
                        "function": {"name": "look", "arguments": "{}"},
                    }
                ],
                "messageId": "3",
                "metadata": {"a": 1},
            },
        ),
        (
            "tool_result_emission",
            {
                "type": "tool_result_emission",
                "toolResult": '{"found":2}',
                "toolName": "look",
                "isSuccess": True,
                "messageId": "4",
                "metadata": "no json",
                "toolCallId": "c1",
            },
        ),
        (
            "tool_call_request",
            {
                "type": "tool_call_request",
                "toolCalls": [{"id": "", "name": "unknown", "arguments": "no json"}],
                "messageId": "5",
            },
        ),
        (
            "final_response",
            {
                "type": "final_response",
                "finalResponseText": "two",
                "messageId": "5",
            },
        ),
        (
            "summary_message",
            {
                "type": "summary_message",
                "text": "short",
                "role": "summary",
                "messageId": "6",
            },
        ),
        (
            "thought_message",
            {
                "type": "thought_message",
                "text": "hm",
                "role": "thought",
                "messageId": "7",
            },
        ),
    ]


async def test_columns_named_like_members_do_not_hide_what_was_said(memory, build):
    file = build(
        "ALTER TABLE messages ADD COLUMN text TEXT;"
        "ALTER TABLE messages ADD COLUMN type TEXT;"
        "UPDATE messages SET text = 'column', type = 'kind' WHERE id = 'core-0-0'",
        DATA / "original-agentos-storage.db",
    )

    await taken_over(memory, file)

    said = (await memory.conversations.get("core-0")).events[0]
    assert said.event_type == "user_message"
    assert said.event_data["type"] == "user_message"
    assert said.event_data["text"].startswith("Question 0.0")
    assert said.event_data["original"] == {"text": "column", "type": "kind"}


async def test_many_events_of_one_millisecond_stay_apart_and_in_order(memory, build):
    file = build(
        LOOSE + "INSERT INTO conversations VALUES ('c', 'u', 'p', 1, 1, '{}');"
        "INSERT INTO conversation_events SELECT value, 'c', 'note', '{}', 1 FROM"
        " (WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n"
        " LIMIT 5000) SELECT value FROM n)"
    )

    await taken_over(memory, file)

    assert len((await content(memory))["conversation_events"]) == 5000
