"""Databases of several sizes: opening, one-row updates, memory.

All sides that are SQLite are compared at `REFERENCE_SIZE`; at the other sizes ours
and the original are, to show what the size costs.
"""

from statistics import fmean, median

from tests.benchmarks.chromium import Chromium
from tests.benchmarks.peers import OURS, Mode, Peer
from tests.benchmarks.plan import (
    MEGABYTE,
    OUR_BATCH,
    OUR_WARM_UP,
    REFERENCE_SIZE,
    Plan,
    database,
    update_rows,
)
from tests.benchmarks.results import Key, Results

__all__ = ["measure_sizes"]

_OUR_UPDATES = 1_000
_PEERS_UPDATES = 100
_PEERS_BATCH = 5
# The original's take up to three seconds each.
_ORIGINALS_UPDATES = 3
# For the browser to delete the files that the run before has made superfluous.
_CLEANING_MS = 3_000
_SUSTAINED_UPDATES = 8_000


def measure_sizes(chromium: Chromium, plan: Plan, results: Results) -> None:
    """Add all of it to *results*."""
    for size in plan.sizes:
        _fill(chromium, plan, results, size)
        _reopen(chromium, plan, results, size, "warm open")
        _update(chromium, plan, results, size)
    if REFERENCE_SIZE in plan.sizes:
        _reopen(chromium, plan, results, REFERENCE_SIZE, "warm open, after updates")
        _measure_memory(chromium, plan, results)
        _sustain(chromium, plan, results)


def _takes_part(results: Results, size: int, peer: Peer) -> bool:
    if (_part(size), peer.name) in results.failures:
        return False
    is_compared = size == REFERENCE_SIZE and peer.is_sqlite and peer.is_durable
    return is_compared or peer.is_original


def _part(size: int) -> str:
    return f"a database of {size} MB"


def _fill(chromium: Chromium, plan: Plan, results: Results, size: int) -> None:
    peers = [peer for peer in plan.peers if _takes_part(results, size, peer)]
    for side in (OURS, *peers):
        plan.say(f"{side.name}: filling a database of {size} MB")
        with (
            plan.tolerating(results, _part(size), side),
            chromium.open(side.as_side(side.modes[0])) as opened,
        ):
            opened.call("start", database=database(size), durability="batched")
            described = opened.call("fill", bytes=size * MEGABYTE)
            opened.call("close")
            key = Key("database size", side.name, "read", size)
            results.add(key, described["size"])
            results.add(Key("rows", side.name, "read", size), described["rows"])


def _update(chromium: Chromium, plan: Plan, results: Results, size: int) -> None:
    for _, side in plan.turns(lambda peer: _takes_part(results, size, peer)):
        with plan.tolerating(results, _part(size), side):
            # What strict costs more does not depend on the size.
            for mode in side.modes if size == REFERENCE_SIZE else side.modes[:1]:
                _update_once(chromium, plan, results, size, side, mode)


def _update_once(
    chromium: Chromium,
    plan: Plan,
    results: Results,
    size: int,
    side: Peer,
    mode: Mode,
) -> None:
    batch, warm_up, count = _counts(plan, side, size)
    with chromium.open(side.as_side(mode)) as opened:
        started = opened.call("start", database=database(size), durability=mode.promise)
        if mode is side.modes[0]:
            results.add(Key("cold open", side.name, "read", size), started["ms"])
        opened.wait(_CLEANING_MS if plan.scale == 1 else 0)
        update_rows(opened, warm_up, batch)
        update = update_rows(opened, count, batch)
        opened.call("close")
    key = Key("update", side.name, mode.promise, size)
    results.add(key, median(update["ms"]))
    key = Key("bytes written", side.name, mode.promise, size)
    results.add(key, update["bytes"])


def _counts(plan: Plan, side: Peer, size: int) -> tuple[int, int, int]:
    """Return how many updates are timed at once, to warm up, and in all."""
    if side.is_ours:
        warm_up = plan.many(OUR_WARM_UP, at_least=OUR_BATCH)
        return OUR_BATCH, warm_up, plan.many(_OUR_UPDATES, at_least=OUR_BATCH)
    if side.is_original:
        return 1, 1, 2 if size > REFERENCE_SIZE else _ORIGINALS_UPDATES
    return _PEERS_BATCH, 10, plan.many(_PEERS_UPDATES, at_least=_PEERS_BATCH)


def _reopen(
    chromium: Chromium, plan: Plan, results: Results, size: int, name: str
) -> None:
    def takes_part(peer: Peer) -> bool:
        is_compared = size == REFERENCE_SIZE and (
            peer.is_original or name == "warm open"
        )
        return is_compared and _takes_part(results, size, peer)

    for _, side in plan.turns(takes_part):
        with (
            plan.tolerating(results, _part(size), side),
            chromium.open(side.as_side(side.modes[0])) as opened,
        ):
            started = opened.call(
                "start",
                database=database(size),
                durability="commit",
                warm=True,
            )
            opened.call("close")
            results.add(Key(name, side.name, "read", size), started["ms"])


def _measure_memory(chromium: Chromium, plan: Plan, results: Results) -> None:
    for _, side in plan.turns(lambda peer: peer.is_original):
        mode = side.modes[0]
        with chromium.open(side.as_side(mode)) as opened:
            opened.call("start", database="bench-empty", durability="commit")
            opened.settle()
            empty = chromium.memory()
        with chromium.open(side.as_side(mode)) as opened:
            name = database(REFERENCE_SIZE)
            opened.call("start", database=name, durability="commit")
            size = opened.call("describe")["size"]
            opened.settle()
            full = chromium.memory()
            update_rows(opened, 3, 1)
            opened.settle()
            written = chromium.memory()
        for measure, after, kind in (
            ("memory", full, "read"),
            ("memory, after updates", written, mode.promise),
        ):
            key = Key(measure, side.name, kind, REFERENCE_SIZE)
            results.add(key, (after.renderers - empty.renderers) / size)
            key = Key(f"{measure}, browser", side.name, kind, REFERENCE_SIZE)
            results.add(key, (after.browser - empty.browser) / size)
        key = Key("empty runtime", side.name, "read")
        results.add(key, empty.renderers)


def _sustain(chromium: Chromium, plan: Plan, results: Results) -> None:
    """So many updates on end that the log is checkpointed meanwhile; ours only."""
    for _ in plan.own_turns():
        with chromium.open(OURS.as_side(OURS.modes[0])) as opened:
            name = database(REFERENCE_SIZE)
            opened.call("start", database=name, durability="commit")
            update = update_rows(opened, plan.many(_SUSTAINED_UPDATES, 10), OUR_BATCH)
            opened.call("close")
        key = Key("sustained update", OURS.name, "commit", REFERENCE_SIZE)
        results.add(key, fmean(update["ms"]))
        key = Key("sustained bytes", OURS.name, "commit", REFERENCE_SIZE)
        results.add(key, update["bytes"])
