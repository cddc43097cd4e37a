"""The history of the schema as data. Append only; see `migrations`.

The six public tables have the names and columns of the original. What search
keeps (`search_text`, `message_search`) is derived from them by triggers, so that
any program that writes the file with ordinary SQL keeps it right. The triggers use
no function that plain SQLite with FTS5 lacks.
"""

from pyodide_app.storage.migrations import Migration

__all__ = ["MIGRATIONS", "PUBLIC_TABLES", "SCHEMA_VERSION", "first_text"]

PUBLIC_TABLES = (
    "conversations",
    "conversation_events",
    "sessions",
    "personas",
    "telemetry",
    "workflows",
)

_OBJECT = "CHECK (json_valid({0}) AND json_type({0}) = 'object')"

_TABLES = (
    f"""
CREATE TABLE conversations (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL,
    persona_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    metadata   TEXT NOT NULL DEFAULT '{{}}' {_OBJECT.format("metadata")}
) STRICT
""",
    f"""
CREATE TABLE conversation_events (
    id              TEXT NOT NULL PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    event_type      TEXT NOT NULL,
    event_data      TEXT NOT NULL {_OBJECT.format("event_data")},
    timestamp       INTEGER NOT NULL
) STRICT
""",
    f"""
CREATE TABLE sessions (
    id           TEXT NOT NULL PRIMARY KEY,
    user_id      TEXT NOT NULL,
    display_name TEXT NOT NULL,
    target_type  TEXT NOT NULL CHECK (target_type IN ('persona', 'agency')),
    target_id    TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    metadata     TEXT NOT NULL DEFAULT '{{}}' {_OBJECT.format("metadata")}
) STRICT
""",
    f"""
CREATE TABLE personas (
    id           TEXT NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL,
    description  TEXT,
    definition   TEXT NOT NULL {_OBJECT.format("definition")},
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT
""",
    f"""
CREATE TABLE telemetry (
    id         TEXT NOT NULL PRIMARY KEY,
    session_id TEXT,
    event_type TEXT NOT NULL,
    event_data TEXT NOT NULL {_OBJECT.format("event_data")},
    timestamp  INTEGER NOT NULL
) STRICT
""",
    f"""
CREATE TABLE workflows (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    definition TEXT NOT NULL {_OBJECT.format("definition")},
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT
""",
)

# Each ends in what orders the list, so that a page is one range of one index.
_INDEXES = (
    "CREATE INDEX idx_conversations_user_id ON conversations (user_id, updated_at, id)",
    "CREATE INDEX idx_conversations_updated_at ON conversations (updated_at, id)",
    "CREATE INDEX idx_conversation_events_conversation_id "
    "ON conversation_events (conversation_id, timestamp, id)",
    "CREATE INDEX idx_conversation_events_timestamp ON conversation_events (timestamp)",
    "CREATE INDEX idx_sessions_user_id ON sessions (user_id, updated_at, id)",
    "CREATE INDEX idx_sessions_updated_at ON sessions (updated_at, id)",
    "CREATE INDEX idx_personas_display_name ON personas (display_name, id)",
    "CREATE INDEX idx_telemetry_session_id ON telemetry (session_id, timestamp, id)",
    "CREATE INDEX idx_telemetry_timestamp ON telemetry (timestamp, id)",
    "CREATE INDEX idx_workflows_name ON workflows (name, id)",
)

_SEARCH_TABLES = (
    # `event_id` is null for the title of the conversation.
    """
CREATE TABLE search_text (
    docid           INTEGER PRIMARY KEY,
    conversation_id TEXT NOT NULL,
    event_id        TEXT UNIQUE,
    text            TEXT NOT NULL
) STRICT
""",
    "CREATE UNIQUE INDEX idx_search_text_title "
    "ON search_text (conversation_id) WHERE event_id IS NULL",
    """
CREATE VIRTUAL TABLE message_search USING fts5 (
    text,
    content = 'search_text',
    content_rowid = 'docid',
    tokenize = 'unicode61 remove_diacritics 2'
)
""",
    # Source: https://sqlite.org/fts5.html#external_content_tables
    """
CREATE TRIGGER search_text_after_insert AFTER INSERT ON search_text BEGIN
    INSERT INTO message_search (rowid, text) VALUES (new.docid, new.text);
END
""",
    """
CREATE TRIGGER search_text_after_delete AFTER DELETE ON search_text BEGIN
    INSERT INTO message_search (message_search, rowid, text)
    VALUES ('delete', old.docid, old.text);
END
""",
    """
CREATE TRIGGER search_text_after_update AFTER UPDATE ON search_text BEGIN
    INSERT INTO message_search (message_search, rowid, text)
    VALUES ('delete', old.docid, old.text);
    INSERT INTO message_search (rowid, text) VALUES (new.docid, new.text);
END
""",
)


def first_text(column: str) -> str:
    """Return SQL for what was said in an event whose data *column* holds."""
    tried = " ".join(
        f"WHEN json_type({column}, '{path}') = 'text' "
        f"THEN json_extract({column}, '{path}')"
        for path in _SAID
    )
    return f"CASE {tried} END"


_SAID = (
    "$.finalResponseText",
    "$.text",
    "$.content",
    "$.textInput",
    "$.partialText",
)
"""Where an event holds what was said: final_response; user_message; other forms; an
answer that broke off."""

_INDEX_EVENT = f"""
    INSERT INTO search_text (conversation_id, event_id, text)
    SELECT new.conversation_id, new.id, said.text
    FROM (SELECT {first_text("new.event_data")} AS text) AS said
    WHERE said.text <> '';
"""
_INDEX_TITLE = """
    INSERT INTO search_text (conversation_id, event_id, text)
    SELECT new.id, NULL, json_extract(new.metadata, '$.title')
    WHERE json_type(new.metadata, '$.title') = 'text'
    AND json_extract(new.metadata, '$.title') <> '';
"""

_SEARCH_TRIGGERS = (
    # INSERT OR REPLACE deletes the old row without its delete trigger (unless
    # recursive_triggers is on), so each insert also removes what it replaces.
    # A partial answer (text_delta) is not what was said; its words are cut.
    f"""
CREATE TRIGGER conversation_events_after_insert AFTER INSERT ON conversation_events
WHEN new.event_type <> 'text_delta' BEGIN
    DELETE FROM search_text WHERE event_id = new.id;
{_INDEX_EVENT}
END
""",
    f"""
CREATE TRIGGER conversation_events_after_update
AFTER UPDATE OF id, conversation_id, event_type, event_data ON conversation_events
BEGIN
    DELETE FROM search_text WHERE event_id IN (old.id, new.id);
{_INDEX_EVENT.replace("<> ''", "<> '' AND new.event_type <> 'text_delta'")}
END
""",
    """
CREATE TRIGGER conversation_events_after_delete AFTER DELETE ON conversation_events
WHEN old.event_type <> 'text_delta' BEGIN
    DELETE FROM search_text WHERE event_id = old.id;
END
""",
    f"""
CREATE TRIGGER conversations_after_insert AFTER INSERT ON conversations BEGIN
    DELETE FROM search_text WHERE conversation_id = new.id AND event_id IS NULL;
{_INDEX_TITLE}
END
""",
    f"""
CREATE TRIGGER conversations_after_update AFTER UPDATE OF id, metadata ON conversations
WHEN old.id <> new.id OR json_extract(old.metadata, '$.title')
    IS NOT json_extract(new.metadata, '$.title')
BEGIN
    DELETE FROM search_text
    WHERE conversation_id IN (old.id, new.id) AND event_id IS NULL;
{_INDEX_TITLE}
END
""",
    """
CREATE TRIGGER conversations_after_delete AFTER DELETE ON conversations BEGIN
    DELETE FROM search_text WHERE conversation_id = old.id AND event_id IS NULL;
END
""",
)

MIGRATIONS = (
    Migration(1, "six_tables", (*_TABLES, *_INDEXES)),
    Migration(2, "full_text_search", (*_SEARCH_TABLES, *_SEARCH_TRIGGERS)),
)

SCHEMA_VERSION = len(MIGRATIONS)
