"""Going on at once: no turn of the event loop between an event and who waits for it.

Pyodide's loop runs each callback in two turns of the browser's, and resuming a task
from a promise takes two callbacks. A commit that is awaited would spend a third of
its time there. Here a task is begun within the call that brought it, and goes on
within the call that tells it to.

Rule 1: only where no other task is running; else it takes its turn like all others.
Rule 2: what runs so cannot use `pyodide.ffi.run_sync`; nothing in the host does.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

__all__ = ["Prompt", "begin_at_once"]

T = TypeVar("T")


def begin_at_once(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Return a task whose first step has been taken."""
    loop = asyncio.get_running_loop()
    if sys.version_info < (3, 12) or asyncio.current_task(loop) is not None:
        return loop.create_task(work)
    _close_generators(loop)
    return asyncio.Task(work, loop=loop, eager_start=True)


class Prompt(Generic[T]):
    """What one task awaits, until `settle` is called from outside of Python."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._resume: tuple[Callable[[Prompt[T]], object], Context | None] | None = None
        self._is_settled = False
        self._outcome: Callable[[], T]
        # What asyncio knows a future by.
        self._asyncio_future_blocking = False

    def settle(self, outcome: Callable[[], T]) -> None:
        """Let the task go on with what *outcome* returns or raises.

        After a cancellation it does nothing.
        """
        if self._is_settled:
            return
        self._is_settled, self._outcome = True, outcome
        if self._resume is None:
            return
        call, context = self._resume
        if context is None or asyncio.current_task(self._loop) is not None:
            self._loop.call_soon(call, self, context=context)
        else:
            _close_generators(self._loop)
            context.run(call, self)

    def __await__(self) -> Generator["Prompt[T]", None, T]:
        if not self._is_settled:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    # What a task asks of a future --------------------------------------------

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of the task that waits."""
        return self._loop

    def add_done_callback(
        self, call: Callable[["Prompt[T]"], object], *, context: Context | None = None
    ) -> None:
        """Take what makes the task go on."""
        self._resume = call, context

    def cancel(self, msg: object = None) -> bool:
        """Let the task go on, to be cancelled."""
        if self._is_settled:
            return False
        self._is_settled = True

        def cancelled() -> T:
            raise asyncio.CancelledError(*([] if msg is None else [msg]))

        self._outcome = cancelled
        if self._resume is not None:
            call, context = self._resume
            self._loop.call_soon(call, self, context=context)
        return True

    def result(self) -> T:
        """Return or raise the outcome."""
        return self._outcome()


def _close_generators(loop: asyncio.AbstractEventLoop) -> None:
    """Have generators that begin here and are abandoned closed, as the loop does."""
    if sys.get_asyncgen_hooks().finalizer is not None:
        return

    def finalize(generator: AsyncGenerator[Any, Any]) -> None:
        loop.call_soon(lambda: loop.create_task(_closed(generator)))

    sys.set_asyncgen_hooks(finalizer=finalize)


async def _closed(generator: AsyncGenerator[Any, Any]) -> None:
    await generator.aclose()
