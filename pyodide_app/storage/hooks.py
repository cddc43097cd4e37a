"""Hooks: code of the user around each statement.

An adapter without hooks knows nothing of them; `HookedAdapter` stands in front of
one that has some.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, cast

from pyodide_app.errors import StorageError
from pyodide_app.storage.adapter import (
    BatchError,
    BatchOperation,
    BatchResult,
    Dialect,
    Parameters,
    QuarantinedItem,
    RestorePoint,
    Row,
    RunResult,
    Statement,
    StorageAdapter,
    StorageStatus,
    Store,
)
from pyodide_app.storage.changes import ChangeFeed
from pyodide_app.storage.diagnostics import Diagnosis
from pyodide_app.storage.encryption import Cipher
from pyodide_app.storage.migrations import Migration

__all__ = ["HookContext", "HookedAdapter", "StorageHooks", "combine_hooks"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HookContext:
    """One statement on its way.

    Attributes:
        sql: The statement, or script.
        parameters: As the caller passed them.
        result: What it returned; only in ``after_…``.
    """

    sql: str
    parameters: Parameters = None
    result: Any = None


Hook = Callable[[HookContext], HookContext | Awaitable[HookContext | None] | None]
"""May return a changed context; None changes nothing."""

ErrorHook = Callable[[HookContext, Exception], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class StorageHooks:
    """What to call around statements; each may be a coroutine function.

    A hook that raises stops the statement, and its error reaches the caller.

    Attributes:
        before_query: Before `get` and `all`; may change SQL and parameters.
        after_query: After them; may change the result.
        before_write: Before `run` and `exec`, and each operation of `batch`.
        after_write: After them.
        on_error: When the statement failed; the error is raised afterwards.
    """

    before_query: Hook | None = None
    after_query: Hook | None = None
    before_write: Hook | None = None
    after_write: Hook | None = None
    on_error: ErrorHook | None = None


def combine_hooks(hooks: Iterable[StorageHooks]) -> StorageHooks:
    """Return one that calls all of *hooks*, in order."""
    every = list(hooks)
    combined: dict[str, Any] = {}
    for field in fields(StorageHooks):
        calls = [call for one in every if (call := getattr(one, field.name))]
        if not calls:
            continue
        chain = _error_chain if field.name == "on_error" else _chain
        combined[field.name] = chain(calls)
    return StorageHooks(**combined)


class HookedAdapter:
    """A `StorageAdapter` that calls hooks around what another one does."""

    def __init__(self, inner: StorageAdapter, hooks: StorageHooks) -> None:
        self._inner = inner
        self._hooks = hooks

    @property
    def kind(self) -> str:
        """The kind of the adapter behind."""
        return self._inner.kind

    @property
    def dialect(self) -> Dialect:
        """Whose SQL it runs."""
        return self._inner.dialect

    @property
    def capabilities(self) -> frozenset[str]:
        """What the adapter behind can do."""
        return self._inner.capabilities

    @property
    def changes(self) -> ChangeFeed:
        """The change feed of the database."""
        return self._inner.changes

    async def open(self) -> None:
        """Open the database."""
        await self._inner.open()

    async def close(self) -> None:
        """Make everything durable and close."""
        await self._inner.close()

    async def run(self, sql: str, parameters: Parameters = None) -> RunResult:
        """Run one statement between ``before_write`` and ``after_write``."""
        return await self._write(self._inner.run, sql, parameters)

    async def get(self, sql: str, parameters: Parameters = None) -> Row | None:
        """Return the first row, between ``before_query`` and ``after_query``."""
        return await self._query(self._inner.get, sql, parameters)

    async def all(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Return all rows, between ``before_query`` and ``after_query``."""
        return await self._query(self._inner.all, sql, parameters)

    async def exec(self, script: str) -> None:
        """Run a script between ``before_write`` and ``after_write``."""

        async def call(sql: str, _parameters: Parameters) -> None:
            await self._inner.exec(sql)

        await self._write(call, script, None)

    async def transaction(self, work: Callable[[StorageAdapter], Awaitable[T]]) -> T:
        """Return what *work* returns; its statements pass the hooks too."""
        return await self._inner.transaction(lambda _inner: work(self))

    async def batch(self, operations: Sequence[BatchOperation]) -> BatchResult:
        """Run *operations*, each between the write hooks."""
        results: list[RunResult | None] = []
        errors: list[BatchError] = []

        async def work(_inner: StorageAdapter) -> None:
            for index, operation in enumerate(operations):
                result = None
                try:
                    result = await self.run(operation.statement, operation.parameters)
                except StorageError as error:
                    errors.append(BatchError(index, error))
                results.append(result)

        await self._inner.transaction(work)
        return BatchResult(
            len(results) - len(errors), len(errors), tuple(results), tuple(errors)
        )

    async def prepare(self, sql: str) -> Statement:
        """Return *sql* checked; running it passes the hooks."""
        return _HookedStatement(self, await self._inner.prepare(sql), sql)

    async def migrate(self, history: Sequence[Migration]) -> tuple[Migration, ...]:
        """Bring the schema to the last version; hooks do not see it."""
        return await self._inner.migrate(history)

    async def compact(self) -> int:
        """Give back the space of what was deleted."""
        return await self._inner.compact()

    async def flush(self) -> None:
        """Return when everything committed so far is durable."""
        await self._inner.flush()

    async def status(self) -> StorageStatus:
        """Return how safe the data are now."""
        return await self._inner.status()

    async def export_database(
        self,
        *,
        passphrase: str | None = None,
        cipher: Cipher = "chacha20",
        keep_encryption: bool = False,
    ) -> bytes:
        """Return an SQLite file as of the last commit, plain or encrypted."""
        return await self._inner.export_database(
            passphrase=passphrase, cipher=cipher, keep_encryption=keep_encryption
        )

    async def import_database(
        self,
        data: bytes,
        *,
        trust_schema: bool = False,
        passphrase: str | None = None,
    ) -> None:
        """Replace the database by the SQLite file *data*, after checking it."""
        await self._inner.import_database(
            data, trust_schema=trust_schema, passphrase=passphrase
        )

    async def encrypt(self, passphrase: str, *, cipher: Cipher = "chacha20") -> None:
        """Encrypt the database and its restore points, durably."""
        await self._inner.encrypt(passphrase, cipher=cipher)

    async def change_passphrase(self, current: str, new: str) -> None:
        """Encrypt the database and its restore points by another passphrase."""
        await self._inner.change_passphrase(current, new)

    async def decrypt(self, passphrase: str) -> None:
        """Make the database and its restore points plain again."""
        await self._inner.decrypt(passphrase)

    async def move_to(self, store: Store) -> None:
        """Keep the image of the database elsewhere."""
        await self._inner.move_to(store)

    def scratch_path(self, name: str) -> str:
        """Return where a file for `replace_database` may be written."""
        return self._inner.scratch_path(name)

    async def replace_database(
        self, staged_path: str, *, keep_as: str | None = None
    ) -> RestorePoint | None:
        """Make the database equal the verified file at *staged_path*."""
        return await self._inner.replace_database(staged_path, keep_as=keep_as)

    def attached(self, path: str) -> AbstractAsyncContextManager[tuple[str, str]]:
        """Make the six tables of an SQLite file readable inside."""
        return self._inner.attached(path)

    async def keep_restore_point(self, reason: str) -> RestorePoint:
        """Keep a durable copy of the database as of the last commit."""
        return await self._inner.keep_restore_point(reason)

    async def restore_points(self) -> list[RestorePoint]:
        """Return all restore points, newest first."""
        return await self._inner.restore_points()

    async def read_restore_point(self, id: str) -> bytes:
        """Return the SQLite file of a restore point."""
        return await self._inner.read_restore_point(id)

    async def keep_daily_restore_point(self) -> RestorePoint | None:
        """Keep one if the newest is older than a day, and something has changed."""
        return await self._inner.keep_daily_restore_point()

    async def restore(self, id: str, *, passphrase: str | None = None) -> RestorePoint:
        """Make the database equal a restore point; return one of the state before."""
        return await self._inner.restore(id, passphrase=passphrase)

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        await self._inner.delete_restore_point(id)

    async def diagnose(
        self, *, verify: bool = True, integrity_check: bool = False
    ) -> Diagnosis:
        """Return how the database is, with no word of its content."""
        return await self._inner.diagnose(
            verify=verify, integrity_check=integrity_check
        )

    async def quarantine(self) -> list[QuarantinedItem]:
        """Return what was set aside as damaged, oldest first."""
        return await self._inner.quarantine()

    async def read_quarantined(self, id: int) -> bytes:
        """Return the bytes of an item as they were stored."""
        return await self._inner.read_quarantined(id)

    async def delete_quarantined(self, id: int) -> None:
        """Delete an item for good."""
        await self._inner.delete_quarantined(id)

    async def _query(
        self,
        call: Callable[[str, Parameters], Awaitable[T]],
        sql: str,
        parameters: Parameters,
    ) -> T:
        hooks = self._hooks
        return await self._around(
            hooks.before_query, call, hooks.after_query, HookContext(sql, parameters)
        )

    async def _write(
        self,
        call: Callable[[str, Parameters], Awaitable[T]],
        sql: str,
        parameters: Parameters,
    ) -> T:
        hooks = self._hooks
        return await self._around(
            hooks.before_write, call, hooks.after_write, HookContext(sql, parameters)
        )

    async def _around(
        self,
        before: Hook | None,
        call: Callable[[str, Parameters], Awaitable[T]],
        after: Hook | None,
        context: HookContext,
    ) -> T:
        try:
            if before is not None:
                context = await _called(before, context)
            result = await call(context.sql, context.parameters)
            if after is None:
                return result
            context = await _called(after, replace(context, result=result))
            return cast("T", context.result)  # a hook that changes it keeps its type
        except Exception as error:
            if self._hooks.on_error is not None:
                answer = self._hooks.on_error(context, error)
                if inspect.isawaitable(answer):
                    await answer
            raise


class _HookedStatement:
    """A prepared statement whose runs pass the hooks."""

    def __init__(self, adapter: HookedAdapter, inner: Statement, sql: str) -> None:
        self._adapter = adapter
        self._inner = inner
        self._sql = sql

    async def run(self, parameters: Parameters = None) -> RunResult:
        """Run it between the write hooks."""
        return await self._adapter._write(
            lambda _sql, values: self._inner.run(values), self._sql, parameters
        )

    async def get(self, parameters: Parameters = None) -> Row | None:
        """Return the first row, between the query hooks."""
        return await self._adapter._query(
            lambda _sql, values: self._inner.get(values), self._sql, parameters
        )

    async def all(self, parameters: Parameters = None) -> list[Row]:
        """Return all rows, between the query hooks."""
        return await self._adapter._query(
            lambda _sql, values: self._inner.all(values), self._sql, parameters
        )

    async def finalize(self) -> None:
        """Release it."""
        await self._inner.finalize()


async def _called(hook: Hook, context: HookContext) -> HookContext:
    answer = hook(context)
    changed = await answer if inspect.isawaitable(answer) else answer
    return context if changed is None else changed


def _chain(calls: Sequence[Hook]) -> Hook:
    async def call_all(context: HookContext) -> HookContext:
        for call in calls:
            context = await _called(call, context)
        return context

    return call_all


def _error_chain(calls: Sequence[ErrorHook]) -> ErrorHook:
    async def call_all(context: HookContext, error: Exception) -> None:
        for call in calls:
            answer = call(context, error)
            if inspect.isawaitable(answer):
                await answer

    return call_all
