"""Reads of events that the repositories have no method for."""

import json
from collections.abc import Collection

from pyodide_app.storage.adapter import StorageAdapter
from pyodide_app.storage.codec import event_from
from pyodide_app.storage.records import ConversationEvent

__all__ = ["events_by_id", "has_event", "newest_events"]

_NEWEST = """
SELECT id, conversation_id, event_type, event_data, timestamp
FROM conversation_events WHERE conversation_id = ?
ORDER BY timestamp DESC, id DESC LIMIT ?
"""
_BY_ID = """
SELECT id, conversation_id, event_type, event_data, timestamp
FROM conversation_events WHERE id IN (SELECT value FROM json_each(?))
"""


async def newest_events(
    adapter: StorageAdapter, conversation_id: str, limit: int
) -> list[ConversationEvent]:
    """Return the last *limit* events of a conversation, oldest first."""
    rows = await adapter.all(_NEWEST, (conversation_id, limit))
    return [event_from(row) for row in reversed(rows)]


async def events_by_id(
    adapter: StorageAdapter, ids: Collection[str]
) -> list[ConversationEvent]:
    """Return those of these events that exist."""
    rows = await adapter.all(_BY_ID, (json.dumps(list(ids)),))
    return [event_from(row) for row in rows]


async def has_event(adapter: StorageAdapter, id: str) -> bool:
    """Return whether there is such an event."""
    row = await adapter.get("SELECT 1 FROM conversation_events WHERE id = ?", (id,))
    return row is not None
