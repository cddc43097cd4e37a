import pytest

from pyodide_app.errors import MigrationChangedError, SchemaTooNewError, SqlError
from pyodide_app.storage.migrations import Migration, migrate

NOTES = Migration(1, "notes", ("CREATE TABLE note (id INTEGER PRIMARY KEY, text)",))
TITLES = Migration(2, "titles", ("ALTER TABLE note ADD COLUMN title TEXT",))
BROKEN = Migration(2, "broken", ("CREATE TABLE tag (name)", "CREATE NONSENSE"))


def version(engine):
    return engine.get("PRAGMA user_version")["user_version"]


def test_migrations_apply_in_order_and_once(engine):
    assert migrate(engine, [NOTES, TITLES]) == (NOTES, TITLES)
    assert migrate(engine, [NOTES, TITLES]) == ()
    assert version(engine) == 2


def test_later_migrations_apply_to_an_older_database(engine):
    migrate(engine, [NOTES])

    assert migrate(engine, [NOTES, TITLES]) == (TITLES,)


def test_a_failed_migration_leaves_no_trace(engine):
    with pytest.raises(SqlError):
        migrate(engine, [NOTES, BROKEN])

    assert "note" in engine.tables()
    assert "tag" not in engine.tables()
    assert version(engine) == 1
    assert migrate(engine, [NOTES, TITLES]) == (TITLES,)


def test_a_newer_database_is_refused_untouched(engine):
    migrate(engine, [NOTES, TITLES])

    with pytest.raises(SchemaTooNewError) as caught:
        migrate(engine, [NOTES])

    assert (caught.value.found, caught.value.supported) == (2, 1)
    assert version(engine) == 2


def test_an_edited_migration_is_refused(engine):
    migrate(engine, [NOTES])
    edited = Migration(1, "notes", ("CREATE TABLE note (id)",))

    with pytest.raises(MigrationChangedError, match="notes"):
        migrate(engine, [edited, TITLES])

    assert "title" not in str(engine.all("PRAGMA table_info(note)"))


def test_versions_count_from_one_without_gaps(engine):
    with pytest.raises(ValueError, match="version"):
        migrate(engine, [TITLES])


def test_the_log_says_when_each_ran(engine):
    migrate(engine, [NOTES])

    (row,) = engine.all("SELECT * FROM schema_migration")
    assert row["checksum"] == NOTES.checksum
    assert row["applied_at"] > 1_700_000_000_000
