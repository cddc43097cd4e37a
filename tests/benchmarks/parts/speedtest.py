"""`speedtest1` replayed as a script, by all sides that are SQLite."""

from tests.benchmarks.chromium import Chromium
from tests.benchmarks.parts.statements import run_tests
from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Key, Results

__all__ = ["measure_speedtest"]


def measure_speedtest(chromium: Chromium, plan: Plan, results: Results) -> None:
    """Add the time of each side to *results*, each test of it until it is durable.

    Raises:
        WrongResultError: The tables of a side do not hold what they should.
    """
    if not plan.speedtest:
        plan.say("left out: it takes apt, a C compiler and SQLite's header")
        return
    for run, side in plan.turns(lambda peer: peer.is_sqlite):
        mode = side.modes[0]
        with chromium.open(side.as_side(mode)) as opened:
            name = f"bench-speedtest-{run}"
            opened.call("startEmpty", database=name, durability=mode.promise)
            answer = run_tests(opened, "speedtest1", plan.speedtest)
            opened.call("close")
        total = sum(each["ms"] for each in answer["answers"])
        results.add(Key("speedtest1", side.name, mode.promise), total)
        key = Key("bytes of speedtest1", side.name, mode.promise)
        results.add(key, answer["bytes"])
