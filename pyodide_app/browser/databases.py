"""The databases that tabs have open: one adapter each, shared and counted.

Rule 1: two tabs that open the same name get the same adapter; it is closed when
        the last one lets go.
Rule 2: each asks for its own durability; the strictest one holds.
Rule 3: one that is locked is closed, and its key is forgotten. Whoever opens it
        with the passphrase unlocks it for all.
Rule 4: a day in which something changed leaves a restore point.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pyodide_app.browser.interactive import InteractiveTransaction
from pyodide_app.browser.repeats import Repeats
from pyodide_app.errors import (
    EncryptionError,
    NotEncryptedError,
    PassphraseRequiredError,
    PyodideAppError,
    StorageClosedError,
    StorageError,
    TransactionError,
)
from pyodide_app.ids import new_id
from pyodide_app.storage import AgentOSStorage, create_agentos_storage
from pyodide_app.storage.adapter import Durability, Store, cannot_move
from pyodide_app.storage.adapters.indexeddb import IndexedDbAdapter
from pyodide_app.storage.adapters.memory import MemoryAdapter
from pyodide_app.storage.adapters.sqlite import SqliteAdapter
from pyodide_app.storage.encryption import Cipher

__all__ = ["Databases", "Opening"]

_logger = logging.getLogger(__name__)

_FIRST_LOOK_S: Final = 60
_HOUR_S: Final = 60 * 60

_ORDER: tuple[Durability, ...] = ("batched", "commit", "strict")


@dataclass(frozen=True, slots=True)
class Opening:
    """How a tab wants a database to be opened.

    Attributes:
        persistent: False works in memory, for this tab alone.
        with_schema: Whether it gets the six tables.
        passphrase: Opens an encrypted database; a new one becomes encrypted.
        cipher: None finds out which one the database has.
        store: Where its image is to be; None leaves it where it is.
    """

    db_name: str
    persistent: bool
    with_schema: bool
    durability: Durability
    auto_save: bool
    save_interval_ms: int
    passphrase: str | None = field(default=None, repr=False)
    cipher: Cipher | None = None
    store: Store | None = None


@dataclass(slots=True)
class _Database:
    name: str
    adapter: SqliteAdapter
    is_locked: bool = False
    looking: asyncio.Task[None] | None = None
    storage: AgentOSStorage | None = None
    repeats: Repeats = field(default_factory=Repeats)
    handles: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Handle:
    """One tab's hold on one database."""

    id: str
    tab_id: str
    key: str
    durability: Durability
    database: _Database
    transactions: dict[str, InteractiveTransaction] = field(default_factory=dict)

    @property
    def adapter(self) -> SqliteAdapter:
        """The adapter that all tabs share.

        Raises:
            PassphraseRequiredError: It is locked.
        """
        if self.database.is_locked:
            raise PassphraseRequiredError(self.database.name)
        return self.database.adapter

    @property
    def storage(self) -> AgentOSStorage:
        """The typed storage; a bare adapter has none."""
        if self.database.is_locked:
            raise PassphraseRequiredError(self.database.name)
        if self.database.storage is None:
            raise StorageClosedError
        return self.database.storage

    @property
    def repeats(self) -> Repeats:
        """What keyed writes, of any tab, answered."""
        return self.database.repeats

    def transaction(self, id: str) -> InteractiveTransaction:
        """Return an open interactive transaction of this handle."""
        found = self.transactions.get(id)
        if found is None:
            reason = "there is no such transaction; it has ended"
            raise TransactionError(reason)
        return found

    def expect_no_transaction(self) -> None:
        """Refuse what cannot be done inside a transaction of this handle.

        Raises:
            TransactionError: One is open.
        """
        if any(one.is_open for one in self.transactions.values()):
            reason = "this tab has a transaction open: do it before or after"
            raise TransactionError(reason)


class Databases:
    """Every open database of this host."""

    def __init__(
        self, *, make: Callable[[Opening], SqliteAdapter] | None = None
    ) -> None:
        self._make = make or _adapter_for
        self._open: dict[str, _Database] = {}
        self._handles: dict[str, Handle] = {}
        self._turn = asyncio.Lock()

    async def open(self, tab_id: str, opening: Opening) -> Handle:
        """Return a new hold on the database, opened if it was not."""
        handle_id = new_id()
        # Memory is nobody else's.
        key = opening.db_name if opening.persistent else handle_id
        async with self._turn:
            database = self._open.get(key)
            if database is None:
                database = _Database(opening.db_name, self._make(opening))
                await database.adapter.open()
            elif database.is_locked:
                await self._unlock(database, opening)
            elif opening.passphrase is not None:
                database.adapter.check_passphrase(opening.passphrase)
            if database.handles and opening.store is not None:
                await database.adapter.move_to(opening.store)
            try:
                if opening.with_schema:
                    await _give_schema(database)
            except BaseException:
                if not database.handles:
                    self._open.pop(key, None)
                    await _shut(database)
                raise
            self._open[key] = database
            database.handles.add(handle_id)
            handle = Handle(handle_id, tab_id, key, opening.durability, database)
            self._handles[handle_id] = handle
            self._set_durability(database)
            return handle

    def get(self, handle_id: str, tab_id: str) -> Handle:
        """Return a hold of that tab.

        Raises:
            StorageClosedError: It has let go, or never had it.
        """
        handle = self._handles.get(handle_id)
        if handle is None or handle.tab_id != tab_id:
            raise StorageClosedError
        return handle

    async def with_schema(self, handle: Handle) -> AgentOSStorage:
        """Return the typed storage; a bare database gets the six tables."""
        async with self._turn:
            return await _give_schema(handle.database)

    async def lock(self, handle: Handle) -> None:
        """Close the database for all tabs until one brings the passphrase.

        Raises:
            NotEncryptedError: There is none.
            DurabilityError: It is locked; the last commits are not durable yet.
        """
        async with self._turn:
            database = handle.database
            if database.is_locked:
                return
            if database.adapter.cipher is None:
                raise NotEncryptedError(database.name)
            for id in database.handles:
                for transaction in list(self._handles[id].transactions.values()):
                    await transaction.roll_back()
            database.is_locked = True
            database.storage = None
            await _shut(database)

    async def _unlock(self, database: _Database, opening: Opening) -> None:
        if opening.passphrase is None:
            raise PassphraseRequiredError(database.name)
        adapter = self._make(opening)
        await adapter.open()
        database.adapter, database.is_locked = adapter, False
        if not opening.with_schema:
            # Handles of other tabs may have had it.
            await _give_schema(database)

    async def close(self, handle: Handle) -> None:
        """Let go; the last one closes the database, durably."""
        if self._handles.pop(handle.id, None) is None:
            return
        for transaction in list(handle.transactions.values()):
            await transaction.roll_back()
        async with self._turn:
            database = handle.database
            database.handles.discard(handle.id)
            if not database.handles:
                del self._open[handle.key]
                await _shut(database)
            elif not database.is_locked:
                self._set_durability(database)
                await database.adapter.flush()

    async def tab_gone(self, tab_id: str) -> None:
        """Let go of everything that tab had open."""
        for handle in list(self._handles.values()):
            if handle.tab_id == tab_id:
                try:
                    await self.close(handle)
                except PyodideAppError as error:
                    # Closed all the same. The tab is past being told; what is not
                    # durable is in the status that the others see.
                    _logger.warning("closing for a tab that has gone: %s", error)

    def _set_durability(self, database: _Database) -> None:
        wanted = [self._handles[id].durability for id in database.handles]
        database.adapter.durability = max(wanted, key=_ORDER.index)


async def _give_schema(database: _Database) -> AgentOSStorage:
    if database.is_locked:
        raise PassphraseRequiredError(database.name)
    if database.storage is None:
        database.storage = await create_agentos_storage(adapter=database.adapter)
        database.looking = asyncio.ensure_future(_look_now_and_then(database.storage))
    return database.storage


async def _look_now_and_then(storage: AgentOSStorage) -> None:
    """Keep a restore point on each day on which something changed."""
    # Not in the busy first minute; but some visits are short.
    pause = _FIRST_LOOK_S
    while True:
        await asyncio.sleep(pause)
        pause = _HOUR_S
        try:
            await storage.keep_daily_restore_point()
        except StorageError as error:
            # It is tried again in an hour.
            _logger.warning("no daily restore point: %s", error)


async def _shut(database: _Database) -> None:
    """Close it, durably; a second time does nothing."""
    if database.looking is not None:
        database.looking.cancel()
        database.looking = None
    await database.adapter.close()


def _adapter_for(opening: Opening) -> SqliteAdapter:
    if not opening.persistent:
        if opening.passphrase is not None:
            reason = "a database in memory is stored nowhere: leave the passphrase out"
            raise EncryptionError(reason)
        if opening.store is not None:
            raise cannot_move(opening.store, "memory")
        return MemoryAdapter()
    return IndexedDbAdapter(
        opening.db_name,
        auto_save=opening.auto_save,
        save_interval_ms=opening.save_interval_ms,
        passphrase=opening.passphrase,
        cipher=opening.cipher,
        store=opening.store,
    )
