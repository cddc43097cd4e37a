"""The host's volume, as the storage package knows it.

The object itself is JavaScript (``web/worker/volume.js``). Its rejections carry a
``code``; here they become the error of that code.
"""

import itertools
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pyodide_app.browser.prompt import Prompt
from pyodide_app.errors import DurabilityError, PyodideAppError, error_from_code

__all__ = ["HostVolume"]


class HostVolume:
    """Implements `pyodide_app.storage.volume.Volume` over the host.

    Args:
        js: The volume.
        flush: Called with the number of a flush and whether it is strict; the host
            calls `flushed` with that number when it has ended. Without it a flush is
            awaited as a promise.
    """

    def __init__(self, js: Any, flush: Any = None) -> None:  # noqa: ANN401  # JsProxies
        self._js = js
        self._flush = flush
        self._flushes: dict[int, Prompt[int]] = {}
        self._numbers = itertools.count(1)
        self.root = str(js.root)
        self.scratch = str(js.scratch)

    async def flush(self, *, strict: bool) -> int:
        """Return the sequence number up to which all is durable."""
        if self._flush is None:
            return int(await _settled(self._js.flush(strict)))
        number = next(self._numbers)
        flush = self._flushes[number] = Prompt()
        self._flush(number, strict)
        return await flush

    def flushed(self, number: int, durable_seq: int, error: Any = None) -> None:  # noqa: ANN401  # a JsException
        """The host tells how a flush has ended."""

        def outcome() -> int:
            if error is not None:
                raise as_app_error(error)
            return durable_seq

        self._flushes.pop(number).settle(outcome)

    def set_autosave(self, path: str, interval_ms: int | None) -> None:
        """Flush *path* at most *interval_ms* after a commit; None: on request."""
        with _translated():
            # None would arrive as undefined, which the host takes for its default.
            self._js.setAutosave(path, -1 if interval_ms is None else interval_ms)

    def status(self, path: str) -> Mapping[str, object]:
        """Return what is known about *path*."""
        with _translated():
            return dict(_plain(self._js.status(path)))

    async def replace_file(self, path: str, staged: str) -> None:
        """Make *path* equal *staged*, atomically and durably; consume *staged*."""
        await _settled(self._js.replaceFile(path, staged))

    async def move_file(self, path: str, store: str) -> None:
        """Keep the image of *path* in *store* from now on."""
        await _settled(self._js.moveFile(path, store))

    async def forget_replaced(self, *, quarantined: bool) -> None:
        """Return when nothing is stored of what files were before `replace_file`."""
        await _settled(self._js.forgetReplaced(quarantined))

    async def keep_restore_point(
        self, path: str, reason: str, *, encrypted: bool
    ) -> Mapping[str, object]:
        """Keep a durable copy, and let old ones go that take too much space."""
        kept = await _settled(self._js.keepRestorePoint(path, reason, encrypted))
        return dict(_plain(kept))

    async def is_restore_point_of(self, id: str, path: str) -> bool:
        """Return whether *path* is what that restore point holds."""
        return bool(await _settled(self._js.isRestorePointOf(id, path)))

    async def rewrite_restore_point(
        self, id: str, staged: str, *, encrypted: bool
    ) -> None:
        """Make the content of a restore point that of *staged*, atomically."""
        await _settled(self._js.rewriteRestorePoint(id, staged, encrypted))

    async def shrink(self) -> None:
        """Store only what the files hold now."""
        await _settled(self._js.shrink())

    async def restore_points(self, path: str) -> list[Mapping[str, object]]:
        """Return the restore points of *path*."""
        return list(_plain(await _settled(self._js.restorePoints(path))))

    async def read_restore_point(self, id: str) -> bytes:
        """Return the content of a restore point."""
        found = await _settled(self._js.readRestorePoint(id))
        return bytes(found.to_bytes())

    async def stage_restore_point(self, id: str, staged: str) -> None:
        """Write the content of a restore point to the scratch file *staged*."""
        await _settled(self._js.stageRestorePoint(id, staged))

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        await _settled(self._js.deleteRestorePoint(id))

    async def diagnose(self, *, verify: bool) -> Mapping[str, Any]:
        """Return what a fault report needs of the store, with no word of content."""
        return dict(_plain(await _settled(self._js.diagnose(verify))))

    async def quarantine(self) -> list[Mapping[str, object]]:
        """Return what was set aside as damaged, of all files, oldest first."""
        return list(_plain(await _settled(self._js.quarantine())))

    async def read_quarantined(self, id: int) -> bytes | None:
        """Return the bytes of an item as they were stored; None if it has gone."""
        found = await self.quarantined_handle(id)
        return None if found is None else bytes(found.to_bytes())

    async def delete_quarantined(self, id: int) -> None:
        """Delete an item for good."""
        await _settled(self._js.deleteQuarantined(id))

    # Bytes that stay outside the heap ----------------------------------------

    async def export_handle(self, path: str) -> Any:  # noqa: ANN401  # a JsProxy
        """Return the file as a JavaScript byte array, as of the last commit."""
        return await _settled(self._js.exportFile(path))

    def scratch_handle(self, path: str) -> Any:  # noqa: ANN401  # a JsProxy
        """Return a file of the scratch folder as a JavaScript byte array."""
        with _translated():
            return self._js.readScratch(path)

    async def restore_point_handle(self, id: str) -> Any:  # noqa: ANN401  # a JsProxy
        """Return a restore point as a JavaScript byte array."""
        return await _settled(self._js.readRestorePoint(id))

    async def quarantined_handle(self, id: int) -> Any:  # noqa: ANN401  # a JsProxy
        """Return an item as a JavaScript byte array; None if it has gone."""
        from pyodide.ffi import jsnull

        found = await _settled(self._js.readQuarantined(id))
        return None if found is jsnull else found

    async def frozen(self, path: str) -> Any:  # noqa: ANN401  # a JsProxy
        """Return the file as of the last commit, for `blob_of`."""
        return await _settled(self._js.frozen(path))

    def frozen_scratch(self, path: str) -> Any:  # noqa: ANN401  # a JsProxy
        """Return a file of the scratch folder as it is now, for `blob_of`."""
        with _translated():
            return self._js.frozenScratch(path)

    async def blob_of(self, frozen: Any) -> Any:  # noqa: ANN401  # JsProxies
        """Return a frozen file as a JavaScript Blob; let it go."""
        try:
            return await _settled(frozen.toBlob("application/vnd.sqlite3"))
        finally:
            frozen.close()

    def place_scratch(self, path: str, handle: Any) -> None:  # noqa: ANN401  # a JsProxy
        """Make a JavaScript byte array or Blob a file that can be read at *path*."""
        with _translated():
            self._js.placeScratch(path, handle)

    def remove_scratch(self, path: str) -> None:
        """Delete a file of the scratch folder."""
        with _translated():
            self._js.removeScratch(path)


async def _settled(promise: Awaitable[Any]) -> Any:  # noqa: ANN401  # what it resolves to
    with _translated():
        return await promise


@contextmanager
def _translated() -> Iterator[None]:
    from pyodide.ffi import JsException

    try:
        yield
    except JsException as error:
        raise as_app_error(error) from error


def as_app_error(error: Any) -> PyodideAppError:  # noqa: ANN401  # a JsException
    """Return the error of this package that a JavaScript error stands for."""
    code = getattr(error.js_error, "code", None)
    if isinstance(code, str):
        detail = getattr(error.js_error, "detail", None)
        known = _plain(detail) if hasattr(detail, "to_py") else None
        return error_from_code(code, str(error.message), known)
    return DurabilityError(str(error))


def _plain(value: Any) -> Any:  # noqa: ANN401  # any data
    """Return a JavaScript value as plain Python data."""
    from pyodide.ffi import jsnull

    def cleaned(value: Any) -> Any:  # noqa: ANN401  # any data
        if isinstance(value, dict):
            return {key: cleaned(item) for key, item in value.items()}
        if isinstance(value, list):
            return [cleaned(item) for item in value]
        return None if value is jsnull else value

    return cleaned(value.to_py())
