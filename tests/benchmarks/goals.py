"""What is aimed at, and whether it was reached; each against the best there is."""

from collections.abc import Iterator, Sequence

from tests.benchmarks.cells import Cells, number, said, shown
from tests.benchmarks.plan import REFERENCE_SIZE
from tests.benchmarks.results import Key, Results, Summary
from tests.benchmarks.standings import Standing, best

__all__ = ["GOAL_HEADERS", "goals"]

GOAL_HEADERS = ("goal", "ours", "held against", "times", "target")

# The cost of an update may differ so much between a small and the largest.
_FLAT = 0.25
_SMALL = 10
_OPEN_MB_PER_SECOND = 200
_ROUND_TRIP_MS = 0.5
_SEARCH_MS = 10


def goals(results: Results, sizes: Sequence[int]) -> Iterator[Cells]:
    """Yield a line per goal that there are numbers for, below `GOAL_HEADERS`."""
    yield from _statements(results)
    yield from _updates(results, sizes)
    yield from _alone(results, sizes)


def _statements(results: Results) -> Iterator[Cells]:
    commits = results.find(Key("test 1", "ours", "commit"))
    if commits is not None:
        title = "1,000 commits, each durable (test 1)"
        peer = best(results, "test 1", storage="IndexedDB")
        yield from _faster(f"{title}, against IndexedDB", commits, peer, 2)
        peer = best(results, "test 1", storage="OPFS")
        yield from _faster(f"{title}, against OPFS", commits, peer, 1)
    total = results.find(Key("sum of 16", "ours", "commit"))
    if total is not None:
        yield from _faster("sum of the 16 tests", total, best(results, "sum of 16"), 1)


def _updates(results: Results, sizes: Sequence[int]) -> Iterator[Cells]:
    update = results.find(Key("update", "ours", "commit", REFERENCE_SIZE))
    if update is not None:
        title = f"one-row update, durable, at {REFERENCE_SIZE} MB"
        key = Key("update", "original", "stored", REFERENCE_SIZE)
        original = results.find(key)
        if original is not None:
            standing = Standing("original", "IndexedDB", "stored", True, original)
            yield from _faster(title, update, standing, 300)
        peer = best(results, "update", REFERENCE_SIZE)
        if peer is not None and peer.name != "original":
            yield from _faster(title, update, peer, 3)
    yield from _flat(results, sizes)


def _flat(results: Results, sizes: Sequence[int]) -> Iterator[Cells]:
    measured = [size for size in sizes if size >= _SMALL]
    if len(measured) < 2:
        return
    small, large = min(measured), max(measured)
    for measure, word, unit in (
        ("update", "time", "ms"),
        ("bytes written", "bytes", "bytes"),
    ):
        first = results.find(Key(measure, "ours", "commit", small))
        last = results.find(Key(measure, "ours", "commit", large))
        if first is None or last is None:
            continue
        ratio = last.median / first.median
        yield (
            f"{word} of an update at {large} MB",
            shown(last, unit),
            f"at {small} MB: {shown(first, unit)}",
            f"{ratio:.2f}",
            said("within 25 %", abs(ratio - 1) <= _FLAT),
        )


def _alone(results: Results, sizes: Sequence[int]) -> Iterator[Cells]:
    for size in sizes:
        opened = results.find(Key("warm open", "ours", "read", size))
        described = results.find(Key("database size", "ours", "read", size))
        if opened is None or described is None or size < REFERENCE_SIZE:
            continue
        speed = described.median / 1000 / opened.median
        words = f"at least {_OPEN_MB_PER_SECOND} MB/s"
        verdict = said(words, speed >= _OPEN_MB_PER_SECOND)
        title = f"opening {size} MB, to the first query"
        yield title, shown(opened, "ms"), f"{number(speed)} MB/s", "", verdict
    for title, measure, limit in (
        ("call from a page and its answer", "round trip", _ROUND_TRIP_MS),
        ("search in 100,000 messages, 95 of 100", "search, p95", _SEARCH_MS),
    ):
        found = results.find(Key(measure, "ours", "read"))
        if found is not None:
            verdict = said(f"at most {limit} ms", found.median <= limit)
            yield title, shown(found, "ms"), "", "", verdict


def _faster(
    title: str, ours: Summary, peer: Standing | None, times: float
) -> Iterator[Cells]:
    if peer is None:
        return
    ratio = peer.summary.median / ours.median
    yield (
        title,
        shown(ours, "ms"),
        f"{peer.name} ({peer.promise}): {shown(peer.summary, 'ms')}",
        f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2f}",
        said(f"at least {times} x", ratio >= times),
    )
