"""One synchronous SQLite connection: the only module that uses apsw.

Rule 1: each distinct SQL text is prepared once without running it, which tells
        what it writes, what it binds, and whether it is one statement. Later
        calls look that up; a call does nothing more that it could do without.
Rule 2: what a statement writes is told by SQLite's authorizer when it compiles
        it, so no code of ours runs per row. A statement that is compiled again,
        because the schema changed, tells it again.
Rule 3: `take_commit` tells of a commit after it happened. What was rolled back,
        by us, by a trigger or by a conflict clause, is forgotten.
"""

from __future__ import annotations  # to name a type of apsw is no use of it

import contextlib
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pyodide_app.errors import (
    CapabilityError,
    ConstraintError,
    EncryptionError,
    NotADatabaseError,
    NotEncryptedError,
    ParameterError,
    PassphraseRequiredError,
    SqlError,
    StorageClosedError,
    StorageError,
    StorageInUseError,
    TransactionError,
    WrongPassphraseError,
)
from pyodide_app.storage.adapter import Parameters, Row, RunResult, SqlValue
from pyodide_app.storage.encryption import EncryptionKey, is_plain, looks_encrypted
from pyodide_app.storage.parameters import bindings_of, distinct_names, refuse_nan
from pyodide_app.storage.statements import (
    NO_EFFECT,
    Action,
    StatementInfo,
    effects_of,
    is_part_of_definition,
    without_shadows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import apsw
else:
    from pyodide_app.storage import apsw_at_first_use as apsw

__all__ = [
    "ClosedEngine",
    "Engine",
    "Mark",
    "head_of",
    "quote_identifier",
]

_GET_APSW: Final = "pip install apsw-sqlite3mc"

_PAUSE_S = 0.01
"""Between two tries at what another process is in the way of."""

_STATEMENT_CACHE = 256
_KNOWN_LIMIT = 2048
"""Distinct SQL texts remembered, so that a program that builds texts is bounded."""

_HEAD = 512
"""Bytes at the start of a file that tell what it is."""

_FOREIGN_LENGTH_LIMIT = 256 * 1024 * 1024
"""Longest value, in bytes, read from a file that came from elsewhere."""

_FOREIGN_LENGTH_FLOOR = 100_000
"""Bytes allowed also in a small file: what we ask of it takes some, too."""

_FOREIGN_SQL_LENGTH = 100_000
"""Longest definition, in bytes, of a file that came from elsewhere."""

_STEPS_BETWEEN_LOOKS = 1_000
"""Instructions of SQLite between two looks at the clock."""

_SQUARE: Final = (
    *(("instr", 2), ("replace", 3), ("like", 2), ("like", 3), ("glob", 2)),
    *(("trim", 2), ("ltrim", 2), ("rtrim", 2), ("unhex", 2)),
    *(("json_patch", 2), ("jsonb_patch", 2)),
)
"""Functions that take the product of the lengths of two arguments, at one stroke."""

_SQUARE_LIMIT = 20_000_000
"""Of that product: some hundredths of a second."""


_effects_of = lru_cache(maxsize=512)(effects_of)
"""Texts that differ in a value tell the same."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Names what `Engine.begin` began.

    Attributes:
        depth: Number of transactions and savepoints it began inside of.
    """

    depth: int
    is_savepoint: bool

    @property
    def name(self) -> str:
        """The savepoint's name."""
        return f"pyodide_app_{self.depth}"


class Engine:
    """One open connection.

    Args:
        path: A file, or ``:memory:``.
        pragmas: Run in order after opening.
        fixed_pragmas: Names of pragmas that no statement may change afterwards.
        name: What to call the database in errors.
        busy_timeout_ms: How long to wait for another process.
        read_only: Never write to the file.
        key: Opens an encrypted file; a new one becomes encrypted.

    Attributes:
        key: With the cipher that the file has; None if it is not encrypted.
        has_committed: True if something was committed since `take_commit`.

    Raises:
        NotADatabaseError: The file is something else.
        PassphraseRequiredError: It is encrypted, and there is no key.
        WrongPassphraseError: The key is not that of the file.
        NotEncryptedError: There is a key, and the file is not encrypted.
        StorageInUseError: Another process holds it.
        SqlError: It cannot be opened.
    """

    def __init__(
        self,
        path: str,
        *,
        pragmas: Sequence[str] = (),
        fixed_pragmas: frozenset[str] = frozenset(),
        name: str | None = None,
        busy_timeout_ms: int = 0,
        read_only: bool = False,
        key: EncryptionKey | None = None,
        why_unreadable: Callable[[], StorageError | None] = lambda: None,
    ) -> None:
        self._name = name or path
        self._why_unreadable = why_unreadable
        self._fixed_pragmas = fixed_pragmas
        self._known: dict[str, StatementInfo] = {}
        self._columns: dict[tuple[Any, ...], tuple[str, ...]] = {}
        self._actions: list[Action] = []
        self._depth = 0
        self._is_void = False
        self._has_bounds = False
        self._touched: set[str] = set()
        self._has_written = False
        self._committed: set[str] = set()
        self.has_committed = False
        self.key, self._connection = self._unlocked(
            path,
            key,
            lambda key: self._connect(path, key, pragmas, busy_timeout_ms, read_only),
        )
        self._cursor = self._connection.cursor()
        self._connection.authorizer = self._authorize

    @classmethod
    def open_foreign(cls, path: str, key: EncryptionKey | None = None) -> Engine:
        """Open a file that came from elsewhere, to be looked at only.

        No trigger, view, virtual table or CHECK of it can run, no function in its
        schema is trusted, and damaged cells are found instead of followed.

        Raises:
            CapabilityError: apsw is missing, and Python's sqlite3 cannot do so.
        """
        if not _is_apsw():
            reason = f"a file from elsewhere is opened by apsw only; {_GET_APSW}"
            raise CapabilityError(reason)
        return cls(
            path,
            read_only=True,
            pragmas=(
                "cell_size_check = ON",
                "query_only = ON",
                "mmap_size = 0",
                "ignore_check_constraints = ON",
            ),
            key=key,
        )

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        with contextlib.suppress(apsw.ConnectionClosedError):
            self._connection.authorizer = None
        self._connection.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Statements --------------------------------------------------------------

    def run(self, sql: str, parameters: Parameters = None) -> RunResult:
        """Run one statement to its end."""
        info = self._known.get(sql)
        if info is None:
            if not parameters and (result := self._run_once(sql)) is not None:
                return result
            info = self._learn(sql)
        connection = self._connection
        try:
            bindings = self._bindings(info, sql, parameters)
            before = connection.total_changes()
            cursor = self._cursor.execute(sql, bindings)
            if info.has_columns:
                for _ in cursor:
                    pass
            return self._ran(sql, info, before)
        except Exception as error:
            raise self._failed(error, sql) from error

    def get(self, sql: str, parameters: Parameters = None) -> Row | None:
        """Return the first row, or None; what only reads, reads no further."""
        info = self._known.get(sql) or self._learn(sql)
        if info.writes or info.control:
            rows = self.all(sql, parameters)
            return rows[0] if rows else None
        try:
            bindings = self._bindings(info, sql, parameters)
            cursor = self._connection.execute(sql, bindings)
            row = cursor.fetchone()
            if row is None:
                return None
            return dict(zip(self._names(cursor.get_description()), row, strict=True))
        except Exception as error:
            raise self._failed(error, sql) from error

    def all(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Return every row."""
        info = self._known.get(sql) or self._learn(sql)
        connection = self._connection
        rows: list[Row] = []
        try:
            bindings = self._bindings(info, sql, parameters)
            before = connection.total_changes()
            cursor = connection.execute(sql, bindings)
            with contextlib.suppress(apsw.ExecutionCompleteError):
                names = self._names(cursor.get_description())
                # Without a step of Python's own for each row.
                rows = list(map(dict, map(zip, repeat(names), cursor)))
            if self._actions:
                info = self._recompiled(sql, info)
            if not info.writes_rows or connection.total_changes() != before:
                self._note(info)
            return rows
        except Exception as error:
            raise self._failed(error, sql) from error

    def rows(self, sql: str) -> Iterator[tuple[SqlValue, ...]]:
        """Yield every row as it is read; for tables that do not fit into memory."""
        try:
            yield from self._connection.execute(sql)
        except Exception as error:
            raise self._failed(error, sql) from error

    def exec(self, script: str) -> None:
        """Run every statement of *script*, each on its own.

        If one fails, those before it stand, except that a transaction which the
        script itself began is rolled back.
        """
        connection, actions = self._connection, self._actions
        was_in_transaction = connection.in_transaction
        previous: StatementInfo | None = None
        # A script of thousands has a few kinds of statements, each told by what it
        # does; a pragma that writes does nothing that is told.
        kinds: dict[tuple[bool, tuple[Action, ...]], StatementInfo] = {}

        def trace(cursor: apsw.Cursor, text: str, _bindings: object) -> bool:
            nonlocal previous
            kind = (cursor.is_readonly, tuple(actions))
            info = kinds.get(kind)
            # Before the one that ran is noted: the actions told are this one's.
            if info is None:
                info = kinds[kind] = self._describe(cursor)
            else:
                actions.clear()
            if previous is not None:
                self._note(previous)
            previous = None
            if cursor.bindings_count:
                reason = "exec() binds no parameters; use run()"
                raise ParameterError(reason, text)
            if info.control:
                self._check_control(info)
            previous = info
            return True

        cursor = self._connection.cursor()
        cursor.exec_trace = trace
        try:
            for _ in cursor.execute(script, _no_values(), can_cache=False):
                pass
            if previous is not None:
                self._note(previous)
        except Exception as error:
            failure = self._failed(error, script)
            if self._connection.in_transaction and not was_in_transaction:
                self._connection.execute("ROLLBACK")
                self._forget()
            raise failure from error
        finally:
            self._actions.clear()

    def check(self, sql: str) -> None:
        """Raise what SQLite says against *sql* before it runs."""
        if sql not in self._known:
            self._learn(sql)

    # Transactions ------------------------------------------------------------

    @property
    def in_transaction(self) -> bool:
        """True between a BEGIN and its end, whoever began."""
        return self._connection.in_transaction

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside, or undo it if it raises."""
        mark = self.begin()
        try:
            yield
            self.commit(mark)
        except BaseException:
            self.roll_back(mark)
            raise

    def begin(self) -> Mark:
        """Begin a transaction, or a savepoint within one; return its mark."""
        mark = Mark(self._depth, is_savepoint=self._connection.in_transaction)
        self._control(
            f"SAVEPOINT {mark.name}" if mark.is_savepoint else "BEGIN IMMEDIATE"
        )
        self._depth += 1
        return mark

    def commit(self, mark: Mark) -> None:
        """End what `begin` began. If it raises, `roll_back` must follow."""
        self._check_void()
        self._control(f"RELEASE {mark.name}" if mark.is_savepoint else "COMMIT")
        self._leave(mark)
        self._settle()

    def roll_back(self, mark: Mark) -> None:
        """Undo what happened since `begin`, and what was begun inside it."""
        # A RAISE(ROLLBACK) trigger has already ended the transaction; a second
        # ROLLBACK would replace the real error by "no transaction is active".
        if not self._connection.in_transaction:
            self._forget()
        elif mark.is_savepoint:
            self._control(f"ROLLBACK TO {mark.name}")
            self._control(f"RELEASE {mark.name}")
        else:
            self._control("ROLLBACK")
            self._forget()
        self._leave(mark)

    def take_commit(self) -> frozenset[str]:
        """Return the tables that commits since the last call wrote."""
        tables = frozenset(self._committed)
        self._committed.clear()
        self.has_committed = False
        return tables

    # What came from elsewhere --------------------------------------------------

    @contextlib.contextmanager
    def time_limit(self, seconds: float) -> Iterator[None]:
        """Interrupt a statement that runs longer; its error is SQLITE_INTERRUPT.

        The clock is looked at between two functions, never within one; so those
        that could take long refuse what takes them long, from now on.
        """
        self._bound_functions()
        end = time.monotonic() + seconds
        self._connection.set_progress_handler(
            lambda: time.monotonic() > end, _STEPS_BETWEEN_LOOKS
        )
        try:
            yield
        finally:
            self._connection.set_progress_handler(None)

    @contextlib.contextmanager
    def only_definitions(self) -> Iterator[None]:
        """Refuse inside every statement but CREATE TABLE and CREATE INDEX."""

        def authorize(
            action: int,
            first: str | None,
            second: str | None,
            schema: str | None,
            source: str | None,
        ) -> int:
            if not is_part_of_definition(action, first, schema):
                return apsw.SQLITE_DENY
            return self._authorize(action, first, second, schema, source)

        self._connection.authorizer = authorize
        try:
            yield
        finally:
            self._connection.authorizer = self._authorize

    # The whole database ------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes in the database."""
        return self._pragma("page_count") * self._pragma("page_size")

    @property
    def page_size(self) -> int:
        """In bytes."""
        return self._pragma("page_size")

    def problems_found_by(self, pragma: str) -> int:
        """Return how many problems ``quick_check`` or ``integrity_check`` finds.

        At most 100. What it says of them may name what is in the database.
        """
        try:
            rows = self.all(f"PRAGMA {pragma}")
        except SqlError:
            # Damage that it cannot read past.
            return 1
        return 0 if rows == [{pragma: "ok"}] else len(rows)

    @property
    def user_version(self) -> int:
        """The number that a program gives its schema."""
        return self._pragma("user_version")

    @property
    def encoding(self) -> str:
        """How the database keeps text: ``UTF-8``, ``UTF-16le`` or ``UTF-16be``."""
        return str(self._connection.pragma("encoding"))

    def tables(self) -> frozenset[str]:
        """Return the names of all tables, without SQLite's own."""
        rows = self._connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' "
            "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        )
        return frozenset(str(name) for (name,) in rows)

    def ensure_header(self) -> None:
        """Make sure that the file is not empty, so that it is known by its header."""
        if self._pragma("page_count") == 0:
            self.run("PRAGMA user_version = 0")

    def serialize(self) -> bytes:
        """Return the database as a file that needs no WAL."""
        self.ensure_header()
        image = bytearray(self._connection.serialize("main"))
        # Bytes 18 and 19 say "WAL"; a reader without write access needs "legacy".
        # Source: https://sqlite.org/fileformat2.html#file_format_version_numbers
        image[18:20] = b"\x01\x01"
        return bytes(image)

    def copy_to(self, path: str, key: EncryptionKey | None) -> None:
        """Make *path* a compact copy of the database, encrypted by *key* or plain.

        Args:
            path: A file that is nobody's: what fails is left behind there.
            key: None makes a plain file.
        """
        self.ensure_header()
        if key is not None and not _is_apsw():
            reason = f"Python's sqlite3 cannot encrypt; {_GET_APSW}"
            raise EncryptionError(reason)
        # A copy whose key is not named gets that of its source.
        target = key or self.key
        try:
            name = path if target is None else target.uri(path)
            self._connection.execute("VACUUM INTO ?", (name,))
            if key is None and self.key is not None:
                with Engine(
                    path, key=self.key, pragmas=("journal_mode = OFF",)
                ) as copy:
                    copy._change_key(None)
        except Exception as error:
            raise self._told(error) from error
        finally:
            self._actions.clear()

    def change_key(self, key: EncryptionKey | None) -> None:
        """Encrypt the file by *key*, or decrypt it, in one transaction.

        Raises:
            StorageInUseError: Another connection has it open.
        """
        if not _is_apsw():
            reason = f"Python's sqlite3 cannot encrypt; {_GET_APSW}"
            raise EncryptionError(reason)
        mode = str(self._connection.pragma("journal_mode"))
        try:
            # A write-ahead log would hold pages of the old key.
            self._connection.pragma("journal_mode", "delete")
            try:
                self._change_key(key)
            finally:
                self._connection.pragma("journal_mode", mode)
        except Exception as error:
            raise self._told(error) from error
        finally:
            self._actions.clear()

    def copy_from(self, path: str) -> None:
        """Make this database equal the file at *path*, in one transaction.

        The file is encrypted by the same key, or plain if this one is. A connection
        keeps the text encoding that it began with: if the file has another one,
        nothing can be read until the database is opened anew.

        Raises:
            StorageError: It failed; this database is as it was.
        """
        page_size = self._pragma("page_size")
        try:
            with contextlib.closing(
                apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
            ) as source:
                if self.key is not None:
                    _set_key(source, self.key)
                if source.pragma("page_size") != page_size:
                    # A copy cannot change the page size of its target.
                    source.pragma("journal_mode", "DELETE")
                    source.pragma("page_size", page_size)
                    source.execute("VACUUM")
                with self._connection.backup("main", source, "main") as backup:
                    backup.step(-1)
        except Exception as error:
            raise self._told(error) from error
        self._known.clear()

    # Private -----------------------------------------------------------------

    def _change_key(self, key: EncryptionKey | None) -> None:
        if key is None:
            self._connection.pragma("hexrekey", "")
        else:
            *settings, (_, secret) = key.pragmas.items()
            for name, value in settings:
                self._connection.pragma(name, value)
            self._connection.pragma("hexrekey", secret)
        self.key = key and key.with_cipher(key.cipher or "chacha20")

    def _unlocked(
        self,
        path: str,
        key: EncryptionKey | None,
        connect: Callable[[EncryptionKey | None], apsw.Connection],
    ) -> tuple[EncryptionKey | None, apsw.Connection]:
        """Return an open connection, and the key that has opened it."""
        head = head_of(path)
        if key is not None and not _is_apsw():
            reason = f"Python's sqlite3 cannot encrypt; {_GET_APSW}"
            raise EncryptionError(reason)
        if key is None:
            try:
                return None, connect(None)
            except NotADatabaseError:
                if looks_encrypted(head, Path(path).stat().st_size):
                    raise PassphraseRequiredError(self._name) from None
                raise
        if is_plain(head):
            raise NotEncryptedError(self._name)
        for choice in key.choices:
            try:
                return choice, connect(choice)
            except NotADatabaseError:
                continue
        raise WrongPassphraseError(self._name)

    def _connect(
        self,
        path: str,
        key: EncryptionKey | None,
        pragmas: Sequence[str],
        busy_timeout_ms: int,
        read_only: bool,
    ) -> apsw.Connection:
        # A name that is a URI is one of ours: see `copy_to`.
        flags = apsw.SQLITE_OPEN_URI | (
            apsw.SQLITE_OPEN_READONLY
            if read_only
            else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        )
        connection = None
        try:
            connection = apsw.Connection(
                path, flags=flags, statementcachesize=_STATEMENT_CACHE
            )
            connection.set_busy_timeout(busy_timeout_ms)
            connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            if read_only:
                _distrust(connection, Path(path).stat().st_size)
            if key is not None:
                _set_key(connection, key)
            for pragma in pragmas:
                _run_patiently(connection, f"PRAGMA {pragma}", busy_timeout_ms)
            # Opening reads nothing; this fails if the file is no database.
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
            return connection
        except Exception as error:
            if connection is not None:
                connection.close()
            raise self._told(error) from error

    def _authorize(
        self,
        action: int,
        first: str | None,
        second: str | None,
        schema: str | None,
        _source: str | None,
    ) -> int:
        if action not in NO_EFFECT:
            self._actions.append((action, first, second, schema))
        elif (
            second is not None
            and action == apsw.SQLITE_PRAGMA
            and first in self._fixed_pragmas
        ):
            return apsw.SQLITE_DENY
        return apsw.SQLITE_OK

    def _run_once(self, sql: str) -> RunResult | None:
        """Run a text with its values written out, which may never come again.

        It is compiled once, and remembered by what that tells. None: nothing has
        run, because it is not one statement without parameters and nothing behind it.
        """
        if not isinstance(sql, str) or "\0" in sql:
            return None
        info: StatementInfo | None = None

        def trace(cursor: apsw.Cursor, text: str, _bindings: object) -> bool:
            nonlocal info
            if len(text) < len(sql) or not cursor.has_vdbe or cursor.bindings_count:
                return False
            info = self._describe(cursor)
            self._bindings(info, sql, None)
            return True

        connection = self._connection
        cursor = connection.cursor()
        cursor.exec_trace = trace
        try:
            before = connection.total_changes()
            for _ in cursor.execute(sql, _no_values(), can_cache=False):
                pass
            if info is None:
                return None
            self._remember(sql, info)
            return self._ran(sql, info, before)
        except apsw.ExecTraceAbort:
            self._actions.clear()
            return None
        except Exception as error:
            raise self._failed(error, sql) from error

    def _learn(self, sql: str) -> StatementInfo:
        """Prepare *sql* without running it, and remember what it is."""
        if not isinstance(sql, str):
            msg = f"sql must be str, not {type(sql).__name__}"
            raise TypeError(msg)
        if "\0" in sql:
            reason = "the text holds a null character; bind such a value instead"
            raise SqlError(reason, sql=sql)
        first, info = self._prepare(sql)
        if info is None:
            reason = "there is no statement in the text"
            raise SqlError(reason, sql=sql)
        if len(first) < len(sql) and self._prepare(sql[len(first) :])[1]:
            reason = "the text holds more than one statement; use exec()"
            raise SqlError(reason, sql=sql)
        self._remember(sql, info)
        return info

    def _remember(self, sql: str, info: StatementInfo) -> None:
        if len(self._known) >= _KNOWN_LIMIT:
            self._known.clear()
        self._known[sql] = info

    def _prepare(self, sql: str) -> tuple[str, StatementInfo | None]:
        """Return the first statement's text, and what it is if it is not empty."""
        first, info = "", None

        def trace(cursor: apsw.Cursor, text: str, _bindings: object) -> bool:
            nonlocal first, info
            first = text
            info = self._describe(cursor) if cursor.has_vdbe else None
            return False

        cursor = self._connection.cursor()
        cursor.exec_trace = trace
        try:
            # A statement from the cache would not be compiled, and tell nothing.
            cursor.execute(sql, _no_values(), can_cache=False)
        except apsw.ExecTraceAbort:
            pass
        except Exception as error:
            raise self._failed(error, sql) from error
        finally:
            self._actions.clear()
        return first, info

    def _describe(self, cursor: apsw.Cursor) -> StatementInfo:
        """Return what the statement is that *cursor* has just prepared."""
        tables, defines, control = _effects_of(tuple(self._actions))
        self._actions.clear()
        writes = not cursor.is_readonly
        return StatementInfo(
            tables=tables,
            writes=writes,
            writes_rows=writes and bool(tables) and not defines,
            control=control,
            names=cursor.bindings_names,
            has_columns=bool(cursor.get_description()),
        )

    def _bindings(self, info: StatementInfo, sql: str, parameters: Parameters) -> Any:  # noqa: ANN401  # what apsw takes
        if self._depth:
            self._check_void()
            if info.control:
                self._check_control(info)
        kind = parameters.__class__
        if kind is tuple or kind is list:
            refuse_nan(parameters, sql)  # type: ignore[arg-type]  # a sequence
            return parameters
        return bindings_of(parameters, info.names, sql)

    def _names(self, description: tuple[Any, ...]) -> tuple[str, ...]:
        names = self._columns.get(description)
        if names is None:
            if len(self._columns) >= _KNOWN_LIMIT:
                self._columns.clear()
            names = distinct_names([column[0] for column in description])
            self._columns[description] = names
        return names

    def _recompiled(self, sql: str, info: StatementInfo) -> StatementInfo:
        """Return what *sql* is, which SQLite has compiled again while running it.

        It has told of triggers that came meanwhile, or of what FTS5 compiled for
        its own tables.
        """
        told, _, _ = _effects_of(tuple(self._actions))
        self._actions.clear()
        tables = without_shadows(info.tables | told)
        if info.writes and tables != info.tables:
            info = replace(info, tables=tables)
            self._known[sql] = info
        return info

    def _ran(self, sql: str, info: StatementInfo, before: int) -> RunResult:
        """Note a statement that has run; *before* counts the changes until then."""
        connection = self._connection
        if self._actions:
            info = self._recompiled(sql, info)
        changes = 0
        if not info.writes_rows:
            self._note(info)
        elif connection.total_changes() != before:
            changes = connection.changes()
            self._note(info)
        return RunResult(changes, connection.last_insert_rowid() or None)

    def _note(self, info: StatementInfo) -> None:
        """Note what a statement did that has run."""
        if info.writes:
            self._touched.update(info.tables)
            self._has_written = True
        elif info.control == "ROLLBACK" and not self._connection.in_transaction:
            self._forget()
        if self._has_written:
            self._settle()

    def _settle(self) -> None:
        """What was written has been committed, if no transaction is open."""
        if self._has_written and not self._connection.in_transaction:
            self._committed |= self._touched
            self.has_committed = True
            self._forget()

    def _forget(self) -> None:
        self._touched.clear()
        self._has_written = False

    def _leave(self, mark: Mark) -> None:
        self._depth = mark.depth
        if mark.depth == 0:
            self._is_void = False

    def _check_void(self) -> None:
        if self._is_void:
            reason = "SQLite has rolled this transaction back; run all of it again"
            raise TransactionError(reason)

    def _check_control(self, info: StatementInfo) -> None:
        if self._depth and info.control in {"BEGIN", "COMMIT", "ROLLBACK"}:
            reason = (
                f"{info.control} inside transaction() would end what it does not "
                "own; return or raise instead, or nest transaction()"
            )
            raise TransactionError(reason)

    def _control(self, sql: str) -> None:
        try:
            self._cursor.execute(sql)
        except Exception as error:
            raise self._failed(error, sql) from error
        finally:
            self._actions.clear()

    def _bound_functions(self) -> None:
        if self._has_bounds:
            return
        # It keeps SQLite's own, which cannot be had back once they are replaced.
        calculator = apsw.Connection(":memory:")
        for name, count in _SQUARE:
            self._connection.create_scalar_function(
                name,
                _bounded(calculator, name, count),
                count,
                deterministic=True,
                flags=apsw.SQLITE_INNOCUOUS,
            )
        self._has_bounds = True

    def _pragma(self, name: str) -> int:
        return int(self._connection.pragma(name))

    def _failed(self, error: Exception, sql: str) -> Exception:
        """Return the error to raise; forget what SQLite has rolled back."""
        self._actions.clear()
        if not self._connection.in_transaction:
            self._forget()
            self._is_void = self._depth > 0
        return self._told(error, sql)

    def _told(self, error: Exception, sql: str = "") -> Exception:
        """Return *error* as one of ours, or what lies behind it."""
        # SQLite takes some failures to read for damage of the file.
        is_unreadable = isinstance(error, apsw.IOError | apsw.CorruptError)
        if is_unreadable and (reason := self._why_unreadable()):
            return reason
        return _translated(error, sql, self._name)


class ClosedEngine:
    """Stands where no connection is open: every use says so."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # never returns
        raise StorageClosedError


def head_of(path: str) -> bytes:
    """Return what tells what a file is; nothing if there is none."""
    try:
        with Path(path).open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _is_apsw() -> bool:
    return apsw.Connection.__module__ == "apsw"


def _no_values() -> Any:  # noqa: ANN401  # apsw's own
    """Bind NULL to everything: values of a statement that is only prepared."""
    return apsw._null_bindings  # type: ignore[attr-defined]  # not in the stub


def _set_key(connection: apsw.Connection, key: EncryptionKey) -> None:
    for name, value in key.pragmas.items():
        connection.pragma(name, value)


def _run_patiently(connection: apsw.Connection, sql: str, timeout_ms: int) -> None:
    """Run *sql*, again and again while another process is in the way.

    A change of the journal mode does not wait for SQLite's own busy timeout, and two
    processes that create one file both change it.
    """
    deadline = time.monotonic() + timeout_ms / 1000
    while True:
        try:
            connection.execute(sql).fetchall()
        except apsw.BusyError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _distrust(connection: apsw.Connection, size: int) -> None:
    """Take from *connection* what a file of *size* bytes could misuse.

    It comes before the first look into the file: reading a schema compiles it.
    """
    connection.drop_modules(None)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0)
    connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
    # No value that is stored is longer than its file; one that is made may be.
    longest = min(max(size, _FOREIGN_LENGTH_FLOOR), _FOREIGN_LENGTH_LIMIT)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, longest)
    connection.limit(apsw.SQLITE_LIMIT_SQL_LENGTH, _FOREIGN_SQL_LENGTH)


def _bounded(
    calculator: apsw.Connection, name: str, count: int
) -> Callable[..., SqlValue]:
    """Return SQLite's function, which refuses arguments that are too long."""
    sql = f"SELECT {name}({', '.join('?' * count)})"

    def call(*values: SqlValue) -> SqlValue:
        lengths = [len(value) for value in values if isinstance(value, str | bytes)]
        *_, second, first = sorted([0, 0, *lengths])
        if first * second > _SQUARE_LIMIT:
            reason = f"{name}() of values of {first} and {second} takes too long"
            raise SqlError(reason, sql=sql)
        result: SqlValue = calculator.execute(sql, values).get
        return result

    return call


def quote_identifier(name: str) -> str:
    """Return *name* as SQL that names exactly it."""
    return '"' + name.replace('"', '""') + '"'


def _translated(error: Exception, sql: str, name: str) -> Exception:
    """Return *error* as one of ours; what is no fault of SQLite's stays."""
    if isinstance(error, StorageError):
        return error
    if isinstance(error, apsw.Error):
        return _translated_sqlite(error, sql, name)
    if isinstance(error, UnicodeDecodeError):
        reason = "a stored text is not valid UTF-8; read it with CAST(… AS BLOB)"
        return SqlError(reason, "SQLITE_ERROR", sql)
    if isinstance(error, UnicodeEncodeError):
        reason = "a text holds half a surrogate pair, which UTF-8 cannot store"
        return ParameterError(reason, sql)
    if isinstance(error, OverflowError):
        return ParameterError("an integer does not fit into 64 bits", sql)
    if isinstance(error, TypeError | ValueError | KeyError):
        return ParameterError(f"a value cannot be bound: {error}", sql)
    return error


def _translated_sqlite(error: apsw.Error, sql: str, name: str) -> StorageError:
    if isinstance(error, apsw.BindingsError):
        return ParameterError(str(error), sql)
    if isinstance(error, apsw.ConstraintError):
        return ConstraintError(str(error), _code_of(error), sql)
    if isinstance(error, apsw.NotADBError):
        return NotADatabaseError(name)
    if isinstance(error, apsw.BusyError | apsw.LockedError) and not sql:
        return StorageInUseError(name)
    if isinstance(error, apsw.ConnectionClosedError | apsw.CursorClosedError):
        return StorageClosedError()
    return SqlError(str(error), _code_of(error), sql)


def _code_of(error: apsw.Error) -> str:
    number = getattr(error, "extendedresult", apsw.SQLITE_ERROR)
    name = apsw.mapping_extended_result_codes.get(
        number, apsw.mapping_result_codes.get(number, "SQLITE_ERROR")
    )
    return str(name)
