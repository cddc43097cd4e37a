"""A model over HTTP: its answers stream in, and its failures lose nothing."""

import re
from threading import Event

import pytest
from playwright.sync_api import expect

from tests.browser.model_server import ModelServer, Reply
from tests.browser.workbench import Workbench

KEY = "sk-never-write-this-down-4711"

HOSTILE = (
    "# A heading\n\nSome **bold** text.\n\n<script>alert('ran')</script>\n\n"
    "<img src=x onerror=alert(1)> [link](javascript:alert(2))\n\n"
    "![picture](http://127.0.0.1:1/tracking.png)\n\n"
    "```python\nprint('kept as code')\n```\n"
)

# Every byte of every record of every database of the origin, as Latin-1.
STORED = """async (needles) => {
  const found = new Set();
  const look = (value) => {
    if (typeof value === 'string') {
      for (const needle of needles) if (value.includes(needle)) found.add(needle);
    } else if (value instanceof ArrayBuffer) {
      look(new TextDecoder('latin1').decode(value));
    } else if (ArrayBuffer.isView(value)) {
      look(new TextDecoder('latin1').decode(value));
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, part] of Object.entries(value)) {
        look(key);
        look(part);
      }
    }
  };
  let records = 0;
  const settled = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  for (const { name } of await indexedDB.databases()) {
    const db = await settled(indexedDB.open(name));
    for (const store of db.objectStoreNames) {
      for (const value of await settled(
        db.transaction(store).objectStore(store).getAll(),
      )) {
        records += 1;
        look(value);
      }
    }
    db.close();
  }
  return { records, found: [...found] };
}"""

# True when an event of that type is stored and nothing is pending.
DURABLE = """async () => {
  const { createAgentOSStorage } = await import('/client.js');
  const storage = await createAgentOSStorage();
  const { n } = await storage.getAdapter().get(
    "SELECT count(*) AS n FROM conversation_events WHERE event_type = '%s'",
  );
  const { committedSeq, durableSeq } = await storage.status();
  await storage.close();
  return n > 0 && committedSeq === durableSeq;
}"""


@pytest.fixture
def model():
    """A model that has nothing to say yet."""
    server = ModelServer()
    yield server
    server.stop()


def connect(bench: Workbench, model: ModelServer) -> None:
    """Fill in the dialog, as a person does."""
    bench.model.click()
    dialog = bench.page.get_by_role("dialog", name="Model")
    dialog.get_by_role("radio", name="OpenAI-compatible server").check()
    dialog.get_by_role("textbox", name="Base address").fill(model.url)
    dialog.get_by_role("combobox", name="Model").fill("parrot")
    dialog.get_by_role("textbox", name="Key").fill(KEY)
    dialog.get_by_role("button", name="Use this").click()
    expect(bench.model).to_contain_text("parrot")


@pytest.fixture(scope="module", autouse=True)
def _expected_faults(shared_faults) -> None:
    """The browser itself reports what these tests provoke."""
    shared_faults.allow("ERR_CONNECTION_REFUSED")
    shared_faults.allow("ERR_CONTENT_LENGTH_MISMATCH|ERR_INCOMPLETE|network error")
    shared_faults.allow("status of (401|429|500)")


@pytest.fixture
def bench(shared_workbench, model) -> Workbench:
    """A tab with a new conversation, connected to the model."""
    shared_workbench.start_over()
    connect(shared_workbench, model)
    return shared_workbench


def test_the_connection_can_be_checked_before_it_is_used(bench, model):
    """The dialog lists what the server has, and says why there is none."""
    bench.model.click()
    dialog = bench.page.get_by_role("dialog", name="Model")
    dialog.get_by_role("button", name="Check the connection").click()
    expect(dialog.get_by_role("status")).to_contain_text("parrot, raven")

    model.stop()
    dialog.get_by_role("button", name="Check the connection").click()
    expect(dialog.get_by_role("status")).not_to_contain_text("parrot")
    expect(dialog.get_by_role("status")).to_contain_text("Nothing answers")


def test_an_answer_is_shown_while_it_comes_and_does_no_harm(bench, model):
    """Markdown is formatted; a script in it is text, and nothing of it runs."""
    ran = []
    bench.page.on("dialog", lambda dialog: (ran.append(dialog), dialog.dismiss()))
    fetched = []
    bench.page.on("request", lambda request: fetched.append(request.url))
    go_on = Event()
    model.replies.append(Reply([HOSTILE[:20], HOSTILE[20:]], go_on=go_on))

    bench.say("Show me")

    answer = bench.answers.last
    expect(answer.locator("strong")).to_have_text("bold")
    expect(bench.stop).to_be_visible()
    go_on.set()
    expect(bench.stop).to_be_hidden()
    expect(answer).to_contain_text("<script>alert('ran')</script>")
    expect(answer.get_by_role("heading", name="A heading")).to_be_visible()
    expect(answer.locator("pre")).to_contain_text("print('kept as code')")
    expect(answer.locator("script, img[onerror], a[href^=javascript]")).to_have_count(0)
    expect(answer).to_contain_text("18 tokens")
    assert ran == []
    assert not [url for url in fetched if "tracking" in url]


def test_the_model_hears_what_was_said_before(bench, model):
    """The context comes from the stored conversation; the key goes along."""
    model.replies += [Reply(["One."]), Reply(["Two."])]
    bench.converse("first question")

    bench.converse("second question")

    messages = model.requests[1]["messages"]
    said = [message["content"] for message in messages if message["role"] != "system"]
    assert said == ["first question", "One.", "second question"]
    assert model.requests[1]["model"] == "parrot"
    assert model.keys == [f"Bearer {KEY}"] * 2


def test_the_key_is_in_no_record_and_in_no_backup(bench, model):
    """It is searched for in every byte of IndexedDB and of the exported file."""
    model.replies += [Reply(["An answer to find."]), Reply(status=401)]
    bench.converse("A question to find")
    bench.converse("One that is refused")

    content = bench.download_backup().path().read_bytes()
    stored = bench.page.evaluate(STORED, ["A question to find", KEY])

    assert b"A question to find" in content
    assert KEY.encode() not in content
    assert stored["records"] > 0
    assert stored["found"] == ["A question to find"]


def test_a_stopped_answer_keeps_what_was_said(bench, model):
    """Stop ends it at once; the words so far stay, also after a reload."""
    model.replies.append(Reply(["These words stay. "], go_on=Event()))
    bench.say("Tell me a long story")
    expect(bench.answers.last).to_contain_text("These words stay.")

    bench.stop.click()

    expect(bench.stop).to_be_hidden()
    expect(bench.answers.last).to_contain_text("These words stay.")
    expect(bench.state).to_have_text("Durable")
    bench.page.reload()
    bench.expect_ready()
    expect(bench.answers.last).to_contain_text("These words stay.")
    expect(bench.questions).to_have_count(1)


def test_a_stream_that_breaks_off_can_be_retried(bench, model):
    """The part stays readable with a button; the second try completes it."""
    go_on = Event()
    cut = Reply(["Half of it"], is_cut=True, go_on=go_on)
    model.replies += [cut, Reply(["All of it."])]
    bench.say("Tell me")
    expect(bench.answers.last).to_contain_text("Half of it")
    go_on.set()
    expect(bench.retry).to_be_visible()

    bench.retry.click()

    expect(bench.answers.last).to_contain_text("All of it.")
    expect(bench.questions).to_have_count(1)
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(status=401), "key"),
        (Reply(status=429, headers={"Retry-After": "2"}), "again|limit|wait"),
        (Reply(status=500), "500"),
    ],
    ids=["401", "429", "500"],
)
def test_a_refusal_is_said_and_can_be_retried(bench, model, reply, reason):
    """The reason stands where the answer would, and the question is not lost."""
    model.replies += [reply, reply, reply, reply]
    bench.say("Will you answer?")
    problem = bench.answers.last
    expect(problem).to_contain_text(re.compile(reason, re.IGNORECASE))
    expect(bench.questions).to_contain_text("Will you answer?")
    expect(bench.message).to_have_value("")

    model.replies.clear()
    model.replies.append(Reply(["Yes, now."]))
    bench.retry.click()

    expect(bench.answers.last).to_contain_text("Yes, now.")
    expect(bench.questions).to_have_count(1)


def test_a_server_that_is_down_loses_nothing_typed(bench, model):
    """Question and draft stay; when the server is back, a retry answers."""
    model.stop()
    bench.say("Is anybody there?")
    expect(bench.retry).to_be_visible()
    expect(bench.questions).to_contain_text("Is anybody there?")
    bench.message.fill("typed meanwhile")
    bench.page.reload()
    bench.expect_ready()
    expect(bench.message).to_have_value("typed meanwhile")

    model.start()
    model.replies.append(Reply(["I am back."]))
    bench.retry.click()

    expect(bench.answers.last).to_contain_text("I am back.")
    expect(bench.message).to_have_value("typed meanwhile")
    expect(bench.questions).to_have_count(1)


def test_a_tab_closed_in_mid_answer_keeps_what_was_said(
    context, open_app, model, wait_until
):
    """The question and the words so far are there, marked as broken off."""
    bench = Workbench(open_app(context))
    bench.expect_ready()
    connect(bench, model)
    model.replies.append(Reply(["The first half of the answer "], go_on=Event()))
    bench.say("A question before closing")
    expect(bench.answers.last).to_contain_text("The first half of the answer")
    # They are gathered for a quarter of a second before they are written.
    wait_until(bench.page, DURABLE % "text_delta")

    bench.page.close()

    again = Workbench(open_app(context))
    again.expect_ready()
    again.conversation("A question before closing").click()
    expect(again.questions).to_have_text(re.compile("A question before closing"))
    expect(again.answers.last).to_contain_text("The first half of the answer")
    expect(again.retry).to_be_visible()


def test_a_question_whose_answer_never_began_can_be_asked_again(
    context, open_app, model, wait_until
):
    """The tab was closed while the model was thinking."""
    bench = Workbench(open_app(context))
    bench.expect_ready()
    connect(bench, model)
    model.replies += [Reply(go_on=Event()), Reply(["Here it is."])]
    bench.say("Are you thinking?")
    wait_until(bench.page, DURABLE % "user_message")
    bench.page.close()

    again = Workbench(open_app(context))
    again.expect_ready()
    connect(again, model)
    again.conversation("Are you thinking?").click()
    again.retry.click()

    expect(again.answers.last).to_contain_text("Here it is.")
    expect(again.questions).to_have_count(1)
    expect(again.retry).to_be_hidden()
