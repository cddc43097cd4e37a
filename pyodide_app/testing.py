"""Public fakes: small real implementations of the ports, for tests."""

import asyncio
import filecmp
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyodide_app.errors import (
    DurabilityError,
    QuotaExceededError,
    RestorePointNotFoundError,
)
from pyodide_app.ids import new_id, now_ms

__all__ = ["FolderVolume"]

_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
"""How a hot journal begins. Source: https://sqlite.org/fileformat2.html#rollbackjournal"""


class FolderVolume:
    """A `Volume` over a folder, which can lose its power.

    What was flushed is kept as copies in a second folder; `crash` brings the
    first back to that. It flushes when it is told to, and never by itself.

    Args:
        folder: Where to work; it is created.

    Attributes:
        autosave: What `set_autosave` was told, by path.
        flushes: The ``strict`` of each flush, in order.
        failure: If set, the next writes raise it.
        quota: Bytes that durable copies and restore points may take; None for any.
    """

    def __init__(self, folder: str | Path) -> None:
        base = Path(folder)
        self._root, self._scratch = base / "persist", base / "scratch"
        self._durable, self._kept = base / "durable", base / "kept"
        for path in (self._root, self._scratch, self._durable, self._kept):
            path.mkdir(parents=True, exist_ok=True)
        self._points: dict[str, tuple[str, dict[str, object]]] = {}
        self._aside: dict[int, tuple[dict[str, object], bytes]] = {}
        self._seq = 0
        self._last_error: DurabilityError | None = None
        self._stores: dict[str, str] = {}
        self.autosave: dict[str, int | None] = {}
        self.flushes: list[bool] = []
        self.failure: DurabilityError | None = None
        self.quota: int | None = None

    @property
    def usage(self) -> int:
        """Bytes that durable copies and restore points take."""
        files = [*self._durable.iterdir(), *self._kept.iterdir()]
        return sum(file.stat().st_size for file in files)

    @property
    def root(self) -> str:
        """Folder of durable files."""
        return str(self._root)

    @property
    def scratch(self) -> str:
        """Folder of temporary files."""
        return str(self._scratch)

    def crash(self) -> None:
        """Lose everything that was not flushed, as when a tab dies.

        Connections that are open must not be used afterwards.
        """
        for folder in (self._root, self._scratch):
            shutil.rmtree(folder)
            folder.mkdir()
        for file in self._durable.iterdir():
            shutil.copyfile(file, self._root / file.name)
        self.autosave.clear()

    async def flush(self, *, strict: bool) -> int:
        """Copy every file that changed and is not inside a transaction."""
        # A browser answers in a later turn, and so does this.
        await asyncio.sleep(0)
        self.flushes.append(strict)
        self._fail_if_told()
        changed = [file for file in self._root.glob("*.db") if self._is_dirty(file)]
        for file in changed:
            self._fail_if_full(file)
            self._publish(file, self._durable / file.name)
        self._seq += bool(changed)
        return self._seq

    def set_autosave(self, path: str, interval_ms: int | None) -> None:
        """Remember it; a test flushes when it wants."""
        self.autosave[path] = interval_ms

    def status(self, path: str) -> Mapping[str, object]:
        """Return what is known about *path*."""
        file = Path(path)
        is_dirty = file.exists() and self._is_dirty(file)
        size = file.stat().st_size if file.exists() else 0
        error = self._last_error
        return {
            "store": self._stores.get(path, "indexeddb"),
            "committedSeq": self._seq + is_dirty,
            "durableSeq": self._seq,
            "pendingBytes": size if is_dirty else 0,
            "lastError": None if error is None else str(error),
            "lastErrorCode": None if error is None else error.code,
            "usage": None,
            "quota": None,
            "persisted": None,
            "evictionRisk": "disk_pressure",
            "fileBytes": size,
        }

    async def replace_file(self, path: str, staged: str) -> None:
        """Make *path* equal *staged*, atomically and durably."""
        await asyncio.sleep(0)
        self._fail_if_told()
        file = Path(path)
        self._publish(Path(staged), self._durable / file.name)
        shutil.move(staged, file)
        self._seq += 1

    async def move_file(self, path: str, store: str) -> None:
        """Remember where *path* is to be; it stays in the folder."""
        await asyncio.sleep(0)
        self._fail_if_told()
        self._stores[path] = store

    async def forget_replaced(self, *, quarantined: bool) -> None:
        """Nothing is left here of what was replaced."""
        await asyncio.sleep(0)
        self._fail_if_told()

    async def shrink(self) -> None:
        """Copy every file in the place of what was kept of it."""
        self._fail_if_told()
        for file in self._root.glob("*.db"):
            kept = self._durable / file.name
            self._fail_if_full(file, instead_of=kept)
            self._publish(file, kept)
        self._seq += 1

    async def keep_restore_point(
        self, path: str, reason: str, *, encrypted: bool
    ) -> Mapping[str, object]:
        """Keep a durable copy."""
        await asyncio.sleep(0)
        self._fail_if_told()
        self._fail_if_full(Path(path))
        id = new_id()
        point = {"id": id, "reason": reason, "createdAt": now_ms()}
        self._points[id] = (path, point | self._keep(id, path, encrypted=encrypted))
        return self._points[id][1]

    async def is_restore_point_of(self, id: str, path: str) -> bool:
        """Return whether *path* is what that restore point holds."""
        return filecmp.cmp(self._kept_file(id), path, shallow=False)

    async def rewrite_restore_point(
        self, id: str, staged: str, *, encrypted: bool
    ) -> None:
        """Make the content of a restore point that of *staged*, atomically."""
        await asyncio.sleep(0)
        self._fail_if_told()
        path, point = self._points[id]
        self._points[id] = (path, point | self._keep(id, staged, encrypted=encrypted))

    async def restore_points(self, path: str) -> list[Mapping[str, object]]:
        """Return the restore points of *path*."""
        return [point for kept, point in self._points.values() if kept == path]

    async def read_restore_point(self, id: str) -> bytes:
        """Return the content of a restore point."""
        return self._kept_file(id).read_bytes()

    async def stage_restore_point(self, id: str, staged: str) -> None:
        """Write the content of a restore point to *staged*."""
        shutil.copyfile(self._kept_file(id), staged)

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        self._kept_file(id).unlink()
        del self._points[id]

    def set_aside(self, name: str, data: bytes) -> int:
        """Put *data* into quarantine, as a browser does with what does not verify."""
        id = len(self._aside) + 1
        item = {"id": id, "name": name, "reason": "its checksum is wrong"}
        opening = {"setAsideAt": now_ms(), "openedAs": None, "size": len(data)}
        self._aside[id] = ({**item, **opening}, data)
        return id

    async def diagnose(self, *, verify: bool) -> Mapping[str, Any]:
        """Return the state of a store that has neither a log nor checkpoints."""
        points = [int(str(point["stored"])) for _, point in self._points.values()]
        aside = [len(data) for _, data in self._aside.values()]
        verification = {"problems": [], "bytes": self.usage, "durationMs": 0.0}
        return {
            "head": f"0.{self._seq}",
            "epoch": 0,
            "records": 0,
            "logBytes": 0,
            "checkpoints": 0,
            "checkpointBytes": 0,
            "garbage": 0,
            "reserveBytes": 0,
            "restorePoints": len(points),
            "restorePointBytes": sum(points),
            "quarantined": len(aside),
            "quarantinedBytes": sum(aside),
            "losses": 0,
            "rewrites": 0,
            "flushes": [],
            "features": {},
            "userAgent": "",
            "verification": {**verification, "comparedImage": False}
            if verify
            else None,
        }

    async def quarantine(self) -> list[Mapping[str, object]]:
        """Return what was put into quarantine, oldest first."""
        return [item for item, _ in self._aside.values()]

    async def read_quarantined(self, id: int) -> bytes | None:
        """Return the bytes of an item; None if it has gone."""
        return self._aside[id][1] if id in self._aside else None

    async def delete_quarantined(self, id: int) -> None:
        """Delete an item for good."""
        del self._aside[id]

    def _keep(self, id: str, path: str, *, encrypted: bool) -> dict[str, object]:
        file = self._kept / f"{id}.db"
        self._publish(Path(path), file)
        size = file.stat().st_size
        return {"size": size, "stored": size, "encrypted": encrypted}

    def _fail_if_told(self) -> None:
        self._last_error = self.failure
        if self.failure is not None:
            raise self.failure

    def _fail_if_full(self, file: Path, *, instead_of: Path | None = None) -> None:
        given_up = (
            instead_of.stat().st_size if instead_of and instead_of.exists() else 0
        )
        size = file.stat().st_size
        if self.quota is not None and self.usage - given_up + size > self.quota:
            self._last_error = QuotaExceededError()
            raise self._last_error

    def _is_dirty(self, file: Path) -> bool:
        journal = file.with_name(file.name + "-journal")
        if journal.exists():
            with journal.open("rb") as start:
                if start.read(len(_JOURNAL_MAGIC)) == _JOURNAL_MAGIC:
                    return False
        kept = self._durable / file.name
        return not kept.exists() or kept.read_bytes() != file.read_bytes()

    def _publish(self, source: Path, target: Path) -> None:
        """Copy so that *target* is the old or the new, never a part."""
        part = target.with_name(target.name + ".part")
        shutil.copyfile(source, part)
        part.replace(target)

    def _kept_file(self, id: str) -> Path:
        if id not in self._points:
            raise RestorePointNotFoundError(id)
        return self._kept / f"{id}.db"
