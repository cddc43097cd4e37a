import asyncio
import json
from datetime import datetime

import pytest

import pyodide_app
from pyodide_app.agentos import AgentOS, messages_from_events
from pyodide_app.errors import (
    AgentError,
    PersonaNotFoundError,
    ProviderAuthError,
    ProviderInterruptedError,
    ProviderResponseError,
    RecordNotFoundError,
)
from pyodide_app.storage import MemoryAdapter
from tests.unit.agentos.conftest import KEY


async def collect(chunks):
    return [chunk async for chunk in chunks]


async def stored(storage, id):
    found = await storage.conversations.get(id)
    return [event.event_type for event in found.events]


@pytest.fixture
def stream(agentos, openai):
    """Stream an answer of a model of the test server."""

    async def stream(model, text="Hello there", conversation_id="c", **more):
        return await collect(
            agentos.stream_user_message(
                user_id="ann",
                user_message=text,
                conversation_id=conversation_id,
                provider=openai(model, **more),
            )
        )

    return stream


async def test_the_chunks_have_the_original_s_shapes(stream):
    chunks = await stream("echo", inputPricePerMillion=1, outputPricePerMillion=2)

    base = {"type", "streamId", "gmiInstanceId", "personaId", "isFinal", "timestamp"}
    assert all(base <= set(chunk) for chunk in chunks)
    assert len({chunk["streamId"] for chunk in chunks}) == 1
    assert [chunk["isFinal"] for chunk in chunks] == [False] * 5 + [True]
    assert all(datetime.fromisoformat(chunk["timestamp"]) for chunk in chunks)
    assert json.loads(json.dumps(chunks)) == chunks
    assert [chunk["type"] for chunk in chunks] == [
        "metadata_update",
        *["text_delta"] * 4,
        "final_response",
    ]
    assert chunks[0]["updates"]["conversationId"] == "c"
    assert chunks[0]["updates"]["title"] == "Hello there"
    final = chunks[-1]
    assert final["finalResponseText"] == "You said: Hello there"
    assert final["finalResponseText"] == "".join(c["textDelta"] for c in chunks[1:5])
    used = final["usage"]
    assert used["totalTokens"] == used["promptTokens"] + used["completionTokens"]
    assert used["totalCostUSD"] == pytest.approx(
        (used["promptTokens"] + 2 * used["completionTokens"]) / 1e6
    )


async def test_the_end_takes_the_place_of_the_deltas_and_counts_the_tokens(
    stream, storage
):
    await stream("slow", "one two three four five six")

    assert await stored(storage, "c") == ["user_message", "final_response"]
    (record,) = (await storage.telemetry.list("c")).items
    assert record.event_type == "token_usage"
    assert record.event_data["model"] == "slow"
    assert record.event_data["provider"] == "openai"
    assert record.event_data["costUSD"] is None
    assert record.event_data["latencyMs"] >= 600
    (row,) = (await storage.telemetry.summary()).rows
    assert (row.model, row.calls, row.completion_tokens) == ("slow", 1, 8)


async def test_a_price_that_is_not_known_is_not_invented(stream):
    chunks = await stream("echo")

    assert "totalCostUSD" not in chunks[-1]["usage"]


async def test_an_estimate_is_marked_as_one(stream):
    chunks = await stream("no-usage")

    assert chunks[-1]["usage"]["isEstimated"] is True


async def test_text_is_stored_while_it_streams(agentos, storage, openai):
    """A crash of the whole process keeps what was said a moment ago."""
    chunks = agentos.stream_user_message(
        user_id="ann",
        user_message=" ".join(["word"] * 12),
        conversation_id="c",
        provider=openai("slow"),
    )
    kinds_seen = set()
    async for chunk in chunks:
        if chunk["type"] == "text_delta":
            kinds_seen.update(await stored(storage, "c"))

    assert "text_delta" in kinds_seen
    assert await stored(storage, "c") == ["user_message", "final_response"]


async def test_text_is_stored_also_while_the_provider_is_silent(
    agentos, storage, openai
):
    changes = storage.watch(["conversation_events"])
    chunks = agentos.stream_user_message(
        user_id="ann",
        user_message="one two three",
        conversation_id="c",
        provider=openai("stall"),
    )
    for _ in range(4):
        await anext(chunks)
    await anext(changes)

    waiting = asyncio.ensure_future(anext(chunks))
    async with asyncio.timeout(10):
        await anext(changes)

    found = await storage.conversations.get("c")
    answer = messages_from_events(found.events)[-1]
    assert (answer.text, answer.status) == ("You said: one", "interrupted")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    changes.close()


async def test_what_was_said_before_is_told_to_the_model(stream, server):
    await stream("echo", "first")
    await stream("echo", "second")

    roles = [(m["role"], m["content"]) for m in server.last["messages"]]
    assert roles[0][0] == "system"
    assert roles[0][1].startswith("You are a capable, friendly assistant.")
    assert roles[1:] == [
        ("user", "first"),
        ("assistant", "You said: first"),
        ("user", "second"),
    ]


async def test_the_persona_of_the_conversation_answers(agentos, openai, server):
    await agentos.handle_user_message(
        user_id="ann",
        user_message="Hi",
        persona_id="v_researcher",
        conversation_id="c",
        provider=openai("echo"),
    )
    response = await agentos.handle_user_message(
        user_id="ann", user_message="Hi", conversation_id="c", provider=openai("echo")
    )

    assert response.persona_id == "v_researcher"
    assert server.last["messages"][0]["content"].startswith("You are V,")


async def test_a_title_is_made_once_and_never_replaced(stream, storage):
    await stream("echo", "The first question\nand more")
    await stream("echo", "The second question")

    assert (await storage.conversations.find("c")).title == "The first question"


async def test_a_new_conversation_gets_an_id(agentos, storage):
    response = await agentos.handle_user_message(user_id="ann", user_message="Hi there")

    found = await storage.conversations.get(response.conversation_id)
    assert (found.conversation.user_id, found.conversation.persona_id) == (
        "ann",
        "default_assistant_persona",
    )
    assert [event.id for event in found.events] == [
        response.question_event_id,
        response.event_id,
    ]


# Failures --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "code", "partial"),
    [
        ("unauthorized", "provider_auth", ""),
        ("rate-limited", "provider_rate_limit", ""),
        ("broken", "provider_response", ""),
        ("cut", "provider_interrupted", "You said:"),
        ("no-end", "provider_interrupted", "You said:"),
        ("error-in-stream", "provider_response", "You said:"),
    ],
)
async def test_a_failure_is_the_last_chunk_and_is_stored_with_what_was_said(
    stream, storage, model, code, partial
):
    chunks = await stream(model)

    last = chunks[-1]
    assert (last["type"], last["isFinal"]) == ("error", True)
    assert (last["code"], last["partialText"]) == (code, partial)
    assert isinstance(last["details"]["retryable"], bool)
    assert await stored(storage, "c") == ["user_message", "error"]
    found = await storage.conversations.get("c")
    assert found.events[-1].event_data == last
    answer = messages_from_events(found.events)[-1]
    assert (answer.text, answer.status) == (partial, "failed")


async def test_a_key_is_nowhere_in_the_database(stream, storage):
    for model in ("echo", "unauthorized", "cut"):
        await stream(model)

    assert KEY.encode() not in await storage.export_database()


async def test_a_whole_answer_that_failed_is_raised(agentos, openai, storage):
    with pytest.raises(ProviderAuthError):
        await agentos.handle_user_message(
            user_id="ann",
            user_message="Hi",
            conversation_id="c",
            provider=openai("unauthorized"),
        )

    assert await stored(storage, "c") == ["user_message", "error"]


async def test_trying_again_stores_no_second_question_and_drops_the_failure(
    agentos, stream, openai, storage
):
    await stream("flaky")
    assert await stored(storage, "c") == ["user_message", "error"]

    chunks = await collect(
        agentos.retry(user_id="ann", conversation_id="c", provider=openai("flaky"))
    )

    assert chunks[-1]["finalResponseText"] == "You said: Hello there"
    assert await stored(storage, "c") == ["user_message", "final_response"]


async def test_trying_again_keeps_half_an_answer_but_tells_the_model_the_whole_one(
    agentos, stream, openai, storage, server
):
    await stream("cut")
    await collect(
        agentos.retry(user_id="ann", conversation_id="c", provider=openai("echo"))
    )
    await stream("echo", "Next")

    kinds = await stored(storage, "c")
    assert kinds[:3] == ["user_message", "error", "final_response"]
    told = [message["content"] for message in server.last["messages"][1:]]
    assert told == ["Hello there", "You said: Hello there", "Next"]


async def test_trying_again_after_a_failed_try_keeps_one_failure(
    agentos, stream, openai, storage
):
    await stream("broken")
    await collect(
        agentos.retry(user_id="ann", conversation_id="c", provider=openai("broken"))
    )
    await collect(
        agentos.retry(user_id="ann", conversation_id="c", provider=openai("echo"))
    )

    assert await stored(storage, "c") == ["user_message", "final_response"]


async def test_there_must_be_something_to_try_again(agentos, storage):
    await storage.conversations.save("empty", "ann", "v_researcher")

    for id in ("absent", "empty"):
        with pytest.raises(RecordNotFoundError):
            await collect(agentos.retry(user_id="ann", conversation_id=id))


@pytest.mark.parametrize("message", ["", "  \n"])
async def test_an_empty_message_is_refused(agentos, storage, message):
    with pytest.raises(AgentError, match="empty"):
        await agentos.handle_user_message(user_id="ann", user_message=message)

    assert (await storage.conversations.list()).items == ()


async def test_an_unknown_persona_is_refused_before_anything_is_stored(
    agentos, storage
):
    with pytest.raises(PersonaNotFoundError):
        await agentos.handle_user_message(
            user_id="ann", user_message="Hi", persona_id="nobody"
        )

    assert (await storage.conversations.list()).items == ()


async def test_a_conversation_imported_without_its_persona_goes_on(agentos, storage):
    await storage.conversations.save("c", "ann", "left_behind")

    chunks = await collect(
        agentos.stream_user_message(
            user_id="ann",
            user_message="Hi",
            persona_id="left_behind",
            conversation_id="c",
        )
    )

    assert chunks[1]["type"] == "system_progress"
    assert "left_behind is not stored here" in chunks[1]["message"]
    assert chunks[-1]["type"] == "final_response"


async def test_a_fault_of_ours_is_stored_and_raised(agentos, storage):
    class Faulty:
        name, model, context_tokens = "faulty", "faulty", 1000

        async def answer(self, request):
            raise ZeroDivisionError
            yield

    with pytest.raises(ZeroDivisionError):
        await agentos.handle_user_message(
            user_id="ann", user_message="Hi", conversation_id="c", provider=Faulty()
        )

    found = await storage.conversations.get("c")
    assert found.events[-1].event_data["code"] == "internal"


async def test_events_stay_in_order_when_the_clock_steps_back(storage, agentos):
    class Backwards:
        def __init__(self):
            self.now = 2_000_000_000_000

        def now_ms(self):
            self.now -= 1000
            return self.now

        def monotonic(self):
            return 0.0

    runtime = AgentOS()
    await runtime.initialize(storage_adapter=storage, clock=Backwards())
    for text in ("first", "second"):
        await runtime.handle_user_message(
            user_id="ann", user_message=text, conversation_id="c"
        )

    assert await stored(storage, "c") == ["user_message", "final_response"] * 2


# Tools -----------------------------------------------------------------------


async def test_a_tool_is_called_and_both_sides_are_stored(stream, storage, server):
    await storage.conversations.save(
        "past",
        "ann",
        "v_researcher",
        [{"type": "user_message", "text": "The password is swordfish."}],
    )

    chunks = await stream("tools", "password")

    kinds = [chunk["type"] for chunk in chunks if chunk["type"] != "text_delta"]
    assert kinds == [
        "metadata_update",
        "tool_call_request",
        "tool_result_emission",
        "final_response",
    ]
    assert await stored(storage, "c") == [
        "user_message",
        "tool_call_request",
        "tool_result_emission",
        "final_response",
    ]
    request = next(c for c in chunks if c["type"] == "tool_call_request")
    (call,) = request["toolCalls"]
    assert (call["name"], json.loads(call["arguments"])) == (
        "search_conversations",
        {"query": "password"},
    )
    assert request["executionMode"] == "internal"
    emission = next(c for c in chunks if c["type"] == "tool_result_emission")
    assert emission["isSuccess"]
    assert emission["toolResult"][0]["text"] == "The password is swordfish."
    assert chunks[-1]["finalResponseText"].startswith("Let me look.\n\nThe tool said:")
    assert "swordfish" in chunks[-1]["finalResponseText"]
    sent = server.last["messages"]
    assert [message["role"] for message in sent[-2:]] == ["assistant", "tool"]
    assert sent[-2]["tool_calls"][0]["id"] == sent[-1]["tool_call_id"]


async def test_what_was_said_before_a_tool_is_stored_before_it(
    agentos, storage, server, openai
):
    kinds = []

    async def look(arguments, context):
        kinds.extend(await stored(storage, "c"))

    agentos.register_tool("search_conversations", "Looks.", {"type": "object"}, look)
    await agentos.handle_user_message(
        user_id="ann",
        user_message="Hi",
        conversation_id="c",
        provider=openai("tools"),
    )

    assert kinds == ["user_message", "text_delta", "tool_call_request"]


async def test_tools_are_asked_for_only_so_often(stream, server):
    chunks = await stream("tools-forever")

    assert chunks[-1]["type"] == "final_response"
    assert len(server.state.requests) == 5
    assert "tools" not in server.last


async def test_a_tool_of_a_program_s_own_is_offered(agentos, storage, server, openai):
    async def clock(arguments, context):
        raise AssertionError

    agentos.register_tool("clock", "Tells the time.", {"type": "object"}, clock)
    chunks = await collect(
        agentos.stream_user_message(
            user_id="ann",
            user_message="Hi",
            conversation_id="c",
            provider=openai("echo"),
        )
    )

    names = [tool["function"]["name"] for tool in server.last["tools"]]
    assert names == ["search_conversations", "clock"]
    assert chunks[-1]["type"] == "final_response"


# Set-up ----------------------------------------------------------------------


async def test_an_adapter_is_enough_and_stays_open():
    adapter = MemoryAdapter()
    runtime = pyodide_app.AgentOS()
    await runtime.initialize(storage_adapter=adapter)

    response = await runtime.handle_user_message(user_id="ann", user_message="Hi there")
    await runtime.close()

    row = await adapter.get(
        "SELECT count(*) AS events FROM conversation_events WHERE conversation_id = ?",
        (response.conversation_id,),
    )
    assert row == {"events": 2}
    await adapter.close()


async def test_the_first_provider_is_the_default(storage, openai):
    runtime = AgentOS()
    await runtime.initialize(
        storage_adapter=storage, providers=[openai("echo"), {"type": "recall"}]
    )

    response = await runtime.handle_user_message(user_id="ann", user_message="Hi")
    await runtime.close()

    assert (response.provider, response.model) == ("openai", "echo")


async def test_before_initialize_the_way_out_is_named():
    with pytest.raises(AgentError, match=r"initialize\(\) first"):
        await AgentOS().handle_user_message(user_id="ann", user_message="Hi")


async def test_a_provider_that_is_none_is_refused_at_once(storage):
    with pytest.raises(AgentError, match="type"):
        await AgentOS().initialize(storage_adapter=storage, providers=[{"type": "x"}])


async def test_a_model_without_a_name_is_refused(stream):
    with pytest.raises(AgentError, match="no name"):
        await stream("")


async def test_the_error_of_a_cut_stream_is_the_typed_one(agentos, openai):
    for model, kind in (
        ("cut", ProviderInterruptedError),
        ("empty", ProviderResponseError),
    ):
        with pytest.raises(kind):
            await agentos.handle_user_message(
                user_id="ann", user_message="Hi you", provider=openai(model)
            )
