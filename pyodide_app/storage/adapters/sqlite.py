"""What all SQLite adapters share: turns, transactions, commits told and durable.

The engine is synchronous. A statement outside a transaction therefore needs no
turn of its own: it runs at once, unless a transaction of another task is open.
"""

import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, ParamSpec, TypeVar, cast

from pyodide_app.errors import (
    DurabilityError,
    EncryptionError,
    NotEncryptedError,
    PassphraseRequiredError,
    RecordNotFoundError,
    StorageClosedError,
    StorageError,
    TransactionError,
    WrongPassphraseError,
)
from pyodide_app.ids import now_ms
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
    StorageAdapter,
    StorageStatus,
    Store,
    cannot_move,
)
from pyodide_app.storage.apsw_at_first_use import why_not_apsw
from pyodide_app.storage.changes import ChangeFeed
from pyodide_app.storage.diagnostics import Diagnosis, diagnosed
from pyodide_app.storage.encryption import Cipher, EncryptionKey, is_plain
from pyodide_app.storage.engine import ClosedEngine, Engine, head_of
from pyodide_app.storage.migrations import Migration, migrate
from pyodide_app.storage.turns import Scope

__all__ = ["ENGINE_PRAGMAS", "PreparedStatement", "SqliteAdapter"]

T = TypeVar("T")
P = ParamSpec("P")

ENGINE_PRAGMAS = ("page_size = 4096", "foreign_keys = ON", "temp_store = MEMORY")

_logger = logging.getLogger(__name__)

_DAY_MS = 24 * 60 * 60 * 1000

_DURABILITIES = ("batched", "commit", "strict")
_CLOSED = cast("Engine", ClosedEngine())  # it answers every use by raising


class SqliteAdapter(ABC):
    """A `StorageAdapter` over one `Engine`; a subclass says where that lives.

    Attributes:
        durability: See `Durability`.
        changes: Tells after each commit which tables it wrote.
    """

    kind: ClassVar[str]
    dialect: ClassVar[Dialect] = "sqlite"
    capabilities: ClassVar[frozenset[str]]

    def __init__(
        self, durability: Durability, key: EncryptionKey | None = None
    ) -> None:
        if durability not in _DURABILITIES:
            msg = f"durability is one of {', '.join(_DURABILITIES)}, not {durability!r}"
            raise ValueError(msg)
        self.durability: Durability = durability
        self.changes = ChangeFeed()
        self._key = key
        self._engine = _CLOSED
        self._scope = Scope(self)

    @property
    def cipher(self) -> Cipher | None:
        """That of the open database; None if it is plain."""
        return None if self._key is None else self._key.cipher

    @property
    def is_open(self) -> bool:
        """True between `open` and `close`."""
        return self._engine is not _CLOSED

    # What a subclass says ----------------------------------------------------

    @abstractmethod
    async def _open_engine(self) -> Engine:
        """Return the open connection."""

    @abstractmethod
    def _release(self) -> None:
        """Give back what `_open_engine` took, after the connection was closed."""

    @abstractmethod
    async def _make_durable(self) -> None:
        """Return when everything committed is durable."""

    async def _shrink(self) -> None:
        """Make a compacted database durable in as little space as it takes."""
        await self._make_durable()

    @abstractmethod
    async def _replace(self, staged_path: str) -> None:
        """Carry out `replace_database`. Nobody else can use the connection."""

    @abstractmethod
    async def _rekey(self, key: EncryptionKey | None) -> None:
        """Make the file encrypted by *key*, or plain, durably.

        Nobody else can use the connection. What was stored before, in another key
        or plain, is gone afterwards, but for the restore points.
        """

    @abstractmethod
    async def _keep(self, reason: str) -> RestorePoint:
        """Carry out `keep_restore_point`. Nobody else can use the connection."""

    @abstractmethod
    async def _has_changed_since(self, point: RestorePoint) -> bool:
        """Return whether the database may differ from a restore point."""

    @abstractmethod
    async def _stage(self, restore_point_id: str, staged_path: str) -> None:
        """Write a restore point to the file *staged_path*."""

    @abstractmethod
    async def _rewrite(self, point: RestorePoint, staged_path: str) -> None:
        """Give a restore point the content of *staged_path*, atomically."""

    @abstractmethod
    def scratch_path(self, name: str) -> str:
        """Return where a file for `replace_database` may be written."""

    @abstractmethod
    async def status(self) -> StorageStatus:
        """Return how safe the data are now."""

    @abstractmethod
    async def restore_points(self) -> list[RestorePoint]:
        """Return all restore points, newest first."""

    @abstractmethod
    async def read_restore_point(self, id: str) -> bytes:
        """Return the SQLite file of a restore point."""

    @abstractmethod
    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""

    # Life --------------------------------------------------------------------

    async def open(self) -> None:
        """Open the database. A second call does nothing."""
        async with self._alone("open()"):
            if self.is_open:
                return
            if (reason := why_not_apsw()) is not None:
                _logger.warning(
                    "apsw cannot be imported (%s); Python's own sqlite3 works in its "
                    "place, without encryption and import",
                    reason,
                )
            self._engine = await self._open_engine()
            self._key = self._engine.key
            self.changes.open()
            if self._key is not None:
                # Those that are left if `encrypt` was cut short.
                await self._recode_points(None)

    async def close(self) -> None:
        """Make everything durable and close. A second call does nothing.

        It is closed also if this raises. A transaction begun with ``run("BEGIN")``
        is rolled back.

        Raises:
            DurabilityError: The last commits are not durable.
        """
        async with self._alone("close()"):
            if not self.is_open:
                return
            try:
                if self._engine.in_transaction:
                    self._engine.run("ROLLBACK")
                await self._make_durable()
            finally:
                self._engine.close()
                self._engine = _CLOSED
                self._release()
                self.changes.close()

    # Statements --------------------------------------------------------------

    async def run(self, sql: str, parameters: Parameters = None) -> RunResult:
        """Run exactly one statement, see `StorageAdapter.run`."""
        if self._scope.current().turns.is_taken:
            return await self._in_turn(Engine.run, sql, parameters)
        result = self._engine.run(sql, parameters)
        if self._engine.has_committed:
            await self._committed()
        return result

    async def get(self, sql: str, parameters: Parameters = None) -> Row | None:
        """Return the first row, or None."""
        if self._scope.current().turns.is_taken:
            return await self._in_turn(Engine.get, sql, parameters)
        row = self._engine.get(sql, parameters)
        if self._engine.has_committed:
            await self._committed()
        return row

    async def all(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Return all rows."""
        if self._scope.current().turns.is_taken:
            return await self._in_turn(Engine.all, sql, parameters)
        rows = self._engine.all(sql, parameters)
        if self._engine.has_committed:
            await self._committed()
        return rows

    async def exec(self, script: str) -> None:
        """Run every statement of *script*, each on its own."""
        await self._in_turn(Engine.exec, script)

    async def prepare(self, sql: str) -> "PreparedStatement":
        """Return *sql* checked and ready to run many times."""
        await self._in_turn(Engine.check, sql)
        return PreparedStatement(self, sql)

    # Transactions ------------------------------------------------------------

    async def transaction(self, work: Callable[[StorageAdapter], Awaitable[T]]) -> T:
        """Return what *work* returns; commit, or roll back if it raises."""
        outer = await self._scope.take_turn()
        try:
            engine = self._engine
            mark = engine.begin()
            scope = outer.enter()
            is_undone = True
            try:
                result = await work(self)
                scope.check()
                # Tasks that *work* left running inside end their turn first.
                await scope.turns.take()
                engine.commit(mark)
                is_undone = False
            finally:
                try:
                    if is_undone and scope.is_open:
                        engine.roll_back(mark)
                finally:
                    scope.leave(is_undone=is_undone)
        finally:
            outer.turns.hand_over()
        if engine.has_committed:
            await self._committed()
        return result

    async def batch(self, operations: Sequence[BatchOperation]) -> BatchResult:
        """Run *operations* in one transaction; a failing one is left out.

        A statement that fails undoes what it did, so none needs a savepoint.
        """
        results: list[RunResult | None] = []
        errors: list[BatchError] = []

        async def work(adapter: StorageAdapter) -> None:
            for index, operation in enumerate(operations):
                result = None
                try:
                    result = await adapter.run(
                        operation.statement, operation.parameters
                    )
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
        async with self._alone("migrate()"):
            if 0 < self._engine.user_version < len(history):
                try:
                    await self._keep("before migration")
                except DurabilityError as error:
                    # Each migration is a transaction; waiting for space helps nobody.
                    _logger.warning("no restore point before the migration: %s", error)
            try:
                return migrate(self._engine, history)
            finally:
                if self._engine.has_committed:
                    await self._committed()

    # The whole database ------------------------------------------------------

    async def flush(self) -> None:
        """Return when everything committed so far is durable."""
        if not self.is_open:
            raise StorageClosedError
        await self._make_durable()

    async def compact(self) -> int:
        """Give back the space of what was deleted; return the bytes freed."""
        async with self._alone("compact()"):
            before = self._engine.size
            self._engine.run("VACUUM")
            self.changes.publish(self._engine.take_commit())
            await self._shrink()
            return before - self._engine.size

    async def export_database(
        self,
        *,
        passphrase: str | None = None,
        cipher: Cipher = "chacha20",
        keep_encryption: bool = False,
    ) -> bytes:
        """Return an SQLite file as of the last commit, plain or encrypted."""
        if passphrase is None and not keep_encryption:
            async with self._alone("export_database()"):
                return self._image()
        copy = self.scratch_path("export.db")
        key = self._key if passphrase is None else EncryptionKey(passphrase, cipher)
        try:
            await self.export_to(copy, key)
            return Path(copy).read_bytes()
        finally:
            Path(copy).unlink(missing_ok=True)

    async def export_to(self, path: str, key: EncryptionKey | None) -> None:
        """Write a copy as of the last commit to *path*, see `scratch_path`."""
        async with self._alone("export_database()"):
            self._engine.copy_to(path, key)

    async def import_database(
        self,
        data: bytes,
        *,
        trust_schema: bool = False,
        passphrase: str | None = None,
    ) -> None:
        """Replace the database by the SQLite file *data*, after checking it."""
        # The backup package stands on the adapters; this is the one way back.
        from pyodide_app.storage.backup import replace_with_backup

        await replace_with_backup(
            self, data, trust_schema=trust_schema, passphrase=passphrase
        )

    async def replace_database(
        self, staged_path: str, *, keep_as: str | None = None
    ) -> RestorePoint | None:
        """Make the database equal the verified file at *staged_path*."""
        async with (
            self._alone("replace_database()"),
            self._recoded(staged_path) as file,
        ):
            before = self._engine.tables()
            kept = None if keep_as is None else await self._keep(keep_as)
            try:
                await self._replace(file)
            except BaseException:
                if kept is not None:
                    # Nothing was replaced, so it would undo nothing.
                    with contextlib.suppress(StorageError):
                        await self.delete_restore_point(kept.id)
                raise
            self._engine.take_commit()
            self.changes.publish(before | self._engine.tables())
            return kept

    @contextlib.asynccontextmanager
    async def attached(self, path: str) -> AsyncIterator[tuple[str, str]]:
        """Attach an SQLite file, see `StorageAdapter.attached`."""
        # Without a key it would get that of the live database.
        await self.run("ATTACH ? AS incoming KEY ''", (path,))
        try:
            yield "main.", "incoming."
        finally:
            await self.run("DETACH incoming")

    async def keep_restore_point(self, reason: str) -> RestorePoint:
        """Keep a durable copy of the database as of the last commit."""
        async with self._alone("keep_restore_point()"):
            return await self._keep(reason)

    async def keep_daily_restore_point(self) -> RestorePoint | None:
        """Keep one if the newest is older than a day, and something has changed."""
        async with self._alone("keep_daily_restore_point()"):
            points = await self.restore_points()
            if points:
                newest = points[0]
                if now_ms() - newest.created_at < _DAY_MS:
                    return None
                if not await self._has_changed_since(newest):
                    return None
            return await self._keep("daily")

    async def restore(self, id: str, *, passphrase: str | None = None) -> RestorePoint:
        """Make the database equal a restore point; return one of the state before."""
        staged = self.scratch_path("restore.db")
        key = None if passphrase is None else EncryptionKey(passphrase)
        try:
            await self._stage(id, staged)
            async with self._recoded(staged, key) as file:
                Engine(file, key=self._key, name="the restore point").close()
                kept = await self.replace_database(file, keep_as="before restore")
        finally:
            Path(staged).unlink(missing_ok=True)
        return cast("RestorePoint", kept)  # it was asked for

    # Encryption --------------------------------------------------------------

    async def diagnose(
        self, *, verify: bool = True, integrity_check: bool = False
    ) -> Diagnosis:
        """Return how the database is, with no word of its content."""
        volume = await self._diagnose_volume(verify)
        async with self._alone("diagnose()"):
            return diagnosed(
                self._engine,
                await self.status(),
                str(getattr(self, "path", ":memory:")),
                verify=verify,
                integrity_check=integrity_check,
                volume=volume,
            )

    async def _diagnose_volume(self, verify: bool) -> Mapping[str, object] | None:
        """Return what the volume knows; None where there is none."""
        return None

    async def quarantine(self) -> list[QuarantinedItem]:
        """Return nothing: only a store of records sets any aside."""
        return []

    async def read_quarantined(self, id: int) -> bytes:
        """Return the bytes of an item that was set aside."""
        kind = "quarantined item"
        raise RecordNotFoundError(kind, str(id))

    async def delete_quarantined(self, id: int) -> None:
        """Delete an item that was set aside."""
        await self.read_quarantined(id)

    async def encrypt(self, passphrase: str, *, cipher: Cipher = "chacha20") -> None:
        """Encrypt the database and its restore points, durably."""
        key = EncryptionKey(passphrase, cipher)
        async with self._alone("encrypt()"):
            if self._key is not None:
                reason = "it is encrypted already; call change_passphrase()"
                raise EncryptionError(reason)
            await self._change_key(key, "before encryption")

    async def change_passphrase(self, current: str, new: str) -> None:
        """Encrypt the database and its restore points by another passphrase."""
        async with self._alone("change_passphrase()"):
            self.check_passphrase(current)
            key = EncryptionKey(new, self.cipher)
            await self._change_key(key, "before a change of passphrase")

    async def decrypt(self, passphrase: str) -> None:
        """Make the database and its restore points plain again."""
        async with self._alone("decrypt()"):
            self.check_passphrase(passphrase)
            await self._change_key(None, "before decryption")

    async def move_to(self, store: Store) -> None:
        """Refuse: there is nowhere else."""
        raise cannot_move(store, self.kind)

    def check_passphrase(self, passphrase: str) -> None:
        """Return if it is the passphrase of the open database.

        Raises:
            WrongPassphraseError: It is not.
            NotEncryptedError: There is none.
        """
        if self._key is None:
            raise NotEncryptedError
        if EncryptionKey(passphrase).passphrase != self._key.passphrase:
            raise WrongPassphraseError

    async def _change_key(self, key: EncryptionKey | None, reason: str) -> None:
        kept = await self._keep(reason)
        before = self._key
        try:
            await self._rekey(key)
        except BaseException:
            with contextlib.suppress(StorageError):
                await self.delete_restore_point(kept.id)
            raise
        self._key = self._engine.key
        await self._recode_points(before)

    async def _recode_points(self, before: EncryptionKey | None) -> None:
        """Give the restore points that have the key *before* that of the database.

        One of another passphrase, or with damage, stays as it is.
        """
        for point in await self.restore_points():
            if point.encrypted != (before is not None):
                continue
            staged = self.scratch_path("point.db")
            try:
                await self._stage(point.id, staged)
                async with self._recoded(staged, before) as file:
                    await self._rewrite(point, file)
            except StorageError as error:
                if point.encrypted:
                    continue
                # Plain text must not stay behind.
                _logger.warning("a restore point cannot be encrypted: %s", error)
                await self.delete_restore_point(point.id)
            finally:
                Path(staged).unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def _recoded(
        self, path: str, key: EncryptionKey | None = None
    ) -> AsyncIterator[str]:
        """Yield *path*, or a copy of it that has the key of the database.

        Args:
            path: A database, plain or encrypted.
            key: Of that file, if it is encrypted; default: that of the database.

        Raises:
            PassphraseRequiredError: It is encrypted, and the key is not known.
        """
        plain = is_plain(head_of(path))
        if not plain and (key or self._key) is None:
            raise PassphraseRequiredError
        key = None if plain else key or self._key
        if key == self._key:
            yield path
            return
        copy = self.scratch_path("recoded.db")
        try:
            with Engine(path, key=key) as engine:
                engine.copy_to(copy, self._key)
            yield copy
        finally:
            Path(copy).unlink(missing_ok=True)

    def _image(self) -> bytes:
        """Return the database as a plain file; no transaction is open."""
        return self._engine.serialize()

    # Private -----------------------------------------------------------------

    async def _in_turn(self, call: Callable[..., T], *args: object) -> T:
        """Return ``call(engine, *args)``, run when it is this task's turn."""
        scope = await self._scope.take_turn()
        try:
            return call(self._engine, *args)
        finally:
            scope.turns.hand_over()
            if self.is_open and self._engine.has_committed:
                await self._committed()

    @contextlib.asynccontextmanager
    async def _alone(self, what: str) -> AsyncIterator[None]:
        """Wait until no transaction is open, and let none begin inside."""
        if self._scope.current() is not self._scope:
            reason = f"{what} is not possible inside a transaction; end it first"
            raise TransactionError(reason)
        await self._scope.turns.take()
        try:
            if what not in _ALWAYS and self._engine.in_transaction:
                reason = f'{what} is not possible after run("BEGIN"); end that first'
                raise TransactionError(reason)
            yield
        finally:
            self._scope.turns.hand_over()

    async def _committed(self) -> None:
        """Tell of a commit, and make it durable if that was asked for."""
        self.changes.publish(self._engine.take_commit())
        if self.durability != "batched":
            await self._make_durable()


_ALWAYS = frozenset({"open()", "close()"})


class PreparedStatement:
    """A statement that was checked; SQLite's statement cache keeps it compiled."""

    def __init__(self, adapter: StorageAdapter, sql: str) -> None:
        self._adapter = adapter
        self._sql = sql
        self._is_final = False

    async def run(self, parameters: Parameters = None) -> RunResult:
        """Run it, see `StorageAdapter.run`."""
        return await self._live().run(self._sql, parameters)

    async def get(self, parameters: Parameters = None) -> Row | None:
        """Return the first row, or None."""
        return await self._live().get(self._sql, parameters)

    async def all(self, parameters: Parameters = None) -> list[Row]:
        """Return all rows."""
        return await self._live().all(self._sql, parameters)

    async def finalize(self) -> None:
        """Release it. Any later call raises `StorageClosedError`."""
        self._is_final = True

    def _live(self) -> StorageAdapter:
        if self._is_final:
            raise StorageClosedError
        return self._adapter
