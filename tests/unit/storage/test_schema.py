import re
import sqlite3
from pathlib import Path

import pytest

from pyodide_app.errors import ConstraintError, SchemaTooNewError
from pyodide_app.storage import NativeSqliteAdapter, create_agentos_storage
from pyodide_app.storage.schema import MIGRATIONS, SCHEMA_VERSION

ORIGINAL = {
    "conversations": "id user_id persona_id created_at updated_at metadata",
    "conversation_events": "id conversation_id event_type event_data timestamp",
    "sessions": "id user_id display_name target_type target_id created_at updated_at "
    "metadata",
    "personas": "id display_name description definition created_at updated_at",
    "telemetry": "id session_id event_type event_data timestamp",
    "workflows": "id name definition created_at updated_at",
}

RELEASED = {
    1: "ccd75ea1296dc61b",
    2: "2c6c055a1d2b0adf",
}
"""The beginning of each migration's checksum. A line here never changes."""


@pytest.mark.parametrize("migration", MIGRATIONS, ids=lambda m: m.name)
def test_a_released_migration_never_changes(migration):
    assert migration.checksum.startswith(RELEASED[migration.version])


@pytest.mark.parametrize("table", ORIGINAL)
async def test_the_tables_have_the_originals_columns(storage, table):
    rows = await storage.adapter.all(f"PRAGMA table_info({table})")

    assert [row["name"] for row in rows] == ORIGINAL[table].split()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO conversations VALUES ('c', 'u', 'p', 1, 1, '{')",
        "INSERT INTO conversations VALUES ('c', 'u', 'p', 1, 1, '[]')",
        "INSERT INTO conversations VALUES (NULL, 'u', 'p', 1, 1, '{}')",
        "INSERT INTO conversations VALUES ('c', 'u', 'p', 'now', 1, '{}')",
        "INSERT INTO conversation_events VALUES ('e', 'missing', 'x', '{}', 1)",
        "INSERT INTO sessions VALUES ('s', 'u', 'n', 'robot', 't', 1, 1, '{}')",
        "INSERT INTO telemetry VALUES ('t', NULL, 'x', 'null', 1)",
        "INSERT INTO workflows VALUES ('w', 'n', '', 1, 1)",
        "INSERT INTO personas VALUES ('p', 'n', NULL, '1', 1, 1)",
    ],
)
async def test_what_no_record_could_be_is_refused(storage, sql):
    with pytest.raises(ConstraintError):
        await storage.adapter.run(sql)


async def test_the_version_is_in_the_file(tmp_path):
    path = tmp_path / "a.db"
    await (await create_agentos_storage(adapter="native", path=path)).close()

    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


async def test_a_database_of_a_newer_release_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "a.db"
    async with await create_agentos_storage(adapter="native", path=path) as storage:
        await storage.adapter.run(
            "INSERT INTO schema_migration VALUES (?, 'future', 'x', 1)",
            (SCHEMA_VERSION + 1,),
        )

    with pytest.raises(SchemaTooNewError):
        await create_agentos_storage(adapter="native", path=path)

    again = NativeSqliteAdapter(path)
    await again.open()
    rows = await again.all("SELECT name FROM schema_migration")
    assert {"name": "future"} in rows
    await again.close()


def test_only_the_engine_uses_apsw():
    package = Path(__file__).parents[3] / "pyodide_app"
    uses = re.compile(r"import(_module)?\W+apsw\W|import apsw_at_first_use")

    importers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if uses.search(path.read_text("utf-8"))
    }

    assert importers == {"storage/engine.py", "storage/apsw_at_first_use.py"}
