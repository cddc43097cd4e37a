"""A browser profile on disk, and a browser on it that can be killed."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import BrowserContext, BrowserType, Error

from tests.browser.killing import end_group, find_leader

__all__ = ["PersistentProfile"]


class PersistentProfile:
    """One profile folder; at most one browser runs on it at a time.

    Args:
        browser_type: Chromium or Firefox.
        launch_args: As for the other tests' browser.
        folder: Holds the profile. It is kept when the browser ends.
    """

    def __init__(
        self,
        browser_type: BrowserType,
        launch_args: Mapping[str, object],
        folder: Path,
    ) -> None:
        self._browser_type = browser_type
        self._launch_args = launch_args
        self._folder = folder
        self._context: BrowserContext | None = None
        self._pid = 0

    @property
    def pid(self) -> int:
        """Process id of the running browser's main process."""
        return self._pid

    @property
    def group(self) -> int:
        """Process group of the running browser, which leads it."""
        return self._pid

    def launch(self, **context_args: object) -> BrowserContext:
        """Start a browser on the profile, with what earlier ones left in it."""
        context = self._browser_type.launch_persistent_context(
            self._folder, **{**self._launch_args, **context_args}
        )
        self._pid = find_leader(str(self._folder))
        self._context = context
        return context

    def kill(self) -> None:
        """End every process of the browser with SIGKILL, and wait until it is gone.

        Playwright starts a browser as the leader of a process group, which its
        renderers and its storage service belong to.
        """
        end_group(self._pid)
        self._forget()

    def close(self) -> None:
        """End the browser as a person would, if it runs."""
        if self._context is not None:
            self._context.close()
            self._context = None

    def _forget(self) -> None:
        """Let Playwright notice that the browser is gone."""
        context, self._context = self._context, None
        if context is not None:
            with suppress(Error):  # it is closed already, which is what was wanted
                context.close()
