"""Full-text search over 100,000 messages, called and timed in Python; ours only."""

from statistics import quantiles

from tests.benchmarks.chromium import Chromium
from tests.benchmarks.peers import OURS
from tests.benchmarks.plan import Plan, WrongResultError
from tests.benchmarks.results import Key, Results

__all__ = ["measure_search"]

_CONVERSATIONS = 2_000
_MESSAGES_EACH = 50
_QUERIES = 200
_CHECKED = 20
_DATABASE = "bench-search"


def measure_search(chromium: Chromium, plan: Plan, results: Results) -> None:
    """Add the median and the 95th percentile of each run to *results*.

    Raises:
        WrongResultError: A query does not find as many messages as there are.
    """
    conversations = plan.many(_CONVERSATIONS, at_least=5)
    sizes = {"conversations": conversations, "messages": _MESSAGES_EACH}
    plan.say(f"ours: {conversations * _MESSAGES_EACH:,} messages")
    with chromium.open(OURS.as_side(OURS.modes[0])) as opened:
        opened.call("start", database=_DATABASE, durability="batched")
        filled = opened.call("fillMessages", **sizes)
        wrong = opened.call("checkSearch", count=_CHECKED, **sizes)
        opened.call("close")
    if wrong:
        msg = f"ours finds too much or too little for {wrong}"
        raise WrongResultError(msg)
    results.add(Key("messages a second", OURS.name, "batched"), filled["perSecond"])
    for run in plan.own_turns():
        with chromium.open(OURS.as_side(OURS.modes[0])) as opened:
            opened.call("start", database=_DATABASE, durability="commit")
            opened.call("search", seed=-1, count=_QUERIES)
            times = opened.call("search", seed=run, count=_QUERIES)["ms"]
            opened.call("close")
        cuts = quantiles(times, n=20, method="inclusive")
        for measure, ms in (("search, median", cuts[9]), ("search, p95", cuts[18])):
            results.add(Key(measure, OURS.name, "read"), ms)
