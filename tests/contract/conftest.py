"""The adapters that run the contract: open, empty, each in its own folder."""

import pytest

from pyodide_app.storage.adapters import (
    IndexedDbAdapter,
    MemoryAdapter,
    NativeSqliteAdapter,
    PostgresAdapter,
)
from pyodide_app.testing import FolderVolume

ADAPTERS = {
    "memory": lambda _folder: MemoryAdapter(),
    "native": lambda folder: NativeSqliteAdapter(folder / "notes.db"),
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
async def adapter(request, tmp_path):
    dialect = "postgres" if request.param == "postgres" else "sqlite"
    if getattr(request.function, "dialect", dialect) != dialect:
        pytest.skip("it is said in SQLite's own words")
    if dialect == "postgres":
        adapter = PostgresAdapter(request.getfixturevalue("postgres_database"))
    else:
        adapter = ADAPTERS[request.param](tmp_path)
    await adapter.open()
    yield adapter
    await adapter.close()
