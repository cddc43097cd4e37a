"""Serve dist/ on this machine, with the headers the app is written for.

Rule 1: only files below the served folders are served; no listing, no way out.
Rule 2: every answer carries the Content-Security-Policy that index.html relies
        on. Whoever serves dist/ with another server sends the same headers.
Rule 3: a browser may keep everything but asks each time (ETag), so that a new
        build is seen at once; working offline is the service worker's task.
"""

import errno
import hashlib
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import unquote, urlsplit

from tools.project import BuildError

__all__ = ["HEADERS", "AppServer"]

_POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'wasm-unsafe-eval'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    # A person names the provider's address; plain HTTP only on this machine.
    "connect-src": "'self' https: http://localhost:* http://127.0.0.1:*",
    "worker-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}

HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "; ".join(f"{k} {v}" for k, v in _POLICY.items()),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

# Stated here, for what the machine's own table says differs between machines.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".db": "application/vnd.sqlite3",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".whl": "application/zip",
    ".woff2": "font/woff2",
    ".zip": "application/zip",
}


_HandlerFactory = Callable[[Any, Any, Any], BaseHTTPRequestHandler]


class AppServer:
    """Serves *folder* from a thread of its own until it is closed.

    Args:
        folder: Served at ``/``.
        host: Loopback by default; other machines reach it only if told so.
        port: 0 takes a free one; `port` then says which.
        extra: More folders by prefix, such as ``{"/tests/": path}``. They win.
        beneath: Where a file is looked for that *folder* has not.
        quiet: True keeps requests out of the terminal.

    Raises:
        BuildError: The address is taken or not ours to take.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        extra: Mapping[str, Path] | None = None,
        beneath: Path | None = None,
        quiet: bool = True,
    ) -> None:
        folders = {prefix: [path] for prefix, path in (extra or {}).items()}
        folders["/"] = [folder, beneath] if beneath else [folder]
        handler = partial(_Handler, folders, quiet)
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            raise BuildError(_why_not(error, host, port)) from error
        self.host = host
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to type into a browser, without a slash at its end."""
        host = "localhost" if self.host in {"", "0.0.0.0"} else self.host  # noqa: S104  # compared, not bound
        return f"http://{host}:{self.port}"

    def wait(self) -> None:
        """Return when the server was closed, or raise what interrupts it."""
        # A join without a limit cannot be interrupted on Windows.
        while self._thread.is_alive():
            self._thread.join(1)

    def close(self) -> None:
        """Refuse new connections from now on, and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    # A browser keeps connections open; closing must not wait for it.
    daemon_threads = True
    block_on_close = False
    # Windows means something else by the option: two servers on one port.
    allow_reuse_address = os.name != "nt"

    def __init__(self, address: tuple[str, int], handler: _HandlerFactory) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(
        self, request: socket.socket | tuple[bytes, socket.socket]
    ) -> None:
        self._connections.discard(cast("socket.socket", request))  # TCP has no tuples
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        # Without this a closed server goes on answering on old connections.
        for connection in self._connections.copy():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        # A browser that went away in mid-answer is no error of ours.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # handed on


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "pyodide_app"
    sys_version = ""

    def __init__(
        self,
        folders: Mapping[str, Sequence[Path]],
        quiet: bool,
        *connection: object,
    ) -> None:
        self._folders = folders
        self._quiet = quiet
        super().__init__(*connection)  # type: ignore[arg-type]  # (request, address, server), handed on

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        if not self._quiet:
            super().log_message(format, *args)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _answer(self, *, with_body: bool) -> None:
        path = self._find(unquote(urlsplit(self.path).path))
        status, kind, body = HTTPStatus.OK, "", b""
        if path is None:
            status, kind = HTTPStatus.NOT_FOUND, _TYPES[".txt"]
            body = b"There is no such file here.\n"
        else:
            kind = _TYPES.get(path.suffix, "application/octet-stream")
            body = path.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if etag in self.headers.get("If-None-Match", ""):
            status, body = HTTPStatus.NOT_MODIFIED, b""
        self.send_response(status)
        self.send_header("ETag", etag)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _find(self, url_path: str) -> Path | None:
        """The file that *url_path* names, or None if it may not be served."""
        prefixes = [p for p in self._folders if url_path.startswith(p)]
        if not prefixes:
            return None
        prefix = max(prefixes, key=len)
        name = url_path[len(prefix) :] or "index.html"
        found = (_file_in(folder, name) for folder in self._folders[prefix])
        return next(filter(None, found), None)


def _file_in(folder: Path, name: str) -> Path | None:
    root = folder.resolve()
    try:
        path = (root / name).resolve()
        is_served = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError):  # a NUL, or longer than a name may be
        return None
    return path if is_served else None


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken; choose another one with --port"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights; choose one above 1023 with --port"
    return f"cannot serve on {host}:{port}: {error.strerror}"
