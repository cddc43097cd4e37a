"""What an OpenAI-compatible server means by an error, as one of our errors.

What a server says is quoted, without the key and not endlessly: it is often the
one thing that helps ("try pulling it first").
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pyodide_app.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderRateLimitError,
    ProviderResponseError,
)

__all__ = ["error_from_response", "message_in", "retry_after", "without_key"]

_QUOTED = 300
"""Characters of a server's message."""


def error_from_response(
    status: int | None,
    body: bytes | Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    host: str,
    model: str,
    key: str | None,
    now: datetime | None = None,
) -> ProviderError:
    """Return the error for a response that is no answer.

    Args:
        status: HTTP status; None for an error inside a stream.
        body: The response's body, or the error object of a stream.
        headers: Of the response; names in lower case.
        host: Who answered.
        model: Which model was asked.
        key: Never quoted.
        now: The time, to count from for a date in ``Retry-After``.
    """
    said = without_key(message_in(body), key)
    quoted = f": {said}" if said else ""
    if status in (401, 403):
        return ProviderAuthError(
            f"{host} refused the key{quoted}; check it in the provider's settings"
        )
    if status == 429:
        wait = retry_after(headers, now or datetime.now(UTC))
        when = "later" if wait is None else f"in {wait:g} seconds"
        return ProviderRateLimitError(
            f"{host} allows no more requests now{quoted}; try again {when}",
            retry_after_s=wait,
        )
    if status == 404:
        way_out = (
            f"check the name of the model ({model})"
            if "model" in said.lower()
            else "check the address; it often ends in /v1"
        )
        message = f"{host} does not have what was asked for{quoted}; {way_out}"
    elif status is not None and 300 <= status < 400:
        message = f"{host} has moved elsewhere; use the address it has moved to"
    elif status is not None and status >= 500:
        message = f"{host} failed (HTTP {status}){quoted}; try again later"
    elif status is None:
        message = f"{host} gave up the answer{quoted or ' without a reason'}; try again"
    else:
        message = f"{host} refused the request (HTTP {status}){quoted}; check the model"
    return ProviderResponseError(message, status=status)


def message_in(body: bytes | Mapping[str, Any]) -> str:
    """Return what an error body says, in one of the forms that servers use.

    Known are OpenAI's ``{"error": {"message": …}}``, ``{"error": "…"}``,
    ``{"message": …}``, ``{"detail": …}``, a list around one of these, and plain
    text. A web page says nothing.
    """
    if isinstance(body, bytes):
        text = body.decode("utf-8", "replace").strip()
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return "" if text.startswith("<") else text
    else:
        value = body
    for _ in range(4):
        if isinstance(value, list) and value:
            value = value[0]
        elif isinstance(value, Mapping):
            value = next(
                (value[k] for k in ("error", "message", "detail", "msg") if k in value),
                "",
            )
    return value if isinstance(value, str) else ""


def without_key(text: str, key: str | None) -> str:
    """Return *text* on one line, shortened, and without the key."""
    if key:
        text = text.replace(key, "•••")
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _QUOTED else line[:_QUOTED] + "…"


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that ``Retry-After`` names, as a number or a date."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max((date - now).total_seconds(), 0.0)
