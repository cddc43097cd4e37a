"""What one SQL statement is, and what it writes, from what SQLite says of it.

SQLite calls its authorizer while it compiles a statement, once for each thing the
statement will do; triggers and foreign-key actions are compiled into it, so what
they write is told too. This module reads that; it never runs anything.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

__all__ = [
    "NO_EFFECT",
    "Action",
    "StatementInfo",
    "effects_of",
    "is_part_of_definition",
    "without_shadows",
]

Action = tuple[int, str | None, str | None, str | None]
"""Action code, its two arguments, and the schema (``main``, ``temp`` …)."""

# Source: https://sqlite.org/c3ref/c_alter_table.html
_CREATE_TABLE, _DROP_TABLE, _CREATE_VTABLE, _DROP_VTABLE = 2, 11, 29, 30
_DELETE, _INSERT, _UPDATE = 9, 18, 23
_PRAGMA, _READ, _SELECT, _FUNCTION, _RECURSIVE = 19, 20, 21, 31, 33
_TRANSACTION, _SAVEPOINT = 22, 32
_ALTER_TABLE = 26
_CREATE_INDEX, _REINDEX = 1, 27

_ROWS = frozenset({_DELETE, _INSERT, _UPDATE})
_WHOLE_TABLES = frozenset({_CREATE_TABLE, _DROP_TABLE, _CREATE_VTABLE, _DROP_VTABLE})
NO_EFFECT = frozenset({_PRAGMA, _READ, _SELECT, _FUNCTION, _RECURSIVE})
"""Codes of actions that are no more than reading."""

_SHADOW_SUFFIXES = ("_data", "_idx", "_content", "_docsize", "_config")
"""Tables that FTS5 keeps behind a table of its own.

Source: https://sqlite.org/fts5.html#fts5_data_structures
"""


@dataclass(frozen=True, slots=True)
class StatementInfo:
    """What is known of one SQL text.

    Attributes:
        tables: What it writes.
        writes: True if it can change the file.
        writes_rows: True if all it does is insert, update and delete.
        control: ``BEGIN``, ``COMMIT``, ``ROLLBACK``, ``SAVEPOINT`` (also for
            what releases one), or None.
        names: Of its parameters, without prefix; None for a plain ``?``.
        has_columns: True if it returns rows.
    """

    tables: frozenset[str]
    writes: bool
    writes_rows: bool
    control: str | None
    names: tuple[str | None, ...]
    has_columns: bool


def is_part_of_definition(action: int, first: str | None, schema: str | None) -> bool:
    """Return whether *action* is what CREATE TABLE or CREATE INDEX is made of."""
    if schema not in (None, "main"):
        return False
    if action in (_INSERT, _UPDATE):
        # A definition is a row of this table.
        return first in ("sqlite_master", "sqlite_schema")
    # Expressions read columns and call functions; without SELECT they query nothing.
    return action in (_CREATE_TABLE, _CREATE_INDEX, _REINDEX, _READ, _FUNCTION)


def effects_of(
    actions: Iterable[Action],
) -> tuple[frozenset[str], bool, str | None]:
    """Return the tables written, whether more than rows is, and the control word.

    Only the schema ``main`` counts: temporary tables are nobody else's business.
    """
    tables: set[str] = set()
    defines = False
    control: str | None = None
    for action, first, second, schema in actions:
        if action == _TRANSACTION:
            control = first
        elif action == _SAVEPOINT:
            control = "SAVEPOINT"
        elif action in _ROWS:
            # Writing sqlite_schema is how SQLite carries out a definition.
            if first and first.startswith("sqlite_"):
                defines = True
            elif first and schema == "main":
                tables.add(first)
        else:
            defines = True
            if action in _WHOLE_TABLES and first and schema == "main":
                tables.add(first)
            elif action == _ALTER_TABLE and second:
                tables.add(second)
    return without_shadows(tables), defines, control


def without_shadows(tables: AbstractSet[str]) -> frozenset[str]:
    """Return *tables* without those that FTS5 keeps behind one of them."""
    shadows = {table + suffix for table in tables for suffix in _SHADOW_SUFFIXES}
    return frozenset(tables - shadows)
