"""A real OpenAI-compatible server for tests, over sockets, without a model.

What it does is chosen by the name of the model (see `BEHAVIOURS`), so that a browser
test needs nothing but the settings a person has. Run it alone with::

    python -m tests.openai_server --port 8123

"""

import argparse
import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

__all__ = ["BEHAVIOURS", "OpenAiServer", "create_app"]

BEHAVIOURS = {
    "echo": "answers with what was said, word by word, and counts tokens",
    "slow": "the same, a word every 0.1 s",
    "stall": "says three words, then nothing for a minute",
    "no-usage": "never counts tokens",
    "whole": "does not stream",
    "thinking": "reasons before it answers",
    "tools": "asks for search_conversations once, then answers with its result",
    "tools-forever": "asks for a tool whenever it is offered one",
    "no-tools": "refuses a request with tools",
    "old": "refuses a request with stream_options",
    "flaky": "fails on every first request with the same messages",
    "cut": "closes the connection half-way",
    "no-end": "ends the body half-way, without saying why",
    "error-in-stream": "says two words, then an error",
    "json-error": "answers 200 with an error as JSON",
    "empty": "answers nothing",
    "web-page": "answers with a web page",
    "unauthorized": "401",
    "forbidden": "403",
    "absent": "404, no such model",
    "rate-limited": "429, try again in 7 seconds",
    "broken": "500",
}

_STATUSES = {
    "unauthorized": (401, "Incorrect API key provided: {key}."),
    "forbidden": (403, "The key {key} may not use this model."),
    "absent": (404, 'model "absent" not found, try pulling it first'),
    "rate-limited": (429, "Rate limit reached."),
    "broken": (500, "The server had an error."),
}


@dataclass
class Recorded:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class State:
    """What the server remembers.

    Attributes:
        key: What a request must carry; None for anything.
        requests: All of them, in order.
        gone: Set once for each stream whose reader left before its end.
    """

    key: str | None = None
    requests: list[Recorded] = field(default_factory=list)
    failed_once: set[str] = field(default_factory=set)
    gone: threading.Event = field(default_factory=threading.Event)


def create_app(state: State) -> Starlette:
    """Return the server as an ASGI application."""

    async def models(request: Request) -> Response:
        state.requests.append(Recorded(request.url.path, dict(request.headers), {}))
        if refusal := _unauthorized(state, request):
            return refusal
        data = [{"id": name, "object": "model"} for name in BEHAVIOURS]
        return JSONResponse({"object": "list", "data": data})

    async def chat(request: Request) -> Response:
        body = await request.json()
        state.requests.append(Recorded(request.url.path, dict(request.headers), body))
        if refusal := _unauthorized(state, request):
            return refusal
        return _respond(state, request, body)

    return Starlette(
        routes=[
            Route("/v1/models", models, methods=["GET"]),
            Route("/v1/chat/completions", chat, methods=["POST"]),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=["Retry-After"],
            )
        ],
    )


class OpenAiServer:
    """The server on a free port of this machine, in a thread of its own.

    Attributes:
        state: What it remembers.
        url: The base address, with ``/v1``.
    """

    def __init__(self, *, key: str | None = None) -> None:
        self.state = State(key=key)
        config = uvicorn.Config(
            create_app(self.state), log_level="critical", timeout_graceful_shutdown=0
        )
        self._server = uvicorn.Server(config)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    @property
    def last(self) -> dict[str, Any]:
        """The body of the last request."""
        return self.state.requests[-1].body

    def __enter__(self) -> "OpenAiServer":
        # Connections wait in the backlog until the server accepts.
        self._socket.listen(64)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()


def _unauthorized(state: State, request: Request) -> Response | None:
    sent = request.headers.get("authorization", "")
    if state.key is None or sent == f"Bearer {state.key}":
        return None
    return _error(401, f"Incorrect API key provided: {sent.removeprefix('Bearer ')}.")


def _error(
    status: int, message: str, headers: dict[str, str] | None = None
) -> Response:
    error = {"error": {"message": message, "type": "test", "code": None}}
    return JSONResponse(error, status_code=status, headers=headers)


def _respond(state: State, request: Request, body: dict[str, Any]) -> Response:
    model = body["model"]
    if model not in BEHAVIOURS:
        return _error(404, f"The model `{model}` does not exist")
    if model in _STATUSES:
        status, message = _STATUSES[model]
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        wait = {"Retry-After": "7"} if status == 429 else None
        return _error(status, message.format(key=key), wait)
    if model == "no-tools" and body.get("tools"):
        return _error(400, "registry.example/no-tools does not support tools")
    if model == "old" and "stream_options" in body:
        return _error(422, "Extra inputs are not permitted: stream_options")
    if model == "json-error":
        return _error(200, "The model is out of memory.")
    if model == "web-page":
        return HTMLResponse("<!doctype html><title>Welcome</title>")
    if model == "flaky":
        asked = json.dumps(body["messages"])
        if asked not in state.failed_once:
            state.failed_once.add(asked)
            return _error(503, "The model is loading.")
    if model == "whole":
        return JSONResponse(
            {
                "choices": [
                    {
                        "message": {"role": "assistant", "content": _answer(body)},
                        "finish_reason": "stop",
                    }
                ],
                "usage": _usage(body),
            }
        )
    return StreamingResponse(
        _watched(state, _stream(body)), media_type="text/event-stream"
    )


def _answer(body: dict[str, Any]) -> str:
    last = body["messages"][-1]
    if last["role"] == "tool":
        return f"The tool said: {last['content']}"
    return f"You said: {last['content']}"


def _usage(body: dict[str, Any]) -> dict[str, int]:
    prompt = sum(len(str(m["content"]).split()) for m in body["messages"])
    completion = len(_answer(body).split())
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


async def _watched(state: State, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    is_over = False
    try:
        async for piece in pieces:
            yield piece
        is_over = True
    finally:
        if not is_over:
            state.gone.set()


async def _stream(body: dict[str, Any]) -> AsyncIterator[bytes]:
    model = body["model"]
    wants_tools = bool(body.get("tools")) and (
        model == "tools-forever"
        or (model == "tools" and body["messages"][-1]["role"] != "tool")
    )
    yield b": welcome\n\n"
    if wants_tools:
        for piece in _tool_call(body):
            yield piece
        yield _chunk({}, finish_reason="tool_calls")
    else:
        if model == "thinking":
            yield _chunk({"role": "assistant", "reasoning_content": "Hmm. "})
            yield _chunk({"reasoning_content": "I see."})
        words = [] if model == "empty" else _answer(body).split(" ")
        for number, word in enumerate(words):
            if number == max(len(words) // 2, 1):
                if model == "cut":
                    msg = "cut on purpose"
                    raise ConnectionResetError(msg)
                if model == "no-end":
                    return
            if number == 2 and model == "error-in-stream":
                yield _data({"error": {"message": "The model ran out of memory."}})
                return
            if number == 3 and model == "stall":
                await asyncio.sleep(60)
            if model == "slow":
                await asyncio.sleep(0.1)
            yield _chunk({"content": word if number == 0 else f" {word}"})
        yield _chunk({}, finish_reason="stop")
    if model != "no-usage" and body.get("stream_options", {}).get("include_usage"):
        yield _data({"choices": [], "usage": _usage(body)})
    yield b"data: [DONE]\n\n"


def _tool_call(body: dict[str, Any]) -> list[bytes]:
    """Return a call of the first tool, in pieces, as servers send it."""
    users = [m["content"] for m in body["messages"] if m["role"] == "user"]
    arguments = json.dumps({"query": users[-1]})
    name = body["tools"][0]["function"]["name"]
    middle = len(arguments) // 2
    first = {
        "index": 0,
        "id": f"call_{len(body['messages'])}",
        "type": "function",
        "function": {"name": name, "arguments": ""},
    }
    parts = [first] + [
        {"index": 0, "function": {"arguments": part}}
        for part in (arguments[:middle], arguments[middle:])
    ]
    said = [_chunk({"content": "Let me look."})]
    return said + [_chunk({"tool_calls": [part]}) for part in parts]


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _data({"object": "chat.completion.chunk", "choices": [choice]})


def _data(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--key", help="refuse requests without this key")
    options = parser.parse_args()
    uvicorn.run(
        create_app(State(key=options.key)), host=options.host, port=options.port
    )


if __name__ == "__main__":
    main()
