"""docs/reliability-peers.md, from one run of the tests that try several systems.

    python3 build.py test tests/browser -k "original_defects or peers" \\
        --soak-count 200 --peers-report docs/reliability-peers.md
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.benchmarks.peers import PEERS
from tests.benchmarks.render import as_markdown

__all__ = ["Row", "peers_page"]


@dataclass(slots=True)
class Row:
    """One line of the table: a fault, and what became of one system.

    Attributes:
        fault: In a few words.
        engine: The browser and its version.
        peer: The system.
        rounds: How often it was tried.
        acknowledged: Writes that had returned.
        lost: How many of them were not there, or not as they were written.
        corrupt: Rounds after which SQLite could not read the database, or its
            `integrity_check` was not ok.
        silent: Rounds in which something was lost and nothing said so.
    """

    fault: str
    engine: str
    peer: str
    rounds: int = 0
    acknowledged: int = 0
    lost: int = 0
    corrupt: int = 0
    silent: int = 0


_HEADERS = (
    "fault",
    "browser",
    "system",
    "rounds",
    "acknowledged",
    "lost",
    "corrupt",
    "silent",
)

_METHOD = f"""
- **One run.** In each round all systems write at the same time, each into a database
  of its own, in pages of one browser; the fault hits all of them. Only where they
  share a quota each has a browser profile of its own.
- **Acknowledged** is a write whose awaited call has returned. **Lost** is one of them
  that is not there afterwards, or not as it was written.
- **Corrupt** counts rounds after which SQLite could not read the database, or
  `PRAGMA integrity_check` was not ok. **Silent** counts rounds in which something was
  lost and neither an error nor the status said so.
- **Original** is {PEERS["original"].title}, with its
  default interval of 5 s. "Saving after each write" awaits its own save path after
  each write, which it has no public way to ask for. **wa-sqlite** 1.0.0 runs on its
  `IDBBatchAtomicVFS`.
- **A changed byte** is one bit of one byte in whatever the system's IndexedDB holds,
  while it is closed. No system can have what is gone. Ours opens as the newest
  state that verifies, keeps what follows aside, and says so; the others read the
  byte as if it had been written.
""".strip()


def peers_page(rows: Sequence[Row], tests: Iterable[str], soak_count: int) -> str:
    """Return the page.

    Args:
        rows: Of every trial.
        tests: Names of the tests that ran.
        soak_count: As the run was told.
    """
    return "\n\n".join(_parts(rows, tests, soak_count)) + "\n"


def _parts(rows: Sequence[Row], tests: Iterable[str], soak_count: int) -> Iterator[str]:
    yield "# The same faults, three systems"
    yield (
        "Written by the tests themselves: `python3 build.py test "
        f'tests/browser -k "original_defects or peers" --soak-count {soak_count} '
        "--peers-report docs/reliability-peers.md`."
    )
    yield as_markdown(_HEADERS, [_cells(row) for row in rows])
    yield "## How it is counted"
    yield _METHOD
    yield "## The original's 30 defects"
    yield (
        "Each is a test of ours that passes, and beside it shows the original failing "
        "in the same browser."
    )
    yield as_markdown(("defect", "what a user expects"), sorted(set(_defects(tests))))


def _cells(row: Row) -> tuple[str, ...]:
    numbers = (row.rounds, row.acknowledged, row.lost, row.corrupt, row.silent)
    return (row.fault, row.engine, row.peer, *(f"{number:,}" for number in numbers))


def _defects(tests: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in tests:
        found = re.match(r"test_(d\d\d)_(\w+)", name)
        if found:
            yield found[1].upper(), found[2].replace("_", " ")
