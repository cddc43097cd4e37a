"""The Workbench for keyboards, screen readers, either theme and small screens."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.workbench import Workbench

SERIOUS = {"serious", "critical"}

OVERFLOW = """() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth - clientWidth;
}"""


def serious_violations(page) -> list[str]:
    """What axe finds that keeps people out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {[node['html'] for node in one['nodes']]}"
        for one in found
        if one["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(new_context, open_app, theme):
    """In the conversation, the search and each dialog."""
    context = new_context(color_scheme=theme, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    bench = Workbench(open_app(context))
    page = bench.page
    bench.expect_ready()
    expect(page.get_by_role("heading", name="What are we working on?")).to_be_visible()
    found = {"welcome": serious_violations(page)}

    bench.converse("A *question* with `code` in it")
    found["conversation"] = serious_violations(page)
    bench.find("question")
    expect(bench.hits.first).to_be_visible()
    found["search"] = serious_violations(page)
    bench.find("")
    for button in ("Rename this conversation", "Model ", "Persona:"):
        page.get_by_role("button", name=re.compile(f"^{button}")).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        found[button] = serious_violations(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("tab", name="Usage").click()
    found["usage"] = serious_violations(page)
    page.get_by_role("tab", name="Storage").click()
    page.get_by_role("heading", name="Inspector").click()
    expect(page.get_by_role("button", name="Copy report")).to_be_enabled()
    found["inspector"] = serious_violations(page)

    assert {name: list_ for name, list_ in found.items() if list_} == {}


def test_all_of_it_works_from_the_keyboard(context, open_app):
    """Write, search, open a hit, rename, and leave a dialog: no mouse."""
    bench = Workbench(open_app(context))
    bench.expect_ready()
    keyboard = bench.page.keyboard

    bench.page.keyboard.press("Tab")
    expect(bench.page.get_by_role("link", name="Skip to the message")).to_be_focused()
    keyboard.press("Enter")
    expect(bench.message).to_be_focused()
    keyboard.type("first line")
    keyboard.press("Shift+Enter")
    keyboard.type("second line")
    keyboard.press("Enter")
    expect(bench.questions).to_have_count(1)
    expect(bench.stop).to_be_hidden()
    expect(bench.questions).to_contain_text(re.compile("first line\nsecond line"))

    keyboard.press("Control+k")
    expect(bench.search).to_be_focused()
    keyboard.type("second")
    expect(bench.hits).not_to_have_count(0)
    keyboard.press("ArrowDown")
    expect(bench.hits.first).to_be_focused()
    keyboard.press("Enter")
    expect(bench.title).to_have_text("first line")
    # What was found takes the focus, a frame later.
    expect(bench.hits.first).not_to_be_focused()

    rename = bench.page.get_by_role("button", name="Rename this conversation")
    rename.focus()
    keyboard.press("Enter")
    expect(bench.page.get_by_role("textbox", name="Name")).to_be_focused()
    keyboard.press("Escape")
    expect(rename).to_be_focused()
    expect(bench.title).to_have_text("first line")


def test_a_phone_shows_it_without_scrolling_sideways(new_context, open_app):
    """At 360 pixels all is reachable; list and panel are drawers."""
    context = new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    context.set_default_timeout(60_000)
    bench = Workbench(open_app(context))
    bench.expect_ready()
    page = bench.page

    bench.message.fill("x" * 300 + " https://example.org/" + "y" * 200)
    bench.send.click()
    expect(bench.answers).to_have_count(1)
    expect(bench.stop).to_be_hidden()
    assert page.evaluate(OVERFLOW) == 0

    page.get_by_role("button", name="Conversations").click()
    expect(bench.conversations).to_be_visible()
    expect(bench.search).to_be_in_viewport()
    assert page.evaluate(OVERFLOW) == 0
    page.get_by_role("button", name="Close the list").click()
    page.get_by_role("button", name="Storage and usage").click()
    expect(bench.download).to_be_in_viewport()
    assert page.evaluate(OVERFLOW) == 0
    assert serious_violations(page) == []
