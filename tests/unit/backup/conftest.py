"""A live storage with something in it, and files to import."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pyodide_app.storage import create_agentos_storage
from pyodide_app.storage.adapters.indexeddb import IndexedDbAdapter
from pyodide_app.storage.adapters.native import NativeSqliteAdapter
from pyodide_app.testing import FolderVolume

DATA = Path(__file__).parents[2] / "data"

QUESTION = {"type": "user_message", "text": "What was here before?", "timestamp": 7}


@pytest.fixture(params=["native", "indexeddb"])
async def storage(request, tmp_path):
    """A storage over a file, with one conversation."""
    if request.param == "native":
        adapter = NativeSqliteAdapter(tmp_path / "live" / "live.db")
    else:
        adapter = IndexedDbAdapter("live", volume=FolderVolume(tmp_path / "volume"))
    async with await create_agentos_storage(adapter=adapter) as storage:
        await storage.conversations.save("live", "me", "v_researcher", [QUESTION])
        await storage.flush()
        yield storage


@pytest.fixture
async def memory():
    async with await create_agentos_storage(platform="memory") as storage:
        yield storage


@pytest.fixture
def build(tmp_path):
    """Return a function that makes a file by SQL, on top of another if given."""
    count = 0

    def build(script: str, base: Path | bytes | None = None) -> Path:
        nonlocal count
        count += 1
        file = tmp_path / f"built-{count}.db"
        if base is not None:
            file.write_bytes(base if isinstance(base, bytes) else base.read_bytes())
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.executescript(script)
        return file

    return build
