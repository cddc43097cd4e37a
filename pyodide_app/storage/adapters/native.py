"""A database in an ordinary file, on a desktop or a server.

In WAL mode readers of other processes never wait for the writer. A commit outlives
the death of the process in every mode; ``commit`` and ``strict`` also wait until
the disk has it.
"""

import json
import os
from pathlib import Path
from typing import ClassVar

from pyodide_app.errors import RestorePointNotFoundError
from pyodide_app.ids import id_time_ms, new_id, now_ms
from pyodide_app.storage.adapter import Durability, RestorePoint, StorageStatus
from pyodide_app.storage.adapters.sqlite import ENGINE_PRAGMAS, SqliteAdapter
from pyodide_app.storage.engine import Engine

__all__ = ["NativeSqliteAdapter"]

_BUSY_TIMEOUT_MS = 5000


class NativeSqliteAdapter(SqliteAdapter):
    """A `StorageAdapter` over a file.

    Restore points are files in the folder ``<file>.restore-points`` beside it.

    Args:
        file_path: The database; it and its folder are created if missing.
        durability: See `Durability`.
    """

    kind: ClassVar[str] = "native"
    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"transactions", "wal", "locks", "persistence", "json", "prepared", "batch"}
    )

    def __init__(
        self, file_path: str | Path, *, durability: Durability = "commit"
    ) -> None:
        super().__init__(durability)
        self.path = Path(file_path)
        self._kept_in = self.path.with_name(self.path.name + ".restore-points")

    def scratch_path(self, name: str) -> str:
        """Return a path beside the database."""
        return str(self.path.with_name(f"{self.path.name}.{new_id()}.{name}"))

    async def status(self) -> StorageStatus:
        """Return that every commit is on the disk."""
        return StorageStatus(
            mode="native",
            durability=self.durability,
            committed_seq=self.changes.seq,
            durable_seq=self.changes.seq,
            database_bytes=self._engine.size,
            details={"path": str(self.path)},
        )

    async def restore_points(self) -> list[RestorePoint]:
        """Return all restore points, newest first."""
        points = []
        for note in self._kept_in.glob("*.json"):
            kept = json.loads(note.read_text("utf-8"))
            image = note.with_suffix(".db")
            if image.exists():
                size = image.stat().st_size
                points.append(
                    RestorePoint(note.stem, kept["reason"], kept["created_at"], size)
                )
        return sorted(points, key=lambda point: point.id, reverse=True)

    async def read_restore_point(self, id: str) -> bytes:
        """Return the SQLite file of a restore point."""
        return self._kept(id).read_bytes()

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        image = self._kept(id)
        image.unlink()
        image.with_suffix(".json").unlink(missing_ok=True)

    async def _open_engine(self) -> Engine:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        level = "NORMAL" if self.durability == "batched" else "FULL"
        return Engine(
            str(self.path),
            pragmas=(*ENGINE_PRAGMAS, "journal_mode = WAL", f"synchronous = {level}"),
            busy_timeout_ms=_BUSY_TIMEOUT_MS,
        )

    def _release(self) -> None:
        """The file's locks ended with the connection."""

    async def _make_durable(self) -> None:
        wal = self.path.with_name(self.path.name + "-wal")
        # With synchronous=NORMAL a commit is written to the WAL but not synced.
        if self.durability == "batched" and wal.exists():
            with wal.open("r+b") as file:
                os.fsync(file.fileno())

    async def _replace(self, staged_path: str) -> None:
        # Copied in one transaction rather than renamed over: other processes may
        # have the file open.
        self._engine.copy_from(staged_path)
        self._engine.close()
        self._engine = await self._open_engine()
        Path(staged_path).unlink()

    async def _keep(self, reason: str) -> RestorePoint:
        image = self._image()
        point = RestorePoint(new_id(), reason, now_ms(), len(image))
        self._kept_in.mkdir(exist_ok=True)
        file = self._kept_in / f"{point.id}.db"
        file.write_bytes(image)
        note = {"reason": reason, "created_at": point.created_at}
        # Written last: a copy without it does not count.
        file.with_suffix(".json").write_text(json.dumps(note), "utf-8")
        return point

    async def _stage(self, restore_point_id: str, staged_path: str) -> None:
        Path(staged_path).write_bytes(self._kept(restore_point_id).read_bytes())

    def _kept(self, id: str) -> Path:
        """Return the file of a restore point."""
        # An id that is none could name a file elsewhere.
        if id_time_ms(id) is None or not (file := self._kept_in / f"{id}.db").is_file():
            raise RestorePointNotFoundError(id)
        return file
