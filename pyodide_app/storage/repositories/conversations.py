"""Conversations and what happened in them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from pyodide_app.errors import RecordInvalidError, RecordNotFoundError
from pyodide_app.ids import new_id, now_ms
from pyodide_app.storage.adapter import StorageAdapter
from pyodide_app.storage.codec import conversation_from, encode_object, event_from
from pyodide_app.storage.paging import Listing, read_page
from pyodide_app.storage.records import (
    Conversation,
    ConversationEvent,
    ConversationWithEvents,
    Page,
    SearchHit,
)
from pyodide_app.storage.search import find_messages

__all__ = ["Conversations", "EventInput"]

EventInput = Mapping[str, Any] | ConversationEvent
"""An event as the original writes it (``type``, ``timestamp``, …), or a record."""

SearchHits: TypeAlias = list[SearchHit]  # inside the class `list` is the method

_COLUMNS = "id, user_id, persona_id, created_at, updated_at, metadata"
_EVENT_COLUMNS = "id, conversation_id, event_type, event_data, timestamp"

_LISTING: Final = Listing(
    "conversations", _COLUMNS, "conversations", ("updated_at", "id"), descending=True
)
_EVENTS: Final = Listing(
    "events",
    _EVENT_COLUMNS,
    "conversation_events",
    ("timestamp", "id"),
    descending=False,
)


class Conversations:
    """Typed access to ``conversations`` and ``conversation_events``.

    Each call is one transaction.
    """

    def __init__(self, adapter: StorageAdapter) -> None:
        self._adapter = adapter

    async def save(
        self,
        id: str,
        user_id: str,
        persona_id: str,
        events: Iterable[EventInput] = (),
        *,
        metadata: Mapping[str, Any] | None = None,
        title: str | None = None,
    ) -> Conversation:
        """Make the conversation hold exactly *events*, and return it.

        Its creation time stays, and so does what is not given. Events that are
        already stored at the start keep their ids, so saving a history that has
        grown writes what is new.

        Args:
            id: A new one, or the one to overwrite.
            user_id: Whose it is.
            persona_id: With whom.
            events: All of them, oldest first.
            metadata: Replaces the stored metadata.
            title: Set in the metadata.

        Raises:
            RecordInvalidError: An event or the metadata cannot be stored. Nothing
                has changed.
        """
        wanted = [_event_from_input(id, event) for event in events]

        async def work(adapter: StorageAdapter) -> Conversation:
            stored = await self._find(adapter, id)
            now = now_ms()
            values = dict(metadata if metadata is not None else _metadata_of(stored))
            if title is not None:
                values["title"] = title
            await adapter.run(
                "INSERT INTO conversations "
                f"({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, "
                "persona_id = excluded.persona_id, updated_at = excluded.updated_at, "
                "metadata = excluded.metadata",
                (
                    id,
                    user_id,
                    persona_id,
                    stored.created_at if stored else now,
                    now,
                    encode_object(values, kind="conversation", id=id),
                ),
            )
            await self._replace_events(adapter, id, wanted, is_new=stored is None)
            return Conversation(
                id=id,
                user_id=user_id,
                persona_id=persona_id,
                created_at=stored.created_at if stored else now,
                updated_at=now,
                metadata=values,
            )

        return await self._adapter.transaction(work)

    async def get(self, id: str) -> ConversationWithEvents | None:
        """Return the conversation with all its events, or None."""

        async def work(adapter: StorageAdapter) -> ConversationWithEvents | None:
            conversation = await self._find(adapter, id)
            if conversation is None:
                return None
            return ConversationWithEvents(
                conversation, await self._all_events(adapter, id)
            )

        return await self._adapter.transaction(work)

    async def find(self, id: str) -> Conversation | None:
        """Return the conversation without its events, or None."""
        return await self._find(self._adapter, id)

    async def list(
        self,
        user_id: str | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Conversation]:
        """Return a page of conversations, the last updated first."""
        return await read_page(
            self._adapter,
            _LISTING,
            conversation_from,
            where=[] if user_id is None else [("user_id = ?", user_id)],
            limit=limit,
            cursor=cursor,
        )

    async def append(self, id: str, event: EventInput) -> ConversationEvent:
        """Add *event* at the end, and return it as stored.

        Raises:
            RecordNotFoundError: There is no such conversation.
        """
        return (await self.append_many(id, [event]))[0]

    async def append_many(
        self, id: str, events: Iterable[EventInput]
    ) -> tuple[ConversationEvent, ...]:
        """Add *events* at the end, and return them as stored."""
        return await self._change(id, add=[_event_from_input(id, e) for e in events])

    async def finish_stream(
        self, id: str, delta_ids: Sequence[str], final_event: EventInput
    ) -> ConversationEvent:
        """Put *final_event* in the place of the partial ones it completes."""
        added = await self._change(
            id, remove=delta_ids, add=[_event_from_input(id, final_event)]
        )
        return added[0]

    async def events(
        self, id: str, *, limit: int = 200, cursor: str | None = None
    ) -> Page[ConversationEvent]:
        """Return a page of the conversation's events, oldest first."""
        return await read_page(
            self._adapter,
            _EVENTS,
            event_from,
            where=[("conversation_id = ?", id)],
            limit=limit,
            cursor=cursor,
        )

    async def rename(self, id: str, title: str | None) -> Conversation:
        """Give the conversation a title, or none, and return it.

        Raises:
            RecordNotFoundError: There is no such conversation.
        """

        async def work(adapter: StorageAdapter) -> Conversation:
            stored = await self._find(adapter, id)
            if stored is None:
                raise RecordNotFoundError(kind="conversation", id=id)
            values = {k: v for k, v in stored.metadata.items() if k != "title"}
            if title is not None:
                values["title"] = title
            now = now_ms()
            await adapter.run(
                "UPDATE conversations SET metadata = ?, updated_at = ? WHERE id = ?",
                (encode_object(values, kind="conversation", id=id), now, id),
            )
            return Conversation(
                id=id,
                user_id=stored.user_id,
                persona_id=stored.persona_id,
                created_at=stored.created_at,
                updated_at=now,
                metadata=values,
            )

        return await self._adapter.transaction(work)

    async def delete(self, id: str) -> bool:
        """Delete the conversation with its events; return whether it existed."""
        result = await self._adapter.run(
            "DELETE FROM conversations WHERE id = ?", (id,)
        )
        return result.changes > 0

    async def search(
        self, query: str, *, user_id: str | None = None, limit: int = 20
    ) -> SearchHits:
        """Return where *query* was said or is a title, best first.

        The query is data: words that must all occur, the last one as a beginning,
        and phrases in double quotes.
        """
        return await find_messages(self._adapter, query, user_id=user_id, limit=limit)

    # Private -----------------------------------------------------------------

    async def _find(self, adapter: StorageAdapter, id: str) -> Conversation | None:
        row = await adapter.get(
            f"SELECT {_COLUMNS} FROM conversations WHERE id = ?", (id,)
        )
        return None if row is None else conversation_from(row)

    async def _all_events(
        self, adapter: StorageAdapter, id: str
    ) -> tuple[ConversationEvent, ...]:
        rows = await adapter.all(
            f"SELECT {_EVENT_COLUMNS} FROM conversation_events "
            "WHERE conversation_id = ? ORDER BY timestamp, id",
            (id,),
        )
        return tuple(event_from(row) for row in rows)

    async def _change(
        self,
        id: str,
        *,
        remove: Sequence[str] = (),
        add: Sequence[ConversationEvent],
    ) -> tuple[ConversationEvent, ...]:
        async def work(adapter: StorageAdapter) -> None:
            touched = await adapter.run(
                "UPDATE conversations SET updated_at = ? WHERE id = ?", (now_ms(), id)
            )
            if touched.changes == 0:
                raise RecordNotFoundError(kind="conversation", id=id)
            for event_id in remove:
                await adapter.run(
                    "DELETE FROM conversation_events "
                    "WHERE id = ? AND conversation_id = ?",
                    (event_id, id),
                )
            for event in add:
                await _insert(adapter, event)

        await self._adapter.transaction(work)
        return tuple(add)

    async def _replace_events(
        self,
        adapter: StorageAdapter,
        id: str,
        wanted: Sequence[ConversationEvent],
        *,
        is_new: bool,
    ) -> None:
        stored = () if is_new else await self._all_events(adapter, id)
        kept = 0
        while (
            kept < len(stored)
            and kept < len(wanted)
            and _is_same(stored[kept], wanted[kept])
        ):
            kept += 1
        for event in stored[kept:]:
            await adapter.run(
                "DELETE FROM conversation_events WHERE id = ?", (event.id,)
            )
        for event in wanted[kept:]:
            await _insert(adapter, event)


async def _insert(adapter: StorageAdapter, event: ConversationEvent) -> None:
    await adapter.run(
        f"INSERT INTO conversation_events ({_EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
        (
            event.id,
            event.conversation_id,
            event.event_type,
            encode_object(event.event_data, kind="conversation event", id=event.id),
            event.timestamp,
        ),
    )


def _metadata_of(stored: Conversation | None) -> Mapping[str, Any]:
    return {} if stored is None else stored.metadata


def _is_same(stored: ConversationEvent, wanted: ConversationEvent) -> bool:
    """Return whether *stored* is what would be stored for *wanted*.

    An event whose data say no time has the time of its saving, so that is no
    difference.
    """
    return (
        stored.event_type == wanted.event_type
        and stored.event_data == wanted.event_data
        and (
            stored.timestamp == wanted.timestamp or "timestamp" not in wanted.event_data
        )
    )


def _event_from_input(conversation_id: str, event: EventInput) -> ConversationEvent:
    if isinstance(event, ConversationEvent):
        return ConversationEvent(
            event.id or new_id(),
            conversation_id,
            event.event_type,
            event.event_data,
            event.timestamp,
        )
    if not isinstance(event, Mapping):
        reason = f"an event is a mapping, not {type(event).__name__}"
        raise RecordInvalidError(kind="conversation event", id="", reason=reason)
    kind = event.get("type")
    return ConversationEvent(
        id=new_id(),
        conversation_id=conversation_id,
        event_type=kind if isinstance(kind, str) and kind else "unknown",
        event_data=dict(event),
        timestamp=_time_of(event.get("timestamp")),
    )


def _time_of(value: object) -> int:
    """Return *value* (Unix milliseconds, or ISO 8601 text) as milliseconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        try:
            return int(datetime.fromisoformat(value).timestamp() * 1000)
        except ValueError as error:
            reason = f"timestamp {value!r} is neither milliseconds nor ISO 8601"
            raise RecordInvalidError(
                kind="conversation event", id="", reason=reason
            ) from error
    return now_ms()
