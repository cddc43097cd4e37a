"""Damage in what is stored: the newest good state opens, the person is told, and
no byte is lost. It is done in IndexedDB while no host is running."""

import json
import re
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Download, Page, expect

from tests.browser.test_accessibility import serious_violations
from tests.browser.workbench import Workbench

# The host has ended when its lock is free.
ALONE = """async () => {
  const signal = AbortSignal.timeout(30_000);
  await navigator.locks.request('pyodide-app:writer:main', { signal }, () => true);
  return true;
}"""

OPEN_STORE = """
  const db = await new Promise((resolve, reject) => {
    const request = indexedDB.open('pyodide-app:pages:main');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const bytesOf = async (value) =>
    new Uint8Array(value instanceof Blob ? await value.arrayBuffer() : value);
  const rows = async (store) => {
    const objects = db.transaction(store).objectStore(store);
    const keys = await done(objects.getAllKeys());
    const values = await done(db.transaction(store).objectStore(store).getAll());
    return keys.map((key, i) => [key, values[i]])
      .filter(([key]) => Array.isArray(key) || key > 0);
  };
  const hash = async (bytes) => Array.from(
    new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)),
    (byte) => byte.toString(16).padStart(2, '0'),
  ).join('');
"""

# Flips a bit of the rows at those indexes; all rows without any.
DAMAGE = f"""async ([store, indexes]) => {{
  {OPEN_STORE}
  const all = await rows(store);
  for (const index of indexes ?? all.keys()) {{
    const [key, value] = all.at(index);
    const bytes = await bytesOf(value);
    bytes[50] ^= 1;
    await done(db.transaction(store, 'readwrite').objectStore(store).put(bytes, key));
  }}
  db.close();
}}"""

HASHES = f"""async () => {{
  {OPEN_STORE}
  const found = [];
  for (const store of ['log', 'checkpoints', 'extents'])
    for (const [, value] of await rows(store))
      found.push(await hash(await bytesOf(value)));
  db.close();
  return found;
}}"""

DELETE_DATABASE = """() => new Promise((resolve, reject) => {
  const request = indexedDB.deleteDatabase('pyodide-app:pages:main');
  request.onsuccess = () => resolve(true);
  request.onerror = () => reject(request.error);
})"""

COUNT = f"""async (store) => {{
  {OPEN_STORE}
  const count = (await rows(store)).length;
  db.close();
  return count;
}}"""

# An import is a checkpoint, and keeps a restore point of the state before.
IMPORT_ITSELF = """async () => {
  const { createAgentOSStorage } = await import('/client.js');
  const storage = await createAgentOSStorage({ durability: 'commit' });
  await storage.importDatabase(await storage.exportDatabase());
  await storage.close();
}"""


# The store is sound, and what is in it is not: as a bug of ours would leave it.
GARBLE = """async ([start, end]) => {
  const { Volume } = await import('/worker/volume.js');
  const events = { sealed() {}, settled() {}, changed() {} };
  const volume = await Volume.open('main', { events });
  const bytes = await volume.exportFile('agentos.db');
  bytes.fill(255, start, end);
  volume.scratchFolder.create('garbled').write(bytes, 0);
  await volume.replaceFile('agentos.db', 'garbled');
  await volume.close();
}"""

# What was set aside, as it lies there.
HASHES_ASIDE = f"""async () => {{
  {OPEN_STORE}
  const found = [];
  for (const [, item] of await rows('quarantine'))
    found.push(await hash(await bytesOf(item.bytes)));
  db.close();
  return found;
}}"""

PASSPHRASE = "correct horse battery staple"

ENCRYPT = """async (passphrase) => {
  const { createAgentOSStorage } = await import('/client.js');
  const storage = await createAgentOSStorage({ durability: 'commit' });
  await storage.encrypt(passphrase);
  await storage.close();
}"""


@pytest.fixture
def home(request):
    """A fresh profile in Chromium, or in the browser that the test names."""
    return request.getfixturevalue(getattr(request, "param", "context"))


@pytest.fixture
def visit(home, open_app):
    """Open the Workbench; where it stays closed the test says what it expects."""

    def open_workbench(*, ready: bool = True) -> Workbench:
        workbench = Workbench(open_app(home))
        if ready:
            workbench.expect_ready()
        return workbench

    return open_workbench


@pytest.fixture
def outside(home, open_app) -> Page:
    """A page of the origin that starts no host."""
    return open_app(home, "/tests/blank.html")


def leave(workbench: Workbench, outside: Page) -> None:
    workbench.page.close()
    assert outside.evaluate(ALONE)


def expect_rescue(workbench: Workbench) -> None:
    expect(workbench.page.get_by_text("Code: store_damaged")).to_be_visible(
        timeout=60_000
    )


def confirm(page: Page, name: str) -> None:
    page.get_by_role("alertdialog").get_by_role("button", name=name).click()


def hashes_in(download: Download) -> set[str]:
    with zipfile.ZipFile(download.path()) as archive:
        assert archive.testzip() is None
        return {
            sha256(archive.read(name)).hexdigest()
            for name in archive.namelist()
            if name != "about.json"
        }


def test_a_damaged_record_is_set_aside_and_offered(visit, outside):
    workbench = visit()
    for text in ("the first", "the second", "the third"):
        workbench.converse(text)
    leave(workbench, outside)
    count = outside.evaluate(COUNT, "log")
    outside.evaluate(DAMAGE, ["log", [count - 2]])
    before = set(outside.evaluate(HASHES))

    workbench = visit()
    page = workbench.page

    notice = page.locator("#healing")
    expect(notice).to_contain_text("Damaged data was found and set aside")
    expect(notice).to_contain_text(re.compile(r"opened as it was on .+; 2 records"))
    expect(workbench.conversation("the first")).to_be_visible()
    assert serious_violations(page) == []
    with page.expect_download() as download:
        notice.get_by_role("button", name="Download it").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        about = json.loads(archive.read("about.json"))
        assert [item["name"] for item in about] == archive.namelist()[1:]
        assert "checksum" in about[0]["reason"]
    assert len(hashes_in(download.value)) == 2
    assert hashes_in(download.value) <= before

    notice.get_by_role("button", name="Dismiss").click()
    page.reload()
    workbench.expect_ready()
    workbench.show_storage()
    delete = page.get_by_role("button", name="Delete what was set aside")
    expect(delete).to_be_visible()
    expect(notice).to_be_hidden()

    delete.click()
    confirm(page, "Delete")
    expect(delete).to_be_hidden()
    assert outside.evaluate(COUNT, "quarantine") == 0


@pytest.mark.parametrize("store", ["extents", "checkpoints"])
def test_a_damaged_checkpoint_leads_back_to_a_restore_point(visit, outside, store):
    workbench = visit()
    workbench.converse("kept in the restore point")
    workbench.page.evaluate(IMPORT_ITSELF)
    leave(workbench, outside)
    outside.evaluate(DAMAGE, [store, None])
    before = set(outside.evaluate(HASHES))

    workbench = visit(ready=False)
    page = workbench.page
    expect_rescue(workbench)
    assert set(outside.evaluate(HASHES)) == before
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the raw bytes").click()
    assert hashes_in(download.value) == before
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the state of").click()
    assert Path(download.value.path()).read_bytes()[:15] == b"SQLite format 3"

    page.get_by_role("button", name="Restore the state of").click()
    confirm(page, "Restore")

    expect(page.locator("#healing")).to_contain_text("is kept aside", timeout=60_000)
    workbench.expect_ready()
    expect(workbench.conversation("kept in the restore point")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download it").click()
    assert hashes_in(download.value) == before


@pytest.mark.parametrize(
    "home",
    [pytest.param("firefox_context", marks=pytest.mark.firefox)],
    indirect=True,
)
def test_images_of_a_damaged_checkpoint_are_set_aside_in_firefox_too(visit, outside):
    workbench = visit()
    workbench.converse("kept in the restore point")
    workbench.page.evaluate(IMPORT_ITSELF)
    leave(workbench, outside)
    outside.evaluate(DAMAGE, ["checkpoints", None])
    before = set(outside.evaluate(HASHES))

    workbench = visit(ready=False)
    expect_rescue(workbench)
    workbench.page.get_by_role("button", name="Restore the state of").click()
    confirm(workbench.page, "Restore")

    notice = workbench.page.locator("#healing")
    expect(notice).to_contain_text("is kept aside", timeout=60_000)
    workbench.expect_ready()
    expect(workbench.conversation("kept in the restore point")).to_be_visible()
    assert set(outside.evaluate(HASHES_ASIDE)) == before


def test_a_restore_point_that_is_encrypted_stays_so(visit, outside):
    workbench = visit()
    workbench.converse("behind a passphrase")
    workbench.page.evaluate(ENCRYPT, PASSPHRASE)
    leave(workbench, outside)
    outside.evaluate(DAMAGE, ["extents", None])

    workbench = visit(ready=False)
    page = workbench.page
    expect_rescue(workbench)
    page.get_by_role("button", name="Restore the state of").first.click()
    confirm(page, "Restore")

    page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE, timeout=60_000)
    page.get_by_role("button", name="Unlock").click()
    workbench.expect_ready()
    expect(workbench.conversation("behind a passphrase")).to_be_visible()


@pytest.mark.parametrize(("start", "end"), [(0, 100), (100, 700)])
def test_a_file_that_sqlite_cannot_read_leads_back_too(visit, outside, start, end):
    workbench = visit()
    workbench.converse("kept in the restore point")
    workbench.page.evaluate(IMPORT_ITSELF)
    leave(workbench, outside)
    outside.evaluate(GARBLE, [start, end])

    page = visit(ready=False).page
    page.get_by_role("button", name="Restore the state of").click(timeout=60_000)
    confirm(page, "Restore")

    expect(page.locator("#healing")).to_contain_text("is kept aside", timeout=60_000)
    workbench = Workbench(page)
    workbench.expect_ready()
    expect(workbench.conversation("kept in the restore point")).to_be_visible()


def test_when_everything_is_damaged_one_can_start_anew(visit, outside):
    workbench = visit()
    workbench.converse("lost")
    leave(workbench, outside)
    outside.evaluate(DAMAGE, ["log", None])
    before = set(outside.evaluate(HASHES))

    workbench = visit(ready=False)
    page = workbench.page
    expect_rescue(workbench)
    expect(page.get_by_text("No restore point is stored")).to_be_visible()
    assert serious_violations(page) == []
    page.get_by_role("button", name="Start anew").click()
    confirm(page, "Start anew")

    expect(page.locator("#healing")).to_contain_text("is kept aside", timeout=60_000)
    workbench.expect_ready()
    expect(workbench.conversation("lost")).to_be_hidden()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download it").click()
    assert hashes_in(download.value) == before
    workbench.converse("a new beginning")
    leave(workbench, outside)
    expect(visit().conversation("a new beginning")).to_be_visible()


def test_a_database_deleted_while_it_is_open_is_written_anew(visit, outside):
    workbench = visit()
    workbench.converse("before it was deleted")

    outside.evaluate(DELETE_DATABASE)
    workbench.converse("after it was deleted")
    leave(workbench, outside)

    workbench = visit()
    workbench.conversation("before it was deleted").click()
    expect(workbench.questions).to_have_count(2)
    expect(workbench.page.locator("#healing")).to_be_hidden()


SECRET = "a-secret-that-nobody-may-copy"


def test_a_copied_report_says_nothing_of_the_content(visit, context):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    workbench = visit()
    page = workbench.page
    workbench.converse(SECRET)
    workbench.show_storage()
    inspector = page.locator("#inspector")

    inspector.get_by_role("heading", name="Inspector").click()
    expect(inspector).to_contain_text("Log head")
    inspector.get_by_role("button", name="Verify now").click()
    expect(inspector).to_contain_text("verifies and equals what is in memory")
    inspector.get_by_role("button", name="Copy report").click()

    expect(inspector.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    report = json.loads(copied)
    assert SECRET not in copied
    assert report["mode"] == "indexeddb"
    assert report["path"] == "/persist/agentos.db"
    assert report["verification"]["ok"]
    assert report["store"]["flushes"]
    assert report["store"]["features"]["webLocks"]
    assert SECRET in workbench.questions.first.text_content()


def test_damage_is_found_while_the_database_is_open(visit, outside):
    workbench = visit()
    workbench.converse("sound in memory")
    outside.evaluate(DAMAGE, ["log", [-1]])
    workbench.show_storage()
    inspector = workbench.page.locator("#inspector")

    inspector.get_by_role("heading", name="Inspector").click()
    inspector.get_by_role("button", name="Verify now").click()

    expect(inspector).to_contain_text(re.compile(r"record-\S+\.bin does not verify"))


def test_memory_can_be_diagnosed_too(outside):
    found = outside.evaluate("""async () => {
      const { createAgentOSStorage } = await import('/client.js');
      const storage = await createAgentOSStorage({ platform: 'memory' });
      try {
        return await storage.diagnose({ integrityCheck: true });
      } finally {
        await storage.close();
      }
    }""")

    assert found["mode"] == "memory"
    assert found["store"] is None
    assert found["verification"]["integrityProblems"] == 0


def test_a_store_that_does_not_answer_is_said(context, open_app):
    """WebKit holds a store for a tab that is gone; here another page holds it."""
    bench = Workbench(open_app(context))
    bench.expect_ready()
    bench.converse("Said before")
    holder = open_app(context, "/tests/blank.html")
    bench.page.close()
    holder.evaluate("""async () => {
      const request = indexedDB.open('pyodide-app:pages:main');
      await new Promise((resolve) => (request.onsuccess = resolve));
      const log = request.result.transaction('log', 'readwrite').objectStore('log');
      const hold = () => {
        if (!globalThis.isLetGo) log.count().onsuccess = hold;
      };
      hold();
    }""")

    bench = Workbench(open_app(context))

    words = bench.page.locator("#boot-text")
    expect(words).to_contain_text("does not answer", timeout=60_000)
    holder.evaluate("globalThis.isLetGo = true")
    bench.expect_ready()
    bench.conversation("Said before").click()
    expect(bench.questions).to_have_count(1)
