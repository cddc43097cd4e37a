"""What both sides do: the same SQL on the same rows, as one JSON file.

The table is the original's `conversation_events` with its two indexes; each row
is about 200 to 1,000 bytes, as the events of a conversation are. What needs no
parameters from outside is computed by SQLite itself, so that a database of
500 MB has the same rows on both sides without sending them.
"""

import json
import random
from pathlib import Path

__all__ = ["ROWS", "SELECTS", "write_workload"]

ROWS = 20_000
"""Inserted in one transaction."""

SELECTS = 2_000
"""Point selects by key, among those rows."""

# Two lists that are walked at different paces, so that no row is ever given what
# it has: SQLite does not write a page that stays the same.
_DATA = 499
_PLACES = 20_000
_FILL_ROWS = 4_000
_TEXT_LENGTH = 40_000
_VOCABULARY = """
    agent answer because between browser cannot commit database durable earlier
    event every extent flush forget history index journal keep later memory never
    offline page question read record return search store table thread tool total
    transaction update when where while window with without worker write your
"""

_SCHEMA = """
CREATE TABLE conversation_events (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id TEXT NOT NULL,
    event_type      TEXT NOT NULL,
    event_data      TEXT NOT NULL,
    timestamp       INTEGER NOT NULL
);
CREATE INDEX idx_conversation_events_conversation_id
    ON conversation_events(conversation_id);
CREATE INDEX idx_conversation_events_timestamp ON conversation_events(timestamp);
"""

_INSERT = """
INSERT INTO conversation_events(conversation_id, event_type, event_data, timestamp)
VALUES (?, ?, ?, ?)
"""

# 200 to 1,000 bytes of the text given as ?1, from a place that differs by row.
_FILL = f"""
INSERT INTO conversation_events(conversation_id, event_type, event_data, timestamp)
WITH RECURSIVE n(i) AS (
    SELECT 1 + (SELECT coalesce(max(id), 0) FROM conversation_events)
    UNION ALL
    SELECT i + 1 FROM n LIMIT {_FILL_ROWS}
)
SELECT
    'conversation-' || (i / 40),
    CASE i % 2 WHEN 0 THEN 'user_message' ELSE 'final_response' END,
    '{{"type":"message","text":"'
        || substr(?1, 1 + i * 7919 % {_TEXT_LENGTH - 1_000}, 150 + i * 104729 % 800)
        || '"}}',
    1700000000000 + i * 1000
FROM n
"""


def write_workload(folder: Path) -> None:
    """Write ``workload.json`` and ``rows.json`` into *folder*."""
    chance = random.Random(2)  # noqa: S311  # it must repeat, not surprise
    text = _text(chance, _TEXT_LENGTH)
    workload = {
        "schema": _SCHEMA,
        "insert": _INSERT,
        "fill": _FILL,
        "text": text,
        "size": "SELECT page_count * page_size AS size "
        "FROM pragma_page_count, pragma_page_size",
        "rows": "SELECT max(id) AS rows FROM conversation_events",
        # What an app asks first: the newest events.
        "first": "SELECT * FROM conversation_events ORDER BY timestamp DESC LIMIT 50",
        "select": "SELECT * FROM conversation_events WHERE id = ?",
        "update": "UPDATE conversation_events SET event_data = ? WHERE id = ?",
        "data": [_event(chance) for _ in range(_DATA)],
        "places": [round(chance.random(), 9) for _ in range(_PLACES)],
        "keys": [chance.randint(1, ROWS) for _ in range(SELECTS)],
    }
    rows = [
        [
            f"conversation-{number // 40}",
            chance.choice(("user_message", "final_response")),
            _event(chance),
            1_700_000_000_000 + number * 1_000,
        ]
        for number in range(ROWS)
    ]
    (folder / "workload.json").write_text(json.dumps(workload), "utf-8")
    (folder / "rows.json").write_text(json.dumps(rows), "utf-8")


def _event(chance: random.Random) -> str:
    """Return the data of an event, 200 to 1,000 bytes of JSON."""
    text = _text(chance, chance.randint(150, 950))
    return json.dumps({"type": "message", "text": text})


def _text(chance: random.Random, length: int) -> str:
    words = " ".join(chance.choices(_VOCABULARY.split(), k=length // 4))
    return words[:length]
