"""A database in OPFS: one tab has it, in a worker of its own; it moves both ways."""

import pytest

OPEN = """async (options) => {
  const { createAgentOSStorage } = await import('/client.js');
  globalThis.storage = await createAgentOSStorage({ dbName: 'files', ...options });
  globalThis.db = storage.getAdapter();
}"""

CODE_OF_OPEN = """async (options) => {
  const { createAgentOSStorage } = await import('/client.js');
  try {
    await createAgentOSStorage({ dbName: 'files', ...options });
    return 'opened';
  } catch (error) {
    return error.code;
  }
}"""

FILL = """async () => {
  await db.exec('CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)');
  await db.run(`WITH RECURSIVE
      n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000)
    INSERT INTO note SELECT i, printf('%d %s', i, hex(randomblob(400))) FROM n`);
}"""

SUM = "db.get('SELECT count(*) AS count, sum(length(text)) AS size FROM note')"

INTEGRITY = "db.get('PRAGMA integrity_check').then((row) => row.integrity_check)"

CODE_OF_MOVE = """(store) =>
  storage.moveTo(store).then(() => 'moved', (error) => error.code)"""

IMAGES = """async () => {
  let folder = await navigator.storage.getDirectory();
  try {
    for (const name of ['pyodide-app', 'main']) {
      folder = await folder.getDirectoryHandle(name);
    }
  } catch {
    return [];
  }
  const names = [];
  for await (const name of folder.keys()) names.push(name);
  return names;
}"""


@pytest.fixture
def page(each_context, open_app):
    """A tab with nothing open."""
    return open_app(each_context, "/tests/blank.html")


def test_a_database_moves_to_opfs_and_back(each_context, open_app, page):
    """The same rows, there and back again, each time after a reload."""
    page.evaluate(OPEN)
    page.evaluate(FILL)
    before = page.evaluate(SUM)
    assert page.evaluate("storage.status()")["store"] == "indexeddb"

    page.evaluate("storage.moveTo('opfs')")

    status = page.evaluate("storage.status()")
    assert (status["store"], status["sharedHost"]) == ("opfs", False)
    assert page.evaluate(SUM) == before
    assert len(page.evaluate(IMAGES)) == 1
    page.evaluate("db.run(\"INSERT INTO note VALUES (9999, 'after')\")")
    page.evaluate("storage.flush()")
    after = page.evaluate(SUM)

    page.reload()
    page.evaluate(OPEN)
    assert page.evaluate("storage.status()")["store"] == "opfs"
    assert page.evaluate(SUM) == after
    assert page.evaluate(INTEGRITY) == "ok"

    page.evaluate("storage.moveTo('indexeddb')")
    assert page.evaluate(IMAGES) == []
    page.reload()
    page.evaluate(OPEN)
    status = page.evaluate("storage.status()")
    assert status["store"] == "indexeddb"
    assert status["sharedHost"] is True
    assert page.evaluate(SUM) == after
    assert page.evaluate(INTEGRITY) == "ok"


def test_a_new_database_is_made_in_opfs_if_asked_for(page):
    """By its option, with no move in between that a person would see."""
    page.evaluate(OPEN, {"store": "opfs"})
    page.evaluate(FILL)
    page.evaluate("storage.flush()")
    assert page.evaluate("storage.status()")["store"] == "opfs"

    page.reload()
    page.evaluate(OPEN)

    assert page.evaluate("storage.status()")["store"] == "opfs"
    assert page.evaluate(SUM)["count"] == 3000


def test_a_tab_that_knows_nothing_of_it_finds_the_way(page):
    """The hint is gone; the shared host refuses, and the page starts its own."""
    page.evaluate(OPEN, {"store": "opfs"})
    page.evaluate(FILL)
    page.evaluate("storage.flush()")
    page.evaluate("localStorage.clear()")

    page.reload()
    page.evaluate(OPEN)

    assert page.evaluate(SUM)["count"] == 3000
    assert page.evaluate("storage.status()")["sharedHost"] is False


def test_a_second_tab_is_told_and_takes_nothing_away(each_context, open_app, page):
    """Not even one that knows nothing of OPFS; but it may take over, if told to."""
    page.evaluate(OPEN, {"store": "opfs"})
    page.evaluate(FILL)
    other = open_app(each_context, "/tests/blank.html")

    assert other.evaluate(CODE_OF_OPEN, {}) == "storage_in_use"
    other.evaluate("localStorage.clear()")
    assert other.evaluate(CODE_OF_OPEN, {}) == "storage_in_use"
    assert page.evaluate(SUM)["count"] == 3000

    other.evaluate(OPEN, {"takeOver": True})
    assert other.evaluate(SUM)["count"] == 3000
    code = page.evaluate("db.get('SELECT 1').then(() => '', (error) => error.code)")
    assert code == "host_changed"


def test_other_tabs_are_told_when_the_database_moves(each_context, open_app, page):
    """They shared it; now one of them has it alone."""
    page.evaluate(OPEN)
    page.evaluate(FILL)
    other = open_app(each_context, "/tests/blank.html")
    other.evaluate(OPEN)

    page.evaluate("storage.moveTo('opfs')")

    code = other.evaluate("db.get('SELECT 1').then(() => '', (error) => error.code)")
    assert code == "host_changed"
    assert page.evaluate(SUM)["count"] == 3000

    page.evaluate("storage.moveTo('indexeddb')")
    page.close()
    other.reload()
    other.evaluate(OPEN)
    assert other.evaluate("storage.status()")["sharedHost"] is True
    assert other.evaluate(SUM)["count"] == 3000


def test_without_files_a_move_is_refused_and_nothing_has_changed(context, open_app):
    """As in a private window of some browsers. No silent way back either."""
    page = open_app(context, "/tests/blank.html")
    context.route(
        "**/worker/host.js",
        lambda route: route.fulfill(
            response=(found := route.fetch()),
            body="delete globalThis.FileSystemFileHandle.prototype"
            ".createSyncAccessHandle;\n" + found.text(),
        ),
    )
    page.evaluate(OPEN)
    page.evaluate(FILL)

    assert page.evaluate(CODE_OF_MOVE, "opfs") == "opfs_unavailable"

    assert page.evaluate("storage.status()")["store"] == "indexeddb"
    assert page.evaluate(SUM)["count"] == 3000


def test_what_is_encrypted_stays_so_in_opfs(page):
    """The image holds what SQLite wrote; no word of it can be read."""
    secret = {"passphrase": "correct horse"}
    page.evaluate(OPEN, secret)
    page.evaluate(FILL)

    page.evaluate("storage.moveTo('opfs', { passphrase: 'correct horse' })")

    assert page.evaluate(SUM)["count"] == 3000
    page.reload()
    assert page.evaluate(CODE_OF_OPEN, {}) == "passphrase_required"
    page.evaluate(OPEN, secret)
    assert page.evaluate(SUM)["count"] == 3000
    page.evaluate("storage.decrypt('correct horse')")
    assert page.evaluate("storage.status()")["store"] == "opfs"
    assert page.evaluate(SUM)["count"] == 3000


def test_a_backup_is_exported_and_imported_there(page):
    """The store stays what it is; restore points work as elsewhere."""
    page.evaluate(OPEN, {"store": "opfs"})
    page.evaluate("storage.conversations.save('c', 'user', 'persona', [])")
    page.evaluate(
        "storage.exportDatabase().then((bytes) => { globalThis.backup = bytes; })"
    )
    page.evaluate("storage.conversations.delete('c')")

    page.evaluate("storage.importDatabase(backup)")

    assert page.evaluate("storage.conversations.get('c')")
    assert page.evaluate("storage.status()")["store"] == "opfs"
    [point] = page.evaluate("storage.restorePoints()")
    page.evaluate("(id) => storage.restore(id)", point["id"])
    assert page.evaluate("storage.status()")["store"] == "opfs"
    assert len(page.evaluate(IMAGES)) == 1


_DAMAGE = """async () => {
  let folder = await navigator.storage.getDirectory();
  for (const name of ['pyodide-app', 'main']) {
    folder = await folder.getDirectoryHandle(name);
  }
  for await (const entry of folder.values()) {
    const file = await entry.getFile();
    const stream = await entry.createWritable({ keepExistingData: true });
    await stream.write({
      type: 'write',
      position: Math.floor(file.size / 8192) * 4096 + 100,
      data: Uint8Array.of(1, 2, 3, 4),
    });
    await stream.close();
  }
}"""


def test_damage_in_a_file_is_an_error_and_never_data(each_context, open_app, page):
    """Who reads the page is told so; the rest can be read, and the status says it."""
    page.evaluate(OPEN, {"store": "opfs"})
    page.evaluate(FILL)
    page.evaluate("storage.moveTo('indexeddb')")
    page.evaluate("storage.moveTo('opfs')")
    page.close()
    page = open_app(each_context, "/tests/blank.html")
    page.evaluate(_DAMAGE)

    page.evaluate(OPEN)

    code = page.evaluate(f"{SUM}.then(() => 'read', (error) => error.code)")
    assert code == "store_damaged"
    assert page.evaluate("storage.status()")["lastErrorCode"] == "store_damaged"
    first = page.evaluate("db.get('SELECT id FROM note WHERE id = 1')")
    assert first == {"id": 1}
    diagnosis = page.evaluate("storage.diagnose({ verify: true })")
    assert diagnosis["verification"]["ok"] is False


_FILL_LARGE = """async () => {
  await db.exec('CREATE TABLE row (id INTEGER PRIMARY KEY, bytes BLOB)');
  for (let i = 0; i < 10; i++) {
    await db.run(`WITH RECURSIVE
        n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)
      INSERT INTO row (bytes) SELECT randomblob(3900) FROM n`);
    await storage.flush();
  }
}"""


def test_a_large_database_is_opened_without_being_read(context, open_app):
    """Memory holds a part of it, whatever was read; writes cost what they change."""
    page = open_app(context, "/tests/blank.html")
    page.evaluate(OPEN, {"store": "opfs"})
    page.evaluate(_FILL_LARGE)
    size = page.evaluate("storage.status()")["databaseBytes"]
    assert size > 190 * 2**20
    page.evaluate("storage.close()")

    page.reload()
    page.evaluate(OPEN)

    status = page.evaluate("storage.status()")
    # Opening it has run SQL of its own, which reads some pages.
    assert status["cacheBytes"] < 8 * 2**20
    row = page.evaluate("db.get('SELECT length(bytes) AS n FROM row WHERE id = 33333')")
    assert row == {"n": 3900}
    total = page.evaluate("db.get('SELECT sum(length(bytes)) AS n FROM row')")
    assert total == {"n": 50_000 * 3900}
    status = page.evaluate("storage.status()")
    assert 64 * 2**20 < status["cacheBytes"] <= 128 * 2**20

    page.evaluate("db.run('UPDATE row SET bytes = zeroblob(3900) WHERE id = 7')")
    page.evaluate("storage.flush()")
    after = page.evaluate("storage.status()")
    assert after["logBytes"] - status["logBytes"] < 2**20
