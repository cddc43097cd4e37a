"""docs/performance.md and its plot, from one run."""

from collections.abc import Iterator, Mapping, Sequence

from tests.benchmarks.plot import plot
from tests.benchmarks.render import as_markdown
from tests.benchmarks.results import Results
from tests.benchmarks.sections import START_TITLE, Section, sections
from tests.benchmarks.start import START_HEADERS, started
from tools.project import ROOT

__all__ = ["performance_page", "with_start", "write_page", "write_start"]

_PAGE = ROOT / "docs" / "performance.md"
_PLOT = ROOT / "docs" / "performance.svg"

_METHOD = """
## How each number is taken

- **Same work.** All sides run the same SQL on the same rows, made from one seed. The
  16 tests and the 12 round trips are those that wa-sqlite and PGlite publish, their
  statements generated anew. After each of the 16 the counts and sums of every table
  are compared with what CPython's SQLite makes of it, after the others the rows that
  were written are read back. A peer that differs, or fails, takes no further part and
  is listed with its error; if ours does, the run ends.
- **Same place.** One headless Chromium on an empty profile, a new page, runtime and
  database for each run; the sides take turns. The original runs in a page, as its
  users run it, its adapter the released file, bundled but not changed. Every other
  peer has a dedicated worker to itself, and is called there. Ours is Python in the
  host's worker, and its times are taken in Python.
- **Each at its best.** wa-sqlite's asynchronous file systems run with JavaScript
  Promise Integration where the package has such a build, the others synchronously.
  Of the modes that survive the death of the tab the fastest is the one compared.
  As ours, the peers lock their database exclusively, where that keeps what they
  promise: most commit twice as fast, and no second tab can have the database then.
  SQLite's temporary files stay in memory.
  The newest file systems of wa-sqlite are on npm only in the fork that its main user
  publishes; its own last release there has one for IndexedDB.
- **Durable.** The original's `run` promises nothing durable and has no public flush.
  Its own save path, which its timer uses, is called and awaited; the timer is off, so
  that it never works at the same time. It resolves when the request succeeds, before
  the transaction is complete; ours waits for the transaction. In test 1 each INSERT
  is awaited, and durable, before the next; each other test is one script, and then
  made durable. Who takes longest runs less often: wa-sqlite's IDBBatchAtomicVFS 3
  times, PGlite without `relaxedDurability` once and the round trips only, because it
  writes 28 MB for each commit.
- **Warm.** Before the 16 tests every side makes 200 commits in a table of its own and
  the round trips (PGlite without `relaxedDurability` 10 of each): a host lives long,
  and a browser compiles what runs often. What those first commits take is a column of
  its own.
- **speedtest1** is SQLite's own benchmark at a twentieth of its default size, from
  Debian's source package, written as a script and run test by test, each until it is
  durable.
- **Round trips** are awaited one after the other, 100 of each; the fastest and the
  slowest tenth are left out, and the mean of the rest is the number of a run.
- **An update** is awaited before the next begins. The number of a run is the median
  within it: of 2 or 3 updates of the original after one to warm up, of 100 of the
  other peers in groups of 5 after 10, of 1,000 of ours in groups of 10 after 300 to
  warm up (the first take twice as long, until the browser has compiled Python's
  interpreter).
- **Commits against OPFS.** A commit of ours is one transaction of IndexedDB, which by
  itself takes 0.4 to 0.7 ms in Chromium; OPFSWriteAheadVFS writes to a file and does
  not flush it, in 0.01 to 0.05 ms. That is why the targets against it are missed. The
  log stays in IndexedDB because a shared worker, which all tabs use, has no OPFS, and
  because a page that is being closed can still write to it.
- **Bytes written** are what IndexedDB's `add` and `put` were given, and OPFS's
  `write`, counted at their doors on all sides. Ours writes a checkpoint when its log
  has grown by a quarter of the database; the lines "with checkpoints" contain that,
  at its worst: updates spread over the whole database.
- **Opening** is a new page on stored data, engine already downloaded, to the first
  query. "Engine running" starts the clock when SQLite (and Python) runs, "with start
  of the engine" before it is loaded. After updates our log has a record for each.
- **Search** is over 100,000 messages of 5 to 60 made-up words, as frequent as Zipf's
  law has them; 200 queries of one or two words in each run, 20 hits each, timed in
  Python. The hits of 20 queries are compared with a search by hand.
- **Eight tabs** each add one to a row of their own, as fast as it goes, through the
  one host, each step durable; the rows must add up to what was acknowledged.
- **Start** is served by a service worker from its cache, warm. Plain Pyodide is
  npm's files, `loadPyodide`, `import sqlite3` and a query on an empty database in
  memory. Ours starts at the page: host, lock, Python, engine, the stored database
  and its migrations, and the answer back in the page. The paint is of the Workbench
  with one conversation, from the start of the navigation.
- **Memory** is the proportional set size that Linux counts for the browser's
  renderer processes, above that of the same page with an empty database, after a
  garbage collection, divided by the size of the database. **Peak memory** is the most
  that the process of the page and its workers held during the run, the browser's own
  code included; what the browser keeps for IndexedDB is in another process.
- **Native** is CPython's `sqlite3` on this machine's disk, in WAL mode with
  `synchronous = NORMAL`: no peer, but what is left to gain.
""".strip()


def write_page(
    results: Results,
    about: Mapping[str, object],
    peers: Sequence[str],
    sizes: Sequence[int],
) -> None:
    """Write both files."""
    _PAGE.parent.mkdir(exist_ok=True)
    _PAGE.write_text(performance_page(results, about, peers, sizes), "utf-8")
    _PLOT.write_text(plot(results), "utf-8")


def write_start(results: Results, about: Mapping[str, object]) -> None:
    """Replace what the page says of the start."""
    page = with_start(_PAGE.read_text("utf-8"), results, about)
    _PAGE.write_text(page, "utf-8")


def performance_page(
    results: Results,
    about: Mapping[str, object],
    peers: Sequence[str],
    sizes: Sequence[int],
) -> str:
    """Return the page; only ratios are meant to be compared between machines."""
    return "\n\n".join(_parts(results, about, peers, sizes)) + "\n"


def with_start(page: str, results: Results, about: Mapping[str, object]) -> str:
    """Return *page* with its section on the start replaced, or one more."""
    section = (
        f"{_section(Section(START_TITLE, START_HEADERS, list(started(results))))}\n\n"
        f"Measured by `python3 build.py bench --only start --write-docs` on "
        f"{about['date']}: {about['start runs']} runs, median load {about['load']}.\n\n"
    )
    heading = f"## {START_TITLE}\n"
    before, found, rest = page.partition(heading)
    if not found:
        before, _, rest = page.partition("\n## ")
        return f"{before}\n{section}## {rest}"
    after = rest[rest.index("\n## ") + 1 :]
    return f"{before}{section}{after}"


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
        "are those of one small machine, ratios are what to read. A target that is "
        "missed says so, and the number beside it by how much."
    )
    yield (
        f"![Times of ours and of each peer, shorter is better]({_PLOT.name})\n\n"
        "The scale is logarithmic: each line of the grid is ten times the one before."
    )
    for section in sections(results, peers, sizes):
        yield _section(section)
    yield _METHOD


def _section(section: Section) -> str:
    words = f"{section.words}\n\n" if section.words else ""
    table = as_markdown(section.headers, section.lines)
    return f"## {section.title}\n\n{words}{table}"
