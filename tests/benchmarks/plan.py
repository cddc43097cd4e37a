"""What to measure, with whom, how often, and in which order.

Rule 1: runs of the sides alternate, and who is first changes from run to run, so
        that what else happens on the machine meets all.
Rule 2: each run has a page of its own, with a runtime of its own.
Rule 3: before a clock starts, what it measures has been done once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count as count_from
from typing import Any

from playwright.sync_api import Error

from tests.benchmarks.chromium import OpenSide
from tests.benchmarks.peers import OURS, Peer
from tests.benchmarks.results import Results
from tests.benchmarks.sql_test import SqlTest

__all__ = [
    "MEGABYTE",
    "OUR_BATCH",
    "OUR_WARM_UP",
    "REFERENCE_SIZE",
    "Plan",
    "WrongResultError",
    "database",
    "update_rows",
]

MEGABYTE = 1_000_000

REFERENCE_SIZE = 100
"""Megabytes: where all peers are compared, and where the targets are."""

# Ours are timed ten at a time: the browser's clock has steps of 0.1 ms. The first
# hundreds take twice as long, until the browser has compiled Python's interpreter.
OUR_BATCH = 10
OUR_WARM_UP = 300

_turns = count_from(1)


class WrongResultError(Exception):
    """A side was fast at something else than what was asked."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        peers: Compared with ours.
        sizes: Of databases, in megabytes.
        runs: Of everything.
        tests: The 16.
        speedtest: The tests of `speedtest1`; empty where it cannot be had.
        scale: 1; less in a smoke test, of everything that is counted.
        say: Gets a line before each step.
    """

    peers: Sequence[Peer]
    sizes: Sequence[int]
    runs: int
    tests: Sequence[SqlTest]
    speedtest: Sequence[SqlTest]
    scale: float
    say: Callable[[str], None]

    def turns(
        self, takes_part: Callable[[Peer], bool] = lambda _: True
    ) -> Iterator[tuple[int, Peer]]:
        """Ours and every peer that *takes_part* in every run, the first changing.

        Whether a peer takes part is asked before each run.
        """
        sides = [OURS, *(peer for peer in self.peers if takes_part(peer))]
        for run in range(self.runs):
            shift = run % len(sides)
            for side in (*sides[shift:], *sides[:shift]):
                if run < side.runs_at_most and (side.is_ours or takes_part(side)):
                    self.say(f"{side.name}, run {run + 1} of {self.runs}")
                    yield run, side

    @contextmanager
    def tolerating(self, results: Results, part: str, side: Peer) -> Iterator[None]:
        """Note what a peer fails at, and go on without it.

        Raises:
            WrongResultError: Ours is wrong.
            Error: Ours failed.
        """
        try:
            yield
        except (Error, WrongResultError) as error:
            if side.is_ours:
                raise
            reason = str(error).partition("\n")[0].removeprefix("Page.evaluate: ")
            self.say(f"{side.name} fails: {reason}")
            results.failures[part, side.name] = reason

    def own_turns(self) -> Iterator[int]:
        """Every run of what only ours can do."""
        for run in range(self.runs):
            self.say(f"ours, run {run + 1} of {self.runs}")
            yield run

    def many(self, count: int, at_least: int = 1) -> int:
        """Return *count*, or less in a smoke test."""
        return max(at_least, round(count * self.scale))


def database(size: int) -> str:
    """Name of the filled database of *size* megabytes."""
    return f"bench-{size}"


def update_rows(opened: OpenSide, count: int, batch: int) -> Mapping[str, Any]:
    """Update so many rows, others and with other data at each turn.

    Raises:
        WrongResultError: The last of them does not have its new data.
    """
    answer: Mapping[str, Any] = opened.call(
        "update", count=count, turn=next(_turns), batch=batch
    )
    if not answer["isThere"]:
        msg = f"{opened.name}: an update was acknowledged and is not there"
        raise WrongResultError(msg)
    return answer
