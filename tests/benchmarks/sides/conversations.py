"""Our side of what AgentOS does all day, by the public storage."""

import json
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from pyodide_app.storage import create_agentos_storage

__all__ = ["run_conversations"]


async def run_conversations(
    values: Sequence[Sequence[Any]], conversations: int, events: int, appends: int
) -> dict[str, Any]:
    """Fill a storage from the rows *values*; append, load and search in it.

    Raises:
        RuntimeError: An event that was appended is not found again.
    """
    storage = await create_agentos_storage(
        platform="web", db_name="bench-conversations", durability="commit"
    )
    try:
        for number in range(conversations):
            said = [
                {"type": "user_message", "text": json.loads(data)["text"]}
                for _, _, data, _ in values[number * events : (number + 1) * events]
            ]
            await storage.conversations.save(f"c-{number}", "u", "p", said)
        event = {"type": "user_message", "text": "a needle in the haystack"}
        began = perf_counter()
        for number in range(appends):
            await storage.conversations.append(f"c-{number % conversations}", event)
        appended = perf_counter()
        for number in range(appends):
            await storage.conversations.get(f"c-{number % conversations}")
        loaded = perf_counter()
        common = await storage.conversations.search("durable transaction")
        searched = perf_counter()
        rare = await storage.conversations.search("needle")
        ended = perf_counter()
        if len(rare) != min(appends, 20):
            msg = f"{len(rare)} of {appends} appended events are found"
            raise RuntimeError(msg)
    finally:
        await storage.close()
    return {
        "events": conversations * events,
        "appendMs": (appended - began) * 1000 / appends,
        "loadMs": (loaded - appended) * 1000 / appends,
        "searchCommonMs": (searched - loaded) * 1000,
        "searchRareMs": (ended - searched) * 1000,
        "found": [len(common), len(rare)],
    }
