"""Reading the fields of one row that may hold anything.

Rule 1: a field that does not fit becomes one that does; what it was is kept.
Rule 2: what has no column of its own becomes a member of the row's JSON object.
Rule 3: a JSON object that needs nothing added stays the text it is.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pyodide_app.ids import derived_id
from pyodide_app.storage.adapter import SqlValue
from pyodide_app.storage.backup.report import Problems

__all__ = ["NOBODY", "Fields", "encode", "parse"]

NOBODY: Final = "unknown"
"""Stands where a column needs a text and there is none."""

_ORIGINAL: Final = "original"
"""Member under which fields are kept as they were, by column."""


class Fields:
    """One row of a table, from which each field is taken once.

    Args:
        table: Where it is from.
        row: Its fields by column.
        problems: Takes what did not fit.
    """

    def __init__(
        self, table: str, row: Mapping[str, SqlValue], problems: Problems
    ) -> None:
        self._table = table
        self._row = dict(row)
        self._problems = problems
        self._kept: dict[str, object] = {}

    def take(self, column: str) -> SqlValue:
        """Return the field as it is; None if there is no such column."""
        return self._row.pop(column, None)

    def look(self, column: str) -> SqlValue:
        """Return the field as it is, and leave it to be taken."""
        return self._row.get(column)

    def text_or_none(self, column: str) -> str | None:
        """Return the field as a text, or None if it is NULL."""
        value = self.take(column)
        if value is None or isinstance(value, str):
            return value
        self._note("wrong_type", column, "were no text; they are kept as one")
        if isinstance(value, bytes):
            self._kept[column] = _plain(value)
            return value.decode("utf-8", "replace")
        return str(value)

    def text(self, column: str) -> str:
        """Return the field as a text; NULL becomes `NOBODY`."""
        text = self.text_or_none(column)
        if text is not None:
            return text
        self._note("missing", column, f"were missing; they are {NOBODY!r}")
        return NOBODY

    def id(self, column: str, order: int) -> str:
        """Return the field as a text that is an id; a row without one gets one."""
        text = self.text_or_none(column)
        if text is not None:
            return text
        self._note("missing_id", column, "were missing; those rows have a new one")
        content = [f"{name}={value!r}" for name, value in self._row.items()]
        return derived_id(0, self._table, *content, str(order), order=order)

    def time(self, column: str) -> int:
        """Return the field as Unix milliseconds."""
        value = self.take(column)
        if isinstance(value, int):
            return value
        if value is None:
            self._note("missing", column, "were missing; they are 0")
            return 0
        self._kept[column] = _plain(value)
        found = _milliseconds(value)
        if found is None:
            self._note(
                "invalid_time",
                column,
                f'were no time; they are 0, and in "{_ORIGINAL}"',
            )
            return 0
        self._note("wrong_type", column, "were no integers; they are now")
        return found

    def choice(self, column: str, allowed: Sequence[str]) -> str:
        """Return the field if it is one of *allowed*, or the first of them."""
        text = self.text(column)
        if text in allowed:
            return text
        self._kept[column] = text
        self._note("invalid_choice", column, f"are now {allowed[0]!r}")
        return allowed[0]

    def members(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return *given* with columns that nobody took and what was kept.

        Of two with the same name that of *given* stays; the other is kept.
        """
        found = {name: value for name, value in given.items() if value is not None}
        for name, value in self._row.items():
            if value is not None and name in found:
                self._kept[name] = _plain(value)
            elif value is not None:
                found[name] = value
        return self._with_kept(found)

    def document(
        self, column: str, additions: Mapping[str, object] | None = None
    ) -> str:
        """Return the field as the text of a JSON object; call it last.

        It also gets *additions* that are not None, columns that nobody took, and
        what was kept. A member of the same name gives way, and is kept.
        """
        found = self._object(column)
        rest = {**self._row, **(additions or {})}
        added = {name: value for name, value in rest.items() if value is not None}
        if not added and not self._kept and isinstance(found, str):
            return found
        members = found if isinstance(found, dict) else parse(found)
        for name, value in added.items():
            if name in members and members[name] != value:
                self._kept[f"{column}.{name}"] = members[name]
            members[name] = value
        return encode(self._with_kept(members))

    def _with_kept(self, members: dict[str, object]) -> dict[str, object]:
        name = _ORIGINAL
        while name in members:
            name += "_"
        return {**members, name: self._kept} if self._kept else members

    def _object(self, column: str) -> str | dict[str, Any]:
        """Return the object in a column as its text, or a new one."""
        value = self.take(column)
        if value is None:
            return {}
        if isinstance(value, str) and isinstance(parse(value), dict):
            return value
        self._note(
            "invalid_json", column, f'were no JSON objects; they are in "{_ORIGINAL}"'
        )
        self._kept[column] = _plain(value)
        return {}

    def _note(self, code: str, column: str, what: str) -> None:
        self._problems.add(code, f"{{n}} values of {self._table}.{column} {what}")


def parse(value: object) -> Any:  # noqa: ANN401  # any JSON
    """Return what a JSON text says, or *value* itself if it is none."""
    if not isinstance(value, str):
        return value
    try:
        return _DECODER.decode(value)
    except (ValueError, RecursionError):
        return value


def encode(value: Mapping[str, Any]) -> str:
    """Return *value* as JSON text that SQLite can store."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, which JSON can say and UTF-8 cannot.
        return json.dumps(value, separators=(",", ":"), default=_plain)
    return text


def _plain(value: object) -> object:
    """Return a field as JSON has it."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value


def _milliseconds(value: float | str | bytes) -> int | None:
    try:
        return int(float(value))
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _refused(constant: str) -> None:
    msg = f"{constant} is not JSON"
    raise ValueError(msg)


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        msg = f"{text} is more than a number can hold"
        raise ValueError(msg)
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=_refused, parse_float=_finite)
