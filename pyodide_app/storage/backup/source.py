"""Reading a file that came from elsewhere.

Rule 1: it is hostile until checked. Nothing in it runs: no trigger, no view, no
        virtual table, no function that SQLite does not call innocuous.
Rule 2: only tables are read, by columns that we name, in the order of their rows,
        past their indexes: an index that is wrong cannot hide a row.
Rule 3: a value is read as it is stored, whatever its column says, and a text that
        is no text is repaired and counted. No row is lost to a bad one.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pyodide_app.errors import BackupDamagedError, NotADatabaseError, SqlError
from pyodide_app.storage.adapter import SqlValue
from pyodide_app.storage.backup.header import (
    HEADER_SIZE,
    LARGEST_BACKUP,
    check_header,
    is_wal,
)
from pyodide_app.storage.backup.report import Problems
from pyodide_app.storage.engine import Engine, quote_identifier

__all__ = ["Source", "opened"]

_SHOWN: Final = 20
"""Problems that the integrity check reports at most."""

_ABOUT_ROWS: Final = re.compile(
    r"CHECK constraint failed|NULL value in|value in |missing from index|"
    r"wrong # of entries in index|non-unique entry in index"
)
"""Complaints about rows and indexes, not about the structure of the file."""


class Source:
    """An open foreign file, whose structure SQLite has checked.

    Args:
        path: The file.
        problems: Takes what is found wrong.

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
                self.integrity = self._check()
                self._encoding = self._text_encoding()
                self._schema = self._engine.all(
                    "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema"
                )
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

    def objects(self, type: str) -> list[tuple[str, str]]:
        """Return name and SQL of the schema's objects of one type."""
        return [
            (str(row["name"]), str(row["sql"] or ""))
            for row in self._schema
            if row["type"] == type
        ]

    def is_virtual(self, table: str) -> bool:
        """Return whether *table* is a virtual table, or keeps one's content."""
        virtual = [
            str(row["name"])
            for row in self._schema
            if row["type"] == "table" and not row["rootpage"]
        ]
        return any(table == name or table.startswith(f"{name}_") for name in virtual)

    def number(self, sql: str, *parameters: SqlValue) -> int:
        """Return the one number that *sql* asks for."""
        row = self._engine.get(sql, parameters)
        value = next(iter(row.values())) if row else 0
        return value if isinstance(value, int) else 0

    def count(self, table: str, condition: str = "1", *parameters: SqlValue) -> int:
        """Return the number of rows that meet *condition*; 0 without the table."""
        if table not in self.tables:
            return 0
        return self.number(
            f"SELECT count(*) FROM {quote_identifier(table)} NOT INDEXED "
            f"WHERE {condition}",
            *parameters,
        )

    def span(self, table: str, *columns: str) -> list[int]:
        """Return the earliest and latest time in *columns*, as far as there are."""
        found: list[int] = []
        for column in columns:
            if column not in self.tables.get(table, ()):
                continue
            name = quote_identifier(column)
            row = self._engine.get(
                f"SELECT min({name}) AS first, max({name}) AS last "
                f"FROM {quote_identifier(table)} NOT INDEXED "
                f"WHERE typeof({name}) = 'integer'"
            )
            values = row.values() if row else ()
            found += [value for value in values if isinstance(value, int)]
        return found

    def rows(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        *,
        order: str = "",
        with_rowid: bool = False,
    ) -> Iterator[dict[str, SqlValue]]:
        """Yield every row of *table*; a column that it lacks is None.

        Args:
            table: Its name; a table that is missing has no rows.
            columns: Which columns, or all.
            order: SQL after ORDER BY, over names of ours.
            with_rowid: *columns* has the row's number as ``rowid``.
        """
        present = self.tables.get(table)
        if present is None:
            return
        wanted = present if columns is None else columns
        known = {*present, "rowid"} if with_rowid else set(present)
        there = [column for column in wanted if column in known]
        if not there:
            return
        # A text is read as bytes, because what is stored as one may be none.
        selected = ", ".join(
            f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) "
            f"ELSE {name} END, typeof({name}) = 'text'"
            for name in map(quote_identifier, there)
        )
        sql = f"SELECT {selected} FROM {quote_identifier(table)} NOT INDEXED"
        with _damage_named():
            for row in self._engine.rows(f"{sql} ORDER BY {order}" if order else sql):
                values = dict.fromkeys(wanted)
                for index, column in enumerate(there):
                    value, is_text = row[2 * index], row[2 * index + 1]
                    values[column] = self._text(value) if is_text else value
                yield values

    def _text(self, value: SqlValue) -> str:
        raw = value if isinstance(value, bytes) else b""
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError:
            self._problems.add(
                "invalid_text",
                "{n} texts were not valid; what could not be read became U+FFFD",
            )
            return raw.decode(self._encoding, "replace")

    def _check(self) -> str:
        lines = [
            str(next(iter(row.values())))
            for row in self._engine.all(f"PRAGMA integrity_check({_SHOWN})")
        ]
        if lines == ["ok"]:
            return "ok"
        hard = [line for line in lines if not _ABOUT_ROWS.search(line)]
        if hard:
            raise BackupDamagedError(hard)
        self._problems.add(
            "integrity", f"SQLite's integrity check complains: {lines[0]}"
        )
        return "; ".join(lines)

    def _text_encoding(self) -> str:
        row = self._engine.get("PRAGMA encoding")
        return str(next(iter(row.values()))) if row else "UTF-8"

    def _tables(self) -> Mapping[str, tuple[str, ...]]:
        tables = {}
        for row in self._schema:
            name = str(row["name"])
            if row["type"] != "table" or not row["rootpage"]:
                continue
            # Hidden columns are those of virtual tables; 2 and 3 are generated.
            columns = self._engine.all(
                "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (name,)
            )
            tables[name] = tuple(str(column["name"]) for column in columns)
        return tables

    def rowids(self, table: str) -> bool:
        """Return whether the rows of *table* have numbers of their own."""
        rows = self._engine.all(
            "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?",
            (table,),
        )
        return bool(rows) and not rows[0]["wr"]


@contextlib.contextmanager
def opened(
    data: bytes | str | Path, problems: Problems, *, limit: int = LARGEST_BACKUP
) -> Iterator[Source]:
    """Open a backup for reading; the file itself is never changed.

    Raises:
        BackupError: It is no sound database.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        check_header(bytes(data[:HEADER_SIZE]), len(data), limit=limit)
        with tempfile.TemporaryDirectory(prefix="pyodide-app-") as folder:
            copy = Path(folder) / "backup.db"
            copy.write_bytes(_without_wal(bytes(data)))
            with contextlib.closing(Source(str(copy), problems)) as source:
                yield source
        return
    path = Path(data)
    with path.open("rb") as file:
        head = file.read(HEADER_SIZE)
    check_header(head, path.stat().st_size, limit=limit)
    if not is_wal(head):
        with contextlib.closing(Source(str(path), problems)) as source:
            yield source
        return
    with tempfile.TemporaryDirectory(prefix="pyodide-app-") as folder:
        copy = Path(folder) / "backup.db"
        shutil.copyfile(path, copy)
        with copy.open("r+b") as file:
            file.seek(18)
            file.write(b"\x01\x01")
        with contextlib.closing(Source(str(copy), problems)) as source:
            yield source


def _without_wal(data: bytes) -> bytes:
    return data[:18] + b"\x01\x01" + data[20:] if is_wal(data) else data


@contextlib.contextmanager
def _damage_named() -> Iterator[None]:
    """Call a failure to read what it is: the file's fault, not the query's."""
    try:
        yield
    except NotADatabaseError:
        raise
    except SqlError as error:
        raise BackupDamagedError([str(error)]) from error
