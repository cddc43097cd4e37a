"""How long Python takes to start, against Pyodide as npm has it.

Both sides and the first paint are measured in turns in one Chromium, every file
from the cache of a service worker: ours of the app's own, which has also left a
copy of Python's memory, as any visit does. The first turns only fill caches; they
last, because a browser keeps compiled code when it has been used for a while.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Playwright, expect

from tests.benchmarks.cells import Cells, said_at_most, shown
from tests.benchmarks.chromium import launch
from tests.benchmarks.results import Key, Results
from tests.browser.workbench import Workbench
from tools.commands import say
from tools.project import DIST, WEB, settings
from tools.server import AppServer

__all__ = ["START_HEADERS", "measure_start", "started"]

START_HEADERS = ("what", "ours", "plain Pyodide", "share", "target")

_SHARE = 0.25
_FIRST_PAINT_MS = 300
_WARM_UP = 2
_VISIT_MS = 5_000
_TITLE = "The walnut and the hazelnut"

_SIDES = Path(__file__).parent / "sides" / "start"
_FOLDERS = {
    "/bench/start/": _SIDES,
    "/bench/start/npm/": WEB / "node_modules" / "pyodide",
    # Out of the reach of the other side's service worker.
    "/bench/app/": _SIDES,
}
_PAGES = {"ours": "/bench/app/blank.html", "plain": "/bench/start/blank.html"}

_COPIES = """async () => {
  const cache = await caches.open('pyodide-app:python');
  return (await cache.keys()).length;
}"""
_COPY_PATIENCE_MS = 60_000

_CALL = """async ([method, side]) => {
  const sides = await import('/bench/start/sides.js');
  return sides[method](side);
}"""

# The frame after the one in which a conversation stood in the list is painted.
_WATCH = """(() => {
  const look = () => {
    if (document.querySelector('.conversation')) {
      requestAnimationFrame(() => { globalThis.firstPaint = performance.now(); });
    } else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();"""


def measure_start(
    playwright: Playwright, runs: int, results: Results, step: Callable[[str], None]
) -> None:
    """Add the first query of both sides, and ours' first paint, to *results*."""
    with (
        tempfile.TemporaryDirectory(prefix="pyodide-app-bench-") as profile,
        AppServer(DIST, extra=_FOLDERS) as server,
        launch(playwright, Path(profile)) as context,
    ):
        with _page(context, f"{server.url}/bench/start/blank.html") as page:
            page.evaluate(_CALL, ["keepFiles", ""])
        with _page(context, server.url) as page:
            bench = Workbench(page)
            bench.expect_ready()
            bench.converse(_TITLE)
            expect(page.locator("#facts")).to_contain_text("Works offlineready")
            if settings().snapshot:
                _await_copy(page)
        for turn in range(-_WARM_UP, runs):
            step(f"start, run {turn + 1 if turn >= 0 else 'to warm up'}")
            numbers = _turn(
                context,
                server.url,
                is_swapped=turn % 2 == 1,
                stay_ms=_VISIT_MS if turn < 0 else 0,
            )
            if turn >= 0:
                for key, ms in numbers.items():
                    results.add(key, ms)


def started(results: Results) -> Iterator[Cells]:
    """The lines of the table below `START_HEADERS`."""
    ours = results.find(_key("first query", "ours"))
    plain = results.find(_key("first query", "plain"))
    if ours is not None and plain is not None:
        share = ours.median / plain.median
        yield (
            "start of Python to first query",
            shown(ours, "ms"),
            shown(plain, "ms"),
            f"{share:.2f}",
            said_at_most(f"at most {_SHARE} of it", share, _SHARE),
        )
    paint = results.find(_key("first paint", "ours"))
    if paint is not None:
        words = f"at most {_FIRST_PAINT_MS} ms"
        met = said_at_most(words, paint.median, _FIRST_PAINT_MS)
        yield ("page to paint of the conversations", shown(paint, "ms"), "", "", met)


def _turn(
    context: BrowserContext, url: str, *, is_swapped: bool, stay_ms: int
) -> dict[Key, float]:
    numbers = {}
    names = ["plain", "ours"] if is_swapped else ["ours", "plain"]
    for name in names:
        with _page(context, url + _PAGES[name]) as page:
            ms = page.evaluate(_CALL, ["firstQuery", name])
            numbers[_key("first query", name)] = float(ms)
            page.wait_for_timeout(stay_ms)
    with _page(context, url, script=_WATCH) as page:
        expect(page.locator(".conversation").first).to_contain_text(_TITLE)
        Workbench(page).expect_ready()
        ms = page.evaluate("globalThis.firstPaint")
        numbers[_key("first paint", "ours")] = float(ms)
        if stay_ms:
            _talk(page)
            page.wait_for_timeout(stay_ms)
    return numbers


def _talk(page: Page) -> None:
    bench = Workbench(page)
    bench.conversation(_TITLE).click()
    expect(bench.answers).not_to_have_count(0)
    for _ in range(5):
        bench.converse("And then?")


def _await_copy(page: Page) -> None:
    for _ in range(0, _COPY_PATIENCE_MS, 500):
        if page.evaluate(_COPIES):
            return
        page.wait_for_timeout(500)
    say("no copy of Python's memory was made: it starts from its files")


def _key(measure: str, side: str) -> Key:
    return Key(measure, side, "read")


@contextmanager
def _page(context: BrowserContext, url: str, script: str = "") -> Iterator[Page]:
    """A new tab, closed afterwards, and its workers with it."""
    page = context.new_page()
    try:
        if script:
            page.add_init_script(script)
        page.goto(url)
        yield page
    finally:
        page.close()
        # A shared worker outlives its last tab by a moment.
        with_no_tab = context.new_page()
        with_no_tab.wait_for_timeout(500)
        with_no_tab.close()
