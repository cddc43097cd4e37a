"""Any SQLite library of the runtime is durable on the mounted folder.

One tab writes with all of them and is closed; one more tab reads what is left.
Each test looks at one of the files.
"""

import json

import pytest

from tests.browser.python_worker import PythonWorker

WRITE_APSW = """
    import apsw
    db = apsw.Connection("/persist/apsw.db")
    db.pragma("journal_mode", "delete")
    db.execute("CREATE TABLE note (text)")
    with db:
        db.executemany("INSERT INTO note VALUES (?)", [("one",), ("два",)])
    db.execute("BEGIN; INSERT INTO note VALUES ('not committed')")
"""

WRITE_STDLIB = """
    import sqlite3
    standard = sqlite3.connect("/persist/sqlite3.db")
    standard.execute("CREATE TABLE note (text)")
    standard.executemany("INSERT INTO note VALUES (?)", [("one",), ("два",)])
    standard.commit()
    standard.execute("INSERT INTO note VALUES ('not committed')")
"""

WRITE_SQLALCHEMY = """
    from sqlalchemy import Column, MetaData, Table, Text, create_engine, insert
    engine = create_engine("sqlite:////persist/sqlalchemy.db")
    metadata = MetaData()
    note = Table("note", metadata, Column("text", Text))
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(note), [{"text": "one"}, {"text": "два"}])
    unfinished = engine.connect()
    unfinished.execute(insert(note), [{"text": "not committed"}])
"""

# More than the cache holds: SQLite writes pages long before the commit.
WRITE_EACH_JOURNAL = """
    kept = []
    for journal in ("DELETE", "TRUNCATE", "PERSIST"):
        db = apsw.Connection(f"/persist/{journal}.db")
        assert db.pragma("journal_mode", journal) == journal.lower()
        db.pragma("cache_size", 5)
        db.execute("CREATE TABLE note (text); INSERT INTO note VALUES ('one'), ('два')")
        db.execute("BEGIN")
        db.executemany("INSERT INTO note VALUES (?)", [("x" * 900,)] * 500)
        kept.append(db)
"""

FLUSH = """
    import volume_js
    await volume_js.flush(False)
"""

WRITE_WITHOUT_FLUSH = """
    import asyncio, volume_js
    standard.rollback()
    late = sqlite3.connect("/persist/late.db")
    late.execute("CREATE TABLE note (text)")
    late.execute("INSERT INTO note VALUES ('one'), ('два')")
    late.commit()
    for _ in range(100):
        state = volume_js.summary()
        if state.durableSeq == state.committedSeq:
            break
        await asyncio.sleep(0.05)
    assert state.durableSeq == state.committedSeq
"""

READ = """
    import apsw, json
    from pathlib import Path
    found = {}
    for path in sorted(Path("/persist").glob("*.db")):
        db = apsw.Connection(str(path))
        texts = [row[0] for row in db.execute("SELECT text FROM note ORDER BY rowid")]
        found[path.stem] = [*texts, db.pragma("integrity_check")]
    json.dumps(found)
"""


@pytest.fixture(scope="module")
def left(shared_context, wheel_urls):
    """What each file holds after the tab that wrote it was closed."""
    writer = shared_context.new_page()
    writer.goto("/tests/blank.html")
    python = PythonWorker(writer)
    python.run(WRITE_APSW)
    python.run(WRITE_STDLIB)
    wheels = [wheel_urls[name] for name in ("typing-extensions", "sqlalchemy")]
    python.run(WRITE_SQLALCHEMY, wheels)
    python.run(WRITE_EACH_JOURNAL)
    python.run(FLUSH)
    python.run(WRITE_WITHOUT_FLUSH)
    writer.close()

    reader = shared_context.new_page()
    reader.goto("/tests/blank.html")
    return json.loads(PythonWorker(reader).run(READ))


@pytest.mark.parametrize("library", ["apsw", "sqlite3", "sqlalchemy"])
def test_what_a_library_committed_survives_its_tab(left, library):
    """Committed rows are there in the next tab; an open transaction is not."""
    assert left[library] == ["one", "два", "ok"]


@pytest.mark.parametrize("journal", ["DELETE", "TRUNCATE", "PERSIST"])
def test_a_flush_takes_the_state_before_an_open_transaction(left, journal):
    """However SQLite ends its journal, no half of a transaction is durable."""
    assert left[journal] == ["one", "два", "ok"]


def test_a_commit_becomes_durable_by_itself(left):
    """Without any call, what is committed is durable within the interval."""
    assert left["late"] == ["one", "два", "ok"]
