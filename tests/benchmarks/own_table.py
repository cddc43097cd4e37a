"""What has no counterpart: the numbers that only ours has."""

from collections.abc import Iterator

from tests.benchmarks.cells import Cells, shown
from tests.benchmarks.results import Key, Results

__all__ = ["OWN_HEADERS", "own"]

OWN_HEADERS = ("what", "MB", "ours", "class")

_LINES = (
    ("update on end with checkpoints", "sustained update", "ms", "commit"),
    ("bytes to IndexedDB for each", "sustained bytes", "bytes", "commit"),
    ("append an event to a conversation", "append an event", "ms", "commit"),
    ("load a conversation of 50 events", "load a conversation", "ms", "read"),
    ("search 20,000 events, common words", "search, common words", "ms", "read"),
    ("search 20,000 events, a rare word", "search, a rare word", "ms", "read"),
    ("store messages in a second", "messages a second", "", "batched"),
    ("search 100,000 messages, median", "search, median", "ms", "read"),
    ("search 100,000 messages, 95 of 100", "search, p95", "ms", "read"),
    ("call from a page and its answer", "round trip", "ms", "read"),
    ("one-row update, awaited in a page", "update from a page", "ms", "commit"),
    ("select by key, awaited in a page", "select from a page", "ms", "read"),
    ("export to a page", "export", "ms", "read"),
    ("import from a page, durable", "import", "ms", "commit"),
    ("peak memory of both, per byte", "peak of export and import", "", "read"),
    ("writes of 8 tabs in a second", "writes of 8 tabs a second", "", "commit"),
    ("slowest answer to one of 8 tabs", "slowest answer to 8 tabs", "ms", "commit"),
    ("memory of the empty runtime", "empty runtime", "bytes", "read"),
)


def own(results: Results) -> Iterator[Cells]:
    """Yield a line per number, below `OWN_HEADERS`."""
    for title, measure, unit, promise in _LINES:
        size = next((key.size for key in results if key.measure == measure), 0)
        found = results.find(Key(measure, "ours", promise, size))
        if found is not None:
            yield title, str(size or ""), shown(found, unit), promise
