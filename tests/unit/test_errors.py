import json

import pytest

from pyodide_app import errors
from pyodide_app.errors import PyodideAppError, error_from_code

EXAMPLES = [
    errors.StorageResolutionError([("native", "no file"), ("memory", "no")]),
    errors.StorageClosedError(),
    errors.StorageInUseError("agentos"),
    errors.CapabilityError("not here"),
    errors.MissingDependencyError("psycopg", "postgres"),
    errors.ServerUnavailableError("db/agentos", "refused"),
    errors.ServerLoginError("db/agentos", "no such user"),
    errors.ConnectionLostError("db/agentos"),
    errors.SqlError("no such table: t", "SQLITE_ERROR", "SELECT * FROM t"),
    errors.ConstraintError("UNIQUE", "SQLITE_CONSTRAINT_UNIQUE", "INSERT"),
    errors.ParameterError("too few", "SELECT ?"),
    errors.PassphraseRequiredError("agentos"),
    errors.WrongPassphraseError("agentos"),
    errors.NotEncryptedError("agentos"),
    errors.TransactionError("not now"),
    errors.CursorError(),
    errors.SchemaTooNewError(found=3, supported=2),
    errors.MigrationChangedError(version=1, name="notes"),
    errors.RecordNotFoundError("conversation", "c"),
    errors.RecordInvalidError("session", "s", "no"),
    errors.DurabilityError("because"),
    errors.QuotaExceededError(),
    errors.NoRoomForRestorePointError(),
    errors.WriterFencedError(),
    errors.StoreUnavailableError("private"),
    errors.StoreDamagedError(),
    errors.StoreLostError("timeout"),
    errors.StoreTooNewError(),
    errors.OpfsUnavailableError(),
    errors.DedicatedWorkerRequiredError(),
    errors.TooLargeForMemoryError(size=2, limit=1),
    errors.NotADatabaseError(),
    errors.BackupTruncatedError(size=1, expected=2),
    errors.BackupDamagedError(["row 1 missing"]),
    errors.BackupTooLargeError(size=2, limit=1),
    errors.BackupSchemaUnknownError(["urls", "visits"]),
    errors.BackupTooNewError(found=3, supported=2),
    errors.BackupUnsafeError(["trigger t"]),
    errors.RestorePointNotFoundError("r"),
    errors.PersonaNotFoundError("p"),
    errors.ProviderError("no", retryable=True),
    errors.ProviderOfflineError(),
    errors.ProviderAuthError(),
    errors.ProviderRateLimitError(retry_after_s=3.0),
    errors.ProviderInterruptedError(),
    errors.ProviderResponseError(status=503),
]
ABSTRACT = {
    "encryption",
    "internal",
    "storage",
    "schema",
    "server",
    "backup",
    "agent",
}


def tree(cls=PyodideAppError):
    yield cls
    for child in cls.__subclasses__():
        yield from tree(child)


def test_every_class_has_a_code_of_its_own_and_stands_in_the_drawing():
    classes = [cls for cls in tree() if cls.__module__ == errors.__name__]
    codes = [cls.code for cls in classes]

    assert len(codes) == len(set(codes))
    for cls in classes:
        assert cls.__name__ in errors.__all__
        (line,) = [
            line
            for line in errors.__doc__.splitlines()
            if line.replace("│", "").replace("├─", "").replace("└─", "").split()[:1]
            == [cls.__name__]
        ]
        assert line.split()[-1] == cls.code
    assert set(codes) == {error.code for error in EXAMPLES} | ABSTRACT


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda e: e.code)
def test_an_error_crosses_the_border_and_is_the_same(error):
    crossed = json.loads(json.dumps([error.code, str(error), error.detail]))

    again = error_from_code(*crossed)

    assert type(again) is type(error)
    assert str(again) == str(error) != ""
    assert again.code == error.code
    assert json.dumps(again.detail) == json.dumps(error.detail)
    for name in vars(error):
        assert list_or(getattr(again, name)) == list_or(getattr(error, name)), name


def list_or(value):
    """Return *value* as JSON has it: a tuple is a list there."""
    return json.loads(json.dumps(value))


def test_an_unknown_code_is_kept():
    error = error_from_code("host_changed", "reload", {"a": 1})

    assert type(error) is PyodideAppError
    assert (error.code, str(error), error.detail) == (
        "host_changed",
        "reload",
        {"a": 1},
    )
    assert PyodideAppError("x").code == "internal"


def test_detail_cannot_replace_what_the_class_says():
    error = error_from_code("sql", "m", {"code": "x", "message": "y", "with space": 1})

    assert (error.code, str(error)) == ("sql", "m")
