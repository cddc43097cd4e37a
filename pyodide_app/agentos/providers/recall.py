"""Answers without a model, from what was said before.

It is the offline default. It quotes and links, and invents nothing: it says plainly
that no model is connected.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime

from pyodide_app.agentos.markdown import as_text, link_to
from pyodide_app.agentos.passages import RECALL_MODEL, Passage, find_passages
from pyodide_app.agentos.providers.model import (
    Completed,
    ModelEvent,
    ModelRequest,
    Source,
    Sources,
    TextDelta,
    TokenCount,
)
from pyodide_app.agentos.question_terms import question_terms
from pyodide_app.storage.facade import AgentOSStorage

__all__ = ["RecallProvider"]

_PASSAGES = 5
_TERMS_NAMED = 5

_NO_MODEL = "No language model is connected, so I can only quote your conversations."
_CONNECT = (
    "For an answer of its own, connect a model in the provider settings: Ollama or "
    "another server on this machine, a hosted one, or the one built into the browser."
)
_SPEAKERS = {"user": "You", "assistant": "The agent", "title": "A conversation"}

_PIECE = re.compile(r"\S+\s*|\s+")


class RecallProvider:
    """A `Provider` over full-text search in the storage."""

    name = "recall"
    model = RECALL_MODEL
    context_tokens = 2048

    def __init__(self, storage: AgentOSStorage) -> None:
        self._storage = storage

    async def answer(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Stream what was found, see `Provider.answer`."""
        passages = await find_passages(
            self._storage,
            request.question,
            user_id=request.user_id,
            leave_out={request.question_event_id},
            here=request.conversation_id,
            limit=_PASSAGES,
        )
        for piece in _PIECE.findall(_text(request.question, passages)):
            yield TextDelta(piece)
        if passages:
            yield Sources(tuple(_source(passage) for passage in passages))
        yield Completed("stop", TokenCount(0, 0))

    async def check(self) -> tuple[str, ...]:
        """Return its name; it always answers."""
        return (RECALL_MODEL,)

    def cost_usd(self, tokens: TokenCount) -> float | None:
        """Return 0."""
        return 0.0


def _text(question: str, passages: Sequence[Passage]) -> str:
    terms = question_terms(question)
    about = ", ".join(f"*{as_text(term)}*" for term in terms[:_TERMS_NAMED])
    if not terms:
        return (
            f"{_NO_MODEL} I found no word in this to look for: name a "
            "person, a place or a thing that you have talked about.\n\n" + _CONNECT
        )
    if not passages:
        return (
            f"{_NO_MODEL} In them I found nothing about {about}. Other words may "
            "find it, or it was said somewhere else.\n\n" + _CONNECT
        )
    quotes = "\n\n".join(_quote(passage) for passage in passages)
    found = "one place" if len(passages) == 1 else f"{len(passages)} places"
    return f"{_NO_MODEL} I found {found} about {about}:\n\n{quotes}\n\n{_CONNECT}"


def _quote(passage: Passage) -> str:
    speaker = _SPEAKERS.get(passage.speaker, "A note")
    link = link_to(passage.title, passage.conversation_id, passage.event_id)
    source = f"{speaker}{_day(passage.timestamp)}, in {link}"
    if passage.speaker == "title":
        return f"- {source}"
    return f"> {as_text(passage.snippet)}\n>\n> — {source}"


def _day(timestamp: int) -> str:
    """Return the day in UTC, or nothing for a time that no calendar has."""
    try:
        day = datetime.fromtimestamp(timestamp / 1000, tz=UTC).date()
    except (ValueError, OverflowError, OSError):
        return ""
    return f", {day.isoformat()}"


def _source(passage: Passage) -> Source:
    return Source(
        conversation_id=passage.conversation_id,
        event_id=passage.event_id,
        title=passage.title,
        snippet=passage.snippet,
        timestamp=passage.timestamp,
    )
