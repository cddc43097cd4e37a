"""Hooks: code of the user around each statement.

An adapter without hooks knows nothing of them; `HookedAdapter` stands in front of
one that has some.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from pyodide_app.storage.adapter import (
    BatchError,
    BatchOperation,
    BatchResult,
    Parameters,
    RestorePoint,
    Row,
    RunResult,
    Statement,
    StorageAdapter,
    StorageStatus,
)
from pyodide_app.storage.changes import ChangeFeed
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


Hook = Callable[[HookContext], HookContext | None | Awaitable[HookContext | None]]
"""May return a changed context; None changes nothing."""

ErrorHook = Callable[[HookContext, Exception], None | Awaitable[None]]


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
