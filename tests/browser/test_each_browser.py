"""What must hold in each browser: it starts, keeps what was written, works offline."""

import re

from playwright.sync_api import expect

from tests.browser.workbench import Workbench

WRITE = """async () => {
  const { createAgentOSStorage } = await import('/client.js');
  const storage = await createAgentOSStorage({ dbName: 'each' });
  const db = storage.getAdapter();
  await db.exec('CREATE TABLE note (text)');
  await db.transaction(async (t) => {
    for (const text of ['one', 'два', '🚲']) {
      await t.run('INSERT INTO note VALUES (?)', [text]);
    }
  });
  await storage.flush();
  const { mode, durableSeq, committedSeq } = await storage.status();
  return [mode, durableSeq === committedSeq];
}"""

READ = """async () => {
  const { createAgentOSStorage } = await import('/client.js');
  const db = (await createAgentOSStorage({ dbName: 'each' })).getAdapter();
  const rows = await db.all('SELECT text FROM note ORDER BY rowid');
  const check = await db.get('PRAGMA integrity_check');
  return [...rows.map(({ text }) => text), ...Object.values(check)];
}"""

OUT_AND_IN = """async () => {
  const { createAgentOSStorage } = await import('/client.js');
  const storage = await createAgentOSStorage({ dbName: 'each' });
  const db = storage.getAdapter();
  const fill = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?)
    INSERT INTO telemetry (id, event_type, event_data, timestamp)
    SELECT i, 'filler', json_object('x', hex(randomblob(400))), i FROM n`;
  await db.run(fill, [4000]);
  const file = await storage.exportBlob();
  await db.run('DELETE FROM telemetry');
  await storage.importDatabase(file);
  const { n } = await db.get('SELECT count(*) AS n FROM telemetry');
  return [file.size > 3_000_000, file.type, n];
}"""


def test_what_was_flushed_is_there_in_the_next_tab(each_context, open_app):
    """Write, flush, close the tab; another one reads it, intact."""
    tab = open_app(each_context, "/tests/blank.html")
    assert tab.evaluate(WRITE) == ["indexeddb", True]

    tab.close()

    next_tab = open_app(each_context, "/tests/blank.html")
    assert next_tab.evaluate(READ) == ["one", "два", "🚲", "ok"]


def test_a_backup_leaves_as_a_blob_and_is_read_as_one(each_context, open_app):
    """It is longer than what is read of it at a time."""
    tab = open_app(each_context, "/tests/blank.html")

    assert tab.evaluate(OUT_AND_IN) == [True, "application/vnd.sqlite3", 4000]


def test_without_a_network_everything_but_a_model_works(
    each_context, open_app, app_server, faults
):
    """After one visit the server is gone: chat, search, reload, export."""
    faults.allow("ERR_CONNECTION|ServiceWorker|service-worker|NetworkError")
    bench = Workbench(open_app(each_context))
    bench.expect_ready()
    bench.converse("Said with a network")
    expect(bench.page.locator("#facts")).to_contain_text("Works offlineready")

    app_server.stop()
    bench.page.reload()
    bench.expect_ready()
    bench.start_another()
    bench.converse("Said without a network")

    bench.find("network")
    expect(bench.hits).not_to_have_count(0)
    # A Firefox of the system does not tell Playwright of downloads: the notice
    # does. What is in the file test_backup.py looks at.
    bench.show_storage()
    bench.download.click()
    notices = bench.page.get_by_role("region", name="Notices")
    expect(notices).to_contain_text(re.compile(r"agentos-\d{4}-\d\d-\d\d\.db, "))
    bench.page.close()
    again = Workbench(open_app(each_context))
    again.expect_ready()
    expect(again.conversations.get_by_role("link")).to_have_count(2)
    expect(again.alerts).to_have_count(0)
