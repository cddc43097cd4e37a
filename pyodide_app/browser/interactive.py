"""A transaction whose statements come one call at a time.

It holds the adapter's turn, so everybody else waits: it therefore has a time limit
between two calls, after which it is rolled back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pyodide_app.errors import TransactionError
from pyodide_app.storage.adapter import StorageAdapter

__all__ = ["InteractiveTransaction"]

T = TypeVar("T")

_Operation = tuple[
    Callable[[StorageAdapter], Awaitable[Any]] | None, asyncio.Future[Any]
]


class InteractiveTransaction:
    """One transaction, driven from outside.

    Args:
        adapter: Where it runs.
        idle_s: Seconds without a call after which it is rolled back.
    """

    def __init__(self, adapter: StorageAdapter, *, idle_s: float) -> None:
        self._adapter = adapter
        self._idle_s = idle_s
        self._operations: asyncio.Queue[_Operation] = asyncio.Queue()
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())

    @property
    def is_open(self) -> bool:
        """Whether it has its turn, or waits for it."""
        return not self._task.done()

    async def begin(self) -> None:
        """Return when the transaction has its turn and has begun."""
        await asyncio.wait({self._begun, self._task}, return_when="FIRST_COMPLETED")
        if not self._begun.done():
            await self._task

    async def do(self, operation: Callable[[StorageAdapter], Awaitable[T]]) -> T:
        """Return what *operation* returns, run inside the transaction."""
        result: T = await self._ask(operation)
        return result

    async def commit(self) -> None:
        """Commit. If it fails, everything is rolled back."""
        await self._ask(None)
        await self._task

    async def roll_back(self) -> None:
        """Undo everything. A second call does nothing."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _ask(
        self, operation: Callable[[StorageAdapter], Awaitable[Any]] | None
    ) -> Any:  # noqa: ANN401  # what the operation returns
        if self._task.done():
            reason = (
                "it has ended, or was idle for too long and was rolled back; "
                "inside it, call its own methods: those of the database wait for it"
            )
            raise TransactionError(reason)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._operations.put_nowait((operation, answer))
        await asyncio.wait({answer, self._task}, return_when="FIRST_COMPLETED")
        if not answer.done():
            reason = "it was rolled back"
            raise TransactionError(reason)
        return answer.result()

    async def _run(self) -> None:
        async def work(adapter: StorageAdapter) -> None:
            self._begun.set_result(None)
            while True:
                async with asyncio.timeout(self._idle_s):
                    operation, answer = await self._operations.get()
                if operation is None:
                    answer.set_result(None)
                    return
                try:
                    answer.set_result(await operation(adapter))
                except Exception as error:  # noqa: BLE001  # its caller gets it
                    answer.set_exception(error)

        try:
            await self._adapter.transaction(work)
        except TimeoutError:
            # The next call is told; there may be none.
            return
