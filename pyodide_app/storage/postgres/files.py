"""One database between PostgreSQL and an SQLite file, row by row.

Rule 1: the six tables are made by our migrations on both sides; what search keeps
        is made from them. Of other tables columns, keys and rows go along.
Rule 2: a column without a type in SQLite gets that of its values. If they are of
        several, it is refused by name rather than changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pyodide_app.errors import SqlError
from pyodide_app.storage.adapter import Row
from pyodide_app.storage.engine import Engine, quote_identifier

__all__ = ["COLUMNS_OF", "KEYS_OF", "SqliteTable", "create_statements", "tables_of"]

COLUMNS_OF = """
SELECT table_name AS "table", column_name AS name, data_type AS type,
    is_nullable = 'YES' AS "null", is_identity = 'YES' AS generated
FROM information_schema.columns
WHERE table_schema = ? ORDER BY table_name, ordinal_position
"""
KEYS_OF = """
SELECT conrelid::regclass::text AS "table", contype::text AS kind,
    pg_get_constraintdef(oid) AS rule
FROM pg_constraint
WHERE connamespace = ?::regnamespace AND contype IN ('p', 'u', 'f') ORDER BY oid
"""
"""What `create_statements` reads; each takes the name of the schema."""

_TO_SQLITE = {
    "bigint": "INTEGER",
    "integer": "INTEGER",
    "smallint": "INTEGER",
    "boolean": "INTEGER",
    "double precision": "REAL",
    "real": "REAL",
    "numeric": "NUMERIC",
    "bytea": "BLOB",
}
_BY_VALUE = {"integer": "INTEGER", "real": "REAL", "text": "TEXT", "blob": "BLOB"}


@dataclass(frozen=True, slots=True)
class SqliteTable:
    """A table of an SQLite file.

    Attributes:
        name: Its name.
        sql: Its CREATE TABLE.
        columns: Names, without generated ones.
        types: Of columns that have none, by their values.
    """

    name: str
    sql: str
    columns: tuple[str, ...]
    types: Mapping[str, str]

    @property
    def rows(self) -> str:
        """SQL that reads every row."""
        names = ", ".join(map(quote_identifier, self.columns))
        return f"SELECT {names} FROM {quote_identifier(self.name)}"


def tables_of(engine: Engine, *, without: frozenset[str]) -> Iterator[SqliteTable]:
    """Yield the tables of a file, each after those that it refers to."""
    found = {
        str(row["name"]): str(row["sql"])
        for row in engine.all(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'table' "
            "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
        )
        if not any(
            row["name"] == name or str(row["name"]).startswith(f"{name}_")
            for name in without
        )
    }
    done: set[str] = set()

    def visit(name: str) -> Iterator[SqliteTable]:
        if name in done or name not in found:
            return
        done.add(name)
        keys = engine.all("SELECT * FROM pragma_foreign_key_list(?)", (name,))
        for key in keys:
            yield from visit(str(key["table"]))
        yield _table(engine, name, found[name])

    for name in found:
        yield from visit(name)


def _table(engine: Engine, name: str, sql: str) -> SqliteTable:
    columns = engine.all(
        "SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden = 0", (name,)
    )
    types: dict[str, str] = {}
    for column in columns:
        if not column["type"]:
            field = str(column["name"])
            types[field.lower()] = _observed(engine, name, field)
    return SqliteTable(
        name, sql, tuple(str(column["name"]) for column in columns), types
    )


def _observed(engine: Engine, table: str, column: str) -> str:
    name, place = quote_identifier(column), quote_identifier(table)
    kinds = {
        str(row["kind"])
        for row in engine.all(f"SELECT DISTINCT typeof({name}) AS kind FROM {place}")
    } - {"null"}
    if kinds <= {"integer", "real"} and len(kinds) == 2:
        return "REAL"
    if len(kinds) > 1:
        reason = (
            f"the column {column} of {table} holds {', '.join(sorted(kinds))}; "
            "PostgreSQL holds one type in a column"
        )
        raise SqlError(reason)
    return _BY_VALUE[kinds.pop()] if kinds else "TEXT"


def create_statements(
    columns: Sequence[Row], keys: Sequence[Row]
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return for each table its CREATE TABLE in SQLite, and its columns."""
    tables: dict[str, list[Row]] = {}
    for column in columns:
        tables.setdefault(str(column["table"]), []).append(column)
    made = {}
    for table, fields in tables.items():
        rules = [key for key in keys if _unquoted(str(key["table"])) == table]
        items = []
        for field in fields:
            name = quote_identifier(str(field["name"]))
            kind = _TO_SQLITE.get(str(field["type"]), "TEXT")
            if field["generated"]:
                items.append(f"{name} INTEGER PRIMARY KEY")
            else:
                items.append(f"{name} {kind}{'' if field['null'] else ' NOT NULL'}")
        has_rowid = any(field["generated"] for field in fields)
        items += [
            str(key["rule"]) for key in rules if key["kind"] != "p" or not has_rowid
        ]
        sql = f"CREATE TABLE {quote_identifier(table)} ({', '.join(items)})"
        made[table] = (sql, tuple(str(field["name"]) for field in fields))
    return made


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
