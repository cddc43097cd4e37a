"""The port to the durable file system that the browser's host provides.

The host keeps every file below ``root`` in memory and makes its committed states
durable. Files are read and written through ordinary paths; this port is for what
a path cannot express. `pyodide_app.browser` implements it over the host;
`pyodide_app.testing.FolderVolume` over a folder.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from pyodide_app.errors import StoreUnavailableError

__all__ = ["Volume", "install_volume", "installed_volume"]


class Volume(Protocol):
    """A durable folder.

    An implementation guarantees: whatever happens, a file is found again in the
    state after some whole number of its commits, at least all those that a
    `flush` acknowledged.

    Attributes:
        root: Folder of durable files, such as ``/persist``.
        scratch: Folder of files that nobody will miss, outside the heap.
    """

    @property
    def root(self) -> str:
        """Folder of durable files."""
        ...

    @property
    def scratch(self) -> str:
        """Folder of temporary files."""
        ...

    async def flush(self, *, strict: bool) -> int:
        """Return the sequence number up to which all is durable.

        Raises:
            DurabilityError: Not everything committed is durable.
        """
        ...

    def set_autosave(self, path: str, interval_ms: int | None) -> None:
        """Flush *path* at most *interval_ms* after a commit; None: on request."""
        ...

    def status(self, path: str) -> Mapping[str, object]:
        """Return what is known about *path*.

        Keys: ``store``, ``committedSeq``, ``durableSeq``, ``pendingBytes``,
        ``lastError``, ``lastErrorCode``, ``usage``, ``quota``, ``persisted``,
        ``evictionRisk``, ``fileBytes``, ``recovery``, and others.
        """
        ...

    async def replace_file(self, path: str, staged: str) -> None:
        """Make *path* equal *staged*, atomically and durably; consume *staged*.

        Raises:
            DurabilityError: *path* is as it was.
        """
        ...

    async def move_file(self, path: str, store: str) -> None:
        """Keep the image of *path* in *store* from now on, atomically and durably.

        Args:
            path: Nobody may have it open.
            store: ``indexeddb`` or ``opfs``, see `Store`.

        Raises:
            OpfsUnavailableError: The browser offers no files here.
            TooLargeForMemoryError: Only OPFS can keep it.
            DurabilityError: It stays where it was.
        """
        ...

    async def forget_replaced(self, *, quarantined: bool) -> None:
        """Return when nothing is stored of what files were before `replace_file`.

        Restore points stay.

        Args:
            quarantined: Delete also what was ever set aside as damaged.

        Raises:
            DurabilityError: Something is; it is tried again with the next one.
        """
        ...

    async def keep_restore_point(
        self, path: str, reason: str, *, encrypted: bool
    ) -> Mapping[str, object]:
        """Keep a durable copy, and let old ones go that take too much space.

        Returns:
            ``id``, ``reason``, ``createdAt``, ``size``, ``stored``, ``encrypted``,
            as in `RestorePoint`.
        """
        ...

    async def is_restore_point_of(self, id: str, path: str) -> bool:
        """Return whether *path* is what that restore point holds."""
        ...

    async def rewrite_restore_point(
        self, id: str, staged: str, *, encrypted: bool
    ) -> None:
        """Make the content of a restore point that of *staged*, atomically."""
        ...

    async def shrink(self) -> None:
        """Store only what the files hold now, durably, also with the quota used up.

        Raises:
            DurabilityError: What was durable still is.
        """
        ...

    async def restore_points(self, path: str) -> list[Mapping[str, object]]:
        """Return the restore points of *path*, in the shape above."""
        ...

    async def read_restore_point(self, id: str) -> bytes:
        """Return the content of a restore point."""
        ...

    async def stage_restore_point(self, id: str, staged: str) -> None:
        """Write the content of a restore point to the scratch file *staged*."""
        ...

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        ...

    async def diagnose(self, *, verify: bool) -> Mapping[str, Any]:
        """Return what a fault report needs of the store, with no word of content.

        Args:
            verify: Read everything back; ``verification`` is None otherwise.

        Returns:
            As `StoreState`, with the names of JavaScript, and ``verification``:
            ``problems``, ``bytes``, ``comparedImage``, ``durationMs``.
        """
        ...

    async def quarantine(self) -> list[Mapping[str, object]]:
        """Return what was set aside as damaged, of all files, oldest first.

        Returns:
            ``id``, ``name``, ``reason``, ``setAsideAt``, ``openedAs``, ``size``,
            as in `QuarantinedItem`.
        """
        ...

    async def read_quarantined(self, id: int) -> bytes | None:
        """Return the bytes of an item as they were stored; None if it has gone."""
        ...

    async def delete_quarantined(self, id: int) -> None:
        """Delete an item for good."""
        ...


# The host mounts one volume for the life of the interpreter, before any of our
# code runs; there is nobody through whom it could be handed to an adapter that a
# user constructs as `IndexedDbAdapter("name")`.
_installed: list[Volume] = []


def install_volume(volume: Volume | None) -> None:
    """Make *volume* the one that adapters use; None takes it away."""
    _installed[:] = [] if volume is None else [volume]


def installed_volume() -> Volume:
    """Return the installed volume.

    Raises:
        StoreUnavailableError: None is installed: this is no browser host.
    """
    if not _installed:
        reason = "no volume is mounted here"
        raise StoreUnavailableError(reason)
    return _installed[0]
