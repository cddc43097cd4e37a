"""A large transaction and many reads by key, by all sides that are SQLite."""

from tests.benchmarks.chromium import Chromium
from tests.benchmarks.peers import Peer
from tests.benchmarks.plan import Plan, WrongResultError
from tests.benchmarks.results import Key, Results
from tests.benchmarks.workload import SELECTS

__all__ = ["measure_inserts"]

_PART = "inserts and selects"


def measure_inserts(chromium: Chromium, plan: Plan, results: Results) -> None:
    """Add the times of both to *results*.

    Raises:
        WrongResultError: A row that we inserted was not found.
    """

    def takes_part(peer: Peer) -> bool:
        return peer.is_sqlite and (_PART, peer.name) not in results.failures

    for run, side in plan.turns(takes_part):
        with plan.tolerating(results, _PART, side):
            _insert(chromium, results, side, run)


def _insert(chromium: Chromium, results: Results, side: Peer, run: int) -> None:
    mode = side.modes[0]
    with chromium.open(side.as_side(mode)) as opened:
        name = f"bench-insert-{run}"
        opened.call("start", database=name, durability=mode.promise)
        insert = opened.call("insert")
        select = opened.call("select")
        opened.call("close")
    if select["found"] != SELECTS:
        msg = f"{side.name} finds {select['found']} of {SELECTS} rows"
        raise WrongResultError(msg)
    results.add(Key("insert", side.name, _committed(side)), insert["ms"])
    key = Key("insert, durable", side.name, mode.promise)
    results.add(key, insert["durableMs"])
    results.add(Key("select", side.name, "read"), select["ms"])


def _committed(side: Peer) -> str:
    """What the end of its transaction promises, before it is made durable."""
    return "memory" if side.is_original else side.modes[0].promise
