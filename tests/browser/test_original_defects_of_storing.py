"""The original's defects in storing: what a user expects, on both sides.

See test_original_defects_of_sql.py for how a test is made. D4, D5, and a browser that
is killed are in test_peers_under_faults.py.
"""

import pytest
from playwright.sync_api import Page

from tests.browser.sides import Side

WRITE = """async ({ open }, [count, options]) => {
  globalThis.db = await open(options);
  await db.exec('CREATE TABLE IF NOT EXISTS row (i)');
  for (let i = 0; i < count; i++) await db.run('INSERT INTO row VALUES (?)', [i]);
}"""

COUNT = """async ({ open, outcomeOf }) => {
  let count = 0;
  const db = await open();
  const outcome = await outcomeOf(async () => {
    count = (await db.get('SELECT count(*) AS n FROM row')).n;
  });
  return outcome === 'ok' ? count : outcome;
}"""

# Ours tells when everything is durable; the original gets half a second.
WAIT = """async ({ later }) => {
  if (!db.status) return later(500);
  for (let i = 0; i < 1000; i++) {
    const { durableSeq, committedSeq } = await db.status();
    if (durableSeq === committedSeq) return;
    await later(20);
  }
}"""

NO_TABLE = "Error: no such table: row"

LEAVES = {"closed": Page.close, "reloaded": Page.reload}


@pytest.mark.parametrize("leaves", LEAVES)
def test_d01_what_was_acknowledged_outlives_the_page(ours, original, leaves):
    """Of 100 awaited inserts all are there."""
    ours(WRITE, [100, {"durability": "commit"}])
    original(WRITE, [100, {}])
    for side in (ours, original):
        side.start_again(leave=LEAVES[leaves])

    assert ours(COUNT) == 100

    assert original(COUNT) == NO_TABLE


def test_d02_hiding_the_page_makes_everything_durable(ours, original):
    """A phone hides a page, and then ends it without a word."""
    hide = """() => {
      Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });
      document.dispatchEvent(new Event('visibilitychange'));
    }"""
    for side in (ours, original):
        side(WRITE, [100, {"saveIntervalMs": 60_000}])
        side(hide)
        side(WAIT)
        side.start_again()

    assert ours(COUNT) == 100

    assert original(COUNT) == NO_TABLE


def test_d03_without_auto_save_there_is_a_flush(ours, original):
    for side in (ours, original):
        side(
            """async ({ open }) => {
              const db = await open({ autoSave: false });
              await db.exec('CREATE TABLE row (i); INSERT INTO row VALUES (1)');
              await db.flush?.();
            }"""
        )
        side.start_again()

    assert ours(COUNT) == 1

    assert original(COUNT) == NO_TABLE


def test_d03_an_interval_of_zero_is_no_interval(ours, original):
    for side in (ours, original):
        side(WRITE, [100, {"saveIntervalMs": 0}])
        side(WAIT)
        side.start_again()

    assert ours(COUNT) == 100

    assert original(COUNT) == NO_TABLE


def test_d06_a_second_tab_overwrites_nothing(ours, original):
    """Both have it open from the start; the rows of both are there."""
    opens = """async ({ open }) => {
      globalThis.db = await open();
      await db.exec('CREATE TABLE IF NOT EXISTS row (i)');
    }"""
    write = """async (_, count) => {
      for (let i = 0; i < count; i++) await db.run('INSERT INTO row VALUES (?)', [i]);
      await db.close();
    }"""
    for side in (ours, original):
        second = side.new_tab()
        side(opens)
        side(opens, tab=second)
        side(write, 50)
        side(write, 3, tab=second)
        second.close()

    assert ours(COUNT) == 53

    assert original(COUNT) == 3


def test_d07_a_write_during_a_flush_is_not_forgotten(ours, original):
    """Each comes after the flush has begun and before it has ended."""
    script = """async ({ open, save }) => {
      const db = await open({ saveIntervalMs: 60_000 });
      await db.exec('CREATE TABLE row (i)');
      for (let i = 0; i < 20; i++) {
        const saving = save(db);
        await db.run('INSERT INTO row VALUES (?)', [i]);
        await saving;
      }
      await db.close();
    }"""
    for side in (ours, original):
        side(script)

    assert ours(COUNT) == 20

    assert original(COUNT) == 19


def test_d20_deleting_gives_space_back(ours, original):
    """`prune` shrinks the file; in the original it stays as large as it was."""
    shrunk = ours(
        """async ({ dbName }) => {
          const { createAgentOSStorage } = await import('/client.js');
          const storage = await createAgentOSStorage({ dbName });
          const event = { type: 'user_message', text: 'x'.repeat(100_000) };
          for (let i = 0; i < 20; i++) {
            await storage.conversations.save(`c-${i}`, 'user', 'persona', [event]);
          }
          const before = (await storage.status()).databaseBytes;
          await storage.prune({ keep: 1, keepRestorePoint: false });
          const after = (await storage.status()).databaseBytes;
          await storage.close();
          return [before, after];
        }"""
    )
    same = original(
        """async ({ open }) => {
          const db = await open();
          await db.exec('CREATE TABLE event (text)');
          for (let i = 0; i < 20; i++) {
            await db.run('INSERT INTO event VALUES (?)', ['x'.repeat(100_000)]);
          }
          const before = db.exportDatabase().length;
          await db.run('DELETE FROM event WHERE rowid > 1');
          return [before, db.exportDatabase().length];
        }"""
    )

    assert shrunk[1] < shrunk[0] / 4

    assert same[1] == same[0]


def test_d21_a_change_of_one_row_does_not_rewrite_the_file(ours, original):
    """Bytes that go to IndexedDB for it, of a database of 4 MB."""
    fill = """async ({ open, save }) => {
      globalThis.db = await open({ saveIntervalMs: 60_000 });
      await db.exec('CREATE TABLE row (i INTEGER PRIMARY KEY, text)');
      await db.run(`WITH RECURSIVE n (i) AS
        (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 4000)
        INSERT INTO row SELECT i, hex(zeroblob(500)) FROM n`);
      await save(db);
    }"""
    ours(fill)
    original(fill)

    written = ours("""async ({ save }) => {
      const before = (await db.status()).logBytes;
      await db.run("UPDATE row SET text = 'changed' WHERE i = 2000");
      await save(db);
      return (await db.status()).logBytes - before;
    }""")
    assert 0 < written < 100_000

    written = original("""async ({ save }) => {
      let written = 0;
      const { put } = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = function (value, key) {
        written += value.byteLength;
        return put.call(this, value, key);
      };
      await db.run("UPDATE row SET text = 'changed' WHERE i = 2000");
      await save(db);
      IDBObjectStore.prototype.put = put;
      return written;
    }""")
    assert written > 4_000_000


def test_d22_an_engine_that_did_not_load_is_loaded_again(
    browser, app_server, base_url, original
):
    """Ours when the server is there again, with no reload."""
    with browser.new_context(base_url=base_url) as context:
        side = Side(context, "ours", "loaded-again")
        app_server.stop()
        attempt = "async ({ open, outcomeOf }) => outcomeOf(open)"
        assert side(attempt) != "ok"
        app_server.start()
        assert side(attempt) == "ok"

    tab = original.new_tab()
    first, second = original(
        """async ({ open, outcomeOf }) => {
          const sqlJsConfig = { locateFile: (name) => `/nowhere/${name}` };
          return [await outcomeOf(() => open({ sqlJsConfig })), await outcomeOf(open)];
        }""",
        tab=tab,
    )
    tab.close()
    assert "ok" not in {first, second}


def test_d23_another_store_name_opens_the_same_database(ours, original):
    """The place in IndexedDB is ours to choose: the option means nothing."""
    script = """async ({ open, outcomeOf }) => {
      const db = await open({ storeName: 'one' });
      await db.exec('CREATE TABLE row (i); INSERT INTO row VALUES (1)');
      await db.close();
      return outcomeOf(async () => {
        await (await open({ storeName: 'other' })).get('SELECT i FROM row');
      });
    }"""

    assert ours(script) == "ok"

    assert original(script).startswith("NotFoundError")


def test_d24_cleared_site_data_are_written_again(ours, original):
    """What memory has is durable once more; the original says "ok" until it ends."""
    for side in (ours, original):
        side("""async ({ open, save }) => {
          globalThis.db = await open({ saveIntervalMs: 60_000 });
          await db.exec('CREATE TABLE row (i); INSERT INTO row VALUES (1)');
          await save(db);
        }""")
        session = side.context.new_cdp_session(side.page)
        origin = side.page.evaluate("location.origin")
        session.send(
            "Storage.clearDataForOrigin",
            {"origin": origin, "storageTypes": "indexeddb"},
        )
    script = """async ({ outcomeOf }) => [
      await outcomeOf(() => db.run('INSERT INTO row VALUES (2)')),
      await outcomeOf(() => db.close()),
    ]"""
    outcomes, shown = ours(script), original(script)
    for side in (ours, original):
        side.start_again()

    assert outcomes == ["ok", "ok"]
    assert ours(COUNT) == 2

    assert shown[0] == "ok"
    assert shown[1].startswith("InvalidStateError")
    assert original(COUNT) == NO_TABLE


def test_d25_deleting_the_indexeddb_is_not_blocked(ours, original):
    """The browser, or another program of the origin, may; memory heals it."""
    script = """async ({ open, save, outcomeOf }, name) => {
      const db = await open({ saveIntervalMs: 60_000 });
      await db.exec('CREATE TABLE row (i); INSERT INTO row VALUES (1)');
      await save(db);
      const how = await new Promise((resolve) => {
        const request = indexedDB.deleteDatabase(name);
        request.onsuccess = () => resolve('deleted');
        request.onblocked = () => resolve('blocked');
      });
      await db.run('INSERT INTO row VALUES (2)');
      return [how, await outcomeOf(() => db.close())];
    }"""

    assert ours(script, "pyodide-app:pages:main") == ["deleted", "ok"]
    ours.start_again()
    assert ours(COUNT) == 2

    assert original(script, original.db_name)[0] == "blocked"


def test_d26_the_state_of_the_storage_can_be_asked_for(ours, original):
    """Space, eviction, durability and what was found at the start."""
    status = ours("async ({ open }) => (await open()).status()")
    assert status["quota"] > status["usage"] >= 0
    assert status["persisted"] in {True, False}
    assert status["evictionRisk"]
    assert status["durability"] == "batched"
    assert status["recovery"]["problems"] == []

    asked = original("""async ({ open }) => {
      const asked = [];
      const storage = navigator.storage;
      for (const name of ['persist', 'persisted', 'estimate']) {
        storage[name] = () => void asked.push(name);
      }
      const db = await open();
      await db.run('CREATE TABLE row (i)');
      await db.close();
      return [...asked, typeof db.status];
    }""")
    assert asked == ["undefined"]
