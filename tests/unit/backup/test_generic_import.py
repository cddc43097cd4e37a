"""`adapter.import_database`: a database becomes any sound SQLite file.

Its schema comes with it, so what would run later is refused unless trusted.
"""

import pytest

from pyodide_app.errors import BackupError, BackupUnsafeError
from tests.unit.backup.conftest import DATA
from tests.unit.backup.histories import image, left_behind

EVERYTHING = """
CREATE TABLE note (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  text TEXT NOT NULL COLLATE NOCASE DEFAULT 'none' CHECK (length(text) < 1000),
  picture BLOB,
  words AS (length(text) - length(replace(text, ' ', '')) + 1)
);
CREATE UNIQUE INDEX note_text ON note (lower(text), picture DESC);
CREATE INDEX note_long ON note (length(text)) WHERE length(text) > 5;
CREATE TABLE [tag "quoted"] (
  note_id REFERENCES note ON DELETE CASCADE, name, PRIMARY KEY (note_id, name)
) WITHOUT ROWID;
CREATE TABLE "Ünïcode" (a INT, b REAL, c ANY) STRICT;
INSERT INTO note (id, text, picture) VALUES
  (7, 'buy milk', x'00ff00'), (9, '', NULL), (41, '日本 😀', zeroblob(70000));
DELETE FROM note WHERE id = 41;
INSERT INTO [tag "quoted"] VALUES (7, 'a'), (7, 'b'), (9, NULL || 'x' IS NULL);
INSERT INTO "Ünïcode" VALUES
  (-9223372036854775808, 1e308, x''), (9223372036854775807, -0.0, 'text');
PRAGMA user_version = 4711;
PRAGMA application_id = 123456789;
"""

RUNS_LATER = {
    "trigger": "CREATE TRIGGER spy AFTER INSERT ON note BEGIN DELETE FROM note; END",
    "view": "CREATE VIEW seen AS SELECT text FROM note",
    "virtual table": "CREATE VIRTUAL TABLE words USING fts5 (text)",
    "table": "CREATE TABLE computed (x DEFAULT (load_extension('x')))",
}


async def everything(adapter) -> list[object]:
    """Return each row of each table, and the schema."""
    schema = await adapter.all(
        "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
    )
    found: list[object] = [schema]
    for row in schema:
        if row["type"] == "table":
            name = str(row["name"]).replace('"', '""')
            found.append(await adapter.all(f'SELECT * FROM "{name}" ORDER BY 1, 2'))
    pragmas = ("user_version", "application_id", "integrity_check")
    return found + [await adapter.get(f"PRAGMA {name}") for name in pragmas]


async def test_a_database_becomes_what_the_file_is(storage, build):
    await storage.adapter.import_database(build(EVERYTHING).read_bytes())

    adapter = storage.adapter
    note = await adapter.all("SELECT *, words FROM note ORDER BY id")
    assert [row["text"] for row in note] == ["buy milk", ""]
    assert note[0]["picture"] == b"\x00\xff\x00"
    assert note[0]["words"] == 2
    numbers = await adapter.all('SELECT a, b FROM "Ünïcode" ORDER BY a')
    assert [row["a"] for row in numbers] == [-(2**63), 2**63 - 1]
    assert await adapter.get("PRAGMA user_version") == {"user_version": 4711}
    assert await adapter.all("PRAGMA foreign_key_check") == []
    assert (
        await adapter.all("SELECT name FROM sqlite_schema WHERE name = 'conversations'")
        == []
    )
    # AUTOINCREMENT never gives a number twice.
    inserted = await adapter.run("INSERT INTO note (text) VALUES ('new')")
    assert inserted.last_row_id == 42


async def test_an_export_comes_in_as_it_went_out(storage, build):
    await storage.adapter.import_database(build(EVERYTHING).read_bytes())
    before = await everything(storage.adapter)
    exported = await storage.adapter.export_database()
    await storage.adapter.exec('DELETE FROM note; DROP TABLE "Ünïcode"')

    await storage.adapter.import_database(exported)

    assert await everything(storage.adapter) == before


async def test_our_own_export_is_trusted(storage):
    """Its triggers and its search are those of our schema."""
    exported = await storage.export_database()
    await storage.conversations.delete("live")

    await storage.adapter.import_database(exported)

    assert await storage.conversations.get("live") is not None
    assert [hit.conversation_id for hit in await storage.conversations.search("here")]


@pytest.mark.parametrize("kind", RUNS_LATER)
async def test_what_would_run_later_is_refused(storage, build, kind):
    file = build(f"{EVERYTHING}; {RUNS_LATER[kind]}").read_bytes()
    before = await image(storage)

    with pytest.raises(BackupUnsafeError) as refusal:
        await storage.adapter.import_database(file)

    assert await image(storage) == before
    assert left_behind(storage) == []
    assert any(named.startswith(kind) for named in refusal.value.objects)


async def test_what_is_trusted_comes_in_and_runs(storage, build):
    script = EVERYTHING + ";".join(
        RUNS_LATER[kind] for kind in ("trigger", "view", "virtual table")
    )
    file = build(script).read_bytes()

    await storage.adapter.import_database(file, trust_schema=True)
    await storage.adapter.run("INSERT INTO words VALUES ('found it')")
    await storage.adapter.run("INSERT INTO note (text) VALUES ('gone')")

    found = await storage.adapter.all("SELECT * FROM words WHERE words MATCH 'found'")
    assert found == [{"text": "found it"}]
    assert await storage.adapter.all("SELECT * FROM seen") == []


@pytest.mark.parametrize(
    "pragma",
    [
        "PRAGMA page_size = 512",
        "PRAGMA page_size = 65536",
        "PRAGMA auto_vacuum = INCREMENTAL",
        "PRAGMA encoding = 'UTF-16le'",
        "PRAGMA journal_mode = WAL",
        "PRAGMA application_id = -1",
    ],
)
async def test_any_form_of_file_comes_in_and_can_be_written(storage, build, pragma):
    file = build(f"{pragma}; {EVERYTHING}").read_bytes()

    await storage.adapter.import_database(file)
    await storage.adapter.run("INSERT INTO note (text) VALUES ('after')")
    await storage.flush()

    assert await storage.adapter.get("SELECT count(*) AS n FROM note") == {"n": 3}
    check = await storage.adapter.get("PRAGMA integrity_check")
    assert check == {"integrity_check": "ok"}


@pytest.mark.parametrize("file", sorted(DATA.glob("original-*.db")), ids=str)
async def test_an_original_comes_in_as_it_is(storage, file):
    await storage.adapter.import_database(file.read_bytes())
    assert await storage.adapter.get("SELECT count(*) AS n FROM conversations")


@pytest.mark.parametrize("data", [b"", b"SQLite format 3\0", bytes(8192), b"{}"])
async def test_what_is_no_database_changes_nothing(storage, data):
    before = await image(storage)
    with pytest.raises(BackupError):
        await storage.adapter.import_database(data)
    assert await image(storage) == before


async def test_the_state_before_can_be_had_back(storage, build):
    await storage.adapter.import_database(build(EVERYTHING).read_bytes())

    (point,) = await storage.restore_points()
    await storage.restore(point.id)

    assert await storage.conversations.get("live") is not None


async def test_a_database_in_memory_becomes_what_the_file_is(memory, build):
    """Its encoding, too, which a connection cannot change."""
    file = build(f"PRAGMA encoding = 'UTF-16be'; {EVERYTHING}").read_bytes()

    await memory.adapter.import_database(file)
    await memory.adapter.run("INSERT INTO note (text) VALUES ('héllo 日本')")

    found = await memory.adapter.all("SELECT text FROM note ORDER BY id")
    assert [row["text"] for row in found] == ["buy milk", "", "héllo 日本"]
    encoding = await memory.adapter.get("PRAGMA encoding")
    assert encoding == {"encoding": "UTF-16be"}
