"""How the sides stand in one measure: who is best, of those it is fair to ask."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.benchmarks.peers import OURS, PEERS, Peer
from tests.benchmarks.results import Key, Results, Summary

__all__ = ["Standing", "best", "standings"]

# What has this when a call returns survives the death of the tab, or as good as.
_DURABLE = ("stored", "accepted", "commit", "strict")


@dataclass(frozen=True, slots=True)
class Standing:
    """One side's number, and what it promises.

    Attributes:
        name: Of the side.
        storage: ``IndexedDB``, ``OPFS``, ``memory`` or ``disk``.
        promise: One of `results.PROMISES`.
        is_relaxed: True for the side's first mode.
        summary: Of its runs.
    """

    name: str
    storage: str
    promise: str
    is_relaxed: bool
    summary: Summary

    @property
    def is_ours(self) -> bool:
        """True for the system that this project is."""
        return self.name == OURS.name

    @property
    def is_durable_peer(self) -> bool:
        """True for what ours is held against."""
        is_peer = self.name in PEERS
        return is_peer and self.storage != "memory" and self.promise in _DURABLE


def standings(results: Results, measure: str, size: int = 0) -> Sequence[Standing]:
    """Return each side in each of its modes that has a number, ours first."""
    found = list(_all(results, measure, size))
    summary = results.find(Key(measure, "native", "commit", size))
    if summary is not None:
        found.append(Standing("native", "disk", "commit", True, summary))
    return found


def best(
    results: Results, measure: str, size: int = 0, storage: str = ""
) -> Standing | None:
    """Return the peer with the lowest median, or None if none was measured.

    What is gone with its tab, or not durable when it says so, is left out.
    """
    fair = [
        standing
        for standing in standings(results, measure, size)
        if standing.is_durable_peer and storage in ("", standing.storage)
    ]
    return min(fair, key=lambda standing: standing.summary.median, default=None)


def _all(results: Results, measure: str, size: int) -> Iterator[Standing]:
    for side in (OURS, *PEERS.values()):
        for mode in side.modes:
            summary = results.find(Key(measure, side.name, mode.promise, size))
            if summary is not None:
                yield _standing(side, mode.promise, summary)


def _standing(side: Peer, promise: str, summary: Summary) -> Standing:
    is_relaxed = promise == side.modes[0].promise
    return Standing(side.name, side.storage, promise, is_relaxed, summary)
