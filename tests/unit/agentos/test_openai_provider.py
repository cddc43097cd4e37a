"""The provider against a real server, over the real client."""

import asyncio
import logging
import socket
from contextlib import aclosing

import pytest

from pyodide_app.agentos.providers import OpenAiProvider, parse_spec
from pyodide_app.agentos.providers.model import (
    ChatMessage,
    Completed,
    ModelRequest,
    Progress,
    TextDelta,
    TokenCount,
    ToolCall,
    ToolCalls,
    ToolDescription,
)
from pyodide_app.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderInterruptedError,
    ProviderOfflineError,
    ProviderRateLimitError,
    ProviderResponseError,
)
from tests.unit.agentos.conftest import KEY

TOOL = ToolDescription("search_conversations", "Search.", {"type": "object"})


@pytest.fixture
def ask(openai, http):
    """Ask a model of the test server; return its events."""

    async def ask(model, text="Hello there", *, tools=(), **more):
        provider = OpenAiProvider(parse_spec(openai(model, **more)), http)
        request = ModelRequest((ChatMessage("user", text),), tools=tools)
        return [event async for event in provider.answer(request)]

    return ask


def text_of(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_an_answer_streams_and_its_tokens_are_the_server_s(ask, server):
    events = await ask("echo", temperature=0.25)

    assert [event.text for event in events[:-1]] == [
        "You",
        " said:",
        " Hello",
        " there",
    ]
    assert events[-1] == Completed("stop", TokenCount(2, 4))
    assert server.last["temperature"] == 0.25
    assert server.last["stream_options"] == {"include_usage": True}
    assert "tools" not in server.last


async def test_tokens_that_the_server_does_not_count_are_estimated(ask):
    events = await ask("no-usage")

    assert events[-1].tokens.is_estimated
    assert events[-1].tokens.completion == 6


async def test_a_server_that_does_not_stream_is_understood(ask):
    assert await ask("whole") == [
        TextDelta("You said: Hello there"),
        Completed("stop", TokenCount(2, 4)),
    ]


async def test_reasoning_is_progress_and_not_part_of_the_answer(ask):
    events = await ask("thinking")

    assert events[0] == Progress("Thinking…")
    assert text_of(events) == "You said: Hello there"


async def test_a_tool_call_arrives_whole(ask):
    events = await ask("tools", tools=(TOOL,))

    assert events[-2:] == [
        ToolCalls(
            (ToolCall("call_1", "search_conversations", '{"query": "Hello there"}'),)
        ),
        Completed("tool_calls", events[-1].tokens),
    ]


async def test_what_a_server_does_not_know_is_left_out_and_asked_again(ask, server):
    assert text_of(await ask("no-tools", tools=(TOOL,))) == "You said: Hello there"
    assert "tools" not in server.last
    assert text_of(await ask("old")) == "You said: Hello there"
    assert "stream_options" not in server.last
    assert len(server.state.requests) == 4


@pytest.mark.parametrize(
    ("model", "kind", "retryable"),
    [
        ("unauthorized", ProviderAuthError, False),
        ("forbidden", ProviderAuthError, False),
        ("absent", ProviderResponseError, False),
        ("rate-limited", ProviderRateLimitError, True),
        ("broken", ProviderResponseError, True),
        ("json-error", ProviderResponseError, False),
        ("web-page", ProviderResponseError, False),
        ("empty", ProviderResponseError, False),
        ("cut", ProviderInterruptedError, True),
        ("no-end", ProviderInterruptedError, True),
        ("error-in-stream", ProviderResponseError, False),
    ],
)
async def test_each_failure_has_its_error_and_none_shows_the_key(
    ask, caplog, model, kind, retryable
):
    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderError) as caught:
        await ask(model)

    assert type(caught.value) is kind
    assert caught.value.retryable is retryable
    assert KEY not in f"{caught.value!r} {caught.value} {caught.value.detail}"
    assert KEY not in caplog.text


async def test_a_rate_limit_says_how_long(ask):
    with pytest.raises(ProviderRateLimitError) as caught:
        await ask("rate-limited")

    assert caught.value.retry_after_s == 7


async def test_a_wrong_key_is_the_server_s_to_refuse(ask):
    with pytest.raises(ProviderAuthError, match="refused the key") as caught:
        await ask("echo", apiKey="sk-wrong-987654321")

    assert "sk-wrong" not in str(caught.value)


async def test_without_a_server_the_provider_is_offline(http):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        spec = {"type": "openai", "baseUrl": f"localhost:{port}", "model": "m"}
        provider = OpenAiProvider(parse_spec(spec), http)

        with pytest.raises(ProviderOfflineError, match=f"localhost:{port}"):
            await provider.check()


async def test_leaving_an_answer_ends_the_request(openai, http, server):
    provider = OpenAiProvider(parse_spec(openai("stall")), http)
    request = ModelRequest((ChatMessage("user", "one two three four"),))

    async with aclosing(provider.answer(request)) as events:
        assert await anext(events) == TextDelta("You")

    assert await asyncio.to_thread(server.state.gone.wait, 10)


async def test_the_models_of_a_server_are_listed(openai, http):
    models = await OpenAiProvider(parse_spec(openai("")), http).check()

    assert "echo" in models


async def test_a_check_tells_a_wrong_key_and_a_wrong_address(openai, http, server):
    wrong_key = parse_spec(openai("echo", apiKey="sk-wrong"))
    astray = parse_spec(openai("echo", baseUrl=f"{server.url}/astray"))

    with pytest.raises(ProviderAuthError):
        await OpenAiProvider(wrong_key, http).check()
    with pytest.raises(ProviderResponseError, match="ends in /v1"):
        await OpenAiProvider(astray, http).check()


def test_a_cost_is_known_only_if_both_prices_are(http):
    def cost(**prices):
        spec = {"type": "openai", "baseUrl": "http://h", "model": "m", **prices}
        return OpenAiProvider(parse_spec(spec), http).cost_usd(TokenCount(1000, 500))

    assert cost() is None
    assert cost(inputPricePerMillion=2) is None
    assert cost(inputPricePerMillion=2, outputPricePerMillion=4) == 0.004
