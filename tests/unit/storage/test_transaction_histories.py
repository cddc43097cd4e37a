"""Random tasks, nested transactions, failures and cancellations against a model.

The model is one sentence: a transaction that returned left exactly what its parts
that returned wrote, next to each other; one that did not left nothing.
"""

import asyncio
import random

import pytest

from pyodide_app.storage import MemoryAdapter, NativeSqliteAdapter


class Planned(Exception):
    """A failure that the history asks for."""


class History:
    """One run of a random history; everything random comes from the seed."""

    def __init__(self, adapter, seed):
        self.adapter = adapter
        self.random = random.Random(seed)  # noqa: S311  # repeatable
        self.expected = []

    async def run(self):
        await self.adapter.run("CREATE TABLE t (i INTEGER PRIMARY KEY, who, n)")
        tasks = [
            asyncio.create_task(self.task(f"task{n}"))
            for n in range(self.random.randint(2, 8))
        ]
        for _ in range(self.random.randint(0, 30)):
            await asyncio.sleep(0)
        for task in tasks:
            if self.random.random() < 0.3:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def task(self, who):
        for n in range(self.random.randint(1, 4)):
            name = f"{who}.{n}"
            if self.random.random() < 0.3:
                await self.write(name, 0)
                self.expected.append([(name, 0)])
                continue
            written = []
            try:
                await self.adapter.transaction(
                    lambda _, w=written, k=name: self.work(k, w)
                )
            except Planned:
                continue
            self.expected.append(written)

    async def work(self, name, written, depth=0):
        for n in range(self.random.randint(0, 4)):
            choice = self.random.random()
            if choice < 0.15:
                raise Planned
            if choice < 0.4 and depth < 3:
                inner = []
                try:
                    await self.adapter.transaction(
                        lambda _, w=inner, k=f"{name}.{n}": self.work(k, w, depth + 1)
                    )
                except Planned:
                    continue
                written += inner
            elif choice < 0.7:
                await asyncio.sleep(0)
            else:
                await self.write(name, n)
                written.append((name, n))

    async def write(self, name, n):
        await self.adapter.run("INSERT INTO t (who, n) VALUES (?, ?)", (name, n))


@pytest.mark.parametrize("seed", range(150))
async def test_a_transaction_is_whole_or_absent(seed):
    adapter = MemoryAdapter()
    await adapter.open()
    history = History(adapter, seed)

    await history.run()

    rows = await adapter.all("SELECT who, n FROM t ORDER BY i")
    found = [(row["who"], row["n"]) for row in rows]
    for part in history.expected:
        if part:
            at = found.index(part[0])
            assert found[at : at + len(part)] == part
            del found[at : at + len(part)]
    assert found == []
    assert not adapter._engine.in_transaction
    await adapter.close()


@pytest.mark.parametrize("seed", range(10))
async def test_the_same_holds_in_a_file(seed, tmp_path):
    adapter = NativeSqliteAdapter(tmp_path / "a.db", durability="batched")
    await adapter.open()
    history = History(adapter, seed)

    await history.run()

    rows = await adapter.all("SELECT who, n FROM t")
    assert sorted((row["who"], row["n"]) for row in rows) == sorted(
        entry for part in history.expected for entry in part
    )
    await adapter.close()
