"""What tests of reliability have tried and seen, a row for each.

`--reliability-report FILE` appends the rows to FILE, one JSON object a line, and
leaves out the tests that record none. `build.py soak --write-docs` makes
docs/reliability.md of them.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["SIMULATED", "Row", "read_rows", "write_rows"]

SIMULATED = "simulation"
"""The engine of what happens in no browser; its faults are whole histories."""


@dataclass(slots=True)
class Row:
    """One line of the table; a test counts in it while it runs.

    Attributes:
        what: The fault, in a few words.
        engine: What it happened in: a browser with its version, or none.
        mode: The durability promised, if the test is about one.
        peer: Whose storage had to bear it.
        faults: How often it was tried.
        survived: After how many of them everything was checked and found right.
        acknowledged: Writes that were acknowledged before a fault.
        lost: How many of those that durability promises were not there.
        note: What else was seen.
        command: Repeats it.
    """

    what: str
    engine: str = ""
    mode: str = ""
    peer: str = "ours"
    faults: int = 0
    survived: int = 0
    acknowledged: int = 0
    lost: int = 0
    note: str = ""
    command: str = ""


def write_rows(path: Path, rows: list[Row]) -> None:
    """Append *rows* to the report at *path*."""
    with path.open("a", encoding="utf-8") as report:
        report.writelines(f"{json.dumps(asdict(row))}\n" for row in rows)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of the report at *path*, in order."""
    return [Row(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
