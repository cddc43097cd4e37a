"""The 16 tests and the 12 round trips, by all sides on a new database each.

The 16 run at the relaxed durability of each side; where one is strict too, the
first test, which is all commits, also runs at that.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.chromium import Chromium, OpenSide
from tests.benchmarks.peers import Mode, Peer
from tests.benchmarks.plan import Plan, WrongResultError
from tests.benchmarks.results import Key, Results
from tests.benchmarks.round_trips import mean_of_middle
from tests.benchmarks.sql_test import SqlTest

__all__ = ["measure_statements", "run_tests"]

_PART = "the 16 tests"
_TRIPS = 100
# Until the browser has compiled what a commit runs through.
_FIRST_COMMITS = 200


def measure_statements(chromium: Chromium, plan: Plan, results: Results) -> None:
    """Add times, bytes and peaks to *results*.

    Raises:
        WrongResultError: Our tables do not hold what they should.
    """

    def takes_part(peer: Peer) -> bool:
        return (_PART, peer.name) not in results.failures

    for run, side in plan.turns(takes_part):
        relaxed, *strict = side.modes
        with plan.tolerating(results, _PART, side):
            _run_all(chromium, plan, results, side, relaxed, run)
            for mode in strict:
                _run_commits(chromium, plan, results, side, mode, run)


def _run_all(
    chromium: Chromium,
    plan: Plan,
    results: Results,
    side: Peer,
    mode: Mode,
    run: int,
) -> None:
    with chromium.open(side.as_side(mode)) as opened:
        first = _start(opened, plan, side, mode, run)
        results.add(Key("first commits", side.name, mode.promise), first)
        count = plan.many(min(_TRIPS, side.trips_at_most), at_least=10)
        trips = opened.call("roundTrips", count=count)
        for trip, each in trips.items():
            key = Key(f"trip: {trip}", side.name, mode.promise)
            results.add(key, mean_of_middle(each))
        if not side.only_trips:
            _run_tests(chromium, plan, results, side, mode, opened)
        opened.call("close")


def _run_tests(
    chromium: Chromium,
    plan: Plan,
    results: Results,
    side: Peer,
    mode: Mode,
    opened: OpenSide,
) -> None:
    answer = run_tests(opened, "sixteen", plan.tests)
    times = [each["ms"] for each in answer["answers"]]
    for test, ms in zip(plan.tests, times, strict=True):
        results.add(Key(f"test {test.number}", side.name, mode.promise), ms)
    for measure, number in (
        ("sum of 16", sum(times)),
        ("bytes of 16", answer["bytes"]),
        ("peak of 16", chromium.peak_memory()),
    ):
        results.add(Key(measure, side.name, mode.promise), number)


def _run_commits(
    chromium: Chromium,
    plan: Plan,
    results: Results,
    side: Peer,
    mode: Mode,
    run: int,
) -> None:
    with chromium.open(side.as_side(mode)) as opened:
        _start(opened, plan, side, mode, run)
        (answer,) = run_tests(opened, "sixteen", plan.tests[:1])["answers"]
        opened.call("close")
    results.add(Key("test 1", side.name, mode.promise), answer["ms"])


def _start(opened: OpenSide, plan: Plan, side: Peer, mode: Mode, run: int) -> float:
    """Open a new database; return the mean time of the first commits in it."""
    database = f"bench-statements-{mode.promise}-{run}"
    opened.call("startEmpty", database=database, durability=mode.promise)
    count = plan.many(min(_FIRST_COMMITS, side.trips_at_most), at_least=10)
    return float(opened.call("warmUp", count=count)["ms"])


def run_tests(
    opened: OpenSide, name: str, tests: Sequence[SqlTest]
) -> Mapping[str, Any]:
    """Return the times of *tests*, the first of the file *name*, and bytes written.

    Raises:
        WrongResultError: The tables do not hold what they should.
    """
    answer: Mapping[str, Any] = opened.call("tests", name=name, only=len(tests))
    for test, each in zip(tests, answer["answers"], strict=True):
        if each["found"] != [list(row) for row in test.expected]:
            msg = (
                f"{opened.name}: after test {test.number} of {name} the tables hold "
                f"{each['found']}, not {test.expected}"
            )
            raise WrongResultError(msg)
    return answer
