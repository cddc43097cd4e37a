"""What tests of backups look at: the whole of a database, as values."""

from pathlib import Path
from typing import Any

from pyodide_app.storage.schema import PUBLIC_TABLES

__all__ = ["content", "image", "left_behind"]


async def content(storage: Any) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of the six tables."""
    found = {}
    for table in PUBLIC_TABLES:
        rows = await storage.adapter.all(f"SELECT * FROM {table} ORDER BY id")
        found[table] = [tuple(row.values()) for row in rows]
    return found


async def image(storage: Any) -> tuple[object, ...]:
    """Return all that a refused import must not change, the file's bytes included.

    The journal is left out: in exclusive mode SQLite leaves it with its head erased.
    """
    path = Path(storage.adapter.path)
    beside = {
        file.name: file.read_bytes()
        for file in path.parent.iterdir()
        if file.is_file() and not file.name.endswith(("-shm", "-journal"))
    }
    return beside, await storage.restore_points(), storage.adapter.changes.seq


def left_behind(storage: Any) -> list[str]:
    """Return files that an import put into scratch and did not take away."""
    folder = Path(storage.adapter.scratch_path("x")).parent
    return [file.name for file in folder.glob("*.db") if "-import" in file.name]
