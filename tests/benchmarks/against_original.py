"""Ours and the original side by side, on what both do for their users."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.benchmarks.cells import Cells, said, shown
from tests.benchmarks.plan import REFERENCE_SIZE
from tests.benchmarks.results import Key, Results, Summary

__all__ = ["ORIGINAL_HEADERS", "against_original"]

ORIGINAL_HEADERS = (
    "what",
    "MB",
    "ours",
    "class",
    "original",
    "class",
    "times",
    "target",
)


@dataclass(frozen=True, slots=True)
class _Target:
    """Words for the table, and whether our number meets them.

    One of the two is given: how many times better than the original, or how much
    at most.
    """

    words: str
    times: float | None = None
    limit: float | None = None

    def is_met(self, ours: Summary, theirs: Summary | None) -> bool | None:
        """Return None if there is nothing to compare with."""
        if self.limit is not None:
            return ours.median <= self.limit
        if self.times is None or theirs is None:
            return None
        return theirs.median >= self.times * ours.median


@dataclass(frozen=True, slots=True)
class _Line:
    """One comparison: the same work, and what each side's number promises."""

    title: str
    measure: str
    unit: str
    ours: str
    theirs: str
    target: _Target | None = None


_AT_LEAST_AS_FAST = _Target("at least 1 x", times=1)

_UPDATE_LINES = (
    _Line("one-row update, durable", "update", "ms", "commit", "stored"),
    _Line("one-row update, strictly durable", "update", "ms", "strict", "stored"),
    _Line("bytes to IndexedDB for it", "bytes written", "bytes", "commit", "stored"),
)

_REFERENCE_TARGETS = {
    ("update", "commit"): _Target("at least 300 x", times=300),
    ("bytes written", "commit"): _Target("at most 32 KiB", limit=32 * 1024),
}

_SMALL_LINES = (
    _Line(
        "insert 20,000 rows, one transaction",
        "insert",
        "ms",
        "commit",
        "memory",
        _AT_LEAST_AS_FAST,
    ),
    _Line("the same, durable", "insert, durable", "ms", "commit", "stored"),
    _Line("2,000 selects by key", "select", "ms", "read", "read", _AT_LEAST_AS_FAST),
)

_NO_MORE_MEMORY = _Target("at most 1.6", limit=1.6)

_REFERENCE_LINES = (
    _Line(
        "reopen to first query, engine running",
        "warm open",
        "ms",
        "read",
        "read",
        _AT_LEAST_AS_FAST,
    ),
    _Line(
        "the same after thousands of updates",
        "warm open, after updates",
        "ms",
        "read",
        "read",
    ),
    _Line("reopen with start of the engine", "cold open", "ms", "read", "read"),
    _Line(
        "memory per byte of database, open",
        "memory",
        "",
        "read",
        "read",
        _NO_MORE_MEMORY,
    ),
    _Line(
        "the same after 3 updates",
        "memory, after updates",
        "",
        "commit",
        "stored",
        _NO_MORE_MEMORY,
    ),
    _Line(
        "the same, all of the browser",
        "memory, after updates, browser",
        "",
        "commit",
        "stored",
    ),
)


def against_original(
    results: Results, peer: str, sizes: Sequence[int]
) -> Iterator[Cells]:
    """Yield a line per comparison with *peer* that there are numbers for."""
    for size, line in _lines(sizes):
        ours = results.find(Key(line.measure, "ours", line.ours, size))
        theirs = results.find(Key(line.measure, peer, line.theirs, size))
        if ours is None:
            continue
        yield (
            line.title,
            str(size or ""),
            shown(ours, line.unit),
            line.ours,
            shown(theirs, line.unit) if theirs else "-",
            line.theirs if theirs else "",
            _times(ours, theirs),
            _verdict(line, ours, theirs),
        )


def _lines(sizes: Sequence[int]) -> Iterator[tuple[int, _Line]]:
    for size in sizes:
        for line in _UPDATE_LINES:
            target = None
            if size == REFERENCE_SIZE:
                target = _REFERENCE_TARGETS.get((line.measure, line.ours))
            yield (
                size,
                _Line(
                    line.title, line.measure, line.unit, line.ours, line.theirs, target
                ),
            )
    for line in _SMALL_LINES:
        yield 0, line
    for line in _REFERENCE_LINES:
        yield REFERENCE_SIZE, line


def _verdict(line: _Line, ours: Summary, theirs: Summary | None) -> str:
    if line.target is None:
        return ""
    return said(line.target.words, line.target.is_met(ours, theirs))


def _times(ours: Summary, theirs: Summary | None) -> str:
    if theirs is None or ours.median <= 0:
        return ""
    ratio = theirs.median / ours.median
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2f}"
