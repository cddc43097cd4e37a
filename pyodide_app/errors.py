"""Every error this package raises, as one tree.

``code`` is stable: it is what crosses the border to JavaScript, and what callers
compare. A class builds its message from data, keeps the data as attributes, and
names the way out. ``detail`` is the same data as JSON, for the border.

::

    PyodideAppError                     internal
    ├─ StorageError                     storage
    │  ├─ StorageResolutionError        storage_resolution
    │  ├─ StorageClosedError            storage_closed
    │  ├─ StorageInUseError             storage_in_use
    │  ├─ CapabilityError               capability
    │  ├─ MissingDependencyError        missing_dependency
    │  ├─ ServerError                   server
    │  │  ├─ ServerUnavailableError     server_unavailable
    │  │  ├─ ServerLoginError           server_login
    │  │  └─ ConnectionLostError        connection_lost
    │  ├─ SqlError                      sql
    │  │  └─ ConstraintError            sql_constraint
    │  ├─ ParameterError                sql_parameters
    │  ├─ TransactionError              transaction
    │  ├─ CursorError                   cursor
    │  ├─ EncryptionError               encryption
    │  │  ├─ PassphraseRequiredError    passphrase_required
    │  │  ├─ WrongPassphraseError       wrong_passphrase
    │  │  └─ NotEncryptedError          not_encrypted
    │  ├─ SchemaError                   schema
    │  │  ├─ SchemaTooNewError          schema_too_new
    │  │  └─ MigrationChangedError      migration_changed
    │  ├─ RecordNotFoundError           record_not_found
    │  ├─ RecordInvalidError            record_invalid
    │  ├─ DurabilityError               not_durable
    │  │  ├─ QuotaExceededError         quota_exceeded
    │  │  ├─ NoRoomForRestorePointError no_room_for_restore_point
    │  │  ├─ WriterFencedError          writer_fenced
    │  │  ├─ StoreUnavailableError      store_unavailable
    │  │  ├─ StoreLostError             store_lost
    │  │  ├─ StoreTooNewError           store_too_new
    │  │  └─ StoreDamagedError          store_damaged
    │  ├─ OpfsUnavailableError          opfs_unavailable
    │  │  └─ DedicatedWorkerRequiredError dedicated_worker_required
    │  ├─ TooLargeForMemoryError        too_large_for_memory
    │  └─ BackupError                   backup
    │     ├─ NotADatabaseError          backup_not_a_database
    │     ├─ BackupTruncatedError       backup_truncated
    │     ├─ BackupDamagedError         backup_damaged
    │     ├─ BackupTooLargeError        backup_too_large
    │     ├─ BackupSchemaUnknownError   backup_schema_unknown
    │     ├─ BackupTooNewError          backup_too_new
    │     ├─ BackupUnsafeError          backup_unsafe
    │     └─ RestorePointNotFoundError  restore_point_not_found
    └─ AgentError                       agent
       ├─ PersonaNotFoundError          persona_not_found
       └─ ProviderError                 provider
          ├─ ProviderOfflineError       provider_offline
          ├─ ProviderAuthError          provider_auth
          ├─ ProviderRateLimitError     provider_rate_limit
          ├─ ProviderInterruptedError   provider_interrupted
          └─ ProviderResponseError      provider_response
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

__all__ = [
    "AgentError",
    "BackupDamagedError",
    "BackupError",
    "BackupSchemaUnknownError",
    "BackupTooLargeError",
    "BackupTooNewError",
    "BackupTruncatedError",
    "BackupUnsafeError",
    "CapabilityError",
    "ConnectionLostError",
    "ConstraintError",
    "CursorError",
    "DedicatedWorkerRequiredError",
    "DurabilityError",
    "EncryptionError",
    "MigrationChangedError",
    "MissingDependencyError",
    "NoRoomForRestorePointError",
    "NotADatabaseError",
    "NotEncryptedError",
    "OpfsUnavailableError",
    "ParameterError",
    "PassphraseRequiredError",
    "PersonaNotFoundError",
    "ProviderAuthError",
    "ProviderError",
    "ProviderInterruptedError",
    "ProviderOfflineError",
    "ProviderRateLimitError",
    "ProviderResponseError",
    "PyodideAppError",
    "QuotaExceededError",
    "RecordInvalidError",
    "RecordNotFoundError",
    "RestorePointNotFoundError",
    "SchemaError",
    "SchemaTooNewError",
    "ServerError",
    "ServerLoginError",
    "ServerUnavailableError",
    "SqlError",
    "StorageClosedError",
    "StorageError",
    "StorageInUseError",
    "StorageResolutionError",
    "StoreDamagedError",
    "StoreLostError",
    "StoreTooNewError",
    "StoreUnavailableError",
    "TooLargeForMemoryError",
    "TransactionError",
    "WriterFencedError",
    "WrongPassphraseError",
    "error_from_code",
]


class PyodideAppError(Exception):
    """Something in pyodide_app failed."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str = "", **detail: object) -> None:
        super().__init__(message)
        self.message = message
        self.detail: dict[str, object] = detail

    def __str__(self) -> str:
        return self.message


# Storage ---------------------------------------------------------------------


class StorageError(PyodideAppError):
    """The storage layer could not do what was asked."""

    code = "storage"


class StorageResolutionError(StorageError):
    """No storage adapter could be opened in this environment.

    Attributes:
        attempts: ``(adapter, reason)`` for every adapter tried, in order.
    """

    code = "storage_resolution"

    def __init__(self, attempts: Sequence[tuple[str, str]] = ()) -> None:
        tried = "; ".join(f"{kind}: {reason}" for kind, reason in attempts)
        super().__init__(
            "no storage adapter could be opened "
            f"({tried or 'none applies here'}); pass adapter= to choose one, or "
            'adapter="memory" to work without keeping anything',
            attempts=[list(attempt) for attempt in attempts],
        )
        self.attempts = tuple(attempts)


class StorageClosedError(StorageError):
    """A call reached a storage that is not open."""

    code = "storage_closed"

    def __init__(self) -> None:
        super().__init__("the storage is not open; call open() first")


class StorageInUseError(StorageError):
    """Another owner has this database open, and there can be one only."""

    code = "storage_in_use"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the database {name!r} is open elsewhere; use the open one, or "
            "close it first",
            name=name,
        )
        self.name = name


class CapabilityError(StorageError):
    """This adapter cannot do that; another one can."""

    code = "capability"


class MissingDependencyError(StorageError):
    """A package that this needs is not installed.

    Attributes:
        package: What is missing.
        extra: Of pyodide_app; installing it installs the package.
    """

    code = "missing_dependency"

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed; pip install 'pyodide_app[{extra}]'",
            package=package,
            extra=extra,
        )
        self.package = package
        self.extra = extra


class ServerError(StorageError):
    """The database server could not do what was asked.

    Attributes:
        server: Host and database, without any secret.
    """

    code = "server"
    _sentence: ClassVar[str] = "the database server failed"

    def __init__(self, server: str, reason: str = "") -> None:
        because = f" ({reason})" if reason else ""
        super().__init__(
            f"{server}: {self._sentence}{because}", server=server, reason=reason
        )
        self.server = server
        self.reason = reason


class ServerUnavailableError(ServerError):
    """The database server cannot be reached."""

    code = "server_unavailable"
    _sentence = (
        "the database server cannot be reached; check its address and that it runs, "
        "then try again"
    )


class ServerLoginError(ServerError):
    """The database server does not let this user in."""

    code = "server_login"
    _sentence = (
        "the database server does not let this user in; check user, password and "
        "the name of the database"
    )


class ConnectionLostError(ServerError):
    """The connection ended while it was used; an open transaction is undone."""

    code = "connection_lost"
    _sentence = (
        "the connection to the database server was lost and what was not committed "
        "is undone; run the transaction again, and if it was in its commit, look "
        "first whether it is there"
    )


class SqlError(StorageError):
    """SQLite, or the database server, refused a statement.

    Attributes:
        sqlite_code: SQLite's name for it, such as ``SQLITE_ERROR``; of a server what
            has none there is ``SQLSTATE_`` and its code.
        sql: The text that was refused.
    """

    code = "sql"

    def __init__(
        self, message: str, sqlite_code: str = "SQLITE_ERROR", sql: str = ""
    ) -> None:
        super().__init__(message, sqliteCode=sqlite_code, sql=sql)
        self.sqlite_code = sqlite_code
        self.sql = sql


class ConstraintError(SqlError):
    """A statement would have broken a constraint; it changed nothing."""

    code = "sql_constraint"


class ParameterError(StorageError):
    """The parameters do not fit the statement, or SQLite cannot hold one."""

    code = "sql_parameters"

    def __init__(self, message: str, sql: str = "") -> None:
        super().__init__(message, sql=sql)
        self.sql = sql


class TransactionError(StorageError):
    """The call does not fit the state of the transaction."""

    code = "transaction"


class CursorError(StorageError, ValueError):
    """A paging cursor was not made by this list."""

    code = "cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor was not made by this list; start again without one"
        )


class EncryptionError(StorageError):
    """What was asked does not fit the encryption of the database."""

    code = "encryption"


class PassphraseRequiredError(EncryptionError):
    """The database, or the backup, is encrypted; nothing of it was read."""

    code = "passphrase_required"

    def __init__(self, name: str = "") -> None:
        super().__init__(
            f"{name or 'the database'} is encrypted, or no database at all; "
            "open it with its passphrase",
            name=name,
        )
        self.name = name


class WrongPassphraseError(EncryptionError):
    """The passphrase does not open the file; nothing was changed.

    SQLite reads a file's first page by it, so a file whose first page is damaged
    looks the same. Damage of any other page is told as such.
    """

    code = "wrong_passphrase"

    def __init__(self, name: str = "") -> None:
        super().__init__(
            f"the passphrase does not open {name or 'the database'}; try it again, "
            "with the keyboard's language and Caps Lock in mind",
            name=name,
        )
        self.name = name


class NotEncryptedError(EncryptionError):
    """A passphrase was given for a database that is not encrypted."""

    code = "not_encrypted"

    def __init__(self, name: str = "") -> None:
        super().__init__(
            f"{name or 'the database'} is not encrypted; open it without a "
            "passphrase, then call encrypt()",
            name=name,
        )
        self.name = name


class SchemaError(StorageError):
    """The database's schema does not fit this release."""

    code = "schema"


class SchemaTooNewError(SchemaError):
    """A newer release of the app has already migrated this database."""

    code = "schema_too_new"

    def __init__(self, *, found: int, supported: int) -> None:
        super().__init__(
            f"the database is at schema version {found}, this release "
            f"supports up to {supported}; reload to get the new release",
            found=found,
            supported=supported,
        )
        self.found = found
        self.supported = supported


class MigrationChangedError(SchemaError):
    """A migration was edited after it had run on this database."""

    code = "migration_changed"

    def __init__(self, *, version: int, name: str) -> None:
        super().__init__(
            f"migration {version} ({name}) differs from the one this database "
            "has run; a released migration must never change, add a new one",
            version=version,
            name=name,
        )
        self.version = version
        self.name = name


class RecordNotFoundError(StorageError):
    """There is no record with this id."""

    code = "record_not_found"

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"there is no {kind} with the id {id!r}", kind=kind, id=id)
        self.kind = kind
        self.id = id


class RecordInvalidError(StorageError):
    """A record cannot be stored, or what is stored cannot be read as one."""

    code = "record_invalid"

    def __init__(self, kind: str, id: str, reason: str) -> None:
        super().__init__(
            f"the {kind} {id!r} is not valid: {reason}",
            kind=kind,
            id=id,
            reason=reason,
        )
        self.kind = kind
        self.id = id
        self.reason = reason


# Durability ------------------------------------------------------------------


class DurabilityError(StorageError):
    """What was committed could not be made durable; it is still in memory."""

    code = "not_durable"
    _sentence: ClassVar[str] = (
        "the last changes are committed but not durable; download a backup before "
        "closing"
    )

    def __init__(self, reason: str = "") -> None:
        super().__init__(
            f"{self._sentence} ({reason})" if reason else self._sentence,
            reason=reason,
        )
        self.reason = reason


class QuotaExceededError(DurabilityError):
    """The browser gives this site no more space."""

    code = "quota_exceeded"
    _sentence = (
        "the browser gives this site no more space, so the last changes are not "
        "durable; download a backup, then delete data or allow more space"
    )


class NoRoomForRestorePointError(DurabilityError):
    """There is no space for a copy of the state before; nothing was changed."""

    code = "no_room_for_restore_point"
    _sentence = (
        "nothing was changed, because there is no space for a restore point of the "
        "state before; download a backup, then go on with keep_restore_point=False"
    )


class WriterFencedError(DurabilityError):
    """A newer host owns the store; this one must stop writing."""

    code = "writer_fenced"
    _sentence = (
        "another window has taken over this database, so this one can no longer "
        "write; reload this window"
    )


class StoreUnavailableError(DurabilityError):
    """There is no durable store here, or it cannot be reached."""

    code = "store_unavailable"
    _sentence = (
        "the durable store cannot be reached; leave private browsing or allow site "
        'data, or choose adapter="memory" to work without keeping anything'
    )


class StoreLostError(DurabilityError):
    """The browser closed the durable store, or an operation on it failed."""

    code = "store_lost"
    _sentence = (
        "the browser's storage failed, so the last changes are not durable yet; it "
        "is tried again, download a backup if this stays"
    )


class StoreTooNewError(DurabilityError):
    """A newer release of the app has written the durable store."""

    code = "store_too_new"
    _sentence = (
        "a newer release has written this store, which this one cannot; reload to "
        "get the new release"
    )


class StoreDamagedError(DurabilityError):
    """What is stored fails its checksums."""

    code = "store_damaged"
    _sentence = (
        "a part of the stored data fails its checksum and was set aside; download "
        "a backup and check what is missing"
    )


class OpfsUnavailableError(StorageError):
    """This browser gives the site no file system; nothing was changed."""

    code = "opfs_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "this browser offers no file system to this site here; leave private "
            "mode, use a current browser, or keep the database with store='indexeddb'"
        )


class DedicatedWorkerRequiredError(OpfsUnavailableError):
    """All tabs share this host, and files are for a host of one tab."""

    code = "dedicated_worker_required"

    def __init__(self) -> None:
        StorageError.__init__(
            self,
            "a database in files can be opened by the worker of one tab only; "
            "connect with a dedicated worker",
        )


class TooLargeForMemoryError(StorageError):
    """IndexedDB keeps a database in memory, and this one is too large for that."""

    code = "too_large_for_memory"

    def __init__(self, *, size: int, limit: int) -> None:
        super().__init__(
            f"the database has {size} bytes, and IndexedDB keeps all of it in memory: "
            f"{limit} at most; remove old conversations first",
            size=size,
            limit=limit,
        )
        self.size = size
        self.limit = limit


# Backup ----------------------------------------------------------------------


class BackupError(StorageError):
    """A backup could not be read or taken over; the live database is untouched."""

    code = "backup"


class NotADatabaseError(BackupError):
    """The file is not an SQLite database this program can read."""

    code = "backup_not_a_database"

    def __init__(self, reason: str = "") -> None:
        because = f" ({reason})" if reason else ""
        super().__init__(
            f"the file is not a readable SQLite database{because}; it may be "
            "another kind of file, or encrypted: choose a .db backup",
            reason=reason,
        )
        self.reason = reason


class BackupTruncatedError(BackupError):
    """The file is shorter than its header says."""

    code = "backup_truncated"

    def __init__(self, *, size: int, expected: int) -> None:
        super().__init__(
            f"the file ends after {size} of {expected} bytes; copy or download "
            "it again",
            size=size,
            expected=expected,
        )
        self.size = size
        self.expected = expected


class BackupDamagedError(BackupError):
    """SQLite's integrity check found damage."""

    code = "backup_damaged"

    def __init__(self, problems: Sequence[str] = ()) -> None:
        first = problems[0] if problems else "the integrity check failed"
        super().__init__(
            f"the file is damaged ({first}); use an older backup",
            problems=list(problems),
        )
        self.problems = tuple(problems)


class BackupTooLargeError(BackupError):
    """The file is larger than what this environment can hold."""

    code = "backup_too_large"

    def __init__(self, *, size: int, limit: int) -> None:
        super().__init__(
            f"the file has {size} bytes, more than the {limit} that fit here; "
            "open it with pyodide_app on a desktop",
            size=size,
            limit=limit,
        )
        self.size = size
        self.limit = limit


class BackupSchemaUnknownError(BackupError):
    """The file is a database of some other program."""

    code = "backup_schema_unknown"

    def __init__(self, tables: Sequence[str] = ()) -> None:
        shown = ", ".join(tables[:8]) + (", …" if len(tables) > 8 else "")
        super().__init__(
            "the file is a database of another program "
            f"(tables: {shown or 'none'}); choose a backup of this app",
            tables=list(tables),
        )
        self.tables = tuple(tables)


class BackupTooNewError(BackupError):
    """A newer release wrote the file."""

    code = "backup_too_new"

    def __init__(self, *, found: int, supported: int) -> None:
        super().__init__(
            f"the file is at schema version {found}, this release supports up to "
            f"{supported}; reload to get the new release",
            found=found,
            supported=supported,
        )
        self.found = found
        self.supported = supported


class BackupUnsafeError(BackupError):
    """The file holds program code where this app has none."""

    code = "backup_unsafe"

    def __init__(self, objects: Sequence[str] = ()) -> None:
        shown = ", ".join(objects[:8]) + (", …" if len(objects) > 8 else "")
        super().__init__(
            f"the file contains triggers, views or virtual tables ({shown}) that "
            "this app did not make; nothing of it was run",
            objects=list(objects),
        )
        self.objects = tuple(objects)


class RestorePointNotFoundError(BackupError):
    """There is no restore point with this id."""

    code = "restore_point_not_found"

    def __init__(self, id: str = "") -> None:
        super().__init__(
            f"there is no restore point {id!r}; list them with restore_points()",
            id=id,
        )
        self.id = id


# Agents ----------------------------------------------------------------------


class AgentError(PyodideAppError):
    """The agent runtime could not do what was asked."""

    code = "agent"


class PersonaNotFoundError(AgentError):
    """There is no persona with this id."""

    code = "persona_not_found"

    def __init__(self, id: str = "") -> None:
        super().__init__(
            f"there is no persona {id!r}; list_personas() gives the known ones",
            id=id,
        )
        self.id = id


class ProviderError(AgentError):
    """The language model could not answer.

    Attributes:
        retryable: True if the same request may succeed later.
    """

    code = "provider"

    def __init__(
        self, message: str = "the provider failed", *, retryable: bool = False
    ) -> None:
        super().__init__(message, retryable=retryable)
        self.retryable = retryable


class ProviderOfflineError(ProviderError):
    """The provider's server could not be reached."""

    code = "provider_offline"

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message
            or "the provider cannot be reached; check the network and its address",
            retryable=True,
        )


class ProviderAuthError(ProviderError):
    """The provider refused the key."""

    code = "provider_auth"

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message or "the provider refused the key; check it in the settings",
            retryable=False,
        )


class ProviderRateLimitError(ProviderError):
    """The provider wants fewer requests.

    Attributes:
        retry_after_s: Seconds to wait, if the provider said so.
    """

    code = "provider_rate_limit"

    def __init__(
        self, message: str = "", *, retry_after_s: float | None = None
    ) -> None:
        wait = "later" if retry_after_s is None else f"in {retry_after_s:g} seconds"
        super().__init__(
            message or f"the provider allows no more requests now; try again {wait}",
            retryable=True,
        )
        self.retry_after_s = retry_after_s
        self.detail["retryAfterS"] = retry_after_s


class ProviderInterruptedError(ProviderError):
    """The answer stopped half-way."""

    code = "provider_interrupted"

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message or "the answer stopped half-way; what arrived is kept, try again",
            retryable=True,
        )


class ProviderResponseError(ProviderError):
    """The provider answered with something that is no answer.

    Attributes:
        status: HTTP status, or None if the body was the problem.
    """

    code = "provider_response"

    def __init__(self, message: str = "", *, status: int | None = None) -> None:
        number = "" if status is None else f" (HTTP {status})"
        super().__init__(
            message
            or f"the provider sent no usable answer{number}; check address and model",
            retryable=status is not None and status >= 500,
        )
        self.status = status
        self.detail["status"] = status


# The border ------------------------------------------------------------------


def error_from_code(
    code: str, message: str, detail: Mapping[str, object] | None = None
) -> PyodideAppError:
    """Return the error that *code* names, with the message it crossed with.

    What the class keeps as attributes is set from *detail*. An unknown code becomes
    a `PyodideAppError` with that code.
    """
    found = {cls.code: cls for cls in _tree(PyodideAppError)}.get(code)
    cls = found or PyodideAppError
    error = cls.__new__(cls)
    PyodideAppError.__init__(error, message)
    error.detail = dict(detail or {})
    for key, value in error.detail.items():
        name = _ATTRIBUTES.get(key, key)
        # An attribute of data is one that neither the class nor Exception has.
        if name.isidentifier() and not hasattr(error, name):
            setattr(error, name, value)
    if found is None:
        error.__dict__["code"] = code
    return error


_ATTRIBUTES = {"sqliteCode": "sqlite_code", "retryAfterS": "retry_after_s"}


def _tree(cls: type[PyodideAppError]) -> Iterator[type[PyodideAppError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _tree(child)
