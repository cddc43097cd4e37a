"""Writes that came with an idempotency key, and what they answered.

A page that lost its connection cannot know whether its write was carried out. It
repeats the call under the same key, and gets the answer of the first time.

Rule 1: a write is remembered from its commit on, not from its answer: one that was
        committed but could not be made durable, or whose tab went while it waited
        for that, is not run again.
Rule 2: one that failed or was cancelled before was rolled back, and may run.
Rule 3: a key stands for one call. The same key with another call is refused.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pyodide_app.browser.arguments import InvalidArgumentsError
from pyodide_app.storage.adapter import StorageAdapter
from pyodide_app.storage.adapters.sqlite import SqliteAdapter

__all__ = ["Repeats"]

T = TypeVar("T")

_REMEMBERED: Final = 10_000
"""Keys of one database; the one that was used longest ago is forgotten first.

Eight tabs that write on end use 400 a second, and one of them may take seconds to
reload and repeat its last call. All of them take some 5 MB.
"""


@dataclass(slots=True)
class _Entry:
    fingerprint: bytes
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_committed: bool = False
    result: Any = None


class Repeats:
    """What the keyed writes to one database answered."""

    def __init__(self, *, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    async def once(
        self,
        key: str,
        call: object,
        adapter: SqliteAdapter,
        work: Callable[[StorageAdapter], Awaitable[T]],
    ) -> T:
        """Return what *work* returned when it was committed under *key*.

        Args:
            key: The page's name for this write.
            call: What makes it this call and no other; compared by its `repr`.
            adapter: Where *work* runs, in a transaction of its own.
            work: The write.

        Raises:
            InvalidArgumentsError: The key was used for another call.
        """
        fingerprint = hashlib.sha256(repr(call).encode("utf-8", "replace")).digest()
        entry = self._entries.setdefault(key, _Entry(fingerprint))
        if entry.fingerprint != fingerprint:
            raise InvalidArgumentsError(
                field="idempotencyKey", expected="a key that no other call has used"
            )
        self._entries.move_to_end(key)
        while len(self._entries) > self._remembered:
            self._entries.popitem(last=False)
        async with entry.turn:
            if entry.is_committed:
                # The first time may have failed at this.
                if adapter.durability != "batched":
                    await adapter.flush()
            else:
                await self._commit(entry, adapter, work)
        result: T = entry.result
        return result

    async def _commit(
        self,
        entry: _Entry,
        adapter: SqliteAdapter,
        work: Callable[[StorageAdapter], Awaitable[Any]],
    ) -> None:
        before: int | None = None

        async def kept(inside: StorageAdapter) -> None:
            nonlocal before
            before = adapter.changes.seq
            entry.result = await work(inside)

        try:
            await adapter.transaction(kept)
        except BaseException:
            # It failed, or its tab went, before the commit or while it waited to be
            # durable. Since *kept* began nobody else can have committed.
            entry.is_committed = before is not None and adapter.changes.seq > before
            raise
        entry.is_committed = True
