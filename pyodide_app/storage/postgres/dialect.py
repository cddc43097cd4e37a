"""SQL as SQLite has it, said as PostgreSQL has it. Pure.

Rule 1: what both understand goes through untouched. Only what differs is written
        anew: parameters, types of columns, generated ids, LIKE, a few words.
Rule 2: what cannot be said is refused by name; nothing is guessed. SQLite's
        functions on JSON exist on the server, see `schema`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyodide_app.errors import SqlError

__all__ = ["Translated", "split_script", "translate"]

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*"|(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag))
    |(?P<operator>::|@@|@>|<@)
    |(?P<parameter>\?\d*|[:@$]\w+)
    |(?P<end>;)
    |(?P<word>\w+)
    |(?P<space>\s+)
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_READS = frozenset({"SELECT", "WITH", "VALUES", "EXPLAIN", "SHOW", "TABLE"})
_CONTROL = {
    "BEGIN": "BEGIN",
    "START": "BEGIN",
    "COMMIT": "COMMIT",
    "END": "COMMIT",
    "ROLLBACK": "ROLLBACK",
    "SAVEPOINT": "SAVEPOINT",
    "RELEASE": "SAVEPOINT",
}
_OF_SQLITE = frozenset({"PRAGMA", "ATTACH", "DETACH", "REPLACE"})
_NAME = r'(?:"(?:[^"]|"")*"|\w+)'
_DEFINES = re.compile(
    rf"(CREATE|DROP|ALTER)\s+((?:TEMP|TEMPORARY)\s+)?TABLE\s+"
    rf"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?({_NAME}(?:\.{_NAME})?)\s*(.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_INSERTS = re.compile(rf"INSERT\s+INTO\s+({_NAME})\b", re.IGNORECASE)
_OPTIONS = re.compile(r"\s*(STRICT|WITHOUT\s+ROWID)\s*(,|\Z)", re.IGNORECASE)
_COLUMN = re.compile(rf"({_NAME})\s*(.*)\Z", re.DOTALL)
_RULES = re.compile(
    r"\b(CONSTRAINT|PRIMARY|NOT|NULL|UNIQUE|CHECK|DEFAULT|COLLATE|REFERENCES|"
    r"GENERATED|AS)\b",
    re.IGNORECASE,
)
_TABLE_RULES = re.compile(
    r"(CONSTRAINT|PRIMARY\s+KEY|UNIQUE\s*\(|CHECK\s*\(|FOREIGN\s+KEY)", re.IGNORECASE
)
_ROWID = re.compile(r"\bPRIMARY\s+KEY(\s+ASC)?(\s+AUTOINCREMENT)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Translated:
    """One statement for PostgreSQL.

    Attributes:
        sql: Its text, with ``$1`` … for parameters.
        names: Of the parameters, in that order; None for a plain ``?``.
        verb: Its first word.
        control: ``BEGIN``, ``COMMIT``, ``ROLLBACK``, ``SAVEPOINT`` or None.
        reads: True if it returns rows and can write none.
        writes_rows: True if it inserts, updates or deletes.
        defines: The table that it creates, alters or drops, unless temporary.
        inserts: The table that it inserts into, without quotes.
        rowid: The generated id of the table that it creates, or None.
        returns: True if it holds RETURNING.
    """

    sql: str
    names: tuple[str | None, ...]
    verb: str
    control: str | None
    reads: bool
    writes_rows: bool
    defines: str | None
    inserts: str | None
    rowid: str | None
    returns: bool


def split_script(script: str) -> Iterator[str]:
    """Yield the statements of *script*, without comments; none is empty."""
    parts: list[str] = []
    for kind, text in _tokens(script):
        if kind == "end":
            if statement := "".join(parts).strip():
                yield statement
            parts.clear()
        else:
            parts.append(" " if kind == "comment" else text)
    if statement := "".join(parts).strip():
        yield statement


def translate(sql: str, *, types: Mapping[str, str] | None = None) -> Translated:
    """Return one statement of SQLite as PostgreSQL runs it.

    Args:
        sql: Exactly one statement.
        types: Of columns that a CREATE TABLE leaves without one.

    Raises:
        SqlError: It is none, more than one, or PostgreSQL has nothing like it.
    """
    statements = list(split_script(sql))
    if not statements:
        reason = "there is no statement in the text"
        raise SqlError(reason, sql=sql)
    if len(statements) > 1:
        reason = "the text holds more than one statement; use exec()"
        raise SqlError(reason, sql=sql)
    [statement] = statements
    words = [text.upper() for kind, text in _tokens(statement) if kind == "word"]
    verb = words[0] if words else ""
    if verb in _OF_SQLITE or words[:3] == ["CREATE", "VIRTUAL", "TABLE"]:
        reason = f"{verb} is SQLite's own; PostgreSQL has nothing like it here"
        raise SqlError(reason, sql=sql)
    text, names = _with_numbers(statement)
    text = _in_other_words(text, words, sql)
    defined = _DEFINES.match(text)
    rowid = None
    if defined and defined[1].upper() == "CREATE":
        text, rowid = _create_table(defined, types or {}, sql)
    inserts = _INSERTS.match(text)
    writes = verb in _WRITES or (verb == "WITH" and not _WRITES.isdisjoint(words))
    return Translated(
        sql=text,
        names=names,
        verb=verb,
        control="SAVEPOINT" if words[:2] == ["ROLLBACK", "TO"] else _CONTROL.get(verb),
        reads=verb in _READS and not writes,
        writes_rows=writes,
        defines=_bare(defined[3]) if defined and not defined[2] else None,
        inserts=_bare(inserts[1]) if inserts else None,
        rowid=rowid,
        returns="RETURNING" in words,
    )


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    for found in _TOKEN.finditer(sql):
        kind = found.lastgroup or ""
        # The tag of a $tag$ … $tag$ is a group inside one that is quoted.
        yield ("quoted" if kind == "tag" else kind), found.group()


def _with_numbers(sql: str) -> tuple[str, tuple[str | None, ...]]:
    """Return *sql* with numbered parameters, and their names."""
    names: list[str | None] = []
    parts: list[str] = []
    for kind, text in _tokens(sql):
        if kind != "parameter":
            parts.append(text)
            continue
        name = text[1:] or None
        if name is None:
            names.append(None)
            number = len(names)
        elif text[0] == "?":
            number = int(name)
            names.extend([None] * (number - len(names)))
            names[number - 1] = name
        elif name in names:
            number = names.index(name) + 1
        else:
            names.append(name)
            number = len(names)
        parts.append(f"${number}")
    return "".join(parts), tuple(names)


def _in_other_words(sql: str, words: list[str], source: str) -> str:
    if words[:2] == ["INSERT", "OR"]:
        if words[2:3] != ["IGNORE"]:
            reason = f"INSERT OR {words[2]} is SQLite's own; use ON CONFLICT … DO"
            raise SqlError(reason, sql=source)
        head = re.compile(r"\bINSERT\s+OR\s+IGNORE\b", re.IGNORECASE)
        tail = re.compile(r"\sRETURNING\b.*\Z", re.IGNORECASE | re.DOTALL)
        sql = head.sub("INSERT", sql, count=1)
        ends = tail.search(sql)
        place = ends.start() if ends else len(sql)
        sql = f"{sql[:place]} ON CONFLICT DO NOTHING{sql[place:]}"
    if words[:1] == ["BEGIN"]:
        return "BEGIN"
    if "LIKE" not in words:
        return sql
    if "ESCAPE" not in words:
        # Without one, a backslash means itself in SQLite and escapes in PostgreSQL.
        reason = "LIKE needs an ESCAPE clause, so that it means the same everywhere"
        raise SqlError(reason, sql=source)
    return "".join(
        "ILIKE" if kind == "word" and text.upper() == "LIKE" else text
        for kind, text in _tokens(sql)
    )


def _create_table(
    defined: "re.Match[str]", types: Mapping[str, str], source: str
) -> tuple[str, str | None]:
    """Return a CREATE TABLE with PostgreSQL's types, and its generated id."""
    _, _, table, rest = defined.groups()
    head = defined.group()[: defined.start(4) - defined.start()]
    if not rest.startswith("("):
        return head + rest, None  # CREATE TABLE … AS
    items, after = _items(rest)
    rowid = None
    columns: list[str] = []
    for item in items:
        if _TABLE_RULES.match(item):
            columns.append(item)
            continue
        column = _COLUMN.match(item)
        if column is None:
            return head + rest, None
        name, about = column.groups()
        starts = _RULES.search(about)
        declared = about[: starts.start()] if starts else about
        rules = about[starts.start() :] if starts else ""
        is_integer = declared.strip().upper() == "INTEGER"
        if is_integer and _ROWID.search(rules):
            rowid = _bare(name)
            kind = "BIGINT GENERATED BY DEFAULT AS IDENTITY"
            rules = _ROWID.sub("PRIMARY KEY", rules)
        else:
            kind = _type_of(declared.strip() or types.get(_bare(name), ""))
        if not kind:
            reason = (
                f"the column {_bare(name)} of {_bare(table)} has no type; "
                "PostgreSQL needs one"
            )
            raise SqlError(reason, sql=source)
        columns.append(f"{name} {kind} {rules}".rstrip())
    while _OPTIONS.match(after):
        after = _OPTIONS.sub("", after, count=1)
    return f"{head}({', '.join(columns)}){after}", rowid


def _items(body: str) -> tuple[list[str], str]:
    """Return what stands between commas in the first parentheses, and the rest."""
    depth, place = 0, 0
    items: list[str] = []
    parts: list[str] = []
    for _, text in _tokens(body):
        place += len(text)
        if text == "(":
            depth += 1
            if depth == 1:
                continue
        elif text == ")":
            depth -= 1
            if depth == 0:
                break
        elif text == "," and depth == 1:
            items.append("".join(parts).strip())
            parts = []
            continue
        parts.append(text)
    return [*items, "".join(parts).strip()], body[place:]


def _type_of(declared: str) -> str:
    """Return the type that holds what SQLite's affinity of *declared* does.

    Source: https://sqlite.org/datatype3.html#determination_of_column_affinity
    """
    name = declared.upper()
    if "INTERVAL" in name or "POINT" in name:
        return declared
    if "INT" in name:
        return "BIGINT"
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return 'TEXT COLLATE "C"'
    if "BLOB" in name:
        return "BYTEA"
    if any(part in name for part in ("REAL", "FLOA", "DOUB")):
        return "DOUBLE PRECISION"
    return declared


def _bare(name: str) -> str:
    if name.startswith('"'):
        return name[1:-1].replace('""', '"')
    return name.lower()
