"""The original's defects in importing a file: what a user expects, on both sides.

See test_original_defects_of_sql.py for how a test is made.
"""

import sqlite3
from contextlib import closing

import pytest

FILES = """async (whole) => {
  const flipped = whole.slice();
  for (let at = 4096; at < flipped.length; at += 4096) {
    flipped.fill(255, at, at + 64);
  }
  return {
    empty: new Uint8Array(0),
    garbage: crypto.getRandomValues(new Uint8Array(20_000)),
    truncated: whole.slice(0, whole.length / 2 + 100),
    flipped,
  };
}"""

# What happens, what the open session then reads, and what a new one reads.
IMPORT = f"""async ({{ open, outcomeOf }}, name) => {{
  const db = await open();
  await db.exec(`CREATE TABLE note (text); INSERT INTO note VALUES ('kept');
    CREATE TABLE filler (text)`);
  for (let i = 0; i < 100; i++) {{
    await db.run('INSERT INTO filler VALUES (?)', ['x'.repeat(500)]);
  }}
  const whole = await db.exportDatabase();
  await db.importDatabase(whole);
  const file = (await ({FILES})(whole))[name];
  const read = (from) => outcomeOf(async () => {{
    if (!(await from.get('SELECT text FROM note'))) throw new Error('it is gone');
  }});
  const imported = await outcomeOf(() => db.importDatabase(file));
  const session = await read(db);
  await outcomeOf(() => db.close());
  return [imported, session, await read(await open())];
}}"""

NO_TABLE = "Error: no such table: note"
NOT_A_DATABASE = "Error: file is not a database"
MALFORMED = "Error: database disk image is malformed"


@pytest.mark.parametrize(
    ("name", "refused", "shown", "shown_by_older"),
    [
        (
            "empty",
            "backup_not_a_database",
            ["ok", NO_TABLE, NO_TABLE],
            ["ok", NO_TABLE, NO_TABLE],
        ),
        (
            "garbage",
            "backup_not_a_database",
            ["Error: not an error", NOT_A_DATABASE, "ok"],
            ["ok", NOT_A_DATABASE, NOT_A_DATABASE],
        ),
        (
            "truncated",
            "backup_truncated",
            ["Error: not an error", MALFORMED, "ok"],
            ["ok", MALFORMED, MALFORMED],
        ),
        (
            "flipped",
            "backup_damaged",
            ["ok", MALFORMED, MALFORMED],
            ["ok", MALFORMED, MALFORMED],
        ),
    ],
)
def test_d11_a_bad_file_is_refused_before_anything_is_destroyed(
    ours, original, older_original, name, refused, shown, shown_by_older
):
    """The data are there in the open session, and in the next one."""
    assert ours(IMPORT, name) == [refused, "ok", "ok"]

    assert original(IMPORT, name) == shown
    assert older_original(IMPORT, name) == shown_by_older


def test_d12_a_file_of_another_program_is_refused(ours, original):
    """The six tables stay; the original then says that there is no such table."""
    make = "CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT)"
    foreign = _database(make)

    assert ours(
        """async ({ dbName, outcomeOf }, file) => {
          const { createAgentOSStorage } = await import('/client.js');
          const storage = await createAgentOSStorage({ dbName });
          const imported = await outcomeOf(() =>
            storage.importDatabase(Uint8Array.from(file)));
          const listed = await outcomeOf(() => storage.conversations.list());
          await storage.close();
          return [imported, listed];
        }""",
        foreign,
    ) == ["backup_schema_unknown", "ok"]

    assert original(
        """async ({ open, outcomeOf }, file) => {
          const db = await open();
          await db.exec('CREATE TABLE conversations (id TEXT PRIMARY KEY)');
          return [
            await outcomeOf(() => db.importDatabase(Uint8Array.from(file))),
            await outcomeOf(() => db.all('SELECT * FROM conversations')),
          ];
        }""",
        foreign,
    ) == ["ok", "Error: no such table: conversations"]


def test_d13_a_program_in_a_file_never_runs(ours, original):
    """A trigger would change every row at the next insert; the file is refused."""
    script = """async ({ open, outcomeOf }, file) => {
      const db = await open();
      await db.exec(`CREATE TABLE note (text); INSERT INTO note VALUES ('mine')`);
      const imported = await outcomeOf(() =>
        db.importDatabase(Uint8Array.from(file)));
      await db.run("INSERT INTO note VALUES ('next')");
      const rows = await db.all('SELECT text FROM note ORDER BY rowid');
      return [imported, ...rows.map(({ text }) => text)];
    }"""
    hostile = _database(
        "CREATE TABLE note (text); INSERT INTO note VALUES ('theirs');"
        "CREATE TRIGGER evil AFTER INSERT ON note"
        " BEGIN UPDATE note SET text = 'OWNED'; END"
    )

    assert ours(script, hostile) == ["backup_unsafe", "mine", "next"]

    assert original(script, hostile) == ["ok", "OWNED", "OWNED"]


def test_d14_an_import_inside_a_transaction_is_refused(ours, original):
    """The transaction goes on and commits; its own error is not hidden."""
    script = """async ({ open, outcomeOf }) => {
      const db = await open();
      await db.exec('CREATE TABLE step (name)');
      const file = await db.exportDatabase();
      let imported = '';
      const ends = await outcomeOf(() => db.transaction(async (t) => {
        await t.run("INSERT INTO step VALUES ('a')");
        imported = await outcomeOf(() => db.importDatabase(file));
        await t.run("INSERT INTO step VALUES ('b')");
      }));
      const rows = await db.all('SELECT name FROM step');
      return [imported, ends, rows.map(({ name }) => name)];
    }"""

    assert ours(script) == ["transaction", "ok", ["a", "b"]]

    assert original(script) == [
        "ok",
        "Error: cannot rollback - no transaction is active",
        ["b"],
    ]


def _database(script: str) -> list[int]:
    """The bytes of a database that *script* makes."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(script)
        return list(db.serialize())
