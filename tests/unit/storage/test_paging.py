import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyodide_app.errors import CursorError
from pyodide_app.storage import create_agentos_storage
from pyodide_app.storage.paging import _decoded, _encoded


async def read_all(storage, limit):
    ids, cursor = [], None
    while True:
        page = await storage.conversations.list("u", limit=limit, cursor=cursor)
        ids += [item.id for item in page.items]
        assert len(page.items) <= limit
        if page.next_cursor is None:
            return ids
        assert len(page.items) == limit
        cursor = page.next_cursor


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_pages_together_are_the_list(storage, limit):
    """Also where many conversations have one time."""
    rows = [(f"c{n:02}", n // 4) for n in range(21)]
    for id, updated_at in rows:
        await storage.conversations.save(id, "u", "p")
        await storage.adapter.run(
            "UPDATE conversations SET updated_at = ? WHERE id = ?", (updated_at, id)
        )

    expected = [id for id, _ in sorted(rows, key=lambda r: (r[1], r[0]), reverse=True)]
    assert await read_all(storage, limit) == expected


async def test_what_is_new_does_not_shift_the_next_page(storage):
    for id in "abcd":
        await storage.conversations.save(id, "u", "p")
    await storage.adapter.run("UPDATE conversations SET updated_at = 5")
    first = await storage.conversations.list("u", limit=2)

    await storage.conversations.save("new", "u", "p")
    second = await storage.conversations.list("u", limit=2, cursor=first.next_cursor)

    assert [item.id for item in (*first.items, *second.items)] == ["d", "c", "b", "a"]


async def test_events_and_names_are_paged_forwards(storage):
    await storage.conversations.save(
        "c", "u", "p", [{"type": "x", "n": n, "timestamp": n // 2} for n in range(5)]
    )
    first = await storage.conversations.events("c", limit=3)
    second = await storage.conversations.events("c", limit=3, cursor=first.next_cursor)
    assert [e.event_data["n"] for e in (*first.items, *second.items)] == list(range(5))

    for name in ("b", "a", "ä"):
        await storage.personas.cache(name, name, {})
    one = await storage.personas.list(limit=2)
    two = await storage.personas.list(limit=2, cursor=one.next_cursor)
    assert [p.id for p in (*one.items, *two.items)] == ["a", "b", "ä"]


def cursor_of(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "?",
        "ä",
        "AAAA",
        "a",
        cursor_of({}),
        cursor_of([]),
        cursor_of(["sessions", 1, "a"]),
        cursor_of(["conversations", None, "a"]),
        cursor_of(["conversations", True, "a"]),
        cursor_of(["conversations", 2**63, "a"]),
        cursor_of(["conversations", 1, 2]),
        cursor_of(["conversations", 1, "a", "b"]),
        "[" * 100_000,
        cursor_of("x") + "\n",
    ],
)
async def test_a_foreign_cursor_is_refused(storage, cursor):
    with pytest.raises(CursorError):
        await storage.conversations.list(cursor=cursor)


@given(st.text())
def test_no_text_is_an_unexpected_cursor(text):
    with contextlib.suppress(CursorError):
        _decoded("list", text)


@given(st.integers(-(2**62), 2**62) | st.text(), st.text())
def test_a_cursor_gives_back_its_key(first, second):
    assert _decoded("list", _encoded("list", (first, second))) == (first, second)


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_below_one_is_refused(storage, limit):
    """The original takes 0 for 50."""
    with pytest.raises(ValueError, match="limit"):
        await storage.conversations.list(limit=limit)


async def test_a_page_is_read_from_one_index():
    """Nothing is sorted, however long the list."""
    async with await create_agentos_storage(platform="memory") as storage:
        for sql in (
            "SELECT * FROM conversations WHERE user_id = ? "
            "ORDER BY updated_at DESC, id DESC",
            "SELECT * FROM conversations WHERE (updated_at, id) < (?, ?) "
            "ORDER BY updated_at DESC, id DESC",
            "SELECT * FROM conversation_events WHERE conversation_id = ? "
            "ORDER BY timestamp, id",
            "SELECT * FROM sessions WHERE user_id = ? "
            "ORDER BY updated_at DESC, id DESC",
            "SELECT * FROM telemetry WHERE session_id = ? "
            "ORDER BY timestamp DESC, id DESC",
            "SELECT * FROM telemetry ORDER BY timestamp DESC, id DESC",
            "SELECT * FROM personas ORDER BY display_name, id",
            "SELECT * FROM workflows ORDER BY name, id",
        ):
            plan = await storage.adapter.all(
                f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")
            )
            details = " ".join(str(row["detail"]) for row in plan)
            assert "USING INDEX" in details, sql
            assert "TEMP B-TREE" not in details, sql
