"""docs/performance.md, from one run."""

from collections.abc import Iterator, Mapping, Sequence

from tests.benchmarks.peers import PEERS
from tests.benchmarks.render import as_markdown
from tests.benchmarks.report import HEADERS, compared, flatness, own
from tests.benchmarks.results import PROMISES, Results
from tests.benchmarks.start import START_HEADERS, started

__all__ = ["performance_page", "with_start"]

_START = "## Start"

_METHOD = """
## How each number is taken

- **Same work.** Both sides run the same SQL on the same rows: the original's table
  `conversation_events` with its two indexes, rows of 200 to 1,000 bytes.
- **Same place.** One headless Chromium on an empty profile. The original runs in a
  page, as its users run it; its adapter is the released file, bundled but not
  changed. Ours is Python in the host's worker, and all times are taken in Python.
  Each run has a new page and runtime; the sides take turns.
- **Durable.** The original's `run` promises nothing durable and has no public flush.
  Its own save path, which its timer uses, is called and awaited; the timer is off, so
  that it never works at the same time. It resolves when the request succeeds,
  before the transaction is complete; ours waits for the transaction.
- **An update** is awaited before the next begins. The number of a run is the median
  within it: of 2 or 3 updates of the original after one to warm up, of 300 of ours
  in groups of 10 after 100 to warm up (the first take twice as long, until the
  browser has compiled Python's interpreter).
- **Bytes to IndexedDB** are what `add` and `put` were given, counted at IndexedDB's
  door on both sides. Ours writes a checkpoint when its log has grown by a quarter of
  the database; the lines "with checkpoints" contain that, at its worst: updates
  spread over the whole database.
- **Reopening** is a new page on stored data, engine already downloaded, to the first
  query. "Engine running" starts the clock when SQLite (and Python) runs, "with start
  of the engine" before it is loaded. After updates our log has a record for each.
- **Start** is served by a service worker from its cache, warm. Plain Pyodide is
  npm's files, `loadPyodide`, `import sqlite3` and a query on an empty database in
  memory. Ours starts at the page: host, lock, Python, engine, the stored database
  and its migrations, and the answer back in the page. The paint is of the Workbench
  with one conversation, from the start of the navigation.
- **Memory** is the proportional set size that Linux counts for the browser's
  renderer processes, above that of the same page with an empty database, after a
  garbage collection, divided by the size of the database.
""".strip()


def performance_page(
    results: Results,
    about: Mapping[str, object],
    peers: Sequence[str],
    sizes: Sequence[int],
) -> str:
    """Return the page; only ratios are meant to be compared between machines."""
    return "\n\n".join(_parts(results, about, peers, sizes)) + "\n"


def with_start(page: str, results: Results, about: Mapping[str, object]) -> str:
    """Return *page* with what it says of the start replaced."""
    before, _, rest = page.partition(f"{_START}\n")
    after = rest[rest.index("\n## ") + 1 :]
    return f"{before}{_start(results, about)}\n\n{after}"


def _start(results: Results, about: Mapping[str, object]) -> str:
    table = as_markdown(START_HEADERS, list(started(results)))
    return (
        f"{_START}\n\nMeasured by `python3 build.py bench --only-start --write-docs` "
        f"on {about['date']}: {about['start runs']} runs, median load "
        f"{about['load']}.\n\n{table}"
    )


def _parts(
    results: Results,
    about: Mapping[str, object],
    peers: Sequence[str],
    sizes: Sequence[int],
) -> Iterator[str]:
    yield "# Performance"
    yield (
        f"Measured by `python3 build.py bench --write-docs` on {about['date']}: "
        f"Chromium {about['chromium']}, {about['machine']}, {about['runs']} runs, "
        f"median load {about['load']} (the benchmark alone makes about 1.5). "
        "Each number is the median of the runs (lowest … highest); absolute times "
        "are those of one small machine, ratios are what to read."
    )
    for peer in peers:
        yield f"## Against {PEERS[peer].title}"
        yield as_markdown(HEADERS, list(compared(results, peer, sizes)))
    yield _start(results, about)
    flat = list(flatness(results, sizes))
    if flat:
        yield "## Cost and size"
        yield as_markdown(("what", "ours", "target"), flat)
    yield "## Ours alone"
    yield as_markdown(("what", "MB", "ours", "class"), list(own(results)))
    yield "## Durability classes"
    yield "What holds when the awaited call has returned."
    yield as_markdown(("class", "promise"), [(k, v) for k, v in PROMISES.items()])
    yield _METHOD
