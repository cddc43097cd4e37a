"""PGlite's round trips: 12 statements, each awaited, one after the other.

Rows of three sizes are inserted, read, updated and deleted. Mirror of PGlite's
own benchmark in what is done: the slowest and the fastest tenth are left out.
"""

import random
from collections.abc import Sequence
from statistics import fmean
from typing import Any

__all__ = ["mean_of_middle", "round_trips"]

_SCHEMA = """
CREATE TABLE trip_numbers(id INTEGER PRIMARY KEY, a INTEGER);
CREATE TABLE trip_texts(id INTEGER PRIMARY KEY, a TEXT);
"""

_END = "DROP TABLE trip_numbers; DROP TABLE trip_texts;"

_TRIMMED = 0.1


def round_trips() -> dict[str, Any]:
    """Return the schema, the 12, and what ends them, as a side gets them.

    Of the parameters, None stands for the number of the row.
    """
    chance = random.Random(12)  # noqa: S311  # it must repeat, not surprise
    letters = "abcdefghijklmnopqrstuvwxyz "

    def text(length: int) -> str:
        return "".join(chance.choices(letters, k=length))

    sizes: list[tuple[str, str, object, object]] = [
        ("a small row", "trip_numbers", 1, 2),
        ("1 KB", "trip_texts", text(1_000), text(1_000)),
        ("10 KB", "trip_texts", text(10_000), text(10_000)),
    ]
    groups = []
    for title, table, first, second in sizes:
        for verb, sql, parameters in (
            (
                "insert",
                f"INSERT INTO {table}(id, a) VALUES (?, ?)",
                [None, first],
            ),
            ("select", f"SELECT id, a FROM {table} WHERE id = ?", [None]),
            (
                "update",
                f"UPDATE {table} SET a = ? WHERE id = ?",
                [second, None],
            ),
            ("delete", f"DELETE FROM {table} WHERE id = ?", [None]),
        ):
            groups.append(
                {
                    "title": f"{verb} {title}",
                    "sql": sql,
                    "parameters": parameters,
                    "writes": verb != "select",
                }
            )
    return {"schema": _SCHEMA, "groups": groups, "end": _END}


def mean_of_middle(times: Sequence[float]) -> float:
    """Return the mean without the slowest and the fastest tenth."""
    cut = int(len(times) * _TRIMMED)
    middle = sorted(times)[cut : len(times) - cut]
    return fmean(middle)
