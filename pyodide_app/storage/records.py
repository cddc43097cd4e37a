"""One row as one object. Times are Unix milliseconds; JSON is plain Python data."""

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

__all__ = [
    "Conversation",
    "ConversationEvent",
    "ConversationWithEvents",
    "Page",
    "Persona",
    "SearchHit",
    "Session",
    "TargetType",
    "TelemetryRecord",
    "UsageRow",
    "UsageSummary",
    "Workflow",
]

T = TypeVar("T")

TargetType = Literal["persona", "agency"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation of one user with one persona."""

    id: str
    user_id: str
    persona_id: str
    created_at: int
    updated_at: int
    metadata: dict[str, Any]

    @property
    def title(self) -> str | None:
        """The title, if it has one."""
        title = self.metadata.get("title")
        return title if isinstance(title, str) else None


@dataclass(frozen=True, slots=True)
class ConversationEvent:
    """Something that happened in a conversation.

    Attributes:
        event_type: Such as ``user_message``, ``text_delta``, ``final_response``.
        event_data: The whole event as the original stores it, with ``type``.
        timestamp: When it happened; events are ordered by ``(timestamp, id)``.
    """

    id: str
    conversation_id: str
    event_type: str
    event_data: dict[str, Any]
    timestamp: int


@dataclass(frozen=True, slots=True)
class ConversationWithEvents:
    """A conversation with everything that happened in it, oldest first."""

    conversation: Conversation
    events: tuple[ConversationEvent, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """A named place of work that points at a persona or an agency."""

    id: str
    user_id: str
    display_name: str
    target_type: TargetType
    target_id: str
    created_at: int
    updated_at: int
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Persona:
    """A persona's definition, kept for offline use."""

    id: str
    display_name: str
    description: str | None
    definition: dict[str, Any]
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class TelemetryRecord:
    """A measurement, such as the usage of one model call."""

    id: str
    session_id: str | None
    event_type: str
    event_data: dict[str, Any]
    timestamp: int


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow's definition."""

    id: str
    name: str
    definition: dict[str, Any]
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list.

    Attributes:
        items: In the list's order.
        next_cursor: Hand it to the same list for the next page; None at the end.
    """

    items: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One place where the query was found.

    Attributes:
        event_id: The event, or None if the conversation's title matched.
        event_type: The event's type, or ``title``.
        snippet: Plain text around the match. It is text, never markup.
        highlights: ``(start, end)`` of each match within ``snippet``.
        score: Greater is better; comparable within one search only.
    """

    conversation_id: str
    event_id: str | None
    event_type: str
    title: str | None
    snippet: str
    highlights: tuple[tuple[int, int], ...]
    timestamp: int
    score: float


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The usage of one model on one day.

    Attributes:
        day: ``YYYY-MM-DD`` in UTC.
        model: The model, or ``unknown``.
        latency_ms_avg: Mean over the calls that reported one, or None.
        latency_ms_p95: 95 % of them were at most this, or None.
    """

    day: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_usd: float
    latency_ms_avg: float | None
    latency_ms_p95: float | None


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """Usage by day and model, newest day first, then by model."""

    rows: tuple[UsageRow, ...]
