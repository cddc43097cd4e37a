"""Encryption at rest: what a person does, and what is left in the browser."""

import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser.workbench import Workbench

SECRET = "the treasure lies under the third oak"
PASSPHRASE = "correct horse battery staple"

# Everything an origin can store, searched for a word as UTF-8 and as UTF-16, also in
# what is compressed. Returns where it was found, and how many values were searched.
SEARCH = """async (word) => {
  const needles = [
    new TextEncoder().encode(word),
    new Uint8Array(new Uint16Array([...word].map((c) => c.charCodeAt(0))).buffer),
  ];
  const found = [];
  let searched = 0;
  const includes = (bytes, needle) => {
    outer: for (let at = bytes.indexOf(needle[0]); at >= 0;
                at = bytes.indexOf(needle[0], at + 1)) {
      for (let i = 1; i < needle.length; i++) {
        if (bytes[at + i] !== needle[i]) continue outer;
      }
      return true;
    }
    return false;
  };
  const unpacked = async (bytes) => {
    const stream = new Blob([bytes]).stream();
    const plain = stream.pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(plain).arrayBuffer());
  };
  const search = async (where, value) => {
    if (value instanceof Blob) value = await value.arrayBuffer();
    if (value instanceof ArrayBuffer) value = new Uint8Array(value);
    if (typeof value === 'string') value = new TextEncoder().encode(value);
    if (ArrayBuffer.isView(value)) {
      searched++;
      if (needles.some((needle) => includes(value, needle))) found.push(where);
      if (value[0] === 0x1f && value[1] === 0x8b) {
        await search(`${where} unpacked`, await unpacked(value));
      }
    } else if (value && typeof value === 'object') {
      for (const [key, item] of Object.entries(value)) {
        await search(`${where}.${key}`, key);
        await search(`${where}.${key}`, item);
      }
    }
  };
  const done = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  for (const storage of [localStorage, sessionStorage]) {
    await search('web storage', { ...storage });
  }
  for (const { name } of await indexedDB.databases()) {
    const db = await done(indexedDB.open(name));
    for (const store of db.objectStoreNames) {
      const all = db.transaction(store).objectStore(store);
      const [keys, values] = await Promise.all([
        done(all.getAllKeys()),
        done(all.getAll()),
      ]);
      await search(`${name} ${store} keys`, keys.map(String));
      for (const [i, value] of values.entries()) {
        await search(`${name} ${store} ${keys[i]}`, value);
      }
    }
    db.close();
  }
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      await search(request.url, request.url);
      const response = await cache.match(request);
      await search(request.url, await response.arrayBuffer());
    }
  }
  const root = await navigator.storage.getDirectory();
  for await (const name of root.keys()) found.push(`OPFS ${name}`);
  return { found, searched };
}"""


class Locked(Workbench):
    """The Workbench with a database that has a passphrase."""

    def __init__(self, page) -> None:
        super().__init__(page)
        self.passphrase = page.locator("#lock-passphrase")
        self.unlock_button = page.get_by_role("button", name="Unlock")

    def encrypt(self, passphrase: str = PASSPHRASE) -> None:
        """Encrypt the database, in the panel."""
        self.show_storage()
        self.page.get_by_role("button", name="Encrypt…", exact=True).click()
        dialog = self.page.get_by_role("dialog", name="Encrypt the database")
        dialog.get_by_label("New passphrase").fill(passphrase)
        dialog.get_by_label("The same again").fill(passphrase)
        dialog.get_by_role("button", name="Encrypt").click()
        expect(dialog).to_be_hidden()
        expect(self.page.locator("#encryption-text")).to_contain_text("ChaCha20")

    def unlock(self, passphrase: str = PASSPHRASE) -> None:
        """Fill in the lock screen."""
        expect(self.passphrase).to_be_visible(timeout=60_000)
        self.passphrase.fill(passphrase)
        self.unlock_button.click()


def with_secret(page) -> Locked:
    """Return a tab with one conversation in it."""
    bench = Locked(page)
    bench.expect_ready()
    bench.converse(SECRET)
    return bench


@pytest.fixture
def bench(context, open_app) -> Locked:
    return with_secret(open_app(context))


def search(page, word=SECRET):
    return page.evaluate(SEARCH, word)


def test_after_encrypting_nothing_is_stored_as_plain_text(each_context, open_app):
    """Not in the log, a checkpoint, a restore point, a draft or a cache."""
    bench = with_secret(open_app(each_context))
    blank = open_app(each_context, "/tests/blank.html")
    blank.evaluate(
        """async () => {
          const { createAgentOSStorage } = await import('/client.js');
          const storage = await createAgentOSStorage();
          // Several checkpoints, and a restore point with all of it.
          const db = storage.getAdapter();
          await db.exec('CREATE TABLE filler (x)');
          for (let i = 0; i < 12; i++) {
            await db.run('INSERT INTO filler VALUES (zeroblob(1000000))');
          }
          await db.run('DROP TABLE filler');
          await storage.importDatabase(await storage.exportDatabase());
          await storage.flush();
          await storage.close();
        }"""
    )
    bench.message.fill(f"not sent: {SECRET}")
    before = search(blank)
    places = " ".join(before["found"])
    assert "restore_extents" in places
    assert "web storage" in places
    assert "extents" in places or "log" in places

    bench.encrypt()
    bench.message.fill(f"still not sent: {SECRET}")
    bench.page.wait_for_timeout(300)

    after = search(blank)
    assert after["found"] == []
    assert after["searched"] > 50
    bench.message.fill("")
    bench.converse(f"And again: {SECRET}")
    bench.show_storage()
    assert search(blank)["found"] == []


KEPT_LIST = "localStorage.getItem('pyodide-app:conversations')"


def test_the_kept_list_is_gone_before_anything_is_encrypted(
    context, open_app, wait_until
):
    """The page may die before it hears that the database is encrypted."""
    bench = with_secret(open_app(context))
    blank = open_app(context, "/tests/blank.html")
    wait_until(blank, f"{KEPT_LIST}?.includes('{SECRET}')")
    blank.evaluate("""() => new Promise((resolve, reject) => {
      const hold = async () => {
        const { createAgentOSStorage } = await import('/client.js');
        const db = (await createAgentOSStorage()).getAdapter();
        await db.transaction(async () => {
          await new Promise((end) => {
            globalThis.letGo = end;
            resolve();
          });
        });
      };
      hold().catch(reject);
    })""")
    bench.show_storage()
    bench.page.get_by_role("button", name="Encrypt…", exact=True).click()
    dialog = bench.page.get_by_role("dialog", name="Encrypt the database")
    dialog.get_by_label("New passphrase").fill(PASSPHRASE)
    dialog.get_by_label("The same again").fill(PASSPHRASE)
    dialog.get_by_role("button", name="Encrypt").click()

    wait_until(blank, f"{KEPT_LIST} === null")
    expect(dialog).to_be_visible()

    blank.evaluate("letGo()")
    expect(dialog).to_be_hidden()
    assert blank.evaluate(KEPT_LIST) is None


def test_the_kept_list_goes_when_another_page_encrypts(context, open_app):
    bench = with_secret(open_app(context))
    blank = open_app(context, "/tests/blank.html")
    bench.message.fill(f"not sent: {SECRET}")
    bench.page.close()
    assert SECRET in blank.evaluate(KEPT_LIST)
    blank.evaluate(
        """async (passphrase) => {
          const { createAgentOSStorage } = await import('/client.js');
          const storage = await createAgentOSStorage();
          await storage.encrypt(passphrase);
          await storage.close();
        }""",
        PASSPHRASE,
    )
    assert search(blank)["found"] == []

    bench = Locked(open_app(context))

    expect(bench.passphrase).to_be_visible(timeout=60_000)
    expect(bench.page.get_by_text(SECRET)).to_have_count(0)


def test_what_is_not_sent_stays_where_it_cannot_be_encrypted(context, open_app):
    bench = with_secret(open_app(context))
    bench.message.fill("not sent yet")
    code = bench.page.evaluate("""async () => {
      const { createAgentOSStorage } = await import('/client.js');
      const storage = await createAgentOSStorage();
      return storage.encrypt('').then(() => 'encrypted', ({ code }) => code);
    }""")
    assert code == "invalid_arguments"

    bench.page.reload()

    bench.expect_ready()
    expect(bench.message).to_have_value("not sent yet")


def test_the_lock_screen_opens_with_the_passphrase_only(each_context, open_app):
    bench = with_secret(open_app(each_context))
    bench.encrypt()
    bench.page.reload()
    bench.unlock("wrong")
    expect(bench.page.locator("#lock-error")).to_contain_text("not the passphrase")
    expect(bench.page.get_by_text(SECRET)).to_have_count(0)
    expect(bench.message).to_be_hidden()

    bench.unlock()
    bench.expect_ready()
    expect(bench.questions.first).to_contain_text(SECRET)
    bench.converse("It goes on")


def test_locking_locks_every_tab_and_unlocking_opens_it(bench, context, open_app):
    bench.encrypt()
    other = Locked(open_app(context))
    other.expect_ready()

    bench.show_storage()
    bench.page.get_by_role("button", name="Lock now").click()
    for tab in (bench, other):
        expect(tab.passphrase).to_be_visible(timeout=60_000)
        expect(tab.page.get_by_text(SECRET)).to_have_count(0)

    bench.unlock()
    bench.expect_ready()
    # The other tab looks again when somebody looks at it.
    other.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    other.expect_ready()


def test_it_locks_by_itself_when_nobody_touches_it(context, open_app):
    context.clock.install()
    bench = Locked(open_app(context))
    bench.expect_ready()
    bench.converse(SECRET)
    bench.encrypt()

    context.clock.run_for(16 * 60 * 1000)

    expect(bench.passphrase).to_be_visible(timeout=60_000)


def test_a_backup_leaves_encrypted_or_plain_and_comes_back(
    bench, new_context, open_app, tmp_path
):
    bench.encrypt()
    files = {}
    for kind in ("Encrypted", "Plain"):
        bench.show_storage()
        bench.download.click()
        dialog = bench.page.get_by_role("dialog", name="Download backup")
        dialog.get_by_role("radio", name=kind).check()
        with bench.page.expect_download() as download:
            dialog.get_by_role("button", name="Download").click()
        files[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[kind])
    assert files["Encrypted"].name.endswith(".encrypted.db")
    assert SECRET.encode() not in files["Encrypted"].read_bytes()
    with closing(sqlite3.connect(files["Plain"])) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (text,) = db.execute("SELECT event_data FROM conversation_events").fetchone()
        assert SECRET in text

    context = new_context()
    context.set_default_timeout(60_000)
    other = Locked(open_app(context))
    other.expect_ready()
    other.pick(files["Encrypted"])
    dialog = other.page.locator("#import-dialog")
    passphrase = dialog.get_by_label("Passphrase of the file")
    expect(dialog).to_contain_text("is encrypted")
    passphrase.fill("wrong")
    dialog.get_by_role("button", name="Open", exact=True).click()
    expect(dialog).to_contain_text("not its passphrase")
    passphrase.fill(PASSPHRASE)
    dialog.get_by_role("button", name="Open", exact=True).click()
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_role("heading", name="Imported")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(other.conversation(SECRET)).to_be_visible()


def test_a_passphrase_is_changed_and_taken_away(bench):
    bench.encrypt("first")
    page = bench.page
    page.get_by_role("button", name="Change passphrase…").click()
    dialog = page.get_by_role("dialog", name="Change the passphrase")
    dialog.get_by_label("Present passphrase").fill("wrong")
    dialog.get_by_label("New passphrase").fill("second")
    dialog.get_by_label("The same again").fill("second?")
    dialog.get_by_role("button", name="Change it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("differ")
    dialog.get_by_label("The same again").fill("second")
    dialog.get_by_role("button", name="Change it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("does not open")
    dialog.get_by_label("Present passphrase").fill("first")
    dialog.get_by_role("button", name="Change it").click()
    expect(dialog).to_be_hidden()
    page.reload()
    bench.unlock("first")
    expect(page.locator("#lock-error")).to_be_visible()
    bench.unlock("second")
    bench.expect_ready()

    bench.show_storage()
    page.get_by_role("button", name="Decrypt…").click()
    dialog = page.get_by_role("dialog", name="Decrypt the database")
    dialog.get_by_label("Present passphrase").fill("second")
    dialog.get_by_role("button", name="Decrypt").click()
    expect(dialog).to_be_hidden()
    page.reload()
    bench.expect_ready()
    expect(bench.questions.first).to_contain_text(SECRET)
    restore = page.get_by_role("button", name="Restore the state of")
    bench.show_storage()
    expect(restore).to_have_count(3)


def test_the_javascript_api_opens_encrypts_and_locks(bare_page):
    seen = bare_page.evaluate(
        """async () => {
          const { createAgentOSStorage, IndexedDbAdapter } = await import('/client.js');
          const code = (promise) => promise.then(() => 'nothing', (e) => e.code);
          const named = (passphrase, dbName = 'vault') =>
            createAgentOSStorage({ dbName, passphrase });
          const vault = await named('sesame');
          await vault.conversations.save('c', 'me', 'p', [{ type: 'user_message' }]);
          const seen = [(await vault.status()).encryption];
          seen.push(await code(named('other')));
          await vault.lock();
          seen.push(await code(vault.conversations.get('c')));
          seen.push(await code(named(undefined)));
          seen.push(await code(named('other')));
          const again = await named('sesame');
          seen.push((await again.conversations.get('c')).conversation.id);
          // Who had it open before has it again.
          seen.push((await vault.conversations.get('c')).conversation.id);
          const backup = await again.exportDatabase({ keepEncryption: true });
          const plain = await named(undefined, 'plain');
          seen.push(await code(plain.importDatabase(backup)));
          await plain.importDatabase(backup, { passphrase: 'sesame' });
          seen.push((await plain.status()).encryption);
          seen.push(await code(plain.lock()), await code(named('x', 'plain')));
          await plain.encrypt('next', { cipher: 'sqlcipher' });
          seen.push((await plain.status()).encryption);
          await plain.decrypt('next');
          const memory = { platform: 'memory', passphrase: 'x' };
          seen.push(await code(createAgentOSStorage(memory)));
          seen.push(await code(named('')));
          return seen;
        }"""
    )

    assert seen == [
        "chacha20",
        "wrong_passphrase",
        "passphrase_required",
        "passphrase_required",
        "wrong_passphrase",
        "c",
        "c",
        "passphrase_required",
        None,
        "not_encrypted",
        "not_encrypted",
        "sqlcipher",
        "encryption",
        "invalid_arguments",
    ]
