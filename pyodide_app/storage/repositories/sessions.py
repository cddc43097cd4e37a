"""Sessions: named places of work."""

from collections.abc import Mapping
from typing import Any, Final

from pyodide_app.errors import RecordInvalidError
from pyodide_app.ids import now_ms
from pyodide_app.storage.adapter import SqlValue, StorageAdapter
from pyodide_app.storage.codec import encode_object, session_from
from pyodide_app.storage.paging import Listing, read_page
from pyodide_app.storage.records import Page, Session, TargetType

__all__ = ["Sessions"]

_COLUMNS = (
    "id, user_id, display_name, target_type, target_id, "
    "created_at, updated_at, metadata"
)
_LISTING: Final = Listing(
    "sessions", _COLUMNS, "sessions", ("updated_at", "id"), descending=True
)


class Sessions:
    """Typed access to ``sessions``."""

    def __init__(self, adapter: StorageAdapter) -> None:
        self._adapter = adapter

    async def save(
        self,
        id: str,
        user_id: str,
        display_name: str,
        target_type: TargetType,
        target_id: str,
        metadata: Mapping[str, Any] | None = None,
    ) -> Session:
        """Create or overwrite a session, and return it.

        Its creation time stays, and so do its metadata unless given.
        """
        if target_type not in ("persona", "agency"):
            reason = f"target_type is persona or agency, not {target_type!r}"
            raise RecordInvalidError(kind="session", id=id, reason=reason)
        given = None
        if metadata is not None:
            given = encode_object(metadata, kind="session", id=id)
        now = now_ms()
        row = await self._adapter.get(
            f"INSERT INTO sessions ({_COLUMNS}) VALUES "
            "(:id, :user_id, :display_name, :target_type, :target_id, :now, :now, "
            "coalesce(:metadata, '{}')) ON CONFLICT (id) DO UPDATE SET "
            "user_id = excluded.user_id, display_name = excluded.display_name, "
            "target_type = excluded.target_type, target_id = excluded.target_id, "
            "updated_at = excluded.updated_at, "
            f"metadata = coalesce(:metadata, sessions.metadata) RETURNING {_COLUMNS}",
            {
                "id": id,
                "user_id": user_id,
                "display_name": display_name,
                "target_type": target_type,
                "target_id": target_id,
                "now": now,
                "metadata": given,
            },
        )
        return session_from(row or {})

    async def get(self, id: str) -> Session | None:
        """Return the session, or None."""
        row = await self._adapter.get(
            f"SELECT {_COLUMNS} FROM sessions WHERE id = ?", (id,)
        )
        return None if row is None else session_from(row)

    async def list(
        self,
        user_id: str | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
        target_type: TargetType | None = None,
    ) -> Page[Session]:
        """Return a page of sessions, the last updated first."""
        where: list[tuple[str, SqlValue]] = []
        if user_id is not None:
            where.append(("user_id = ?", user_id))
        if target_type is not None:
            where.append(("target_type = ?", target_type))
        return await read_page(
            self._adapter,
            _LISTING,
            session_from,
            where=where,
            limit=limit,
            cursor=cursor,
        )

    async def delete(self, id: str) -> bool:
        """Delete the session; return whether it existed."""
        result = await self._adapter.run("DELETE FROM sessions WHERE id = ?", (id,))
        return result.changes > 0
