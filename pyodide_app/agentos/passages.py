"""Finds in the stored conversations what bears on a question.

A search wants all of its words. A question has more words than what answers it, so
each is searched for alone and the findings are put together.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pyodide_app.agentos.messages import Message, messages_from_events
from pyodide_app.agentos.question_terms import normalized, question_terms
from pyodide_app.agentos.stored_events import events_by_id
from pyodide_app.storage.facade import AgentOSStorage
from pyodide_app.storage.records import SearchHit

__all__ = ["RECALL_MODEL", "Passage", "find_passages"]

RECALL_MODEL = "recall"
"""The model that answers of the recall provider name."""

_HITS_PER_TERM = 25
_CANDIDATES = 40
_PER_CONVERSATION = 2
_SHORTEST_CUT = 5
_SHORTEST_CUT_TWICE = 8


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that was said and bears on the question.

    Attributes:
        event_id: None if the conversation's title matched, not a message.
        title: Of the conversation; never empty.
        speaker: ``user``, ``assistant``, ``note`` or ``title``.
        snippet: The part around the match, as plain text.
        matched: How many of the question's terms it has.
    """

    conversation_id: str
    event_id: str | None
    title: str
    speaker: str
    snippet: str
    timestamp: int
    matched: int


@dataclass(slots=True)
class _Candidate:
    """A place that at least one term was found at."""

    hit: SearchHit
    matched: int = 0
    score: float = 0.0

    def add(self, hit: SearchHit) -> None:
        self.matched += 1
        self.score += hit.score
        if hit.score > self.hit.score:
            self.hit = hit  # its snippet shows the rarest term


async def find_passages(
    storage: AgentOSStorage,
    question: str,
    *,
    user_id: str | None,
    leave_out: Collection[str] = (),
    here: str | None = None,
    limit: int = 5,
) -> list[Passage]:
    """Return what was said about *question*, the most telling first.

    Left out are the question where it was asked before in the same words, and what
    ``recall`` answered: it only repeats what is stored.

    Args:
        storage: Where to look.
        question: As a person wrote it.
        user_id: Whose conversations; None for everybody's.
        leave_out: Ids of events that are not to be found.
        here: The conversation of the question; its title tells nothing new.
        limit: At most so many.
    """
    candidates = await _candidates(storage, question_terms(question), user_id)
    said = await _said(storage, [c.hit.event_id for c in candidates if c.hit.event_id])
    asked = normalized(question)
    ranked: list[tuple[tuple[int, bool, float, int], Passage]] = []
    for candidate in candidates:
        hit = candidate.hit
        message = said.get(hit.event_id) if hit.event_id else None
        if hit.event_id is None:
            # A title is often the beginning of the question that made it.
            is_echo = asked.startswith(normalized(hit.title or ""))
            if is_echo or hit.conversation_id == here:
                continue
        elif (
            message is None
            or hit.event_id in leave_out
            or message.model == RECALL_MODEL
            or normalized(message.text) == asked
        ):
            continue
        states = message is not None and not message.text.rstrip().endswith(_ASKING)
        ranked.append(
            (
                (candidate.matched, states, candidate.score, hit.timestamp),
                _passage(hit, message, candidate.matched),
            )
        )
    ranked.sort(key=lambda pair: pair[0], reverse=True)
    return _best([passage for _, passage in ranked], limit)


_ASKING = ("?", "\uff1f")


async def _candidates(
    storage: AgentOSStorage, terms: Sequence[str], user_id: str | None
) -> list[_Candidate]:
    found: dict[tuple[str, str | None], _Candidate] = {}
    for term in terms:
        hits = await storage.conversations.search(
            _query(term), user_id=user_id, limit=_HITS_PER_TERM
        )
        for hit in hits:
            key = (hit.conversation_id, hit.event_id)
            found.setdefault(key, _Candidate(hit)).add(hit)
    ranked = sorted(found.values(), key=lambda c: (c.matched, c.score), reverse=True)
    return ranked[:_CANDIDATES]


def _query(term: str) -> str:
    """Return what to search for, so that other forms of the word are found.

    A search takes its last word as a beginning: without its ending, "hotels" finds
    "hotel". A short word, or a number, is searched for as it stands: it is the
    beginning of too much.
    """
    if len(term) < _SHORTEST_CUT or any(c.isdigit() for c in term):
        return f'"{term}"'
    return term[:-1] if len(term) < _SHORTEST_CUT_TWICE else term[:-2]


async def _said(
    storage: AgentOSStorage, event_ids: Sequence[str]
) -> dict[str, Message]:
    """Return the messages that these events are, by event."""
    return {
        event.id: message
        for event in await events_by_id(storage.adapter, event_ids)
        for message in messages_from_events([event])
    }


def _passage(hit: SearchHit, message: Message | None, matched: int) -> Passage:
    return Passage(
        conversation_id=hit.conversation_id,
        event_id=hit.event_id,
        title=(hit.title or "").strip() or "Untitled conversation",
        speaker="title" if message is None else message.role,
        snippet=hit.snippet,
        timestamp=hit.timestamp,
        matched=matched,
    )


def _best(ranked: Sequence[Passage], limit: int) -> list[Passage]:
    """Return the first of *ranked* that are not far behind the first."""
    best: list[Passage] = []
    taken: Counter[str] = Counter()
    spoken = {passage.conversation_id for passage in ranked if passage.event_id}
    for passage in ranked:
        most = ranked[0].matched
        is_far_behind = most > 2 and passage.matched * 2 <= most
        says_nothing_new = passage.event_id is None and (
            passage.conversation_id in spoken
        )
        is_one_too_many = taken[passage.conversation_id] >= _PER_CONVERSATION
        if is_far_behind or says_nothing_new or is_one_too_many:
            continue
        taken[passage.conversation_id] += 1
        best.append(passage)
        if len(best) == limit:
            break
    return best
