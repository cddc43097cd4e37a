"""A database in the browser, on the host's durable volume.

SQLite reads and writes an ordinary file. The volume makes each committed state
durable in IndexedDB: within the save interval, or before the call returns. The pages
are in memory or, if they are kept in OPFS, read when they are needed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, cast
from urllib.parse import quote

from pyodide_app.errors import (
    RecordNotFoundError,
    StorageClosedError,
    StorageError,
    StorageInUseError,
    StoreDamagedError,
    error_from_code,
)
from pyodide_app.ids import new_id
from pyodide_app.storage.adapter import (
    Durability,
    EvictionRisk,
    QuarantinedItem,
    RestorePoint,
    StorageStatus,
    Store,
)
from pyodide_app.storage.adapters.sqlite import ENGINE_PRAGMAS, SqliteAdapter
from pyodide_app.storage.encryption import Cipher, EncryptionKey
from pyodide_app.storage.engine import Engine
from pyodide_app.storage.volume import Volume, installed_volume

__all__ = ["IndexedDbAdapter"]

# The volume has no file locks between connections of one process, and two of them
# on one file would destroy it. There is one process per volume, so this is the lock.
_open_files: set[tuple[int, str]] = set()


class IndexedDbAdapter(SqliteAdapter):
    """A `StorageAdapter` over a file of a `Volume`.

    Args:
        db_name: Names the database; any text.
        auto_save: Whether ``batched`` commits become durable by themselves. If
            not, `flush` and `close` do it.
        save_interval_ms: How long that may take.
        durability: See `Durability`.
        passphrase: Opens an encrypted database; a new one becomes encrypted.
        cipher: None finds out which one the file has, see `Cipher`.
        store: Where the image is to be, see `Store`: one that is elsewhere moves
            when it is opened. None leaves it where it is.
        volume: Where the file is; default: the one the browser package installed.
    """

    kind: ClassVar[str] = "indexeddb"
    capabilities: ClassVar[frozenset[str]] = frozenset(
        {
            "transactions",
            "persistence",
            "locks",
            "concurrent",
            "json",
            "prepared",
            "batch",
        }
    )

    def __init__(
        self,
        db_name: str = "app-db",
        *,
        auto_save: bool = True,
        save_interval_ms: int = 100,
        durability: Durability = "batched",
        passphrase: str | None = None,
        cipher: Cipher | None = None,
        store: Store | None = None,
        volume: Volume | None = None,
    ) -> None:
        super().__init__(durability, EncryptionKey.of(passphrase, cipher))
        if not db_name:
            msg = "db_name must not be empty"
            raise ValueError(msg)
        if save_interval_ms < 0:
            msg = f"save_interval_ms must not be negative, it is {save_interval_ms}"
            raise ValueError(msg)
        if store not in (None, "indexeddb", "opfs"):
            msg = f"store is indexeddb or opfs, not {store!r}"
            raise ValueError(msg)
        self.db_name = db_name
        self._wanted_store = store
        self._autosave_ms = save_interval_ms if auto_save else None
        self._given_volume = volume
        self._claim: tuple[int, str] | None = None

    @property
    def path(self) -> str:
        """The database file."""
        return f"{self._volume.root}/{quote(self.db_name, safe='')}.db"

    def scratch_path(self, name: str) -> str:
        """Return a path in the volume's scratch folder."""
        return f"{self._volume.scratch}/{new_id()}-{quote(name, safe='')}"

    async def status(self) -> StorageStatus:
        """Return what the volume knows of the file."""
        if not self.is_open:
            raise StorageClosedError
        known = dict(self._volume.status(self.path))
        return StorageStatus(
            mode="indexeddb",
            durability=self.durability,
            committed_seq=_number(known.pop("committedSeq", None)) or 0,
            durable_seq=_number(known.pop("durableSeq", None)) or 0,
            pending_bytes=_number(known.pop("pendingBytes", None)) or 0,
            last_error=_text(known.pop("lastError", None)),
            last_error_code=_text(known.pop("lastErrorCode", None)),
            usage=_number(known.pop("usage", None)),
            quota=_number(known.pop("quota", None)),
            persisted=_truth(known.pop("persisted", None)),
            eviction_risk=_risk(known.pop("evictionRisk", None)),
            # While the file is replaced there is no connection to ask.
            database_bytes=_number(known.pop("fileBytes", None)) or 0,
            encryption=self.cipher,
            store=_store(known.pop("store", None)),
            details=known,
        )

    async def restore_points(self) -> list[RestorePoint]:
        """Return all restore points, newest first."""
        found = await self._volume.restore_points(self.path)
        points = [_restore_point(point) for point in found]
        # Those of one millisecond come in the order they were kept.
        return sorted(points, key=lambda point: point.created_at)[::-1]

    async def read_restore_point(self, id: str) -> bytes:
        """Return the SQLite file of a restore point."""
        return await self._volume.read_restore_point(id)

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        await self._volume.delete_restore_point(id)

    async def _diagnose_volume(self, verify: bool) -> Mapping[str, object]:
        return await self._volume.diagnose(verify=verify)

    async def quarantine(self) -> list[QuarantinedItem]:
        """Return what was set aside of all files of the volume, oldest first."""
        found = await self._volume.quarantine()
        return [
            QuarantinedItem(
                id=_number(item["id"]) or 0,
                name=str(item["name"]),
                reason=str(item["reason"]),
                set_aside_at=_number(item["setAsideAt"]) or 0,
                opened_as=_number(item["openedAs"]),
                size=_number(item["size"]) or 0,
            )
            for item in found
        ]

    async def read_quarantined(self, id: int) -> bytes:
        """Return the bytes of an item as they were stored."""
        found = await self._volume.read_quarantined(id)
        if found is None:
            kind = "quarantined item"
            raise RecordNotFoundError(kind, str(id))
        return found

    async def delete_quarantined(self, id: int) -> None:
        """Delete an item for good."""
        if id not in {item.id for item in await self.quarantine()}:
            kind = "quarantined item"
            raise RecordNotFoundError(kind, str(id))
        await self._volume.delete_quarantined(id)

    @property
    def _volume(self) -> Volume:
        return self._given_volume or installed_volume()

    async def _open_engine(self) -> Engine:
        claim = (id(self._volume), self.path)
        if claim in _open_files:
            raise StorageInUseError(self.db_name)
        engine = self._connect()
        _open_files.add(claim)
        self._claim = claim
        if self._wanted_store not in (None, self._store_now()):
            engine.close()
            try:
                await self._volume.move_file(self.path, str(self._wanted_store))
                engine = self._connect()
            except BaseException:
                self._release()
                raise
        self._volume.set_autosave(self.path, self._autosave_ms)
        return engine

    def _connect(self) -> Engine:
        return Engine(
            self.path,
            pragmas=(
                *ENGINE_PRAGMAS,
                "locking_mode = EXCLUSIVE",
                "journal_mode = DELETE",
                "synchronous = NORMAL",
            ),
            # The volume knows a transaction by the life of its journal file.
            fixed_pragmas=frozenset({"journal_mode", "locking_mode"}),
            name=self.db_name,
            key=self._key,
            why_unreadable=self._why_unreadable,
        )

    def _why_unreadable(self) -> StorageError | None:
        known = self._volume.status(self.path)
        code, message = known.get("lastErrorCode"), known.get("lastError")
        if code != StoreDamagedError.code:
            return None
        error = error_from_code(code, str(message))
        return error if isinstance(error, StorageError) else None

    def _store_now(self) -> Store | None:
        return _store(self._volume.status(self.path).get("store"))

    async def move_to(self, store: Store) -> None:
        """Keep the image elsewhere, atomically and durably."""
        async with self._alone("move_to()"):
            if not self.is_open:
                raise StorageClosedError
            if self._store_now() == store:
                return
            self._engine.close()
            try:
                await self._volume.move_file(self.path, store)
            finally:
                self._engine = self._connect()

    def _release(self) -> None:
        if self._claim is not None:
            _open_files.discard(self._claim)
            self._claim = None

    async def _make_durable(self) -> None:
        await self._volume.flush(strict=self.durability == "strict")

    async def _shrink(self) -> None:
        await self._volume.shrink()

    def _image(self) -> bytes:
        if self._key is not None:
            return super()._image()
        # With a rollback journal the file is the database at every commit point;
        # reading it takes one copy where SQLite's serialize takes two.
        self._engine.ensure_header()
        return Path(self.path).read_bytes()

    async def _replace(self, staged_path: str) -> None:
        await self._swap(staged_path, self._key)

    async def _rekey(self, key: EncryptionKey | None) -> None:
        staged = self.scratch_path("rekeyed.db")
        try:
            self._engine.copy_to(staged, key)
            await self._swap(staged, key)
        finally:
            Path(staged).unlink(missing_ok=True)
        # What was set aside as damaged could hold plain text.
        await self._volume.forget_replaced(quarantined=key is not None)

    async def _swap(self, staged_path: str, key: EncryptionKey | None) -> None:
        self._engine.close()
        try:
            await self._volume.replace_file(self.path, staged_path)
            self._key = key
        finally:
            self._engine = self._connect()

    async def _keep(self, reason: str) -> RestorePoint:
        self._engine.ensure_header()
        return _restore_point(
            await self._volume.keep_restore_point(
                self.path, reason, encrypted=self._key is not None
            )
        )

    async def _has_changed_since(self, point: RestorePoint) -> bool:
        return not await self._volume.is_restore_point_of(point.id, self.path)

    async def _rewrite(self, point: RestorePoint, staged_path: str) -> None:
        await self._volume.rewrite_restore_point(
            point.id, staged_path, encrypted=self._key is not None
        )

    async def _stage(self, restore_point_id: str, staged_path: str) -> None:
        await self._volume.stage_restore_point(restore_point_id, staged_path)


def _restore_point(point: Mapping[str, object]) -> RestorePoint:
    return RestorePoint(
        id=str(point["id"]),
        reason=str(point["reason"]),
        created_at=_number(point["createdAt"]) or 0,
        size=_number(point["size"]) or 0,
        stored=_number(point["stored"]) or 0,
        encrypted=point["encrypted"] is True,
    )


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _store(value: object) -> Store | None:
    return value if value in ("indexeddb", "opfs") else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _risk(value: object) -> EvictionRisk:
    return cast("EvictionRisk", value) if isinstance(value, str) else "disk_pressure"


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
