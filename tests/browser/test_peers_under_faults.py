"""The same faults for ours, for the original, and for wa-sqlite on IndexedDB.

In each fault all of them write at the same time, in one browser; then each is opened
again. An acknowledged write that is not there is *lost*; a database that SQLite
cannot read, or whose `integrity_check` is not ok, is *corrupt*. Ours must lose
nothing; what happens to the others is counted, and where they must fail, that they do.
"""

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.killing import kill_renderers
from tests.browser.peer_report import Row
from tests.browser.sides import Side
from tests.browser.test_storage_pressure import Quota


@dataclass(frozen=True, eq=False)
class Peer:
    """One of the systems, and how it is asked to store.

    Attributes:
        title: For the table.
        side: As in ``pages/sides.js``.
        options: Of its adapter.
        saves: Whether its own save path is awaited after each write.
    """

    title: str
    side: str
    options: dict[str, object] = field(default_factory=dict)
    saves: bool = False


OURS = Peer("ours, `commit`", "ours", {"durability": "commit"})
ORIGINAL = Peer("original", "original")
SAVING = Peer("original, saving after each write", "original", saves=True)
WA_SQLITE = Peer("wa-sqlite, IDBBatchAtomicVFS", "wa-sqlite")
PEERS = (OURS, ORIGINAL, SAVING, WA_SQLITE)

# Text that no other row has and nothing compresses.
TEXT = """(i, size) => {
  let state = i + 1;
  let text = '';
  while (text.length < size) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += state.toString(36);
  }
  return text;
}"""

OPEN = """async ({ open }, options) => {
  globalThis.db = await open(options);
  await db.exec('CREATE TABLE IF NOT EXISTS row (i INTEGER PRIMARY KEY, text)');
}"""

# Each write gives the browser a moment, in which the original's timer can run.
WRITE = f"""({{ save, later, outcomeOf }}, [title, saves, from, count, size]) => {{
  const text = {TEXT};
  globalThis.writing = outcomeOf(async () => {{
    for (let i = from; i < from + count; i++) {{
      await db.run('INSERT OR REPLACE INTO row VALUES (?, ?)', [i, text(i, size)]);
      if (saves) await save(db);
      void acknowledged(title, i);
      await later(5);
    }}
    await db.close();
  }});
}}"""

# `told`: something said that data are missing.
CHECK = f"""async ({{ open, outcomeOf }}, [options, size]) => {{
  const text = {TEXT};
  const good = [];
  let told = false;
  const outcome = await outcomeOf(async () => {{
    const db = await open(options);
    const {{ recovery }} = (await db.status?.()) ?? {{}};
    told = (recovery?.problems.length ?? 0) > 0;
    const [{{ integrity_check: found }}] = await db.all('PRAGMA integrity_check');
    if (found !== 'ok') throw new Error(found);
    for (const row of await db.all('SELECT i, text FROM row')) {{
      if (row.text === text(row.i, size)) good.push(row.i);
    }}
  }});
  const corrupt = outcome !== 'ok' && !outcome.includes('no such table');
  return {{ good, corrupt, told: told || corrupt }};
}}"""

# One bit of one byte of whatever an IndexedDB holds as bytes.
DAMAGE = """async ([name, place]) => {
  const asPromise = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const bytesOf = (value) => [value, ...Object.values(value)]
    .filter((part) => part instanceof Uint8Array || part instanceof ArrayBuffer)
    .map((part) => new Uint8Array(part.buffer ?? part));
  const db = await asPromise(indexedDB.open(name));
  const stores = [...db.objectStoreNames];
  const transaction = db.transaction(stores, 'readwrite');
  const found = [];
  for (const name of stores) {
    const store = transaction.objectStore(name);
    const keys = await asPromise(store.getAllKeys());
    for (const key of keys) {
      const value = await asPromise(store.get(key));
      for (const bytes of bytesOf(value)) found.push({ store, key, value, bytes });
    }
  }
  let at = Math.floor(place * found.reduce((sum, { bytes }) => sum + bytes.length, 0));
  const hit = found.find(({ bytes }) => {
    if (at < bytes.length) return true;
    at -= bytes.length;
    return false;
  });
  hit.bytes[at] ^= 1;
  const { store, key, value } = hit;
  await asPromise(store.keyPath === null ? store.put(value, key) : store.put(value));
  db.close();
}"""

_SIZE = 1000


class Trial:
    """Some of the systems under one fault, round after round.

    Args:
        fault: In a few words.
        engine: The browser and its version.
        peers: What is tried.
        size: Of each row's text, in characters.
    """

    def __init__(
        self, fault: str, engine: str, peers: Sequence[Peer], size: int
    ) -> None:
        self.rows = [Row(fault, engine, peer.title) for peer in peers]
        self._peers = peers
        self._size = size
        self._acknowledged: dict[str, set[int]] = {peer.title: set() for peer in peers}
        self._next = 0

    def of(self, peer: Peer) -> Row:
        """Return the row of *peer*."""
        return self.rows[self._peers.index(peer)]

    def listen(self, context: BrowserContext) -> None:
        """Hear of each acknowledged write in *context* as soon as its page does."""
        context.expose_function("acknowledged", self._acknowledge)

    def enter(self, context: BrowserContext) -> list[Side]:
        """Give each system a new page, with its database not yet open."""
        return [Side(context, peer.side, peer.title) for peer in self._peers]

    def open(self, sides: Sequence[Side]) -> None:
        for side, peer in zip(sides, self._peers, strict=True):
            side(OPEN, peer.options)

    def write(self, sides: Sequence[Side], count: int = 100_000) -> None:
        """Begin to write *count* rows into each, and to close it then."""
        for side, peer in zip(sides, self._peers, strict=True):
            side(WRITE, [peer.title, peer.saves, self._next, count, self._size])
        self._next += count

    def check(self, sides: Sequence[Side]) -> None:
        """Open each after a round, and count what is not as it was promised."""
        for side, peer in zip(sides, self._peers, strict=True):
            row, acknowledged = self.of(peer), self._acknowledged[peer.title]
            found = side(CHECK, [peer.options, self._size])
            lost = acknowledged.difference(found["good"])
            row.rounds += 1
            row.lost += len(lost)
            row.corrupt += found["corrupt"]
            row.silent += bool(lost) and not found["told"]
            acknowledged -= lost
            side.page.close()

    def forget(self) -> None:
        """Begin with empty databases again."""
        for acknowledged in self._acknowledged.values():
            acknowledged.clear()

    def _acknowledge(self, title: str, i: int) -> None:
        self._acknowledged[title].add(i)
        self.rows[[peer.title for peer in self._peers].index(title)].acknowledged += 1


class Begin(Protocol):
    """Begins a trial; its rows go to the report whatever becomes of the test."""

    def __call__(
        self,
        fault: str,
        peers: Sequence[Peer] = PEERS,
        *,
        size: int = _SIZE,
        browser: Browser | None = None,
    ) -> Trial: ...


@pytest.fixture(scope="module")
def begin(peers: None, browser: Browser, peer_rows: list[Row]) -> Begin:
    usual = browser

    def begin_trial(
        fault: str,
        peers: Sequence[Peer] = PEERS,
        *,
        size: int = _SIZE,
        browser: Browser | None = None,
    ) -> Trial:
        used = browser or usual
        engine = f"{used.browser_type.name.capitalize()} {used.version}"
        trial = Trial(fault, engine, peers, size)
        peer_rows.extend(trial.rows)
        return trial

    return begin_trial


@pytest.fixture
def rounds(soak_count: int) -> int:
    """How often a fault is tried: once by default."""
    return max(1, soak_count // 50)


@pytest.mark.parametrize(
    "profile",
    [
        "persistent_profile",
        pytest.param("firefox_profile", marks=pytest.mark.firefox),
    ],
)
def test_d01_a_killed_browser_loses_nothing_acknowledged(
    begin, profile, request, base_url, rounds
):
    """SIGKILL to every process of it."""
    profile = request.getfixturevalue(profile)
    context = profile.launch(base_url=base_url)
    trial = begin("browser killed while it writes", browser=context.browser)
    for _ in range(rounds):
        trial.listen(context)
        sides = trial.enter(context)
        trial.open(sides)
        trial.write(sides)
        _wait(sides)
        profile.kill()
        context = profile.launch(base_url=base_url)
        trial.check(trial.enter(context))

    assert trial.of(OURS).lost == trial.of(OURS).corrupt == 0
    assert trial.of(ORIGINAL).lost > 0


def test_d01_a_killed_renderer_loses_nothing_acknowledged(
    begin, persistent_profile, base_url, rounds
):
    """The browser and its IndexedDB live on."""
    trial = begin("renderer killed while it writes")
    context = persistent_profile.launch(base_url=base_url)
    trial.listen(context)
    for _ in range(rounds):
        sides = trial.enter(context)
        trial.open(sides)
        trial.write(sides)
        _wait(sides)
        with sides[0].page.expect_event("crash"):
            assert kill_renderers(persistent_profile.group) > 0
        for side in sides:
            side.page.close()
        trial.check(trial.enter(context))

    assert trial.of(OURS).lost == trial.of(OURS).corrupt == 0
    assert trial.of(ORIGINAL).lost > 0


def test_d06_two_tabs_that_write_at_once_lose_nothing(begin, context, rounds):
    """Both have it open before either writes; then both close it."""
    trial = begin("two tabs write at once")
    trial.listen(context)
    for _ in range(rounds):
        tabs = trial.enter(context), trial.enter(context)
        for sides in tabs:
            trial.open(sides)
        for sides in tabs:
            trial.write(sides, 50)
        for sides in tabs:
            _finish(sides)
        trial.check(trial.enter(context))

    assert trial.of(OURS).acknowledged == 100 * rounds
    assert trial.of(OURS).lost == trial.of(OURS).corrupt == 0
    assert trial.of(ORIGINAL).lost > 0


@dataclass(frozen=True)
class Filled:
    """What was left when a system had written into too little space.

    Attributes:
        end: 'ok', or how the first write that failed did.
        row: Of the report.
        share: Of the quota that the rows take which are there, from 0 to 1.
    """

    end: str
    row: Row
    share: float


@pytest.fixture(scope="module")
def filled(begin: Begin, browser: Browser, base_url: str) -> dict[Peer, Filled]:
    """Each of them after 30 MB into a quota of 20 MB."""
    quota, size = 20_000_000, 2_000_000
    found = {}
    for peer in (OURS, SAVING, WA_SQLITE):
        trial = begin("storage full", [peer], size=size)
        with browser.new_context(base_url=base_url) as context:
            trial.listen(context)
            # It lasts as long as the page that it was set through.
            blank = context.new_page()
            blank.goto("/tests/blank.html")
            Quota(blank, base_url).set(quota)
            sides = trial.enter(context)
            trial.open(sides)
            trial.write(sides, 15)
            [end] = _finish(sides)
            trial.check(trial.enter(context))
        row = trial.of(peer)
        share = (row.acknowledged - row.lost) * size / quota
        found[peer] = Filled(end, row, share)
    return found


def test_d04_a_full_storage_is_an_error_and_loses_nothing(filled):
    """The original reports success to the end."""
    assert filled[OURS].end == "quota_exceeded"
    assert filled[OURS].row.lost == filled[OURS].row.corrupt == 0

    assert filled[SAVING].end == "ok"
    assert filled[SAVING].row.silent == 1


def test_d05_most_of_the_quota_can_be_used(filled):
    """The original needs room for the old file and for the new one."""
    assert filled[OURS].share > 0.5

    assert filled[SAVING].share <= 0.5


def test_d26_a_stored_byte_that_changed_is_noticed(begin, browser, base_url, rounds):
    """Ours never opens as if nothing had happened."""
    trial = begin("one stored byte changed", (OURS, ORIGINAL, WA_SQLITE))
    rng = random.Random(26)  # noqa: S311
    for _ in range(2 * rounds):
        trial.forget()
        with browser.new_context(base_url=base_url) as context:
            trial.listen(context)
            sides = trial.enter(context)
            trial.open(sides)
            trial.write(sides, 30)
            _finish(sides)
            page = context.new_page()
            page.goto("/tests/blank.html")
            for name in ("pyodide-app:pages:main", ORIGINAL.title, WA_SQLITE.title):
                page.evaluate(DAMAGE, [name, rng.random()])
            trial.check(trial.enter(context))

    assert trial.of(OURS).silent == trial.of(OURS).corrupt == 0


def _wait(sides: Sequence[Side]) -> None:
    """Let them write for a moment of random length."""
    ms = 300 + secrets.randbelow(1700)
    sides[0].page.wait_for_timeout(ms)


def _finish(sides: Sequence[Side]) -> list[str]:
    """Wait until all have written and closed, and close the pages."""
    ends = []
    for side in sides:
        ends.append(side.page.evaluate("writing"))
        side.page.close()
    return ends
