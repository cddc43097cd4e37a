"""The method table: everything that a page may call in Python.

A handler gets the call with its checked arguments and returns data; a stream is an
async generator of data. Names are renamed to JavaScript's in `wire.as_record` and
nowhere else.
"""

import contextlib
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
)
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pyodide_app.browser.arguments import Arguments, InvalidArgumentsError
from pyodide_app.browser.databases import Databases, Handle, Opening
from pyodide_app.browser.interactive import InteractiveTransaction
from pyodide_app.browser.wire import Blob
from pyodide_app.errors import PyodideAppError
from pyodide_app.ids import new_id
from pyodide_app.storage.adapter import BatchOperation, StorageAdapter

if TYPE_CHECKING:
    from pyodide_app.browser.agents import Agents
    from pyodide_app.browser.volume import HostVolume

__all__ = ["METHODS", "STREAMS", "Call", "Surroundings"]

T = TypeVar("T")

_IDLE_S: Final = 30.0
"""Seconds between two calls of an interactive transaction, which keeps all others
waiting."""

_DURABILITIES: Final = ("batched", "commit", "strict")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What handlers may use."""

    databases: Databases
    volume: "HostVolume"
    agents: "Agents"
    tab_count: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one tab."""

    tab_id: str
    arguments: Arguments
    host: Surroundings

    @property
    def handle(self) -> Handle:
        """The tab's hold on the database that the call is about."""
        id = self.arguments.text("storageId")
        return self.host.databases.get(id, self.tab_id)

    async def on_adapter(self, work: Callable[[StorageAdapter], Awaitable[T]]) -> T:
        """Run *work* in the named transaction, or by itself."""
        handle = self.handle
        id = self.arguments.text_or_none("transactionId")
        if id is None:
            return await work(handle.adapter)
        return await handle.transaction(id).do(work)


# Databases -------------------------------------------------------------------


async def _open(call: Call) -> object:
    given = call.arguments
    platform = given.choice("platform", ("auto", "web", "memory"), "auto")
    opening = Opening(
        db_name=given.text("dbName"),
        persistent=platform != "memory" and given.truth("persistence", default=True),
        with_schema=not given.truth("bare", default=False),
        durability=given.choice("durability", _DURABILITIES, "batched"),
        auto_save=given.truth("autoSave", default=True),
        save_interval_ms=given.integer("saveIntervalMs", 100),
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


async def _close(call: Call) -> object:
    await call.host.databases.close(call.handle)
    return None


async def _flush(call: Call) -> object:
    await call.handle.adapter.flush()
    return None


async def _status(call: Call) -> object:
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
        "databaseBytes": status.database_bytes,
        "tabs": call.host.tab_count(),
    }


async def _watch(call: Call) -> AsyncGenerator[object, None]:
    tables = call.arguments.texts_or_none("tables")
    async with call.handle.adapter.changes.subscribe(tables) as changes:
        async for change in changes:
            yield change


# SQL -------------------------------------------------------------------------


async def _run(call: Call) -> object:
    sql, parameters = call.arguments.text("sql"), call.arguments.parameters()
    result = await call.on_adapter(lambda adapter: adapter.run(sql, parameters))
    return {"changes": result.changes, "lastInsertRowid": result.last_row_id}


async def _get(call: Call) -> object:
    sql, parameters = call.arguments.text("sql"), call.arguments.parameters()
    return await call.on_adapter(lambda adapter: adapter.get(sql, parameters))


async def _all(call: Call) -> object:
    sql, parameters = call.arguments.text("sql"), call.arguments.parameters()
    return await call.on_adapter(lambda adapter: adapter.all(sql, parameters))


async def _exec(call: Call) -> object:
    script = call.arguments.text("script")
    await call.on_adapter(lambda adapter: adapter.exec(script))
    return None


async def _check(call: Call) -> object:
    sql = call.arguments.text("sql")
    await call.on_adapter(lambda adapter: adapter.prepare(sql))
    return None


async def _batch(call: Call) -> object:
    operations = [
        BatchOperation(
            Arguments(operation).text("statement"),
            Arguments(operation).parameters("parameters"),
        )
        for operation in call.arguments.objects("operations")
    ]
    result = await call.on_adapter(lambda adapter: adapter.batch(operations))
    return {
        "successful": result.successful,
        "failed": result.failed,
        "results": [
            one and {"changes": one.changes, "lastInsertRowid": one.last_row_id}
            for one in result.results
        ],
        "errors": [
            {"index": one.index, "error": _error_data(one.error)}
            for one in result.errors
        ],
    }


def _error_data(error: Exception) -> dict[str, object]:
    code = error.code if isinstance(error, PyodideAppError) else "internal"
    return {"code": code, "message": str(error)}


async def _begin(call: Call) -> object:
    handle = call.handle
    transaction = InteractiveTransaction(handle.adapter, idle_s=_IDLE_S)
    id = new_id()
    handle.transactions[id] = transaction
    try:
        await transaction.begin()
    except BaseException:
        del handle.transactions[id]
        await transaction.roll_back()
        raise
    return {"transactionId": id}


async def _commit(call: Call) -> object:
    id = call.arguments.text("transactionId")
    transaction = call.handle.transaction(id)
    try:
        await transaction.commit()
    finally:
        call.handle.transactions.pop(id, None)
    return None


async def _roll_back(call: Call) -> object:
    transaction = call.handle.transactions.pop(
        call.arguments.text("transactionId"), None
    )
    if transaction is not None:
        await transaction.roll_back()
    return None


# Backup ----------------------------------------------------------------------


async def _export(call: Call) -> object:
    adapter, volume = call.handle.adapter, call.host.volume
    path = getattr(adapter, "path", None)
    if adapter.kind != "indexeddb" or path is None:
        return await adapter.export_database()

    async def work(_: StorageAdapter) -> object:
        # Nothing is written in this transaction; it keeps the others out.
        return await volume.export_handle(path)

    exported: Any = await adapter.transaction(work)
    if exported.length == 0:
        return await adapter.export_database()
    return Blob(exported)


@contextlib.contextmanager
def _staged(call: Call) -> Iterator[str]:
    """Yield the path of the file that the call brought."""
    handle = call.arguments.raw("bytes")
    if not isinstance(handle, Blob):
        raise InvalidArgumentsError(field="bytes", expected="a byte array")
    volume = call.host.volume
    path = f"{volume.scratch}/{new_id()}-upload.db"
    volume.write_scratch(path, handle.handle)
    try:
        yield path
    finally:
        volume.remove_scratch(path)


async def _inspect(call: Call) -> object:
    with _staged(call) as path:
        return await call.handle.storage.inspect_backup(path)


async def _import(call: Call) -> object:
    mode = call.arguments.choice("mode", ("replace", "merge"), "replace")
    with _staged(call) as path:
        return await call.handle.storage.import_database(path, mode=mode)


async def _import_bare(call: Call) -> object:
    """Replace a database that has no schema of ours."""
    trust = call.arguments.truth("trustSchema", default=False)
    from pyodide_app.storage.backup import replace_with_backup

    with _staged(call) as path:
        await replace_with_backup(call.handle.adapter, path, trust_schema=trust)
    return None


async def _restore_points(call: Call) -> object:
    return await call.handle.adapter.restore_points()


async def _restore(call: Call) -> object:
    await call.handle.storage.restore(call.arguments.text("id"))
    return None


async def _read_restore_point(call: Call) -> object:
    id = call.arguments.text("id")
    if call.handle.adapter.kind == "indexeddb":
        return Blob(await call.host.volume.restore_point_handle(id))
    return await call.handle.adapter.read_restore_point(id)


async def _delete_restore_point(call: Call) -> object:
    await call.handle.adapter.delete_restore_point(call.arguments.text("id"))
    return None


# Repositories ----------------------------------------------------------------


async def _conversations_save(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.conversations.save(
        given.text("id"),
        given.text("userId"),
        given.text("personaId"),
        given.objects("events"),
        metadata=given.object_or_none("metadata"),
        title=given.text_or_none("title"),
    )


async def _conversations_get(call: Call) -> object:
    return await call.handle.storage.conversations.get(call.arguments.text("id"))


async def _conversations_list(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.conversations.list(
        given.text_or_none("userId"),
        limit=given.integer("limit", 50),
        cursor=given.text_or_none("cursor"),
    )


async def _conversations_append(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.conversations.append(
        given.text("id"), given.object("event")
    )


async def _conversations_rename(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.conversations.rename(
        given.text("id"), given.text_or_none("title")
    )


async def _conversations_delete(call: Call) -> object:
    return await call.handle.storage.conversations.delete(call.arguments.text("id"))


async def _conversations_search(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.conversations.search(
        given.text("query"),
        user_id=given.text_or_none("userId"),
        limit=given.integer("limit", 20),
    )


async def _sessions_save(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.sessions.save(
        given.text("id"),
        given.text("userId"),
        given.text("displayName"),
        given.choice("targetType", ("persona", "agency"), None),
        given.text("targetId"),
        given.object_or_none("metadata"),
    )


async def _sessions_get(call: Call) -> object:
    return await call.handle.storage.sessions.get(call.arguments.text("id"))


async def _sessions_list(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.sessions.list(
        given.text_or_none("userId"),
        limit=given.integer("limit", 50),
        cursor=given.text_or_none("cursor"),
        target_type=given.choice("targetType", ("persona", "agency", ""), "") or None,
    )


async def _sessions_delete(call: Call) -> object:
    return await call.handle.storage.sessions.delete(call.arguments.text("id"))


async def _personas_cache(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.personas.cache(
        given.text("id"), given.text("displayName"), given.object("definition")
    )


async def _personas_get(call: Call) -> object:
    return await call.handle.storage.personas.get(call.arguments.text("id"))


async def _personas_list(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.personas.list(
        limit=given.integer("limit", 200), cursor=given.text_or_none("cursor")
    )


async def _personas_delete(call: Call) -> object:
    return await call.handle.storage.personas.delete(call.arguments.text("id"))


async def _telemetry_record(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.telemetry.record(
        given.text_or_none("sessionId"),
        given.text("eventType"),
        given.object("eventData"),
        timestamp=given.integer_or_none("timestamp"),
    )


async def _telemetry_list(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.telemetry.list(
        given.text_or_none("sessionId"),
        given.text_or_none("eventType"),
        given.integer_or_none("since"),
        limit=given.integer("limit", 100),
        cursor=given.text_or_none("cursor"),
    )


async def _telemetry_summary(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.telemetry.summary(
        given.integer_or_none("since"), given.integer_or_none("until")
    )


async def _workflows_save(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.workflows.save(
        given.text("id"), given.text("name"), given.object("definition")
    )


async def _workflows_get(call: Call) -> object:
    return await call.handle.storage.workflows.get(call.arguments.text("id"))


async def _workflows_list(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.workflows.list(
        limit=given.integer("limit", 200), cursor=given.text_or_none("cursor")
    )


async def _workflows_delete(call: Call) -> object:
    return await call.handle.storage.workflows.delete(call.arguments.text("id"))


# Agents ----------------------------------------------------------------------


async def _agent_personas(call: Call) -> object:
    return await call.host.agents.personas(call.handle)


async def _agent_check(call: Call) -> object:
    provider = call.arguments.object("provider")
    return await call.host.agents.check_provider(call.handle, provider)


async def _agent_stream(call: Call) -> AsyncGenerator[object, None]:
    async with contextlib.aclosing(
        call.host.agents.stream(call.handle, call.arguments)
    ) as chunks:
        async for chunk in chunks:
            yield chunk


METHODS: Final[Mapping[str, Callable[[Call], Awaitable[object]]]] = {
    "storage.open": _open,
    "storage.close": _close,
    "storage.flush": _flush,
    "storage.status": _status,
    "storage.exportDatabase": _export,
    "storage.inspectBackup": _inspect,
    "storage.importDatabase": _import,
    "storage.restorePoints": _restore_points,
    "storage.restore": _restore,
    "storage.readRestorePoint": _read_restore_point,
    "storage.deleteRestorePoint": _delete_restore_point,
    "db.run": _run,
    "db.get": _get,
    "db.all": _all,
    "db.exec": _exec,
    "db.check": _check,
    "db.batch": _batch,
    "db.begin": _begin,
    "db.commit": _commit,
    "db.rollback": _roll_back,
    "db.importDatabase": _import_bare,
    "conversations.save": _conversations_save,
    "conversations.get": _conversations_get,
    "conversations.list": _conversations_list,
    "conversations.append": _conversations_append,
    "conversations.rename": _conversations_rename,
    "conversations.delete": _conversations_delete,
    "conversations.search": _conversations_search,
    "sessions.save": _sessions_save,
    "sessions.get": _sessions_get,
    "sessions.list": _sessions_list,
    "sessions.delete": _sessions_delete,
    "personas.cache": _personas_cache,
    "personas.get": _personas_get,
    "personas.list": _personas_list,
    "personas.delete": _personas_delete,
    "telemetry.record": _telemetry_record,
    "telemetry.list": _telemetry_list,
    "telemetry.summary": _telemetry_summary,
    "workflows.save": _workflows_save,
    "workflows.get": _workflows_get,
    "workflows.list": _workflows_list,
    "workflows.delete": _workflows_delete,
    "agentos.personas": _agent_personas,
    "agentos.checkProvider": _agent_check,
}

STREAMS: Final[Mapping[str, Callable[[Call], AsyncGenerator[object, None]]]] = {
    "storage.watch": _watch,
    "agentos.stream": _agent_stream,
}

KEEPS_BYTES: Final = frozenset(
    {"storage.inspectBackup", "storage.importDatabase", "db.importDatabase"}
)
"""Methods whose byte arrays never enter the heap."""
