"""`speedtest1` replayed as a script, by all sides that are SQLite."""

from tests.benchmarks.chromium import Chromium
from tests.benchmarks.parts.statements import run_tests
from tests.benchmarks.peers import Peer
from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Key, Results

__all__ = ["measure_speedtest"]

_PART = "speedtest1"


def measure_speedtest(chromium: Chromium, plan: Plan, results: Results) -> None:
    """Add the time of each side to *results*, each test of it until it is durable.

    Raises:
        WrongResultError: Our tables do not hold what they should.
    """
    if not plan.speedtest:
        plan.say("left out: it takes apt, a C compiler and SQLite's header")
        return

    def takes_part(peer: Peer) -> bool:
        return peer.is_sqlite and (_PART, peer.name) not in results.failures

    for run, side in plan.turns(takes_part):
        with plan.tolerating(results, _PART, side):
            _replay(chromium, plan, results, side, run)


def _replay(
    chromium: Chromium, plan: Plan, results: Results, side: Peer, run: int
) -> None:
    mode = side.modes[0]
    with chromium.open(side.as_side(mode)) as opened:
        name = f"bench-speedtest-{run}"
        opened.call("startEmpty", database=name, durability=mode.promise)
        answer = run_tests(opened, _PART, plan.speedtest)
        opened.call("close")
    total = sum(each["ms"] for each in answer["answers"])
    results.add(Key(_PART, side.name, mode.promise), total)
    results.add(Key(f"bytes of {_PART}", side.name, mode.promise), answer["bytes"])
