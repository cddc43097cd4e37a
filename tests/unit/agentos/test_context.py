from hypothesis import given
from hypothesis import strategies as st

from pyodide_app.agentos.context import assemble_context, current_answers
from pyodide_app.agentos.messages import Message
from pyodide_app.agentos.providers.model import ChatMessage
from pyodide_app.agentos.tokens import MESSAGE_TOKENS, estimate_tokens

ROLES = st.sampled_from(["user", "assistant", "note"])
TEXTS = st.one_of(st.text(max_size=40), st.sampled_from(["", " ", "ответ", "多" * 30]))
HISTORIES = st.lists(
    st.builds(
        Message,
        role=ROLES,
        text=TEXTS,
        event_ids=st.just(("e",)),
        timestamp=st.just(0),
        status=st.sampled_from(["complete", "interrupted", "failed"]),
        question_event_id=st.sampled_from([None, "q1", "q2"]),
    ),
    max_size=25,
)
BUDGETS = st.integers(0, 300)


def said(role, text, **more):
    return Message(role, text, ("e",), 0, **more)


def cost(message):
    return estimate_tokens(message.text) + MESSAGE_TOKENS


@given(st.text(max_size=50), HISTORIES, st.text(max_size=50), BUDGETS)
def test_every_context_keeps_the_rules(prompt, history, question, budget):
    context = assemble_context(prompt, history, question, budget_tokens=budget)

    rest = list(context)
    if prompt.strip():
        assert rest.pop(0) == ChatMessage("system", prompt)
    roles = [message.role for message in rest]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
    assert rest[-1].text.endswith(question)


@given(st.text(max_size=50), HISTORIES, st.text(max_size=50), BUDGETS)
def test_no_context_is_over_its_budget_unless_the_question_alone_is(
    prompt, history, question, budget
):
    context = assemble_context(prompt, history, question, budget_tokens=budget)

    alone = assemble_context(prompt, [], question, budget_tokens=budget)
    total = sum(map(cost, context))
    assert total <= max(budget, sum(map(cost, alone)))


@given(HISTORIES, st.text(max_size=50), BUDGETS, st.integers(0, 100))
def test_more_room_never_means_less_history(history, question, budget, more):
    small = assemble_context("", history, question, budget_tokens=budget)
    large = assemble_context("", history, question, budget_tokens=budget + more)

    texts = [message.text for message in large]
    assert [m.text for m in small][1:] == texts[len(texts) - len(small) + 1 :]
    assert len(small) <= len(large)


def test_the_newest_messages_are_kept_without_a_gap():
    history = [
        said("user", "one"),
        said("assistant", "1"),
        said("user", "x" * 4000),
        said("assistant", "2"),
        said("user", "three"),
        said("assistant", "3"),
    ]

    context = assemble_context("Be kind.", history, "four", budget_tokens=100)

    assert [message.text for message in context] == ["Be kind.", "three", "3", "four"]


def test_a_question_that_had_no_answer_joins_the_next_one():
    history = [said("user", "one"), said("assistant", "", status="failed")]

    context = assemble_context("", history, "two", budget_tokens=100)

    assert context == (ChatMessage("user", "one\n\ntwo"),)


def test_what_an_interrupted_answer_had_said_is_told():
    history = [said("user", "one"), said("assistant", "Half", status="interrupted")]

    context = assemble_context("", history, "Go on.", budget_tokens=100)

    assert [message.text for message in context] == ["one", "Half", "Go on."]


def test_of_the_answers_to_one_question_the_last_complete_one_counts():
    failed = said("assistant", "Ha", status="failed", question_event_id="q")
    first = said("assistant", "First", question_event_id="q")
    again = said("assistant", "Second", question_event_id="q")
    stopped = said("assistant", "Thi", status="failed", question_event_id="q")
    legacy = said("assistant", "Old")

    kept = current_answers([legacy, failed, first, again, stopped])

    assert kept == [legacy, again]


def test_a_question_too_large_for_the_budget_stays_whole():
    (only,) = assemble_context("", [said("user", "old")], "y" * 999, budget_tokens=10)

    assert only.text == "y" * 999
