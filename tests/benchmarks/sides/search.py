"""Our side of the search over many messages, by the public storage."""

from time import perf_counter
from typing import Any

from pyodide_app.storage import create_agentos_storage
from tests.benchmarks.sides.messages import messages, queries

__all__ = ["check_search", "fill_messages", "search"]

_LIMIT = 20


async def fill_messages(conversations: int, each: int) -> dict[str, Any]:
    """Store that many conversations, of *each* so many messages."""
    storage = await _open("batched")
    try:
        texts = messages(conversations * each)
        began = perf_counter()
        for number in range(conversations):
            events = [
                {"type": "user_message", "text": next(texts)} for _ in range(each)
            ]
            await storage.conversations.save(f"c-{number}", "u", "p", events)
        await storage.flush()
        seconds = perf_counter() - began
    finally:
        await storage.close()
    return {"perSecond": conversations * each / seconds}


async def search(seed: int, count: int) -> dict[str, Any]:
    """Return the time of each of *count* queries, each awaited."""
    asked = queries(seed, count)
    storage = await _open("commit")
    times = []
    try:
        for query in asked:
            began = perf_counter()
            await storage.conversations.search(query, limit=_LIMIT)
            times.append((perf_counter() - began) * 1000)
    finally:
        await storage.close()
    return {"ms": times}


async def check_search(count: int, total: int) -> list[str]:
    """Return those of *count* queries that find another number than there are.

    Looking at each of the *total* messages is slow, and needs no index.
    """
    asked = queries(0, count)
    words = [set(text.split()) for text in messages(total)]
    storage = await _open("commit")
    wrong = []
    try:
        for query in asked:
            hits = await storage.conversations.search(query, limit=_LIMIT)
            *whole, beginning = query.split()
            expected = sum(
                all(word in said for word in whole)
                and any(word.startswith(beginning) for word in said)
                for said in words
            )
            if len(hits) != min(_LIMIT, expected):
                wrong.append(query)
    finally:
        await storage.close()
    return wrong


async def _open(durability: Any) -> Any:
    return await create_agentos_storage(
        platform="web", db_name="bench-search", durability=durability
    )
