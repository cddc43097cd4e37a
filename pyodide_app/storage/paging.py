"""Keyset paging: a page begins where the last one ended, however the list grew.

A cursor is opaque text. It names its list and the sort key of the last item; what
was not made by the same list is refused.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pyodide_app.errors import CursorError
from pyodide_app.storage.adapter import Row, SqlValue, StorageAdapter
from pyodide_app.storage.records import Page

__all__ = ["Listing", "read_page"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that can be read in pages.

    Attributes:
        name: Names it in its cursors.
        columns: What to select.
        table: Where from.
        key: Columns that order it, the last one unique; with one direction all.
        descending: True if the greatest key comes first.
    """

    name: str
    columns: str
    table: str
    key: tuple[str, str]
    descending: bool


async def read_page(
    adapter: StorageAdapter,
    listing: Listing,
    decode: Callable[[Row], T],
    *,
    where: Sequence[tuple[str, SqlValue]] = (),
    limit: int,
    cursor: str | None,
) -> Page[T]:
    """Return the page of *listing* that *cursor* points at.

    Args:
        adapter: The database.
        listing: What to read.
        decode: Makes a record of a row.
        where: Conditions with one ``?`` each, and their values.
        limit: Items on a page, at least 1.
        cursor: Of the page before, or None for the first.

    Raises:
        CursorError: The cursor is not one of this list.
        ValueError: The limit is less than 1.
    """
    if limit < 1:
        msg = f"limit must be at least 1, it is {limit}"
        raise ValueError(msg)
    conditions = [condition for condition, _ in where]
    values: list[SqlValue] = [value for _, value in where]
    first, second = listing.key
    if cursor is not None:
        comparison = "<" if listing.descending else ">"
        conditions.append(f"({first}, {second}) {comparison} (?, ?)")
        values.extend(_decoded(listing.name, cursor))
    direction = "DESC" if listing.descending else "ASC"
    sql = (
        f"SELECT {listing.columns} FROM {listing.table} "
        f"{'WHERE ' + ' AND '.join(conditions) if conditions else ''} "
        f"ORDER BY {first} {direction}, {second} {direction} LIMIT ?"
    )
    # One more than asked for tells whether there is a next page.
    rows = await adapter.all(sql, (*values, limit + 1))
    items = tuple(decode(row) for row in rows[:limit])
    if len(rows) <= limit:
        return Page(items, None)
    last = rows[limit - 1]
    return Page(items, _encoded(listing.name, (last[first], last[second])))


def _encoded(name: str, key: Sequence[SqlValue]) -> str:
    text = json.dumps([name, *key], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(name: str, cursor: str) -> tuple[int | str, str]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (AttributeError, ValueError, binascii.Error, RecursionError) as error:
        raise CursorError from error
    match parts:
        case [str(made_by), int() | str() as first, str(second)] if (
            made_by == name
            and not isinstance(first, bool)
            and not (isinstance(first, int) and abs(first) >= 1 << 63)
        ):
            return first, second
    raise CursorError
