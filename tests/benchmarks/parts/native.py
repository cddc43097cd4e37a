"""The 16 tests by the SQLite of this Python, on this machine's disk.

It is no peer: no browser stands between it and the disk. It shows what is left to
gain.
"""

import sqlite3
import tempfile
from pathlib import Path
from time import perf_counter

from tests.benchmarks.plan import Plan, WrongResultError
from tests.benchmarks.results import Key, Results

__all__ = ["measure_native"]


def measure_native(plan: Plan, results: Results) -> None:
    """Add the times to *results*; each commit survives the death of the process."""
    for _ in range(plan.runs):
        with tempfile.TemporaryDirectory(prefix="pyodide-app-bench-") as folder:
            _run(Path(folder, "native.db"), plan, results)


def _run(path: Path, plan: Plan, results: Results) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    total = 0.0
    for test in plan.tests:
        began = perf_counter()
        if test.is_awaited:
            for statement in test.statements:
                connection.execute(statement)
        else:
            connection.executescript("\n".join(test.statements))
        ms = (perf_counter() - began) * 1000
        total += ms
        results.add(Key(f"test {test.number}", "native", "commit"), ms)
        found = [
            [value or 0 for value in connection.execute(check).fetchone()]
            for check in test.checks
        ]
        if found != [list(row) for row in test.expected]:
            msg = f"natively, test {test.number} leaves {found}"
            raise WrongResultError(msg)
    results.add(Key("sum of 16", "native", "commit"), total)
    connection.close()
