"""Tables with all sides: the 16 tests, the round trips, a database of 100 MB."""

from collections.abc import Iterator, Sequence

from tests.benchmarks.cells import Cells, number, shown
from tests.benchmarks.peers import OURS, PEERS
from tests.benchmarks.plan import REFERENCE_SIZE
from tests.benchmarks.results import Key, Results, Summary
from tests.benchmarks.sixteen import TITLES
from tests.benchmarks.standings import Standing, standings

__all__ = [
    "COMMIT_HEADERS",
    "SIDE_HEADERS",
    "SIXTEEN_HEADERS",
    "by_side",
    "by_test",
    "by_trip",
    "described",
    "of_the_large",
]

SIDE_HEADERS = ("side", "what it is")
SIXTEEN_HEADERS = (
    "side",
    "storage",
    "class",
    "one of the first 200 commits",
    "test 1: 1,000 commits",
    "sum of 16",
    "MB written",
    "peak memory, MB",
    "speedtest1",
)
COMMIT_HEADERS = (
    "side",
    "storage",
    "class",
    "one-row update",
    "bytes written",
    "open, engine running",
    "insert 20,000 rows, durable",
    "2,000 selects by key",
)


def by_side(results: Results) -> Iterator[Cells]:
    """Yield how each side did the 16, below `SIXTEEN_HEADERS`."""
    for standing in standings(results, "test 1"):
        find = _Finder(results, standing)
        yield (
            standing.name,
            standing.storage,
            standing.promise,
            _cell(find("first commits"), "ms"),
            shown(standing.summary, "ms"),
            _cell(find("sum of 16"), "ms"),
            _megabytes(find("bytes of 16")),
            _megabytes(find("peak of 16")),
            _cell(find("speedtest1"), "ms"),
        )


def by_test(results: Results) -> tuple[Cells, Sequence[Cells]]:
    """Return the headers and a line per test: the median of each side, in ms."""
    sides = [s for s in standings(results, "sum of 16") if s.is_relaxed]
    if not sides:
        return _headers("test", []), []
    lines = []
    for count, title in enumerate(TITLES, 1):
        cells = (_median(_Finder(results, side)(f"test {count}")) for side in sides)
        lines.append((f"{count}. {title}", *cells))
    sums = (number(side.summary.median) for side in sides)
    return _headers("test", sides), [*lines, ("sum", *sums)]


def by_trip(results: Results) -> tuple[Cells, Sequence[Cells]]:
    """Return the headers and a line per round trip: the median of each side, in ms."""
    measures = dict.fromkeys(
        key.measure for key in results if key.measure.startswith("trip: ")
    )
    if not measures:
        return _headers("round trip", []), []
    sides = [s for s in standings(results, next(iter(measures))) if s.is_relaxed]
    lines = [
        (
            measure.removeprefix("trip: "),
            *(_median(_Finder(results, side)(measure)) for side in sides),
        )
        for measure in measures
    ]
    return _headers("round trip", sides), lines


def of_the_large(results: Results) -> Iterator[Cells]:
    """Yield how each side does with a large database, below `COMMIT_HEADERS`."""
    for standing in standings(results, "update", REFERENCE_SIZE):
        find = _Finder(results, standing)
        opened = None
        if standing.is_relaxed:
            key = Key("warm open", standing.name, "read", REFERENCE_SIZE)
            opened = results.find(key)
        selects = results.find(Key("select", standing.name, "read"))
        yield (
            standing.name,
            standing.storage,
            standing.promise,
            shown(standing.summary, "ms"),
            _cell(find("bytes written", REFERENCE_SIZE), ""),
            _cell(opened, "ms"),
            _cell(find("insert, durable"), "ms"),
            _cell(selects if standing.is_relaxed else None, "ms"),
        )


def described(names: Sequence[str]) -> Iterator[Cells]:
    """Yield what each side of *names* is, below `SIDE_HEADERS`."""
    for side in (OURS, *PEERS.values()):
        if side.is_ours or side.name in names:
            yield side.name, side.title


class _Finder:
    """Numbers of one side in one mode."""

    def __init__(self, results: Results, standing: Standing) -> None:
        self._results, self._standing = results, standing

    def __call__(self, measure: str, size: int = 0) -> Summary | None:
        standing = self._standing
        return self._results.find(Key(measure, standing.name, standing.promise, size))


def _headers(first: str, sides: Sequence[Standing]) -> Cells:
    return first, *(f"{side.name} ({side.promise})" for side in sides)


def _cell(summary: Summary | None, unit: str) -> str:
    return "" if summary is None else shown(summary, unit)


def _median(summary: Summary | None) -> str:
    return "" if summary is None else number(summary.median)


def _megabytes(summary: Summary | None) -> str:
    return "" if summary is None else number(summary.median / 1_000_000)
