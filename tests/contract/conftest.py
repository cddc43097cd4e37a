"""The adapters that run the contract: open, empty, each in its own folder."""

from collections import defaultdict

import pytest

from pyodide_app.storage import (
    IndexedDbAdapter,
    MemoryAdapter,
    NativeSqliteAdapter,
    PostgresAdapter,
    engine,
    stdlib_engine,
)
from pyodide_app.testing import FolderVolume

ADAPTERS = {
    "memory": lambda _folder: MemoryAdapter(),
    "native": lambda folder: NativeSqliteAdapter(folder / "notes.db"),
    "native-sqlite3": lambda folder: NativeSqliteAdapter(folder / "notes.db"),
    "native-batched": lambda folder: NativeSqliteAdapter(
        folder / "notes.db", durability="batched"
    ),
    "indexeddb": lambda folder: IndexedDbAdapter(
        "no/tes", volume=FolderVolume(folder / "volume")
    ),
    "indexeddb-strict": lambda folder: IndexedDbAdapter(
        "notes", durability="strict", volume=FolderVolume(folder / "volume")
    ),
}


@pytest.fixture(params=[*ADAPTERS, "postgres"])
async def adapter(request, tmp_path, monkeypatch):
    dialect = "postgres" if request.param == "postgres" else "sqlite"
    if getattr(request.function, "dialect", dialect) != dialect:
        pytest.skip("it is said in SQLite's own words")
    if dialect == "postgres":
        adapter = PostgresAdapter(request.getfixturevalue("postgres_database"))
    else:
        if request.param == "native-sqlite3":
            monkeypatch.setattr(engine, "apsw", stdlib_engine)
        adapter = ADAPTERS[request.param](tmp_path)
    await adapter.open()
    yield adapter
    await adapter.close()


def pytest_terminal_summary(terminalreporter, config):
    """Print which adapter keeps which case, if that was asked for."""
    if not config.getoption("--contract-matrix"):
        return
    marks = {"passed": "yes", "skipped": "-", "failed": "NO", "error": "NO"}
    matrix = defaultdict(dict)
    for outcome, mark in marks.items():
        for report in terminalreporter.getreports(outcome):
            path, _, test = report.nodeid.partition("::")
            if path == "tests/contract/test_adapters.py":
                case, _, adapter = test.rstrip("]").partition("[")
                matrix[case][adapter] = mark
    adapters = [*ADAPTERS, "postgres"]
    terminalreporter.section("the contract, by adapter (-: said in SQLite's words)")
    terminalreporter.line(f"{'case':<76} {'  '.join(adapters)}")
    for case, kept in matrix.items():
        cells = "  ".join(kept.get(name, "").center(len(name)) for name in adapters)
        terminalreporter.line(f"{case.removeprefix('test_')[:76]:<76} {cells}")
