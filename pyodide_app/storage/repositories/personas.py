"""Personas, cached for offline use."""

from collections.abc import Mapping
from typing import Any, Final

from pyodide_app.ids import now_ms
from pyodide_app.storage.adapter import StorageAdapter
from pyodide_app.storage.codec import encode_object, persona_from
from pyodide_app.storage.paging import Listing, read_page
from pyodide_app.storage.records import Page, Persona

__all__ = ["Personas"]

_COLUMNS = "id, display_name, description, definition, created_at, updated_at"
_LISTING: Final = Listing(
    "personas", _COLUMNS, "personas", ("display_name", "id"), descending=False
)


class Personas:
    """Typed access to ``personas``."""

    def __init__(self, adapter: StorageAdapter) -> None:
        self._adapter = adapter

    async def cache(
        self, id: str, display_name: str, definition: Mapping[str, Any]
    ) -> Persona:
        """Create or overwrite a persona, and return it; its creation time stays.

        The description is the definition's ``description``, if that is a text.
        """
        text = encode_object(definition, kind="persona", id=id)
        description = definition.get("description")
        row = await self._adapter.get(
            f"INSERT INTO personas ({_COLUMNS}) VALUES "
            "(:id, :display_name, :description, :definition, :now, :now) "
            "ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, "
            "description = excluded.description, definition = excluded.definition, "
            f"updated_at = excluded.updated_at RETURNING {_COLUMNS}",
            {
                "id": id,
                "display_name": display_name,
                "description": description if isinstance(description, str) else None,
                "definition": text,
                "now": now_ms(),
            },
        )
        return persona_from(row or {})

    async def get(self, id: str) -> Persona | None:
        """Return the persona, or None."""
        row = await self._adapter.get(
            f"SELECT {_COLUMNS} FROM personas WHERE id = ?", (id,)
        )
        return None if row is None else persona_from(row)

    async def list(
        self, *, limit: int = 200, cursor: str | None = None
    ) -> Page[Persona]:
        """Return a page of personas, by display name."""
        return await read_page(
            self._adapter, _LISTING, persona_from, limit=limit, cursor=cursor
        )

    async def delete(self, id: str) -> bool:
        """Delete the persona; return whether it existed."""
        result = await self._adapter.run("DELETE FROM personas WHERE id = ?", (id,))
        return result.changes > 0
