"""Tables that a developer keeps beside ours survive a backup exactly."""

import pytest

from pyodide_app.storage.backup import inspect_backup
from tests.unit.backup.conftest import DATA

TABLES = """
CREATE TABLE note (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL DEFAULT 'none' CHECK (length(body) < 100),
    words INTEGER AS (length(body) - length(replace(body, ' ', '')) + 1) STORED
);
CREATE INDEX note_body ON note (lower(body)) WHERE body <> '';
CREATE UNIQUE INDEX note_words ON note (words, id);
CREATE TABLE loose (a, rowid_like, b BLOB);
CREATE TABLE "strange ""name"" " ("select" TEXT, [a b] REAL, PRIMARY KEY ("select"))
    WITHOUT ROWID;
CREATE TABLE child (note_id INTEGER REFERENCES note (id) ON DELETE CASCADE);
CREATE TABLE taken ("rowid" TEXT, x ANY) STRICT;
CREATE TABLE message_search_notes (about TEXT);
CREATE INDEX by_user ON conversation_events (event_type);
"""

ROWS = """
INSERT INTO note (id, body) VALUES (3, 'three words here'), (9, ''), (70, 'gone');
DELETE FROM note WHERE id = 70;
INSERT INTO loose (rowid, a, rowid_like, b) VALUES (5, 1, 'x', x'00ff'),
    (-7, 1.5, NULL, zeroblob(3)), (9007199254740993, 'text', 9007199254740993, NULL);
INSERT INTO "strange ""name"" " VALUES ('k', 1.25), ('日本', NULL);
INSERT INTO child VALUES (3), (NULL);
INSERT INTO taken VALUES ('not a number', 7), ('r', 'seven'), ('s', x'07');
INSERT INTO message_search_notes VALUES ('no shadow');
"""

NAMES = {
    "note",
    "loose",
    'strange "name" ',
    "child",
    "taken",
    "message_search_notes",
}


async def own(storage) -> dict[str, object]:
    """Return the definitions and rows of those tables."""
    found: dict[str, object] = {}
    for row in await storage.adapter.all(
        "SELECT name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
    ):
        if row["tbl_name"] in NAMES or row["name"] == "by_user":
            found[str(row["name"])] = row["sql"]
    for name in NAMES:
        quoted = name.replace('"', '""')
        number = "" if name in ('strange "name" ', "taken") else "rowid AS number, "
        found[f"rows of {name}"] = await storage.adapter.all(
            f'SELECT {number}* FROM "{quoted}" ORDER BY 1'
        )
    found["sequence"] = await storage.adapter.all("SELECT * FROM sqlite_sequence")
    return found


async def test_they_come_back_with_rows_numbers_and_indexes(memory):
    await memory.adapter.exec(TABLES + ROWS)
    before = await own(memory)
    exported = await memory.export_database()
    await memory.adapter.exec("DROP TABLE child; DROP TABLE note; DELETE FROM loose")

    report = await memory.import_database(exported)

    assert report.problems == ()
    assert report.added.other_tables == len(NAMES)
    assert await own(memory) == before
    inserted = await memory.adapter.run("INSERT INTO note (body) VALUES ('new')")
    assert inserted.last_row_id == 71
    await memory.adapter.run("DELETE FROM note WHERE id = 3")
    assert await memory.adapter.all("SELECT * FROM child") == [{"note_id": None}]


async def test_an_inspection_counts_them(memory):
    await memory.adapter.exec(TABLES + ROWS)

    found = inspect_backup(await memory.export_database())

    assert found.counts.other_tables == len(NAMES)
    assert found.problems == ()


async def test_they_come_from_a_database_of_the_original_too(memory, build):
    file = build(TABLES + ROWS, DATA / "original-seed-schema.db")

    report = await memory.import_database(file)

    assert report.added.other_tables == len(NAMES)
    assert report.added.events == 1758
    notes = await memory.adapter.all("SELECT * FROM note ORDER BY id")
    assert [(row["id"], row["words"]) for row in notes] == [(3, 3), (9, 1)]


async def test_a_merge_leaves_them_out_and_says_so(memory):
    await memory.adapter.exec(TABLES + ROWS)
    exported = await memory.export_database()
    await memory.adapter.exec("UPDATE note SET body = 'mine'")

    report = await memory.import_database(exported, mode="merge")

    told = " ".join(problem.message for problem in report.problems)
    assert "the table note is left out of a merge" in told
    notes = await memory.adapter.all("SELECT DISTINCT body FROM note")
    assert notes == [{"body": "mine"}]


async def test_rows_that_break_their_own_check_are_copied_as_they_are(memory):
    """A CHECK is for who writes; a copy must not lose what was there."""
    await memory.adapter.exec(TABLES)
    await memory.adapter.run("PRAGMA ignore_check_constraints = ON")
    long = "x" * 200
    await memory.adapter.run("INSERT INTO note (body) VALUES (?)", (long,))
    await memory.adapter.run("PRAGMA ignore_check_constraints = OFF")

    exported = await memory.export_database()
    await memory.import_database(exported)

    found = await memory.adapter.get("SELECT body FROM note")
    assert found == {"body": long}


async def test_rows_that_cannot_be_copied_are_counted(memory, build):
    file = build(
        "CREATE TABLE u (a INTEGER);"
        "INSERT INTO u VALUES (1), (1), (2), (NULL), (NULL);"
        "PRAGMA writable_schema = ON; UPDATE sqlite_master"
        " SET sql = 'CREATE TABLE u (a INTEGER NOT NULL)' WHERE name = 'u'",
        DATA / "original-seed-schema.db",
    )

    report = await memory.import_database(file)

    told = [problem.message for problem in report.problems]
    assert "2 rows of u break its own rules" in told
    assert await memory.adapter.all("SELECT a FROM u") == [{"a": 1}, {"a": 1}, {"a": 2}]


@pytest.mark.parametrize("name", ["search_text", "schema_migration"])
async def test_a_table_with_a_name_of_ours_is_left_out_and_named(memory, build, name):
    file = build(
        f"CREATE TABLE {name} (theirs); INSERT INTO {name} VALUES (1)",
        DATA / "original-seed-schema.db",
    )

    report = await memory.import_database(file)

    (problem,) = report.problems
    assert f"the table {name} is left out" in problem.message
