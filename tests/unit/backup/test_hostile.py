"""Nothing in a file runs: not when it is looked at, not when it is imported."""

import sqlite3
import time
from contextlib import closing

import pytest

from pyodide_app.errors import BackupError
from pyodide_app.storage.backup import inspect_backup
from tests.unit.backup.conftest import DATA
from tests.unit.backup.histories import content

SEED = DATA / "original-seed-schema.db"

EVIL = """
CREATE TRIGGER t1 AFTER INSERT ON conversation_events BEGIN
    DELETE FROM conversations; END;
CREATE TRIGGER t2 BEFORE INSERT ON telemetry BEGIN SELECT raise(ROLLBACK, 'no'); END;
CREATE VIEW v AS SELECT load_extension('evil') AS x FROM conversations;
CREATE VIRTUAL TABLE own_search USING fts5 (text);
INSERT INTO own_search VALUES ('theirs');
CREATE VIRTUAL TABLE boxes USING rtree (id, x0, x1);
CREATE TRIGGER t3 INSTEAD OF INSERT ON v BEGIN DELETE FROM sessions; END;
CREATE TRIGGER t4 AFTER UPDATE ON personas BEGIN
    UPDATE personas SET definition = 'OWNED'; END;
"""


@pytest.mark.parametrize("mode", ["replace", "merge"])
async def test_triggers_views_and_virtual_tables_are_left_out_and_named(
    memory, build, mode
):
    file = build(EVIL, SEED)
    await memory.import_database(SEED)
    expected = await content(memory)
    schema = await memory.adapter.all("SELECT name FROM sqlite_schema ORDER BY name")

    report = await memory.import_database(file, mode=mode)

    named = " ".join(problem.message for problem in report.problems)
    for name in ("trigger t1", "t2", "view v", "table own_search", "boxes", "t3", "t4"):
        assert name in named
    assert {problem.code for problem in report.problems} == {"left_out"}
    assert report.problems == inspect_backup(file).problems
    assert await content(memory) == expected
    assert schema == await memory.adapter.all(
        "SELECT name FROM sqlite_schema ORDER BY name"
    )


async def test_a_trigger_with_a_name_of_ours_is_not_ours(memory, build):
    """In a file of our own schema only the very words are trusted."""
    file = build(
        "DROP TRIGGER conversation_events_after_insert;"
        "CREATE TRIGGER conversation_events_after_insert AFTER INSERT ON"
        " conversation_events BEGIN DELETE FROM conversations; END",
        await memory.export_database(),
    )

    report = await memory.import_database(file)
    await memory.conversations.save("c", "u", "p", [{"type": "note", "text": "x"}])

    assert ["conversation_events_after_insert" in p.message for p in report.problems]
    assert await memory.conversations.get("c") is not None
    with pytest.raises(BackupError, match="conversation_events_after_insert"):
        await memory.adapter.import_database(file.read_bytes())


async def test_a_thousand_triggers_and_views(memory, build):
    script = ";".join(
        f"CREATE VIEW v{n} AS SELECT * FROM {'v' + str(n - 1) if n else 'personas'};"
        f"CREATE TRIGGER t{n} AFTER INSERT ON sessions BEGIN DELETE FROM sessions; END"
        for n in range(1000)
    )

    file = build(f"BEGIN; {script}; COMMIT", SEED)
    begun = time.monotonic()

    report = await memory.import_database(file)

    assert time.monotonic() - begun < 30
    assert len(report.problems) == 2000
    assert report.added.sessions == 25


async def test_views_that_multiply_are_never_expanded(memory, build):
    """Each reads the one before twice: a hundred would take for ever."""
    views = ";".join(
        f"CREATE VIEW v{n} AS SELECT a.* FROM v{n - 1} AS a, v{n - 1} AS b"
        for n in range(1, 100)
    )
    file = build(f"BEGIN; CREATE VIEW v0 AS SELECT 1 AS x; {views}; COMMIT", SEED)
    begun = time.monotonic()

    report = await memory.import_database(file)

    assert report.added.events == 1758
    assert time.monotonic() - begun < 30


async def test_a_view_that_reads_itself(memory, build):
    file = build(
        "CREATE VIEW a AS SELECT 1 AS x; CREATE VIEW b AS SELECT * FROM a;"
        "PRAGMA writable_schema = ON; UPDATE sqlite_master"
        " SET sql = 'CREATE VIEW a AS SELECT * FROM b' WHERE name = 'a'",
        SEED,
    )
    assert (await memory.import_database(file)).added.events == 1758


@pytest.mark.parametrize(
    "definition",
    [
        "CREATE TABLE x (a DEFAULT (load_extension('evil')))",
        "CREATE TABLE x (a CHECK (fts3_tokenizer('evil', a)))",
        "CREATE TABLE x (a CHECK (no_such_function(a)))",
    ],
)
async def test_a_definition_with_other_functions_is_left_out(
    memory, tmp_path, build, definition
):
    file = build(
        "CREATE TABLE x (a); INSERT INTO x VALUES (1); PRAGMA writable_schema = ON;",
        SEED,
    )
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'x'", (definition,))

    report = await memory.import_database(file)

    (problem,) = report.problems
    assert "the table x is left out" in problem.message
    assert report.added.other_tables == 0


@pytest.mark.parametrize(
    "change",
    [
        # The type says table, the text makes something that runs.
        "UPDATE sqlite_master SET type = 'table' WHERE type = 'trigger'",
        "UPDATE sqlite_master SET type = 'table' WHERE type = 'view'",
        "UPDATE sqlite_master SET name = 'harmless', tbl_name = 'harmless'"
        " WHERE name = 'extra'",
        "UPDATE sqlite_master SET sql = 'CREATE/**/TABLE extra (a)'"
        " WHERE name = 'extra'",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE extra (a); DELETE FROM sessions'"
        " WHERE name = 'extra'",
        "UPDATE sqlite_master SET sql = replace(sql, 'sessions', 'extra')"
        " WHERE name = 'sessions'",
    ],
)
async def test_a_schema_that_lies_is_refused_or_harmless(memory, build, change):
    file = build(
        "CREATE TABLE extra (a); CREATE VIEW v AS SELECT 1 AS x;"
        "CREATE TRIGGER t AFTER INSERT ON conversations BEGIN"
        " DELETE FROM personas; END;"
        f"PRAGMA writable_schema = ON; {change}",
        SEED,
    )
    await memory.conversations.save("live", "me", "p")

    try:
        report = await memory.import_database(file)
    except BackupError:
        assert await memory.conversations.get("live") is not None
        return

    assert report.added.personas == 3
    assert report.problems
    found = await memory.adapter.all("SELECT type, name FROM sqlite_schema")
    assert not {"t", "v"} & {row["name"] for row in found}


async def test_a_search_index_that_lies_is_built_anew(memory, build):
    """SQLite's check of a file does not look into the tables of FTS5."""
    await memory.conversations.save("c", "u", "p", [{"type": "note", "text": "walrus"}])
    file = build(
        "UPDATE message_search_data SET block = zeroblob(length(block)) WHERE id > 10",
        await memory.export_database(),
    )

    for imported in (memory.import_database, memory.adapter.import_database):
        await imported(file.read_bytes())
        assert len(await memory.conversations.search("walrus")) == 1
        await memory.adapter.run(
            "INSERT INTO message_search (message_search, rank)"
            " VALUES ('integrity-check', 1)"
        )


@pytest.mark.parametrize(
    "definition",
    [
        # One conversation of each user, and the second is refused.
        "CREATE UNIQUE INDEX meddling ON conversations (user_id)",
        "CREATE INDEX meddling ON conversations (abs(metadata))",
        "CREATE INDEX meddling ON sessions (id) WHERE abs(metadata) > 1",
        # A delete in our table looks into theirs, and that fails.
        "CREATE TABLE meddling (a REFERENCES conversations (metadata))",
        "CREATE TABLE meddling (a REFERENCES conversations (no_such))",
    ],
)
async def test_a_definition_that_could_refuse_our_rows_is_left_out(
    memory, build, definition
):
    await memory.conversations.save("live", "me", "p")
    file = build(definition, await memory.export_database())

    report = await memory.import_database(file)

    (problem,) = [p for p in report.problems if p.code == "left_out"]
    assert "meddling is left out" in problem.message
    for id in ("one", "two"):
        await memory.conversations.save(id, "me", "p")
        await memory.sessions.save(id, "me", "N", target_type="persona", target_id="p")
    assert await memory.conversations.delete("one")


@pytest.mark.parametrize(
    "expression",
    [
        "instr(hex(zeroblob(49000)), hex(zeroblob(24000)) || 'b')",
        "replace(hex(zeroblob(49000)), hex(zeroblob(24000)) || 'b', 'c')",
        "hex(zeroblob(49000)) LIKE '%' || hex(zeroblob(24900)) || 'b'",
    ],
)
@pytest.mark.parametrize("mode", ["replace", "merge"])
async def test_a_function_that_takes_very_long_at_one_stroke_is_refused(
    memory, build, expression, mode
):
    """Between two instructions the clock is looked at, but not in one."""
    file = build(
        "CREATE TABLE slow (a); INSERT INTO slow VALUES (1), (2), (3), (4);"
        "CREATE INDEX slower ON slow (a); PRAGMA writable_schema = ON;"
        "UPDATE sqlite_master SET sql = 'CREATE INDEX slower ON slow ('"
        f""" || '{expression.replace("'", "''")}' || ')' WHERE name = 'slower'""",
        SEED,
    )
    begun = time.process_time()
    with pytest.raises(BackupError, match="takes too long"):
        await memory.import_database(file, mode=mode)
    assert time.process_time() - begun < 5


async def test_a_null_character_in_a_definition_is_no_end_of_it(memory, build):
    file = build(
        "CREATE TABLE extra (a); PRAGMA writable_schema = ON;"
        "UPDATE sqlite_master SET sql = sql || char(0) || 'x' WHERE name = 'extra'",
        SEED,
    )
    report = await memory.import_database(file)

    (problem,) = report.problems
    assert "the table extra is left out (the text holds a null" in problem.message
