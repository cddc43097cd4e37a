"""From a page, through `client.js` and the host's SharedWorker; ours only."""

from statistics import median

from tests.benchmarks.chromium import Chromium, Side
from tests.benchmarks.plan import (
    MEGABYTE,
    OUR_BATCH,
    OUR_WARM_UP,
    Plan,
    WrongResultError,
    update_rows,
)
from tests.benchmarks.results import Key, Results

__all__ = ["PAGE", "measure_from_page", "measure_transfers"]

PAGE = Side("ours, from a page", "/bench/sides/ours-from-page.js")

_UPDATES = 1_000
_CALLS = 2_000
_TRANSFERRED = 100


def measure_from_page(chromium: Chromium, plan: Plan, results: Results) -> None:
    """Add a call and its answer, a select and an update to *results*."""
    for _ in plan.own_turns():
        with chromium.open(PAGE) as opened:
            opened.call("start", database="bench-page", durability="commit")
            opened.call("fill", bytes=MEGABYTE)
            warm_up = plan.many(OUR_WARM_UP, at_least=OUR_BATCH)
            update_rows(opened, warm_up, OUR_BATCH)
            count = plan.many(_UPDATES, at_least=OUR_BATCH)
            update = update_rows(opened, count, OUR_BATCH)
            calls = plan.many(_CALLS, at_least=OUR_BATCH)
            trip = opened.call("roundTrip", count=calls, batch=OUR_BATCH)
            select = opened.call("select")
            opened.call("close")
        key = Key("update from a page", "ours", "commit")
        results.add(key, median(update["ms"]))
        results.add(Key("round trip", "ours", "read"), median(trip["ms"]))
        results.add(Key("select from a page", "ours", "read"), select["ms"])


def measure_transfers(chromium: Chromium, plan: Plan, results: Results) -> None:
    """Add the export and the import of a whole database to *results*.

    Raises:
        WrongResultError: What was imported is not what was exported.
    """
    size = plan.many(_TRANSFERRED)
    with chromium.open(PAGE) as opened:
        plan.say(f"ours: filling a database of {size} MB from a page")
        opened.call("start", database="bench-transfer", durability="commit")
        opened.call("fill", bytes=size * MEGABYTE)
        opened.call("close")
    for _ in plan.own_turns():
        with chromium.open(PAGE) as opened:
            opened.call("start", database="bench-transfer", durability="commit")
            before = opened.call("describe")
            exported = opened.call("export")
            imported = opened.call("import")
            after = opened.call("describe")
            peak = chromium.peak_memory()
            opened.call("close")
        if before["sum"] != after["sum"]:
            msg = f"what was imported holds {after}, not {before}"
            raise WrongResultError(msg)
        for measure, number, promise in (
            ("export", exported["ms"], "read"),
            ("import", imported["ms"], "commit"),
            ("peak of export and import", peak / exported["bytes"], "read"),
        ):
            results.add(Key(measure, "ours", promise, size), number)
