"""Any server that speaks OpenAI's chat completions.

Ollama, llama.cpp, LM Studio, vLLM and hosted services do. What some of them do not
know (``tools``, ``stream_options``) is left out once they say so, and asked again.

Source: https://platform.openai.com/docs/api-reference/chat
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

from pyodide_app.agentos.ports import HttpClient, HttpResponse
from pyodide_app.agentos.providers.address import api_address, host_of
from pyodide_app.agentos.providers.model import (
    ChatMessage,
    Completed,
    ModelEvent,
    ModelRequest,
    TokenCount,
    ToolCalls,
    ToolDescription,
)
from pyodide_app.agentos.providers.openai_errors import error_from_response
from pyodide_app.agentos.providers.openai_stream import CompletionStream
from pyodide_app.agentos.providers.spec import OpenAiSpec
from pyodide_app.agentos.providers.sse import ServerEvent, SseParser
from pyodide_app.agentos.tokens import MESSAGE_TOKENS, estimate_tokens
from pyodide_app.errors import (
    ProviderError,
    ProviderInterruptedError,
    ProviderOfflineError,
    ProviderResponseError,
)

__all__ = ["OpenAiProvider"]

_BODY_LIMIT = 8 << 20
"""Bytes of a body that is read as a whole."""

_OPTIONAL = {"tools": "tool", "stream_options": "stream_options"}
"""What may be left out, and the word by which a server refuses it."""


class OpenAiProvider:
    """A `Provider` over an OpenAI-compatible server."""

    name = "openai"

    def __init__(self, spec: OpenAiSpec, http: HttpClient) -> None:
        self._spec = spec
        self._http = http
        self.model = spec.model
        self.context_tokens = spec.context_tokens

    async def answer(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Stream the answer, see `Provider.answer`."""
        body = _body(self._spec, request)
        while True:
            try:
                async with aclosing(self._attempt(body, request)) as events:
                    async for event in events:
                        yield event
            except _UnknownOptionError as refused:
                del body[refused.option]
            else:
                return

    async def check(self) -> tuple[str, ...]:
        """Return the models that the server lists."""
        url = api_address(self._spec.base_url, "/models")
        async with self._stream("GET", url, "application/json") as response:
            body = await _read(response)
            if response.status != 200:
                raise self._error(response.status, body, response.headers)
        listed = _object(body).get("data")
        if not isinstance(listed, list):
            raise self._no_answer()
        names = [model.get("id") for model in listed if isinstance(model, Mapping)]
        return tuple(name for name in names if isinstance(name, str))

    def cost_usd(self, tokens: TokenCount) -> float | None:
        """Return the price of *tokens*, or None if a price is not given."""
        read = self._spec.input_price_per_million
        written = self._spec.output_price_per_million
        if read is None or written is None:
            return None
        return (tokens.prompt * read + tokens.completion * written) / 1_000_000

    async def _attempt(
        self, body: Mapping[str, Any], request: ModelRequest
    ) -> AsyncGenerator[ModelEvent, None]:
        completion = CompletionStream()
        url = api_address(self._spec.base_url, "/chat/completions")
        async with self._stream("POST", url, "text/event-stream", body) as response:
            if response.status != 200:
                raise self._refusal(response, await _read(response), body)
            kind = response.headers.get("content-type", "").partition(";")[0].strip()
            if kind == "application/json":
                for event in completion.take(await self._whole(response)):
                    yield event
                completion.is_done = True
            elif kind == "text/html":
                raise self._no_answer()
            else:
                async with aclosing(self._chunks(response, completion)) as chunks:
                    async for chunk in chunks:
                        for event in completion.take(chunk):
                            yield event
        if not completion.is_complete:
            raise ProviderInterruptedError
        calls = completion.tool_calls()
        if calls:
            yield ToolCalls(calls)
        elif not completion.text.strip():
            msg = (
                f"{self.model} sent an empty answer "
                f"({completion.finish_reason or 'no reason given'}); try again, or "
                "choose another model"
            )
            raise ProviderResponseError(msg)
        yield Completed(
            completion.finish_reason or "stop",
            completion.tokens or _estimated(request, completion.text),
        )

    async def _chunks(
        self, response: HttpResponse, completion: CompletionStream
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """Yield the objects of the stream until it says that it is done."""
        events = _server_events(response)
        try:
            async with aclosing(events):
                async for event in events:
                    if event.data.strip() == "[DONE]":
                        completion.is_done = True
                        return
                    yield self._chunk(event)
        except ProviderInterruptedError:
            # A server that closes carelessly has still said all of it.
            if completion.finish_reason is None:
                raise

    def _chunk(self, event: ServerEvent) -> Mapping[str, Any]:
        chunk = _object(event.data)
        if not chunk:
            if event.is_cut:
                raise ProviderInterruptedError
            raise self._no_answer()
        if chunk.get("error") or event.event == "error":
            error = chunk.get("error")
            code = error.get("code") if isinstance(error, Mapping) else None
            status = code if isinstance(code, int) and code >= 400 else None
            raise self._error(status, chunk)
        return chunk

    async def _whole(self, response: HttpResponse) -> Mapping[str, Any]:
        """Return the completion of a server that does not stream."""
        body = await _read(response)
        completion = _object(body)
        if completion.get("error"):
            raise self._error(None, completion)
        if "choices" not in completion:
            raise self._no_answer()
        return completion

    @asynccontextmanager
    async def _stream(
        self, method: str, url: str, accept: str, body: object = None
    ) -> AsyncGenerator[HttpResponse, None]:
        headers = {"accept": accept}
        if self._spec.api_key:
            headers["authorization"] = f"Bearer {self._spec.api_key}"
        async with AsyncExitStack() as stack:
            try:
                response = await stack.enter_async_context(
                    self._http.stream(method, url, headers=headers, json=body)
                )
            except ProviderOfflineError as error:
                # A browser does not say whether nothing answers or the page may
                # not ask, so both ways out are named.
                host = host_of(self._spec.base_url)
                msg = (
                    f"nothing answers at {host}; check that it runs, that it allows "
                    "this page (CORS), and its address"
                )
                raise ProviderOfflineError(msg) from error
            yield response

    def _refusal(
        self, response: HttpResponse, content: bytes, body: Mapping[str, Any]
    ) -> Exception:
        if response.status in (400, 422):
            text = content.lower()
            for option, word in _OPTIONAL.items():
                if option in body and word.encode() in text:
                    return _UnknownOptionError(option)
        return self._error(response.status, content, response.headers)

    def _error(
        self,
        status: int | None,
        body: bytes | Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> ProviderError:
        return error_from_response(
            status,
            body,
            headers or {},
            host=host_of(self._spec.base_url),
            model=self.model,
            key=self._spec.api_key,
        )

    def _no_answer(self) -> ProviderResponseError:
        host = host_of(self._spec.base_url)
        return ProviderResponseError(
            f"what answers at {host} does not speak OpenAI's chat completions; "
            "check the address; it often ends in /v1"
        )


class _UnknownOptionError(Exception):
    """The server refused an option that may be left out."""

    def __init__(self, option: str) -> None:
        super().__init__(option)
        self.option = option


def _body(spec: OpenAiSpec, request: ModelRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": spec.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if spec.temperature is not None:
        body["temperature"] = spec.temperature
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    return body


def _message(message: ChatMessage) -> dict[str, Any]:
    sent: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        sent["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        sent["tool_call_id"] = message.tool_call_id
    return sent


def _tool(tool: ToolDescription) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        },
    }


def _estimated(request: ModelRequest, answer: str) -> TokenCount:
    prompt = sum(
        estimate_tokens(message.text) + MESSAGE_TOKENS for message in request.messages
    )
    return TokenCount(prompt, estimate_tokens(answer), is_estimated=True)


async def _server_events(response: HttpResponse) -> AsyncGenerator[ServerEvent, None]:
    parser = SseParser()
    async for piece in response.aiter_bytes():
        for event in parser.feed(piece):
            yield event
    for event in parser.close():
        yield event


async def _read(response: HttpResponse) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _BODY_LIMIT:
            break
    return bytes(body)


def _object(body: bytes | str) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}
