"""What a person does in the Workbench, found by role and label as they find it."""

import re
from pathlib import Path

from playwright.sync_api import Download, Locator, Page, expect

__all__ = ["Workbench"]

# A first boot of Python on two cores that other programs use too.
_BOOT_MS = 60_000


class Workbench:
    """One tab with the Workbench on it; the methods read as a scenario does."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.message = page.get_by_role("textbox", name="Message")
        self.send = page.get_by_role("button", name="Send")
        self.stop = page.get_by_role("button", name="Stop the answer")
        self.title = page.get_by_role("heading", level=1)
        self.conversations = page.get_by_role("navigation", name="Conversations")
        self.search = page.get_by_role("searchbox", name="Search everything said")
        self.hits = page.get_by_role("list", name="Search results").get_by_role("link")
        self.questions = page.get_by_role("article", name="You")
        self.answers = page.get_by_role("article", name="Answer")
        self.retry = page.get_by_role("button", name="Retry")
        self.model = page.get_by_role("button", name=re.compile("^Model "))
        self.download = page.get_by_role("button", name="Download backup")
        self.alerts = page.get_by_role("alert")
        self.state = page.locator("#state-chip")

    def expect_ready(self) -> None:
        """The database is open."""
        settled = re.compile("Durable|Not open|Not saved")
        expect(self.state).to_have_text(settled, timeout=_BOOT_MS)
        reason = self.page.locator("#boot-error-message").text_content()
        expect(self.state, reason).to_have_text("Durable")

    def say(self, text: str) -> None:
        """Type *text* and send it."""
        self.message.fill(text)
        self.message.press("Enter")

    def converse(self, text: str) -> None:
        """Say *text* and wait until it is answered and durable."""
        count = self.answers.count()
        self.say(text)
        expect(self.answers).to_have_count(count + 1)
        expect(self.stop).to_be_hidden()
        expect(self.state).to_have_text("Durable")

    def start_another(self) -> None:
        """Leave the open conversation for a new one."""
        self.page.get_by_role("link", name="New conversation").click()
        expect(self.title).to_have_text("New conversation")

    def leave_dialogs(self) -> None:
        """Nothing is in the way, whatever the test before left open."""
        if self.page.locator("dialog[open]").count() > 0:
            self.page.reload()
            self.expect_ready()

    def start_over(self) -> None:
        """A new conversation, whatever the test before left open."""
        self.leave_dialogs()
        self.find("")
        self.start_another()

    def conversation(self, title: str) -> Locator:
        """The row's link of the conversation with that title."""
        return self.conversations.get_by_role("link", name=title)

    def find(self, query: str) -> None:
        """Type *query* into the search field."""
        self.search.fill(query)

    def show_storage(self) -> None:
        """Open the panel at its storage part, where it is not open."""
        self.state.click()
        expect(self.download).to_be_enabled()

    def download_backup(self) -> Download:
        """Press the button, and wait for the file."""
        self.show_storage()
        with self.page.expect_download() as download:
            self.download.click()
        return download.value

    def pick(self, file: Path) -> None:
        """Choose *file* in the file dialog of Import."""
        self.show_storage()
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Import").click()
        chooser.value.set_files(file)
