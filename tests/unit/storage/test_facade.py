import asyncio

import pytest

import pyodide_app
from pyodide_app.errors import (
    StorageClosedError,
    StorageResolutionError,
    StoreUnavailableError,
)
from pyodide_app.storage import MemoryAdapter, StorageHooks, create_agentos_storage
from pyodide_app.storage.volume import install_volume


async def test_one_call_gives_a_storage_that_works(tmp_path):
    storage = await create_agentos_storage(platform="server", path=tmp_path / "a.db")

    await storage.conversations.save("c", "u", "p", [{"type": "x"}])
    await storage.close()

    async with await create_agentos_storage(
        adapter="native", path=str(tmp_path / "a.db")
    ) as again:
        assert (await again.conversations.get("c")).events[0].event_type == "x"
        assert again.resolution.kind == again.adapter.kind == "native"
        assert "native" in again.resolution.reason


async def test_the_file_is_named_after_the_database(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STORAGE_ADAPTER", raising=False)

    async with await create_agentos_storage(db_name="mine"):
        assert (tmp_path / "mine.db").exists()


async def test_the_environment_variable_chooses(monkeypatch):
    monkeypatch.setenv("STORAGE_ADAPTER", "memory")

    async with await create_agentos_storage() as storage:
        assert storage.adapter.kind == "memory"
        assert "STORAGE_ADAPTER" in storage.resolution.reason


async def test_in_the_browser_every_option_reaches_the_adapter(volume):
    install_volume(volume)
    try:
        storage = await create_agentos_storage(
            platform="auto",
            db_name="mine",
            durability="commit",
            save_interval_ms=250,
        )
        assert volume.autosave == {f"{volume.root}/mine.db": 250}
        status = await storage.status()
        assert (status.mode, status.durability) == ("indexeddb", "commit")
        assert status.durable_seq == status.committed_seq
        await storage.close()
    finally:
        install_volume(None)


async def test_memory_is_never_fallen_back_to():
    with pytest.raises(StorageResolutionError) as caught:
        await create_agentos_storage(platform="web")

    assert [kind for kind, _ in caught.value.attempts] == ["indexeddb"]
    assert isinstance(caught.value.__cause__, StoreUnavailableError)
    assert "memory" in str(caught.value)


async def test_the_next_in_priority_is_taken_and_the_failure_is_told(tmp_path):
    async with await create_agentos_storage(
        priority=["indexeddb", "native"], path=tmp_path / "a.db"
    ) as storage:
        assert storage.adapter.kind == "native"
        assert [kind for kind, _ in storage.resolution.attempts] == ["indexeddb"]


async def test_an_adapter_of_ones_own_is_opened_and_used():
    adapter = MemoryAdapter()

    async with await create_agentos_storage(adapter=adapter) as storage:
        assert storage.adapter is adapter
        assert (await storage.conversations.list()).items == ()


async def test_every_call_after_close_is_refused():
    storage = await create_agentos_storage(platform="memory")
    await storage.close()

    for call in (
        lambda: storage.conversations.save("c", "u", "p"),
        lambda: storage.conversations.get("c"),
        lambda: storage.conversations.list(),
        lambda: storage.conversations.search("x"),
        lambda: storage.sessions.get("s"),
        lambda: storage.personas.list(),
        lambda: storage.telemetry.summary(),
        lambda: storage.workflows.delete("w"),
        storage.flush,
        storage.status,
        storage.export_database,
    ):
        with pytest.raises(StorageClosedError):
            await call()


async def test_watch_yields_after_each_commit_to_the_tables(storage):
    changes = storage.watch(["conversations"])

    await storage.personas.cache("p", "P", {})
    await storage.conversations.save("c", "u", "p", [{"type": "x"}])

    change = await anext(changes)
    assert {"conversations", "conversation_events"} <= change.tables
    assert "personas" not in change.tables
    later = asyncio.create_task(anext(changes))
    await asyncio.sleep(0)
    await storage.conversations.delete("c")
    assert "conversation_events" in (await later).tables
    assert (await storage.status()).committed_seq >= change.seq


async def test_a_watch_can_end_while_it_waits(storage):
    changes = storage.watch()
    waiting = asyncio.create_task(anext(changes, "ended"))
    await asyncio.sleep(0)

    await changes.aclose()

    assert await waiting == "ended"


async def test_a_cancelled_reader_misses_nothing(storage):
    changes = storage.watch(["workflows"])
    waiting = asyncio.create_task(anext(changes))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    await storage.workflows.save("w", "W", {})

    assert (await anext(changes)).tables == {"workflows"}


async def test_restoring_brings_the_data_back_and_tells_of_it(storage):
    await storage.conversations.save("c", "u", "p", [{"type": "user_message"}])
    point = await storage.keep_restore_point("before deleting")
    await storage.conversations.delete("c")
    changes = storage.watch(["conversations"])

    undo = await storage.restore(point.id)

    assert (await storage.conversations.get("c")) is not None
    assert "conversations" in (await anext(changes)).tables
    assert await storage.restore_points() == [undo, point]


async def test_hooks_see_statements_of_repositories():
    seen = []
    hooks = StorageHooks(before_write=lambda context: seen.append(context.sql))

    async with await create_agentos_storage(platform="memory", hooks=hooks) as storage:
        await storage.conversations.save("c", "u", "p", [{"type": "x"}])

    assert any("conversation_events" in sql for sql in seen)


def test_the_public_names_are_what_is_listed():
    for name in pyodide_app.__all__:
        assert getattr(pyodide_app, name).__name__ == name
    assert pyodide_app.__all__ == sorted(pyodide_app.__all__)
    assert set(pyodide_app.__all__) <= set(dir(pyodide_app))
    with pytest.raises(AttributeError):
        pyodide_app.nothing  # noqa: B018


def test_the_public_names_of_storage_are_what_is_listed():
    for name in pyodide_app.storage.__all__:
        assert getattr(pyodide_app.storage, name) is not None
