"""One Chromium on an empty profile, and the sides that run in its pages.

Memory is the proportional set size (PSS) that Linux counts for the browser's
processes: unlike `performance.measureUserAgentSpecificMemory`, it needs no page
that is isolated from other origins, which neither app is as people use it, and it
contains what IndexedDB keeps outside JavaScript's heap. A page that is shared by
several processes counts once.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, Playwright

from tests.benchmarks.process_memory import (
    forget_peak,
    peak_resident_size,
    proportional_set_size,
)
from tools.browsers import CHROMIUM_ARGS, find_chromium
from tools.commands import say

__all__ = ["Chromium", "Memory", "OpenSide", "Side", "launch"]

# The same for all sides: without it, garbage would be measured as memory.
_COLLECT = "--js-flags=--expose-gc"

_OPEN = """async ([module, options]) => {
  const { createSide } = await import(module);
  globalThis.side = await createSide(options);
}"""

# After a collection, for memory to go back to the system.
_SETTLE_MS = 1_500


@dataclass(frozen=True, slots=True)
class Side:
    """One of the systems compared.

    Attributes:
        name: Short; ``ours`` or the name of a peer.
        module: Address of the module that makes it in a page.
        options: What that module is given.
    """

    name: str
    module: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in use.

    Attributes:
        renderers: By the processes that run pages and workers.
        browser: By all processes, with the one that writes IndexedDB's files.
    """

    renderers: int
    browser: int


class OpenSide:
    """A side in a page of its own."""

    def __init__(self, page: Page, name: str) -> None:
        self._page = page
        self.name = name

    def call(self, method: str, **arguments: object) -> Any:
        """Return what *method* of the side answers."""
        script = "([method, args]) => side(method, args)"
        return self._page.evaluate(script, [method, arguments])

    def begin(self, method: str, **arguments: object) -> None:
        """Let the side begin *method*, and do not wait for its answer."""
        script = """([method, args]) => {
          globalThis.begun = side(method, args).then(
            (result) => ({ result }),
            (error) => ({ error: String(error.stack) }),
          );
        }"""
        self._page.evaluate(script, [method, arguments])

    def end(self) -> Any:
        """Return what the begun method answers."""
        answer = self._page.evaluate("globalThis.begun")
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def settle(self) -> None:
        """Collect garbage and let memory go back to the system."""
        self.call("collect")
        self.wait(_SETTLE_MS)

    def wait(self, ms: int) -> None:
        """Do nothing for *ms* milliseconds."""
        self._page.wait_for_timeout(ms)


class Chromium:
    """The one browser in which all sides are measured.

    Args:
        playwright: Running.
        profile: An empty folder.
        url: Of the server, without a slash at its end.
    """

    def __init__(self, playwright: Playwright, profile: Path, url: str) -> None:
        self._url = url
        self._context = launch(playwright, profile)
        browser = self._context.browser
        assert browser is not None
        self.version = browser.version
        self._session = browser.new_browser_cdp_session()

    @contextmanager
    def open(self, side: Side) -> Iterator[OpenSide]:
        """A new page with *side* in it, closed afterwards."""
        page = self._context.new_page()
        page.on("pageerror", lambda error: say(f"page error: {error}"))
        page.on("crash", lambda _: say("the page has crashed"))
        try:
            page.goto(f"{self._url}/bench/sides/blank.html")
            page.evaluate(_OPEN, [side.module, dict(side.options)])
            self._forget_peaks()
            yield OpenSide(page, side.name)
        finally:
            page.close()

    def memory(self) -> Memory:
        """What the browser uses now."""
        sizes = [(kind, proportional_set_size(pid)) for kind, pid in self._processes()]
        return Memory(
            renderers=sum(size for kind, size in sizes if kind == "renderer"),
            browser=sum(size for _, size in sizes),
        )

    def peak_memory(self) -> int:
        """The most that one process of pages and workers held since the last open."""
        return max(peak_resident_size(pid) for pid in self._renderers())

    def _forget_peaks(self) -> None:
        for pid in self._renderers():
            forget_peak(pid)

    def _renderers(self) -> list[int]:
        return [pid for kind, pid in self._processes() if kind == "renderer"]

    def _processes(self) -> list[tuple[str, int]]:
        answer = self._session.send("SystemInfo.getProcessInfo")
        return [(process["type"], process["id"]) for process in answer["processInfo"]]

    def close(self) -> None:
        """End the browser."""
        self._context.close()

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def launch(playwright: Playwright, profile: Path) -> BrowserContext:
    """A headless Chromium on *profile*, as all that is compared is measured in."""
    return playwright.chromium.launch_persistent_context(
        profile,
        executable_path=_executable(playwright),
        args=[*CHROMIUM_ARGS, _COLLECT],
    )


def _executable(playwright: Playwright) -> str | None:
    """None for Playwright's own Chromium, which comes first."""
    if Path(playwright.chromium.executable_path).exists():
        return None
    return find_chromium()
