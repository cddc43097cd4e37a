"""What goes when space is given back, what stays, and what a full disk changes."""

import contextlib
import errno
from datetime import UTC, datetime, timedelta

import pytest

from pyodide_app.errors import NoRoomForRestorePointError, QuotaExceededError
from pyodide_app.ids import now_ms
from pyodide_app.storage import IndexedDbAdapter, create_agentos_storage

# Of events: a database without any takes about 100 kB.
WORDS = " ".join(f"word{n}" for n in range(3000))


async def fill(storage, ages):
    """Store conversations c0, c1, … last updated at *ages*, each with telemetry."""
    for number, age in enumerate(ages):
        id = f"c{number}"
        event = {"type": "user_message", "text": f"{WORDS} {id}"}
        await storage.conversations.save(id, "u", "p", [event], title=id)
        await storage.sessions.save(id, "u", id, "persona", "p")
        await storage.telemetry.record(id, "call", {}, timestamp=age)
        for table in ("conversations", "sessions"):
            await storage.adapter.run(
                f"UPDATE {table} SET updated_at = ? WHERE id = ?", (age, id)
            )


async def ids(storage, table="conversations", column="id"):
    rows = await storage.adapter.all(f"SELECT {column} FROM {table} ORDER BY {column}")
    return [row[column] for row in rows]


@pytest.mark.parametrize(
    ("choice", "stay"),
    [
        ({"older_than": 30}, ["c2", "c3"]),
        ({"keep": 1}, ["c3"]),
        ({"keep": 0}, []),
        ({"keep": 9}, ["c0", "c1", "c2", "c3"]),
        ({"older_than": 30, "keep": 3}, ["c1", "c2", "c3"]),
        ({"older_than": 20, "keep": 1}, ["c1", "c2", "c3"]),
        ({"older_than": 0}, ["c0", "c1", "c2", "c3"]),
    ],
)
async def test_what_goes(storage, choice, stay):
    """With both, a conversation goes only if both say so."""
    await fill(storage, [10, 20, 30, 40])

    plan = await storage.plan_prune(**choice)
    assert len(await ids(storage)) == 4
    report = await storage.prune(**choice)

    assert await ids(storage) == stay
    assert await ids(storage, "sessions") == stay
    assert await ids(storage, "telemetry", "session_id") == stay
    gone = 4 - len(stay)
    for told in (plan, report):
        assert (told.conversations, told.events) == (gone, gone)
        assert (told.sessions, told.telemetry) == (gone, gone)


async def test_what_belongs_to_no_conversation_goes_by_its_own_time(storage):
    await fill(storage, [50])
    for time in (10, 60):
        await storage.telemetry.record(None, "start", {}, timestamp=time)
        await storage.telemetry.record("other", "start", {}, timestamp=time)
        await storage.sessions.save(f"s{time}", "u", "s", "agency", "a")
        await storage.adapter.run(
            "UPDATE sessions SET updated_at = ? WHERE id = ?", (time, f"s{time}")
        )

    report = await storage.prune(keep=5)
    assert (report.sessions, report.telemetry) == (0, 0)
    report = await storage.prune(older_than=40)

    assert (report.conversations, report.sessions, report.telemetry) == (0, 1, 2)
    assert await ids(storage, "sessions") == ["c0", "s60"]
    assert await ids(storage, "telemetry", "timestamp") == [50, 60, 60]


async def test_personas_workflows_and_tables_of_ones_own_stay(storage):
    await storage.personas.cache("p", "P", {})
    await storage.workflows.save("w", "W", {})
    await storage.adapter.run("CREATE TABLE mine AS SELECT 1 AS id")

    await storage.prune(older_than=now_ms() + 1, keep=0)

    for table in ("personas", "workflows", "mine"):
        assert len(await ids(storage, table)) == 1


@pytest.mark.parametrize(
    "older_than",
    [
        timedelta(days=30),
        datetime.now(UTC) - timedelta(days=30),
        now_ms() - 30 * 86_400_000,
    ],
    ids=["timedelta", "datetime", "milliseconds"],
)
async def test_age_in_three_ways(storage, older_than):
    day = 86_400_000
    await fill(storage, [now_ms() - 31 * day, now_ms() - 29 * day])

    await storage.prune(older_than=older_than)

    assert await ids(storage) == ["c1"]


@pytest.mark.parametrize("choice", [{}, {"keep": -1}])
async def test_a_choice_that_says_nothing_is_refused(storage, choice):
    with pytest.raises(ValueError, match="keep"):
        await storage.prune(**choice)


async def test_a_file_shrinks_at_once(tmp_path):
    path = tmp_path / "a.db"
    async with await create_agentos_storage(adapter="native", path=path) as storage:
        await fill(storage, range(20))

        await storage.prune(keep=2, keep_restore_point=False)

        taken = sum(file.stat().st_size for file in tmp_path.glob("a.db*"))
        status = await storage.status()
        assert path.stat().st_size == status.database_bytes
        assert taken < status.database_bytes + 50_000  # and the WAL's index


async def test_a_full_disk_has_no_room_for_a_restore_point(tmp_path, monkeypatch):
    async def full(_reason):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.db"
    async with await create_agentos_storage(adapter="native", path=path) as storage:
        await fill(storage, [1, 2])
        monkeypatch.setattr(storage.adapter, "_keep", full)

        with pytest.raises(NoRoomForRestorePointError):
            await storage.prune(keep=1)

        assert await ids(storage) == ["c0", "c1"]


@pytest.fixture(params=["batched", "commit", "strict"])
async def full_storage(request, volume):
    """A storage whose volume is full: the last conversation is not durable."""
    adapter = IndexedDbAdapter("app", volume=volume, durability=request.param)
    async with await create_agentos_storage(adapter=adapter) as storage:
        await fill(storage, [1, 2, 3])
        await storage.flush()
        volume.quota = volume.usage
        with contextlib.suppress(QuotaExceededError):
            await fill(storage, [1, 2, 3, 4])
        with pytest.raises(QuotaExceededError):
            await storage.flush()
        yield storage
        volume.quota = None


async def test_without_room_nothing_goes_before_the_caller_agrees(full_storage):
    with pytest.raises(NoRoomForRestorePointError) as caught:
        await full_storage.prune(keep=1)

    assert "keep_restore_point=False" in str(caught.value)
    assert isinstance(caught.value.__cause__, QuotaExceededError)
    assert len(await ids(full_storage)) >= 3


async def test_pruning_makes_everything_durable_again(full_storage, volume):
    report = await full_storage.prune(keep=1, keep_restore_point=False)

    assert report.restore_point is None
    status = await full_storage.status()
    assert status.durable_seq == status.committed_seq
    assert volume.usage == status.database_bytes < volume.quota


async def test_what_stays_may_be_too_much(full_storage, volume):
    volume.quota = 50_000

    with pytest.raises(QuotaExceededError):
        await full_storage.prune(keep=1, keep_restore_point=False)

    assert len(await ids(full_storage)) == 1
    status = await full_storage.status()
    assert status.durable_seq < status.committed_seq


async def test_earlier_restore_points_are_given_up_if_asked(storage):
    await fill(storage, [1, 2])
    await storage.keep_restore_point("first")
    await storage.keep_restore_point("second")

    report = await storage.prune(keep=1, delete_restore_points=True)

    assert report.restore_points_deleted == 2
    assert await storage.restore_points() == [report.restore_point]
    assert report.restore_point.reason == "before pruning"
    await storage.restore(report.restore_point.id)
    assert await ids(storage) == ["c0", "c1"]
