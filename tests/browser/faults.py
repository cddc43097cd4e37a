"""What went wrong in a page without any test asking."""

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, WebError

__all__ = ["Faults"]


class Faults:
    """Console errors and uncaught errors of the contexts it watches.

    A test that provokes one says so first with `allow`.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._allowed: list[re.Pattern[str]] = []

    def watch(self, context: BrowserContext) -> None:
        """Note every fault in any page of *context* from now on."""
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)

    def allow(self, pattern: str) -> None:
        """Expect faults whose text has a match of the regular expression *pattern*."""
        self._allowed.append(re.compile(pattern))

    @property
    def unexpected(self) -> list[str]:
        """The faults that no test allowed."""
        return [
            text
            for text in self.seen
            if not any(pattern.search(text) for pattern in self._allowed)
        ]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location
            self.seen.append(f"console: {message.text} ({where.get('url', '')})")

    def _on_error(self, error: WebError) -> None:
        self.seen.append(f"uncaught: {error.error.stack or error.error.message}")
