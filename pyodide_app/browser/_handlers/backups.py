"""Backups in and out. Their bytes stay outside the heap where they can."""

import contextlib
from collections.abc import Iterator
from typing import Any

from pyodide_app.browser._handlers.encryption import key_in, passphrase_in
from pyodide_app.browser.arguments import InvalidArgumentsError
from pyodide_app.browser.call import Call
from pyodide_app.browser.wire import Blob
from pyodide_app.ids import new_id
from pyodide_app.storage.adapter import StorageAdapter

__all__ = [
    "delete_restore_point",
    "export",
    "export_blob",
    "import_bare",
    "import_database",
    "inspect",
    "read_restore_point",
    "restore",
    "restore_points",
]


async def export(call: Call) -> object:
    adapter, volume, key = call.handle.adapter, call.host.volume, key_in(call.arguments)
    keep = call.arguments.truth("keepEncryption", default=False)
    path = getattr(adapter, "path", None)
    if adapter.kind != "indexeddb" or path is None:
        return await adapter.export_database(passphrase=passphrase_in(call.arguments))
    if key is not None or (adapter.cipher is not None and not keep):
        copy = adapter.scratch_path("export.db")
        try:
            await adapter.export_to(copy, key)
            return Blob(volume.scratch_handle(copy))
        finally:
            volume.remove_scratch(copy)

    async def work(_: StorageAdapter) -> object:
        # Nothing is written in this transaction; it keeps the others out.
        return await volume.export_handle(path)

    exported: Any = await adapter.transaction(work)
    if exported.length == 0:
        return await adapter.export_database()
    return Blob(exported)


async def export_blob(call: Call) -> object:
    """Export a file that is nowhere in memory as a whole."""
    adapter, volume, key = call.handle.adapter, call.host.volume, key_in(call.arguments)
    keep = call.arguments.truth("keepEncryption", default=False)
    path = getattr(adapter, "path", None)
    if adapter.kind != "indexeddb" or path is None:
        return await export(call)
    if key is not None or (adapter.cipher is not None and not keep):
        copy = adapter.scratch_path("export.db")
        try:
            await adapter.export_to(copy, key)
            return Blob(await volume.blob_of(volume.frozen_scratch(copy)))
        finally:
            volume.remove_scratch(copy)

    async def work(_: StorageAdapter) -> object:
        # It keeps the others out only until the file is frozen.
        return await volume.frozen(path)

    frozen: Any = await adapter.transaction(work)
    if frozen.size == 0:
        frozen.close()
        return await adapter.export_database()
    return Blob(await volume.blob_of(frozen))


@contextlib.contextmanager
def _staged(call: Call) -> Iterator[str]:
    """Yield the path of the file that the call brought."""
    handle = call.arguments.raw("bytes")
    if not isinstance(handle, Blob):
        raise InvalidArgumentsError(field="bytes", expected="a byte array or a Blob")
    volume = call.host.volume
    path = f"{volume.scratch}/{new_id()}-upload.db"
    volume.place_scratch(path, handle.handle)
    try:
        yield path
    finally:
        volume.remove_scratch(path)


async def inspect(call: Call) -> object:
    with _staged(call) as path:
        return await call.handle.storage.inspect_backup(
            path, passphrase=passphrase_in(call.arguments)
        )


async def import_database(call: Call) -> object:
    mode = call.arguments.choice("mode", ("replace", "merge"), "replace")

    def progress(phase: str, fraction: float) -> None:
        call.tell({"phase": phase, "fraction": fraction})

    with _staged(call) as path:
        return await call.handle.storage.import_database(
            path,
            mode=mode,
            passphrase=passphrase_in(call.arguments),
            progress=progress,
        )


async def import_bare(call: Call) -> object:
    """Replace a database that has no schema of ours."""
    trust = call.arguments.truth("trustSchema", default=False)
    from pyodide_app.storage.backup import replace_with_backup

    with _staged(call) as path:
        await replace_with_backup(
            call.handle.adapter,
            path,
            trust_schema=trust,
            passphrase=passphrase_in(call.arguments),
        )
    return None


async def restore_points(call: Call) -> object:
    return await call.handle.adapter.restore_points()


async def restore(call: Call) -> object:
    return await call.handle.storage.restore(
        call.arguments.text("id"), passphrase=passphrase_in(call.arguments)
    )


async def read_restore_point(call: Call) -> object:
    id = call.arguments.text("id")
    if call.handle.adapter.kind == "indexeddb":
        return Blob(await call.host.volume.restore_point_handle(id))
    return await call.handle.adapter.read_restore_point(id)


async def delete_restore_point(call: Call) -> object:
    await call.handle.adapter.delete_restore_point(call.arguments.text("id"))
    return None
