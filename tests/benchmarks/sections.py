"""The tables of a run, in the order in which a person reads them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.benchmarks.against_original import ORIGINAL_HEADERS, against_original
from tests.benchmarks.cells import Cells
from tests.benchmarks.goals import GOAL_HEADERS, goals
from tests.benchmarks.own_table import OWN_HEADERS, own
from tests.benchmarks.peers import PEERS
from tests.benchmarks.results import PROMISES, Results
from tests.benchmarks.side_tables import (
    COMMIT_HEADERS,
    SIDE_HEADERS,
    SIXTEEN_HEADERS,
    by_side,
    by_test,
    by_trip,
    described,
    of_the_large,
)
from tests.benchmarks.start import START_HEADERS, started

__all__ = ["START_TITLE", "Section", "sections"]

START_TITLE = "Start"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a table, and what it needs said."""

    title: str
    headers: Cells
    lines: Sequence[Cells]
    words: str = ""


def sections(
    results: Results, peers: Sequence[str], sizes: Sequence[int]
) -> Iterator[Section]:
    """Yield those that there are numbers for."""
    for section in _all(results, peers, sizes):
        if section.lines:
            yield section


def _all(
    results: Results, peers: Sequence[str], sizes: Sequence[int]
) -> Iterator[Section]:
    yield Section("Goals", GOAL_HEADERS, list(goals(results, sizes)))
    yield Section(START_TITLE, START_HEADERS, list(started(results)))
    yield Section(
        "The 16 tests, by side",
        SIXTEEN_HEADERS,
        list(by_side(results)),
        "Strict modes run the first test only.",
    )
    headers, lines = by_test(results)
    words = "Medians in milliseconds, each test until it is durable."
    yield Section("The 16 tests", headers, lines, words)
    headers, lines = by_trip(results)
    words = "Medians in milliseconds, each awaited until it is durable."
    yield Section("The 12 round trips", headers, lines, words)
    yield Section("A database of 100 MB", COMMIT_HEADERS, list(of_the_large(results)))
    for name in peers:
        if PEERS[name].is_original:
            lines = list(against_original(results, name, sizes))
            title = f"Against {PEERS[name].title}"
            yield Section(title, ORIGINAL_HEADERS, lines)
    yield Section("Ours alone", OWN_HEADERS, list(own(results)))
    failures = [(side, part, why) for (part, side), why in results.failures.items()]
    words = "A peer that failed takes no further part in it."
    yield Section("Failures", ("side", "at", "its error"), failures, words)
    if peers:
        yield Section("The sides", SIDE_HEADERS, list(described(peers)))
    promises = list(PROMISES.items())
    words = "What holds when the awaited call has returned."
    yield Section("Durability classes", ("class", "promise"), promises, words)
