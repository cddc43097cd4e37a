"""How calls end: with a result, an error, `host_changed`, or aborted. Never not at all.

`tests/js` holds the same of the ports alone; here the host is real, and dies.
"""

from functools import partial

import pytest

from tests.browser.killing import end_hosts

OPEN = """async (options) => {
  globalThis.client = await import('/client.js');
  globalThis.storage = await client.createAgentOSStorage(options);
  globalThis.db = storage.getAdapter();
  globalThis.codeOf = (promise) => promise.then(
    () => 'no error', (error) => error.code);
}"""


@pytest.fixture
def page(shared_page, request):
    """A page with `client`, `storage`, `db` and `codeOf` as globals."""
    shared_page.evaluate(OPEN, {"dbName": request.node.name})
    yield shared_page
    shared_page.evaluate("storage.close()")


@pytest.fixture
def kill_host(browser):
    """End the SharedWorker as a crash does."""
    return partial(end_hosts, browser)


def test_a_call_to_a_host_that_died_ends(context, open_app, kill_host):
    """Calls and streams that wait, and later ones, end with host_changed."""
    tab = open_app(context, "/tests/blank.html")
    tab.evaluate(OPEN, {"durability": "commit"})
    tab.evaluate("db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)')")
    tab.evaluate("""() => {
      globalThis.watched = codeOf(storage.watch(['t']).next());
      globalThis.waiting = codeOf(db.transaction(() => new Promise(() => {})));
      globalThis.called = codeOf(db.transaction((t) => t.get('SELECT 1')));
    }""")

    kill_host()

    assert tab.evaluate("Promise.all([watched, called, codeOf(db.status())])") == [
        "host_changed",
        "host_changed",
        "host_changed",
    ]


def test_a_page_goes_on_with_a_new_host(context, open_app, kill_host):
    """Opening again starts another host, and what was durable is there."""
    tab = open_app(context, "/tests/blank.html")
    tab.evaluate(OPEN, {"durability": "commit"})
    tab.evaluate("db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)')")
    kill_host()
    assert tab.evaluate("codeOf(storage.watch().next())") == "host_changed"

    tab.evaluate(OPEN, {})

    assert tab.evaluate("db.all('SELECT x FROM t')") == [{"x": 1}]


def test_a_watch_that_waits_can_be_left(page):
    """`return` does not wait for a commit that may never come."""
    left = page.evaluate("""async () => {
      const changes = storage.watch(['conversations']);
      const waiting = changes.next();
      await changes.return();
      return (await waiting).done;
    }""")

    assert left is True


def test_an_aborted_transaction_leaves_nothing(page):
    """Its signal ends it as a whole; who waited goes on."""
    outcome = page.evaluate("""async () => {
      await db.exec('CREATE TABLE t (x)');
      const abort = new AbortController();
      const code = await codeOf(db.transaction(async (t) => {
        await t.run('INSERT INTO t VALUES (1)');
        abort.abort();
        await t.run('INSERT INTO t VALUES (2)');
      }, { signal: abort.signal }));
      return [code, await db.all('SELECT * FROM t')];
    }""")

    assert outcome == ["aborted", []]


def test_a_repeated_write_is_carried_out_once(page):
    """The second gets the answer of the first."""
    outcome = page.evaluate("""async () => {
      await db.exec('CREATE TABLE t (x)');
      const insert = (value) => db.run(
        'INSERT INTO t VALUES (?)', [value], { idempotencyKey: 'one' });
      const answers = [await insert(1), await insert(1)];
      const code = await codeOf(insert(2));
      const { n } = await db.get('SELECT count(*) AS n FROM t');
      return [answers.map(({ lastInsertRowid }) => lastInsertRowid), code, n];
    }""")

    assert outcome == [[1, 1], "invalid_arguments", 1]


def test_the_options_of_the_original_are_accepted(page):
    """Code that was written for its adapter runs: it is opened by AgentOS."""
    outcome = page.evaluate("""async () => {
      const adapter = new client.IndexedDbAdapter({
        dbName: 'drop-in', storeName: 'database', autoSave: true,
        saveIntervalMs: 5000, sqlJsConfig: { locateFile: (name) => name },
      });
      const kind = adapter.kind;
      const agent = new client.AgentOS();
      await agent.initialize({ storageAdapter: adapter });
      await Promise.all([adapter.open(), adapter.open()]);
      const personas = await agent.listPersonas();
      await adapter.close();
      return [kind, personas.length > 0, await codeOf(adapter.get('SELECT 1'))];
    }""")

    assert outcome == ["indexeddb", True, "storage_closed"]


def test_a_file_is_imported_from_the_disk_or_from_memory(page):
    """A Blob is read, an array is copied: it stays its owner's."""
    outcome = page.evaluate("""async () => {
      await storage.conversations.save('c', 'u', 'p', []);
      const bytes = await storage.exportDatabase();
      await storage.importDatabase(bytes);
      await storage.importDatabase(new Blob([bytes]));
      const file = await storage.exportBlob();
      await storage.importDatabase(file);
      await db.importDatabase(file);
      const { id } = (await storage.conversations.list()).items[0];
      const abort = new AbortController();
      abort.abort();
      const code = await codeOf(
        storage.importDatabase(bytes, { signal: abort.signal }));
      const sizes = [bytes.length > 0, file.size === bytes.length];
      return [...sizes, id, code, (await storage.restorePoints()).length];
    }""")

    assert outcome == [True, True, "c", "aborted", 4]


def test_a_blob_is_no_value_of_a_statement(page):
    """It is taken only where a whole database is."""
    code = page.evaluate("codeOf(db.get('SELECT ?', [new Blob(['x'])]))")

    assert code == "invalid_arguments"
