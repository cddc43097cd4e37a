import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyodide_app.storage import create_agentos_storage
from pyodide_app.storage.search import parse_query


async def said(storage, *texts, id="c", user_id="u", title=None):
    events = [{"type": "user_message", "text": text} for text in texts]
    await storage.conversations.save(id, user_id, "p", events, title=title)


async def found(storage, query, **kwargs):
    hits = await storage.conversations.search(query, **kwargs)
    return [hit.snippet for hit in hits]


async def marked(storage, query):
    (hit,) = await storage.conversations.search(query)
    return [hit.snippet[start:end] for start, end in hit.highlights]


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("opening", ["opening"]),
        ("OPENING", ["opening"]),
        ("cafe", ["Café"]),
        ("café", ["Café"]),
        ("open", ["opening"]),
        ("cafe hou", ["Café", "hours"]),
        ('"opening hours"', ["opening hours"]),
        ("opening-hours", ["opening-hours"]),
        ("営業", ["営業"]),
        ("時間", ["時間"]),
        ("cafe 営業時間", ["Café", "営業時間"]),
        ("🎉", ["🎉"]),
        ("100%", ["100"]),
        ("พรุ่ง", ["พรุ่ง"]),
        ("시간", ["시간"]),
    ],
)
async def test_what_was_said_is_found_and_marked(storage, query, matches):
    text = "Café opening hours: 営業時間 100% 🎉 opening-hours วันพรุ่งนี้ 영업시간"
    await said(storage, text, "nothing of it")

    marks = await marked(storage, query)

    assert set(marks) >= {*matches}


@pytest.mark.parametrize(
    "query",
    [
        "hours opening missing",
        '"hours opening"',
        "pening",
        "間営",
        "_",
        "%",
        "",
        "   ",
        '""',
        "nothing OR café",
        "opening NOT café",
        "text:café",
    ],
)
async def test_what_was_not_said_is_not_found(storage, query):
    await said(storage, "café opening hours 営業時間 100x")

    assert await found(storage, query) == []


async def test_the_first_words_must_be_whole(storage):
    """Only what is still being typed is taken for a beginning."""
    await said(storage, "opening hours")

    assert await found(storage, "open hou") == []
    assert await found(storage, "hours open") == ["opening hours"]
    assert await found(storage, '"open"') == []


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(), max_size=40))
def test_no_query_is_an_error(query):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5 (text)")

    parsed = parse_query(query)

    if parsed.match is not None:
        connection.execute("SELECT 1 FROM t WHERE t MATCH ?", (parsed.match,))
    connection.close()


async def test_answers_and_titles_are_found_but_not_parts_of_answers(storage):
    await storage.conversations.save(
        "c",
        "u",
        "p",
        [
            {"type": "text_delta", "textDelta": "zebra"},
            {"type": "text_delta", "text": "zebra"},
            {"type": "tool_call_request", "toolCalls": [{"name": "zebra"}]},
            {
                "type": "final_response",
                "finalResponseText": "The zebra",
                "timestamp": 7,
            },
        ],
        title="Zebra question",
    )

    hits = await storage.conversations.search("zebra")

    assert sorted((hit.event_type, hit.snippet) for hit in hits) == [
        ("final_response", "The zebra"),
        ("title", "Zebra question"),
    ]
    by_type = {hit.event_type: hit for hit in hits}
    assert by_type["title"].event_id is None
    assert by_type["final_response"].timestamp == 7
    assert by_type["final_response"].title == "Zebra question"
    assert all(hit.conversation_id == "c" for hit in hits)


async def test_only_the_users_own_conversations_are_searched(storage):
    await said(storage, "secret of u", id="a", user_id="u")
    await said(storage, "secret of v", id="b", user_id="v")

    assert await found(storage, "secret", user_id="v") == ["secret of v"]
    assert len(await found(storage, "secret")) == 2


async def test_the_best_hit_comes_first_and_the_limit_holds(storage):
    await said(storage, "apple and many other words of no use " * 5, "apple", "pear")

    hits = await storage.conversations.search("apple")

    assert hits[0].snippet == "apple"
    assert hits[0].score > hits[1].score
    assert len(await found(storage, "apple", limit=1)) == 1
    with pytest.raises(ValueError, match="limit"):
        await found(storage, "apple", limit=0)


async def test_of_very_many_hits_the_newest_come_first(storage):
    """Nobody looks through them, and ranking would read each of them."""
    texts = [f"common word number{n} {'filler ' * (n % 7)}" for n in range(300)]
    await said(storage, *texts, "common", "commonplace number300")
    await said(storage, "common of another", id="d", user_id="v")

    hits = await storage.conversations.search("common", limit=3)
    own = await storage.conversations.search("common", limit=2, user_id="u")
    beginnings = await storage.conversations.search("numb", limit=2)

    assert [hit.snippet for hit in hits] == [
        "common of another",
        "common",
        texts[-1],
    ]
    assert [hit.snippet for hit in own] == ["common", texts[-1]]
    assert [hit.snippet for hit in beginnings] == [
        "commonplace number300",
        texts[-1],
    ]
    assert len(await storage.conversations.search("common", limit=250)) == 250


async def test_hits_that_are_few_are_ranked_among_common_words(storage):
    texts = [f"common word number{n}" for n in range(300)]
    await said(storage, "common needle", *texts, "common words around a needle")

    assert await found(storage, "common needle") == [
        "common needle",
        "common words around a needle",
    ]


async def test_without_words_the_newest_hit_comes_first(storage):
    await said(storage, "古い営業", id="old")
    await said(storage, "新しい営業", id="new")
    await storage.adapter.run(
        "UPDATE conversation_events SET timestamp = 1 WHERE conversation_id = 'old'"
    )

    assert await found(storage, "営業") == ["新しい営業", "古い営業"]


CHANGES = [
    'UPDATE conversation_events SET event_data = \'{"text":"new words"}\'',
    "INSERT OR REPLACE INTO conversation_events SELECT id, conversation_id, "
    'event_type, \'{"text":"new words"}\', timestamp FROM conversation_events',
    "INSERT INTO conversation_events SELECT id, conversation_id, event_type, "
    '\'{"text":"new words"}\', timestamp FROM conversation_events WHERE true '
    "ON CONFLICT (id) DO UPDATE SET event_data = excluded.event_data",
    "UPDATE conversation_events SET id = 'other-' || id, "
    'event_data = \'{"text":"new words"}\'',
]


async def assert_search_is_right(storage, expected):
    assert await found(storage, "new words") == expected
    assert await found(storage, "before") == []
    await storage.adapter.run(
        "INSERT INTO message_search (message_search, rank) "
        "VALUES ('integrity-check', 1)"
    )


@pytest.mark.parametrize("sql", CHANGES)
async def test_every_way_to_write_keeps_the_index_right(storage, sql):
    await said(storage, "before")

    await storage.adapter.run(sql)

    await assert_search_is_right(storage, ["new words"])


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM conversation_events",
        "DELETE FROM conversations",
        "UPDATE conversation_events SET event_type = 'text_delta'",
        "UPDATE conversation_events SET event_data = '{}'",
        "UPDATE conversation_events SET event_data = '{\"text\":5}'",
    ],
)
async def test_what_is_gone_is_not_found(storage, sql):
    await said(storage, "before")

    await storage.adapter.run(sql)

    await assert_search_is_right(storage, [])
    assert await storage.adapter.all("SELECT * FROM search_text") == []


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT OR IGNORE INTO conversation_events SELECT id, conversation_id, "
        'event_type, \'{"text":"ignored"}\', timestamp FROM conversation_events',
        "UPDATE conversation_events SET timestamp = timestamp + 1",
        "UPDATE conversations SET updated_at = updated_at + 1",
    ],
)
async def test_what_stays_is_still_found(storage, sql):
    await said(storage, "stays", title="Title")

    await storage.adapter.run(sql)

    assert await found(storage, "stays") == ["stays"]
    assert await found(storage, "title") == ["Title"]


async def test_a_title_is_found_by_its_newest_form(storage):
    await said(storage, title="before")

    await storage.conversations.rename("c", "new words")
    await assert_search_is_right(storage, ["new words"])

    await storage.conversations.rename("c", None)
    await assert_search_is_right(storage, [])


async def test_vacuum_does_not_mix_up_what_was_found(storage):
    """It may renumber the rows of tables whose key is a text."""
    await said(storage, *(f"word{n}" for n in range(50)))
    await storage.adapter.run("DELETE FROM conversation_events WHERE rowid % 2")

    await storage.compact()

    remaining = await storage.conversations.get("c")
    for event in remaining.events:
        word = event.event_data["text"]
        assert await found(storage, f'"{word}"') == [word]
    assert len(remaining.events) == 25


async def test_rebuilding_repairs_what_was_lost(storage):
    await said(storage, "words", title="Title")
    await storage.adapter.exec(
        "DELETE FROM search_text;"
        "INSERT INTO search_text (conversation_id, event_id, text)"
        " VALUES ('c', 'nobody', 'ghost')"
    )

    await storage.rebuild_search()

    assert await found(storage, "words") == ["words"]
    assert await found(storage, "title") == ["Title"]
    assert await found(storage, "ghost") == []


async def test_plain_sqlite_writes_the_file_and_search_stays_right(tmp_path):
    """No function of ours is in the schema, and no setting is needed."""
    path = tmp_path / "plain.db"
    async with await create_agentos_storage(adapter="native", path=path) as storage:
        await said(storage, "before", title="Title")
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(CHANGES[1])
        connection.execute(
            "INSERT INTO conversation_events VALUES "
            "('e', 'c', 'user_message', '{\"text\":\"from plain sqlite\"}', 1)"
        )
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()

    async with await create_agentos_storage(adapter="native", path=path) as storage:
        assert await found(storage, "plain") == ["from plain sqlite"]
        await assert_search_is_right(storage, ["new words"])
