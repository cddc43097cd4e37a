"""Eight tabs that write at the same time, through one host; ours only."""

from contextlib import ExitStack

from tests.benchmarks.chromium import Chromium
from tests.benchmarks.parts.from_page import PAGE
from tests.benchmarks.plan import Plan, WrongResultError
from tests.benchmarks.results import Key, Results

__all__ = ["measure_tabs"]

_TABS = 8
_MS = 5_000


def measure_tabs(chromium: Chromium, plan: Plan, results: Results) -> None:
    """Add the writes of all in a second, and the slowest answer, to *results*.

    Raises:
        WrongResultError: The counters do not add up to what was acknowledged.
    """
    for run in plan.own_turns():
        name = f"bench-tabs-{run}"
        with ExitStack() as stack:
            tabs = [stack.enter_context(chromium.open(PAGE)) for _ in range(_TABS)]
            for tab in tabs:
                tab.call("start", database=name, durability="commit")
            tabs[0].call("makeCounters", count=_TABS)
            ms = plan.many(_MS, at_least=500)
            for number, tab in enumerate(tabs):
                tab.begin("contend", number=number, ms=ms)
            answers = [tab.end() for tab in tabs]
            counted = tabs[0].call("counted")
            for tab in tabs:
                tab.call("close")
        acknowledged = sum(answer["count"] for answer in answers)
        if counted != acknowledged:
            msg = f"{acknowledged} writes were acknowledged, {counted} are there"
            raise WrongResultError(msg)
        seconds = max(answer["ms"] for answer in answers) / 1000
        slowest = max(answer["slowest"] for answer in answers)
        key = Key("writes of 8 tabs a second", "ours", "commit")
        results.add(key, acknowledged / seconds)
        results.add(Key("slowest answer to 8 tabs", "ours", "commit"), slowest)
