"""The 16 tests that wa-sqlite, PGlite and SQLite's old speed page measure by.

The statements are generated here from what those tests do, from one seed: all
sides run the same text. What the tables hold after each test is computed once, by
the SQLite of this Python; a side that ends with anything else has failed.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence

from tests.benchmarks.sql_test import SqlTest

__all__ = ["TITLES", "sixteen_tests"]

_SMALL = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen
    fourteen fifteen sixteen seventeen eighteen nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"

_TABLE = "CREATE TABLE {name}(a INTEGER, b INTEGER, c VARCHAR(100));"
_INDEXED = "CREATE INDEX {name}{column} ON {name}({column});"
_RANGE = "SELECT count(*), avg(b) FROM t2 WHERE b >= {low} AND b < {high};"
_SUMS = (
    "SELECT count(*) AS n, sum(a) AS a, sum(b) AS b, sum(length(c)) AS c FROM {name}"
)

_Statements = Iterator[str]


def sixteen_tests(scale: float = 1) -> list[SqlTest]:
    """Return all of them; *scale* below 1 leaves rows and statements out."""
    chance = random.Random(16)  # noqa: S311  # it must repeat, not surprise

    def many(count: int) -> int:
        return max(4, round(count * scale))

    judge = sqlite3.connect(":memory:", isolation_level=None)
    tests = []
    tables: list[str] = []
    for number, (title, created, write) in enumerate(_TESTS, 1):
        statements = list(write(chance, many))
        tables += created
        if number == len(_TESTS):
            tables = []
        checks = [_SUMS.format(name=name) for name in tables]
        checks += _READS.get(number, [])
        judge.executescript("\n".join(statements))
        expected = [
            [value or 0 for value in judge.execute(check).fetchone()]
            for check in checks
        ]
        tests.append(SqlTest(number, title, statements, number == 1, checks, expected))
    judge.close()
    return tests


def _in_words(number: int) -> str:
    """Return *number*, below a million, in English."""
    if number < 20:
        return _SMALL.split()[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        return _TENS.split()[tens - 2] + (f" {_in_words(rest)}" if rest else "")
    size, word = (1_000, "thousand") if number >= 1_000 else (100, "hundred")
    high, rest = divmod(number, size)
    return f"{_in_words(high)} {word}" + (f" {_in_words(rest)}" if rest else "")


def _inserts(chance: random.Random, name: str, count: int, limit: int) -> Iterator[str]:
    for a in range(1, count + 1):
        b = chance.randrange(limit)
        yield f"INSERT INTO {name} VALUES({a}, {b}, '{_in_words(b)}');"


def _in_one(statements: Iterator[str]) -> _Statements:
    yield "BEGIN;"
    yield from statements
    yield "COMMIT;"


_Many = Callable[[int], int]
_Write = Callable[[random.Random, _Many], _Statements]


def _commits(chance: random.Random, many: _Many) -> _Statements:
    yield _TABLE.format(name="t1")
    yield from _inserts(chance, "t1", many(1_000), 100_000)


def _bulk(chance: random.Random, many: _Many) -> _Statements:
    rows = _inserts(chance, "t2", many(25_000), 500_000)
    yield from _in_one(iter([_TABLE.format(name="t2"), *rows]))


def _bulk_indexed(chance: random.Random, many: _Many) -> _Statements:
    table = _TABLE.format(name="t3")
    index = _INDEXED.format(name="t3", column="c")
    rows = _inserts(chance, "t3", many(25_000), 500_000)
    yield from _in_one(iter([table, index, *rows]))


def _ranges(_chance: random.Random, many: _Many) -> _Statements:
    yield from _in_one(
        _RANGE.format(low=n * 100, high=n * 100 + 1000) for n in range(many(100))
    )


def _likes(_chance: random.Random, many: _Many) -> _Statements:
    yield from _in_one(
        f"SELECT count(*), avg(b) FROM t2 WHERE c LIKE '%{_in_words(n)}%';"
        for n in range(1, many(100) + 1)
    )


def _indexes(_chance: random.Random, _many: _Many) -> _Statements:
    yield _INDEXED.format(name="t2", column="a")
    yield _INDEXED.format(name="t2", column="b")


def _indexed_ranges(_chance: random.Random, many: _Many) -> _Statements:
    yield from _in_one(
        _RANGE.format(low=n * 100, high=n * 100 + 100) for n in range(many(5_000))
    )


def _range_updates(_chance: random.Random, many: _Many) -> _Statements:
    yield from _in_one(
        f"UPDATE t1 SET b = b * 2 WHERE a >= {n * 10} AND a < {n * 10 + 10};"
        for n in range(many(1_000))
    )


def _number_updates(chance: random.Random, many: _Many) -> _Statements:
    yield from _in_one(
        f"UPDATE t2 SET b = {chance.randrange(500_000)} WHERE a = {n};"
        for n in range(1, many(25_000) + 1)
    )


def _text_updates(chance: random.Random, many: _Many) -> _Statements:
    yield from _in_one(
        f"UPDATE t2 SET c = '{_in_words(chance.randrange(500_000))}' WHERE a = {n};"
        for n in range(1, many(25_000) + 1)
    )


def _copies(_chance: random.Random, _many: _Many) -> _Statements:
    yield "BEGIN;"
    yield "INSERT INTO t1 SELECT b, a, c FROM t2;"
    yield "INSERT INTO t2 SELECT b, a, c FROM t1;"
    yield "COMMIT;"


def _delete_likes(_chance: random.Random, _many: _Many) -> _Statements:
    yield "DELETE FROM t2 WHERE c LIKE '%fifty%';"


def _delete_range(_chance: random.Random, _many: _Many) -> _Statements:
    yield "DELETE FROM t2 WHERE a > 10 AND a < 20000;"


def _copy_back(_chance: random.Random, _many: _Many) -> _Statements:
    yield "INSERT INTO t2 SELECT * FROM t1;"


def _refill(chance: random.Random, many: _Many) -> _Statements:
    rows = _inserts(chance, "t1", many(12_000), 100_000)
    yield from _in_one(iter(["DELETE FROM t1;", *rows]))


def _drops(_chance: random.Random, _many: _Many) -> _Statements:
    for name in ("t1", "t2", "t3"):
        yield f"DROP TABLE {name};"


_TESTS: Sequence[tuple[str, Sequence[str], _Write]] = (
    ("1,000 INSERTs, a commit each", ["t1"], _commits),
    ("25,000 INSERTs in a transaction", ["t2"], _bulk),
    ("25,000 INSERTs into an indexed table", ["t3"], _bulk_indexed),
    ("100 SELECTs without an index", [], _ranges),
    ("100 SELECTs by LIKE", [], _likes),
    ("two CREATE INDEX", [], _indexes),
    ("5,000 SELECTs with an index", [], _indexed_ranges),
    ("1,000 UPDATEs without an index", [], _range_updates),
    ("25,000 UPDATEs of a number", [], _number_updates),
    ("25,000 UPDATEs of a text", [], _text_updates),
    ("INSERTs from a SELECT", [], _copies),
    ("DELETE by LIKE", [], _delete_likes),
    ("DELETE of a range by index", [], _delete_range),
    ("a big INSERT after a big DELETE", [], _copy_back),
    ("a big DELETE and 12,000 INSERTs", [], _refill),
    ("three DROP TABLE", [], _drops),
)

TITLES = tuple(title for title, _, _ in _TESTS)
"""Of the 16, in order."""

# What the tests that only read have found, asked for again by its sums.
_READS: dict[int, list[str]] = {
    4: ["SELECT count(*) AS n, sum(b) AS b FROM t2 WHERE b >= 900 AND b < 1900"],
    5: ["SELECT count(*) AS n, sum(b) AS b FROM t2 WHERE c LIKE '%twenty one%'"],
    7: ["SELECT count(*) AS n, sum(b) AS b FROM t2 WHERE b >= 4000 AND b < 4100"],
}
