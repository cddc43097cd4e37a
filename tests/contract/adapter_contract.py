"""The contract of `StorageAdapter`.

Each `test_…` takes an open, empty adapter and needs nothing else: no pytest, so
that a browser can run the same cases inside Pyodide:

    for case in cases():
        await case(adapter)
"""

import asyncio
import math
import os
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import get_args

from pyodide_app.errors import (
    ConstraintError,
    ParameterError,
    RecordNotFoundError,
    SchemaTooNewError,
    SqlError,
    StorageClosedError,
    TransactionError,
)
from pyodide_app.storage.adapter import (
    BatchOperation,
    EvictionRisk,
    RunResult,
    StorageAdapter,
)
from pyodide_app.storage.apsw_at_first_use import sqlite_version
from pyodide_app.storage.facade import AgentOSStorage, Resolution
from pyodide_app.storage.migrations import Migration
from pyodide_app.storage.schema import MIGRATIONS

SECRET_TABLE = "nobody_else_may_know_this"

Case = Callable[[StorageAdapter], Awaitable[None]]


def cases() -> Iterator[Case]:
    """Return every case of the contract, in the order they are written."""
    for name, value in globals().items():
        if name.startswith("test_"):
            yield value


def in_sqlites_words(case: Case) -> Case:
    """Mark a case of what only SQLite's own language can say."""
    case.dialect = "sqlite"
    return case


async def refused(awaitable, error_class):
    """Return the error that *awaitable* raises, which must be of *error_class*."""
    try:
        result = await awaitable
    except error_class as error:
        return error
    msg = f"nothing was raised; the result is {result!r}"
    raise AssertionError(msg)


async def make_notes(adapter):
    await adapter.exec(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL);"
        "CREATE TABLE tag (note_id INTEGER REFERENCES note (id) ON DELETE CASCADE,"
        " word TEXT);"
    )


async def add(adapter, *texts):
    for text in texts:
        await adapter.run("INSERT INTO note (text) VALUES (?)", (text,))


async def texts(adapter):
    rows = await adapter.all("SELECT text FROM note ORDER BY id")
    return [row["text"] for row in rows]


# Statements ------------------------------------------------------------------


async def test_run_returns_changes_and_the_last_row_id(adapter):
    await make_notes(adapter)

    first = await adapter.run("INSERT INTO note (text) VALUES ('a'), ('b')")
    second = await adapter.run("UPDATE note SET text = 'c'")

    assert first == RunResult(changes=2, last_row_id=2)
    assert second.changes == 2


async def test_changes_are_zero_for_definitions_and_queries(adapter):
    """Defect D17 of the original: it reported the previous count."""
    await make_notes(adapter)
    await add(adapter, "a")

    for sql in (
        "CREATE TABLE other (x TEXT)",
        "SELECT * FROM note",
        "UPDATE note SET text = 'b' WHERE id = 99",
        "DROP TABLE other",
    ):
        assert (await adapter.run(sql)).changes == 0, sql


async def test_last_row_id_is_none_before_any_insert(adapter):
    result = await adapter.run("CREATE TABLE t (x INTEGER)")

    assert result.last_row_id is None


async def test_get_returns_the_first_row_or_none(adapter):
    await make_notes(adapter)
    await add(adapter, "a", "b")

    assert await adapter.get("SELECT text FROM note ORDER BY id") == {"text": "a"}
    assert await adapter.get("SELECT text FROM note WHERE id = 9") is None


async def test_get_reads_no_further_than_the_first_row(adapter):
    """Defect D29: a row after the first, which would fail, is not computed."""
    sql = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i FROM n"
    )

    assert await adapter.get(sql) == {"i": 1}


async def test_a_read_that_stopped_early_does_not_hold_the_database(adapter):
    await make_notes(adapter)
    await add(adapter, "a", "b", "c")

    await adapter.get("SELECT * FROM note")
    await adapter.exec("DROP TABLE tag; DROP TABLE note")

    assert await adapter.all("SELECT name FROM sqlite_schema") == []


async def test_get_and_all_run_what_returns_what_it_wrote(adapter):
    await make_notes(adapter)
    sql = "INSERT INTO note (text) VALUES ('a'), ('b') RETURNING id"

    assert await adapter.get(sql) == {"id": 1}
    assert await adapter.all(sql) == [{"id": 3}, {"id": 4}]
    assert await texts(adapter) == ["a", "b", "a", "b"]


async def test_all_returns_every_row_in_order(adapter):
    await make_notes(adapter)
    await add(adapter, "a", "b")

    rows = await adapter.all("SELECT id, text FROM note ORDER BY id DESC")

    assert rows == [{"id": 2, "text": "b"}, {"id": 1, "text": "a"}]


@in_sqlites_words
async def test_values_come_back_as_they_were(adapter):
    values = [
        None,
        0,
        -1,
        2**63 - 1,
        -(2**63),
        9007199254740993,
        1.5,
        -0.0,
        math.inf,
        -math.inf,
        "",
        "naïve 営業 🎉 \x00 end",
        b"",
        bytes(range(256)),
    ]
    await adapter.run("CREATE TABLE t (i INTEGER PRIMARY KEY, v)")

    for value in values:
        await adapter.run("INSERT INTO t (v) VALUES (?)", [value])

    rows = await adapter.all("SELECT v FROM t ORDER BY i")
    assert [row["v"] for row in rows] == values
    assert [type(row["v"]) for row in rows] == [type(value) for value in values]


async def test_values_come_back_from_columns_of_their_type(adapter):
    for kind, values in (
        ("INTEGER", [None, 0, -1, 2**63 - 1, -(2**63), 9007199254740993]),
        ("REAL", [None, 1.5, -0.0, 0.1, 1e300, math.inf, -math.inf]),
        ("TEXT", [None, "", "naïve 営業 🎉 \\ '' % \n end"]),
        ("BLOB", [None, b"", bytes(range(256))]),
    ):
        table = f"of_{kind}"
        await adapter.run(f"CREATE TABLE {table} (i INTEGER PRIMARY KEY, v {kind})")
        for value in values:
            await adapter.run(f"INSERT INTO {table} (v) VALUES (?)", [value])

        rows = await adapter.all(f"SELECT v FROM {table} ORDER BY i")
        assert [row["v"] for row in rows] == values
        assert [type(row["v"]) for row in rows] == [type(value) for value in values]


async def test_what_an_insert_would_repeat_is_updated_or_ignored(adapter):
    await adapter.run("CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER)")
    upsert = "INSERT INTO t VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET n = excluded.n"

    await adapter.run(upsert, ("a", 1))
    await adapter.run(upsert, ("a", 2))
    ignored = await adapter.run("INSERT OR IGNORE INTO t VALUES ('a', 3)")

    assert ignored.changes == 0
    assert await adapter.all("SELECT * FROM t") == [{"id": "a", "n": 2}]


async def test_an_id_that_was_given_is_followed_by_the_next(adapter):
    await make_notes(adapter)
    await adapter.run("INSERT INTO note (id, text) VALUES (41, 'a')")

    result = await adapter.run("INSERT INTO note (text) VALUES ('b')")

    assert result.last_row_id == 42


async def test_a_large_integer_is_found_by_itself(adapter):
    """Defect D18: the original rounds to 2^53 and then finds nothing."""
    await adapter.run("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    await adapter.run("INSERT INTO t VALUES (?)", (9007199254740993,))

    row = await adapter.get("SELECT id FROM t WHERE id = ?", (9007199254740993,))

    assert row == {"id": 9007199254740993}


async def test_a_bool_is_stored_as_an_integer(adapter):
    assert await adapter.get("SELECT ? AS a, ? AS b", (True, False)) == {"a": 1, "b": 0}


async def test_bytes_like_values_are_stored_as_bytes(adapter):
    row = await adapter.get(
        "SELECT ? AS a, ? AS b", (bytearray(b"x"), memoryview(b"y"))
    )

    assert row == {"a": b"x", "b": b"y"}


async def test_no_column_of_a_repeated_name_is_lost(adapter):
    """Defect D19."""
    row = await adapter.get("SELECT 1 AS id, 2 AS id, 3 AS id, 4 AS __proto__")

    assert row == {"id": 1, "id:1": 2, "id:2": 3, "__proto__": 4}


async def test_every_style_of_parameter_binds(adapter):
    """Defect D15: the original binds NULL if the prefix is missing."""
    for sql, parameters in (
        ("SELECT ? AS v", ["x"]),
        ("SELECT ? AS v", ("x",)),
        ("SELECT ?1 AS v", ("x",)),
        ("SELECT ?2 AS v, ?1 AS w", ("y", "x")),
        ("SELECT :v AS v", {"v": "x"}),
        ("SELECT :v AS v", {":v": "x"}),
        ("SELECT @v AS v", {"v": "x"}),
        ("SELECT @v AS v", {"@v": "x"}),
        ("SELECT $v AS v", {"v": "x"}),
        ("SELECT $v AS v", {"$v": "x"}),
        ("SELECT :v AS v", ("x",)),
    ):
        row = await adapter.get(sql, parameters)
        assert row is not None, sql
        assert row["v"] == "x", sql


async def test_one_name_may_occur_twice(adapter):
    row = await adapter.get("SELECT :v || :v AS v", {"v": "x"})

    assert row == {"v": "xx"}


async def test_parameters_that_do_not_fit_are_refused(adapter):
    """Defects D16 and D19: the original stores NULL, or throws a bare string."""
    await adapter.run("CREATE TABLE t (a INTEGER, b TEXT)")
    two = "INSERT INTO t VALUES (?, ?)"
    named = "INSERT INTO t VALUES (:a, :b)"

    for sql, parameters in (
        (two, None),
        (two, ()),
        (two, (1,)),
        (two, (1, 2, 3)),
        (two, {"a": 1, "b": 2}),
        (two, "ab"),
        (two, b"ab"),
        (named, {"a": 1}),
        (named, {"a": 1, "b": 2, "c": 3}),
        (named, {"a": 1, ":a": 1, "b": 2}),
        (named, {1: 1, 2: 2}),
        (two, (1, [])),
        (two, (1, {})),
        (two, (1, object())),
        (two, (1, 2**63)),
        (two, (1, math.nan)),
        (named, {"a": 1, "b": math.nan}),
        (two, (1, "half \ud83d")),
        ("SELECT 1", (1,)),
    ):
        await refused(adapter.run(sql, parameters), ParameterError)

    assert await adapter.all("SELECT * FROM t") == []


async def test_two_statements_in_one_run_are_refused(adapter):
    """Defect D16: the original runs the first and drops the second."""
    await make_notes(adapter)

    error = await refused(
        adapter.run("INSERT INTO note (text) VALUES ('a'); DELETE FROM note"), SqlError
    )

    assert "exec()" in str(error)
    assert await texts(adapter) == []


async def test_one_statement_may_end_in_semicolons_and_comments(adapter):
    row = await adapter.get("/* a */ SELECT 1 AS one ; ; -- and a comment\n ;")

    assert row == {"one": 1}


async def test_a_text_without_a_statement_is_refused(adapter):
    for sql in ("", "  ", ";", "-- nothing"):
        await refused(adapter.run(sql), SqlError)


async def test_what_sqlite_refuses_names_its_code_and_the_sql(adapter):
    await make_notes(adapter)

    syntax = await refused(adapter.run("SELEC 1"), SqlError)
    unknown = await refused(adapter.all("SELECT * FROM missing"), SqlError)
    unique = await refused(
        adapter.run("INSERT INTO note (text) VALUES (NULL)"), ConstraintError
    )

    assert syntax.sql == "SELEC 1"
    assert "missing" in str(unknown)
    assert unique.sqlite_code == "SQLITE_CONSTRAINT_NOTNULL"


@in_sqlites_words
async def test_exec_runs_every_statement(adapter):
    await adapter.exec(
        "CREATE TABLE a (x); -- one; two\n"
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN"
        " UPDATE a SET x = x || ';'; END;"
        "INSERT INTO a VALUES ('v');"
    )

    assert await adapter.get("SELECT x FROM a") == {"x": "v;"}


async def test_exec_of_nothing_does_nothing(adapter):
    await adapter.exec("")
    await adapter.exec(" -- nothing")


async def test_exec_binds_no_parameters(adapter):
    await refused(adapter.exec("SELECT ?"), ParameterError)


async def test_what_exec_ran_before_a_failure_stands(adapter):
    await make_notes(adapter)

    await refused(
        adapter.exec("INSERT INTO note (text) VALUES ('a'); SELEC; SELECT 1"), SqlError
    )

    assert await texts(adapter) == ["a"]


async def test_a_transaction_that_a_failing_script_began_is_undone(adapter):
    await make_notes(adapter)

    await refused(
        adapter.exec("BEGIN; INSERT INTO note (text) VALUES ('a'); SELEC; COMMIT"),
        SqlError,
    )
    await add(adapter, "b")

    assert await texts(adapter) == ["b"]


async def test_foreign_keys_are_enforced(adapter):
    await make_notes(adapter)
    await add(adapter, "a")
    await adapter.run("INSERT INTO tag VALUES (1, 'x')")

    await refused(adapter.run("INSERT INTO tag VALUES (9, 'y')"), ConstraintError)
    await adapter.run("DELETE FROM note")

    assert await adapter.all("SELECT * FROM tag") == []


@in_sqlites_words
async def test_full_text_search_and_json_are_there(adapter):
    await adapter.exec(
        "CREATE VIRTUAL TABLE doc USING fts5 (body);"
        "INSERT INTO doc VALUES ('Café au lait'), ('tea');"
    )

    found = await adapter.all("SELECT body FROM doc WHERE doc MATCH 'cafe'")
    number = await adapter.get("SELECT '{\"a\":[1,2]}' ->> '$.a[1]' AS n")

    assert found == [{"body": "Café au lait"}]
    assert number == {"n": 2}


async def test_a_schema_change_reaches_statements_that_ran_before(adapter):
    await adapter.exec("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)")
    assert await adapter.all("SELECT * FROM t") == [{"a": 1}]

    await adapter.run("ALTER TABLE t ADD COLUMN b INTEGER DEFAULT 2")

    assert await adapter.all("SELECT * FROM t") == [{"a": 1, "b": 2}]


# Prepared statements ---------------------------------------------------------


async def test_a_prepared_statement_runs_many_times(adapter):
    await make_notes(adapter)
    insert = await adapter.prepare("INSERT INTO note (text) VALUES (?)")
    select = await adapter.prepare("SELECT text FROM note WHERE id = :id")

    results = [await insert.run([text]) for text in "ab"]

    assert [result.last_row_id for result in results] == [1, 2]
    assert await select.get({"id": 2}) == {"text": "b"}
    assert await select.all({"id": 9}) == []


async def test_prepare_refuses_what_sqlite_refuses(adapter):
    await refused(adapter.prepare("SELECT * FROM missing"), SqlError)


async def test_a_finalized_statement_is_refused(adapter):
    statement = await adapter.prepare("SELECT 1")
    await statement.finalize()

    await refused(statement.get(), StorageClosedError)


# Transactions ----------------------------------------------------------------


async def test_a_transaction_commits_and_returns_what_its_work_returns(adapter):
    await make_notes(adapter)

    async def work(trx):
        await add(trx, "a")
        return 42

    assert await adapter.transaction(work) == 42
    assert await texts(adapter) == ["a"]


async def test_a_failing_transaction_leaves_nothing_and_passes_the_error_on(adapter):
    class OwnError(Exception):
        pass

    own = OwnError("mine")
    await make_notes(adapter)

    async def work(trx):
        await add(trx, "a")
        raise own

    assert await refused(adapter.transaction(work), OwnError) is own
    assert await texts(adapter) == []


async def test_the_adapter_itself_joins_the_transaction_of_its_task(adapter):
    """No deadlock, and no escape from the transaction."""
    await make_notes(adapter)

    async def work(_trx):
        await add(adapter, "a")
        assert await texts(adapter) == ["a"]
        raise LookupError

    await refused(adapter.transaction(work), LookupError)

    assert await texts(adapter) == []


async def test_an_inner_transaction_is_undone_alone(adapter):
    """Defect D9: in the original it fails."""
    await make_notes(adapter)

    async def inner(trx):
        await add(trx, "b")
        raise LookupError

    async def outer(trx):
        await add(trx, "a")
        await refused(trx.transaction(inner), LookupError)
        await trx.transaction(lambda deep: add(deep, "c"))

    await adapter.transaction(outer)

    assert await texts(adapter) == ["a", "c"]


async def test_an_outer_failure_undoes_what_inner_transactions_committed(adapter):
    await make_notes(adapter)

    async def outer(trx):
        await trx.transaction(lambda deep: add(deep, "a"))
        raise LookupError

    await refused(adapter.transaction(outer), LookupError)

    assert await texts(adapter) == []


async def test_transactions_of_different_tasks_run_in_the_order_they_asked(adapter):
    """Defect D9: in the original the second one fails."""
    await make_notes(adapter)
    order = []

    def work(name):
        async def run(trx):
            order.append(f"{name} begins")
            await add(trx, name)
            await asyncio.sleep(0)
            await add(trx, name)
            order.append(f"{name} ends")

        return run

    await asyncio.gather(*(adapter.transaction(work(name)) for name in "abc"))

    assert order == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]
    assert await texts(adapter) == list("aabbcc")


async def test_a_write_of_another_task_is_not_undone_with_a_transaction(adapter):
    """Defect D9: in the original it is rolled back although it was awaited."""
    await make_notes(adapter)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def work(trx):
        await add(trx, "a")
        inside.set()
        await go_on.wait()
        raise LookupError

    transaction = asyncio.create_task(adapter.transaction(work))
    await inside.wait()
    other = asyncio.create_task(add(adapter, "other"))
    reader = asyncio.create_task(texts(adapter))
    await asyncio.sleep(0)
    assert not other.done()
    assert not reader.done()
    go_on.set()
    await refused(transaction, LookupError)
    await other

    assert await reader == ["other"]
    assert await texts(adapter) == ["other"]


async def test_tasks_inside_a_transaction_share_it(adapter):
    await make_notes(adapter)

    async def work(trx):
        await asyncio.gather(
            add(trx, "a"),
            trx.transaction(lambda deep: add(deep, "b", "c")),
            trx.transaction(lambda deep: add(deep, "d")),
        )
        raise LookupError

    await refused(adapter.transaction(work), LookupError)

    assert await texts(adapter) == []


async def test_a_task_left_over_from_an_undone_transaction_is_refused(adapter):
    """What it goes on writing would be half of something."""
    await make_notes(adapter)
    go_on = asyncio.Event()
    left_over = []

    async def straggler(trx):
        await go_on.wait()
        await add(trx, "straggler")

    async def nested(trx):
        await add(trx, "nested")
        await go_on.wait()
        await add(trx, "nested")

    async def work(trx):
        left_over.append(asyncio.create_task(straggler(trx)))
        left_over.append(asyncio.create_task(trx.transaction(nested)))
        await asyncio.sleep(0)
        raise LookupError

    await refused(adapter.transaction(work), LookupError)
    go_on.set()

    for task in left_over:
        await refused(task, TransactionError)
    await add(adapter, "after")
    assert await texts(adapter) == ["after"]


async def test_a_task_left_over_from_a_committed_transaction_works_on(adapter):
    await make_notes(adapter)
    go_on = asyncio.Event()
    left_over = []

    async def later():
        await go_on.wait()
        await add(adapter, "later")

    async def work(trx):
        await add(trx, "a")
        left_over.append(asyncio.create_task(later()))

    await adapter.transaction(work)
    go_on.set()
    await left_over[0]

    assert await texts(adapter) == ["a", "later"]


async def test_a_cancelled_transaction_is_undone(adapter):
    await make_notes(adapter)
    inside = asyncio.Event()

    async def work(trx):
        await add(trx, "a")
        inside.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(adapter.transaction(work))
    await inside.wait()
    task.cancel()
    await refused(task, asyncio.CancelledError)

    await add(adapter, "b")
    assert await texts(adapter) == ["b"]


async def test_a_cancelled_wait_for_a_transaction_lets_the_next_one_in(adapter):
    await make_notes(adapter)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def work(trx):
        inside.set()
        await go_on.wait()

    first = asyncio.create_task(adapter.transaction(work))
    await inside.wait()
    second = asyncio.create_task(adapter.transaction(work))
    third = asyncio.create_task(add(adapter, "third"))
    await asyncio.sleep(0)
    second.cancel()
    go_on.set()
    await first
    await refused(second, asyncio.CancelledError)

    await third
    assert await texts(adapter) == ["third"]


async def test_a_constraint_that_fails_at_commit_undoes_the_transaction(adapter):
    await adapter.exec(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE c (p INTEGER REFERENCES p DEFERRABLE INITIALLY DEFERRED);"
    )

    async def work(trx):
        await trx.run("INSERT INTO c VALUES (1)")

    await refused(adapter.transaction(work), ConstraintError)

    assert await adapter.all("SELECT * FROM c") == []
    await adapter.run("INSERT INTO p VALUES (1)")


@in_sqlites_words
async def test_a_trigger_that_rolls_back_does_not_mask_its_error(adapter):
    await make_notes(adapter)
    await adapter.exec(
        "CREATE TRIGGER no AFTER INSERT ON note WHEN new.text = 'no' BEGIN"
        " SELECT RAISE(ROLLBACK, 'the real reason'); END"
    )

    async def work(trx):
        await add(trx, "a")
        await add(trx, "no")

    error = await refused(adapter.transaction(work), ConstraintError)

    assert "the real reason" in str(error)
    assert await texts(adapter) == []


@in_sqlites_words
async def test_nothing_runs_on_after_sqlite_rolled_a_transaction_back(adapter):
    """Swallowing the error must not turn the rest into single commits."""
    await make_notes(adapter)

    async def work(trx):
        await trx.run("INSERT INTO note VALUES (1, 'a')")
        await refused(
            trx.run("INSERT OR ROLLBACK INTO note VALUES (1, 'b')"), ConstraintError
        )
        await refused(add(trx, "c"), TransactionError)

    await refused(adapter.transaction(work), TransactionError)

    assert await texts(adapter) == []
    await add(adapter, "d")
    assert await texts(adapter) == ["d"]


async def test_begin_and_commit_through_run_belong_to_the_caller(adapter):
    await make_notes(adapter)

    await adapter.run("BEGIN")
    await add(adapter, "a")
    await adapter.run("ROLLBACK")
    await adapter.run("BEGIN IMMEDIATE")
    await add(adapter, "b")
    await adapter.transaction(lambda trx: add(trx, "c"))
    await adapter.run("COMMIT")
    await adapter.run("SAVEPOINT s")
    await add(adapter, "d")
    await adapter.run("ROLLBACK TO s")
    await adapter.run("RELEASE s")

    assert await texts(adapter) == ["b", "c"]


async def test_commit_inside_transaction_is_refused(adapter):
    await make_notes(adapter)

    async def work(trx):
        await add(trx, "a")
        await refused(trx.run("COMMIT"), TransactionError)
        await refused(trx.exec("ROLLBACK; SELECT 1"), TransactionError)
        await trx.run("SAVEPOINT mine")
        await add(trx, "b")
        await trx.run("ROLLBACK TO mine")
        await trx.run("RELEASE mine")

    await adapter.transaction(work)

    assert await texts(adapter) == ["a"]


# Batch -----------------------------------------------------------------------


async def test_a_batch_keeps_the_good_and_leaves_out_the_bad(adapter):
    await make_notes(adapter)
    insert = "INSERT INTO note (id, text) VALUES (?, ?)"

    result = await adapter.batch(
        [
            BatchOperation(insert, (1, "a")),
            BatchOperation(insert, (1, "again")),
            BatchOperation("SELEC"),
            BatchOperation(insert, (2,)),
            BatchOperation("INSERT INTO note (text) VALUES ('b')"),
        ]
    )

    assert (result.successful, result.failed) == (2, 3)
    assert [error.index for error in result.errors] == [1, 2, 3]
    assert [type(error.error) for error in result.errors] == [
        ConstraintError,
        SqlError,
        ParameterError,
    ]
    assert [r and r.last_row_id for r in result.results] == [1, None, None, None, 2]
    assert await texts(adapter) == ["a", "b"]


async def test_a_batch_operation_that_fails_half_way_changes_nothing(adapter):
    await make_notes(adapter)
    await add(adapter, "a")

    result = await adapter.batch(
        [BatchOperation("INSERT INTO note (id, text) VALUES (5, 'x'), (1, 'y')")]
    )

    assert result.failed == 1
    assert await texts(adapter) == ["a"]


# Changes ---------------------------------------------------------------------


async def told(subscription):
    """Return the tables that were told since the last call, or None."""
    try:
        change = await asyncio.wait_for(anext(subscription), 0.01)
    except TimeoutError:
        return None
    return change.tables


async def test_each_commit_tells_the_tables_it_wrote(adapter):
    await make_notes(adapter)
    script = "INSERT INTO t VALUES (1); UPDATE note SET text = 'c'"
    async with adapter.changes.subscribe() as changes:
        for call, sql, expected in (
            (adapter.run, "INSERT INTO note (text) VALUES ('a')", {"note"}),
            (adapter.get, "UPDATE note SET text = 'b' RETURNING id", {"note"}),
            (adapter.run, "UPDATE note SET text = 'b' WHERE id = 9", None),
            (adapter.all, "SELECT * FROM note", None),
            (adapter.run, "CREATE TABLE t (x INTEGER)", {"t"}),
            (adapter.run, "CREATE TEMP TABLE mine (x INTEGER)", None),
            (adapter.run, "INSERT INTO mine VALUES (1)", None),
            (adapter.exec, script, {"t", "note"}),
            (adapter.run, "DROP TABLE t", {"t"}),
        ):
            await call(sql)
            assert await told(changes) == expected, sql


@in_sqlites_words
async def test_what_triggers_and_foreign_keys_write_is_told(adapter):
    await make_notes(adapter)
    await adapter.exec(
        "CREATE TABLE log (x);"
        "CREATE TRIGGER l AFTER DELETE ON tag BEGIN"
        " INSERT INTO log VALUES (old.word); END;"
        "INSERT INTO note VALUES (1, 'a'), (2, 'b');"
        "INSERT INTO tag VALUES (1, 'x'), (2, 'y');"
    )
    async with adapter.changes.subscribe() as changes:
        await adapter.run("INSERT OR REPLACE INTO note VALUES (1, 'new')")
        assert await told(changes) == {"note", "tag", "log"}

        await adapter.run("DELETE FROM note")
        assert await told(changes) == {"note", "tag", "log"}


async def test_a_delete_of_all_rows_is_told(adapter):
    """SQLite empties the table without visiting its rows."""
    await adapter.exec("CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1), (2)")
    async with adapter.changes.subscribe() as changes:
        result = await adapter.run("DELETE FROM t")

        assert result.changes == 2
        assert await told(changes) == {"t"}


@in_sqlites_words
async def test_a_trigger_made_later_is_told_by_a_statement_that_ran_before(adapter):
    await adapter.exec("CREATE TABLE t (x); CREATE TABLE log (x)")
    sql = "INSERT INTO t VALUES (1)"
    await adapter.run(sql)
    await adapter.run(
        "CREATE TRIGGER l AFTER INSERT ON t BEGIN INSERT INTO log VALUES (1); END"
    )
    async with adapter.changes.subscribe() as changes:
        await adapter.run(sql)

        assert await told(changes) == {"t", "log"}


async def test_prepared_statements_and_batches_are_told(adapter):
    await make_notes(adapter)
    statement = await adapter.prepare("INSERT INTO note (text) VALUES (?)")
    async with adapter.changes.subscribe(["NOTE"]) as changes:
        await statement.run(("a",))
        assert await told(changes) == {"note"}

        await adapter.batch([BatchOperation("DELETE FROM note")])
        # SQLite also tells what a foreign key could have reached.
        assert {"note"} <= await told(changes) <= {"note", "tag"}


async def test_a_transaction_is_told_once_and_after_it_committed(adapter):
    await make_notes(adapter)
    async with adapter.changes.subscribe() as changes:

        async def work(trx):
            await add(trx, "a")
            assert await told(changes) is None
            await trx.run("INSERT INTO tag VALUES (1, 'x')")

        await adapter.transaction(work)

        assert await told(changes) == {"note", "tag"}
        assert await told(changes) is None


async def test_what_was_rolled_back_is_not_told(adapter):
    await make_notes(adapter)
    async with adapter.changes.subscribe() as changes:

        async def work(trx):
            await add(trx, "a")
            raise LookupError

        await refused(adapter.transaction(work), LookupError)
        await adapter.run("BEGIN")
        await add(adapter, "a")
        await adapter.run("ROLLBACK")
        await adapter.exec("BEGIN; INSERT INTO tag VALUES (NULL, 'x'); ROLLBACK")

        assert await told(changes) is None


async def test_a_commit_through_run_is_told(adapter):
    await make_notes(adapter)
    async with adapter.changes.subscribe() as changes:
        await adapter.run("BEGIN")
        await add(adapter, "a")
        assert await told(changes) is None

        await adapter.run("COMMIT")

        assert await told(changes) == {"note"}


async def test_a_slow_reader_gets_one_change_for_many_commits(adapter):
    await make_notes(adapter)
    async with adapter.changes.subscribe() as changes:
        await add(adapter, "a", "b", "c")
        await adapter.run("INSERT INTO tag VALUES (1, 'x')")

        change = await anext(changes)

        assert change.tables == {"note", "tag"}
        assert change.seq == adapter.changes.seq
        assert await told(changes) is None


# The whole database ----------------------------------------------------------


def opened_natively(image: bytes) -> list[tuple[str, ...]]:
    """Return the notes in *image*, read by another SQLite, after its check."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.db"
        path.write_bytes(image)
        connection = sqlite3.connect(path)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return [text for (text,) in connection.execute("SELECT text FROM note")]
        finally:
            connection.close()


async def test_an_export_is_a_plain_sqlite_file(adapter):
    await make_notes(adapter)
    await add(adapter, "a", "b")

    image = await adapter.export_database()

    assert image[:16] == b"SQLite format 3\x00"
    assert image[18:20] == b"\x01\x01"
    assert opened_natively(image) == ["a", "b"]


async def test_an_export_of_an_empty_database_is_a_database(adapter):
    image = await adapter.export_database()

    assert image[:16] == b"SQLite format 3\x00"


async def test_an_export_waits_for_the_end_of_a_transaction(adapter):
    """Defect D8: the original exports half of it, or breaks it."""
    await make_notes(adapter)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def work(trx):
        await add(trx, "a")
        inside.set()
        await go_on.wait()
        await add(trx, "b")

    transaction = asyncio.create_task(adapter.transaction(work))
    await inside.wait()
    export = asyncio.create_task(adapter.export_database())
    await asyncio.sleep(0)
    go_on.set()
    await transaction

    assert opened_natively(await export) == ["a", "b"]


async def test_an_export_inside_a_transaction_is_refused(adapter):
    await make_notes(adapter)

    async def work(trx):
        await add(trx, "a")
        await refused(trx.export_database(), TransactionError)

    await adapter.transaction(work)
    await adapter.run("BEGIN")
    await refused(adapter.export_database(), TransactionError)
    await adapter.run("COMMIT")

    assert await texts(adapter) == ["a"]


async def test_replacing_takes_the_file_over_and_tells_of_it(adapter):
    await make_notes(adapter)
    await add(adapter, "old")
    image = await adapter.export_database()
    await adapter.run("UPDATE note SET text = 'new'")
    staged = Path(adapter.scratch_path("staged.db"))
    staged.write_bytes(image)
    async with adapter.changes.subscribe() as changes:
        await adapter.replace_database(str(staged))

        assert await texts(adapter) == ["old"]
        assert await told(changes) == {"note", "tag"}
        assert not staged.exists()
    await add(adapter, "works on")
    assert await texts(adapter) == ["old", "works on"]


async def test_replacing_takes_a_file_of_another_page_size(adapter):
    await make_notes(adapter)
    staged = adapter.scratch_path("staged.db")
    connection = sqlite3.connect(staged, isolation_level=None)
    connection.executescript(
        "PRAGMA page_size = 1024; CREATE TABLE note (id INTEGER PRIMARY KEY, text);"
        "INSERT INTO note (text) VALUES ('small pages')"
    )
    connection.close()

    await adapter.replace_database(staged)

    assert await texts(adapter) == ["small pages"]


async def test_a_failed_replacement_leaves_the_database_open_and_as_it_was(adapter):
    await make_notes(adapter)
    await add(adapter, "a")
    missing = adapter.scratch_path("never-written.db")

    await refused(adapter.replace_database(missing), Exception)

    assert await texts(adapter) == ["a"]
    await add(adapter, "b")
    assert await texts(adapter) == ["a", "b"]


async def test_a_restore_point_brings_the_database_back(adapter):
    await make_notes(adapter)
    await add(adapter, "a")
    first = await adapter.keep_restore_point("before the change")
    await add(adapter, "b")
    second = await adapter.keep_restore_point("after it")

    assert await adapter.restore_points() == [second, first]
    assert first.reason == "before the change"
    assert first.size == len(await adapter.read_restore_point(first.id))
    undo = await adapter.restore(first.id)
    assert await texts(adapter) == ["a"]
    assert undo.reason == "before restore"
    redo = await adapter.restore(undo.id)
    assert await texts(adapter) == ["a", "b"]

    await adapter.delete_restore_point(first.id)
    assert await adapter.restore_points() == [redo, undo, second]


async def test_the_status_is_told_also_while_the_database_is_replaced(adapter):
    await make_notes(adapter)
    point = await adapter.keep_restore_point("before")
    await adapter.flush()

    restoring = asyncio.ensure_future(adapter.restore(point.id))
    asked = 0
    while not restoring.done():
        assert (await adapter.status()).database_bytes > 0
        await adapter.flush()
        asked += 1
        # Pyodide makes a shorter pause with messages, and Chromium 156.0.8078.108
        # hands out nothing of IndexedDB as long as they come without a gap.
        await asyncio.sleep(0.01)

    assert asked > 0
    await restoring


async def test_a_diagnosis_says_how_the_database_is_and_not_what_is_in_it(adapter):
    secret = "nobody-else-may-read-this"
    await adapter.exec(f"CREATE TABLE {SECRET_TABLE} (text TEXT)")
    await adapter.run(f"INSERT INTO {SECRET_TABLE} VALUES (?)", [secret])
    await adapter.keep_restore_point(secret)

    found = await adapter.diagnose(integrity_check=True)

    assert found.mode == adapter.kind
    assert found.sqlite == sqlite_version()
    assert found.database_bytes == (await adapter.status()).database_bytes
    assert found.verification.ok, found.verification.problems
    assert found.verification.integrity_problems == 0
    assert found.verification.bytes > 0
    assert (found.store is not None) == (adapter.kind == "indexeddb")
    report = repr(found)
    assert secret not in report
    assert SECRET_TABLE not in report
    assert (await adapter.diagnose(verify=False)).verification is None


async def test_nothing_is_in_quarantine_of_a_sound_database(adapter):
    await make_notes(adapter)

    assert await adapter.quarantine() == []
    await refused(adapter.read_quarantined(1), RecordNotFoundError)
    await refused(adapter.delete_quarantined(1), RecordNotFoundError)


async def test_ten_restore_points_are_kept_at_least(adapter):
    await make_notes(adapter)
    for number in range(10):
        await adapter.keep_restore_point(str(number))
    kept = await adapter.restore_points()
    assert [point.reason for point in kept] == list("9876543210")


async def test_a_daily_restore_point_is_kept_once_a_day(adapter):
    await make_notes(adapter)
    point = await adapter.keep_daily_restore_point()
    assert point.reason == "daily"
    assert not point.encrypted
    await add(adapter, "a")
    assert await adapter.keep_daily_restore_point() is None
    assert await adapter.restore_points() == [point]


async def test_an_unknown_restore_point_is_refused(adapter):
    for call in (
        adapter.read_restore_point,
        adapter.restore,
        adapter.delete_restore_point,
    ):
        for name in ("missing", "../missing", ""):
            error = await refused(call(name), Exception)
            assert error.code == "restore_point_not_found"


async def test_compact_gives_space_back(adapter):
    """Defect D20: in the original deleting frees nothing."""
    await make_notes(adapter)
    await add(adapter, *(os.urandom(5000).hex() for _ in range(200)))
    await adapter.run("DELETE FROM note WHERE id > 1")
    before = (await adapter.status()).database_bytes

    freed = await adapter.compact()

    after = (await adapter.status()).database_bytes
    assert freed == before - after
    assert after < before / 10


async def test_pruning_gives_space_back(adapter):
    """Defect D20 again: not only the rows, also their words and their bytes."""
    await adapter.migrate(MIGRATIONS)
    storage = AgentOSStorage(adapter, Resolution(adapter.kind, "a test"))
    for number in range(12):
        said = " ".join(f"word{number}x{n}" for n in range(2000))
        event = {"type": "user_message", "text": said}
        await storage.conversations.save(f"c{number}", "u", "p", [event])
        await adapter.run(
            "UPDATE conversations SET updated_at = ? WHERE id = ?",
            (number, f"c{number}"),
        )
    before = (await storage.status()).database_bytes

    plan = await storage.plan_prune(older_than=11, keep=2)
    assert (plan.conversations, plan.events, plan.bytes_before) == (10, 10, before)
    report = await storage.prune(older_than=11, keep=2)

    status = await storage.status()
    assert (report.conversations, report.events) == (10, 10)
    assert report.bytes_freed == before - status.database_bytes > before / 2
    assert 0.5 < plan.bytes_freed / report.bytes_freed < 1.5
    if "persistence" in adapter.capabilities:
        assert status.durable_seq == status.committed_seq
    page = await storage.conversations.list()
    assert [one.id for one in page.items] == ["c11", "c10"]
    assert await storage.conversations.search("word3x7") == []
    assert len(await storage.conversations.search("word10x7")) == 1
    if adapter.dialect == "sqlite":
        await adapter.exec(
            "INSERT INTO message_search (message_search, rank) "
            "VALUES ('integrity-check', 1)"
        )

    await storage.restore(report.restore_point.id)
    assert len((await storage.conversations.list()).items) == 12


async def test_migrations_run_once(adapter):
    history = [
        Migration(
            1, "notes", ("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)",)
        ),
        Migration(2, "first", ("INSERT INTO note (text) VALUES ('first')",)),
    ]

    assert await adapter.migrate(history) == tuple(history)
    assert await adapter.migrate(history) == ()
    assert await texts(adapter) == ["first"]
    await refused(adapter.migrate(history[:1]), SchemaTooNewError)


# Life ------------------------------------------------------------------------


async def test_the_status_says_what_would_be_lost(adapter):
    await make_notes(adapter)
    await add(adapter, "a")
    await adapter.flush()

    status = await adapter.status()

    assert status.mode == adapter.kind
    risks = {"native": {"none"}, "memory": {"memory_only"}}
    assert status.eviction_risk in risks.get(adapter.kind, get_args(EvictionRisk))
    assert status.database_bytes > 0
    if "persistence" in adapter.capabilities:
        assert status.durable_seq == status.committed_seq
        assert status.pending_bytes == 0
    else:
        assert status.durable_seq < status.committed_seq


async def test_what_was_committed_is_there_after_closing_and_opening(adapter):
    await make_notes(adapter)
    await add(adapter, "a")

    await adapter.close()
    await adapter.open()

    if "persistence" in adapter.capabilities:
        assert await texts(adapter) == ["a"]
    else:
        assert await adapter.all("SELECT name FROM sqlite_schema") == []


async def test_an_open_transaction_of_the_caller_is_undone_by_close(adapter):
    await make_notes(adapter)
    await adapter.run("BEGIN")
    await add(adapter, "a")

    await adapter.close()
    await adapter.open()

    if "persistence" in adapter.capabilities:
        assert await texts(adapter) == []


async def test_opening_and_closing_twice_does_nothing(adapter):
    await make_notes(adapter)
    await adapter.open()
    assert await texts(adapter) == []

    await adapter.close()
    await adapter.close()


async def test_every_call_after_close_is_refused(adapter):
    await adapter.run("CREATE TABLE t (x INTEGER)")
    statement = await adapter.prepare("SELECT * FROM t")
    await adapter.close()

    async def work(trx):
        msg = "must not run"
        raise AssertionError(msg)

    for call in (
        lambda: adapter.run("SELECT 1"),
        lambda: adapter.get("SELECT 1"),
        lambda: adapter.all("SELECT 1"),
        lambda: adapter.exec("SELECT 1"),
        lambda: adapter.prepare("SELECT 1"),
        lambda: adapter.transaction(work),
        lambda: adapter.batch([]),
        lambda: adapter.flush(),
        lambda: adapter.status(),
        lambda: adapter.compact(),
        lambda: adapter.export_database(),
        lambda: adapter.replace_database("x"),
        lambda: adapter.keep_restore_point("x"),
        lambda: adapter.migrate([]),
        lambda: statement.run(),
    ):
        await refused(call(), StorageClosedError)


async def test_close_waits_for_an_open_transaction(adapter):
    await make_notes(adapter)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def work(trx):
        await add(trx, "a")
        inside.set()
        await go_on.wait()
        await add(trx, "b")

    transaction = asyncio.create_task(adapter.transaction(work))
    await inside.wait()
    closing = asyncio.create_task(adapter.close())
    await asyncio.sleep(0)
    go_on.set()

    await transaction
    await closing


async def test_a_subscription_ends_when_the_adapter_closes(adapter):
    await make_notes(adapter)
    changes = adapter.changes.subscribe()
    reader = asyncio.create_task(anext(changes, "ended"))
    await asyncio.sleep(0)

    await adapter.close()

    assert await reader == "ended"
