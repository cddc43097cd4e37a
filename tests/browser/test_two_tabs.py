"""Two tabs of one browser use the same database at once."""

import pytest
from playwright.sync_api import expect

from tests.browser.workbench import Workbench


@pytest.fixture
def tabs(shared_context, shared_workbench):
    """Two tabs of one browser, both with a new conversation."""
    shared_workbench.start_over()
    page = shared_context.new_page()
    page.goto("/")
    second = Workbench(page)
    second.expect_ready()
    yield shared_workbench, second
    page.close()


def test_what_one_tab_says_the_other_shows_live(tabs):
    """The list, the open conversation and its title follow without a reload."""
    first, second = tabs
    first.converse("Said in the first tab")

    second.conversation("Said in the first tab").click()
    expect(second.questions).to_contain_text(["Said in the first tab"])
    first.converse("And one more thing")
    expect(second.questions).to_have_count(2)
    expect(second.answers).to_have_count(2)

    second.page.get_by_role("button", name="Rename this conversation").click()
    second.page.get_by_role("textbox", name="Name").fill("Named in the second")
    second.page.get_by_role("button", name="Rename", exact=True).click()
    expect(first.title).to_have_text("Named in the second")
    expect(first.alerts).to_have_count(0)


def test_both_tabs_write_at_once(tabs):
    """Neither waits for the other, and nothing is said twice or lost."""
    first, second = tabs

    for number in range(3):
        first.say(f"first {number}")
        second.say(f"second {number}")
        expect(first.answers).to_have_count(number + 1)
        expect(second.answers).to_have_count(number + 1)
        expect(first.stop).to_be_hidden()
        expect(second.stop).to_be_hidden()

    for bench, name in ((first, "first"), (second, "second")):
        expect(bench.questions).to_have_count(3)
        expect(bench.conversation("first 0")).to_have_count(1)
        expect(bench.conversation("second 0")).to_have_count(1)
        bench.page.reload()
        expect(bench.questions).to_contain_text([f"{name} {n}" for n in range(3)])


def test_when_one_tab_closes_the_other_goes_on(context, open_app):
    """The host belongs to no tab; the one that started it may leave."""
    first, second = Workbench(open_app(context)), Workbench(open_app(context))
    first.expect_ready()
    second.expect_ready()
    first.converse("Said before leaving")

    first.page.close()

    second.converse("Said by the one that stayed")
    expect(second.conversation("Said before leaving")).to_be_visible()
    expect(second.alerts).to_have_count(0)


def test_two_tabs_share_one_host(tabs):
    """There is one worker, it knows of two tabs, and then of one."""
    first, second = tabs
    facts = first.page.locator("#facts")

    expect(facts).to_contain_text("shared by all tabs")
    second.page.close()
    first.converse("Ask for the state")

    expect(facts).to_contain_text("Tabs connected1")


def test_what_one_tab_deletes_is_gone_in_the_other(tabs):
    """The other says so, even where it was open."""
    first, second = tabs
    first.converse("Short-lived")
    second.conversation("Short-lived").click()
    expect(second.title).to_have_text("Short-lived")

    first.conversations.get_by_role("button", name="Delete “Short-lived”").click()
    dialog = first.page.get_by_role("alertdialog")
    dialog.get_by_role("button", name="Delete").click()

    expect(second.title).to_have_text("This conversation is not here")
    expect(second.conversation("Short-lived")).to_have_count(0)
