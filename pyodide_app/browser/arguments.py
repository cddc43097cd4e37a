"""What a page sent with a call: checked before it is used.

Everything that comes over the border is foreign until it has passed here. A field
that is missing or of another type is an `InvalidArgumentsError` that names it.
"""

from collections.abc import Mapping
from typing import Any

from pyodide_app.errors import PyodideAppError
from pyodide_app.storage.adapter import Parameters, SqlValue

__all__ = ["Arguments", "InvalidArgumentsError", "UnknownMethodError"]


class InvalidArgumentsError(PyodideAppError):
    """A call came with arguments that do not fit the method."""

    code = "invalid_arguments"

    def __init__(self, *, field: str, expected: str) -> None:
        super().__init__(f"{field} must be {expected}", field=field, expected=expected)


class UnknownMethodError(PyodideAppError):
    """A page called what the method table does not name."""

    code = "unknown_method"

    def __init__(self, method: str) -> None:
        super().__init__(f"there is no method {method}", method=method)


class Arguments:
    """Typed reading of one call's arguments."""

    def __init__(self, raw: object) -> None:
        if not isinstance(raw, Mapping):
            raise InvalidArgumentsError(field="the argument", expected="an object")
        self._raw: Mapping[str, Any] = raw

    def text(self, field: str) -> str:
        """Return a text that must be there."""
        value = self._raw.get(field)
        if not isinstance(value, str):
            raise InvalidArgumentsError(field=field, expected="a text")
        return value

    def text_or_none(self, field: str) -> str | None:
        """Return a text, or None if it is not given."""
        return None if self._raw.get(field) is None else self.text(field)

    def integer(self, field: str, default: int) -> int:
        """Return an integer, or *default* if it is not given."""
        value = self._raw.get(field)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidArgumentsError(field=field, expected="an integer")
        return value

    def integer_or_none(self, field: str) -> int | None:
        """Return an integer, or None if it is not given."""
        return None if self._raw.get(field) is None else self.integer(field, 0)

    def truth(self, field: str, *, default: bool) -> bool:
        """Return a boolean, or *default* if it is not given."""
        value = self._raw.get(field)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise InvalidArgumentsError(field=field, expected="true or false")
        return value

    def choice(self, field: str, choices: tuple[str, ...], default: str | None) -> Any:  # noqa: ANN401  # one of the choices, for a Literal
        """Return one of *choices*."""
        value = self._raw.get(field)
        if value is None and default is not None:
            return default
        if value not in choices:
            raise InvalidArgumentsError(
                field=field, expected=f"one of {', '.join(choices)}"
            )
        return value

    def object(self, field: str) -> dict[str, Any]:
        """Return an object that must be there."""
        value = self._raw.get(field)
        if not isinstance(value, dict):
            raise InvalidArgumentsError(field=field, expected="an object")
        return value

    def object_or_none(self, field: str) -> dict[str, Any] | None:
        """Return an object, or None if it is not given."""
        return None if self._raw.get(field) is None else self.object(field)

    def objects(self, field: str) -> list[dict[str, Any]]:
        """Return a list of objects, empty if it is not given."""
        value = self._raw.get(field)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise InvalidArgumentsError(field=field, expected="a list of objects")
        return value

    def texts_or_none(self, field: str) -> list[str] | None:
        """Return a list of texts, or None if it is not given."""
        value = self._raw.get(field)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise InvalidArgumentsError(field=field, expected="a list of texts")
        return value

    def raw(self, field: str) -> Any:  # noqa: ANN401  # whatever the page sent
        """Return what is there, unchecked, for a callee that checks it."""
        return self._raw.get(field)

    def parameters(self, field: str = "params") -> Parameters:
        """Return the parameters of a statement; the engine checks the values."""
        value = self._raw.get(field)
        if value is None or isinstance(value, list):
            return value
        if isinstance(value, dict):
            named: dict[str, SqlValue] = value
            return named
        raise InvalidArgumentsError(field=field, expected="a list or an object")
