"""Parameters in, column names out: what binds to a statement, and what comes back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyodide_app.errors import ParameterError
from pyodide_app.storage.adapter import Parameters

__all__ = ["bindings_of", "distinct_names"]

_PREFIXES = (":", "@", "$", "?")


def bindings_of(
    parameters: Parameters, names: Sequence[str | None], sql: str
) -> Sequence[Any] | dict[str, Any]:
    """Return *parameters* as the engine takes them.

    Args:
        parameters: As the caller passed them.
        names: Of the statement's parameters, without prefix; None where it has
            none.
        sql: For errors.

    Raises:
        ParameterError: A name is missing or unknown, NaN is among the values, or
            they are neither a sequence nor a mapping.
    """
    if parameters is None:
        return ()
    if isinstance(parameters, Mapping):
        given = _by_name(parameters, names, sql)
        refuse_nan(given.values(), sql)
        return given
    if isinstance(parameters, str | bytes | bytearray | memoryview):
        reason = f"{type(parameters).__name__} is one value; pass a sequence of them"
        raise ParameterError(reason, sql)
    values = tuple(parameters)
    refuse_nan(values, sql)
    return values


def refuse_nan(values: Iterable[Any], sql: str) -> None:
    """Raise if one of *values* is not equal to itself."""
    for value in values:
        if value != value:
            reason = "SQLite would store NaN as NULL; pass None if that is meant"
            raise ParameterError(reason, sql)


def distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return *names* with a suffix on each later one of the same name."""
    counts: dict[str, int] = {}
    taken = set(names)
    distinct = []
    for name in names:
        unique = name
        if name in counts:
            while unique in taken:
                unique = f"{name}:{counts[name]}"
                counts[name] += 1
        else:
            counts[name] = 1
        taken.add(unique)
        distinct.append(unique)
    return tuple(distinct)


def _by_name(
    parameters: Mapping[str, Any], names: Sequence[str | None], sql: str
) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for key, value in parameters.items():
        if not isinstance(key, str):
            reason = f"parameter names are str, not {type(key).__name__}"
            raise ParameterError(reason, sql)
        name = key[1:] if key.startswith(_PREFIXES) else key
        if name in given:
            reason = f"{name} is given twice, with two prefixes"
            raise ParameterError(reason, sql)
        given[name] = value
    if None in names:
        reason = "the statement has positional parameters; pass a sequence"
        raise ParameterError(reason, sql)
    missing = sorted({name for name in names if name is not None} - given.keys())
    if missing:
        reason = f"no value for the parameter {', '.join(missing)}"
        raise ParameterError(reason, sql)
    unknown = sorted(given.keys() - set(names))
    if unknown:
        reason = f"the statement has no parameter {', '.join(unknown)}"
        raise ParameterError(reason, sql)
    return given
