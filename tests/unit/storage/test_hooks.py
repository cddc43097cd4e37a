from dataclasses import replace

import pytest

from pyodide_app.errors import SqlError
from pyodide_app.storage import MemoryAdapter, StorageHooks, combine_hooks
from pyodide_app.storage.adapter import BatchOperation, StorageAdapter
from pyodide_app.storage.hooks import HookedAdapter


@pytest.fixture
async def inner():
    adapter = MemoryAdapter()
    await adapter.open()
    await adapter.run("CREATE TABLE t (x)")
    yield adapter
    await adapter.close()


def recording(seen):
    async def after(context):
        seen.append(("after", context.sql, context.result))

    return StorageHooks(
        before_query=lambda c: seen.append(("query", c.sql)),
        after_query=after,
        before_write=lambda c: seen.append(("write", c.sql)),
        after_write=after,
        on_error=lambda c, error: seen.append(("error", c.sql, type(error))),
    )


async def test_hooks_that_return_none_change_nothing(inner):
    """In the original such a hook drops the write without a word."""
    seen = []
    adapter = HookedAdapter(inner, recording(seen))

    result = await adapter.run("INSERT INTO t VALUES (1)")

    assert result.changes == 1
    assert await adapter.all("SELECT x FROM t") == [{"x": 1}]
    assert [entry[0] for entry in seen] == ["write", "after", "query", "after"]
    assert seen[-1][2] == [{"x": 1}]


async def test_a_hook_may_change_the_statement_and_the_result(inner):
    hooks = StorageHooks(
        before_write=lambda c: replace(c, parameters=(c.parameters[0] * 10,)),
        after_query=lambda c: replace(c, result=[*c.result, {"x": "added"}]),
    )
    adapter = HookedAdapter(inner, hooks)

    await adapter.run("INSERT INTO t VALUES (?)", (4,))

    assert await adapter.all("SELECT x FROM t") == [{"x": 40}, {"x": "added"}]


async def test_a_hook_that_raises_stops_the_statement(inner):
    def refuse(_context):
        raise PermissionError

    adapter = HookedAdapter(inner, StorageHooks(before_write=refuse))

    with pytest.raises(PermissionError):
        await adapter.run("INSERT INTO t VALUES (1)")

    assert await adapter.all("SELECT x FROM t") == []


async def test_an_error_is_seen_and_still_raised(inner):
    seen = []
    adapter = HookedAdapter(inner, recording(seen))

    with pytest.raises(SqlError):
        await adapter.run("SELEC")

    assert seen[-1] == ("error", "SELEC", SqlError)


async def test_hooks_are_called_in_transactions_batches_and_prepared_statements(inner):
    seen = []
    adapter = HookedAdapter(inner, recording(seen))

    await adapter.transaction(lambda trx: trx.run("INSERT INTO t VALUES (1)"))
    result = await adapter.batch(
        [BatchOperation("INSERT INTO t VALUES (?)", (2,)), BatchOperation("SELEC")]
    )
    statement = await adapter.prepare("SELECT x FROM t WHERE x = ?")
    await adapter.exec("DELETE FROM t WHERE x = 1")

    assert await statement.get((2,)) == {"x": 2}
    assert (result.successful, result.failed) == (1, 1)
    assert [entry[0] for entry in seen].count("write") == 4
    assert [entry[0] for entry in seen].count("error") == 1


async def test_combined_hooks_run_in_order(inner):
    def appending(letter):
        return StorageHooks(
            before_write=lambda c: replace(c, parameters=(c.parameters[0] + letter,))
        )

    adapter = HookedAdapter(inner, combine_hooks([appending("b"), appending("c")]))

    await adapter.run("INSERT INTO t VALUES (?)", ("a",))

    assert await adapter.get("SELECT x FROM t") == {"x": "abc"}


def test_a_hooked_adapter_is_a_whole_adapter():
    """Nothing that the port promises is missing in front of it."""
    promised = {name for name in vars(StorageAdapter) if not name.startswith("_")}

    assert promised <= set(dir(HookedAdapter))
    assert promised <= set(dir(MemoryAdapter()))
