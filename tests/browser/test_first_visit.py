"""A person opens the Workbench for the first time, and comes back."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.workbench import Workbench

HOLD = """() => new Promise((held) => {
  void navigator.locks.request('pyodide-app:writer:main', () => {
    held();
    return new Promise(() => {});
  });
})"""


@pytest.fixture
def workbench(shared_workbench):
    """A tab with a new conversation; those of the tests before are in the list."""
    shared_workbench.start_over()
    return shared_workbench


def test_a_first_visit_shows_how_far_the_start_is(context, open_app):
    """The bar only grows, and gives way to the conversation."""
    page = open_app(context)

    expect(page.get_by_role("progressbar")).to_be_visible()
    Workbench(page).expect_ready()

    expect(page.get_by_role("progressbar")).to_be_hidden()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_without_a_model_the_answer_says_so(workbench):
    """The offline default answers, and does not pretend to be a model."""
    workbench.converse("Where did I put the blue notebook?")

    expect(workbench.questions).to_contain_text("Where did I put the blue notebook?")
    expect(workbench.answers).to_contain_text(re.compile("No .*model is connected"))
    expect(workbench.retry).to_be_hidden()


def test_a_conversation_is_named_after_its_first_message(workbench):
    """The title stands in the bar, in the list and on the window."""
    workbench.converse("Plan the trip to Norway")

    expect(workbench.title).to_have_text("Plan the trip to Norway")
    expect(workbench.conversation("Plan the trip to Norway")).to_be_visible()
    expect(workbench.page).to_have_title(re.compile("^Plan the trip to Norway .*"))


def test_what_was_said_is_there_after_a_reload(workbench):
    """Question, answer and title come back, each once."""
    workbench.converse("The code of the bicycle is 4711")
    answer = workbench.answers.inner_text()

    workbench.page.reload()
    workbench.expect_ready()

    expect(workbench.title).to_have_text("The code of the bicycle is 4711")
    expect(workbench.questions).to_have_count(1)
    expect(workbench.answers).to_have_count(1)
    assert workbench.answers.inner_text() == answer
    expect(workbench.retry).to_be_hidden()


def test_the_list_of_the_last_visit_is_there_before_the_database(
    context, open_app, faults
):
    """It is text, marked as not yet live, and the live one takes its place."""
    faults.allow("storage_in_use")
    title = "<b>Walnuts</b> & more"
    bench = Workbench(open_app(context))
    bench.expect_ready()
    bench.converse(title)
    bench.page.close()
    holder = open_app(context, "/tests/blank.html")
    holder.evaluate(HOLD)

    page = open_app(context)

    rows = page.locator("#conversations")
    rename = rows.get_by_role("button", name="Rename")
    expect(rows.get_by_role("link", name=title)).to_be_visible()
    expect(rows).to_have_attribute("aria-busy", "true")
    expect(rename).to_be_disabled()
    holder.close()
    page.reload()
    Workbench(page).expect_ready()
    expect(rows.get_by_role("link", name=title)).to_be_visible()
    expect(rows).to_have_attribute("aria-busy", "false")
    expect(rename).to_be_enabled()


def test_a_remembered_list_that_is_not_ours_is_no_list(context, open_app):
    """Whatever lies in web storage, the Workbench starts."""
    page = open_app(context)
    Workbench(page).expect_ready()
    strange = '[null, 7, {"id": 1}, {"id": "a", "personaId": "b", "updatedAt": 1}]'
    page.evaluate(
        "text => localStorage.setItem('pyodide-app:conversations', text)", strange
    )

    page.reload()

    Workbench(page).expect_ready()
    expect(page.locator("#conversations").get_by_role("link")).to_have_count(0)


def test_recall_answers_from_what_was_said_before(workbench):
    """It cites an earlier conversation with a link that opens it."""
    workbench.converse("The passport lies in the green drawer")
    workbench.start_another()

    workbench.converse("passport")
    workbench.answers.get_by_role("link").first.click()

    expect(workbench.title).to_have_text("The passport lies in the green drawer")


def test_a_conversation_can_be_renamed(workbench):
    """The new name stands everywhere and stays."""
    workbench.converse("first words")

    workbench.page.get_by_role("button", name="Rename this conversation").click()
    workbench.page.get_by_role("textbox", name="Name").fill("Ein “neuer” Name 🚲")
    workbench.page.get_by_role("button", name="Rename", exact=True).click()

    expect(workbench.title).to_have_text("Ein “neuer” Name 🚲")
    expect(workbench.conversation("Ein “neuer” Name 🚲")).to_be_visible()
    expect(workbench.state).to_have_text("Durable")
    workbench.page.reload()
    expect(workbench.title).to_have_text("Ein “neuer” Name 🚲")
    expect(workbench.conversation("first words")).to_have_count(0)


def test_a_deleted_conversation_is_gone_and_others_stay(workbench):
    """It is deleted after a question; search no longer finds it."""
    workbench.converse("keep the walnut")
    workbench.start_another()
    workbench.converse("drop the hazelnut")

    row = workbench.conversations.get_by_role("button", name="Delete “drop")
    row.click()
    dialog = workbench.page.get_by_role("alertdialog")
    dialog.get_by_role("button", name="Delete").click()

    expect(workbench.conversation("drop the hazelnut")).to_have_count(0)
    expect(workbench.conversation("keep the walnut")).to_be_visible()
    workbench.find("hazelnut")
    expect(workbench.page.get_by_text("Nothing said matches.").first).to_be_visible()


def test_a_search_hit_is_marked_and_opens_its_conversation(workbench):
    """What was searched for is highlighted, and the click goes there."""
    workbench.converse("The lighthouse of Lindesnes is the oldest")
    workbench.start_another()
    workbench.converse("Something else entirely")

    workbench.find("lighthouse")
    hit = workbench.hits.first
    expect(hit.locator("mark").first).to_have_text(re.compile("lighthouse", re.I))
    hit.click()

    expect(workbench.title).to_have_text("The lighthouse of Lindesnes is the oldest")
    expect(workbench.questions).to_contain_text("lighthouse of Lindesnes")
    expect(workbench.questions.filter(has_text="Something else")).to_have_count(0)


def test_search_syntax_is_only_text(workbench):
    """What means something to FTS5 is looked for, not obeyed."""
    workbench.converse('a "quoted AND word" (in brackets*)')

    workbench.find('"quoted AND (')

    expect(workbench.hits.first).to_contain_text("quoted AND word")
    expect(workbench.alerts).to_have_count(0)
