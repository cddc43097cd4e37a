import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pyodide_app.errors import (
    NotADatabaseError,
    StorageInUseError,
    StorageResolutionError,
)
from pyodide_app.storage import (
    NativeSqliteAdapter,
    create_agentos_storage,
    engine,
    stdlib_engine,
)
from pyodide_app.storage.adapters import native


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


_BEGINNER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("CREATE TABLE note (text)")
db.execute(f"BEGIN {sys.argv[2]}")
db.execute("SELECT * FROM note").fetchall()
print("begun", flush=True)
time.sleep(0.3)
db.execute("COMMIT")
"""


@pytest.mark.parametrize("lock", ["DEFERRED", "IMMEDIATE", "EXCLUSIVE"])
async def test_opening_waits_for_a_process_that_began_a_transaction(tmp_path, lock):
    """SQLite's busy timeout does not hold for every change of the journal mode."""
    path = tmp_path / "a.db"
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _BEGINNER, path, lock, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    await other.stdout.readline()

    adapter = NativeSqliteAdapter(path)
    await adapter.open()

    assert await other.wait() == 0
    assert await adapter.get("PRAGMA journal_mode") == {"journal_mode": "wal"}
    await adapter.close()


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


_WITHOUT_APSW = """
import asyncio, logging, sys
sys.modules["apsw"] = None
logging.basicConfig(level="WARNING", stream=sys.stdout)
from pyodide_app.errors import CapabilityError, EncryptionError
from pyodide_app.storage import create_agentos_storage

async def refused(call, error):
    try:
        await call
    except error as refusal:
        assert "apsw-sqlite3mc" in str(refusal), refusal
    else:
        raise AssertionError(error)

async def main(path):
    async with await create_agentos_storage(adapter="native", path=path) as storage:
        events = [{"type": "user_message", "text": "written by sqlite3"}]
        await storage.conversations.save("c", "u", "p", events)
        [hit] = await storage.conversations.search("written")
        assert hit.conversation_id == "c", hit
        await storage.keep_restore_point("r")
        point = (await storage.restore_points())[0]
        await storage.conversations.delete("c")
        await storage.restore(point.id)
        assert await storage.conversations.find("c")
        assert "sqlite3" in (await storage.diagnose()).engine
        image = await storage.export_database()
        await refused(storage.import_database(image), CapabilityError)
        await refused(storage.encrypt("secret"), EncryptionError)
        await refused(storage.export_database(passphrase="x"), EncryptionError)
    await refused(
        create_agentos_storage(adapter="native", path=path, passphrase="secret"),
        EncryptionError,
    )

asyncio.run(main(*sys.argv[1:]))
"""


def test_without_apsw_the_sqlite3_of_python_stands_in(tmp_path):
    path = tmp_path / "a.db"
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_APSW, path],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )

    assert done.returncode == 0, done.stderr
    assert "apsw cannot be imported" in done.stdout


async def test_a_file_of_one_engine_opens_in_the_other(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    events = [{"type": "user_message", "text": "by apsw"}]
    async with await create_agentos_storage(adapter="native", path=path) as storage:
        await storage.conversations.save("a", "u", "p", events)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "apsw", stdlib_engine)
        async with await create_agentos_storage(adapter="native", path=path) as storage:
            await storage.conversations.save("b", "u", "p", events)
            kept = await storage.conversations.get("a")
            assert kept.events[0].event_data["text"] == "by apsw"

    async with await create_agentos_storage(adapter="native", path=path) as storage:
        assert len(await storage.conversations.search("apsw")) == 2


_HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("CREATE TABLE t (x)")
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("module", [engine.apsw, stdlib_engine])
async def test_a_file_that_another_process_holds_is_refused(
    tmp_path, monkeypatch, module
):
    monkeypatch.setattr(native, "_BUSY_TIMEOUT_MS", 50)
    monkeypatch.setattr(engine, "apsw", module)
    path = tmp_path / "a.db"
    with subprocess.Popen(  # noqa: ASYNC220  # it waits for its first line anyway
        [sys.executable, "-c", _HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        holder.stdout.readline()
        with pytest.raises(StorageResolutionError) as caught:
            await create_agentos_storage(adapter="native", path=path)
        holder.stdin.close()

    assert isinstance(caught.value.__cause__, StorageInUseError)
    async with await create_agentos_storage(adapter="native", path=path) as storage:
        assert await storage.adapter.all("SELECT * FROM t") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageResolutionError, match="native"):
            await create_agentos_storage(adapter="native", path=tmp_path / "a.db")
    finally:
        tmp_path.chmod(0o700)


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StorageResolutionError, match="native"):
        await create_agentos_storage(adapter="native", path=tmp_path / "file" / "a.db")
