"""Workflows."""

from collections.abc import Mapping
from typing import Any, Final

from pyodide_app.ids import now_ms
from pyodide_app.storage.adapter import StorageAdapter
from pyodide_app.storage.codec import encode_object, workflow_from
from pyodide_app.storage.paging import Listing, read_page
from pyodide_app.storage.records import Page, Workflow

__all__ = ["Workflows"]

_COLUMNS = "id, name, definition, created_at, updated_at"
_LISTING: Final = Listing(
    "workflows", _COLUMNS, "workflows", ("name", "id"), descending=False
)


class Workflows:
    """Typed access to ``workflows``."""

    def __init__(self, adapter: StorageAdapter) -> None:
        self._adapter = adapter

    async def save(self, id: str, name: str, definition: Mapping[str, Any]) -> Workflow:
        """Create or overwrite a workflow, and return it; its creation time stays."""
        row = await self._adapter.get(
            f"INSERT INTO workflows ({_COLUMNS}) VALUES "
            "(:id, :name, :definition, :now, :now) "
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
            "definition = excluded.definition, updated_at = excluded.updated_at "
            f"RETURNING {_COLUMNS}",
            {
                "id": id,
                "name": name,
                "definition": encode_object(definition, kind="workflow", id=id),
                "now": now_ms(),
            },
        )
        return workflow_from(row or {})

    async def get(self, id: str) -> Workflow | None:
        """Return the workflow, or None."""
        row = await self._adapter.get(
            f"SELECT {_COLUMNS} FROM workflows WHERE id = ?", (id,)
        )
        return None if row is None else workflow_from(row)

    async def list(
        self, *, limit: int = 200, cursor: str | None = None
    ) -> Page[Workflow]:
        """Return a page of workflows, by name."""
        return await read_page(
            self._adapter, _LISTING, workflow_from, limit=limit, cursor=cursor
        )

    async def delete(self, id: str) -> bool:
        """Delete the workflow; return whether it existed."""
        result = await self._adapter.run("DELETE FROM workflows WHERE id = ?", (id,))
        return result.changes > 0
