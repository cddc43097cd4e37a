"""From the rows of a backup to rows of our six tables, for each schema it can have.

Rule 1: the same row always gives the same ids, so importing a file twice adds
        nothing. Ids of events sort as the rows were in the file.
Rule 2: events have the shapes of the original; what a row holds beyond them stays
        in them under its own name. See `fields` for what does not fit.
Rule 3: rows are read one after the other; no table is ever in memory as a whole.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from pyodide_app.errors import BackupSchemaUnknownError, BackupTooNewError
from pyodide_app.ids import derived_id
from pyodide_app.storage.adapter import SqlValue
from pyodide_app.storage.backup.fields import NOBODY, Fields, encode, parse
from pyodide_app.storage.backup.report import BackupKind, Problems
from pyodide_app.storage.backup.source import Source
from pyodide_app.storage.schema import PUBLIC_TABLES, SCHEMA_VERSION

__all__ = ["CONSUMED", "MESSAGE_TABLES", "Record", "kind_of", "records_of"]

Record: TypeAlias = tuple[str, tuple[SqlValue, ...]]
"""A table of ours, and a row of it in the order of its columns."""

CONSUMED: Final[Mapping[BackupKind, frozenset[str]]] = {
    "pyodide_app": frozenset({*PUBLIC_TABLES, "schema_migration", "search_text"}),
    "original-seed": frozenset(PUBLIC_TABLES),
    "original-agentos-storage": frozenset({*PUBLIC_TABLES, "messages"}),
    "original-agentos-runtime": frozenset({*PUBLIC_TABLES, "conversation_messages"}),
}
"""Tables of a backup that `records_of` reads, or that we make ourselves."""

MESSAGE_TABLES: Final[Mapping[BackupKind, tuple[str, str, str]]] = {
    "original-agentos-storage": ("messages", "conversationId", "toolCalls"),
    "original-agentos-runtime": (
        "conversation_messages",
        "conversation_id",
        "tool_calls",
    ),
}
"""Where messages are that are no events yet, and two columns of theirs."""

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
    if conversations and "version" in tables.get("schema_migration", ()):
        applied = source.number("SELECT max(version) FROM schema_migration")
        found = max(source.user_version, applied)
        if found > SCHEMA_VERSION:
            raise BackupTooNewError(found=found, supported=SCHEMA_VERSION)
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
    reader = _Reader(source, problems, has_ids=kind == "pyodide_app")
    if kind == "original-agentos-runtime":
        yield from reader.runtime_conversations()
    elif kind == "original-agentos-storage":
        yield from reader.core_conversations()
    else:
        yield from reader.conversations()
    yield from reader.events()
    if kind in MESSAGE_TABLES:
        yield from reader.messages(*MESSAGE_TABLES[kind])
    yield from reader.sessions()
    yield from reader.personas()
    yield from reader.telemetry()
    yield from reader.workflows()


class _Reader:
    """Reads one backup; *has_ids* if its events have ids that are unique everywhere."""

    def __init__(self, source: Source, problems: Problems, *, has_ids: bool) -> None:
        self._source = source
        self._problems = problems
        self._has_ids = has_ids
        self._now: tuple[str, int] = ("", 0)
        self._place = 0
        self._callers: dict[str, str] = {}

    # The original's six tables, which ours carry on ---------------------------

    def conversations(self) -> Iterator[Record]:
        for place, row in self._rows("conversations"):
            values = (
                row.id("id", place),
                row.text("user_id"),
                row.text("persona_id"),
                row.time("created_at"),
                row.time("updated_at"),
                row.document("metadata"),
            )
            yield ("conversations", values)

    def events(self) -> Iterator[Record]:
        order = ("conversation_id", "timestamp", "id")
        for _, row in self._rows("conversation_events", *order):
            id = row.take("id")
            owner = row.text("conversation_id")
            event_type = row.text("event_type")
            timestamp = row.time("timestamp")
            data = row.document("event_data")
            # Numbers are unique in their file only; a text is unique everywhere.
            if not isinstance(id, str):
                id = self._id(owner, timestamp, event_type, data)
            yield ("conversation_events", (id, owner, event_type, data, timestamp))

    def sessions(self) -> Iterator[Record]:
        for place, row in self._rows("sessions"):
            values = (
                row.id("id", place),
                row.text("user_id"),
                row.text("display_name"),
                row.choice("target_type", ("persona", "agency")),
                row.text("target_id"),
                row.time("created_at"),
                row.time("updated_at"),
                row.document("metadata"),
            )
            yield ("sessions", values)

    def personas(self) -> Iterator[Record]:
        for place, row in self._rows("personas"):
            id, name = row.id("id", place), row.text("display_name")
            description = row.text_or_none("description")
            times = row.time("created_at"), row.time("updated_at")
            values = (id, name, description, row.document("definition"), *times)
            yield ("personas", values)

    def telemetry(self) -> Iterator[Record]:
        for _, row in self._rows("telemetry", "session_id", "timestamp", "id"):
            id = row.take("id")
            session_id = row.text_or_none("session_id")
            event_type = row.text("event_type")
            timestamp = row.time("timestamp")
            data = row.document("event_data")
            if not isinstance(id, str):
                id = self._id(session_id or "", timestamp, event_type, data)
            yield ("telemetry", (id, session_id, event_type, data, timestamp))

    def workflows(self) -> Iterator[Record]:
        for place, row in self._rows("workflows"):
            id, name = row.id("id", place), row.text("name")
            times = row.time("created_at"), row.time("updated_at")
            yield ("workflows", (id, name, row.document("definition"), *times))

    # The original's other two schemas -----------------------------------------

    def core_conversations(self) -> Iterator[Record]:
        """Those of the agent package's SqlStorageAdapter."""
        for place, row in self._rows("conversations"):
            values = (
                row.id("id", place),
                row.text("userId"),
                row.text_or_none("agentId") or NOBODY,
                row.time("createdAt"),
                row.time("lastActivity"),
                row.document("metadata", {"title": row.take("title")}),
            )
            yield ("conversations", values)

    def runtime_conversations(self) -> Iterator[Record]:
        """Those of the agent package's ConversationManager."""
        for place, row in self._rows("conversations"):
            details = parse(row.look("session_details"))
            persona = details.get("activePersonaId") if _is_object(details) else None
            values = (
                row.id("id", place),
                row.text("user_id"),
                persona if isinstance(persona, str) else NOBODY,
                row.time("created_at"),
                row.time("updated_at"),
                row.document(
                    "session_details",
                    {"title": row.take("title"), "tags": parse(row.take("tags"))},
                ),
            )
            yield ("conversations", values)

    def messages(self, table: str, owner_column: str, calls: str) -> Iterator[Record]:
        for _, row in self._rows(table, owner_column, "timestamp"):
            owner = row.text(owner_column)
            timestamp = row.time("timestamp")
            usage = {
                name: value for name in _USAGE if (value := row.take(name)) is not None
            }
            model, message_id = row.look("model"), row.take("id")
            id = ""
            for event_type, data in self._said(row, calls, message_id, usage):
                encoded = encode(data)
                id = self._id(owner, timestamp, event_type, encoded)
                values = (id, owner, event_type, encoded, timestamp)
                yield ("conversation_events", values)
            if usage:
                # What adds usage up reads measurements, never events.
                about = {"conversationId": owner, "messageId": message_id}
                data = {"model": model or NOBODY, **usage, **about}
                id = derived_id(timestamp, "token_usage", id)
                measured = (id, None, "token_usage", encode(data), timestamp)
                yield ("telemetry", measured)

    def _said(
        self,
        row: Fields,
        calls_column: str,
        message_id: SqlValue,
        usage: Mapping[str, SqlValue],
    ) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield type and data of the events that say what a message said."""
        role, text = row.text("role"), row.text("content")
        calls = _calls(row.take(calls_column))
        given: dict[str, object] = {
            "messageId": message_id,
            "metadata": parse(row.take("metadata")),
            "usage": usage or None,
        }
        call_id = row.take("toolCallId") or row.take("tool_call_id")
        if role == "assistant":
            self._callers |= {str(call["id"]): str(call["name"]) for call in calls}
            given["toolCallId"] = call_id
            asked: dict[str, object] = {
                "type": "tool_call_request",
                "toolCalls": calls,
                "messageId": message_id,
            }
            if calls and not text:
                yield "tool_call_request", row.members({**asked, **given})
                return
            if calls:
                yield "tool_call_request", asked
            said: dict[str, object] = {"finalResponseText": text}
            event_type = "final_response"
        else:
            given |= {"toolCalls": calls or None, "toolCallId": call_id}
            event_type, said = "user_message", {"text": text}
            if role == "tool":
                event_type = "tool_result_emission"
                name = row.take("name") or self._callers.get(str(call_id), NOBODY)
                said = {"toolResult": text, "toolName": name, "isSuccess": True}
            elif role != "user":
                event_type, said = f"{role}_message", {"text": text, "role": role}
        yield event_type, row.members({"type": event_type, **said, **given})

    # Rows and ids --------------------------------------------------------------

    def _rows(self, table: str, *order: str) -> Iterator[tuple[int, Fields]]:
        """Yield each row with its place, by what there is of *order*.

        Ids that are made need the order; where there are ids, sorting is in vain.
        """
        source = self._source
        known = source.tables.get(table, ())
        names = [] if self._has_ids else [name for name in order if name in known]
        if names and source.has_rowids(table):
            names.append("rowid")
        for place, row in enumerate(source.rows(table, order=", ".join(names))):
            yield place, Fields(table, row, self._problems)

    def _id(self, owner: str, timestamp: int, event_type: str, data: str) -> str:
        """Return the id that this event, at this place among its like, has."""
        if (owner, timestamp) != self._now:
            if owner != self._now[0]:
                self._callers.clear()
            self._now, self._place = (owner, timestamp), 0
        place, self._place = self._place, self._place + 1
        return derived_id(timestamp, owner, event_type, data, str(place), order=place)


def _calls(value: SqlValue) -> list[dict[str, Any]]:
    """Return calls of tools as the original's events hold them."""
    found = parse(value)
    listed = found if isinstance(found, list) else [found] if found else []
    calls = []
    for call in listed:
        if not _is_object(call):
            calls.append({"id": "", "name": NOBODY, "arguments": call})
            continue
        # Some models' interfaces put name and arguments one level deeper.
        inner = call.get("function")
        function = inner if _is_object(inner) else {}
        calls.append(
            {
                "id": call.get("id", ""),
                "name": function.get("name", NOBODY),
                "arguments": function.get("arguments"),
                **call,
            }
        )
    return calls


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
