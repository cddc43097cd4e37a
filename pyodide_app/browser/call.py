"""One call of one tab, as a handler of the method table gets it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pyodide_app.browser.arguments import Arguments, InvalidArgumentsError
from pyodide_app.browser.databases import Databases, Handle
from pyodide_app.storage.adapter import StorageAdapter

if TYPE_CHECKING:
    from pyodide_app.browser.agents import Agents
    from pyodide_app.browser.volume import HostVolume

__all__ = ["Call", "Surroundings"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What handlers may use."""

    databases: Databases
    volume: "HostVolume"
    agents: "Agents"
    tab_count: Callable[[], int]
    transaction_idle_s: float = 30.0
    """Between two calls of an interactive transaction, which keeps all others
    waiting."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one tab."""

    tab_id: str
    arguments: Arguments
    host: Surroundings
    tell: Callable[[object], None]
    """Sends the caller an item: of a stream, or how far a long call is."""

    @property
    def handle(self) -> Handle:
        """The tab's hold on the database that the call is about."""
        id = self.arguments.text("storageId")
        return self.host.databases.get(id, self.tab_id)

    async def read(self, work: Callable[[StorageAdapter], Awaitable[T]]) -> T:
        """Run *work* in the transaction that the call names, or by itself."""
        handle = self.handle
        id = self.arguments.text_or_none("transactionId")
        if id is None:
            return await work(handle.adapter)
        return await handle.transaction(id).do(work)

    async def write(
        self, what: object, work: Callable[[StorageAdapter], Awaitable[T]]
    ) -> T:
        """Run *work* as `read` does, and only once under an idempotency key.

        Args:
            what: What makes it this call and no other.
            work: The write.
        """
        key = self.arguments.text_or_none("idempotencyKey")
        if key is None:
            return await self.read(work)
        if self.arguments.raw("transactionId") is not None:
            raise InvalidArgumentsError(
                field="idempotencyKey",
                expected="absent inside a transaction, which may yet be rolled back",
            )
        handle = self.handle
        return await handle.repeats.once(key, what, handle.adapter, work)
