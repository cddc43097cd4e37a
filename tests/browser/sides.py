"""One of the systems compared, in a page, and the scripts that a test hands to it."""

from collections.abc import Callable, Iterator
from typing import Any, Self

from playwright.sync_api import BrowserContext, Page

__all__ = ["Side"]

_LOAD = """async (name) => {
  const { Side } = await import('/tests/sides.js');
  globalThis.side = await Side.load(name);
}"""


class Side:
    """A page with one system in it.

    A script is a JavaScript function of ``({open, dbName, save, outcomeOf, later},
    argument)``: ``open(options)`` gives an open adapter on the test's database,
    ``save(db)`` makes it durable, ``outcomeOf(work)`` is 'ok' or what went wrong.

    Args:
        context: Of its own, so that the last page takes the host with it.
        name: As in ``pages/sides.js``.
        db_name: Of the database that `open` opens.
    """

    def __init__(self, context: BrowserContext, name: str, db_name: str = "") -> None:
        self.context = context
        self.name = name
        self.db_name = db_name
        self.page = self.new_tab()

    def visited_by(self, test: str) -> Iterator[Self]:
        """Yield this to *test*, with a database of its own, and close that."""
        self.db_name = test
        yield self
        self.page.evaluate("side.leave()")

    def __call__(
        self, script: str, argument: object = None, *, tab: Page | None = None
    ) -> Any:
        """Return what *script* answers in *tab*, by default the only one."""
        call = f"([name, argument]) => ({script})(side.tools(name), argument)"
        return (tab or self.page).evaluate(call, [self.db_name, argument])

    def new_tab(self) -> Page:
        """A page with the system loaded and nothing open."""
        page = self.context.new_page()
        page.goto("/tests/blank.html")
        page.evaluate(_LOAD, self.name)
        return page

    def start_again(self, leave: Callable[[Page], object] = Page.close) -> None:
        """Leave the page, with no farewell to the database, and open a new one."""
        leave(self.page)
        self.page = self.new_tab()
