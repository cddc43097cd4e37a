"""Who may use the connection now.

There is one connection and there are many tasks. A statement runs synchronously,
so it needs no protection; a transaction lasts over many turns of the event loop,
so while one is open only the tasks inside it may use the connection.

Rule 1: transactions form a tree of scopes. In each scope at most one child is
        open; who else comes through that scope waits, in the order of asking.
Rule 2: a task is inside the scope it was created in. When that was committed, it
        is in the one around it; when it was undone, the task is refused, because
        what it does on its own would be half of something.
Rule 3: a turn is handed over, never dropped: between two owners nobody gets in.
"""

import asyncio
from collections import deque
from contextvars import ContextVar, Token

from pyodide_app.errors import TransactionError

__all__ = ["Scope", "Turns"]


class Turns:
    """One owner at a time, first come, first served."""

    __slots__ = ("_waiting", "is_taken")

    def __init__(self) -> None:
        self.is_taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Return when it is the caller's turn; `hand_over` must follow."""
        if not self.is_taken:
            self.is_taken = True
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            # Cancelled in the moment in which the turn was handed to us.
            if waiter.done() and not waiter.cancelled():
                self.hand_over()
            raise

    def hand_over(self) -> None:
        """Give the turn to who has waited longest."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.is_taken = False


class Scope:
    """A connection, or a transaction open on it.

    Attributes:
        turns: Of what happens directly inside it.
        is_open: False from `commit` or `undo` on.
    """

    __slots__ = (
        "_around",
        "_child",
        "_is_undone",
        "_owner",
        "_token",
        "is_open",
        "turns",
    )

    def __init__(self, owner: object) -> None:
        self.turns = Turns()
        self.is_open = True
        self._is_undone = False
        self._owner = owner
        self._child: Scope | None = None
        self._around: Scope | None = None
        self._token: Token[Scope | None] | None = None

    def current(self) -> "Scope":
        """Return the innermost scope of this owner that the task is in.

        Raises:
            TransactionError: That one was undone.
        """
        scope = _current.get()
        while scope is not None:
            if scope._owner is self._owner:
                if scope.is_open:
                    return scope
                scope.check()
            scope = scope._around
        return self

    async def take_turn(self) -> "Scope":
        """Wait for the turn in the scope of this task, and return that scope."""
        while True:
            scope = self.current()
            await scope.turns.take()
            if scope.is_open:
                return scope
            # It ended while this task waited; its place is elsewhere now.
            scope.turns.hand_over()

    def check(self) -> None:
        """Raise if what was done in this scope has been undone."""
        if self._is_undone:
            reason = "the transaction around this was rolled back; run all of it again"
            raise TransactionError(reason)

    def enter(self) -> "Scope":
        """Open a scope inside this one for the running task."""
        child = Scope(self._owner)
        child._around = _current.get()
        child._token = _current.set(child)
        self._child = child
        return child

    def leave(self, *, is_undone: bool) -> None:
        """Close it for the task that entered it."""
        if self._token is not None:
            _current.reset(self._token)
        self._close(is_undone)

    def _close(self, is_undone: bool) -> None:
        # A child that outlives its parent (asyncio.gather leaves the others
        # running when one fails) ends with it.
        if self._child is not None and self._child.is_open:
            self._child._close(is_undone)
        self.is_open = False
        self._is_undone = self._is_undone or is_undone
        # Who waits here goes on in the scope around.
        self.turns.hand_over()


_current: ContextVar[Scope | None] = ContextVar("pyodide_app_scope", default=None)
