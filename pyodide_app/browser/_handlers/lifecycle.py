"""Opening, closing, flushing and watching a database."""

from collections.abc import AsyncGenerator
from typing import Final

from pyodide_app.browser._handlers.encryption import cipher_in, passphrase_in
from pyodide_app.browser.arguments import InvalidArgumentsError
from pyodide_app.browser.call import Call
from pyodide_app.browser.databases import Opening

__all__ = [
    "close",
    "flush",
    "move",
    "open_database",
    "plan_prune",
    "prune",
    "status",
    "watch",
]

_DURABILITIES: Final = ("batched", "commit", "strict")
_STORES: Final = ("indexeddb", "opfs", "")


async def open_database(call: Call) -> object:
    given = call.arguments
    platform = given.choice("platform", ("auto", "web", "memory"), "auto")
    opening = Opening(
        db_name=given.text("dbName"),
        persistent=platform != "memory" and given.truth("persistence", default=True),
        with_schema=not given.truth("bare", default=False),
        durability=given.choice("durability", _DURABILITIES, "batched"),
        auto_save=given.truth("autoSave", default=True),
        save_interval_ms=given.integer("saveIntervalMs", 100),
        passphrase=passphrase_in(given),
        cipher=cipher_in(given),
        store=given.choice("store", _STORES, "") or None,
    )
    if not opening.db_name:
        raise InvalidArgumentsError(field="dbName", expected="a name that is not empty")
    if opening.save_interval_ms < 0:
        raise InvalidArgumentsError(field="saveIntervalMs", expected="0 or more")
    handle = await call.host.databases.open(call.tab_id, opening)
    reason = (
        "the browser's IndexedDB holds the pages"
        if opening.persistent
        else "memory was asked for; nothing outlives this tab"
    )
    return {
        "storageId": handle.id,
        "kind": handle.adapter.kind,
        "capabilities": sorted(handle.adapter.capabilities),
        "resolution": {
            "kind": handle.adapter.kind,
            "reason": reason,
            "attempts": [],
        },
    }


async def close(call: Call) -> object:
    await call.host.databases.close(call.handle)
    return None


async def flush(call: Call) -> object:
    await call.handle.adapter.flush()
    return None


async def move(call: Call) -> object:
    store = call.arguments.choice("store", _STORES[:2], None)
    await call.handle.adapter.move_to(store)
    return None


async def status(call: Call) -> object:
    handle = call.handle
    status = await handle.adapter.status()
    return {
        **status.details,
        "mode": status.mode,
        "durability": handle.durability,
        "committedSeq": status.committed_seq,
        "durableSeq": status.durable_seq,
        "pendingBytes": status.pending_bytes,
        "lastError": status.last_error,
        "lastErrorCode": status.last_error_code,
        "usage": status.usage,
        "quota": status.quota,
        "persisted": status.persisted,
        "evictionRisk": status.eviction_risk,
        "databaseBytes": status.database_bytes,
        "encryption": status.encryption,
        "store": status.store,
        "tabs": call.host.tab_count(),
    }


async def plan_prune(call: Call) -> object:
    return await call.handle.storage.plan_prune(**_choice(call))


async def prune(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.prune(
        **_choice(call),
        keep_restore_point=given.truth("keepRestorePoint", default=True),
        delete_restore_points=given.truth("deleteRestorePoints", default=False),
    )


def _choice(call: Call) -> dict[str, int | None]:
    older_than = call.arguments.integer_or_none("olderThan")
    keep = call.arguments.integer_or_none("keep")
    if older_than is None and keep is None:
        raise InvalidArgumentsError(field="olderThan or keep", expected="given")
    if keep is not None and keep < 0:
        raise InvalidArgumentsError(field="keep", expected="0 or more")
    return {"older_than": older_than, "keep": keep}


async def watch(call: Call) -> AsyncGenerator[object, None]:
    tables = call.arguments.texts_or_none("tables")
    async with call.handle.adapter.changes.subscribe(tables) as changes:
        async for change in changes:
            yield change
