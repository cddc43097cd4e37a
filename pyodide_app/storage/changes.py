"""The change feed: who wants to know is told after each commit what it wrote.

Rule 1: a change is told after the commit, never before, and never if it was
        rolled back.
Rule 2: nobody waits for a slow reader. What it has not read yet is merged into
        one change: the union of the tables, the latest sequence number.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from types import TracebackType

__all__ = ["Change", "ChangeFeed", "Subscription"]


@dataclass(frozen=True, slots=True)
class Change:
    """One or more commits.

    Attributes:
        tables: Every table they wrote, also by trigger or foreign key.
        seq: Counts the commits of this adapter; only ever grows.
    """

    tables: frozenset[str]
    seq: int


class ChangeFeed:
    """Tells subscribers after each commit."""

    def __init__(self) -> None:
        self.seq = 0
        self._subscriptions: set[Subscription] = set()
        self._is_open = True

    def open(self) -> None:
        """Let subscriptions begin again after `close`."""
        self._is_open = True

    def subscribe(self, tables: Iterable[str] | None = None) -> "Subscription":
        """Return a subscription to *tables*, or to all of them.

        It holds from this moment, not from the first read. Close it, or leave
        its ``async with``.
        """
        subscription = Subscription(
            self, None if tables is None else frozenset(t.lower() for t in tables)
        )
        if self._is_open:
            self._subscriptions.add(subscription)
        else:
            subscription.close()
        return subscription

    def publish(self, tables: frozenset[str]) -> None:
        """Tell that a commit wrote *tables*."""
        self.seq += 1
        if not tables:
            return
        for subscription in self._subscriptions:
            subscription._offer(tables, self.seq)

    def close(self) -> None:
        """End every subscription, and those that come later at once."""
        self._is_open = False
        for subscription in tuple(self._subscriptions):
            subscription.close()

    def _forget(self, subscription: "Subscription") -> None:
        self._subscriptions.discard(subscription)


class Subscription:
    """An async iterator over changes; ends when it or the storage is closed."""

    def __init__(self, feed: ChangeFeed, tables: frozenset[str] | None) -> None:
        self._feed = feed
        self._wanted = tables
        self._tables: set[str] = set()
        self._seq = 0
        self._is_closed = False
        self._news = asyncio.Event()

    def close(self) -> None:
        """End it; a waiting reader stops."""
        self._is_closed = True
        self._feed._forget(self)
        self._news.set()

    async def aclose(self) -> None:
        """End it, see `close`."""
        self.close()

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        await self._news.wait()
        if not self._tables:
            raise StopAsyncIteration
        change = Change(frozenset(self._tables), self._seq)
        self._tables.clear()
        if not self._is_closed:
            self._news.clear()
        return change

    async def __aenter__(self) -> "Subscription":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _offer(self, tables: frozenset[str], seq: int) -> None:
        if self._wanted is not None and not any(
            table.lower() in self._wanted for table in tables
        ):
            return
        self._tables |= tables
        self._seq = seq
        self._news.set()
