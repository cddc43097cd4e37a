"""Reading a file that came from elsewhere.

Rule 1: it is hostile until checked. Nothing in it runs: no trigger, no view, no
        virtual table, no CHECK. What an index or a generated column computes can
        only be made of functions that SQLite calls innocuous, in limited time.
Rule 2: only tables are read, by columns that we name, in the order of their rows,
        past their indexes: an index that is wrong cannot hide a row.
Rule 3: a value is read as it is stored, whatever its column says, and a text that
        is no text is repaired and counted. No row is lost to a bad one.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from pyodide_app.errors import BackupDamagedError, NotADatabaseError, SqlError
from pyodide_app.storage.adapter import SqlValue
from pyodide_app.storage.backup.report import Problems
from pyodide_app.storage.engine import Engine, quote_identifier

__all__ = ["SchemaObject", "Source", "in_time", "normalized"]

_SHOWN: Final = 20
"""Problems that the integrity check reports at most."""

_SECONDS: Final = 2.0
_SECONDS_PER_MIB: Final = 1.0
"""How long a check may take; a slow phone needs a tenth of it."""

_ABOUT_ROWS: Final = re.compile(
    r"NULL value in|value in |missing from index|"
    r"wrong # of entries in index|non-unique entry in index"
)
"""Complaints about rows and indexes, not about the structure of the file."""

ObjectType: TypeAlias = Literal[
    "table", "index", "trigger", "view", "virtual table", "unknown object"
]

_TYPES: Final[Mapping[str, ObjectType]] = {
    "TABLE": "table",
    "INDEX": "index",
    "TRIGGER": "trigger",
    "VIEW": "view",
    "VIRTUAL TABLE": "virtual table",
}
_DEFINITION: Final = re.compile(
    r"\s*CREATE\s+(?:UNIQUE\s+(?=INDEX))?(TABLE|INDEX|TRIGGER|VIEW|VIRTUAL\s+TABLE)\s",
    re.IGNORECASE,
)
"""A comment between the words is none of SQLite's doing, so it fits nothing."""

_SHADOWS: Final = {
    "fts5": ("data", "idx", "content", "docsize", "config"),
    "fts4": ("content", "segments", "segdir", "docsize", "stat"),
    "fts3": ("content", "segments", "segdir"),
    "rtree": ("node", "parent", "rowid"),
    "rtree_i32": ("node", "parent", "rowid"),
    "geopoly": ("node", "parent", "rowid"),
}
"""Tables in which each module of SQLite keeps the content of a virtual table."""

_MODULE: Final = re.compile(r"\sUSING\s+[\"'`\[]?(\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SchemaObject:
    """One object of a schema.

    Attributes:
        type: What its SQL makes; what the file says of it counts for nothing.
        name: Its name.
        table: The table it belongs to.
        sql: Its definition.
    """

    type: ObjectType
    name: str
    table: str
    sql: str


class Source:
    """An open foreign file, whose structure SQLite has checked.

    It is read in one transaction, so what another program writes to it meanwhile
    is not seen.

    Args:
        path: The file.
        problems: Takes what is found wrong.

    Attributes:
        size: Of the file, in bytes.
        integrity: ``ok``, or what SQLite says about indexes and constraints.
        objects: The schema.
        shadows: Lower-case names of tables that keep a virtual table's content.
        tables: The columns of each table that keeps rows of its own.

    Raises:
        NotADatabaseError: SQLite cannot read it.
        BackupDamagedError: Its structure is damaged.
    """

    def __init__(self, path: str, problems: Problems) -> None:
        self.size = Path(path).stat().st_size
        self._problems = problems
        with _damage_named():
            self._engine = Engine.open_foreign(path)
        try:
            with _damage_named():
                self._engine.run("BEGIN")
                self.integrity = self._check()
                row = self._engine.get("PRAGMA encoding")
                self._encoding = str(row["encoding"]) if row else "UTF-8"
                self.objects = self._objects()
                self.shadows = self._shadows()
                self.tables = self._tables()
        except BaseException:
            self._engine.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._engine.close()

    @property
    def user_version(self) -> int:
        """The number that a program keeps in the header for itself."""
        return self.number("PRAGMA user_version")

    def number(self, sql: str) -> int:
        """Return the one number that *sql* asks for; 0 if it is none."""
        with _damage_named():
            row = self._engine.get(sql)
        value = next(iter(row.values())) if row else 0
        return value if isinstance(value, int) else 0

    def count(self, table: str, condition: str = "1") -> int:
        """Return the number of rows that meet *condition*; 0 without the table."""
        if table not in self.tables:
            return 0
        name = quote_identifier(table)
        return self.number(f"SELECT count(*) FROM {name} NOT INDEXED WHERE {condition}")

    def span(self, table: str, *columns: str) -> list[int]:
        """Return the earliest and latest time in *columns*, as far as there are."""
        found: list[int] = []
        for column in columns:
            if column not in self.tables.get(table, ()):
                continue
            name = quote_identifier(column)
            with _damage_named():
                row = self._engine.get(
                    f"SELECT min({name}) AS first, max({name}) AS last "
                    f"FROM {quote_identifier(table)} NOT INDEXED "
                    f"WHERE typeof({name}) = 'integer'"
                )
            values = row.values() if row else ()
            found += [value for value in values if isinstance(value, int)]
        return found

    def rows(
        self, table: str, *, order: str = "", with_rowid: bool = False
    ) -> Iterator[dict[str, SqlValue]]:
        """Yield every row of *table*; one that is missing has none.

        Args:
            table: Its name.
            order: SQL after ORDER BY, over names of ours.
            with_rowid: Also give the row's number, as ``rowid``.
        """
        columns = self.tables.get(table, ())
        if not columns:
            return
        names = ("rowid", *columns) if with_rowid else columns
        tail = f" FROM {quote_identifier(table)} NOT INDEXED"
        tail += f" ORDER BY {order}" if order else ""
        done = 0
        with _damage_named():
            # What is stored as UTF-16 is not checked by SQLite as it converts it.
            if self._encoding == "UTF-8":
                selected = ", ".join(map(quote_identifier, names))
                try:
                    for row in self._engine.rows(f"SELECT {selected}{tail}"):
                        yield dict(zip(names, row, strict=True))
                        done += 1
                    return
                except SqlError as error:
                    if not isinstance(error.__cause__, UnicodeDecodeError):
                        raise
            # A text is read as bytes, because what is stored as one may be none.
            selected = ", ".join(
                f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) "
                f"ELSE {name} END, typeof({name}) = 'text'"
                for name in map(quote_identifier, names)
            )
            sql = f"SELECT {selected}{tail} LIMIT -1 OFFSET {done}"
            for row in self._engine.rows(sql):
                yield {
                    name: self._text(table, name, row[2 * index])
                    if row[2 * index + 1]
                    else row[2 * index]
                    for index, name in enumerate(names)
                }

    def has_rowids(self, table: str) -> bool:
        """Return whether the rows of *table* have numbers that can be asked for."""
        if "rowid" in map(str.lower, self.tables[table]):
            return False
        try:
            self._engine.check(f"SELECT rowid FROM {quote_identifier(table)}")
        except SqlError:
            return False
        return True

    def sequences(self) -> Iterator[tuple[str, int]]:
        """Yield the last number of each table that has AUTOINCREMENT."""
        if any(found.name == "sqlite_sequence" for found in self.objects):
            for name, number in self._engine.rows(
                "SELECT name, seq FROM sqlite_sequence"
            ):
                if isinstance(name, str) and isinstance(number, int):
                    yield name, number

    # Private -----------------------------------------------------------------

    def _text(self, table: str, column: str, value: SqlValue) -> str:
        raw = value if isinstance(value, bytes) else b""
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError:
            self._problems.add(
                "invalid_text",
                f"{{n}} texts of {table}.{column} are not valid {self._encoding}; "
                "what cannot be read becomes U+FFFD",
            )
            return raw.decode(self._encoding, "replace")

    def _check(self) -> str:
        with in_time(self._engine, self.size, "its check"):
            rows = self._engine.all(f"PRAGMA integrity_check({_SHOWN})")
        lines = [str(next(iter(row.values()))) for row in rows]
        if lines == ["ok"]:
            return "ok"
        hard = [line for line in lines if not _ABOUT_ROWS.search(line)]
        if hard:
            raise BackupDamagedError(hard)
        self._problems.add(
            "integrity",
            "SQLite's integrity check complains about rows or indexes, so rows may "
            f"be missing: {lines[0]}",
        )
        return "; ".join(lines)

    def _objects(self) -> tuple[SchemaObject, ...]:
        rows = self._engine.all(
            "SELECT name, tbl_name, sql FROM sqlite_schema ORDER BY rowid"
        )
        return tuple(
            SchemaObject(
                _type_of(sql), str(row["name"]), str(row["tbl_name"]), str(sql)
            )
            for row in rows
            # An index that a UNIQUE or PRIMARY KEY made has no SQL of its own.
            if (sql := row["sql"]) is not None
        )

    def _shadows(self) -> frozenset[str]:
        return frozenset(
            f"{found.name}_{suffix}".lower()
            for found in self.objects
            if found.type == "virtual table" and (how := _MODULE.search(found.sql))
            for suffix in _SHADOWS.get(how[1].lower(), ())
        )

    def _tables(self) -> Mapping[str, tuple[str, ...]]:
        # Not from pragma_table_list: it compiles every view, each time.
        tables = {}
        for found in self.objects:
            name = found.name.lower()
            if found.type != "table" or name in self.shadows:
                continue
            # 2 and 3 are generated columns.
            columns = self._engine.all(
                "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0",
                (found.name,),
            )
            if columns and not name.startswith("sqlite_"):
                tables[found.name] = tuple(str(column["name"]) for column in columns)
        return tables


@contextlib.contextmanager
def in_time(engine: Engine, size: int, what: str) -> Iterator[None]:
    """Let definitions of a file of *size* bytes compute in *engine*, not for long.

    Raises:
        BackupDamagedError: *what* took too long, or could not be computed.
    """
    seconds = _SECONDS + _SECONDS_PER_MIB * size / (1 << 20)
    try:
        with engine.time_limit(seconds):
            yield
    except SqlError as error:
        reason = str(error)
        if error.sqlite_code == "SQLITE_INTERRUPT":
            reason = f"{what} did not end within {seconds:.0f} seconds"
        raise BackupDamagedError([reason]) from error


def normalized(sql: str) -> str:
    """Return *sql* with single spaces, for definitions that differ in no word."""
    return " ".join(sql.split())


def _type_of(sql: SqlValue) -> ObjectType:
    found = _DEFINITION.match(sql) if isinstance(sql, str) else None
    return _TYPES[normalized(found[1]).upper()] if found else "unknown object"


@contextlib.contextmanager
def _damage_named() -> Iterator[None]:
    """Call a failure to read what it is: the file's fault, not the query's."""
    try:
        yield
    except NotADatabaseError:
        raise
    except SqlError as error:
        raise BackupDamagedError([str(error)]) from error
