"""Eight tabs write at once, while some of them are closed, reloaded or killed."""

import math
import random
import secrets
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page

from tests.browser.writing import engine_of, open_blank
from tests.reliability import Row

_TABS = 8

_START = """async () => {
  const { KeyedWrites } = await import('/tests/keyed-writes.js');
  globalThis.writes = new KeyedWrites({ dbName: 'tabs', durability: 'commit' });
  await writes.open();
  const { tab } = sessionStorage;
  const heard = [];
  // One by one would be more than can be listened to.
  const tell = () => acknowledged([tab, heard.splice(0)]);
  setInterval(tell, 100);
  globalThis.writing = writes.write((key, at) => heard.push([key, at]))
    .then(() => 'stopped', (error) => error.code ?? String(error))
    .finally(tell);
}"""

# In milliseconds; asserted where there is time to measure, see the test.
_ANSWER_WITHIN = 2000


class Tabs:
    """Eight tabs of one browser, and what was acknowledged to each.

    Attributes:
        gone: How a tab went, when, in Unix milliseconds, and which ones stayed.
        answers: When a tab had an answer, by tab.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._context = context
        self._url = url
        self._next = 0
        self.open: dict[str, Page] = {}
        self.acknowledged: list[str] = []
        self.answers: dict[str, list[float]] = {}
        self.gone: list[tuple[str, float, list[str]]] = []
        context.expose_function("acknowledged", self._acknowledge)

    def fill(self) -> None:
        """Open tabs until there are eight."""
        while len(self.open) < _TABS:
            self._next += 1
            name = f"tab {self._next}"
            page = open_blank(self._context, self._url)
            page.evaluate("(name) => { sessionStorage.tab = name; }", name)
            self.open[name] = page
            page.evaluate(_START)

    def lose_one(self, rng: random.Random, ways: list[str]) -> None:
        """One tab is closed, reloaded, or killed with its renderer."""
        name = rng.choice(list(self.open))
        page = self.open[name]
        way = rng.choice(ways)
        stay = [other for other in self.open if other != name]
        self.gone.append((way, time.time() * 1000, stay))
        if way == "reloaded":
            page.reload()
            page.evaluate(_START)
            return
        del self.open[name]
        if way == "killed":
            with page.expect_event("crash"), suppress(Error):
                page.goto("chrome://crash")
        page.close()

    def stop(self) -> dict[str, int]:
        """Let all come to their end; return how often each key is there."""
        for page in self.open.values():
            page.evaluate("writes.stop()")
        for page in self.open.values():
            assert page.evaluate("writing") == "stopped"
        rows = page.evaluate("writes.counts()")
        return {row["key"]: row["count"] for row in rows}

    def longest_wait(self, ways: Collection[str]) -> float:
        """How long a survivor waited for its next answer, in milliseconds.

        Args:
            ways: In which a tab went that count.
        """
        waits = [0.0]
        for way, when, stay in self.gone:
            for name in stay if way in ways else ():
                # One that went itself before an answer came tells nothing.
                never = math.inf if name in self.open else 0
                later = (at - when for at in self.answers.get(name, ()) if at > when)
                waits.append(next(later, never))
        return max(waits)

    def _acknowledge(self, what: list[Any]) -> None:
        tab, heard = what
        self.acknowledged += [key for key, _at in heard]
        self.answers.setdefault(tab, []).extend(at for _key, at in heard)


def test_eight_tabs_write_at_once_and_some_of_them_go(
    each_context: BrowserContext,
    base_url: str,
    soak_count: int,
    reliability: Callable[..., Row],
) -> None:
    """No acknowledged write is lost or doubled, and who stays goes on."""
    row = reliability("one of 8 writing tabs closed, reloaded or killed", mode="commit")
    row.engine = engine_of(each_context)
    seed = secrets.randbits(32)
    rng = random.Random(seed)  # noqa: S311 (to repeat, not to hide)
    ways = ["closed", "reloaded"]
    if row.engine.startswith("Chromium"):
        ways.append("killed")
    tabs = Tabs(each_context, base_url)
    tabs.fill()
    ends_at = time.monotonic() + min(60, 10 + soak_count / 10)
    while time.monotonic() < ends_at:
        next(iter(tabs.open.values())).wait_for_timeout(rng.uniform(200, 1500))
        tabs.lose_one(rng, ways)
        tabs.fill()
    counts = tabs.stop()

    row.faults = len(tabs.gone)
    row.acknowledged = len(tabs.acknowledged)
    missing = [key for key in tabs.acknowledged if key not in counts]
    doubled = [key for key, count in counts.items() if count != 1]
    row.lost = len(missing) + len(doubled)
    worst = tabs.longest_wait(["closed", "reloaded"])
    row.note = f"slowest next answer to a survivor: {worst:.0f} ms"
    if "killed" in ways:
        worst_killed = tabs.longest_wait(["killed"])
        row.note += f"; after a kill, which may end the host: {worst_killed:.0f} ms"
    assert (missing, doubled) == ([], []), f"seed {seed}"
    row.survived = row.faults
    if soak_count >= 1000:
        assert worst <= _ANSWER_WITHIN
