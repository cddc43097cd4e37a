import json

from hypothesis import given
from hypothesis import strategies as st

from pyodide_app.agentos.providers.model import (
    Progress,
    TextDelta,
    TokenCount,
    ToolCall,
)
from pyodide_app.agentos.providers.openai_stream import CompletionStream


def chunk(finish_reason=None, **delta):
    return {"choices": [{"delta": delta, "finish_reason": finish_reason}]}


def calls_of(*parts):
    stream = CompletionStream()
    for part in parts:
        stream.take(chunk(tool_calls=[part]))
    return stream.tool_calls()


def part(index=None, id=None, name=None, arguments=None):
    function = {"name": name, "arguments": arguments}
    whole = {"index": index, "id": id, "function": function}
    return {key: value for key, value in whole.items() if value is not None}


def test_text_and_the_end_are_read():
    stream = CompletionStream()

    events = stream.take(chunk(role="assistant", content=""))
    events += stream.take(chunk(content="Hi"))
    assert not stream.is_complete
    events += stream.take(chunk("stop"))

    assert events == [TextDelta("Hi")]
    assert stream.is_complete
    assert stream.text == "Hi"


def test_usage_comes_in_a_chunk_of_its_own():
    stream = CompletionStream()

    stream.take({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
    stream.take({"choices": [], "usage": None})

    assert stream.tokens == TokenCount(3, 4)


def test_reasoning_is_told_once_as_progress():
    stream = CompletionStream()

    events = stream.take(chunk(reasoning_content="Hm"))
    events += stream.take(chunk(reasoning_content="so"))

    assert events == [Progress("Thinking…")]


def test_a_call_in_pieces_is_put_together():
    assert calls_of(
        part(0, "a", "search", ""),
        part(0, arguments='{"q":'),
        part(0, arguments='"x"}'),
    ) == (ToolCall("a", "search", '{"q":"x"}'),)


def test_calls_in_turns_stay_apart():
    assert calls_of(
        part(0, "a", "one"),
        part(1, "b", "two"),
        part(0, arguments="{}"),
        part(1, arguments="[]"),
    ) == (ToolCall("a", "one", "{}"), ToolCall("b", "two", "[]"))


def test_whole_calls_with_one_index_are_several():
    assert calls_of(
        part(0, "a", "one", "{}"),
        part(0, "b", "two", "{}"),
    ) == (ToolCall("a", "one", "{}"), ToolCall("b", "two", "{}"))


def test_whole_calls_without_index_or_id_get_ids():
    assert calls_of(
        part(name="one", arguments={"q": 1}),
        part(name="two"),
    ) == (ToolCall("call_0", "one", '{"q": 1}'), ToolCall("call_1", "two", "{}"))


def test_pieces_without_an_index_go_on_with_the_last_call():
    assert calls_of(
        part(id="a", name="one", arguments="{"),
        part(arguments="}"),
    ) == (ToolCall("a", "one", "{}"),)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("choices", "delta", "message", "content", "tool_calls", "index"),
                    *("id", "function", "name", "arguments", "usage"),
                    *("finish_reason", "prompt_tokens"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "usage": JSON,
                "choices": JSON
                | st.lists(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "delta": JSON,
                            "message": JSON,
                            "finish_reason": JSON,
                        },
                    )
                ),
            },
        ),
        max_size=5,
    )
)
def test_whatever_a_server_sends_is_read_or_left_out(chunks):
    stream = CompletionStream()

    for one in chunks:
        stream.take(one)

    for call in stream.tool_calls():
        json.dumps([call.id, call.name, call.arguments])
