"""A database in an ordinary file, on a desktop or a server.

In WAL mode readers of other processes never wait for the writer. A commit outlives
the death of the process in every mode; ``commit`` and ``strict`` also wait until
the disk has it.
"""

import gzip
import json
import os
import shutil
from io import BufferedIOBase
from pathlib import Path
from typing import ClassVar, Final

from pyodide_app.errors import RestorePointNotFoundError
from pyodide_app.ids import id_time_ms, new_id, now_ms
from pyodide_app.storage.adapter import Durability, RestorePoint, StorageStatus
from pyodide_app.storage.adapters.sqlite import ENGINE_PRAGMAS, SqliteAdapter
from pyodide_app.storage.encryption import Cipher, EncryptionKey
from pyodide_app.storage.engine import Engine

__all__ = ["NativeSqliteAdapter"]

_BUSY_TIMEOUT_MS = 5000

_RESTORE_POINTS: Final = 10
"""Kept at most."""

_ENCRYPTED: Final = ".db"
"""How the name of a restore point ends. Earlier ones that are plain end so, too."""

_COMPRESSED: Final = ".db.gz"


class NativeSqliteAdapter(SqliteAdapter):
    """A `StorageAdapter` over a file.

    Restore points are files in the folder ``<file>.restore-points`` beside it.

    Args:
        file_path: The database; it and its folder are created if missing.
        durability: See `Durability`.
        passphrase: Opens an encrypted file; a new one becomes encrypted.
        cipher: None finds out which one the file has, see `Cipher`.
    """

    kind: ClassVar[str] = "native"
    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"transactions", "wal", "locks", "persistence", "json", "prepared", "batch"}
    )

    def __init__(
        self,
        file_path: str | Path,
        *,
        durability: Durability = "commit",
        passphrase: str | None = None,
        cipher: Cipher | None = None,
    ) -> None:
        super().__init__(durability, EncryptionKey.of(passphrase, cipher))
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
            encryption=self.cipher,
            details={"path": str(self.path)},
        )

    async def restore_points(self) -> list[RestorePoint]:
        """Return all restore points, newest first."""
        points = []
        for note in self._kept_in.glob("*.json"):
            kept = json.loads(note.read_text("utf-8"))
            image = _image_of(note)
            if image is not None:
                stored = image.stat().st_size
                points.append(
                    RestorePoint(
                        id=note.stem,
                        reason=kept["reason"],
                        created_at=kept["created_at"],
                        size=kept.get("size", stored),
                        stored=stored,
                        encrypted=kept.get("encrypted", False),
                    )
                )
        return sorted(points, key=lambda point: point.id, reverse=True)

    async def read_restore_point(self, id: str) -> bytes:
        """Return the SQLite file of a restore point."""
        with _opened(self._kept(id)) as file:
            return file.read()

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        image = self._kept(id)
        image.unlink()
        self._note(id).unlink(missing_ok=True)

    async def _open_engine(self) -> Engine:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        level = "NORMAL" if self.durability == "batched" else "FULL"
        return Engine(
            str(self.path),
            pragmas=(*ENGINE_PRAGMAS, "journal_mode = WAL", f"synchronous = {level}"),
            busy_timeout_ms=_BUSY_TIMEOUT_MS,
            key=self._key,
        )

    def _release(self) -> None:
        """The file's locks ended with the connection."""

    async def _make_durable(self) -> None:
        # With synchronous=NORMAL a commit is written to the WAL but not synced.
        if self.durability == "batched" and self._wal.exists():
            with self._wal.open("r+b") as file:
                os.fsync(file.fileno())

    async def _shrink(self) -> None:
        # Until then the smaller database is in the WAL. A reader of another process
        # may be in the way; the last connection to close does it too.
        self._engine.run("PRAGMA wal_checkpoint(TRUNCATE)")

    async def _replace(self, staged_path: str) -> None:
        # Copied in one transaction rather than renamed over: other processes may
        # have the file open.
        self._engine.copy_from(staged_path)
        self._engine.close()
        self._engine = await self._open_engine()
        Path(staged_path).unlink()

    async def _rekey(self, key: EncryptionKey | None) -> None:
        self._engine.change_key(key)

    async def _keep(self, reason: str) -> RestorePoint:
        self._kept_in.mkdir(exist_ok=True)
        point = RestorePoint(
            new_id(), reason, now_ms(), size=0, stored=0, encrypted=False
        )
        staged = self.scratch_path("point.db")
        try:
            self._engine.copy_to(staged, self._key)
            await self._rewrite(point, staged)
        finally:
            Path(staged).unlink(missing_ok=True)
        points = await self.restore_points()
        for old in points[_RESTORE_POINTS:]:
            await self.delete_restore_point(old.id)
        return next(kept for kept in points if kept.id == point.id)

    async def _has_changed_since(self, point: RestorePoint) -> bool:
        files = [file for file in (self.path, self._wal) if file.exists()]
        return any(
            file.stat().st_mtime_ns // 1_000_000 > point.created_at for file in files
        )

    async def _stage(self, restore_point_id: str, staged_path: str) -> None:
        _unpack(self._kept(restore_point_id), Path(staged_path))

    async def _rewrite(self, point: RestorePoint, staged_path: str) -> None:
        staged = Path(staged_path)
        encrypted = self._key is not None
        # What is encrypted does not get smaller.
        end = _ENCRYPTED if encrypted else _COMPRESSED
        image = self._kept_in / f"{point.id}{end}"
        _pack(staged, image)
        note = {
            "reason": point.reason,
            "created_at": point.created_at,
            "size": staged.stat().st_size,
            "encrypted": encrypted,
        }
        # Written last: a copy without it does not count.
        self._note(point.id).write_text(json.dumps(note), "utf-8")
        other = _COMPRESSED if encrypted else _ENCRYPTED
        image.with_name(point.id + other).unlink(missing_ok=True)

    @property
    def _wal(self) -> Path:
        return self.path.with_name(self.path.name + "-wal")

    def _note(self, id: str) -> Path:
        """Return the file that says what a restore point is."""
        # An id that is none could name a file elsewhere.
        if id_time_ms(id) is None:
            raise RestorePointNotFoundError(id)
        return self._kept_in / f"{id}.json"

    def _kept(self, id: str) -> Path:
        """Return the file of a restore point."""
        image = _image_of(self._note(id))
        if image is None:
            raise RestorePointNotFoundError(id)
        return image


def _image_of(note: Path) -> Path | None:
    """Return the copy that belongs to a note."""
    for end in (_ENCRYPTED, _COMPRESSED):
        if (image := note.with_suffix(end)).is_file():
            return image
    return None


def _unpack(image: Path, target: Path) -> None:
    with _opened(image) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)


def _pack(source: Path, image: Path) -> None:
    """Copy so that *image* is the old or the new, never a part."""
    part = image.with_name(image.name + ".part")
    with source.open("rb") as file, part.open("wb") as target:
        if image.suffix == ".gz":
            with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=1) as packed:
                shutil.copyfileobj(file, packed)
        else:
            shutil.copyfileobj(file, target)
    part.replace(image)


def _opened(image: Path) -> BufferedIOBase:
    return gzip.open(image) if image.suffix == ".gz" else image.open("rb")
