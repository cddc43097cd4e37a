"""Merging: idempotent, the same in any order, all or nothing."""

import itertools
import random
from contextlib import AsyncExitStack

import pytest

from pyodide_app.storage import create_agentos_storage
from tests.unit.backup.histories import content

IDS = ("a", "b", "c", "d")


async def fill(storage, rng: random.Random) -> None:
    """Write records whose ids, and often whose times, collide between devices."""
    adapter = storage.adapter
    for id in rng.sample(IDS, rng.randint(0, len(IDS))):
        await adapter.run(
            "INSERT INTO conversations VALUES (?, ?, 'p', ?, ?, ?)",
            (
                id,
                rng.choice(("me", "you")),
                rng.randint(1, 3),
                rng.randint(1, 3),
                f'{{"title": "{rng.choice("xyz")}"}}',
            ),
        )
        for _ in range(rng.randint(0, 3)):
            at = rng.randint(1, 9)
            await adapter.run(
                "INSERT OR IGNORE INTO conversation_events VALUES (?, ?, 'note', ?, ?)",
                (f"{id}-{at}", id, f'{{"text": "{id} {at}"}}', at),
            )
    for id in rng.sample(IDS, rng.randint(0, 2)):
        when = rng.randint(1, 3)
        await adapter.run(
            "INSERT INTO personas VALUES (?, 'n', ?, '{}', ?, ?)",
            (id, rng.choice((None, "", "text")), when, when),
        )
        await adapter.run(
            "INSERT INTO sessions VALUES (?, 'u', ?, 'persona', 't', 1, ?, '{}')",
            (id, rng.choice("mn"), rng.randint(1, 3)),
        )
        await adapter.run(
            "INSERT INTO workflows VALUES (?, ?, '{}', 1, ?)",
            (id, rng.choice("mn"), rng.randint(1, 3)),
        )
        await adapter.run("INSERT INTO telemetry VALUES (?, NULL, 't', '{}', 1)", (id,))


def model(contents: list[dict[str, list]]) -> dict[str, list]:
    """Return what a merge of all must hold: per id the newest, else the greatest."""
    updated = {"conversations": 4, "sessions": 6, "personas": 5, "workflows": 4}
    merged = {}
    for table in contents[0]:
        best: dict[object, tuple] = {}
        for row in itertools.chain(*(held[table] for held in contents)):
            known = best.get(row[0])
            if known is None or (
                table in updated
                and rank(row, updated[table]) > rank(known, updated[table])
            ):
                best[row[0]] = row
        merged[table] = [best[id] for id in sorted(best)]
    return merged


def rank(row: tuple, updated: int) -> tuple:
    rest = [value for place, value in enumerate(row) if place not in (0, updated)]
    return row[updated], [
        "NULL"
        if value is None
        else f"'{value}'"
        if isinstance(value, str)
        else str(value)
        for value in rest
    ]


async def devices(stack: AsyncExitStack, seed: int, number: int) -> list:
    rng = random.Random(seed)  # noqa: S311 (to repeat, not to hide)
    made = []
    for _ in range(number):
        storage = await create_agentos_storage(platform="memory")
        await stack.enter_async_context(storage)
        await fill(storage, rng)
        made.append(storage)
    return made


@pytest.mark.parametrize("seed", range(5))
async def test_any_order_gives_what_the_model_says(seed):
    async with AsyncExitStack() as stack:
        made = await devices(stack, seed, 3)
        expected = model([await content(device) for device in made])
        exports = [await device.export_database() for device in made]

        for order in itertools.permutations(range(3)):
            target = await stack.enter_async_context(
                await create_agentos_storage(platform="memory")
            )
            # The first of them comes again at the end.
            for place in (*order, order[0]):
                await target.import_database(exports[place], mode="merge")
            assert await content(target) == expected, (seed, order)
            check = await target.adapter.all("PRAGMA integrity_check")
            assert check == [{"integrity_check": "ok"}]


@pytest.mark.parametrize("seed", range(12))
async def test_the_report_counts_what_changed(seed):
    async with AsyncExitStack() as stack:
        ours, theirs = await devices(stack, seed + 100, 2)
        before, other = await content(ours), await content(theirs)

        report = await ours.import_database(
            await theirs.export_database(), mode="merge"
        )
        after = await content(ours)

        for table in before:
            name = "events" if table == "conversation_events" else table
            known = {row[0]: row for row in before[table]}
            added = [row for row in after[table] if row[0] not in known]
            updated = [
                row for row in after[table] if row[0] in known and row != known[row[0]]
            ]
            assert getattr(report.added, name) == len(added), name
            assert getattr(report.updated, name) == len(updated), name
            assert getattr(report.skipped, name) == (
                len(other[table]) - len(added) - len(updated)
            ), name


async def test_what_the_merge_brought_is_found_and_the_old_title_is_not(memory):
    async with await create_agentos_storage(platform="memory") as other:
        await memory.conversations.save("c", "u", "p", title="walrus")
        at = (await memory.conversations.get("c")).conversation.updated_at
        await other.conversations.save(
            "c", "u", "p", [{"type": "note", "text": "otter"}], title="badger"
        )
        await other.adapter.run("UPDATE conversations SET updated_at = ?", (at + 1,))

        await memory.import_database(await other.export_database(), mode="merge")

    assert len(await memory.conversations.search("otter")) == 1
    assert len(await memory.conversations.search("badger")) == 1
    assert await memory.conversations.search("walrus") == []


async def test_a_merge_can_be_undone(memory):
    await memory.conversations.save("c", "u", "p")
    before = await content(memory)
    async with await create_agentos_storage(platform="memory") as other:
        await other.conversations.save("d", "u", "p")
        exported = await other.export_database()

    report = await memory.import_database(exported, mode="merge")
    assert len((await content(memory))["conversations"]) == 2
    await memory.restore(report.restore_point.id)

    assert report.restore_point.reason == "before import"
    assert await content(memory) == before


async def test_the_change_feed_tells_of_an_import(memory):
    async with await create_agentos_storage(platform="memory") as other:
        await other.conversations.save("d", "u", "p")
        exported = await other.export_database()

    for mode in ("merge", "replace"):
        async with memory.watch(["conversations"]) as changes:
            await memory.import_database(exported, mode=mode)
            assert "conversations" in (await anext(changes)).tables
