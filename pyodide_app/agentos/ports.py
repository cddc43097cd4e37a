"""What the runtime needs from where it runs: HTTP, a model of the browser, time.

The runtime knows neither the browser nor a socket. `http_native` is the adapter
for CPython, `pyodide_app.browser` has those for the page.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, TypeAlias

from pyodide_app.ids import now_ms

__all__ = [
    "Availability",
    "BuiltInModel",
    "Clock",
    "HttpClient",
    "HttpResponse",
    "SystemClock",
]


class HttpResponse(Protocol):
    """The head of a response, and its body as it arrives."""

    @property
    def status(self) -> int:
        """The HTTP status; any of them, errors are not raised."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names are in lower case."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body, decompressed, in pieces of any size, as they arrive.

        Raises:
            ProviderInterruptedError: The connection broke before its end.
        """
        ...


class HttpClient(Protocol):
    """Sends one request and reads the response while it is still being sent.

    An implementation guarantees:

    - Leaving the context, also by an error or a cancellation, ends the request.
    - Redirects are not followed: a key goes to the address it was meant for.
    - No header, and so no key, is logged or becomes part of an error.
    """

    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
    ) -> AbstractAsyncContextManager[HttpResponse]:
        """Send a request; entering the context waits for the head of the response.

        Args:
            method: ``GET`` or ``POST``.
            url: Absolute, ``http`` or ``https``.
            headers: Sent as they are.
            json: Sent as the body, with its content type; None for no body.

        Raises:
            ProviderOfflineError: On entering: nothing answers there, or the
                browser does not allow the request (CORS, mixed content).
        """
        ...


Availability: TypeAlias = Literal[
    "available", "downloadable", "downloading", "unavailable"
]
"""Word of the Prompt API, see https://webmachinelearning.github.io/prompt-api/"""


class BuiltInModel(Protocol):
    """The language model that comes with the browser."""

    async def availability(self) -> Availability:
        """Return whether it can answer; ``unavailable`` also if there is none."""
        ...

    def prompt(
        self, messages: Sequence[Mapping[str, str]], *, temperature: float | None = None
    ) -> AsyncGenerator[str, None]:
        """Yield the answer piece by piece. Closing the generator stops the model.

        Args:
            messages: Each with ``role`` (``system``, first if there is one,
                ``user`` or ``assistant``) and ``content``. The last is the user's.
            temperature: None for the model's own.

        Raises:
            ProviderError: The model could not answer, or stopped half-way.
        """
        ...


class Clock(Protocol):
    """Time as the runtime reads it."""

    def now_ms(self) -> int:
        """Return the time in Unix milliseconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step back, from an unspecified start."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now_ms(self) -> int:
        """Return the time in Unix milliseconds."""
        return now_ms()

    def monotonic(self) -> float:
        """Return seconds that never step back."""
        return time.monotonic()
