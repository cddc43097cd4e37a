"""The address of an OpenAI-compatible server, from what people paste."""

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

from pyodide_app.errors import AgentError

__all__ = ["api_address", "host_of"]

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:|/|$)", re.IGNORECASE)
_ENDPOINT = re.compile(r"/(chat/)?completions$|/models$|/responses$")


def api_address(base_url: str, endpoint: str = "") -> str:
    """Return the address of *endpoint* on the server at *base_url*.

    A bare host gets ``/v1``; a path is kept, because some servers have the API
    elsewhere; an endpoint that was pasted along is cut off. Without a scheme it is
    ``http`` for this machine and ``https`` for any other.

    Args:
        base_url: Such as ``http://localhost:11434`` or ``https://host/api/v1/``.
        endpoint: Such as ``/models``.

    Raises:
        AgentError: It is no http address, or holds a password.
    """
    parts = _split(base_url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = (
            "the provider's address is not usable; write it in full, such as "
            "http://localhost:11434/v1"
        )
        raise AgentError(msg)
    if "@" in parts.netloc:
        msg = "leave user and password out of the provider's address; use the key"
        raise AgentError(msg)
    path = _ENDPOINT.sub("", parts.path.rstrip("/")).rstrip("/") or "/v1"
    return urlunsplit((parts.scheme, parts.netloc, path + endpoint, parts.query, ""))


def host_of(base_url: str) -> str:
    """Return host and port, for people."""
    return _split(base_url.strip()).netloc.rpartition("@")[2]


def _split(address: str) -> SplitResult:
    if not _SCHEME.match(address):
        scheme = "http" if _LOOPBACK.match(address) else "https"
        address = f"{scheme}://{address}"
    try:
        parts = urlsplit(address)
        _ = parts.port  # parsed on access; refuses what is no number
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts
