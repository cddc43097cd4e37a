"""What AgentOS does all day: append, load and search; ours only."""

from tests.benchmarks.chromium import Chromium
from tests.benchmarks.peers import OURS
from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Key, Results

__all__ = ["measure_conversations"]

_CONVERSATIONS = 400
_EVENTS_EACH = 50
_APPENDS = 100


def measure_conversations(chromium: Chromium, plan: Plan, results: Results) -> None:
    """Add the time of each to *results*."""
    for run in plan.own_turns():
        with chromium.open(OURS.as_side(OURS.modes[0])) as opened:
            name = f"bench-conversations-{run}"
            opened.call("start", database=name, durability="commit")
            answer = opened.call(
                "conversations",
                conversations=plan.many(_CONVERSATIONS, at_least=10),
                events=_EVENTS_EACH,
                appends=plan.many(_APPENDS, at_least=10),
            )
            opened.call("close")
        for measure, field, promise in (
            ("append an event", "appendMs", "commit"),
            ("load a conversation", "loadMs", "read"),
            ("search, common words", "searchCommonMs", "read"),
            ("search, a rare word", "searchRareMs", "read"),
        ):
            results.add(Key(measure, OURS.name, promise), answer[field])
