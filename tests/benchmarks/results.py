"""What was measured: numbers by what they are of, and what they promise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["PROMISES", "Key", "Results", "Summary"]

PROMISES = {
    "memory": "committed in memory; durable when the adapter's timer saves "
    "(5 s by default), and at the earliest when that is done",
    "stored": "the whole file was accepted by IndexedDB (request success, relaxed "
    "durability): survives a crash of the tab or browser, not a power loss",
    "accepted": "IndexedDB has accepted the requests (relaxed durability), its "
    "transaction is not complete: what was acknowledged last may be lost in a crash",
    "batched": "committed; made durable (relaxed) by itself, soon after",
    "commit": "durable (relaxed): IndexedDB's transaction is complete, or the file in "
    "OPFS is written; survives a crash of the tab or browser, not a power loss",
    "strict": "durable (strict): IndexedDB's strict transaction is complete, or the "
    "file in OPFS is flushed; survives a power loss too, as far as the browser "
    "honours it",
    "lost": "in memory only: gone with the tab",
    "read": "nothing is written",
}
"""Durability classes: what holds when the awaited call has returned."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a number is of.

    Attributes:
        measure: Such as ``update``.
        side: ``ours``, the name of a peer, or ``native``.
        promise: One of `PROMISES`.
        size: Of the database, in megabytes; 0 where it does not matter.
    """

    measure: str
    side: str
    promise: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """Several runs in three numbers."""

    median: float
    low: float
    high: float
    runs: int


class Results:
    """Numbers by key, in the order in which they came."""

    def __init__(self) -> None:
        self._numbers: dict[Key, list[float]] = {}
        self.failures: dict[tuple[str, str], str] = {}
        """Why a side has no numbers of a part: its error, by part and side."""

    def add(self, key: Key, number: float) -> None:
        """Note the number of one run."""
        self._numbers.setdefault(key, []).append(number)

    def numbers(self, key: Key) -> Sequence[float]:
        """Return the number of each run."""
        return tuple(self._numbers.get(key, ()))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._numbers)

    def find(self, key: Key) -> Summary | None:
        """Return the runs of *key* in short, or None if there were none."""
        numbers = self._numbers.get(key)
        if not numbers:
            return None
        return Summary(median(numbers), min(numbers), max(numbers), len(numbers))
