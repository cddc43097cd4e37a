"""Our side: what the benchmark asks for, as Python that a developer would write.

It runs in the host, inside Pyodide, over the public `StorageAdapter`. Times are
taken here, so they contain all Python there is between a call and its answer.
"""

import gc
import json
from time import perf_counter
from typing import Any

from pyodide_app.storage.adapter import Durability, StorageAdapter
from pyodide_app.storage.adapters.indexeddb import IndexedDbAdapter
from tests.benchmarks.sides.conversations import run_conversations
from tests.benchmarks.sides.search import check_search, fill_messages, search
from tests.benchmarks.sides.statements import (
    run_round_trips,
    run_tests,
    warm_up,
)

__all__ = ["Side"]

_IS_NEW = "SELECT 1 FROM sqlite_schema WHERE name = 'conversation_events'"


class Side:
    """One open database and the workload.

    Args:
        workload: Text of ``workload.json``.
    """

    def __init__(self, workload: str) -> None:
        self._workload: dict[str, Any] = json.loads(workload)
        self._adapter: StorageAdapter | None = None

    async def call(self, method: str, arguments: str) -> str:
        """Return the result of *method* as JSON."""
        return json.dumps(await getattr(self, method)(**json.loads(arguments)))

    async def open(self, durability: Durability) -> None:
        """Open the database in *durability* and answer a first query."""
        await self.close()
        adapter = IndexedDbAdapter("bench", durability=durability)
        await adapter.open()
        if not await adapter.get(_IS_NEW):
            await adapter.exec(self._workload["schema"])
        await adapter.all(self._workload["first"])
        self._adapter = adapter

    async def open_empty(self, durability: Durability) -> None:
        """Open a database with nothing in it."""
        await self.close()
        self._adapter = IndexedDbAdapter("bench", durability=durability)
        await self._adapter.open()

    async def fill(self, bytes: int) -> dict[str, Any]:
        """Grow to at least *bytes*, all of it durable."""
        described = await self.describe()
        while described["size"] < bytes:
            await self._open.run(self._workload["fill"], [self._workload["text"]])
            described = await self.describe()
        await self._open.flush()
        return described

    async def describe(self) -> dict[str, Any]:
        """Return the size and the number of rows."""
        size = await self._open.get(self._workload["size"])
        rows = await self._open.get(self._workload["rows"])
        return {**(size or {}), **(rows or {})}

    async def update(self, count: int, turn: int, batch: int) -> dict[str, Any]:
        """*count* times: update one row, as durable as the adapter promises.

        Returns:
            ``ms`` of each update: one mean for every *batch* of them, because the
            browser's clock is coarser than an update is long. ``isThere``: the row
            that was updated last has its new data.
        """
        adapter = self._open
        rows = (await self.describe())["rows"]
        sql, data = self._workload["update"], self._workload["data"]
        places = self._workload["places"]
        times = []
        began = perf_counter()
        for i in range(count):
            text = data[(7 * turn + i) % len(data)]
            place = places[(100 * turn + i) % len(places)]
            await adapter.run(sql, [text, 1 + int(place * rows)])
            if (i + 1) % batch == 0:
                ended = perf_counter()
                times.append((ended - began) * 1000 / batch)
                began = ended
        row = await adapter.get(self._workload["select"], [1 + int(place * rows)])
        return {"ms": times, "isThere": bool(row) and row["event_data"] == text}

    async def insert(self, rows: str) -> dict[str, Any]:
        """All *rows* in one transaction, each awaited."""
        values = json.loads(rows)
        sql = self._workload["insert"]

        async def work(transaction: StorageAdapter) -> None:
            for row in values:
                await transaction.run(sql, row)

        began = perf_counter()
        await self._open.transaction(work)
        committed = perf_counter()
        await self._open.flush()
        durable = perf_counter()
        return {
            "ms": (committed - began) * 1000,
            "durableMs": (durable - began) * 1000,
        }

    async def select(self) -> dict[str, Any]:
        """Get rows by key, each awaited."""
        adapter, sql, found = self._open, self._workload["select"], 0
        began = perf_counter()
        for key in self._workload["keys"]:
            if await adapter.get(sql, [key]):
                found += 1
        return {"ms": (perf_counter() - began) * 1000, "found": found}

    async def warm_up(self, count: int) -> dict[str, Any]:
        """Make the first commits of this runtime, see `warm_up`."""
        return await warm_up(self._open, count)

    async def tests(self, tests: str, only: int) -> list[dict[str, Any]]:
        """Run a suite, see `run_tests`."""
        return await run_tests(self._open, tests, only)

    async def round_trips(self, trips: str, count: int) -> dict[str, list[float]]:
        """Run the 12 round trips, see `run_round_trips`."""
        return await run_round_trips(self._open, trips, count)

    async def conversations(
        self, rows: str, conversations: int, events: int, appends: int
    ) -> dict[str, Any]:
        """Append, load and search, see `run_conversations`."""
        values = json.loads(rows)
        return await run_conversations(values, conversations, events, appends)

    async def fill_messages(self, conversations: int, messages: int) -> dict[str, Any]:
        """Store messages to search in, see `fill_messages`."""
        return await fill_messages(conversations, messages)

    async def check_search(
        self, count: int, conversations: int, messages: int
    ) -> list[str]:
        """Return the queries that find a wrong number, see `check_search`."""
        return await check_search(count, conversations * messages)

    async def search(self, seed: int, count: int) -> dict[str, Any]:
        """Search in those messages, see `search`."""
        return await search(seed, count)

    async def collect(self) -> None:
        """Drop what nobody uses any more."""
        gc.collect()

    async def close(self) -> None:
        """Close the database, if it is open."""
        if self._adapter is not None:
            adapter, self._adapter = self._adapter, None
            await adapter.close()

    @property
    def _open(self) -> StorageAdapter:
        if self._adapter is None:
            msg = "open() comes first"
            raise RuntimeError(msg)
        return self._adapter
