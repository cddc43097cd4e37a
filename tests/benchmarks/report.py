"""The results as lines of a table, and what of the targets was met."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.benchmarks.results import Key, Results, Summary
from tests.benchmarks.runs import REFERENCE_SIZE

__all__ = [
    "HEADERS",
    "Cells",
    "compared",
    "compared_at_most",
    "flatness",
    "missed",
    "own",
    "shown",
]

HEADERS = (
    "what",
    "MB",
    "ours",
    "class",
    "original",
    "class",
    "times",
    "target",
)

Cells = tuple[str, ...]


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
        "batched",
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

_OWN = (
    ("update on end with checkpoints", "sustained update", "ms", "commit"),
    ("bytes to IndexedDB for each", "sustained bytes", "bytes", "commit"),
    ("append an event to a conversation", "append an event", "ms", "commit"),
    ("load a conversation of 50 events", "load a conversation", "ms", "read"),
    ("search 20,000 events, common words", "search, common words", "ms", "read"),
    ("search 20,000 events, a rare word", "search, a rare word", "ms", "read"),
    ("one-row update, awaited in a page", "update from a page", "ms", "commit"),
    ("select by key, awaited in a page", "select from a page", "ms", "read"),
    ("memory of the empty runtime", "empty runtime", "bytes", "read"),
)

# The cost of an update may differ so much between the smallest and the largest.
_FLAT = 0.25


def compared(results: Results, peer: str, sizes: Sequence[int]) -> Iterator[Cells]:
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


def own(results: Results) -> Iterator[Cells]:
    """Yield a line per number of ours that has no counterpart."""
    for title, measure, unit, promise in _OWN:
        size = next((k.size for k in results if k.measure == measure), 0)
        found = results.find(Key(measure, "ours", promise, size))
        if found is not None:
            yield (title, str(size or ""), shown(found, unit), promise)


def flatness(results: Results, sizes: Sequence[int]) -> Iterator[Cells]:
    """Yield how the cost of an update changes from the smallest to the largest."""
    small, large = min(sizes), max(sizes)
    for measure, title in (("update", "time"), ("bytes written", "bytes")):
        first = results.find(Key(measure, "ours", "commit", small))
        last = results.find(Key(measure, "ours", "commit", large))
        if small == large or first is None or last is None:
            continue
        ratio = last.median / first.median
        verdict = _said("within 25 %", abs(ratio - 1) <= _FLAT)
        yield (
            f"{title} of an update, {large} MB against {small} MB",
            f"{ratio:.2f} x",
            verdict,
        )


def missed(lines: Sequence[Cells]) -> list[str]:
    """Return the titles of *lines* whose last cell is a target that was missed."""
    return [line[0] for line in lines if line[-1].endswith("MISSED")]


def shown(summary: Summary, unit: str) -> str:
    """Return *summary* as ``median unit (lowest … highest)``."""
    texts = [_number(x) for x in (summary.median, summary.low, summary.high)]
    word = f" {unit}" if unit else ""
    return f"{texts[0]}{word} ({texts[1]} … {texts[2]})"


def compared_at_most(words: str, number: float, limit: float) -> str:
    """Return *words*, and whether *number* is within *limit*."""
    return _said(words, number <= limit)


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
    return _said(line.target.words, line.target.is_met(ours, theirs))


def _said(words: str, is_met: bool | None) -> str:
    if is_met is None:
        return words
    return f"{words}: {'met' if is_met else 'MISSED'}"


def _times(ours: Summary, theirs: Summary | None) -> str:
    if theirs is None or ours.median <= 0:
        return ""
    ratio = theirs.median / ours.median
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2f}"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
