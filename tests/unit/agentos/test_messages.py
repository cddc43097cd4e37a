import json
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from pyodide_app.agentos.messages import messages_from_events
from pyodide_app.storage.records import ConversationEvent

numbers = count(1)


def event(kind, **data):
    number = next(numbers)
    return ConversationEvent(
        f"e{number}", "c", kind, {"type": kind, **data}, timestamp=number
    )


def delta(text, stream="s"):
    return event("text_delta", textDelta=text, streamId=stream)


def test_a_question_and_its_answer_are_two_messages():
    question, answer = messages_from_events(
        [
            event("user_message", text="Which hours?"),
            delta("Nine "),
            event(
                "final_response",
                streamId="s",
                finalResponseText="Nine to five.",
                usage={"totalTokens": 7},
                metadata={"model": "m", "questionEventId": "q"},
            ),
        ]
    )

    assert (question.role, question.text) == ("user", "Which hours?")
    assert (answer.role, answer.text) == ("assistant", "Nine to five.")
    assert answer.status == "complete"
    assert answer.usage == {"totalTokens": 7}
    assert (answer.model, answer.question_event_id) == ("m", "q")
    assert len(answer.event_ids) == 2


def test_deltas_without_an_end_are_an_interrupted_answer():
    _, answer = messages_from_events(
        [event("user_message", text="Q"), delta("Half "), delta("an")]
    )

    assert (answer.text, answer.status) == ("Half an", "interrupted")


def test_an_error_carries_all_that_was_said():
    (answer,) = messages_from_events(
        [
            delta("Half"),
            event(
                "error", streamId="s", code="x", message="y", partialText="Half an a"
            ),
        ]
    )

    assert (answer.text, answer.status) == ("Half an a", "failed")
    assert answer.error == {"code": "x", "message": "y"}


def test_an_error_without_its_text_keeps_the_deltas():
    (answer,) = messages_from_events([delta("Half"), event("error", streamId="s")])

    assert answer.text == "Half"
    assert answer.error == {
        "code": "error",
        "message": "The answer failed without a reason.",
    }


def test_interleaved_streams_stay_apart():
    messages = messages_from_events(
        [
            delta("A", "a"),
            delta("B", "b"),
            delta("A", "a"),
            event("final_response", finalResponseText="BB", streamId="b"),
        ]
    )

    assert [(m.text, m.status) for m in messages] == [
        ("AA", "interrupted"),
        ("BB", "complete"),
    ]


def test_events_of_the_original_carry_no_stream_and_a_question_ends_an_answer():
    messages = messages_from_events(
        [
            event("text_delta", textDelta="old"),
            event("user_message", text="again"),
            event("text_delta", textDelta="new"),
        ]
    )

    assert [m.text for m in messages] == ["old", "again", "new"]


def test_a_tool_result_joins_its_call():
    (answer,) = messages_from_events(
        [
            event(
                "tool_call_request",
                streamId="s",
                toolCalls=[{"id": "t", "name": "search", "arguments": "{}"}],
            ),
            event(
                "tool_result_emission",
                streamId="s",
                toolCallId="t",
                toolName="search",
                toolResult=[1],
                isSuccess=True,
            ),
            event("final_response", streamId="s", finalResponseText="Found."),
        ]
    )

    assert answer.tool_calls == (
        {
            "id": "t",
            "name": "search",
            "arguments": "{}",
            "result": [1],
            "isSuccess": True,
            "errorMessage": None,
        },
    )


def test_bookkeeping_is_no_message_and_the_unknown_is_a_note():
    (note,) = messages_from_events(
        [event("metadata_update", updates={}), event("agency_update", message="Hm")]
    )

    assert (note.role, note.text) == ("note", "Hm")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["id", "name", "function", "arguments"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)
KINDS = st.sampled_from(
    [
        "user_message",
        "text_delta",
        "tool_call_request",
        "tool_result_emission",
        "system_progress",
        "final_response",
        "error",
        "metadata_update",
        "other",
    ]
)
FIELDS = st.sampled_from(
    [
        "text",
        "textDelta",
        "streamId",
        "toolCalls",
        "toolCallId",
        "toolResult",
        "finalResponseText",
        "partialText",
        "usage",
        "metadata",
        "code",
    ]
)


@given(st.lists(st.tuples(KINDS, st.dictionaries(FIELDS, ANYTHING, max_size=5))))
def test_whatever_is_stored_becomes_messages_that_cross_as_json(stored):
    events = [event(kind, **data) for kind, data in stored]

    messages = messages_from_events(events)

    used = [id for message in messages for id in message.event_ids]
    wanted = [e.id for e in events if e.event_type != "metadata_update"]
    assert sorted(used) == sorted(wanted)
    json.dumps([message.to_json() for message in messages])
