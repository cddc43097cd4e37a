import apsw
import pytest

from pyodide_app.errors import (
    NotADatabaseError,
    SqlError,
    StorageClosedError,
    StorageError,
    TransactionError,
)
from pyodide_app.storage import engine as engine_module
from pyodide_app.storage.engine import ClosedEngine, Engine, quote_identifier


@pytest.mark.parametrize(
    "name", ["plain", 'quo"te', "two words", "select", "é", "a.b", "'", ";"]
)
def test_a_quoted_identifier_names_exactly_it(engine, name):
    engine.run(f"CREATE TABLE {quote_identifier(name)} (x)")

    assert engine.tables() == {name}


def sqlite_errors(cls=apsw.Error):
    for child in cls.__subclasses__():
        yield child
        yield from sqlite_errors(child)


@pytest.mark.parametrize("error_class", set(sqlite_errors()), ids=lambda c: c.__name__)
def test_every_error_of_the_library_below_is_translated(error_class):
    """A new one of a new release of apsw arrives here too."""
    error = engine_module._translated(error_class("reason"), "SELECT 1", "name")

    assert isinstance(error, StorageError)


@pytest.mark.parametrize(
    "error", [UnicodeEncodeError("u", "x", 0, 1, "r"), OverflowError(), TypeError()]
)
def test_what_cannot_be_bound_is_translated(error):
    assert isinstance(engine_module._translated(error, "", ""), StorageError)


def test_a_fault_that_is_not_sqlites_stays():
    error = MemoryError()

    assert engine_module._translated(error, "", "") is error


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "picture.db"
    path.write_bytes(b"\x89PNG" * 1000)

    with pytest.raises(NotADatabaseError):
        Engine(str(path))


def test_a_folder_is_no_database(tmp_path):
    with pytest.raises(SqlError):
        Engine(str(tmp_path))


def test_fixed_pragmas_cannot_be_changed():
    with Engine(":memory:", fixed_pragmas=frozenset({"locking_mode"})) as engine:
        with pytest.raises(SqlError, match="not authorized"):
            engine.run("PRAGMA locking_mode = NORMAL")
        assert engine.get("PRAGMA locking_mode") is not None


def test_text_that_is_not_utf8_is_an_error_and_not_garbage(engine):
    with pytest.raises(SqlError, match="UTF-8"):
        engine.get("SELECT CAST(x'ff' AS TEXT)")


def test_the_statements_remembered_are_bounded(engine, monkeypatch):
    monkeypatch.setattr(engine_module, "_KNOWN_LIMIT", 10)

    for n in range(100):
        assert engine.get(f"SELECT {n} AS c{n}") == {f"c{n}": n}

    assert len(engine._known) <= 10
    assert len(engine._columns) <= 10


def test_sql_that_is_no_text_is_a_type_error(engine):
    with pytest.raises(TypeError):
        engine.run(b"SELECT 1")


def test_a_foreign_file_can_only_be_looked_at(tmp_path):
    path = str(tmp_path / "foreign.db")
    with Engine(path) as engine:
        engine.exec(
            "CREATE TABLE t (x); CREATE VIEW v AS SELECT 1 AS one;"
            "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM t; END"
        )

    with Engine.open_foreign(path) as foreign:
        assert foreign.tables() == {"t"}
        for sql in (
            "INSERT INTO t VALUES (1)",
            "SELECT * FROM v",
            "ATTACH ':memory:' AS other",
            "PRAGMA user_version = 1",
        ):
            with pytest.raises(SqlError):
                foreign.run(sql)


def test_schema_functions_are_not_trusted(engine):
    """`load_extension` and the like do nothing when a schema names them."""
    engine.run("CREATE TABLE t (x)")
    with pytest.raises(SqlError):
        engine.exec(
            "CREATE VIEW v AS SELECT fts5_source_id(), load_extension('x');"
            "SELECT * FROM v"
        )


def test_transaction_commits_or_undoes(engine):
    engine.run("CREATE TABLE t (x)")

    with engine.transaction():
        engine.run("INSERT INTO t VALUES (1)")
    with pytest.raises(SqlError), engine.transaction():
        engine.exec("INSERT INTO t VALUES (2); SELEC")

    assert engine.all("SELECT x FROM t") == [{"x": 1}]
    assert not engine.in_transaction


def test_a_rollback_that_a_conflict_made_voids_the_transaction(engine):
    engine.exec("CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1)")
    mark = engine.begin()

    with pytest.raises(SqlError):
        engine.run("INSERT OR ROLLBACK INTO t VALUES (1)")

    with pytest.raises(TransactionError):
        engine.run("INSERT INTO t VALUES (2)")
    with pytest.raises(TransactionError):
        engine.commit(mark)
    engine.roll_back(mark)
    engine.run("INSERT INTO t VALUES (3)")
    assert engine.all("SELECT x FROM t") == [{"x": 1}, {"x": 3}]


def test_a_closed_engine_says_so_whatever_it_is_asked():
    for name in ("run", "get", "in_transaction", "size"):
        with pytest.raises(StorageClosedError):
            getattr(ClosedEngine(), name)


@pytest.mark.parametrize(
    ("script", "written"),
    [
        ("SELECT 1; SELECT 2", set()),
        ("SELECT 1; INSERT INTO a VALUES (1); SELECT 1", {"a"}),
        ("INSERT INTO a VALUES (1); INSERT INTO b SELECT x FROM a", {"a", "b"}),
        ("BEGIN; INSERT INTO a VALUES (1); ROLLBACK; INSERT INTO b VALUES (2)", {"b"}),
        ("SAVEPOINT s; INSERT INTO a VALUES (1); RELEASE s", {"a"}),
    ],
)
def test_a_script_tells_what_its_statements_have_written(engine, script, written):
    engine.exec("CREATE TABLE a (x); CREATE TABLE b (x)")
    engine.take_commit()

    engine.exec(script)

    assert engine.has_committed == bool(written)
    assert engine.take_commit() == written


def test_a_script_that_writes_no_table_is_a_commit_too(engine):
    """SQLite tells of a pragma no more than of a SELECT."""
    engine.take_commit()

    engine.exec("SELECT 1; PRAGMA user_version = 7")

    assert engine.has_committed
