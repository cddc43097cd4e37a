"""The part of apsw that `engine` uses, on Python's own ``sqlite3``.

It stands in where apsw cannot be imported. It cannot encrypt, and it cannot take
from a connection what a hostile file could misuse, so it opens none.

Rule 1: a text is compiled without running it by EXPLAIN. A number before it keeps
        the module's cache from answering for the compiler.
Rule 2: what runs after it was traced is compiled a second time. The authorizer is
        not asked again then: it would tell the same as of the next statement.
"""

import contextlib
import itertools
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pyodide_app.storage.adapter import SqlValue

__all__ = ["Connection", "Cursor", "Error"]

SQLITE_OK, SQLITE_DENY, SQLITE_ERROR, SQLITE_PRAGMA = 0, 1, 1, 19
SQLITE_OPEN_READONLY, SQLITE_OPEN_READWRITE, SQLITE_OPEN_CREATE = 1, 2, 4
SQLITE_OPEN_URI = 0x40
SQLITE_INNOCUOUS = 0x200000
SQLITE_DBCONFIG_DEFENSIVE, SQLITE_DBCONFIG_TRUSTED_SCHEMA = 1010, 1017

mapping_extended_result_codes: Final = MappingProxyType(
    {
        getattr(sqlite3, name): name
        for name in dir(sqlite3)
        if re.match(
            "SQLITE_(ABORT|AUTH|BUSY|CANTOPEN|CONSTRAINT|CORRUPT|ERROR|FULL|INTERNAL"
            "|INTERRUPT|IOERR|LOCKED|MISMATCH|MISUSE|NOLFS|NOMEM|NOTADB|PERM|PROTOCOL"
            "|RANGE|READONLY|SCHEMA|TOOBIG)(_|$)",
            name,
        )
    }
)
mapping_result_codes: Final = mapping_extended_result_codes

_null_bindings: Final = object()

_EMPTY: Final = re.compile(r"(?>\s+|;|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*", re.DOTALL)
_WRITES: Final = frozenset({"Checkpoint", "Vacuum", "JournalMode"})
"""Opcodes that write whatever their operands are. Source: SQLite's vdbeaux.c."""

_BUSY, _LOCKED, _IOERR, _CORRUPT, _CONSTRAINT, _NOTADB = 5, 6, 10, 11, 19, 26
_SECONDS_FOR_A_COPY: Final = 5.0
_NAMED_LIMIT: Final = 4096
"""More than the texts that the engine takes for compiled."""

_HAS_OCTET_LENGTH: Final = (3, 43, 0)
_numbers: Final = itertools.count()


class Error(Exception):
    """SQLite has refused something.

    Attributes:
        extendedresult: SQLite's code.
    """

    def __init__(self, message: str, code: int = SQLITE_ERROR) -> None:
        super().__init__(message)
        self.extendedresult = code


class BindingsError(Error):
    """The values do not fit the statement."""


class BusyError(Error):
    """Another process holds the file."""


class LockedError(BusyError):
    """Another statement of this process holds the table."""


class IOError(Error):  # apsw's name for it
    """The file cannot be read or written."""


class CorruptError(Error):
    """What was read of the file makes no sense."""


class ConstraintError(Error):
    """A constraint is broken."""


class NotADBError(Error):
    """The file is something else."""


class ConnectionClosedError(Error):
    """The connection is closed."""


class CursorClosedError(Error):
    """The cursor is closed."""


class ExecutionCompleteError(Error):
    """The statement returns no rows."""


class ExecTraceAbort(Error):
    """The tracer has kept a statement from running."""


def sqlite_lib_version() -> str:
    """Return the version of SQLite."""
    return sqlite3.sqlite_version


class Cursor:
    """Runs statements, see `apsw.Cursor`.

    Attributes:
        exec_trace: Asked before each statement runs.
        is_readonly: Of the statement that is traced, and so are the next two.
        bindings_names: Of its parameters; None for a plain ``?``.
        has_vdbe: False for a text without a statement.
    """

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._cursor = connection.database.cursor()
        self.exec_trace: Callable[[Any, str, object], bool] | None = None
        self.is_readonly = True
        self.bindings_names: tuple[str | None, ...] = ()
        self.has_vdbe = False
        self._returns_rows = False

    @property
    def bindings_count(self) -> int:
        """How many parameters the traced statement has."""
        return len(self.bindings_names)

    def execute(
        self,
        sql: str,
        bindings: Any = (),  # noqa: ANN401  # a sequence or a mapping
        *,
        can_cache: bool = True,
    ) -> "Cursor":
        """Run every statement of *sql*; what is not traced must be one."""
        del can_cache  # see rule 1
        with _translating():
            if self.exec_trace is None:
                first = _first_of(sql)[0]
                names = self._connection.named.get(first)
                if names is not None and isinstance(bindings, tuple | list):
                    bindings = _by_name(names, bindings)
                self._cursor.execute(first, bindings)
                return self
            while sql.strip() or not self.has_vdbe:
                first, sql = _first_of(sql)
                self._compile(first)
                if not self.has_vdbe and sql:
                    continue
                if not self.exec_trace(self, first, None):
                    message = "not traced further"
                    raise ExecTraceAbort(message)
                if not self.has_vdbe:
                    break
                with self._connection.muted():
                    self._cursor.execute(first)
                    self._cursor.fetchall()
        return self

    def get_description(self) -> tuple[Any, ...]:
        """Return the columns; of a traced statement, whether there are any."""
        if self.exec_trace is not None:
            return (("",),) if self._returns_rows else ()
        if self._cursor.description is None:
            message = "it returns no rows"
            raise ExecutionCompleteError(message)
        return self._cursor.description

    def fetchone(self) -> Any:  # noqa: ANN401  # a row or None
        """Return the next row, or None."""
        with _translating():
            return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        with _translating():
            return self._cursor.fetchall()

    @property
    def get(self) -> Any:  # noqa: ANN401  # a value
        """The first value of the first row."""
        row = self.fetchone()
        return row[0] if row else None

    def __iter__(self) -> Iterator[Any]:
        with _translating():
            yield from self._cursor

    def _compile(self, sql: str) -> None:
        """Prepare one statement, and remember what it is."""
        self.has_vdbe = _EMPTY.fullmatch(sql) is None
        self.bindings_names, self._returns_rows, self.is_readonly = (), False, True
        if not self.has_vdbe:
            return
        head = _EMPTY.match(sql)
        text = sql[head.end() if head else 0 :]
        asked = re.match(r"EXPLAIN(\s+QUERY\s+PLAN)?\b", text, re.IGNORECASE)
        if asked:
            # It cannot be explained again, and writes nothing.
            text = text[asked.end() :]
        explain = f"/*{next(_numbers)}*/ EXPLAIN {text}"
        names = _Names()
        try:
            program = self._cursor.execute(explain, names).fetchall()
            self.bindings_names = tuple(names.asked)
            if names.asked:
                self._connection.remember(sql, names.asked)
        except sqlite3.ProgrammingError as error:
            if "has no name" not in str(error):
                raise
            count = self._count_of(explain)
            self.bindings_names = (None,) * count
            program = self._cursor.execute(explain, (None,) * count).fetchall()
        codes = [(step[1], step[3]) for step in program]
        self._returns_rows = bool(asked) or any(
            code == "ResultRow" for code, _ in codes
        )
        self.is_readonly = bool(asked) or not any(
            code in _WRITES or (code == "Transaction" and second != 0)
            for code, second in codes
        )

    def _count_of(self, sql: str) -> int:
        try:
            self._cursor.execute(sql, ())
        except sqlite3.ProgrammingError as error:
            found = re.search(r"uses (\d+)", str(error))
            if found:
                return int(found.group(1))
            raise
        return 0


class Connection:
    """One connection, see `apsw.Connection`.

    Attributes:
        named: Of texts with named parameters the names.
    """

    def __init__(
        self,
        path: str,
        *,
        flags: int = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        statementcachesize: int = 256,
    ) -> None:
        self._ask: Callable[..., int] | None = None
        self._is_muted = False
        self.named: dict[str, Sequence[str]] = {}
        mode = "ro" if flags & SQLITE_OPEN_READONLY else "rw"
        mode += "c" if flags & SQLITE_OPEN_CREATE else ""
        name = (
            path
            if path == ":memory:"
            else f"{Path(path).absolute().as_uri()}?mode={mode}"
        )
        with _translating():
            self.database = sqlite3.connect(
                name,
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=statementcachesize,
            )
        if sqlite3.sqlite_version_info < _HAS_OCTET_LENGTH:
            self.database.create_function(
                "octet_length", 1, _octet_length, deterministic=True
            )

    @property
    def authorizer(self) -> Callable[..., int] | None:
        """Asked what a statement that is compiled may do."""
        return self._ask

    @authorizer.setter
    def authorizer(self, ask: Callable[..., int] | None) -> None:
        self._ask = ask
        with _translating():
            self.database.set_authorizer(None if ask is None else self._authorize)

    @property
    def in_transaction(self) -> bool:
        """True between a BEGIN and its end."""
        with _translating():
            return self.database.in_transaction

    def cursor(self) -> Cursor:
        """Return a new cursor."""
        with _translating():
            return Cursor(self)

    def execute(self, sql: str, bindings: Any = ()) -> Cursor:  # noqa: ANN401  # as above
        """Run one statement."""
        return self.cursor().execute(sql, bindings)

    def pragma(self, name: str, value: object = None) -> Any:  # noqa: ANN401  # a value
        """Return the value of a pragma, or set it."""
        given = "" if value is None else f" = {value}"
        return self.execute(f"PRAGMA {name}{given}").get

    def total_changes(self) -> int:
        """Return how many rows this connection has changed."""
        return self.database.total_changes

    def changes(self) -> int:
        """Return how many rows the last statement has changed."""
        return int(self.execute("SELECT changes()").get)

    def last_insert_rowid(self) -> int:
        """Return the last rowid that was inserted."""
        return int(self.execute("SELECT last_insert_rowid()").get)

    def set_busy_timeout(self, milliseconds: int) -> None:
        """Wait that long for another process."""
        self.pragma("busy_timeout", milliseconds)

    def config(self, option: int, value: int) -> None:
        """Set an option of the connection, as far as this SQLite can.

        Schemas stay trusted: earlier ones call json_valid() unsafe in them.
        """
        if option == SQLITE_DBCONFIG_DEFENSIVE and hasattr(self.database, "setconfig"):
            self.database.setconfig(option, bool(value))

    def set_progress_handler(
        self, handler: Callable[[], bool] | None, steps: int = 0
    ) -> None:
        """Ask *handler* every *steps* instructions whether to stop."""
        self.database.set_progress_handler(handler, steps)

    def create_scalar_function(
        self,
        name: str,
        function: Callable[..., Any],
        count: int,
        *,
        deterministic: bool,
        flags: int,
    ) -> None:
        """Define a function of SQL."""
        del flags  # it runs no less where the schema is not trusted
        self.database.create_function(
            name, count, function, deterministic=deterministic
        )

    def serialize(self, name: str) -> bytes:
        """Return the database as a file."""
        with _translating():
            return self.database.serialize(name=name)

    @contextlib.contextmanager
    def backup(
        self, name: str, source: "Connection", source_name: str
    ) -> Iterator["_Backup"]:
        """Yield what copies *source* over this database."""
        yield _Backup(self.database, name, source.database, source_name)

    def close(self) -> None:
        """Close it; an open transaction is rolled back."""
        self.database.close()

    def remember(self, sql: str, names: Sequence[str]) -> None:
        """Remember the names of the parameters of a text that was compiled."""
        self.named.pop(sql, None)
        self.named[sql] = names
        if len(self.named) > _NAMED_LIMIT:
            del self.named[next(iter(self.named))]

    @contextlib.contextmanager
    def muted(self) -> Iterator[None]:
        """Do not ask the authorizer inside."""
        self._is_muted = True
        try:
            yield
        finally:
            self._is_muted = False

    def _authorize(self, *action: Any) -> int:  # noqa: ANN401  # five values
        if self._is_muted or self._ask is None:
            return SQLITE_OK
        return self._ask(*action)


class _Backup:
    def __init__(
        self,
        target: sqlite3.Connection,
        name: str,
        source: sqlite3.Connection,
        source_name: str,
    ) -> None:
        self._target, self._name = target, name
        self._source, self._source_name = source, source_name

    def step(self, pages: int) -> None:
        """Copy all; the module would wait for ever for who holds the target."""
        end = time.monotonic() + _SECONDS_FOR_A_COPY

        def look(status: int, _remaining: int, _total: int) -> None:
            if status in (_BUSY, _LOCKED) and time.monotonic() > end:
                message = "database is locked"
                raise BusyError(message, status)

        with _translating():
            self._source.backup(
                self._target, pages=pages, progress=look, name=self._source_name
            )


class _Names(dict[str, None]):
    """Has every name, and remembers which were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __missing__(self, name: str) -> None:
        self.asked.append(name)


def _by_name(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Return values in the order of the names; the module takes no others soon."""
    if len(names) != len(values):
        message = f"the statement has {len(names)} parameters, not {len(values)}"
        raise BindingsError(message)
    return dict(zip(names, values, strict=True))


def _octet_length(value: SqlValue) -> int | None:
    if value is None:
        return None
    return len(value if isinstance(value, bytes) else str(value).encode())


def _first_of(sql: str) -> tuple[str, str]:
    """Return the first statement, and what follows it."""
    head = _EMPTY.match(sql)
    at = head.end() if head else 0
    while (at := sql.find(";", at) + 1) > 0:
        if sqlite3.complete_statement(sql[:at]):
            return sql[:at], sql[at:]
    return sql, ""


@contextlib.contextmanager
def _translating() -> Iterator[None]:
    """Raise an error of this module for each of the other."""
    try:
        yield
    except sqlite3.Error as error:
        message = str(error)
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            if "Could not decode" in message:
                encoding = "utf-8"
                raise UnicodeDecodeError(encoding, b"", 0, 0, message) from error
            if "closed" in message:
                raise ConnectionClosedError(message) from error
            raise BindingsError(message) from error
        kinds = {
            _BUSY: BusyError,
            _IOERR: IOError,
            _CORRUPT: CorruptError,
            _LOCKED: LockedError,
            _NOTADB: NotADBError,
            _CONSTRAINT: ConstraintError,
        }
        raise kinds.get(code & 0xFF, Error)(message, code) from error
