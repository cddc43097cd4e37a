"""What is measured, in which order.

Rule 1: runs of the sides alternate, and who is first changes from run to run, so
        that what else happens on the machine meets both.
Rule 2: each run has a page of its own, with a runtime of its own.
Rule 3: before a clock starts, what it measures has been done once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count as count_from
from statistics import fmean, median
from typing import Any

from tests.benchmarks.chromium import Chromium, OpenSide, Side
from tests.benchmarks.results import Key, Results

__all__ = ["REFERENCE_SIZE", "Plan", "measure"]

REFERENCE_SIZE = 100
"""Megabytes: where reopening, memory and checkpoints are measured."""

MEGABYTE = 1_000_000

_turns = count_from(1)

# Ours are timed ten at a time: the browser's clock has steps of 0.1 ms. The first
# hundreds take twice as long, until the browser has compiled Python's interpreter.
_OUR_BATCH = 10
_OUR_WARM_UP = 300
_OUR_UPDATES = 1_000
# For the browser to delete the files that the run before has made superfluous.
_CLEANING_MS = 6_000
_SUSTAINED_UPDATES = 8_000
_CONVERSATIONS = {"conversations": 400, "appends": 100}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        sides: Ours first.
        sizes: Of databases, in megabytes.
        runs: Of everything.
        say: Gets a line before each step.
    """

    sides: Sequence[Side]
    sizes: Sequence[int]
    runs: int
    say: Callable[[str], None]

    def turns(self) -> Iterator[tuple[int, Side]]:
        """Every side in every run, the first one changing."""
        for run in range(self.runs):
            shift = run % len(self.sides)
            for side in (*self.sides[shift:], *self.sides[:shift]):
                yield run, side


def measure(chromium: Chromium, plan: Plan) -> Results:
    """Carry out *plan*."""
    results = Results()
    _inserts(chromium, plan, results)
    _conversations(chromium, plan, results)
    for size in plan.sizes:
        _fill(chromium, plan, results, size)
        if size == REFERENCE_SIZE:
            _reopenings(chromium, plan, results, "warm open")
        _updates(chromium, plan, results, size)
    if REFERENCE_SIZE in plan.sizes:
        _reopenings(chromium, plan, results, "warm open, after updates")
        _memory(chromium, plan, results)
        _sustained(chromium, plan, results)
    _from_a_page(chromium, plan, results)
    return results


def _database(size: int) -> str:
    return f"bench-{size}"


def _update(opened: OpenSide, count: int, batch: int) -> Mapping[str, Any]:
    """Update so many rows, others and with other data at each turn."""
    answer: Mapping[str, Any] = opened.call(
        "update", count=count, turn=next(_turns), batch=batch
    )
    return answer


def _fill(chromium: Chromium, plan: Plan, results: Results, size: int) -> None:
    for side in plan.sides:
        plan.say(f"{side.name}: filling a database of {size} MB")
        with chromium.open(side) as opened:
            opened.call("start", database=_database(size), durability="batched")
            described = opened.call("fill", bytes=size * MEGABYTE)
            opened.call("close")
        key = Key("database size", side.name, "read", size)
        results.add(key, described["size"])
        results.add(Key("rows", side.name, "read", size), described["rows"])


def _updates(chromium: Chromium, plan: Plan, results: Results, size: int) -> None:
    for run, side in plan.turns():
        plan.say(f"{side.name}: updates at {size} MB, run {run + 1} of {plan.runs}")
        promises = ("commit", "strict") if side.is_ours else ("stored",)
        batch, warm_up = (_OUR_BATCH, _OUR_WARM_UP) if side.is_ours else (1, 1)
        count = _OUR_UPDATES if side.is_ours else 2 if size > REFERENCE_SIZE else 3
        with chromium.open(side) as opened:
            started = opened.call(
                "start", database=_database(size), durability=promises[0]
            )
            results.add(Key("cold open", side.name, "read", size), started["ms"])
            opened.wait(_CLEANING_MS)
            for promise in promises:
                if promise != promises[0]:
                    opened.call("open", durability=promise)
                _update(opened, warm_up, batch)
                update = _update(opened, count, batch)
                key = Key("update", side.name, promise, size)
                results.add(key, median(update["ms"]))
                key = Key("bytes written", side.name, promise, size)
                results.add(key, update["bytes"])
            opened.call("close")


def _inserts(chromium: Chromium, plan: Plan, results: Results) -> None:
    for run, side in plan.turns():
        plan.say(f"{side.name}: inserts and selects, run {run + 1} of {plan.runs}")
        durabilities = ("batched", "commit") if side.is_ours else ("memory",)
        for durability in durabilities:
            with chromium.open(side) as opened:
                database = f"bench-insert-{durability}-{run}"
                opened.call("start", database=database, durability=durability)
                insert = opened.call("insert")
                select = opened.call("select")
                opened.call("close")
            results.add(Key("insert", side.name, durability), insert["ms"])
            if durability != "batched":
                durable = "commit" if side.is_ours else "stored"
                key = Key("insert, durable", side.name, durable)
                results.add(key, insert["durableMs"])
                results.add(Key("select", side.name, "read"), select["ms"])


def _reopenings(chromium: Chromium, plan: Plan, results: Results, name: str) -> None:
    for run, side in plan.turns():
        plan.say(f"{side.name}: reopening, run {run + 1} of {plan.runs}")
        with chromium.open(side) as opened:
            started = opened.call(
                "start",
                database=_database(REFERENCE_SIZE),
                durability="commit",
                warm=True,
            )
        key = Key(name, side.name, "read", REFERENCE_SIZE)
        results.add(key, started["ms"])


def _memory(chromium: Chromium, plan: Plan, results: Results) -> None:
    for run, side in plan.turns():
        plan.say(f"{side.name}: memory, run {run + 1} of {plan.runs}")
        with chromium.open(side) as opened:
            opened.call("start", database="bench-empty", durability="commit")
            opened.settle()
            empty = chromium.memory()
        with chromium.open(side) as opened:
            database = _database(REFERENCE_SIZE)
            opened.call("start", database=database, durability="commit")
            size = opened.call("describe")["size"]
            opened.settle()
            full = chromium.memory()
            _update(opened, 3, 1)
            opened.settle()
            written = chromium.memory()
        promise = "commit" if side.is_ours else "stored"
        for measure, after, kind in (
            ("memory", full, "read"),
            ("memory, after updates", written, promise),
        ):
            key = Key(measure, side.name, kind, REFERENCE_SIZE)
            results.add(key, (after.renderers - empty.renderers) / size)
            key = Key(f"{measure}, browser", side.name, kind, REFERENCE_SIZE)
            results.add(key, (after.browser - empty.browser) / size)
        key = Key("empty runtime", side.name, "read")
        results.add(key, empty.renderers)


def _sustained(chromium: Chromium, plan: Plan, results: Results) -> None:
    """So many updates on end that the log is checkpointed meanwhile; ours only."""
    ours = plan.sides[0]
    for run in range(plan.runs):
        plan.say(f"{ours.name}: sustained updates, run {run + 1} of {plan.runs}")
        with chromium.open(ours) as opened:
            database = _database(REFERENCE_SIZE)
            opened.call("start", database=database, durability="commit")
            update = _update(opened, _SUSTAINED_UPDATES, _OUR_BATCH)
            opened.call("close")
        key = Key("sustained update", ours.name, "commit", REFERENCE_SIZE)
        results.add(key, fmean(update["ms"]))
        key = Key("sustained bytes", ours.name, "commit", REFERENCE_SIZE)
        results.add(key, update["bytes"])


def _conversations(chromium: Chromium, plan: Plan, results: Results) -> None:
    ours = plan.sides[0]
    for run in range(plan.runs):
        plan.say(f"{ours.name}: conversations, run {run + 1} of {plan.runs}")
        with chromium.open(ours) as opened:
            database = f"bench-conversations-{run}"
            opened.call("start", database=database, durability="commit")
            answer = opened.call("conversations", **_CONVERSATIONS)
            opened.call("close")
        for measure, field, promise in (
            ("append an event", "appendMs", "commit"),
            ("load a conversation", "loadMs", "read"),
            ("search, common words", "searchCommonMs", "read"),
            ("search, a rare word", "searchRareMs", "read"),
        ):
            results.add(Key(measure, ours.name, promise), answer[field])


def _from_a_page(chromium: Chromium, plan: Plan, results: Results) -> None:
    """Through `client.js` and the host's SharedWorker; ours only."""
    side = Side("page", "/bench/sides/ours-from-page.js")
    for run in range(plan.runs):
        plan.say(f"ours, from a page: run {run + 1} of {plan.runs}")
        with chromium.open(side) as opened:
            opened.call("start", database="bench-page", durability="commit")
            opened.call("fill", bytes=MEGABYTE)
            _update(opened, _OUR_WARM_UP, _OUR_BATCH)
            update = _update(opened, _OUR_UPDATES, _OUR_BATCH)
            select = opened.call("select")
            opened.call("close")
        key = Key("update from a page", "ours", "commit")
        results.add(key, median(update["ms"]))
        results.add(Key("select from a page", "ours", "read"), select["ms"])
