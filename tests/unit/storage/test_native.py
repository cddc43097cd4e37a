import asyncio
import sqlite3
import sys

import pytest

from pyodide_app.errors import NotADatabaseError
from pyodide_app.storage import NativeSqliteAdapter, create_agentos_storage


@pytest.mark.parametrize(
    ("durability", "level"), [("batched", 1), ("commit", 2), ("strict", 2)]
)
async def test_it_uses_a_wal_and_syncs_as_asked(tmp_path, durability, level):
    adapter = NativeSqliteAdapter(tmp_path / "a.db", durability=durability)
    await adapter.open()

    assert await adapter.get("PRAGMA journal_mode") == {"journal_mode": "wal"}
    assert await adapter.get("PRAGMA synchronous") == {"synchronous": level}
    assert await adapter.get("PRAGMA busy_timeout") == {"timeout": 5000}
    await adapter.close()


async def test_it_makes_the_folder(tmp_path):
    adapter = NativeSqliteAdapter(tmp_path / "new" / "folder" / "a.db")
    await adapter.open()
    await adapter.close()

    assert (tmp_path / "new" / "folder" / "a.db").exists()


async def test_another_process_reads_meanwhile_and_sees_a_replacement(tmp_path):
    path = tmp_path / "a.db"
    adapter = NativeSqliteAdapter(path)
    await adapter.open()
    await adapter.run("CREATE TABLE t AS SELECT 1 AS x")
    other = sqlite3.connect(path)
    assert other.execute("SELECT x FROM t").fetchall() == [(1,)]
    staged = adapter.scratch_path("new.db")
    new = sqlite3.connect(staged)
    new.execute("CREATE TABLE t AS SELECT 2 AS x")
    new.close()

    await adapter.replace_database(staged)

    assert other.execute("SELECT x FROM t").fetchall() == [(2,)]
    other.close()
    await adapter.close()
    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]


async def test_restore_points_outlive_the_adapter(tmp_path):
    adapter = NativeSqliteAdapter(tmp_path / "a.db")
    await adapter.open()
    await adapter.run("CREATE TABLE t AS SELECT 1 AS x")
    point = await adapter.keep_restore_point("before")
    await adapter.run("DROP TABLE t")
    await adapter.close()

    again = NativeSqliteAdapter(tmp_path / "a.db")
    await again.open()
    assert await again.restore_points() == [point]
    await again.restore(point.id)
    assert await again.all("SELECT x FROM t") == [{"x": 1}]
    await again.close()


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 100)

    with pytest.raises(NotADatabaseError):
        await NativeSqliteAdapter(path).open()

    assert path.read_text().startswith("Dear Sir")


async def test_a_diagnosis_finds_damage_in_the_file(tmp_path):
    path = tmp_path / "app.db"
    adapter = NativeSqliteAdapter(path)
    await adapter.open()
    await adapter.run("CREATE TABLE t (x)")
    for _ in range(100):
        await adapter.run("INSERT INTO t VALUES (randomblob(1000))")
    await adapter.close()
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)

    await adapter.open()
    found = await adapter.diagnose(integrity_check=True)
    await adapter.close()

    assert not found.verification.ok
    assert found.verification.problems == ("SQLite finds damage in the file",)
    assert found.verification.integrity_problems > 0
    assert found.path == str(path)


_WRITER = """
import asyncio, sys
from pyodide_app.storage import create_agentos_storage

async def main(path, name):
    async with await create_agentos_storage(adapter="native", path=path) as storage:
        for number in range(20):
            event = {"type": "user_message", "text": f"{name} {number}"}
            await storage.conversations.save(f"{name}-{number}", name, "p", [event])

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_processes_write_one_file(tmp_path):
    path = tmp_path / "a.db"
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", _WRITER, path, name)
        for name in ("one", "two")
    ]

    assert [await writer.wait() for writer in writers] == [0, 0]

    async with await create_agentos_storage(adapter="native", path=path) as storage:
        for name in ("one", "two"):
            page = await storage.conversations.list(name, limit=99)
            assert len(page.items) == 20
        assert await storage.adapter.get("PRAGMA integrity_check") == {
            "integrity_check": "ok"
        }
