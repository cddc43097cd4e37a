"""Storage for an agent runtime in one call."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from pyodide_app.errors import (
    EncryptionError,
    OpfsUnavailableError,
    StorageError,
    StorageResolutionError,
)
from pyodide_app.storage.adapter import (
    Durability,
    QuarantinedItem,
    RestorePoint,
    StorageAdapter,
    StorageStatus,
    Store,
    cannot_move,
)
from pyodide_app.storage.adapters.indexeddb import IndexedDbAdapter
from pyodide_app.storage.adapters.memory import MemoryAdapter
from pyodide_app.storage.adapters.native import NativeSqliteAdapter
from pyodide_app.storage.changes import Subscription
from pyodide_app.storage.diagnostics import Diagnosis
from pyodide_app.storage.encryption import Cipher
from pyodide_app.storage.hooks import HookedAdapter, StorageHooks, combine_hooks
from pyodide_app.storage.prune import Age, PrunePlan, PruneReport, plan_prune, prune
from pyodide_app.storage.repositories import (
    Conversations,
    Personas,
    Sessions,
    Telemetry,
    Workflows,
)
from pyodide_app.storage.resolve import DATABASE_VARIABLE, Platform, candidates, detect
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
    url: str | None = None,
    db_name: str = "agentos",
    persistence: bool = True,
    durability: Durability = "batched",
    auto_save: bool = True,
    save_interval_ms: int = 100,
    passphrase: str | None = None,
    cipher: Cipher | None = None,
    store: Store | None = None,
    hooks: StorageHooks | Sequence[StorageHooks] | None = None,
    priority: Sequence[str] | None = None,
) -> "AgentOSStorage":
    """Return an open storage whose schema is that of this release.

    Args:
        platform: Where it runs; ``auto`` finds out.
        adapter: An adapter, or the name of one: ``indexeddb``, ``native``,
            ``postgres``, ``memory``. Default: the environment variable
            ``STORAGE_ADAPTER``, or what fits the platform. It is never memory
            unless asked for.
        path: File of the native adapter; default ``<db_name>.db``.
        url: Of the PostgreSQL server; default: the environment variable
            ``DATABASE_URL``. Either makes ``auto`` and ``server`` choose it.
        db_name: Names the database in the browser, and the schema on the server.
        persistence: False works in memory.
        durability: See `Durability`.
        auto_save: See `IndexedDbAdapter`.
        save_interval_ms: See `IndexedDbAdapter`.
        passphrase: Opens an encrypted database; a new one becomes encrypted. One
            that is plain is refused: open it without, then call `encrypt`.
        cipher: Default: that of the database; see `Cipher`.
        store: Where a browser is to keep the image, see `Store`. Default: where
            it is, and for a new one IndexedDB.
        hooks: Called around each statement, in order.
        priority: Names of adapters in the order to try them.

    Raises:
        StorageResolutionError: None could be opened; it lists each attempt. The
            last one's error is its cause.
        SchemaError: The database is from a newer release.
        EncryptionError: The passphrase is missing, wrong, or of no use.
        OpfsUnavailableError: The browser offers no files here.
    """
    if adapter is not None and not isinstance(adapter, str):
        if passphrase is not None:
            reason = "the adapter was passed in: give the passphrase to that"
            raise EncryptionError(reason)
        resolution = Resolution(adapter.kind, "the adapter was passed in")
        await adapter.open()
        return await _prepared(adapter, resolution, hooks)

    found = detect()

    def make(kind: str) -> StorageAdapter:
        if kind == "indexeddb":
            return IndexedDbAdapter(
                db_name,
                auto_save=auto_save,
                save_interval_ms=save_interval_ms,
                durability=durability,
                passphrase=passphrase,
                cipher=cipher,
                store=store,
            )
        if store is not None:
            raise cannot_move(store, kind)
        if kind == "native":
            return NativeSqliteAdapter(
                path or f"{db_name}.db",
                durability=durability,
                passphrase=passphrase,
                cipher=cipher,
            )
        if kind == "postgres":
            if passphrase is not None:
                reason = "a PostgreSQL server encrypts its own disk: give no passphrase"
                raise EncryptionError(reason)
            server = url or found.environment.get(DATABASE_VARIABLE)
            if not server:
                reason = f"no server is named; pass url= or set {DATABASE_VARIABLE}"
                raise StorageError(reason)
            from pyodide_app.storage.adapters.postgres import PostgresAdapter

            return PostgresAdapter(server, schema=db_name)
        if passphrase is not None:
            reason = "a database in memory is stored nowhere: leave the passphrase out"
            raise EncryptionError(reason)
        return MemoryAdapter()

    wanted = candidates(
        found,
        platform=platform,
        adapter=adapter,
        persistence=persistence,
        priority=priority,
        has_path=path is not None,
        has_url=url is not None,
    )
    attempts: list[tuple[str, str]] = []
    cause: StorageError | OSError | None = None
    for candidate in wanted:
        if candidate.obstacle is not None:
            attempts.append((candidate.kind, candidate.obstacle))
            continue
        try:
            chosen = make(candidate.kind)
            await chosen.open()
        except (EncryptionError, OpfsUnavailableError):
            # It is there: another one in its place would be an empty one.
            raise
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

    async def plan_prune(
        self, *, older_than: Age | None = None, keep: int | None = None
    ) -> PrunePlan:
        """Return what `prune` would delete now; nothing is changed."""
        return await plan_prune(self.adapter, older_than=older_than, keep=keep)

    async def prune(
        self,
        *,
        older_than: Age | None = None,
        keep: int | None = None,
        keep_restore_point: bool = True,
        delete_restore_points: bool = False,
    ) -> PruneReport:
        """Delete old conversations and what belongs to them, and give space back.

        Sessions and telemetry of a conversation go with it; those of none go when
        they are older than *older_than*. It is one transaction, in this database
        alone. Then the file is compacted, and what is stored of it shrinks, also
        when the browser has no more space.

        Args:
            older_than: What was last updated before this goes: Unix milliseconds, a
                datetime, or a timedelta for how long ago.
            keep: The newest conversations that stay. With *older_than*, a
                conversation goes only if both say so.
            keep_restore_point: Keep the state before, so that this can be undone. It
                takes the space of the database until it is deleted.
            delete_restore_points: Give up the earlier ones first; they take space.

        Raises:
            NoRoomForRestorePointError: There is no space for the restore point.
                Nothing was deleted but earlier ones that you gave up.
            QuotaExceededError: It is done and committed, but what stays does not
                fit beside what is stored. That is as it was; keep less.
            ValueError: Neither *older_than* nor *keep* is given.
        """
        return await prune(
            self.adapter,
            older_than=older_than,
            keep=keep,
            keep_restore_point=keep_restore_point,
            delete_restore_points=delete_restore_points,
        )

    async def rebuild_search(self) -> None:
        """Build the full-text index anew from what is stored."""
        await rebuild_search(self.adapter)

    async def encrypt(self, passphrase: str, *, cipher: Cipher = "chacha20") -> None:
        """Encrypt the database and its restore points, durably.

        Afterwards nothing of it is stored as plain text: what was set aside as
        damaged goes. There is no way back to the data without the passphrase.

        Args:
            passphrase: Any text that is not empty.
            cipher: See `Cipher`.

        Raises:
            EncryptionError: It is encrypted already, or only in memory.
            DurabilityError: It stays as it was.
        """
        await self.adapter.encrypt(passphrase, cipher=cipher)

    async def change_passphrase(self, current: str, new: str) -> None:
        """Encrypt the database and its restore points by another passphrase.

        Raises:
            WrongPassphraseError: *current* is not the passphrase.
            NotEncryptedError: It is not encrypted.
            DurabilityError: It stays as it was.
        """
        await self.adapter.change_passphrase(current, new)

    async def decrypt(self, passphrase: str) -> None:
        """Make the database and its restore points plain again. Raises as above."""
        await self.adapter.decrypt(passphrase)

    async def move_to(self, store: Store) -> None:
        """Keep the image of the database elsewhere, atomically and durably.

        It is what it was before, or it has moved; whatever happens in between.

        Args:
            store: See `Store`.

        Raises:
            CapabilityError: It is no browser's.
            OpfsUnavailableError: The browser offers no files here.
            TooLargeForMemoryError: Only OPFS can keep it.
            DurabilityError: It stays where it was.
        """
        await self.adapter.move_to(store)

    async def export_database(
        self,
        *,
        passphrase: str | None = None,
        cipher: Cipher = "chacha20",
        keep_encryption: bool = False,
    ) -> bytes:
        """Return an SQLite file as of the last commit.

        It is plain, also if the database is encrypted, unless asked for otherwise.

        Args:
            passphrase: Encrypt the file by it.
            cipher: For that, see `Cipher`.
            keep_encryption: Without a *passphrase*, that of the database is used.
        """
        return await self.adapter.export_database(
            passphrase=passphrase, cipher=cipher, keep_encryption=keep_encryption
        )

    async def inspect_backup(
        self, data: bytes | str | Path, *, passphrase: str | None = None
    ) -> "BackupInspection":
        """Return what a backup holds and whether it can be imported."""
        from pyodide_app.storage.backup import ainspect_backup

        return await ainspect_backup(
            data,
            scratch=self.adapter.scratch_path,
            limit=self._largest_backup,
            passphrase=passphrase,
        )

    async def import_database(
        self,
        data: bytes | str | Path,
        *,
        mode: Literal["replace", "merge"] = "replace",
        keep_restore_point: bool = True,
        passphrase: str | None = None,
        progress: Callable[[str, float], None] | None = None,
    ) -> "ImportReport":
        """Take over a backup, after checking it.

        Args:
            data: The file's content, or its path.
            mode: ``replace`` the database by it, or ``merge`` it into the database.
            keep_restore_point: Keep the state before, so that this can be undone.
            passphrase: Of the backup, if it is encrypted. The database stays as it
                is, encrypted or plain.
            progress: Told the phase (``check``, ``copy``, ``save``) and how much of
                the whole is done, from 0 to 1.

        Raises:
            BackupError: It is refused; the database is untouched.
            EncryptionError: It is encrypted, and *passphrase* does not open it.
        """
        from pyodide_app.storage.backup import import_backup

        return await import_backup(
            self,
            data,
            mode=mode,
            keep_restore_point=keep_restore_point,
            progress=progress,
            limit=self._largest_backup,
            passphrase=passphrase,
        )

    @property
    def _largest_backup(self) -> int:
        """Bytes. What a browser takes has to fit into its memory."""
        from pyodide_app.storage.backup import LARGEST_BACKUP

        has_disk = self.adapter.kind in ("native", "postgres")
        return sys.maxsize if has_disk else LARGEST_BACKUP

    async def keep_restore_point(self, reason: str) -> RestorePoint:
        """Keep a durable copy of the database as of the last commit."""
        return await self.adapter.keep_restore_point(reason)

    async def restore_points(self) -> list[RestorePoint]:
        """Return all restore points, newest first."""
        return await self.adapter.restore_points()

    async def read_restore_point(self, id: str) -> bytes:
        """Return the SQLite file of a restore point."""
        return await self.adapter.read_restore_point(id)

    async def keep_daily_restore_point(self) -> RestorePoint | None:
        """Keep one if the newest is older than a day, and something has changed."""
        return await self.adapter.keep_daily_restore_point()

    async def restore(self, id: str, *, passphrase: str | None = None) -> RestorePoint:
        """Make the database equal a restore point.

        The point may be of an older release, so the schema is brought up to date.

        Args:
            id: Of the restore point.
            passphrase: Of the restore point, if it is not that of the database.

        Returns:
            A new restore point: the state before, so that this can be undone.
        """
        kept = await self.adapter.restore(id, passphrase=passphrase)
        await self.adapter.migrate(MIGRATIONS)
        return kept

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        await self.adapter.delete_restore_point(id)

    async def diagnose(
        self, *, verify: bool = True, integrity_check: bool = False
    ) -> Diagnosis:
        """Return how the database is, with no word of its content.

        Args:
            verify: Read everything back that is stored, and verify it. It takes as
                long as opening, and disturbs nobody.
            integrity_check: Let SQLite check each table and index, too. That takes
                seconds for a large database, and everybody waits.
        """
        return await self.adapter.diagnose(
            verify=verify, integrity_check=integrity_check
        )

    async def quarantine(self) -> list[QuarantinedItem]:
        """Return what was set aside as damaged, oldest first."""
        return await self.adapter.quarantine()

    async def read_quarantined(self, id: int) -> bytes:
        """Return the bytes of an item as they were stored."""
        return await self.adapter.read_quarantined(id)

    async def delete_quarantined(self, id: int) -> None:
        """Delete an item for good."""
        await self.adapter.delete_quarantined(id)

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
        applied = await adapter.migrate(MIGRATIONS)
        if adapter.kind == "native" and len(applied) < len(MIGRATIONS):
            # A browser's host runs for days, and looks by itself.
            await adapter.keep_daily_restore_point()
    except BaseException:
        await adapter.close()
        raise
    if hooks is not None:
        every = [hooks] if isinstance(hooks, StorageHooks) else hooks
        adapter = HookedAdapter(adapter, combine_hooks(every))
    return AgentOSStorage(adapter, resolution)
