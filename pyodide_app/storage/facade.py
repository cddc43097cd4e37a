"""Storage for an agent runtime in one call."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from pyodide_app.errors import StorageError, StorageResolutionError
from pyodide_app.storage.adapter import (
    Durability,
    RestorePoint,
    StorageAdapter,
    StorageStatus,
)
from pyodide_app.storage.adapters.indexeddb import IndexedDbAdapter
from pyodide_app.storage.adapters.memory import MemoryAdapter
from pyodide_app.storage.adapters.native import NativeSqliteAdapter
from pyodide_app.storage.changes import Subscription
from pyodide_app.storage.hooks import HookedAdapter, StorageHooks, combine_hooks
from pyodide_app.storage.repositories import (
    Conversations,
    Personas,
    Sessions,
    Telemetry,
    Workflows,
)
from pyodide_app.storage.resolve import Platform, candidates, detect
from pyodide_app.storage.schema import MIGRATIONS
from pyodide_app.storage.search import rebuild_search

if TYPE_CHECKING:
    from pyodide_app.storage.backup import BackupInspection, ImportReport

__all__ = ["AgentOSStorage", "Resolution", "create_agentos_storage"]


@dataclass(frozen=True, slots=True)
class Resolution:
    """Which adapter was taken, and why.

    Attributes:
        kind: Of the adapter.
        reason: For people.
        attempts: ``(kind, reason)`` of those that did not open.
    """

    kind: str
    reason: str
    attempts: tuple[tuple[str, str], ...] = ()


async def create_agentos_storage(
    *,
    platform: Platform = "auto",
    adapter: StorageAdapter | str | None = None,
    path: str | Path | None = None,
    db_name: str = "agentos",
    persistence: bool = True,
    durability: Durability = "batched",
    auto_save: bool = True,
    save_interval_ms: int = 100,
    hooks: StorageHooks | Sequence[StorageHooks] | None = None,
    priority: Sequence[str] | None = None,
) -> "AgentOSStorage":
    """Return an open storage whose schema is that of this release.

    Args:
        platform: Where it runs; ``auto`` finds out.
        adapter: An adapter, or the name of one: ``indexeddb``, ``native``,
            ``memory``. Default: the environment variable ``STORAGE_ADAPTER``, or
            what fits the platform. It is never memory unless asked for.
        path: File of the native adapter; default ``<db_name>.db``.
        db_name: Names the database in the browser.
        persistence: False works in memory.
        durability: See `Durability`.
        auto_save: See `IndexedDbAdapter`.
        save_interval_ms: See `IndexedDbAdapter`.
        hooks: Called around each statement, in order.
        priority: Names of adapters in the order to try them.

    Raises:
        StorageResolutionError: None could be opened; it lists each attempt. The
            last one's error is its cause.
        SchemaError: The database is from a newer release.
    """
    if adapter is not None and not isinstance(adapter, str):
        resolution = Resolution(adapter.kind, "the adapter was passed in")
        await adapter.open()
        return await _prepared(adapter, resolution, hooks)

    def make(kind: str) -> StorageAdapter:
        if kind == "indexeddb":
            return IndexedDbAdapter(
                db_name,
                auto_save=auto_save,
                save_interval_ms=save_interval_ms,
                durability=durability,
            )
        if kind == "native":
            return NativeSqliteAdapter(path or f"{db_name}.db", durability=durability)
        return MemoryAdapter()

    wanted = candidates(
        detect(),
        platform=platform,
        adapter=adapter,
        persistence=persistence,
        priority=priority,
    )
    attempts: list[tuple[str, str]] = []
    cause: StorageError | OSError | None = None
    for candidate in wanted:
        chosen = make(candidate.kind)
        try:
            await chosen.open()
        except (StorageError, OSError) as error:
            attempts.append((candidate.kind, str(error)))
            cause = error
        else:
            resolution = Resolution(candidate.kind, candidate.reason, tuple(attempts))
            return await _prepared(chosen, resolution, hooks)
    raise StorageResolutionError(attempts) from cause


class AgentOSStorage:
    """The six tables, typed, on one adapter.

    Attributes:
        adapter: For SQL of your own.
        resolution: Which adapter this is, and why.
        conversations: Conversations and their events.
        sessions: Sessions.
        personas: Cached personas.
        telemetry: Measurements.
        workflows: Workflows.
    """

    def __init__(self, adapter: StorageAdapter, resolution: Resolution) -> None:
        self.adapter = adapter
        self.resolution = resolution
        self.conversations = Conversations(adapter)
        self.sessions = Sessions(adapter)
        self.personas = Personas(adapter)
        self.telemetry = Telemetry(adapter)
        self.workflows = Workflows(adapter)

    def watch(self, tables: Iterable[str] | None = None) -> Subscription:
        """Return an async iterator over commits that wrote one of *tables*.

        It begins now. What a slow reader misses is merged into one change. It
        ends when it, or the storage, is closed.
        """
        return self.adapter.changes.subscribe(tables)

    async def flush(self) -> None:
        """Return when everything committed so far is durable."""
        await self.adapter.flush()

    async def status(self) -> StorageStatus:
        """Return how safe the data are now."""
        return await self.adapter.status()

    async def compact(self) -> int:
        """Give back the space of what was deleted; return the bytes freed."""
        return await self.adapter.compact()

    async def rebuild_search(self) -> None:
        """Build the full-text index anew from what is stored."""
        await rebuild_search(self.adapter)

    async def export_database(self) -> bytes:
        """Return a plain SQLite file as of the last commit."""
        return await self.adapter.export_database()

    async def inspect_backup(self, data: bytes | str | Path) -> "BackupInspection":
        """Return what a backup holds and whether it can be imported."""
        from pyodide_app.storage.backup import ainspect_backup

        return await ainspect_backup(
            data, scratch=self.adapter.scratch_path, limit=self._largest_backup
        )

    async def import_database(
        self,
        data: bytes | str | Path,
        *,
        mode: Literal["replace", "merge"] = "replace",
        keep_restore_point: bool = True,
        progress: Callable[[str, float], None] | None = None,
    ) -> "ImportReport":
        """Take over a backup, after checking it.

        Args:
            data: The file's content, or its path.
            mode: ``replace`` the database by it, or ``merge`` it into the database.
            keep_restore_point: Keep the state before, so that this can be undone.
            progress: Told the phase (``check``, ``copy``, ``save``) and how much of
                the whole is done, from 0 to 1.

        Raises:
            BackupError: It is refused; the database is untouched.
        """
        from pyodide_app.storage.backup import import_backup

        return await import_backup(
            self,
            data,
            mode=mode,
            keep_restore_point=keep_restore_point,
            progress=progress,
            limit=self._largest_backup,
        )

    @property
    def _largest_backup(self) -> int:
        """Bytes. What a browser takes has to fit into its memory."""
        from pyodide_app.storage.backup import LARGEST_BACKUP

        return sys.maxsize if self.adapter.kind == "native" else LARGEST_BACKUP

    async def keep_restore_point(self, reason: str) -> RestorePoint:
        """Keep a durable copy of the database as of the last commit."""
        return await self.adapter.keep_restore_point(reason)

    async def restore_points(self) -> list[RestorePoint]:
        """Return all restore points, newest first."""
        return await self.adapter.restore_points()

    async def read_restore_point(self, id: str) -> bytes:
        """Return the SQLite file of a restore point."""
        return await self.adapter.read_restore_point(id)

    async def restore(self, id: str) -> None:
        """Make the database equal a restore point.

        The point may be of an older release, so the schema is brought up to date.
        """
        await self.adapter.restore(id)
        await self.adapter.migrate(MIGRATIONS)

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        await self.adapter.delete_restore_point(id)

    async def close(self) -> None:
        """Make everything durable and close."""
        await self.adapter.close()

    async def __aenter__(self) -> "AgentOSStorage":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


async def _prepared(
    adapter: StorageAdapter,
    resolution: Resolution,
    hooks: StorageHooks | Sequence[StorageHooks] | None,
) -> AgentOSStorage:
    try:
        await adapter.migrate(MIGRATIONS)
    except BaseException:
        await adapter.close()
        raise
    if hooks is not None:
        every = [hooks] if isinstance(hooks, StorageHooks) else hooks
        adapter = HookedAdapter(adapter, combine_hooks(every))
    return AgentOSStorage(adapter, resolution)
