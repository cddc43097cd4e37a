"""Run what makes rows of the reliability report, and write docs/reliability.md.

    python3 build.py soak --write-docs
    python3 build.py soak --write-docs --soak-count 1000 --histories 1000000
    python3 build.py soak --write-docs --from rows.jsonl

The other arguments go to pytest, which leaves out the tests that record no row.
Without --from, their rows are new; with it, those of the file are all there are.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.render import as_markdown
from tests.reliability import SIMULATED, Row, read_rows
from tools.commands import say, status_of
from tools.project import ROOT, venv_python

_PAGE = ROOT / "docs" / "reliability.md"

_HEADERS = (
    "",
    "what happens",
    "whose storage",
    "in",
    "mode",
    "faults tried",
    "survived",
    "acknowledged writes",
    "lost",
    "seen",
)

_HEAD = """\
# Reliability

Written by `python3 build.py soak --write-docs` on {date}: {machine}. The browsers \
are real and are killed for real; the simulation kills its own, and cuts the power \
too. {sum}

*Survived*: after the fault everything was opened and checked, row by row, and was \
what some whole number of commits leaves. *Lost*: writes that were acknowledged as \
durable and were not there, or were there twice. In `batched` an acknowledged write is \
promised after the interval of 100 ms and its flush. What other systems bear under \
the same faults is in [reliability-peers.md](reliability-peers.md).
"""

_REPEAT = """\
## To repeat a row

More rounds make a larger `--soak-count`, more histories a larger `--histories`.
"""


_LIMITS = """\
## What a page cannot prevent

Chromium 156 writes on behind a torn record in its own log, and the start after next \
deletes all that the site has stored. A kill must hit the moment between two system \
calls of one write for that. `recovery.problems` in the status says afterwards that it \
has happened; only a backup brings the data back. A test tears that log on purpose:

```sh
python3 build.py test tests/browser/test_wiped_and_full.py -k silently_empty
```

Chromium 156 also deletes a store of which it finds two writing transactions half done \
(6 of 25 kills, when a page wrote to two stores of one database side by side). Ours \
never has two: the simulation does the same as Chromium, and would notice.

WebKitGTK 2.50 holds a store for a worker that died in mid-write, until the browser \
ends: 2 of 340 reloads of a page that did nothing but write (42 of 200 where it had \
called `commit()`, which ours does not). Nothing is lost; the next start says after 15 \
seconds that the browser has to be closed.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; return 1 if something was lost or a test failed."""
    options, rest = _parser().parse_known_args(arguments)
    status = 0
    with tempfile.TemporaryDirectory(prefix="pyodide-app-soak-") as scratch:
        rows = options.rows or Path(scratch, "rows.jsonl")
        if not options.rows:
            report = ["--reliability-report", rows]
            status = status_of([venv_python(), "-m", "pytest", *report, *rest])
        page = reliability_page(read_rows(rows))
    _PAGE.write_text(page, "utf-8")
    say(f"{_PAGE.relative_to(ROOT)} is written")
    return status


def reliability_page(rows: Sequence[Row]) -> str:
    """Return the document as Markdown."""
    today = datetime.now(UTC).date().isoformat()
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    ordered = sorted(rows, key=lambda row: (row.what, row.peer != "ours", row.peer))
    head = _HEAD.format(date=today, machine=machine, sum=_sum(rows))
    numbered = list(enumerate(ordered, start=1))
    table = as_markdown(_HEADERS, [(f"{n}", *_cells(row)) for n, row in numbered])
    commands = "\n".join(f"{row.command}  # {n}" for n, row in numbered)
    return f"{head}\n{table}\n\n{_REPEAT}\n```sh\n{commands}\n```\n\n{_LIMITS}"


def _sum(rows: Sequence[Row]) -> str:
    ours = [row for row in rows if row.peer == "ours"]
    simulated = [row for row in ours if row.engine == SIMULATED]
    real = [row for row in ours if row.engine != SIMULATED]
    return (
        f"Of ours: {_total(real, 'faults'):,} faults tried in browsers, "
        f"{_total(real, 'survived'):,} survived; of {_total(real, 'acknowledged'):,} "
        f"writes acknowledged before them, {_total(real, 'lost'):,} were lost. "
        f"{_total(simulated, 'faults'):,} histories simulated, "
        f"{_total(simulated, 'survived'):,} survived."
    )


def _total(rows: Sequence[Row], field: str) -> int:
    return sum(getattr(row, field) for row in rows)


def _cells(row: Row) -> tuple[str, ...]:
    numbers = (row.faults, row.survived, row.acknowledged, row.lost)
    shown = (f"{number:,}" for number in numbers)
    return (row.what, row.peer, row.engine, row.mode, *shown, row.note)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build.py soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--write-docs", action="store_true", required=True)
    parser.add_argument(
        "--from", dest="rows", type=Path, help="run nothing: rows of such a report"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
