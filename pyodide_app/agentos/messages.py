"""Folds the stored events of a conversation into messages.

Rule 1: no I/O and no clock; the same events give the same messages.
Rule 2: an answer is one message, however many events it was stored as. Its events
        share a ``streamId``; those of the original packages have none.
Rule 3: an answer ends with ``final_response`` or ``error``. One without an end was
        interrupted by a crash: what it had said is joined from its deltas.
Rule 4: data of a wrong type count as absent. A database outlives the code that
        wrote it, and an imported one was written by others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pyodide_app.storage.records import ConversationEvent

__all__ = ["Message", "Status", "messages_from_events"]

Status: TypeAlias = Literal["complete", "interrupted", "failed"]

_SILENT = frozenset({"metadata_update", "ui_command"})
_OF_AN_ANSWER = frozenset(
    {"text_delta", "tool_call_request", "tool_result_emission", "system_progress"}
)


@dataclass(frozen=True, slots=True)
class Message:
    """What a reader sees as one message.

    Attributes:
        role: ``note`` is what is neither: a system message, an unknown event.
        text: What was said; of an answer Markdown.
        event_ids: The events it was made of, in order.
        timestamp: Of its end.
        status: ``complete`` for everything but an answer.
        question_event_id: The question that was answered, if the answer says so.
        tool_calls: Each with ``id``, ``name``, ``arguments`` and, once there is
            one, ``result``, ``isSuccess`` and ``errorMessage``.
        error: ``code`` and ``message`` of a failed answer.
        usage: As the ``final_response`` has it.
        model: Which one answered.
    """

    role: Literal["user", "assistant", "note"]
    text: str
    event_ids: tuple[str, ...]
    timestamp: int
    status: Status = "complete"
    question_event_id: str | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()
    error: dict[str, str] | None = None
    usage: dict[str, Any] | None = None
    model: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON with the names of JavaScript."""
        return {
            "role": self.role,
            "text": self.text,
            "eventIds": list(self.event_ids),
            "timestamp": self.timestamp,
            "status": self.status,
            "questionEventId": self.question_event_id,
            "toolCalls": list(self.tool_calls),
            "error": self.error,
            "usage": self.usage,
            "model": self.model,
        }


def messages_from_events(events: Iterable[ConversationEvent]) -> list[Message]:
    """Return the messages that *events*, oldest first, make up."""
    places: list[Message | _Answer] = []
    open_answers: dict[str, _Answer] = {}
    for event in events:
        kind, data = event.event_type, event.event_data
        if kind in _SILENT:
            continue
        stream = _text(data, "streamId")
        if kind in _OF_AN_ANSWER or kind in ("final_response", "error"):
            answer = open_answers.get(stream)
            if answer is None:
                answer = open_answers[stream] = _Answer()
                places.append(answer)
            if answer.take(event):
                del open_answers[stream]
        elif kind == "user_message":
            # Events of the original carry no stream: a question ends an answer.
            open_answers.pop("", None)
            places.append(_said("user", event))
        else:
            places.append(_said("note", event))
    return [
        place.message() if isinstance(place, _Answer) else place for place in places
    ]


@dataclass(slots=True)
class _Answer:
    """An answer as far as its events have been read."""

    event_ids: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    timestamp: int = 0
    final: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None

    def take(self, event: ConversationEvent) -> bool:
        """Add *event*; return whether it is the end."""
        data = event.event_data
        self.event_ids.append(event.id)
        self.timestamp = event.timestamp
        match event.event_type:
            case "text_delta":
                self.pieces.append(_text(data, "textDelta"))
            case "tool_call_request":
                for call in _mappings(data.get("toolCalls")):
                    self._request(call)
            case "tool_result_emission":
                self._emit(data)
            case "final_response":
                self.final = data
                return True
            case "error":
                self.error = data
                return True
        return False

    def message(self) -> Message:
        """Return what a reader sees of it."""
        end = self.final or self.error or {}
        metadata = end.get("metadata")
        facts = metadata if isinstance(metadata, Mapping) else {}
        usage = end.get("usage")
        return Message(
            role="assistant",
            text=self._said(),
            event_ids=tuple(self.event_ids),
            timestamp=self.timestamp,
            status=self._status(),
            question_event_id=_text(facts, "questionEventId") or None,
            tool_calls=tuple(self.tool_calls),
            error=None if self.error is None else _error(self.error),
            usage=dict(usage) if isinstance(usage, Mapping) else None,
            model=_text(end, "model") or _text(facts, "model") or None,
        )

    def _said(self) -> str:
        streamed = "".join(self.pieces)
        if self.final is not None:
            text = self.final.get("finalResponseText")
            return text if isinstance(text, str) else streamed
        if self.error is not None:
            # Its partial text is everything; deltas that are left are the start.
            return _text(self.error, "partialText") or streamed
        return streamed

    def _status(self) -> Status:
        if self.error is not None:
            return "failed"
        # Tool calls alone are complete as they stand: databases of the original
        # packages hold them without an answer after them.
        is_open = self.final is None and bool(self.pieces)
        return "interrupted" if is_open else "complete"

    def _request(self, call: Mapping[str, Any]) -> dict[str, Any]:
        function = call.get("function")
        inner = function if isinstance(function, Mapping) else {}
        request = {
            "id": _text(call, "id"),
            "name": _text(call, "name") or _text(inner, "name") or "tool",
            "arguments": call.get("arguments", inner.get("arguments")),
        }
        self.tool_calls.append(request)
        return request

    def _emit(self, data: Mapping[str, Any]) -> None:
        wanted = _text(data, "toolCallId")
        call = next((c for c in self.tool_calls if c["id"] == wanted), None)
        if call is None:
            call = self._request({"id": wanted, "name": _text(data, "toolName")})
        call["result"] = data.get("toolResult")
        call["isSuccess"] = data.get("isSuccess") is not False
        call["errorMessage"] = _text(data, "errorMessage") or None


def _said(role: Literal["user", "note"], event: ConversationEvent) -> Message:
    data = event.event_data
    return Message(
        role=role,
        text=_text(data, "text") or _text(data, "content") or _text(data, "message"),
        event_ids=(event.id,),
        timestamp=event.timestamp,
    )


def _error(data: Mapping[str, Any]) -> dict[str, str]:
    return {
        "code": _text(data, "code") or "error",
        "message": _text(data, "message") or "The answer failed without a reason.",
    }


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _mappings(value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, Mapping)]
