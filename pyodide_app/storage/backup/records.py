"""From the rows of a backup to rows of our six tables, for each schema it can have.

Rule 1: what a row holds is kept: what has no column of its own goes into metadata
        or event data, under its own name.
Rule 2: the same row always gives the same ids, so importing a file twice adds
        nothing. Ids of events sort as the rows were in the file.
Rule 3: a value that does not fit becomes one that does; what it was is kept.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from pyodide_app.errors import BackupSchemaUnknownError, BackupTooNewError
from pyodide_app.ids import derived_id
from pyodide_app.storage.adapter import SqlValue
from pyodide_app.storage.backup.report import BackupKind, Problems
from pyodide_app.storage.backup.source import Source
from pyodide_app.storage.schema import PUBLIC_TABLES, SCHEMA_VERSION

__all__ = ["CONSUMED", "Record", "kind_of", "records_of"]

Record: TypeAlias = tuple[str, tuple[SqlValue, ...]]
"""A table of ours, and a row of it in the order of its columns."""

_Row: TypeAlias = Mapping[str, SqlValue]

CONSUMED: Final[Mapping[BackupKind, frozenset[str]]] = {
    "pyodide_app": frozenset({*PUBLIC_TABLES, "schema_migration", "search_text"}),
    "original-seed": frozenset(PUBLIC_TABLES),
    "original-agentos-storage": frozenset({"conversations", "messages"}),
    "original-agentos-runtime": frozenset({"conversations", "conversation_messages"}),
}
"""Tables of a backup that `records_of` reads, or that we make ourselves."""

_NOBODY: Final = "unknown"
_USAGE: Final = (
    "promptTokens",
    "completionTokens",
    "totalTokens",
    "cacheReadTokens",
    "cacheCreationTokens",
)


def kind_of(source: Source) -> BackupKind:
    """Return whose schema the backup has.

    Raises:
        BackupTooNewError: A newer release of ours wrote it.
        BackupSchemaUnknownError: Some other program did.
    """
    tables = source.tables
    conversations = tables.get("conversations", ())
    if "schema_migration" in tables and "conversations" in tables:
        if source.user_version > SCHEMA_VERSION:
            raise BackupTooNewError(found=source.user_version, supported=SCHEMA_VERSION)
        return "pyodide_app"
    if "gmi_instance_id" in conversations and "conversation_messages" in tables:
        return "original-agentos-runtime"
    if "userId" in conversations and "messages" in tables:
        return "original-agentos-storage"
    if "persona_id" in conversations and "conversation_events" in tables:
        return "original-seed"
    raise BackupSchemaUnknownError(sorted(tables))


def records_of(
    kind: BackupKind, source: Source, problems: Problems
) -> Iterator[Record]:
    """Yield every record; a conversation comes before its events."""
    reader = _Reader(source, problems)
    if kind == "original-agentos-runtime":
        yield from reader.runtime()
    elif kind == "original-agentos-storage":
        yield from reader.core_storage()
    else:
        yield from reader.seed(keep_ids=kind == "pyodide_app")


class _Reader:
    def __init__(self, source: Source, problems: Problems) -> None:
        self._source = source
        self._problems = problems
        self._order: Counter[tuple[str, int]] = Counter()

    # Ours, and the original whose schema ours carries on ----------------------

    def seed(self, *, keep_ids: bool) -> Iterator[Record]:
        rows = self._source.rows
        for row in rows("conversations"):
            times = self._times(row, "created_at", "updated_at")
            yield (
                "conversations",
                (
                    self._text(row, "id"),
                    self._text(row, "user_id"),
                    self._text(row, "persona_id"),
                    *times,
                    self._object(row, "metadata"),
                ),
            )
        for row in rows("conversation_events", order="" if keep_ids else "id"):
            conversation_id = self._text(row, "conversation_id")
            event_type = self._text(row, "event_type")
            timestamp = self._time(row, "timestamp")
            data = self._object(row, "event_data")
            id = row.get("id")
            if not keep_ids or not isinstance(id, str):
                id = self._event_id(conversation_id, timestamp, event_type, data)
            yield (
                "conversation_events",
                (id, conversation_id, event_type, data, timestamp),
            )
        for row in rows("sessions"):
            target_type = self._text(row, "target_type")
            metadata = self._object(row, "metadata")
            if target_type not in ("persona", "agency"):
                self._problems.add(
                    "target_type", "{n} sessions had an unknown target type"
                )
                metadata = _with(metadata, "targetType", target_type)
                target_type = "persona"
            yield (
                "sessions",
                (
                    self._text(row, "id"),
                    self._text(row, "user_id"),
                    self._text(row, "display_name"),
                    target_type,
                    self._text(row, "target_id"),
                    *self._times(row, "created_at", "updated_at"),
                    metadata,
                ),
            )
        for row in rows("personas"):
            description = row.get("description")
            yield (
                "personas",
                (
                    self._text(row, "id"),
                    self._text(row, "display_name"),
                    None if description is None else _as_text(description),
                    self._object(row, "definition"),
                    *self._times(row, "created_at", "updated_at"),
                ),
            )
        for row in rows("telemetry", order="" if keep_ids else "id"):
            session = row.get("session_id")
            session_id = None if session is None else _as_text(session)
            event_type = self._text(row, "event_type")
            timestamp = self._time(row, "timestamp")
            data = self._object(row, "event_data")
            id = row.get("id")
            if not keep_ids or not isinstance(id, str):
                id = self._event_id(session_id or "", timestamp, event_type, data)
            yield ("telemetry", (id, session_id, event_type, data, timestamp))
        for row in rows("workflows"):
            yield (
                "workflows",
                (
                    self._text(row, "id"),
                    self._text(row, "name"),
                    self._object(row, "definition"),
                    *self._times(row, "created_at", "updated_at"),
                ),
            )

    # AgentOS, SqlStorageAdapter -----------------------------------------------

    def core_storage(self) -> Iterator[Record]:
        for row in self._source.rows("conversations"):
            known = {"id", "userId", "agentId", "createdAt", "lastActivity"}
            metadata = _with(self._object(row, "metadata"), "title", row.get("title"))
            for name, value in row.items():
                if name not in known | {"metadata", "title"}:
                    metadata = _with(metadata, name, value)
            agent = row.get("agentId")
            yield (
                "conversations",
                (
                    self._text(row, "id"),
                    self._text(row, "userId"),
                    _NOBODY if agent is None else _as_text(agent),
                    *self._times(row, "createdAt", "lastActivity"),
                    metadata,
                ),
            )
        for row in self._source.rows(
            "messages", order="conversationId, timestamp, rowid"
        ):
            usage = {name: row[name] for name in _USAGE if row.get(name) is not None}
            extra = {
                name: value
                for name, value in row.items()
                if value is not None
                and name
                not in {"conversationId", "role", "content", "timestamp", *_USAGE}
            }
            conversation_id = self._text(row, "conversationId")
            timestamp = self._time(row, "timestamp")
            yield from self._message(row, conversation_id, timestamp, extra, usage)
            if usage:
                data = _json({"model": row.get("model") or _NOBODY, **usage})
                id = self._event_id(
                    conversation_id, timestamp, "token_usage", _as_text(row.get("id"))
                )
                yield ("telemetry", (id, None, "token_usage", data, timestamp))

    # AgentOS, ConversationManager ---------------------------------------------

    def runtime(self) -> Iterator[Record]:
        for row in self._source.rows("conversations"):
            metadata = self._object(row, "session_details")
            persona = json.loads(metadata).get("activePersonaId")
            metadata = _with(metadata, "title", row.get("title"))
            metadata = _with(metadata, "tags", _parsed(row.get("tags")))
            for name in ("gmi_instance_id", "language", "is_archived"):
                metadata = _with(metadata, name, row.get(name))
            yield (
                "conversations",
                (
                    self._text(row, "id"),
                    self._text(row, "user_id"),
                    persona if isinstance(persona, str) else _NOBODY,
                    *self._times(row, "created_at", "updated_at"),
                    metadata,
                ),
            )
        rows = self._source.rows(
            "conversation_messages", order="conversation_id, timestamp, rowid"
        )
        for row in rows:
            extra = {
                {"tool_calls": "toolCalls", "tool_call_id": "toolCallId"}.get(
                    name, name
                ): v
                for name, v in row.items()
                if v is not None
                and name not in {"conversation_id", "role", "content", "timestamp"}
            }
            conversation_id = self._text(row, "conversation_id")
            timestamp = self._time(row, "timestamp")
            yield from self._message(row, conversation_id, timestamp, extra, {})

    def _message(
        self,
        row: _Row,
        conversation_id: str,
        timestamp: int,
        extra: dict[str, Any],
        usage: Mapping[str, SqlValue],
    ) -> Iterator[Record]:
        """Yield the events that say what a row of messages said."""
        role, text = self._text(row, "role"), self._text(row, "content")
        calls = _parsed(extra.pop("toolCalls", None))
        if isinstance(metadata := extra.get("metadata"), str):
            extra["metadata"] = _parsed(metadata)
        extra["messageId"] = extra.pop("id", None)

        def event(event_type: str, data: Mapping[str, Any]) -> Record:
            encoded = _json({"type": event_type, **data, **extra})
            id = self._event_id(conversation_id, timestamp, event_type, encoded)
            values = (id, conversation_id, event_type, encoded, timestamp)
            return ("conversation_events", values)

        if role == "user":
            yield event("user_message", {"text": text})
        elif role == "assistant":
            if calls:
                listed = calls if isinstance(calls, list) else [calls]
                yield event("tool_call_request", {"toolCalls": listed})
            data: dict[str, Any] = {"finalResponseText": text}
            if usage:
                data["usage"] = dict(usage)
            yield event("final_response", data)
        elif role == "tool":
            data = {"toolResult": text, "toolName": extra.pop("name", None)}
            yield event("tool_result_emission", {**data, "isSuccess": True})
        else:
            yield event(f"{role}_message", {"text": text, "role": role})

    # Values --------------------------------------------------------------------

    def _event_id(self, owner: str, timestamp: int, event_type: str, data: str) -> str:
        """Return the id that this event, at this place among its like, has."""
        place = self._order[owner, timestamp]
        self._order[owner, timestamp] += 1
        return derived_id(timestamp, owner, event_type, data, order=place)

    def _text(self, row: _Row, column: str) -> str:
        value = row.get(column)
        if value is None:
            self._problems.add("missing_text", "{n} empty fields had to be filled in")
            return _NOBODY
        return _as_text(value)

    def _time(self, row: _Row, column: str) -> int:
        value = row.get(column)
        if isinstance(value, int):
            return value
        try:
            return int(float(_as_text(value)))
        except (ValueError, OverflowError):
            self._problems.add("invalid_time", "{n} times were not numbers; they are 0")
            return 0

    def _times(self, row: _Row, *columns: str) -> tuple[int, ...]:
        return tuple(self._time(row, column) for column in columns)

    def _object(self, row: _Row, column: str) -> str:
        """Return the JSON object in a column as text, as it is if it is one."""
        value = row.get(column)
        if value is None:
            return "{}"
        text = _as_text(value)
        if isinstance(_parsed(text), dict):
            return text
        self._problems.add(
            "invalid_json",
            '{n} fields were no JSON object; what they held is under "original"',
        )
        return _json({"original": text})


def _parsed(value: object) -> Any:  # noqa: ANN401  # any JSON
    """Return what a JSON text says, or the text itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return value


def _refuse(constant: str) -> Callable[..., Any]:
    msg = f"{constant} is not JSON"
    raise ValueError(msg)


def _with(text: str, name: str, value: object) -> str:
    """Return a JSON object with one more member, unless that is None."""
    if value is None:
        return text
    found = json.loads(text)
    if isinstance(value, bytes):
        value = _as_text(value)
    return _json({**found, name: value})


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, default=_as_text)


def _as_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
