"""Rows to records and JSON both ways.

Everything read is checked, because a database outlives the code that wrote it.
"""

import json
from collections.abc import Mapping
from typing import Any

from pyodide_app.errors import RecordInvalidError
from pyodide_app.storage.adapter import Row
from pyodide_app.storage.records import (
    Conversation,
    ConversationEvent,
    Persona,
    Session,
    TargetType,
    TelemetryRecord,
    Workflow,
)

__all__ = [
    "conversation_from",
    "encode_object",
    "event_from",
    "persona_from",
    "session_from",
    "telemetry_from",
    "workflow_from",
]


def encode_object(value: Mapping[str, Any], *, kind: str, id: str) -> str:
    """Return *value* as JSON text.

    Raises:
        RecordInvalidError: It is no mapping, or holds what JSON has no form for
            (NaN and infinity included).
    """
    if not isinstance(value, Mapping):
        reason = f"an object is needed, not {type(value).__name__}"
        raise RecordInvalidError(kind, id, reason)
    try:
        return json.dumps(
            value if isinstance(value, dict) else dict(value),
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordInvalidError(kind, id, str(error)) from error


def conversation_from(row: Row) -> Conversation:
    """Return the record of a row of ``conversations``."""
    read = _Reader("conversation", row)
    return Conversation(
        id=read.text("id"),
        user_id=read.text("user_id"),
        persona_id=read.text("persona_id"),
        created_at=read.integer("created_at"),
        updated_at=read.integer("updated_at"),
        metadata=read.object("metadata"),
    )


def event_from(row: Row) -> ConversationEvent:
    """Return the record of a row of ``conversation_events``."""
    read = _Reader("conversation event", row)
    return ConversationEvent(
        id=read.text("id"),
        conversation_id=read.text("conversation_id"),
        event_type=read.text("event_type"),
        event_data=read.object("event_data"),
        timestamp=read.integer("timestamp"),
    )


def session_from(row: Row) -> Session:
    """Return the record of a row of ``sessions``."""
    read = _Reader("session", row)
    target_type: TargetType
    match read.text("target_type"):
        case "persona":
            target_type = "persona"
        case "agency":
            target_type = "agency"
        case _:
            raise read.invalid(column="target_type", wanted="persona or agency")
    return Session(
        id=read.text("id"),
        user_id=read.text("user_id"),
        display_name=read.text("display_name"),
        target_type=target_type,
        target_id=read.text("target_id"),
        created_at=read.integer("created_at"),
        updated_at=read.integer("updated_at"),
        metadata=read.object("metadata"),
    )


def persona_from(row: Row) -> Persona:
    """Return the record of a row of ``personas``."""
    read = _Reader("persona", row)
    return Persona(
        id=read.text("id"),
        display_name=read.text("display_name"),
        description=read.text_or_none("description"),
        definition=read.object("definition"),
        created_at=read.integer("created_at"),
        updated_at=read.integer("updated_at"),
    )


def telemetry_from(row: Row) -> TelemetryRecord:
    """Return the record of a row of ``telemetry``."""
    read = _Reader("telemetry record", row)
    return TelemetryRecord(
        id=read.text("id"),
        session_id=read.text_or_none("session_id"),
        event_type=read.text("event_type"),
        event_data=read.object("event_data"),
        timestamp=read.integer("timestamp"),
    )


def workflow_from(row: Row) -> Workflow:
    """Return the record of a row of ``workflows``."""
    read = _Reader("workflow", row)
    return Workflow(
        id=read.text("id"),
        name=read.text("name"),
        definition=read.object("definition"),
        created_at=read.integer("created_at"),
        updated_at=read.integer("updated_at"),
    )


class _Reader:
    """Takes checked values out of one row."""

    def __init__(self, kind: str, row: Row) -> None:
        self._kind = kind
        self._row = row

    def text(self, column: str) -> str:
        value = self._row.get(column)
        if not isinstance(value, str):
            raise self.invalid(column, "a text")
        return value

    def text_or_none(self, column: str) -> str | None:
        return None if self._row.get(column) is None else self.text(column)

    def integer(self, column: str) -> int:
        value = self._row.get(column)
        if not isinstance(value, int):
            raise self.invalid(column, "an integer")
        return value

    def object(self, column: str) -> dict[str, Any]:
        try:
            value = json.loads(self.text(column))
        except (ValueError, RecursionError) as error:
            raise self.invalid(column, "valid JSON") from error
        if not isinstance(value, dict):
            raise self.invalid(column, "a JSON object")
        return value

    def invalid(self, column: str, wanted: str) -> RecordInvalidError:
        reason = f"column {column} does not hold {wanted}"
        return RecordInvalidError(self._kind, str(self._row.get("id")), reason)
