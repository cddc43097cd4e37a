"""The port to a SQL database: what every storage adapter promises.

The names and meanings are those of the original TypeScript `StorageAdapter`, in
snake_case. `tests/contract` holds the promises as tests; each adapter runs them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar

from pyodide_app.errors import CapabilityError
from pyodide_app.storage.encryption import Cipher

if TYPE_CHECKING:
    from pyodide_app.storage.changes import ChangeFeed
    from pyodide_app.storage.diagnostics import Diagnosis
    from pyodide_app.storage.migrations import Migration

__all__ = [
    "BatchError",
    "BatchOperation",
    "BatchResult",
    "Dialect",
    "Durability",
    "EvictionRisk",
    "Parameters",
    "QuarantinedItem",
    "RestorePoint",
    "Row",
    "RunResult",
    "SqlValue",
    "Statement",
    "StorageAdapter",
    "StorageStatus",
    "Store",
    "cannot_move",
]

T = TypeVar("T")

SqlValue: TypeAlias = int | float | str | bytes | None
"""What a cell can hold. Integers are exact over the whole 64-bit range."""

Parameters: TypeAlias = Sequence[SqlValue] | Mapping[str, SqlValue] | None
"""Positional, or named: keys with or without the prefix ``:``, ``@`` or ``$``."""

Row: TypeAlias = dict[str, SqlValue]
"""One row; keys are column names.

If a name comes again, the later column gets a suffix: ``id``, ``id:1``, ``id:2``.
"""

EvictionRisk: TypeAlias = Literal[
    "none", "low", "disk_pressure", "unused_7_days", "private_window", "memory_only"
]
"""Who might delete what is durable.

``none``: a file; nobody. ``low``: the app is installed, or the browser promised to
keep it. ``disk_pressure``: the browser, when the disk gets full. ``unused_7_days``:
Safari, after 7 days of use without a visit. ``private_window``: probably one, and all
goes with it. ``memory_only``: nothing is stored.
"""

Dialect: TypeAlias = Literal["sqlite", "postgres"]
"""Whose SQL the database runs."""

Store: TypeAlias = Literal["indexeddb", "opfs"]
"""Where a browser keeps the image of a database.

``indexeddb``: all of it is in memory while it is open. ``opfs``: in a file of the
origin's private file system, of which memory holds what is used; one tab at a time
has it open.
"""

Durability: TypeAlias = Literal["batched", "commit", "strict"]
"""When `run` returns: committed (``batched``), or durable. See ARCHITECTURE.md."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one statement did.

    Attributes:
        changes: Rows inserted, updated or deleted by the statement itself; 0 for
            a SELECT, a definition (CREATE …) or a PRAGMA.
        last_row_id: The rowid of the last INSERT on this connection, or None if
            there was none.
    """

    changes: int
    last_row_id: int | None


@dataclass(frozen=True, slots=True)
class BatchOperation:
    """One statement of a batch."""

    statement: str
    parameters: Parameters = None


@dataclass(frozen=True, slots=True)
class BatchError:
    """Why one operation of a batch failed.

    Attributes:
        index: Position in the batch, counted from 0.
        error: What was raised.
    """

    index: int
    error: Exception


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch did.

    Attributes:
        successful: Number of operations that were committed.
        failed: Number of operations that changed nothing.
        results: One per operation, in order; None where it failed.
        errors: One per failed operation, in order.
    """

    successful: int
    failed: int
    results: tuple[RunResult | None, ...]
    errors: tuple[BatchError, ...]


@dataclass(frozen=True, slots=True)
class StorageStatus:
    """How safe the data are now.

    Attributes:
        mode: ``indexeddb``, ``native``, ``postgres`` or ``memory``.
        durability: The mode of the adapter, see `Durability`.
        committed_seq: Counts commits; at least ``durable_seq``.
        durable_seq: The last commit that is durable; equal to ``committed_seq``
            if nothing would be lost now.
        pending_bytes: Committed but not durable.
        last_error: Why the last attempt to make it durable failed, or None.
        last_error_code: The ``code`` of that error.
        usage: Bytes this site uses, or None if the platform does not say.
        quota: Bytes this site may use, or None.
        persisted: Whether the browser promised not to evict, or None.
        eviction_risk: See `EvictionRisk`. A worker does not know whether the app is
            installed; ``status()`` of the JavaScript API does.
        database_bytes: Size of the database file.
        encryption: The cipher of the database; None if it is plain.
        store: See `Store`; None if it is no browser's.
        details: What else the platform reports.
    """

    mode: str
    durability: Durability
    committed_seq: int
    durable_seq: int
    pending_bytes: int = 0
    last_error: str | None = None
    last_error_code: str | None = None
    usage: int | None = None
    quota: int | None = None
    persisted: bool | None = None
    eviction_risk: EvictionRisk = "none"
    database_bytes: int = 0
    encryption: str | None = None
    store: Store | None = None
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """A kept copy of the whole database.

    Attributes:
        id: Names it.
        reason: Why it was kept, for people.
        created_at: Unix milliseconds.
        size: Of the SQLite file, in bytes.
        stored: Bytes that it takes.
        encrypted: Whether it takes a passphrase to read it.
    """

    id: str
    reason: str
    created_at: int
    size: int
    stored: int
    encrypted: bool


@dataclass(frozen=True, slots=True)
class QuarantinedItem:
    """Something stored that did not verify, or followed what did not; it is kept.

    Attributes:
        id: Names it.
        name: Of a file for it: ``record-2.5.bin``, ``checkpoint-3.bin`` or
            ``extents-7.bin``. It holds the bytes as they were stored: what those
            are is in ``web/core/page-record.js`` and ``checkpoint.js``.
        reason: Why it was set aside, for people.
        set_aside_at: Unix milliseconds. What was set aside together has the same.
        opened_as: When the newest commit was stored of the state that was opened
            instead, in Unix milliseconds; None if nothing was left.
        size: In bytes.
    """

    id: int
    name: str
    reason: str
    set_aside_at: int
    opened_as: int | None
    size: int


class Statement(Protocol):
    """A prepared statement. It runs by the rules of the adapter it came from."""

    async def run(self, parameters: Parameters = None) -> RunResult:
        """Run it, see `StorageAdapter.run`."""
        ...

    async def get(self, parameters: Parameters = None) -> Row | None:
        """Return the first row, see `StorageAdapter.get`."""
        ...

    async def all(self, parameters: Parameters = None) -> list[Row]:
        """Return all rows, see `StorageAdapter.all`."""
        ...

    async def finalize(self) -> None:
        """Release it. Any later call raises `StorageClosedError`."""
        ...


class StorageAdapter(Protocol):
    """One SQL database.

    An implementation guarantees:

    - A statement outside `transaction` commits alone.
    - Transactions of different tasks run one after the other, in the order they
      asked; a statement of another task waits until the open one has ended, so
      nobody sees or joins half of it. The task inside joins its own.
    - When the durability is ``commit`` or ``strict``, a call that wrote returns
      after what it committed is durable.
    - An error leaves nothing half-done, and is one of `pyodide_app.errors`.

    Attributes:
        kind: ``indexeddb``, ``native``, ``postgres`` or ``memory``.
        capabilities: Words of the original: ``sync``, ``transactions``, ``wal``,
            ``locks``, ``persistence``, ``streaming``, ``batch``, ``prepared``,
            ``concurrent``, ``json``, ``arrays``.
        changes: Tells after each commit which tables it wrote.
    """

    @property
    def kind(self) -> str:
        """Which adapter this is."""
        ...

    @property
    def dialect(self) -> Dialect:
        """Whose SQL it runs."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """What this adapter can do."""
        ...

    @property
    def changes(self) -> "ChangeFeed":
        """The change feed of this database."""
        ...

    async def open(self) -> None:
        """Open the database. A second call does nothing."""
        ...

    async def close(self) -> None:
        """Make everything durable and close. A second call does nothing."""
        ...

    async def run(self, sql: str, parameters: Parameters = None) -> RunResult:
        """Run exactly one statement.

        NaN is refused, because SQLite would store it as NULL; infinities are
        stored. A bool is stored as 0 or 1.

        Raises:
            SqlError: SQLite refused it, or *sql* holds more than one statement.
            ConstraintError: It would have broken a constraint.
            ParameterError: Too few, too many or unknown parameters, or a value
                that SQLite cannot hold.
        """
        ...

    async def get(self, sql: str, parameters: Parameters = None) -> Row | None:
        """Return the first row, or None. Raises as `run`."""
        ...

    async def all(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Return all rows. Raises as `run`."""
        ...

    async def exec(self, script: str) -> None:
        """Run every statement of *script*, each on its own; no parameters."""
        ...

    async def transaction(self, work: "Callable[[StorageAdapter], Awaitable[T]]") -> T:
        """Return what *work* returns; commit, or roll back if it raises.

        Within *work* its argument and this adapter are the same thing. Inside
        another transaction this is a savepoint. What *work* raises passes
        through unchanged.
        """
        ...

    async def batch(self, operations: Sequence[BatchOperation]) -> BatchResult:
        """Run *operations* in one transaction; a failing one is left out."""
        ...

    async def prepare(self, sql: str) -> Statement:
        """Return *sql* checked and ready to run many times."""
        ...

    async def migrate(self, history: "Sequence[Migration]") -> "tuple[Migration, ...]":
        """Bring the schema to the last version in *history*; see `migrations`.

        Raises:
            SchemaError: The database is from another history, or a newer one.
        """
        ...

    async def compact(self) -> int:
        """Give back the space of what was deleted; return the bytes freed.

        They are those of the database. What is stored of it is durable and shrinks
        too, also where the platform has no more space.

        Raises:
            DurabilityError: It is compacted, but that is not durable yet.
        """
        ...

    async def flush(self) -> None:
        """Return when everything committed so far is durable.

        Raises:
            DurabilityError: It is not; it stays in memory and is tried again.
        """
        ...

    async def status(self) -> StorageStatus:
        """Return how safe the data are now."""
        ...

    async def export_database(
        self,
        *,
        passphrase: str | None = None,
        cipher: Cipher = "chacha20",
        keep_encryption: bool = False,
    ) -> bytes:
        """Return an SQLite file as of the last commit.

        It is plain, also if the database is encrypted, unless asked for otherwise.

        Args:
            passphrase: Encrypt the file by it.
            cipher: For that, see `Cipher`.
            keep_encryption: Without a *passphrase*, that of the database is used.
        """
        ...

    async def import_database(
        self,
        data: bytes,
        *,
        trust_schema: bool = False,
        passphrase: str | None = None,
    ) -> None:
        """Replace the database by the SQLite file *data*, after checking it.

        The database stays as encrypted, or as plain, as it is.

        Args:
            data: The file.
            trust_schema: Take its triggers and views, too.
            passphrase: Of the file, if it is encrypted.

        Raises:
            BackupError: It is refused; the database is untouched.
            EncryptionError: It is encrypted, and *passphrase* does not open it.
        """
        ...

    async def encrypt(self, passphrase: str, *, cipher: Cipher = "chacha20") -> None:
        """Encrypt the database and its restore points, durably.

        Afterwards nothing of it is stored as plain text: what was set aside as
        damaged goes. There is no way back to the data without the passphrase.

        Raises:
            EncryptionError: It is encrypted already, or only in memory.
            DurabilityError: It stays as it was.
        """
        ...

    async def change_passphrase(self, current: str, new: str) -> None:
        """Encrypt the database and its restore points by another passphrase.

        Raises:
            WrongPassphraseError: *current* is not the passphrase.
            EncryptionError: It is not encrypted.
            DurabilityError: It stays as it was.
        """
        ...

    async def decrypt(self, passphrase: str) -> None:
        """Make the database and its restore points plain again. Raises as above."""
        ...

    async def move_to(self, store: Store) -> None:
        """Keep the image of the database elsewhere, atomically and durably.

        Raises:
            CapabilityError: It is no browser's.
            OpfsUnavailableError: The browser offers no files here.
            TooLargeForMemoryError: Only OPFS can keep it.
            DurabilityError: It stays where it was.
        """
        ...

    def scratch_path(self, name: str) -> str:
        """Return where a file for `replace_database` may be written."""
        ...

    async def replace_database(
        self, staged_path: str, *, keep_as: str | None = None
    ) -> RestorePoint | None:
        """Make the database equal the file at *staged_path*, atomically, durably.

        The caller has verified the file. It is consumed, and encrypted if the
        database is. On any error the old database stays open and untouched.

        Args:
            staged_path: The file, at a path from `scratch_path`.
            keep_as: Keep what is replaced as a restore point for this reason; no
                commit comes between the two. Default: do not keep it.

        Returns:
            The restore point, if one was to be kept.
        """
        ...

    def attached(self, path: str) -> AbstractAsyncContextManager[tuple[str, str]]:
        """Make the six tables of an SQLite file readable inside.

        The file is plain and checked. Yields what to write before the names of our
        tables, and before those of the file.
        """
        ...

    async def keep_restore_point(self, reason: str) -> RestorePoint:
        """Keep a durable copy of the database as of the last commit."""
        ...

    async def restore_points(self) -> list[RestorePoint]:
        """Return all restore points, newest first."""
        ...

    async def read_restore_point(self, id: str) -> bytes:
        """Return the SQLite file of a restore point."""
        ...

    async def restore(self, id: str, *, passphrase: str | None = None) -> RestorePoint:
        """Make the database equal a restore point, which stays.

        Args:
            id: Of the restore point.
            passphrase: Of the restore point, if it is not that of the database.

        Returns:
            A new restore point: the state before, so that this can be undone.
        """
        ...

    async def keep_daily_restore_point(self) -> RestorePoint | None:
        """Keep one if the newest is older than a day, and something has changed."""
        ...

    async def delete_restore_point(self, id: str) -> None:
        """Delete a restore point."""
        ...

    async def quarantine(self) -> list[QuarantinedItem]:
        """Return what was set aside as damaged, oldest first.

        In the browser it is that of all databases of this origin; elsewhere nothing
        is ever set aside. Encrypting a database forgets it.
        """
        ...

    async def read_quarantined(self, id: int) -> bytes:
        """Return the bytes of an item as they were stored.

        Raises:
            RecordNotFoundError: There is none.
        """
        ...

    async def delete_quarantined(self, id: int) -> None:
        """Delete an item for good. Raises as above."""
        ...

    async def diagnose(
        self, *, verify: bool = True, integrity_check: bool = False
    ) -> "Diagnosis":
        """Return how the database is, with no word of its content.

        Args:
            verify: Read everything back that is stored, and verify it. It takes as
                long as opening, and disturbs nobody.
            integrity_check: Let SQLite check each table and index, too. That takes
                seconds for a large database, and everybody waits.
        """
        ...


def cannot_move(store: Store, kind: str) -> CapabilityError:
    """Return the error for a database that no browser keeps."""
    reason = f"store={store!r} is for a browser; this database is of kind {kind!r}"
    return CapabilityError(reason)
