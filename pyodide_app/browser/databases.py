"""The databases that tabs have open: one adapter each, shared and counted.

Two tabs that open the same name get the same adapter; it is closed when the last
one lets go. Each asks for its own durability; the strictest one holds.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from pyodide_app.browser.interactive import InteractiveTransaction
from pyodide_app.browser.repeats import Repeats
from pyodide_app.errors import PyodideAppError, StorageClosedError, TransactionError
from pyodide_app.ids import new_id
from pyodide_app.storage import AgentOSStorage, create_agentos_storage
from pyodide_app.storage.adapter import Durability
from pyodide_app.storage.adapters.indexeddb import IndexedDbAdapter
from pyodide_app.storage.adapters.memory import MemoryAdapter
from pyodide_app.storage.adapters.sqlite import SqliteAdapter

__all__ = ["Databases", "Opening"]

_logger = logging.getLogger(__name__)

_ORDER: tuple[Durability, ...] = ("batched", "commit", "strict")


@dataclass(frozen=True, slots=True)
class Opening:
    """How a tab wants a database to be opened.

    Attributes:
        persistent: False works in memory, for this tab alone.
        with_schema: Whether it gets the six tables.
    """

    db_name: str
    persistent: bool
    with_schema: bool
    durability: Durability
    auto_save: bool
    save_interval_ms: int


@dataclass(slots=True)
class _Database:
    adapter: SqliteAdapter
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
        """The adapter that all tabs share."""
        return self.database.adapter

    @property
    def storage(self) -> AgentOSStorage:
        """The typed storage; a bare adapter has none."""
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
                database = _Database(self._make(opening))
                await database.adapter.open()
            try:
                if opening.with_schema:
                    await _give_schema(database)
            except BaseException:
                if not database.handles:
                    self._open.pop(key, None)
                    await database.adapter.close()
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

    async def close(self, handle: Handle) -> None:
        """Let go; the last one closes the database, durably."""
        if self._handles.pop(handle.id, None) is None:
            return
        for transaction in list(handle.transactions.values()):
            await transaction.roll_back()
        async with self._turn:
            database = handle.database
            database.handles.discard(handle.id)
            if database.handles:
                self._set_durability(database)
                await database.adapter.flush()
                return
            del self._open[handle.key]
            await database.adapter.close()

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
    if database.storage is None:
        database.storage = await create_agentos_storage(adapter=database.adapter)
    return database.storage


def _adapter_for(opening: Opening) -> SqliteAdapter:
    if not opening.persistent:
        return MemoryAdapter()
    return IndexedDbAdapter(
        opening.db_name,
        auto_save=opening.auto_save,
        save_interval_ms=opening.save_interval_ms,
    )
