"""A database in memory, gone when it is closed."""

from pathlib import Path
from tempfile import gettempdir
from typing import ClassVar

from pyodide_app.errors import EncryptionError, RestorePointNotFoundError
from pyodide_app.ids import new_id, now_ms
from pyodide_app.storage.adapter import RestorePoint, StorageStatus
from pyodide_app.storage.adapters.sqlite import ENGINE_PRAGMAS, SqliteAdapter
from pyodide_app.storage.encryption import EncryptionKey
from pyodide_app.storage.engine import Engine

__all__ = ["MemoryAdapter"]


class MemoryAdapter(SqliteAdapter):
    """A `StorageAdapter` that keeps nothing, and says so in its status."""

    kind: ClassVar[str] = "memory"
    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"transactions", "json", "prepared", "batch"}
    )

    def __init__(self) -> None:
        super().__init__("batched")
        self._kept: dict[str, tuple[RestorePoint, bytes]] = {}

    def scratch_path(self, name: str) -> str:
        """Return a path in the system's folder for temporary files."""
        return str(Path(gettempdir()) / f"pyodide-app-{new_id()}-{name}")

    async def status(self) -> StorageStatus:
        """Return that nothing is durable."""
        return StorageStatus(
            mode="memory",
            durability=self.durability,
            committed_seq=self.changes.seq,
            durable_seq=0,
            pending_bytes=self._engine.size,
            database_bytes=self._engine.size,
            eviction_risk="memory_only",
        )

    async def restore_points(self) -> list[RestorePoint]:
        """Return all restore points, newest first."""
        return [point for point, _ in reversed(self._kept.values())]

    async def read_restore_point(self, id: str) -> bytes:
        """Return the SQLite file of a restore point."""
        if id not in self._kept:
            raise RestorePointNotFoundError(id)
        return self._kept[id][1]

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        if self._kept.pop(id, None) is None:
            raise RestorePointNotFoundError(id)

    async def _open_engine(self) -> Engine:
        return Engine(":memory:", pragmas=ENGINE_PRAGMAS)

    def _release(self) -> None:
        self._kept.clear()

    async def _make_durable(self) -> None:
        """Nothing here is ever durable; `status` says so."""

    async def _replace(self, staged_path: str) -> None:
        with Engine(staged_path, read_only=True) as staged:
            encoding = staged.encoding
        pragmas = (f"encoding = '{encoding}'", *ENGINE_PRAGMAS)
        fresh = Engine(":memory:", pragmas=pragmas)
        try:
            fresh.copy_from(staged_path)
        except BaseException:
            fresh.close()
            raise
        self._engine.close()
        self._engine = fresh
        Path(staged_path).unlink()

    async def _rekey(self, key: EncryptionKey | None) -> None:
        reason = "a database in memory is stored nowhere: there is nothing to encrypt"
        raise EncryptionError(reason)

    async def _keep(self, reason: str) -> RestorePoint:
        image = self._image()
        size = len(image)
        point = RestorePoint(new_id(), reason, now_ms(), size, size, encrypted=False)
        self._kept[point.id] = (point, image)
        return point

    async def _has_changed_since(self, point: RestorePoint) -> bool:
        return self._kept[point.id][1] != self._image()

    async def _rewrite(self, point: RestorePoint, staged_path: str) -> None:
        self._kept[point.id] = (point, Path(staged_path).read_bytes())

    async def _stage(self, restore_point_id: str, staged_path: str) -> None:
        Path(staged_path).write_bytes(await self.read_restore_point(restore_point_id))
