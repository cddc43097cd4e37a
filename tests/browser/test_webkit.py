"""WebKitGTK, the engine of Safari, as far as its driver reaches.

A session of it forgets everything when it ends, so nothing is killed here: tabs are
closed, sent elsewhere and reloaded under writing, and the host dies with the last.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.common import TimeoutException, WebDriverException
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.webkitgtk.options import Options

from tools.browsers import find_webkit

_START_S = 30

pytestmark = pytest.mark.webkit

# Numbered rows, each acknowledged before the next; what was is in localStorage.
_WRITE = """
const storage = await open({ dbName: 'left', durability: 'commit' });
const db = storage.getAdapter();
await db.exec('CREATE TABLE IF NOT EXISTS row (n INTEGER PRIMARY KEY)');
const { last } = await db.get('SELECT coalesce(max(n), 0) AS last FROM row');
const write = async (n) => {
  await db.run('INSERT INTO row VALUES (?)', [n]);
  localStorage.setItem('acknowledged', String(n));
};
const goOn = async (n) => {
  for (;;) await write(n++);
};
await write(last + 1);
goOn(last + 2);
return last;
"""

_CHECK = """
const storage = await open({ dbName: 'left', durability: 'commit' });
const db = storage.getAdapter();
const found = await db.get('SELECT count(*) AS count, max(n) AS last FROM row');
const { integrity_check } = await db.get('PRAGMA integrity_check');
const { recovery, sharedHost } = await storage.status();
await storage.close();
const acknowledged = Number(localStorage.getItem('acknowledged'));
return { ...found, integrity_check, acknowledged, recovery, sharedHost };
"""

# A store that another transaction holds is read after that one's end.
_LOG_IS_READ = """
const database = await new Promise((resolve, reject) => {
  const request = indexedDB.open('pyodide-app:pages:main');
  request.onerror = () => reject(request.error);
  request.onsuccess = () => resolve(request.result);
});
const count = database.transaction('log').objectStore('log').count();
return new Promise((resolve) => {
  count.onsuccess = () => resolve(true);
  setTimeout(resolve, 5000, false);
});
"""

_ENCRYPT = """
const storage = await open({ dbName: 'sealed' });
const event = { type: 'user_message', text: 'under the third oak' };
await storage.conversations.save('c', 'me', 'p', [event]);
await storage.importDatabase(await storage.exportDatabase());
await storage.importDatabase(await storage.exportBlob());
await storage.encrypt('correct horse');
await storage.close();
"""

_OPEN = """
const codeOf = (promise) => promise.then(() => 'open', ({ code }) => code);
const codes = [];
codes.push(await codeOf(open({ dbName: 'sealed' })));
codes.push(await codeOf(open({ dbName: 'sealed', passphrase: 'wrong' })));
const storage = await open({ dbName: 'sealed', passphrase: 'correct horse' });
const hits = await storage.conversations.search('oak');
const points = await storage.restorePoints();
await storage.close();
return [codes, hits.length, points.map(({ encrypted }) => encrypted)];
"""


class Browser:
    """One session; scripts are bodies of async functions that can `open` storage."""

    def __init__(self, driver: webdriver.Remote, base_url: str) -> None:
        self.driver = driver
        self._blank = f"{base_url}/tests/blank.html"
        driver.set_script_timeout(60)

    @property
    def engine(self) -> str:
        return f"WebKitGTK {self.driver.capabilities['browserVersion']}"

    def visit(self) -> None:
        self.driver.get(self._blank)

    def run(self, body: str) -> object:
        """Return what *body* returns; what it throws fails the test."""
        ended, value = self.driver.execute_async_script(
            "const done = arguments[0];"
            "(async () => {"
            "const { createAgentOSStorage: open } = await import('/client.js');"
            f"{body}"
            "})().then((value) => done([true, value]),"
            "(error) => done([false, `${error.code}: ${error.message}`]));"
        )
        assert ended, value
        return value

    def run_on_a_free_store(self, body: str) -> object:
        """Run *body* as `run` does, unless the engine has locked the store.

        Of a worker that dies WebKit leaves a transaction open now and then, until
        the browser ends; web/worker/page-store.js has the figures. No page can
        undo that, and the app says so.
        """
        try:
            return self.run(body)
        except TimeoutException:
            if self.run(_LOG_IS_READ):
                raise
            pytest.xfail("WebKitGTK holds the store for a worker that is gone")


@pytest.fixture
def webkit(base_url: str) -> Iterator[Browser]:
    """A browser with an empty profile."""
    found = find_webkit()
    if found is None:
        pytest.skip("there is no WebKitGTK with a driver on this machine")
    server, program = found
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["xvfb-run", "-a", server, f"--port={port}"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    options = Options()
    options.binary_location = program
    options.add_argument("--automation")
    try:
        driver = _connected(port, options)
        yield Browser(driver, base_url)
        with contextlib.suppress(WebDriverException):
            driver.quit()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _connected(port: int, options: Options) -> webdriver.Remote:
    end = time.monotonic() + _START_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                address = ClientConfig(remote_server_addr=f"http://127.0.0.1:{port}")
                return webdriver.Remote(
                    RemoteConnection(client_config=address), options=options
                )
        if time.monotonic() > end:
            pytest.fail(f"the driver of WebKitGTK did not start in {_START_S} s")
        time.sleep(0.1)


def _close(webkit: Browser) -> None:
    old = webkit.driver.current_window_handle
    webkit.driver.switch_to.new_window("window")
    new = webkit.driver.current_window_handle
    webkit.driver.switch_to.window(old)
    webkit.driver.close()
    webkit.driver.switch_to.window(new)


_WAYS = {
    "reloaded": lambda webkit: webkit.driver.refresh(),
    "sent elsewhere": lambda webkit: webkit.driver.get("about:blank"),
    "closed": _close,
}


@pytest.mark.parametrize("way", _WAYS)
def test_the_only_tab_left_while_it_writes(webkit, soak_count, reliability, way):
    """Every acknowledged row is there, in order, and SQLite finds no fault."""
    row = reliability(f"only tab {way} while it writes", mode="commit")
    row.engine = webkit.engine
    for _ in range(max(2, soak_count // 20)):
        webkit.visit()
        begun = webkit.run_on_a_free_store(_WRITE)
        time.sleep(0.3)
        row.faults += 1
        _WAYS[way](webkit)
        webkit.visit()

        found = webkit.run_on_a_free_store(_CHECK)

        assert found["integrity_check"] == "ok"
        assert found["recovery"]["problems"] == []
        assert found["sharedHost"]
        row.acknowledged += found["acknowledged"] - begun
        row.lost += max(0, found["acknowledged"] - found["last"])
        assert found["count"] == found["last"] >= found["acknowledged"]
        row.survived += 1


def test_it_encrypts_and_opens_with_the_passphrase_only(webkit):
    webkit.visit()
    webkit.run(_ENCRYPT)
    webkit.driver.refresh()

    codes, hits, points = webkit.run(_OPEN)

    assert codes == ["passphrase_required", "wrong_passphrase"]
    assert hits == 1
    assert points == [True, True, True]


_MOVE = """
const storage = await open({ dbName: 'files', durability: 'commit' });
const db = storage.getAdapter();
await db.exec('CREATE TABLE row (n); INSERT INTO row VALUES (1)');
const code = await storage.moveTo('opfs').then(() => 'moved', ({ code }) => code);
const { store } = await storage.status();
const { n } = await db.get('SELECT n FROM row');
await storage.close();
return [code, store, n];
"""


def test_without_files_a_database_stays_where_it_is(webkit):
    """WebKitGTK 2.50 has no OPFS. It says so, and goes on as before."""
    webkit.visit()

    assert webkit.run(_MOVE) == ["opfs_unavailable", "indexeddb", 1]
