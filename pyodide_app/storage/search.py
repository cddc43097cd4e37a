"""Full-text search over what was said and over titles.

Rule 1: the query is data. Whatever a person types is searched for; nothing of it
        is syntax that could fail.
Rule 2: FTS5 finds words; it cannot find a word inside text that is written without
        spaces (Chinese, Japanese, Thai, …), nor one without letters (an emoji, a
        sign). Such terms are found by LIKE over the same text.
Rule 3: a snippet is text, with the positions of the matches beside it.
Rule 4: what is found in few places is ranked (bm25); what is found in more of them
        than anybody looks through comes newest first. To rank them, each place would
        have to be read: half a second for a common word in 100,000 messages.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

from pyodide_app.storage.adapter import Row, SqlValue, StorageAdapter
from pyodide_app.storage.excerpt import Term, excerpt
from pyodide_app.storage.records import SearchHit

__all__ = ["Query", "find_messages", "parse_query", "rebuild_search"]

_RANKED = 200
"""Places that are ranked at most; a larger limit ranks as many as it asks for."""

_MAX_TERMS = 16
_MAX_TERM_LENGTH = 128

_QUOTED_OR_WORD = re.compile(r'"([^"]*)"?|(\S+)')
_WITHOUT_SPACES = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Myanmar, Khmer
    "\u1100-\u11ff\uac00-\ud7ff"  # Hangul: endings join the word
    "\u3040-\u30ff\u31f0-\u31ff"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00020000-\U0003ffff"
    "]"
)
_WORD = re.compile(r"[^\W_]")

# Texts are fetched only for the hits that are returned.
_SELECT = """
WITH found AS (
    SELECT {docid} AS docid, {score} AS score
    FROM {source}
    WHERE {conditions}
    ORDER BY {order} LIMIT ?
)
SELECT text.conversation_id, text.event_id, text.text, event.event_type,
    event.timestamp, conversation.updated_at,
    conversation.metadata ->> '$.title' AS title, found.score
FROM found
JOIN search_text AS text ON text.docid = found.docid
JOIN conversations AS conversation ON conversation.id = text.conversation_id
LEFT JOIN conversation_events AS event ON event.id = text.event_id
ORDER BY found.score DESC, coalesce(event.timestamp, conversation.updated_at) DESC
"""
_THESE = _SELECT.format(
    docid="value", score="0.0", source="json_each(?)", conditions="1", order="key"
)
_JOIN_TEXT = " JOIN search_text AS text ON text.docid = message_search.rowid"
_JOIN_CONVERSATION = (
    " JOIN conversations AS conversation ON conversation.id = text.conversation_id"
)
_JOIN_EVENT = " LEFT JOIN conversation_events AS event ON event.id = text.event_id"


@dataclass(frozen=True, slots=True)
class Query:
    """What a person asked for.

    Attributes:
        match: FTS5 expression, or None if no term is for FTS5.
        exact: The same with its last word as a whole word.
        contains: Texts that must occur as they are.
        terms: What to highlight.
    """

    match: str | None
    exact: str | None
    contains: tuple[str, ...]
    terms: tuple[Term, ...]


def parse_query(text: str) -> Query:
    """Return what *text* asks for.

    Words must all occur; the last one, unless it is quoted, may be the beginning
    of a word. What stands in double quotes must occur as a phrase.
    """
    words: list[tuple[str, bool]] = []
    # NUL ends a text inside FTS5; half a surrogate pair is no text at all.
    clean = text.replace("\x00", " ").encode("utf-8", "replace").decode()
    for quoted, word in _QUOTED_OR_WORD.findall(clean)[:_MAX_TERMS]:
        term = (quoted or word).strip()[:_MAX_TERM_LENGTH]
        if term:
            words.append((term, bool(quoted)))
    match: list[str] = []
    exact: list[str] = []
    contains: list[str] = []
    terms: list[Term] = []
    for index, (word, is_quoted) in enumerate(words):
        if _WITHOUT_SPACES.search(word) or not _WORD.search(word):
            contains.append(word)
            terms.append(Term(word, "anywhere"))
            continue
        is_beginning = index == len(words) - 1 and not is_quoted
        quoted_word = '"' + word.replace('"', '""') + '"'
        exact.append(quoted_word)
        match.append(quoted_word + ("*" if is_beginning else ""))
        terms.append(Term(word, "beginning" if is_beginning else "word"))
    return Query(
        match=" ".join(match) or None,
        exact=" ".join(exact) or None,
        contains=tuple(contains),
        terms=tuple(terms),
    )


async def find_messages(
    adapter: StorageAdapter, text: str, *, user_id: str | None, limit: int
) -> list[SearchHit]:
    """Return where *text* was said or is a title.

    Found in up to 200 places, the best comes first. Found in more, those that were
    written last are returned, the newest first, and the last word counts as a whole
    word if that alone is found in more than 200. (PostgreSQL ranks all of them.)

    Args:
        adapter: The database.
        text: What a person typed.
        user_id: Only in this user's conversations.
        limit: At most so many, at least 1.

    Raises:
        ValueError: The limit is less than 1.
    """
    if limit < 1:
        msg = f"limit must be at least 1, it is {limit}"
        raise ValueError(msg)
    query = parse_query(text)
    if not query.terms:
        return []
    newest = await _newest_of_many(adapter, query, user_id, limit)
    if newest is not None:
        rows = await adapter.all(_THESE, (newest, limit))
    else:
        statement = _STATEMENTS[adapter.dialect]
        sql, values = statement(query, user_id)
        rows = await adapter.all(sql, (*values, limit))
    return [_hit(row, query) for row in rows]


async def rebuild_search(adapter: StorageAdapter) -> None:
    """Make the index right again, whatever it held; in one transaction."""

    async def work(adapter: StorageAdapter) -> None:
        # First make the index agree with its content, or deleting that could fail.
        await adapter.run(_REBUILD)
        await adapter.run("DELETE FROM search_text")
        # The triggers index what an UPDATE touches.
        await adapter.run("UPDATE conversation_events SET event_type = event_type")
        await adapter.run(
            "INSERT INTO search_text (conversation_id, event_id, text) "
            "SELECT id, NULL, metadata ->> '$.title' FROM conversations "
            "WHERE json_type(metadata, '$.title') = 'text' "
            "AND metadata ->> '$.title' <> ''"
        )
        await adapter.run(_REBUILD)

    await adapter.transaction(work)


_REBUILD = "INSERT INTO message_search (message_search) VALUES ('rebuild')"


async def _newest_of_many(
    adapter: StorageAdapter, query: Query, user_id: str | None, limit: int
) -> str | None:
    """Return the newest texts that fit as a JSON array; None if they can be ranked.

    FTS5 walks from the newest text backwards and stops as soon as there are enough.
    """
    if query.match is None or adapter.dialect != "sqlite":
        return None
    ranked = max(_RANKED, limit)
    # Of a word the list is stored; of a beginning it is put together each time.
    for match in dict.fromkeys((query.exact, query.match)):
        source, conditions, values = _found_by(query, match, user_id)
        rows = await adapter.all(
            f"SELECT message_search.rowid AS docid FROM {source} "
            f"WHERE {conditions} ORDER BY message_search.rowid DESC LIMIT ?",
            (*values, ranked + 1),
        )
        if len(rows) > ranked:
            return json.dumps([row["docid"] for row in rows[:limit]])
    return None


def _found_by(
    query: Query, match: str | None, user_id: str | None
) -> tuple[str, str, list[SqlValue]]:
    """Return the tables, the conditions and the values of a search by FTS5."""
    source = "message_search"
    if query.contains or user_id is not None:
        source += _JOIN_TEXT
    if user_id is not None:
        source += _JOIN_CONVERSATION
    conditions, values = _narrowed(query, user_id)
    found = " AND ".join(["message_search MATCH ?", *conditions])
    return source, found, [match, *values]


def _narrowed(query: Query, user_id: str | None) -> tuple[list[str], list[SqlValue]]:
    """Return the conditions that no index of words answers, and their values."""
    conditions: list[str] = []
    values: list[SqlValue] = []
    for part in query.contains:
        conditions.append("text.text LIKE ? ESCAPE '\\'")
        values.append(f"%{_escape_like(part)}%")
    if user_id is not None:
        conditions.append("conversation.user_id = ?")
        values.append(user_id)
    return conditions, values


def _statement(query: Query, user_id: str | None) -> tuple[str, list[SqlValue]]:
    """Return the SQL that finds *query*, and its values without the limit."""
    if query.match is not None:
        source, found, values = _found_by(query, query.match, user_id)
        sql = _SELECT.format(
            docid="message_search.rowid",
            score="-message_search.rank",
            source=source,
            conditions=found,
            order="message_search.rank",
        )
        return sql, values
    conditions, values = _narrowed(query, user_id)
    sql = _SELECT.format(
        docid="text.docid",
        score="0.0",
        source="search_text AS text" + _JOIN_CONVERSATION + _JOIN_EVENT,
        conditions=" AND ".join(conditions),
        order="coalesce(event.timestamp, conversation.updated_at) DESC",
    )
    return sql, values


def _postgres_statement(
    query: Query, user_id: str | None
) -> tuple[str, list[SqlValue]]:
    """The same for PostgreSQL; its functions are in `postgres.schema`."""
    words = [term for term in query.terms if term.where != "anywhere"]
    conditions: list[str] = []
    values: list[SqlValue] = []
    source = "search_text AS text" + _JOIN_CONVERSATION
    score, order = "0.0::float8", "coalesce(event.timestamp, conversation.updated_at)"
    if words:
        asked = " && ".join("search_query(?, ?::int::boolean)" for _ in words)
        for term in words:
            values += [term.text, int(term.where == "beginning")]
        source += f" CROSS JOIN (SELECT {asked} AS query) AS asked"
        conditions.append("text.words @@ asked.query")
        score = order = "ts_rank(text.words, asked.query, 1)::float8"
    else:
        source += _JOIN_EVENT
    others, their_values = _narrowed(query, user_id)
    conditions += others
    values += their_values
    return (
        _SELECT.format(
            docid="text.docid",
            score=score,
            source=source,
            conditions=" AND ".join(conditions),
            order=f"{order} DESC",
        ),
        values,
    )


_STATEMENTS: Final = {"sqlite": _statement, "postgres": _postgres_statement}


def _escape_like(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _hit(row: Row, query: Query) -> SearchHit:
    snippet, highlights = excerpt(str(row["text"]), query.terms)
    title, event_id = row["title"], row["event_id"]
    timestamp = row["updated_at"] if event_id is None else row["timestamp"]
    score = row["score"]
    return SearchHit(
        conversation_id=str(row["conversation_id"]),
        event_id=None if event_id is None else str(event_id),
        event_type="title" if event_id is None else str(row["event_type"]),
        title=title if isinstance(title, str) else None,
        snippet=snippet,
        highlights=highlights,
        timestamp=timestamp if isinstance(timestamp, int) else 0,
        score=score if isinstance(score, float) else 0.0,
    )
