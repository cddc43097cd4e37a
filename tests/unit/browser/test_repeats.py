"""What is remembered of a write that came with a key."""

import asyncio

import pytest

from pyodide_app.browser.repeats import Repeats
from pyodide_app.errors import QuotaExceededError
from pyodide_app.storage import MemoryAdapter


class FullAdapter(MemoryAdapter):
    """Commits, but cannot make durable while the disk is full."""

    def __init__(self) -> None:
        super().__init__()
        self.durability = "commit"
        self.is_full = False
        self.is_fast = asyncio.Event()
        self.is_fast.set()

    async def _make_durable(self) -> None:
        await self.is_fast.wait()
        if self.is_full:
            raise QuotaExceededError
        await super()._make_durable()


@pytest.fixture
async def adapter():
    """An open adapter with a table ``t``."""
    adapter = FullAdapter()
    await adapter.open()
    await adapter.exec("CREATE TABLE t (a)")
    yield adapter
    adapter.is_full = False
    await adapter.close()


async def insert(adapter):
    return await adapter.run("INSERT INTO t VALUES (1)")


async def count(adapter):
    row = await adapter.get("SELECT count(*) n FROM t")
    return row["n"]


async def test_what_was_committed_but_is_not_durable_is_not_run_again(adapter):
    """The repeat makes it durable, and gets the answer of the first time."""
    repeats = Repeats()
    adapter.is_full = True

    for _ in range(2):
        with pytest.raises(QuotaExceededError):
            await repeats.once("k", "insert", adapter, insert)
    adapter.is_full = False
    result = await repeats.once("k", "insert", adapter, insert)

    assert result.changes == 1
    assert await count(adapter) == 1


async def test_a_tab_that_goes_after_the_commit_does_not_undo_it(adapter):
    """Its call is cancelled while it waits to be durable; it comes again."""
    repeats = Repeats()
    adapter.is_fast.clear()
    call = asyncio.ensure_future(repeats.once("k", "insert", adapter, insert))
    for _ in range(10):
        await asyncio.sleep(0)
    assert await count(adapter) == 1
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    adapter.is_fast.set()

    result = await repeats.once("k", "insert", adapter, insert)

    assert result.changes == 1
    assert await count(adapter) == 1


async def test_a_tab_that_goes_before_the_commit_may_try_again(adapter):
    """Others that commit meanwhile make no difference."""
    repeats = Repeats()

    async def slow(inner):
        result = await insert(inner)
        await asyncio.sleep(60)
        return result

    call = asyncio.ensure_future(repeats.once("k", "insert", adapter, slow))
    other = asyncio.ensure_future(insert(adapter))
    for _ in range(10):
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await other

    await repeats.once("k", "insert", adapter, insert)

    assert await count(adapter) == 2


async def test_the_key_used_longest_ago_is_forgotten_first(adapter):
    """The memory is bounded; a repeat counts as use."""
    repeats = Repeats(remembered=2)
    for key in ("a", "b", "a", "c"):
        await repeats.once(key, "insert", adapter, insert)
    assert await count(adapter) == 3

    await repeats.once("a", "insert", adapter, insert)
    assert await count(adapter) == 3

    await repeats.once("b", "insert", adapter, insert)
    assert await count(adapter) == 4


async def test_a_key_is_remembered_while_a_tab_reloads(adapter):
    """Eight busy tabs write 400 times a second; a slow reload takes ten."""
    repeats = Repeats()
    for number in range(4000):
        await repeats.once(f"{number}", "insert", adapter, insert)

    await repeats.once("0", "insert", adapter, insert)

    assert await count(adapter) == 4000
