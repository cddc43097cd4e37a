"""An OpenAI-compatible server that says what a test wrote down, when it says so."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

__all__ = ["ModelServer", "Reply"]

# What a server that is meant for browsers sends.
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "authorization, content-type",
}


@dataclass
class Reply:
    """One answer of the model.

    Attributes:
        pieces: Of its text, each sent at once.
        status: Another one than 200 sends an error and no text.
        headers: Sent besides.
        is_cut: The connection ends after the pieces, without an end of the stream.
        go_on: If not None, what follows the pieces waits for it.
    """

    pieces: Sequence[str] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    go_on: Event | None = None


class ModelServer:
    """Answers each question with the next reply of `replies`, on loopback.

    Attributes:
        requests: The body of each question, in order.
        keys: The `Authorization` header of each question.
    """

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        """The base address, as a person writes it into the dialog."""
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        """Listen, on the same port each time."""
        owner = self

        class Handler(_Handler):
            server_of_model = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Handler(BaseHTTPRequestHandler):
    server_of_model: ModelServer

    def do_OPTIONS(self) -> None:
        self._begin(204, {})
        self.end_headers()

    def do_GET(self) -> None:
        models = {"object": "list", "data": [{"id": "parrot"}, {"id": "raven"}]}
        self._send_json(200, models, {})

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        model = self.server_of_model
        model.requests.append(json.loads(self.rfile.read(length)))
        model.keys.append(self.headers["Authorization"])
        reply = model.replies.popleft()
        if reply.status != 200:
            error = {"error": {"message": f"the model says {reply.status}"}}
            self._send_json(reply.status, error, reply.headers)
            return
        # The reader went away: it pressed stop, or its tab is gone.
        with suppress(ConnectionError):
            self._stream(reply)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test reads `requests`."""

    def _stream(self, reply: Reply) -> None:
        self._begin(200, {"Content-Type": "text/event-stream"})
        if reply.is_cut:
            # More is announced than comes: the browser sees it break off.
            self.send_header("Content-Length", "1000000")
        self.end_headers()
        for piece in reply.pieces:
            self._send_chunk({"choices": [{"index": 0, "delta": {"content": piece}}]})
        if reply.go_on is not None:
            reply.go_on.wait(30)
        if reply.is_cut:
            return
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        self._send_chunk({"choices": [end]})
        self._send_chunk({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _send_chunk(self, chunk: Mapping[str, object]) -> None:
        data = {"id": "1", "object": "chat.completion.chunk", "model": "parrot"}
        self.wfile.write(f"data: {json.dumps({**data, **chunk})}\n\n".encode())
        self.wfile.flush()

    def _send_json(self, status: int, body: object, headers: Mapping[str, str]) -> None:
        content = json.dumps(body).encode()
        self._begin(status, {"Content-Type": "application/json", **headers})
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**_CORS, **headers}.items():
            self.send_header(name, value)
