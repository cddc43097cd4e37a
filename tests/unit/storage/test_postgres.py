"""What is PostgreSQL's own: faults of the server, its processes, and files."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pyodide_app.errors import (
    ConnectionLostError,
    EncryptionError,
    MissingDependencyError,
    ServerLoginError,
    ServerUnavailableError,
    SqlError,
    TransactionError,
)
from pyodide_app.storage import PostgresAdapter, create_agentos_storage
from pyodide_app.storage.adapters import postgres as module
from tests.postgres import postgres_of_its_own


@pytest.fixture
async def storage(postgres_database):
    adapter = PostgresAdapter(postgres_database)
    async with await create_agentos_storage(adapter=adapter) as storage:
        yield storage


async def said(storage, *texts, id="c", user_id="u", title=None):
    events = [{"type": "user_message", "text": text} for text in texts]
    await storage.conversations.save(id, user_id, "p", events, title=title)


async def found(storage, query, **kwargs):
    hits = await storage.conversations.search(query, **kwargs)
    return [hit.snippet for hit in hits]


async def kill_own_connection(adapter):
    """Kill the server's process behind the adapter, as a crash would."""
    row = await adapter.get("SELECT pg_backend_pid() AS pid")
    os.kill(row["pid"], signal.SIGTERM)
    await asyncio.sleep(0.2)


async def test_every_repository_works(storage):
    await said(storage, "Café opening hours", title="Hours")
    await storage.sessions.save("s", "u", "Session", "persona", "p")
    await storage.personas.cache("p", "Persona", {"description": "d", "b": 1, "a": 2})
    await storage.workflows.save("w", "Flow", {"steps": []})
    usage = {"usage": {"promptTokens": 3, "totalTokens": 5}, "latencyMs": 1.5}
    await storage.telemetry.record("c", "call", {"model": "m", **usage}, timestamp=0)

    kept = await storage.conversations.get("c")
    assert kept.conversation.metadata == {"title": "Hours"}
    assert [event.event_data["text"] for event in kept.events] == ["Café opening hours"]
    assert [page.id for page in (await storage.sessions.list()).items] == ["s"]
    assert list((await storage.personas.get("p")).definition) == [
        "description",
        "b",
        "a",
    ]
    assert (await storage.workflows.get("w")).name == "Flow"
    [row] = (await storage.telemetry.summary()).rows
    assert (row.day, row.model, row.prompt_tokens) == ("1970-01-01", "m", 3)
    assert (row.total_tokens, row.latency_ms_avg) == (5, 1.5)


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("opening", True),
        ("OPENING", True),
        ("cafe hou", True),
        ("café", True),
        ('"opening hours"', True),
        ("opening-hours", True),
        ("営業", True),
        ("cafe 営業時間", True),
        ("100%", True),
        ("🎉", True),
        ("open hours", False),
        ('"hours opening"', False),
        ("pening", False),
        ("_", False),
        ("text:café", False),
        ("' OR 1=1 --", False),
        ("a & b | !c:*", False),
    ],
)
async def test_search_finds_what_it_finds_on_sqlite(storage, query, is_found):
    text = "Café opening hours: 営業時間 100% 🎉"
    await said(storage, text, "nothing of it")

    assert await found(storage, query) == ([text] if is_found else [])


async def test_the_best_hit_comes_first_and_titles_are_found(storage):
    await said(storage, "apple and many other words " * 9, "apple", title="Apple pie")
    await said(storage, "apple of v", id="v", user_id="v")

    assert (await found(storage, "apple"))[0] == "apple"
    assert len(await found(storage, "apple", limit=2)) == 2
    assert await found(storage, "apple", user_id="v") == ["apple of v"]
    await storage.conversations.rename("c", "Pear")
    assert await found(storage, "pie") == []
    await storage.conversations.delete("c")
    assert await found(storage, "apple") == ["apple of v"]


async def test_a_text_of_any_length_and_with_a_nul_is_kept(storage):
    long = " ".join(f"word{number}" for number in range(150_000))
    await said(storage, long, "a\x00b")

    kept = await storage.conversations.get("c")
    assert [event.event_data["text"] for event in kept.events] == [long, "a\x00b"]
    assert len(await found(storage, "word7")) == 1
    assert await found(storage, "a b") == ["a\ufffdb"]


async def test_a_persons_data_move_as_one_file(storage, tmp_path):
    """From PostgreSQL to a file, and back from the file."""
    await said(storage, "from the server", title="T")
    await storage.adapter.exec(
        "CREATE TABLE own (id INTEGER PRIMARY KEY, n REAL, b BLOB);"
        "INSERT INTO own (n, b) VALUES (1.5, NULL)"
    )
    image = await storage.export_database()

    path = tmp_path / "moved.db"
    path.write_bytes(image)
    async with await create_agentos_storage(adapter="native", path=path) as file:
        assert await found(file, "server") == ["from the server"]
        assert await file.adapter.all("SELECT * FROM own") == [
            {"id": 1, "n": 1.5, "b": None}
        ]
        await said(file, "from the file", id="d")
        second = await file.export_database()

    report = await storage.import_database(second)
    assert report.added.conversations == 2
    assert {*await found(storage, "from")} == {"from the server", "from the file"}
    row = await storage.adapter.get("SELECT n FROM own")
    assert row == {"n": 1.5}
    await storage.restore(report.restore_point.id)
    assert await found(storage, "from") == ["from the server"]


async def test_a_merge_adds_what_is_not_there_and_keeps_the_newer(storage, tmp_path):
    await said(storage, "both", id="b")
    image = await storage.export_database()
    path = tmp_path / "other.db"
    path.write_bytes(image)
    async with await create_agentos_storage(adapter="native", path=path) as other:
        await said(other, "theirs", id="t")
        await asyncio.sleep(0.01)
        await other.conversations.rename("b", "renamed there")
        image = await other.export_database()
    await said(storage, "ours", id="o")

    first = await storage.import_database(image, mode="merge")
    again = await storage.import_database(image, mode="merge")

    assert (first.added.conversations, first.updated.conversations) == (1, 1)
    assert (again.added.conversations, again.updated.conversations) == (0, 0)
    assert (await storage.conversations.find("b")).metadata == {
        "title": "renamed there"
    }
    assert sorted(await found(storage, "ours")) == ["ours"]
    assert await found(storage, "theirs") == ["theirs"]


async def test_a_column_of_several_types_is_refused_and_nothing_changes(storage):
    await said(storage, "stays")
    connection = sqlite3.connect(path := storage.adapter.scratch_path("mixed.db"))
    connection.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1), ('a')")
    connection.close()

    with pytest.raises(SqlError, match="column x of t"):
        await storage.adapter.replace_database(path)

    Path(path).unlink()
    assert await found(storage, "stays") == ["stays"]


async def test_what_only_sqlite_can_is_refused_by_name(storage):
    adapter = storage.adapter
    for sql in (
        "PRAGMA user_version",
        "ATTACH 'x' AS y",
        "CREATE VIRTUAL TABLE t USING fts5 (x)",
        "INSERT OR REPLACE INTO sessions VALUES (1)",
        "CREATE TABLE t (x)",
        "SELECT 1 WHERE 'a' LIKE 'A'",
    ):
        with pytest.raises(SqlError):
            await adapter.run(sql)
    with pytest.raises(EncryptionError):
        await storage.encrypt("secret")


async def test_an_unreachable_server_and_a_wrong_password_are_told_apart(
    postgres_server, postgres_database
):
    unreachable = PostgresAdapter("postgresql://u:secret@127.0.0.1:1/db")
    with pytest.raises(ServerUnavailableError) as caught:
        await unreachable.open()
    assert "secret" not in str(caught.value)

    with pytest.raises(ServerLoginError):
        await PostgresAdapter(postgres_server.replace("/postgres?", "/none?")).open()
    with pytest.raises(ServerLoginError):
        await PostgresAdapter(
            postgres_database.replace("postgres:@", "nobody:x@")
        ).open()


@pytest.mark.parametrize(
    "text",
    [
        "no connection string",
        "postgresql://u:se@cret@127.0.0.1:1/db",
        "postgresql://u:se/cret@127.0.0.1:1/db",
        "postgresql://u:se:cret@127.0.0.1:x/db",
    ],
)
async def test_a_connection_string_that_makes_no_sense_is_not_quoted(text):
    with pytest.raises(ServerUnavailableError, match="%40") as caught:
        await PostgresAdapter(text).open()

    assert "cret" not in str(caught.value)


async def test_a_wrong_password_is_refused(postgres_server):
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE ROLE careful SUPERUSER LOGIN PASSWORD 'right'")
        rules = Path(connection.execute("SHOW hba_file").fetchone()[0])
        before = rules.read_text()
        rules.write_text(f"local all careful scram-sha-256\n{before}")
        connection.execute("SELECT pg_reload_conf()")
    address = postgres_server.replace("postgres:@", "careful:{}@", 1)

    right = PostgresAdapter(address.format("right"), schema="by_password")
    await right.open()
    await right.close()
    for password in ("wrong", ""):
        with pytest.raises(ServerLoginError) as caught:
            await PostgresAdapter(address.format(password)).open()
        assert "wrong" not in str(caught.value)

    rules.write_text(before)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")


async def test_a_server_that_is_killed_in_a_transaction_loses_nothing_committed():
    """The whole server ends without a checkpoint, and comes back."""
    with postgres_of_its_own() as server:
        adapter = PostgresAdapter(server.get_uri())
        async with await create_agentos_storage(adapter=adapter) as storage:
            await said(storage, "before")

            async def work(adapter):
                await adapter.run("UPDATE conversations SET user_id = 'half'")
                os.kill(server.get_pid(), signal.SIGQUIT)
                while (server.pgdata / "postmaster.pid").exists():  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.05)
                await adapter.run("UPDATE conversations SET persona_id = 'half'")

            with pytest.raises(ConnectionLostError):
                await storage.adapter.transaction(work)
            with pytest.raises(ServerUnavailableError):
                await PostgresAdapter(server.get_uri()).open()

            server.ensure_postgres_running()

            kept = await storage.conversations.find("c")
            assert (kept.user_id, kept.persona_id) == ("u", "p")
            await said(storage, "works on", id="d")
            assert await found(storage, "works") == ["works on"]


async def test_a_server_that_dies_in_a_transaction_leaves_nothing_of_it(storage):
    await said(storage, "before")

    async def work(adapter):
        await adapter.run("UPDATE conversations SET user_id = 'half'")
        await kill_own_connection(adapter)
        await adapter.run("UPDATE conversations SET persona_id = 'half'")

    with pytest.raises(ConnectionLostError):
        await storage.adapter.transaction(work)

    kept = await storage.conversations.find("c")
    assert (kept.user_id, kept.persona_id) == ("u", "p")
    await said(storage, "works on", id="d")


async def test_an_error_that_is_swallowed_does_not_commit_the_rest(storage):
    await said(storage, "before")

    async def work(adapter):
        await adapter.run("DELETE FROM conversations")
        await kill_own_connection(adapter)
        for _ in range(2):
            with pytest.raises(ConnectionLostError):
                await adapter.run("UPDATE conversations SET user_id = 'half'")

    with pytest.raises(ConnectionLostError):
        await storage.adapter.transaction(work)

    assert (await storage.conversations.find("c")).user_id == "u"


async def test_the_pool_replaces_a_connection_that_died_in_between(storage):
    await said(storage, "before")
    await kill_own_connection(storage.adapter)

    assert await found(storage, "before") == ["before"]


async def test_two_transactions_that_change_the_same_do_not_both_commit(
    storage, postgres_database
):
    await said(storage, "x")
    other = PostgresAdapter(postgres_database)
    await other.open()

    async def work(adapter):
        await adapter.all("SELECT * FROM conversations")
        await other.run("UPDATE conversations SET user_id = 'other'")
        await adapter.run("UPDATE conversations SET user_id = 'this'")

    with pytest.raises(TransactionError, match="run all of it again"):
        await storage.adapter.transaction(work)

    assert (await storage.conversations.find("c")).user_id == "other"
    await other.close()


async def test_two_processes_may_migrate_at_once(postgres_database):
    adapters = [PostgresAdapter(postgres_database) for _ in range(3)]

    storages = await asyncio.gather(
        *(create_agentos_storage(adapter=adapter) for adapter in adapters)
    )

    for storage in storages:
        await storage.close()


async def test_tables_of_others_are_left_alone(storage, postgres_database):
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.theirs AS SELECT 1 AS x")
        image = await storage.export_database()
        await storage.import_database(image)
        assert connection.execute("SELECT x FROM public.theirs").fetchall() == [(1,)]


def test_a_missing_psycopg_names_the_extra(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(module, "import_module", missing)

    with pytest.raises(MissingDependencyError, match=r"pyodide_app\[postgres\]"):
        PostgresAdapter("postgresql://x")


def test_psycopg_is_imported_with_the_first_adapter_and_not_before():
    """In Pyodide there is none."""
    code = "import pyodide_app.storage, sys; assert 'psycopg' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
