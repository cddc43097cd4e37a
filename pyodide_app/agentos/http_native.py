"""`HttpClient` on CPython, over httpx.

httpx is an extra, because a storage user does not need it and the browser has
``fetch``.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyodide_app.errors import (
    AgentError,
    ProviderInterruptedError,
    ProviderOfflineError,
)

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpxClient"]

_CONNECT_S = 10.0
_SILENCE_S = 300.0
"""A model on a slow machine reads a long prompt for minutes before it speaks."""


class HttpxClient:
    """An `HttpClient` that keeps connections open until `aclose`.

    Args:
        connect_timeout: Seconds to wait for a connection.
        silence_timeout: Seconds without a byte after which the answer counts as
            interrupted.

    Raises:
        AgentError: httpx is not installed.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = _CONNECT_S,
        silence_timeout: float = _SILENCE_S,
    ) -> None:
        self._httpx = _load()
        self._client = self._httpx.AsyncClient(
            timeout=self._httpx.Timeout(silence_timeout, connect=connect_timeout),
            follow_redirects=False,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
    ) -> AsyncIterator["_Response"]:
        """Send a request, see `HttpClient.stream`."""
        request = self._request(method, url, headers, json)
        try:
            response = await self._client.send(request, stream=True)
        except self._httpx.TransportError as error:
            raise ProviderOfflineError(_unreachable(url, error)) from error
        try:
            yield _Response(response, self._httpx.TransportError)
        finally:
            await response.aclose()

    def _request(
        self, method: str, url: str, headers: Mapping[str, str] | None, json: object
    ) -> "httpx.Request":
        options: dict[str, Any] = {} if json is None else {"json": json}
        try:
            request: httpx.Request = self._client.build_request(
                method, url, headers=dict(headers or {}), **options
            )
        except self._httpx.InvalidURL as error:
            raise ProviderOfflineError(_unreachable(url, error)) from error
        return request


class _Response:
    def __init__(
        self, response: "httpx.Response", transport_error: type[Exception]
    ) -> None:
        self._response = response
        self._transport_error = transport_error
        self.status = response.status_code
        self.headers: Mapping[str, str] = {
            name.lower(): value for name, value in response.headers.items()
        }

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.aiter_bytes():
                yield piece
        except self._transport_error as error:
            raise ProviderInterruptedError from error


def _load() -> ModuleType:
    try:
        import httpx
    except ImportError as error:
        msg = "this provider needs httpx: pip install 'pyodide_app[http]'"
        raise AgentError(msg) from error
    return httpx


def _unreachable(url: str, error: Exception) -> str:
    reason = str(error) or type(error).__name__
    return (
        f"nothing answers at {_host(url)} ({reason}); check the network and the address"
    )


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        return parts.netloc.rpartition("@")[2] or "that address"
    except ValueError:
        return "that address"
