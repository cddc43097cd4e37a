"""The browser has no more space: it is said at once, and pruning makes room.

The quota is Chromium's own, set through its debugging protocol. What it tells a
page is another figure: in version 156 that is 10 GiB more than is used.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_accessibility import OVERFLOW, serious_violations
from tests.browser.workbench import Workbench
from tools.project import DIST

_APP = sum(path.stat().st_size for path in DIST.rglob("*") if path.is_file())
_LIMIT = _APP + 17_000_000
"""Bytes: what the service worker keeps, and what is left for the database."""

# Of random words, which nothing compresses.
FILL = """async (count) => {
  const { createAgentOSStorage } = await import('/client.js');
  const storage = await createAgentOSStorage();
  for (let n = 0; n < count; n++) {
    let text = '';
    while (text.length < 100_000) text += ` ${crypto.randomUUID()}`;
    const event = { type: 'user_message', text };
    const id = crypto.randomUUID();
    const title = `Filler ${n + 1}`;
    await storage.conversations.save(id, 'local', 'assistant', [event], { title });
    const { lastErrorCode } = await storage.status();
    if (lastErrorCode === 'quota_exceeded') return n + 1;
  }
  return count;
}"""


class Quota:
    """The space that Chromium gives the app's origin, to the end of the test."""

    def __init__(self, page, origin) -> None:
        self._origin = origin
        self._session = page.context.new_cdp_session(page)

    def set(self, size: int) -> None:
        """Allow *size* bytes in all."""
        self._session.send(
            "Storage.overrideQuotaForOrigin",
            {"origin": self._origin, "quotaSize": size},
        )

    @property
    def usage(self) -> int:
        """Bytes of the database, as the browser counts them."""
        found = self._session.send("Storage.getUsageAndQuota", {"origin": self._origin})
        [usage] = [
            part["usage"]
            for part in found["usageBreakdown"]
            if part["storageType"] == "indexeddb"
        ]
        return int(usage)


@pytest.fixture
def quota(context, open_app, app_server):
    """Set before the app opens: Chromium believes what it knows for 30 seconds."""
    quota = Quota(open_app(context, "/tests/blank.html"), app_server.url)
    quota.set(_LIMIT)
    return quota


@pytest.fixture
def full(quota, context, open_app):
    """A tab whose storage is full: the last filler is not durable."""
    bench = Workbench(open_app(context))
    bench.expect_ready()
    # What the service worker keeps takes no more space from now on.
    expect(bench.page.locator("#facts")).to_contain_text("Works offlineready")
    assert bench.page.evaluate(FILL, 400) < 400
    return bench


def banner(bench):
    return bench.page.get_by_role("alert").filter(has_text="Not durable")


def violations_in(page, theme):
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.wait_for_timeout(300)  # colours fade
    return serious_violations(page)


def test_it_is_said_at_once_and_ends_by_itself_when_there_is_room(full, quota):
    page = full.page
    expect(banner(full)).to_contain_text("the browser has no more space for this site")
    expect(full.state).to_have_text("Not saved: storage is full")
    for theme in ("light", "dark"):
        assert violations_in(page, theme) == []
    with page.expect_download() as download:
        banner(full).get_by_role("button", name="Download backup").click()
    assert download.value.path().stat().st_size > 5_000_000

    quota.set(4 * _LIMIT)

    expect(full.state).to_have_text("Durable")
    expect(banner(full)).to_have_count(0)


def test_freeing_space_makes_everything_durable(full, quota):
    page = full.page
    before = quota.usage
    banner(full).get_by_role("button", name="Free space").click()
    dialog = page.get_by_role("dialog", name="Free space")
    expect(dialog.get_by_label("as a restore point")).not_to_be_checked()
    expect(dialog.get_by_role("status")).to_have_text("No conversation goes.")
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()

    dialog.get_by_label("Last used").select_option("at any time")
    dialog.get_by_label("Always keep the newest").fill("3")
    expect(dialog.get_by_role("status")).to_contain_text(re.compile(r"free.* MB of"))
    for theme in ("light", "dark"):
        assert violations_in(page, theme) == []
    size = page.viewport_size
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate(OVERFLOW) == 0
    page.set_viewport_size(size)
    dialog.get_by_role("button", name=re.compile("^Delete .* conversations$")).click()

    done = page.get_by_role("dialog", name="Space was freed")
    expect(done.get_by_role("status")).to_contain_text("No restore point was kept.")
    expect(full.state).to_have_text("Durable")
    expect(page.locator("#pressure")).to_be_hidden()
    done.get_by_role("button", name="Close").click()
    assert quota.usage < before / 2
    full.converse("There is room again")

    page.reload()
    full.expect_ready()
    rows = full.conversations.get_by_role("link").filter(has_text="Filler")
    expect(rows).to_have_count(3)
    expect(full.title).to_have_text("There is room again")


def test_what_does_not_fit_is_said_and_nothing_durable_is_lost(full):
    page = full.page
    page.get_by_role("button", name="Free space").first.click()
    dialog = page.get_by_role("dialog", name="Free space")
    dialog.get_by_label("Last used").select_option("at any time")

    dialog.get_by_label("as a restore point").check()
    dialog.get_by_label("Always keep the newest").fill("2")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Nothing was deleted")
    assert full.conversations.get_by_role("link").count() > 3

    dialog.get_by_label("as a restore point").uncheck()
    rows = page.evaluate(
        "import('/client.js').then((m) => m.createAgentOSStorage())"
        ".then((s) => s.conversations.list('local', { limit: 500 }))"
        ".then((page) => page.items.length)"
    )
    dialog.get_by_label("Always keep the newest").fill(str(rows - 1))
    expect(dialog.get_by_text("may not become durable")).to_be_visible()
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("alert")).to_contain_text("does not fit")
    expect(full.state).to_have_text("Not saved: storage is full")

    page.reload()
    full.expect_ready()
    expect(full.conversation("Filler 1").first).to_be_visible()


def test_the_panel_says_who_might_delete_it(context, open_app):
    bench = Workbench(open_app(context))
    bench.expect_ready()
    bench.show_storage()
    page = bench.page

    meter = page.get_by_role("meter", name="Storage used")
    expect(meter).to_have_attribute("aria-valuetext", re.compile("B of .* are used"))
    risk = "The browser may clear it when the disk gets full."
    expect(page.get_by_text(risk)).to_be_visible()


def test_the_first_message_asks_the_browser_to_keep_it(context, open_app):
    """Once per device; the outcome is told."""
    context.add_init_script("""
        globalThis.asked = 0;
        if (navigator.storage) {
          StorageManager.prototype.persist = async () => {
            globalThis.asked++;
            return true;
          };
        }
    """)
    bench = Workbench(open_app(context))
    bench.expect_ready()
    assert bench.page.evaluate("globalThis.asked") == 0

    bench.converse("Keep this")
    told = bench.page.get_by_text("The browser promised to keep everything here")
    expect(told).to_be_visible()
    bench.converse("And this")

    assert bench.page.evaluate("globalThis.asked") == 1
