"""Tables of a backup that are not ours: which can be made, and making them.

Rule 1: only CREATE TABLE and CREATE INDEX of a backup ever run, each alone, under
        an authorizer that allows nothing else. They are tried in memory first.
Rule 2: a definition may compute, in a CHECK, a DEFAULT, an index or a generated
        column, but only with functions that SQLite lets an untrusted schema use.
Rule 3: a definition cannot break ours: on a table of ours an index only sorts, as
        any other could refuse rows, and what refers to one must fit it.
Rule 4: what is left out is named.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from pyodide_app.errors import ConstraintError, SqlError
from pyodide_app.storage.backup.records import CONSUMED
from pyodide_app.storage.backup.report import BackupKind, Problems
from pyodide_app.storage.backup.source import SchemaObject, Source, in_time, normalized
from pyodide_app.storage.engine import Engine, quote_identifier
from pyodide_app.storage.migrations import migrate
from pyodide_app.storage.schema import MIGRATIONS

__all__ = ["ROWS_AT_A_TIME", "Plan", "carry", "made_by_us", "plan_all", "plan_others"]

ROWS_AT_A_TIME = 200
"""Between two moments in which other tasks may run."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a schema is taken over.

    Attributes:
        tables: In the order of the file.
        indexes: On those tables, or on ours.
        left_out: Everything else that is not ours, with the reason.
    """

    tables: tuple[SchemaObject, ...]
    indexes: tuple[SchemaObject, ...]
    left_out: tuple[tuple[SchemaObject, str], ...]

    def without_tables(self) -> "Plan":
        """Return a plan that takes over nothing."""
        reason = "is left out of a merge"
        rest = tuple((found, reason) for found in (*self.tables, *self.indexes))
        return Plan((), (), (*self.left_out, *rest))

    def tell(self, problems: Problems) -> None:
        """Name what is left out."""
        for found, reason in self.left_out:
            problems.add("left_out", f"the {found.type} {found.name} {reason}")


def plan_others(kind: BackupKind, source: Source, consumed: Collection[str]) -> Plan:
    """Return what to take over beside the tables that are read row by row."""
    with Engine(":memory:") as trial:
        migrate(trial, MIGRATIONS)
        names = {
            str(row["name"]) for row in trial.all("SELECT name FROM sqlite_schema")
        }

        def is_ours(found: SchemaObject) -> bool:
            if found.type == "table":
                return found.name in consumed
            if found.type == "index" and kind == "pyodide_app":
                return found.name in names
            # Indexes of the original have their like here.
            return found.type == "index" and found.table in consumed

        others = [
            found
            for found in source.objects
            if not made_by_us(found) and not is_ours(found)
        ]
        return _planned(others, source, trial)


def plan_all(source: Source) -> Plan:
    """Return what to take over of a whole schema, except what we made ourselves."""
    objects = [found for found in source.objects if not made_by_us(found)]
    with Engine(":memory:") as trial:
        for statement in _our_tables(source):
            trial.run(statement)
        return _planned(objects, source, trial)


def made_by_us(found: SchemaObject) -> bool:
    """Return whether an object is word for word one of our schema."""
    return normalized(found.sql) in _OURS


async def carry(
    plan: Plan,
    source: Source,
    engine: Engine,
    problems: Problems,
    copied: Callable[[int], None],
) -> None:
    """Make what was planned in *engine*, and copy its rows.

    Args:
        plan: What.
        source: Where from.
        engine: Where to.
        problems: Takes rows that could not be copied.
        copied: Told now and then how many more rows were copied.

    Raises:
        BackupDamagedError: What they compute fails, or takes too long.
    """
    with _as_they_are(engine), in_time(engine, source.size, "copying"):
        for table in plan.tables:
            _define(engine, table)
            with engine.transaction():
                rows = _copied_rows(engine, source, table.name, problems)
                for number, _ in enumerate(rows):
                    if number % ROWS_AT_A_TIME == 0:
                        copied(ROWS_AT_A_TIME)
                        await asyncio.sleep(0)
        for index in plan.indexes:
            try:
                _define(engine, index)
            except ConstraintError:
                reason = "is left out; rows break its rule"
                problems.add("left_out", f"the index {index.name} {reason}")
        _continue_sequences(engine, source, {table.name for table in plan.tables})


def _planned(objects: Collection[SchemaObject], source: Source, trial: Engine) -> Plan:
    tables: list[SchemaObject] = []
    indexes: list[SchemaObject] = []
    left_out: list[tuple[SchemaObject, str]] = []
    ours = trial.tables() & CONSUMED["pyodide_app"]
    for found in objects:
        name = found.name.lower()
        if name.startswith("sqlite_") or name in source.shadows:
            continue
        if found.type not in ("table", "index"):
            left_out.append((found, "is left out; it never runs"))
        elif found.type == "table" and found.name not in source.tables:
            left_out.append((found, "is left out; its definition makes another"))
        elif reason := _obstacle(found, trial, ours):
            left_out.append((found, f"is left out ({reason})"))
        elif found.type == "table":
            tables.append(found)
        else:
            indexes.append(found)
    return Plan(tuple(tables), tuple(indexes), tuple(left_out))


def _obstacle(found: SchemaObject, trial: Engine, ours: Collection[str]) -> str:
    """Return why a definition cannot be taken over, or nothing."""
    try:
        _define(trial, found)
    except SqlError as error:
        return str(error)
    try:
        # Compiled only: then SQLite says whether a function is one of those.
        name = quote_identifier(found.table)
        trial.check(f"INSERT INTO {name} DEFAULT VALUES")
        trial.check(f"SELECT * FROM {name}")
        _refuse_meddling(found, trial, ours)
    except SqlError as error:
        kind = "TABLE" if found.type == "table" else "INDEX"
        with contextlib.suppress(SqlError):
            trial.run(f"DROP {kind} {quote_identifier(found.name)}")
        return str(error)
    return ""


def _refuse_meddling(found: SchemaObject, trial: Engine, ours: Collection[str]) -> None:
    """Raise if writing to one of *ours* could fail because of *found*."""
    if found.type == "table":
        trial.run("PRAGMA foreign_keys = ON")
        try:
            for table in ours:
                trial.run(f"DELETE FROM {table}")
        finally:
            trial.run("PRAGMA foreign_keys = OFF")
        return
    index = trial.get(
        "SELECT tbl_name, [unique] OR partial OR -2 IN "
        "(SELECT cid FROM pragma_index_info(made.name)) AS decides "
        "FROM sqlite_schema AS made, pragma_index_list(tbl_name) AS listed "
        "WHERE made.name = listed.name AND made.name = ?",
        (found.name,),
    )
    if index and index["tbl_name"] in ours and index["decides"]:
        reason = f"it could refuse rows of {index['tbl_name']!s}"
        raise SqlError(reason)


def _define(engine: Engine, found: SchemaObject) -> None:
    with engine.only_definitions():
        engine.run(found.sql)


def _copied_rows(
    engine: Engine, source: Source, table: str, problems: Problems
) -> Iterator[None]:
    columns = source.tables[table]
    has_rowids = source.has_rowids(table)
    selected = ("rowid", *columns) if has_rowids else columns
    names = ", ".join(map(quote_identifier, selected))
    places = ", ".join("?" * len(selected))
    sql = f"INSERT INTO {quote_identifier(table)} ({names}) VALUES ({places})"
    for row in source.rows(table, with_rowid=has_rowids):
        try:
            engine.run(sql, tuple(row.values()))
        except ConstraintError:
            problems.add("left_out", f"{{n}} rows of {table} break its own rules")
        yield


@contextlib.contextmanager
def _as_they_are(engine: Engine) -> Iterator[None]:
    """Take rows as they are: what they were checked for was checked elsewhere."""
    engine.run("PRAGMA foreign_keys = OFF")
    engine.run("PRAGMA ignore_check_constraints = ON")
    try:
        yield
    finally:
        engine.run("PRAGMA ignore_check_constraints = OFF")
        engine.run("PRAGMA foreign_keys = ON")


def _continue_sequences(engine: Engine, source: Source, tables: set[str]) -> None:
    """Let AUTOINCREMENT go on where it was, so that no number comes again."""
    for table, number in source.sequences():
        if table in tables:
            # SQLite makes a row for a table when the first of its rows comes.
            row = (table, number)
            engine.run("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            engine.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", row)


def _our_tables(source: Source) -> Iterator[str]:
    """Yield those of our tables that are in *source*, so that indexes fit them."""
    for found in source.objects:
        if found.type == "table" and made_by_us(found):
            yield _OURS[normalized(found.sql)]


_OURS = {normalized(sql): sql for step in MIGRATIONS for sql in step.statements}
