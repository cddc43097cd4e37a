"""Plain text and addresses as Markdown, so that nothing in them is markup."""

import re
from urllib.parse import quote

__all__ = ["as_text", "link_to"]

_INLINE = re.compile(r"([\\`*_\[\]<>&~|$])")
_AUTOLINK = re.compile(r"(?i)\b(https?|ftp|mailto|www)([:.])")
_AT = re.compile(r"(?<=\w)@(?=\w)")
_LINE_START = re.compile(r"^(\s*)([#+=>-]|\d+(?=[.)]))")


def as_text(text: str) -> str:
    """Return Markdown that reads as *text*, on one line.

    Addresses in it do not become links: what is quoted is not vouched for.
    """
    line = _INLINE.sub(r"\\\1", " ".join(text.split()))
    line = _AUTOLINK.sub(r"\1\\\2", line)
    line = _AT.sub(r"\\@", line)
    return _LINE_START.sub(_escaped_start, line)


def link_to(title: str, conversation_id: str, event_id: str | None = None) -> str:
    """Return a link to a conversation, or to the place in it where *event_id* is."""
    parts = [conversation_id] if event_id is None else [conversation_id, event_id]
    address = "/".join(quote(part, safe="") for part in parts)
    return f"[{as_text(title)}](#/c/{address})"


def _escaped_start(match: "re.Match[str]") -> str:
    space, mark = match.groups()
    return f"{space}{mark}\\" if mark.isdigit() else f"{space}\\{mark}"
