"""A database on a PostgreSQL server, for what runs in the cloud.

Rule 1: tables lie in one schema that is ours, see `postgres.schema`. The rest of the
        server's database is nobody's business here.
Rule 2: statements of one adapter run one after the other, as on SQLite. Other
        processes, and other adapters, run beside it; each transaction sees one
        snapshot, and two that change the same rows do not both commit.
Rule 3: a failing statement inside a transaction undoes itself alone. PostgreSQL
        would give the transaction up, so each one has a savepoint.
Rule 4: a connection that died is never used again. What was in a transaction is
        undone by the server; the pool makes a new connection for the next call.
"""

import asyncio
import contextlib
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import gettempdir
from typing import Any, ClassVar, Final, Literal, TypeVar

from pyodide_app.errors import (
    CapabilityError,
    ConnectionLostError,
    ConstraintError,
    EncryptionError,
    MissingDependencyError,
    NotEncryptedError,
    ParameterError,
    PassphraseRequiredError,
    RecordNotFoundError,
    RestorePointNotFoundError,
    ServerLoginError,
    ServerUnavailableError,
    SqlError,
    StorageClosedError,
    StorageError,
    TransactionError,
)
from pyodide_app.ids import new_id, now_ms
from pyodide_app.storage.adapter import (
    BatchError,
    BatchOperation,
    BatchResult,
    Dialect,
    Durability,
    Parameters,
    QuarantinedItem,
    RestorePoint,
    Row,
    RunResult,
    SqlValue,
    StorageAdapter,
    StorageStatus,
    Store,
    cannot_move,
)
from pyodide_app.storage.adapters.sqlite import ENGINE_PRAGMAS, PreparedStatement
from pyodide_app.storage.changes import ChangeFeed
from pyodide_app.storage.diagnostics import Diagnosis, Verification, diagnosis_of
from pyodide_app.storage.encryption import Cipher, EncryptionKey, is_plain
from pyodide_app.storage.engine import Engine, Mark, head_of, quote_identifier
from pyodide_app.storage.migrations import CREATE_LOG, Migration, migrate, pending_of
from pyodide_app.storage.parameters import bindings_of, distinct_names
from pyodide_app.storage.postgres.dialect import Translated, split_script, translate
from pyodide_app.storage.postgres.files import (
    COLUMNS_OF,
    KEYS_OF,
    create_statements,
    tables_of,
)
from pyodide_app.storage.postgres.schema import (
    COLLATIONS,
    COMPATIBILITY,
    DERIVED,
    statements_for,
)
from pyodide_app.storage.schema import MIGRATIONS, PUBLIC_TABLES
from pyodide_app.storage.turns import Scope

__all__ = ["PostgresAdapter"]

T = TypeVar("T")

_OLDEST_SERVER: Final = 160000
_CONNECT_SECONDS: Final = 5
_RESTORE_POINTS: Final = 10
_DAY_MS: Final = 24 * 60 * 60 * 1000
_PAGE_SIZE: Final = 8192
_ROWS_AT_A_TIME: Final = 500
_KNOWN_LIMIT: Final = 2048

_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ"
_STATEMENT: Final = "pyodide_app_statement"
_ALONE: Final = frozenset({"VACUUM", "REINDEX", "CLUSTER", "SET", "RESET", "SHOW"})
"""Statements that PostgreSQL runs outside a transaction, or that are for later."""

_SQLITE_CODES: Final = {
    "23502": "SQLITE_CONSTRAINT_NOTNULL",
    "23503": "SQLITE_CONSTRAINT_FOREIGNKEY",
    "23505": "SQLITE_CONSTRAINT_UNIQUE",
    "23514": "SQLITE_CONSTRAINT_CHECK",
}
_LOGIN: Final = ("28", "3D")
"""Classes of SQLSTATE: invalid authorization, invalid catalog name."""

# The counters are those since the last flush, which is asked for at the commit.
_TOUCHED: Final = """
SELECT relname AS name, pg_stat_force_next_flush() FROM pg_stat_xact_user_tables
WHERE schemaname = $1 AND n_tup_ins + n_tup_upd + n_tup_del > 0
"""
_ROWID: Final = """
SELECT attname AS name FROM pg_attribute
WHERE attrelid = to_regclass($1) AND attidentity <> ''
"""
_TABLES: Final = "SELECT tablename AS name FROM pg_tables WHERE schemaname = $1"
_FUNCTIONS: Final = """
SELECT oid::regprocedure::text AS name FROM pg_proc
WHERE pronamespace = $1::regnamespace
"""


class PostgresAdapter:
    """A `StorageAdapter` over a PostgreSQL server, version 16 or newer.

    A call that wrote returns after the server has made it durable. Text cannot hold
    NUL, and a column holds values of its type only; what does not fit is refused.
    Restore points are copies as SQLite files on the server, in ``<schema>_sqlite``.

    Args:
        connection_string: Of libpq, as a URI or as ``key=value`` words.
        schema: Holds every table; it is created if missing, and replaced as a whole
            by `import_database`.

    Raises:
        MissingDependencyError: psycopg is not installed.
    """

    kind: ClassVar[str] = "postgres"
    dialect: ClassVar[Dialect] = "postgres"
    capabilities: ClassVar[frozenset[str]] = frozenset(
        {
            "transactions",
            "locks",
            "persistence",
            "json",
            "prepared",
            "batch",
            "concurrent",
        }
    )

    def __init__(self, connection_string: str, *, schema: str = "agentos") -> None:
        self._psycopg = _imported("psycopg")
        self._conninfo = connection_string
        self._schema = schema
        self.durability: Durability = "commit"
        self.changes = ChangeFeed()
        self._pool: Any = None
        self._held: Any = None
        self._is_pinned = False
        self._lock = asyncio.Lock()
        self._scope = Scope(self)
        self._depth = 0
        self._savepoint: str | None = None
        self._is_lost = False
        self._has_written = False
        self._defined: set[str] = set()
        self._last_row_id: int | None = None
        self._known: dict[str, Translated] = {}
        self._rowids: dict[str, str | None] = {}

    @property
    def is_open(self) -> bool:
        """True between `open` and `close`."""
        return self._pool is not None

    # Life --------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and make the schema if it is missing. A second call does nothing.

        Raises:
            ServerUnavailableError: The server cannot be reached.
            ServerLoginError: It does not let this user in.
            CapabilityError: It is older than version 16.
        """
        async with self._alone("open()"):
            if self.is_open:
                return
            pool_package = _imported("psycopg_pool")
            await self._prepare_server()
            pool = pool_package.AsyncConnectionPool(
                self._conninfo,
                min_size=1,
                max_size=1,
                open=False,
                check=pool_package.AsyncConnectionPool.check_connection,
                configure=self._configure,
                timeout=_CONNECT_SECONDS,
                reconnect_timeout=_CONNECT_SECONDS,
                kwargs=self._settings,
            )
            await pool.open()
            self._pool = pool
            self.changes.open()

    async def close(self) -> None:
        """Close the connections. A second call does nothing.

        A transaction begun with ``run("BEGIN")`` is rolled back.
        """
        async with self._alone("close()"):
            if not self.is_open:
                return
            pool, held = self._pool, self._held
            self._pool = self._held = None
            self._is_pinned = False
            self._forget()
            if held is not None:
                await pool.putconn(held)
            await pool.close()
            self.changes.close()

    async def flush(self) -> None:
        """Return when everything committed so far is durable: it is."""
        self._check_open()

    async def status(self) -> StorageStatus:
        """Return that every commit is durable on the server."""
        async with self._turn():
            [row] = await self._query("SELECT page_count FROM pragma_page_count")
        return StorageStatus(
            mode="postgres",
            durability=self.durability,
            committed_seq=self.changes.seq,
            durable_seq=self.changes.seq,
            database_bytes=int(row["page_count"] or 0) * _PAGE_SIZE,
            details={"server": self._server, "schema": self._schema},
        )

    # Statements --------------------------------------------------------------

    async def run(self, sql: str, parameters: Parameters = None) -> RunResult:
        """Run exactly one statement, see `StorageAdapter.run`."""
        async with self._turn():
            _, result = await self._perform(sql, parameters)
        return result

    async def get(self, sql: str, parameters: Parameters = None) -> Row | None:
        """Return the first row, or None; what only reads, reads no further."""
        async with self._turn():
            rows, _ = await self._perform(sql, parameters, first=True)
        return rows[0] if rows else None

    async def all(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Return all rows."""
        async with self._turn():
            rows, _ = await self._perform(sql, parameters)
        return rows

    async def exec(self, script: str) -> None:
        """Run every statement of *script*, each on its own."""
        async with self._turn():
            was_in_transaction = self._held is not None
            try:
                for statement in split_script(script):
                    await self._perform(statement)
            except BaseException:
                if self._held is not None and not was_in_transaction:
                    await self._perform("ROLLBACK")
                raise

    async def prepare(self, sql: str) -> PreparedStatement:
        """Return *sql* checked and ready to run many times."""
        async with self._turn():
            statement = self._translated(sql)
            if statement.reads or statement.writes_rows:
                check = f"PREPARE pyodide_app_check AS {statement.sql}"
                await self._query(check)
                await self._query("DEALLOCATE pyodide_app_check")
        return PreparedStatement(self, sql)

    # Transactions ------------------------------------------------------------

    async def transaction(self, work: Callable[[StorageAdapter], Awaitable[T]]) -> T:
        """Return what *work* returns; commit, or roll back if it raises.

        Raises:
            TransactionError: Another one has changed the same rows meanwhile; run
                all of it again.
            ConnectionLostError: The server died; nothing of it is committed, unless
                it died in the commit itself.
        """
        outer = await self._scope.take_turn()
        try:
            self._check_open()
            async with self._lock:
                outer.check()
                mark = await self._begin()
            # It may have been undone meanwhile, and this with it.
            outer.check()
            scope = outer.enter()
            is_undone = True
            try:
                result = await work(self)
                scope.check()
                # Tasks that *work* left running inside end their turn first.
                await scope.turns.take()
                async with self._lock:
                    await self._commit(mark)
                is_undone = False
            finally:
                was_open = scope.is_open
                # Before the rollback is awaited: nobody else may get in between.
                scope.leave(is_undone=is_undone)
                if is_undone and was_open:
                    async with self._lock:
                        await self._roll_back(mark)
            return result
        finally:
            outer.turns.hand_over()

    async def batch(self, operations: Sequence[BatchOperation]) -> BatchResult:
        """Run *operations* in one transaction; a failing one is left out."""
        results: list[RunResult | None] = []
        errors: list[BatchError] = []

        async def work(adapter: StorageAdapter) -> None:
            for index, operation in enumerate(operations):
                result = None
                try:
                    result = await adapter.run(
                        operation.statement, operation.parameters
                    )
                except ConnectionLostError:
                    raise
                except StorageError as error:
                    errors.append(BatchError(index, error))
                results.append(result)

        await self.transaction(work)
        return BatchResult(
            successful=len(results) - len(errors),
            failed=len(errors),
            results=tuple(results),
            errors=tuple(errors),
        )

    async def migrate(self, history: Sequence[Migration]) -> tuple[Migration, ...]:
        """Bring the schema to the last version in *history*."""
        async with self._alone("migrate()"), self._pinned():
            # Other processes may be at the same; the second one finds it done.
            await self._query("SELECT pg_advisory_lock(hashtext($1))", (self._schema,))
            try:
                applied = await self._applied()
                pending = pending_of(applied, history)
                if pending and applied:
                    await self._keep("before migration")
                for migration in pending:
                    mark = await self._begin()
                    try:
                        await self._apply(migration)
                        await self._commit(mark)
                    except BaseException:
                        await self._roll_back(mark)
                        raise
                return pending
            finally:
                with contextlib.suppress(StorageError):
                    await self._query(
                        "SELECT pg_advisory_unlock(hashtext($1))", (self._schema,)
                    )

    # The whole database ------------------------------------------------------

    async def compact(self) -> int:
        """Give back the space of what was deleted; return the bytes freed."""
        async with self._alone("compact()"):
            before = await self._size()
            for table in await self._names(_TABLES):
                await self._query(f"VACUUM FULL {quote_identifier(table)}")
            return before - await self._size()

    async def export_database(
        self,
        *,
        passphrase: str | None = None,
        cipher: Cipher = "chacha20",
        keep_encryption: bool = False,
    ) -> bytes:
        """Return an SQLite file as of the last commit, plain or encrypted."""
        del keep_encryption  # there is none to keep
        key = None if passphrase is None else EncryptionKey(passphrase, cipher)
        async with self._alone("export_database()"):
            return await self._image(key)

    async def import_database(
        self,
        data: bytes,
        *,
        trust_schema: bool = False,
        passphrase: str | None = None,
    ) -> None:
        """Replace the database by the SQLite file *data*, after checking it."""
        from pyodide_app.storage.backup import replace_with_backup

        if trust_schema:
            reason = "triggers and views of SQLite cannot run on PostgreSQL"
            raise CapabilityError(reason)
        await replace_with_backup(self, data, trust_schema=False, passphrase=passphrase)

    async def replace_database(
        self, staged_path: str, *, keep_as: str | None = None
    ) -> RestorePoint | None:
        """Make the schema hold what the SQLite file does, in one transaction."""
        async with self._alone("replace_database()"), self._pinned():
            if not is_plain(head_of(staged_path)) and Path(staged_path).exists():
                raise PassphraseRequiredError
            with Engine(staged_path, read_only=True) as engine:
                mark = await self._begin()
                try:
                    kept = None if keep_as is None else await self._keep(keep_as)
                    tables = await self._load(engine)
                    self._defined |= tables
                    await self._commit(mark)
                except BaseException:
                    await self._roll_back(mark)
                    raise
            Path(staged_path).unlink()
            return kept

    @contextlib.asynccontextmanager
    async def attached(self, path: str) -> AsyncIterator[tuple[str, str]]:
        """Copy our tables of an SQLite file to temporary ones of this connection."""
        async with self._pinned():
            try:
                with Engine(path, read_only=True) as engine:
                    for table in tables_of(engine, without=DERIVED):
                        if table.name in PUBLIC_TABLES:
                            name = f"incoming_{table.name}"
                            await self._query(
                                f"CREATE TEMP TABLE {name} (LIKE {table.name})"
                            )
                            await self._insert(
                                f"pg_temp.{name}",
                                table.columns,
                                engine.rows(table.rows),
                            )
                yield "", "pg_temp.incoming_"
            finally:
                for name in PUBLIC_TABLES:
                    with contextlib.suppress(StorageError):
                        await self._query(
                            f"DROP TABLE IF EXISTS pg_temp.incoming_{name}"
                        )

    # Restore points ----------------------------------------------------------

    async def keep_restore_point(self, reason: str) -> RestorePoint:
        """Keep a durable copy of the database as of the last commit."""
        async with self._alone("keep_restore_point()"):
            return await self._keep(reason)

    async def keep_daily_restore_point(self) -> RestorePoint | None:
        """Keep one if the newest is older than a day, and something has changed."""
        async with self._alone("keep_daily_restore_point()"):
            points = await self._points()
            if points:
                newest = points[0]
                if now_ms() - newest.created_at < _DAY_MS:
                    return None
                if await self._point_image(newest.id) == await self._image(None):
                    return None
            return await self._keep("daily")

    async def restore_points(self) -> list[RestorePoint]:
        """Return all restore points, newest first."""
        async with self._turn():
            return await self._points()

    async def read_restore_point(self, id: str) -> bytes:
        """Return the SQLite file of a restore point."""
        async with self._turn():
            return await self._point_image(id)

    async def restore(self, id: str, *, passphrase: str | None = None) -> RestorePoint:
        """Make the database equal a restore point; return one of the state before."""
        del passphrase  # they are never encrypted
        staged = Path(self.scratch_path("restore.db"))
        try:
            staged.write_bytes(await self.read_restore_point(id))
            kept = await self.replace_database(str(staged), keep_as="before restore")
        finally:
            staged.unlink(missing_ok=True)
        if kept is None:
            raise RestorePointNotFoundError(id)
        return kept

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        async with self._turn():
            rows = await self._query(
                f"DELETE FROM {self._beside}.restore_point WHERE id = $1 RETURNING id",
                (id,),
            )
        if not rows:
            raise RestorePointNotFoundError(id)

    # Diagnosis ---------------------------------------------------------------

    async def diagnose(
        self, *, verify: bool = True, integrity_check: bool = False
    ) -> Diagnosis:
        """Return how the database is, with no word of its content."""
        status = await self.status()
        async with self._alone("diagnose()"):
            verification = None
            if verify or integrity_check:
                verification = await self._verified(integrity_check)
            [row] = await self._query("SELECT current_setting('server_version') AS it")
        return diagnosis_of(
            status,
            f"{self._server}/{self._schema}",
            page_size=_PAGE_SIZE,
            engine=f"PostgreSQL {row['it']!s}, psycopg {self._psycopg.__version__}",
            verification=verification,
        )

    async def quarantine(self) -> list[QuarantinedItem]:
        """Return nothing: only a store of records sets any aside."""
        self._check_open()
        return []

    async def read_quarantined(self, id: int) -> bytes:
        """Return the bytes of an item that was set aside."""
        kind = "quarantined item"
        raise RecordNotFoundError(kind, str(id))

    async def delete_quarantined(self, id: int) -> None:
        """Delete an item that was set aside."""
        await self.read_quarantined(id)

    # Encryption --------------------------------------------------------------

    async def encrypt(self, passphrase: str, *, cipher: Cipher = "chacha20") -> None:
        """Refuse: that is for the server's administrator to do."""
        reason = (
            "a PostgreSQL server encrypts its own disk; export an encrypted file, or "
            "use a native adapter"
        )
        raise EncryptionError(reason)

    async def change_passphrase(self, current: str, new: str) -> None:
        """Refuse: there is no passphrase."""
        raise NotEncryptedError(self._server)

    async def decrypt(self, passphrase: str) -> None:
        """Refuse: there is no passphrase."""
        raise NotEncryptedError(self._server)

    async def move_to(self, store: Store) -> None:
        """Refuse: it is on the server."""
        raise cannot_move(store, self.kind)

    def scratch_path(self, name: str) -> str:
        """Return a path in this machine's folder for temporary files."""
        return str(Path(gettempdir()) / f"pyodide-app-{new_id()}-{name}")

    # The server ----------------------------------------------------------------

    @property
    def _settings(self) -> dict[str, object]:
        return {"autocommit": True, "connect_timeout": _CONNECT_SECONDS}

    @property
    def _beside(self) -> str:
        """The schema of what SQLite has and PostgreSQL lacks, quoted."""
        return quote_identifier(f"{self._schema}_sqlite")

    @property
    def _server(self) -> str:
        """Host and database, without any secret."""
        words = self._words
        if words is None:
            return "PostgreSQL"
        return f"PostgreSQL {words.get('host', '')}/{words.get('dbname', '')}"

    @property
    def _words(self) -> dict[str, Any] | None:
        """What the connection string says; None if it makes no sense."""
        try:
            words = self._psycopg.conninfo.conninfo_to_dict(self._conninfo)
        except self._psycopg.Error:
            return None
        host, port = str(words.get("host", "")), str(words.get("port", ""))
        # So it looks if a password holds one of these signs as it is.
        is_cut = "@" in host or (not port.replace(",", "").isdigit() and port != "")
        return None if is_cut else dict(words)

    async def _configure(self, connection: Any) -> None:  # noqa: ANN401  # psycopg's
        """Give a new connection our schema and our types."""
        path = f"{quote_identifier(self._schema)}, {self._beside}"
        await connection.execute(f"SET search_path TO {path}")
        connection.cursor_factory = self._psycopg.AsyncRawCursor
        _use_plain_values(connection)

    async def _prepare_server(self) -> None:
        psycopg = self._psycopg
        if self._words is None:
            # What libpq says of it quotes parts, and one may be the password.
            reason = (
                "its connection string cannot be read; write @ : / in a password as "
                "%40 %3A %2F"
            )
            raise ServerUnavailableError(self._server, reason)
        try:
            connection = await psycopg.AsyncConnection.connect(
                self._conninfo, **self._settings
            )
        except psycopg.Error as error:
            reason = str(error).strip()
            state = error.sqlstate or ""
            if state.startswith(_LOGIN) or _says_login(reason):
                raise ServerLoginError(self._server, reason) from error
            raise ServerUnavailableError(self._server, reason) from error
        try:
            async with connection:
                if connection.info.server_version < _OLDEST_SERVER:
                    reason = "PostgreSQL 16 or newer is needed; update the server"
                    raise CapabilityError(reason)
                await self._make_schemas(connection)
        except psycopg.Error as error:
            raise SqlError(str(error), _code_of(error)) from error

    async def _make_schemas(self, connection: Any) -> None:  # noqa: ANN401  # psycopg's
        async with connection.transaction():
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtext(%s))", (self._schema,)
            )
            beside = f"{self._schema}_sqlite"
            found = await connection.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname IN (%s, %s)",
                (self._schema, beside),
            )
            there = {name for (name,) in await found.fetchall()}
            if self._schema not in there:
                name = quote_identifier(self._schema)
                await connection.execute(f"CREATE SCHEMA {name}")
            if beside in there:
                return
            cursor = await connection.execute(
                "SELECT collname FROM pg_collation WHERE collname = ANY(%s)",
                (list(COLLATIONS),),
            )
            names = {name for (name,) in await cursor.fetchall()}
            await connection.execute(f"CREATE SCHEMA {self._beside}")
            await connection.execute(
                COMPATIBILITY.format(
                    schema=self._schema.replace("'", "''"),
                    sqlite=self._beside,
                    collation=next(name for name in COLLATIONS if name in names),
                )
            )

    # One statement -------------------------------------------------------------

    def _translated(self, sql: str) -> Translated:
        if not isinstance(sql, str):
            msg = f"sql must be str, not {type(sql).__name__}"
            raise TypeError(msg)
        found = self._known.get(sql)
        if found is None:
            if len(self._known) >= _KNOWN_LIMIT:
                self._known.clear()
            found = self._known[sql] = translate(sql)
        return found

    async def _perform(
        self, sql: str, parameters: Parameters = None, *, first: bool = False
    ) -> tuple[list[Row], RunResult]:
        """Run one statement of a caller; the turn is this task's."""
        statement = self._translated(sql)
        values = _values(statement, sql, parameters)
        if self._depth and statement.control in {"BEGIN", "COMMIT", "ROLLBACK"}:
            reason = (
                f"{statement.control} inside transaction() would end what it does not "
                "own; return or raise instead, or nest transaction()"
            )
            raise TransactionError(reason)
        if statement.control:
            await self._control(statement)
            return [], RunResult(0, self._last_row_id)
        text = statement.sql
        if first and statement.verb in {"SELECT", "WITH"} and statement.reads:
            text = f"SELECT * FROM ({text}) AS found LIMIT 1"
        if statement.reads or statement.verb in _ALONE or self._in_transaction:
            inside = self._in_transaction
            return await self._guarded(statement, text, values, sql, inside=inside)
        mark = await self._begin()
        try:
            done = await self._guarded(statement, text, values, sql, inside=False)
            await self._commit(mark)
        except BaseException:
            await self._roll_back(mark)
            raise
        return done

    async def _guarded(
        self,
        statement: Translated,
        text: str,
        values: Sequence[SqlValue],
        sql: str,
        *,
        inside: bool,
    ) -> tuple[list[Row], RunResult]:
        """Run it; *inside* a transaction so that a failure undoes it alone."""
        rowid = await self._rowid_of(statement)
        if rowid is not None:
            text = f"{text} RETURNING {quote_identifier(rowid)}"
        if inside:
            await self._query(f"SAVEPOINT {_STATEMENT}")
        try:
            rows, count = await self._execute(text, values, sql)
            if statement.rowid is not None and statement.defines is not None:
                await self._query(
                    "CREATE OR REPLACE TRIGGER follow_ids BEFORE INSERT ON "
                    f"{quote_identifier(statement.defines)} FOR EACH ROW "
                    f"EXECUTE FUNCTION follow_ids('{statement.rowid}')"
                )
        except BaseException:
            if inside and not self._is_lost:
                await self._query(f"ROLLBACK TO {_STATEMENT}")
                await self._query(f"RELEASE {_STATEMENT}")
            raise
        if inside:
            await self._query(f"RELEASE {_STATEMENT}")
        if statement.writes_rows:
            self._has_written = True
        if statement.defines is not None:
            self._has_written = True
            self._defined.add(statement.defines)
            self._rowids.clear()
        if rowid is not None:
            if rows:
                self._last_row_id = int(rows[-1][rowid] or 0)
            rows = []
        changes = max(count, 0) if statement.writes_rows else 0
        return rows, RunResult(changes, self._last_row_id)

    async def _rowid_of(self, statement: Translated) -> str | None:
        """Return the generated column of the table that it inserts into."""
        table = statement.inserts
        if table is None or statement.returns:
            return None
        if table not in self._rowids:
            rows = await self._query(_ROWID, (quote_identifier(table),))
            self._rowids[table] = str(rows[0]["name"]) if rows else None
        return self._rowids[table]

    async def _control(self, statement: Translated) -> None:
        """Run what begins or ends a transaction of the caller."""
        words = statement.sql.split()
        if statement.verb == "SAVEPOINT" and not self._in_transaction:
            # On SQLite the first savepoint is a transaction.
            await self._hold(_BEGIN)
            self._savepoint = words[-1].lower()
        elif statement.control == "BEGIN":
            if self._in_transaction:
                reason = "a transaction is open; end it first, or use a savepoint"
                raise SqlError(reason, sql=statement.sql)
            await self._hold(_BEGIN)
            return
        is_end = statement.control in {"COMMIT", "ROLLBACK"}
        if is_end and not self._in_transaction:
            reason = "no transaction is open"
            raise SqlError(reason, sql=statement.sql)
        if statement.control == "COMMIT":
            await self._finish("COMMIT")
        elif statement.control == "ROLLBACK":
            await self._finish("ROLLBACK")
        else:
            await self._query(statement.sql)
            if statement.verb == "RELEASE" and words[-1].lower() == self._savepoint:
                await self._finish("COMMIT")

    # The connection --------------------------------------------------------------

    @property
    def _in_transaction(self) -> bool:
        if self._held is None:
            return False
        status = self._held.info.transaction_status
        return bool(status != self._psycopg.pq.TransactionStatus.IDLE)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for the turn of this task; nobody else is on the connection inside."""
        scope = await self._scope.take_turn()
        try:
            async with self._lock:
                scope.check()
                self._check_open()
                yield
        finally:
            scope.turns.hand_over()

    @contextlib.asynccontextmanager
    async def _alone(self, what: str) -> AsyncIterator[None]:
        """Wait until no transaction is open, and let none begin inside."""
        if self._scope.current() is not self._scope:
            reason = f"{what} is not possible inside a transaction; end it first"
            raise TransactionError(reason)
        await self._scope.turns.take()
        try:
            if what not in {"open()", "close()"}:
                self._check_open()
                if self._in_transaction:
                    reason = (
                        f'{what} is not possible after run("BEGIN"); end that first'
                    )
                    raise TransactionError(reason)
            yield
        finally:
            self._scope.turns.hand_over()

    @contextlib.asynccontextmanager
    async def _pinned(self) -> AsyncIterator[None]:
        """Use one and the same connection inside."""
        self._held = await self._taken()
        self._is_pinned = True
        try:
            yield
        finally:
            self._is_pinned = False
            await self._let_go()

    def _check_open(self) -> None:
        if not self.is_open:
            raise StorageClosedError

    async def _taken(self) -> Any:  # noqa: ANN401  # psycopg's
        if self._held is not None:
            return self._held
        try:
            return await self._pool.getconn(_CONNECT_SECONDS)
        except self._psycopg.OperationalError as error:
            raise ServerUnavailableError(self._server, str(error)) from error

    async def _let_go(self) -> None:
        """Give the held connection back, unless it is needed further."""
        held = self._held
        if held is None or (self._is_pinned and not held.closed):
            return
        self._held = None
        await self._pool.putconn(held)

    async def _query(self, sql: str, values: Sequence[SqlValue] = ()) -> list[Row]:
        """Return the rows of a statement of ours."""
        rows, _ = await self._execute(sql, values, sql)
        return rows

    async def _execute(
        self, text: str, values: Sequence[SqlValue], sql: str
    ) -> tuple[list[Row], int]:
        """Run *text* on the held connection, or on one for this alone."""
        if self._is_lost:
            raise ConnectionLostError(self._server)
        connection = await self._taken()
        try:
            cursor = await connection.execute(text, values or None)
            if cursor.description is None:
                return [], cursor.rowcount
            names = distinct_names([column.name for column in cursor.description])
            found = await cursor.fetchall()
            return [
                dict(zip(names, row, strict=True)) for row in found
            ], cursor.rowcount
        except Exception as error:
            raise self._failed(error, connection, sql) from error
        finally:
            if self._held is not connection:
                await self._pool.putconn(connection)

    def _failed(self, error: Exception, connection: Any, sql: str) -> Exception:  # noqa: ANN401  # psycopg's
        """Return the error to raise."""
        psycopg = self._psycopg
        if isinstance(error, UnicodeEncodeError):
            reason = "a text holds half a surrogate pair, which UTF-8 cannot store"
            return ParameterError(reason, sql)
        if not isinstance(error, psycopg.Error):
            return error
        if connection.closed:
            self._is_lost = self._held is connection
            return ConnectionLostError(self._server, str(error).strip())
        state = error.sqlstate
        if state is None:
            return ParameterError(f"a value cannot be bound: {error}", sql)
        if state in ("40001", "40P01"):
            reason = "another transaction has changed the same; run all of it again"
            return TransactionError(reason)
        kind = ConstraintError if state.startswith("23") else SqlError
        return kind(str(error), _code_of(error), sql)

    # Transactions, from inside -----------------------------------------------------

    async def _hold(self, sql: str) -> None:
        self._held = await self._taken()
        try:
            await self._query(sql)
        except BaseException:
            await self._let_go()
            raise

    async def _begin(self) -> Mark:
        """Begin a transaction, or a savepoint in one; return its mark."""
        mark = Mark(self._depth, is_savepoint=self._in_transaction)
        if mark.is_savepoint:
            await self._query(f"SAVEPOINT {mark.name}")
        else:
            await self._hold(_BEGIN)
        self._depth += 1
        return mark

    async def _commit(self, mark: Mark) -> None:
        """End what `_begin` began. If it raises, `_roll_back` must follow."""
        if mark.is_savepoint:
            await self._query(f"RELEASE {mark.name}")
        else:
            await self._finish("COMMIT")
        self._depth = mark.depth

    async def _roll_back(self, mark: Mark) -> None:
        """Undo what happened since `_begin`; a lost connection has done so."""
        self._depth = mark.depth
        if not mark.is_savepoint:
            await self._finish("ROLLBACK")
        elif not self._is_lost:
            await self._query(f"ROLLBACK TO {mark.name}")
            await self._query(f"RELEASE {mark.name}")

    async def _finish(self, word: Literal["COMMIT", "ROLLBACK"]) -> None:
        """Commit or roll back the whole transaction, and tell what it wrote."""
        tables: set[str] = set()
        if word == "COMMIT" and self._has_written:
            tables = self._defined | set(await self._names(_TOUCHED))
        try:
            if word == "COMMIT" or not self._is_lost:
                await self._query(word)
        except ConnectionLostError:
            # Then the server rolls back.
            if word == "COMMIT":
                raise
        self._forget()
        await self._let_go()
        if tables:
            self.changes.publish(frozenset(tables))

    def _forget(self) -> None:
        self._has_written = False
        self._is_lost = False
        self._savepoint = None
        self._defined.clear()

    # Copies ------------------------------------------------------------------------

    async def _names(self, sql: str) -> list[str]:
        return [str(row["name"]) for row in await self._query(sql, (self._schema,))]

    async def _size(self) -> int:
        [row] = await self._query("SELECT page_count FROM pragma_page_count")
        return int(row["page_count"] or 0) * _PAGE_SIZE

    async def _verified(self, integrity_check: bool) -> Verification:
        """Read every value of every table; the server checks the pages it reads."""
        started = time.perf_counter()
        damaged = read = 0
        for table in await self._names(_TABLES):
            try:
                [row] = await self._query(
                    "SELECT sum(octet_length(found::text)) AS bytes "
                    f"FROM {quote_identifier(table)} AS found"
                )
                read += int(row["bytes"] or 0)
            except SqlError:
                damaged += 1
        return Verification(
            ok=damaged == 0,
            problems=("PostgreSQL cannot read all of its tables",) if damaged else (),
            method="read_rows",
            bytes=read,
            compared_image=False,
            duration_ms=(time.perf_counter() - started) * 1000,
            integrity_problems=damaged if integrity_check else None,
        )

    async def _applied(self) -> list[str]:
        if "schema_migration" not in await self._names(_TABLES):
            return []
        rows = await self._query(
            "SELECT checksum FROM schema_migration ORDER BY version"
        )
        return [str(row["checksum"]) for row in rows]

    async def _apply(self, migration: Migration) -> None:
        """Run a migration and the record of it, in the open transaction."""
        await self._perform(CREATE_LOG)
        ours = statements_for(migration.checksum)
        if ours is None:
            for statement in migration.statements:
                await self._perform(statement)
        else:
            for statement in ours:
                await self._query(statement)
        await self._perform(
            "INSERT INTO schema_migration (version, name, checksum, applied_at) "
            "VALUES (?, ?, ?, ?)",
            (migration.version, migration.name, migration.checksum, now_ms()),
        )

    async def _image(self, key: EncryptionKey | None) -> bytes:
        """Return the schema as an SQLite file, plain or encrypted."""
        path = Path(self.scratch_path("export.db"))
        copy = Path(self.scratch_path("copy.db"))
        pragmas = (*ENGINE_PRAGMAS, "foreign_keys = OFF", "synchronous = OFF")
        mark = await self._begin()
        try:
            with Engine(str(path), pragmas=pragmas) as engine:
                await self._fill(engine)
                if key is None:
                    return engine.serialize()
                engine.copy_to(str(copy), key)
                return copy.read_bytes()
        finally:
            await self._roll_back(mark)
            path.unlink(missing_ok=True)
            copy.unlink(missing_ok=True)

    async def _fill(self, engine: Engine) -> None:
        applied = await self._applied()
        ours = [step.checksum for step in MIGRATIONS[: len(applied)]]
        if ours == applied:
            migrate(engine, MIGRATIONS[: len(applied)])
            engine.run("DELETE FROM schema_migration" if applied else "SELECT 1")
        made = create_statements(
            await self._query(COLUMNS_OF.replace("?", "$1"), (self._schema,)),
            await self._query(KEYS_OF.replace("?", "$1"), (self._schema,)),
        )
        there = engine.tables()
        with engine.transaction():
            for table, (sql, columns) in made.items():
                if table in DERIVED:
                    continue
                if table not in there:
                    engine.run(sql)
                names = ", ".join(map(quote_identifier, columns))
                place = quote_identifier(table)
                insert = (
                    f"INSERT INTO {place} ({names}) "
                    f"VALUES ({', '.join('?' * len(columns))})"
                )
                cursor = self._held.cursor()
                async for row in cursor.stream(f"SELECT {names} FROM {place}"):
                    engine.run(insert, row)
        engine.run(f"PRAGMA user_version = {len(applied):d}")

    async def _load(self, engine: Engine) -> set[str]:
        """Replace every table by those of a file; return the names of all."""
        before = set(await self._names(_TABLES))
        for table in before:
            await self._query(f"DROP TABLE {quote_identifier(table)} CASCADE")
        for function in await self._names(_FUNCTIONS):
            await self._query(f"DROP FUNCTION {function} CASCADE")
        self._rowids.clear()
        applied = []
        if "schema_migration" in engine.tables():
            rows = engine.all("SELECT checksum FROM schema_migration ORDER BY version")
            applied = [str(row["checksum"]) for row in rows]
        if applied == [step.checksum for step in MIGRATIONS[: len(applied)]]:
            for migration in MIGRATIONS[: len(applied)]:
                await self._apply(migration)
            if applied:
                await self._query("DELETE FROM schema_migration")
        there = set(await self._names(_TABLES))
        for found in tables_of(engine, without=DERIVED):
            if found.name not in there:
                made = translate(found.sql, types=found.types)
                await self._guarded(made, made.sql, (), found.sql, inside=False)
            await self._insert(
                quote_identifier(found.name), found.columns, engine.rows(found.rows)
            )
        return before | set(await self._names(_TABLES))

    async def _insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Iterable[tuple[SqlValue, ...]],
    ) -> None:
        names = ", ".join(map(quote_identifier, columns))
        places = ", ".join(f"${number + 1}" for number in range(len(columns)))
        sql = f"INSERT INTO {table} ({names}) VALUES ({places})"
        part: list[tuple[SqlValue, ...]] = []
        cursor = self._held.cursor()
        try:
            for row in rows:
                part.append(row)
                if len(part) == _ROWS_AT_A_TIME:
                    await cursor.executemany(sql, part)
                    part.clear()
            if part:
                await cursor.executemany(sql, part)
        except Exception as error:
            raise self._failed(error, self._held, sql) from error

    async def _points(self) -> list[RestorePoint]:
        rows = await self._query(
            "SELECT id, reason, created_at, size, octet_length(image) AS stored "
            f"FROM {self._beside}.restore_point ORDER BY id DESC"
        )
        return [RestorePoint(**row, encrypted=False) for row in rows]  # type: ignore[arg-type]  # its own columns

    async def _point_image(self, id: str) -> bytes:
        rows = await self._query(
            f"SELECT image FROM {self._beside}.restore_point WHERE id = $1", (id,)
        )
        if not rows:
            raise RestorePointNotFoundError(id)
        return gzip.decompress(bytes(rows[0]["image"]))  # type: ignore[arg-type]  # BYTEA

    async def _keep(self, reason: str) -> RestorePoint:
        image = await self._image(None)
        packed = gzip.compress(image, compresslevel=1)
        point = RestorePoint(
            new_id(), reason, now_ms(), len(image), len(packed), encrypted=False
        )
        table = f"{self._beside}.restore_point"
        await self._query(
            f"INSERT INTO {table} VALUES ($1, $2, $3, $4, $5)",
            (point.id, reason, point.created_at, point.size, packed),
        )
        await self._query(
            f"DELETE FROM {table} WHERE id NOT IN "
            f"(SELECT id FROM {table} ORDER BY id DESC LIMIT {_RESTORE_POINTS})"
        )
        return point


def _imported(package: str) -> Any:  # noqa: ANN401  # a module
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingDependencyError(package, "postgres") from error


def _values(
    statement: Translated, sql: str, parameters: Parameters
) -> Sequence[SqlValue]:
    """Return *parameters* in the order of their numbers."""
    bound = bindings_of(parameters, statement.names, sql)
    if isinstance(bound, dict):
        bound = [bound[name] for name in statement.names if name is not None]
    if len(bound) != len(statement.names):
        reason = (
            f"the statement has {len(statement.names)} parameters, "
            f"{len(bound)} values were given"
        )
        raise ParameterError(reason, sql)
    return [_value(value, sql) for value in bound]


def _value(value: Any, sql: str) -> SqlValue:  # noqa: ANN401  # it is checked here
    if value is None or isinstance(value, float | str | bytes):
        return value
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            reason = "an integer does not fit into 64 bits"
            raise ParameterError(reason, sql)
        return int(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    reason = f"a value cannot be bound: it is {type(value).__name__}"
    raise ParameterError(reason, sql)


def _use_plain_values(connection: Any) -> None:  # noqa: ANN401  # psycopg's
    """Let values come and go as SQLite has them: int, float, str, bytes or None."""
    adapt = import_module("psycopg.adapt")
    numeric = import_module("psycopg.types.numeric")
    string = import_module("psycopg.types.string")

    class Number(adapt.Loader):  # type: ignore[misc,name-defined]  # lazily imported
        def load(self, data: Any) -> SqlValue:  # noqa: ANN401  # a buffer
            text = bytes(data).decode()
            return int(text) if text.lstrip("-").isdigit() else float(text)

    class Flag(adapt.Loader):  # type: ignore[misc,name-defined]  # as above
        def load(self, data: Any) -> SqlValue:  # noqa: ANN401  # a buffer
            return int(bytes(data) == b"t")

    adapters = connection.adapters
    adapters.register_dumper(int, numeric.Int8Dumper)
    adapters.register_loader("numeric", Number)
    adapters.register_loader("bool", Flag)
    for name in ("date", "time", "timetz", "timestamp", "timestamptz", "interval"):
        adapters.register_loader(name, string.TextLoader)
    for name in ("json", "jsonb", "uuid", "inet", "cidr"):
        adapters.register_loader(name, string.TextLoader)


def _code_of(error: Any) -> str:  # noqa: ANN401  # psycopg's
    state = error.sqlstate or ""
    return _SQLITE_CODES.get(state, f"SQLSTATE_{state}" if state else "SQLITE_ERROR")


def _says_login(reason: str) -> bool:
    """Return whether the server answered, and refused; libpq gives no SQLSTATE."""
    return any(
        words in reason
        for words in ("authentication failed", "does not exist", "no password supplied")
    )
