"""HTTP for the agent runtime, over the browser's ``fetch``."""

import json as json_module
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pyodide_app.errors import ProviderInterruptedError, ProviderOfflineError

__all__ = ["FetchClient"]


class FetchResponse:
    """The head of a response, and its body as it arrives."""

    def __init__(self, js: Any) -> None:  # noqa: ANN401  # a JsProxy
        self._js = js
        self.status = int(js.status)
        self.headers: Mapping[str, str] = {
            str(name).lower(): str(value) for name, value in js.headers.entries()
        }

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces of any size, as they arrive."""
        from pyodide.ffi import JsException

        if not self._js.body:
            return
        reader = self._js.body.getReader()
        try:
            while True:
                part = await reader.read()
                if part.done:
                    return
                yield part.value.to_bytes()
        except JsException as error:
            raise ProviderInterruptedError from error


class FetchClient:
    """Implements `pyodide_app.agentos.ports.HttpClient`."""

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
    ) -> AsyncIterator[FetchResponse]:
        """Send a request; entering the context waits for the head."""
        import js
        from pyodide.ffi import JsException, to_js

        all_headers = dict(headers or {})
        if json is not None:
            all_headers["Content-Type"] = "application/json"
        controller = js.AbortController.new()
        options: dict[str, Any] = {
            "method": method,
            "headers": all_headers,
            "redirect": "error",
            "credentials": "omit",
            "referrerPolicy": "no-referrer",
            "signal": controller.signal,
        }
        if json is not None:
            options["body"] = json_module.dumps(json)
        try:
            try:
                response = await js.fetch(url, to_js(options))
            except JsException as error:
                raise ProviderOfflineError from error
            yield FetchResponse(response)
        finally:
            controller.abort()
