"""Files that somebody made to do harm, or that a bad disk made: by kind and number.

The same seed and number always give the same file. Each kind is one function that
takes a random source and returns the content of a file; its name is what it does.
"""

import functools
import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from pyodide_app.storage.engine import Engine
from pyodide_app.storage.migrations import migrate
from pyodide_app.storage.schema import MIGRATIONS

__all__ = ["KINDS", "hostile_file", "kind_of"]

_DATA = Path(__file__).parents[1] / "data"
_PAGE = 4096

_ORIGINALS = tuple(file.read_bytes() for file in sorted(_DATA.glob("original-*.db")))
_LARGEST = max(_ORIGINALS, key=len)

_DEVELOPERS = """
CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL,
    length INTEGER AS (length(text)), CHECK (length(text) < 1000));
CREATE TABLE tags (name TEXT PRIMARY KEY, note REFERENCES notes) WITHOUT ROWID;
CREATE INDEX notes_by_lower_text ON notes (lower(text)) WHERE id > 0;
INSERT INTO notes (text) VALUES ('milk'), ('bread'), ('a''b"c');
INSERT INTO tags VALUES ('shopping', 1), ('later', 2);
"""

_OURS = """
INSERT INTO conversations VALUES ('conversation-{n}', 'me', 'p-{n}', {n}, {n}, '{}');
INSERT INTO conversation_events VALUES ('a-{n}', 'conversation-{n}', 'user_message',
    '{"type":"user_message","text":"Question {n} of a walrus"}', {n});
INSERT INTO conversation_events VALUES ('b-{n}', 'conversation-{n}', 'final_response',
    '{"type":"final_response","finalResponseText":"Its answer."}', {n});
INSERT INTO sessions VALUES ('s-{n}', 'me', 'S', 'persona', 'p-{n}', {n}, {n}, '{}');
INSERT INTO personas VALUES ('p-{n}', 'P', 'A persona', '{}', {n}, {n});
INSERT INTO telemetry VALUES ('t-{n}', 's-{n}', 'token_usage', '{"totalTokens":1}', 1);
INSERT INTO workflows VALUES ('w-{n}', 'W', '{}', {n}, {n});
UPDATE schema_migration SET applied_at = 0;
"""

_OUR_TABLES = (
    *("conversations", "conversation_events", "sessions", "personas", "telemetry"),
    "workflows",
)

_EXPRESSIONS = (
    "instr(hex(zeroblob(49000)), hex(zeroblob(24000)) || 'b')",
    "replace(hex(zeroblob(49000)), hex(zeroblob(24000)) || 'b', 'c')",
    "hex(zeroblob(49000)) LIKE '%' || hex(zeroblob(24900)) || 'b'",
    "hex(zeroblob(49000)) GLOB '*' || hex(zeroblob(24900)) || 'b'",
    "trim(hex(zeroblob(49000)), hex(randomblob(20000)) || '0')",
    "zeroblob(2000000000)",
    "printf('%2000000000d', 1)",
    "replace(replace(hex(zeroblob(9000)), '0', hex(zeroblob(900))), '0', '000')",
    "abs(-9223372036854775807 - 1)",
    "json_extract('[[[', '$[0]')",
    "load_extension('evil')",
    "readfile('/etc/passwd')",
    "writefile('/tmp/evil', 'x')",
    "fts3_tokenizer('evil', x'00')",
    "no_such_function(1)",
    "random()",
    "randomblob(1)",
    "(SELECT count(*) FROM sqlite_master)",
    "lower('A')",
    "1",
    "NULL",
    " || ".join(["hex(zeroblob(9000))"] * 400),
    "-" * 2000 + "1",
)
"""What a definition may be made to compute."""

_TEXTS = (
    *("", "\0", "a\0b", "\ufeff", "\u202e", "\ud7ff", "'", '"', "%s{}${x}", "9" * 400),
    *("[" * 5000, '{"a":' * 3000, '{"a":1e999}', '{"a":NaN}', '"\\ud800"', "null"),
    *('{"title":{"x":[1]}}', '{"$":"blob","i":0}', '{"__proto__":{"x":1}}'),
)

_STRAYS = (
    *(None, 0, -1, 2**63 - 1, -(2**63), 1.5, float("inf"), b"", b"\xff\xfe\0", "1e3"),
    *("2026-01-01T00:00:00Z", "9999-99-99", "0x10"),
)


@functools.cache
def _own_export() -> bytes:
    """Return what we would export, with something in each table."""
    with Engine(":memory:") as engine:
        migrate(engine, MIGRATIONS)
        for n in range(8):
            engine.exec(_OURS.replace("{n}", str(n)))
        engine.exec(_DEVELOPERS)
        return engine.serialize()


def _base(rng: random.Random) -> bytes:
    """Return a sound file; the large one seldom, as it takes the most time."""
    own = _own_export()
    small = [file for file in _ORIGINALS if file is not _LARGEST]
    return rng.choice((own, own, *small, *small, *small, _LARGEST))


def _edited(rng: random.Random, script: str, base: bytes | None = None) -> bytes:
    """Return a file after SQL that may also write its schema, or fail in part."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.create_collation("evil", lambda a, b: (a > b) - (a < b))
        db.deserialize(base or _base(rng))
        db.execute("PRAGMA journal_mode = MEMORY")
        for statement in script.split(";;"):
            try:
                db.execute(statement)
            except (sqlite3.Error, ValueError, OverflowError):
                # The other schemas have other tables; what works is enough.
                continue
        return db.serialize()


def _written_schema(name: str, sql: str) -> str:
    """Return SQL that puts any text in the place of a definition."""
    text = sql.replace("'", "''")
    return (
        "PRAGMA writable_schema = ON;;"
        f"UPDATE sqlite_master SET sql = '{text}' WHERE name = '{name}'"
    )


def _pages_of(data: bytes | bytearray, *types: int) -> list[int]:
    """Return the offsets of the b-tree pages of those types."""
    return [at for at in range(_PAGE, len(data), _PAGE) if data[at] in types]


# Bytes ------------------------------------------------------------------------


def flipped_bits(rng: random.Random) -> bytes:
    data = bytearray(_base(rng))
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def changed_page_headers(rng: random.Random) -> bytes:
    """The first bytes of a page say what it is and where its cells lie."""
    data = bytearray(_base(rng))
    for _ in range(rng.choice((1, 2, 5))):
        start = rng.randrange(len(data) // _PAGE) * _PAGE
        at = start + (100 if start == 0 else 0) + rng.randrange(40)
        data[at] = rng.choice((0, 1, 2, 5, 10, 13, 127, 255, rng.randrange(256)))
    return bytes(data)


def changed_file_header(rng: random.Random) -> bytes:
    data = bytearray(_base(rng))
    for _ in range(rng.choice((1, 1, 3))):
        data[rng.randrange(16, 100)] = rng.randrange(256)
    return bytes(data)


def changed_schema_page(rng: random.Random) -> bytes:
    """The definitions stand on the first page."""
    data = bytearray(_base(rng))
    for _ in range(rng.choice((1, 2, 10))):
        data[rng.randrange(108, _PAGE)] = rng.choice(b"\0()'\",;xA1 \xff")
    return bytes(data)


def swapped_pages(rng: random.Random) -> bytes:
    data = bytearray(_base(rng))
    for _ in range(rng.choice((1, 2))):
        a, b = (rng.randrange(len(data) // _PAGE) * _PAGE for _ in range(2))
        data[a : a + _PAGE], data[b : b + _PAGE] = (
            data[b : b + _PAGE],
            data[a : a + _PAGE],
        )
    return bytes(data)


def foreign_pages(rng: random.Random) -> bytes:
    data, other = bytearray(_base(rng)), _base(rng)
    for _ in range(rng.choice((1, 3))):
        to, at = (rng.randrange(len(x) // _PAGE) * _PAGE for x in (data, other))
        data[to : to + _PAGE] = other[at : at + _PAGE]
    return bytes(data)


def spliced(rng: random.Random) -> bytes:
    """Bytes of one place stand in another, as after a bad copy."""
    data = bytearray(_base(rng))
    length = rng.randrange(1, 3 * _PAGE)
    to, at = (rng.randrange(len(data) - length) for _ in range(2))
    data[to : to + length] = data[at : at + length]
    return bytes(data)


def truncated(rng: random.Random) -> bytes:
    """Cut anywhere, or at a page, with a header that says so or not."""
    data = bytearray(_base(rng))
    end = rng.randrange(len(data))
    if rng.random() < 0.7:
        end -= end % _PAGE
    if rng.random() < 0.5:
        data[28:32] = (end // _PAGE).to_bytes(4, "big")
    return bytes(data[:end])


def grown(rng: random.Random) -> bytes:
    """More pages follow than belong to it, or fewer than it says."""
    data = bytearray(_base(rng))
    data += rng.randbytes(_PAGE * rng.randrange(1, 8))
    if rng.random() < 0.7:
        count = rng.choice((len(data) // _PAGE, 2**31 - 1, 2**32 - 1, 1))
        data[28:32] = count.to_bytes(4, "big")
    return bytes(data)


def noise_after_a_header(rng: random.Random) -> bytes:
    return _base(rng)[: rng.choice((16, 100, 200))] + rng.randbytes(2 * _PAGE)


def zeroed_pages(rng: random.Random) -> bytes:
    """As a disk leaves that lost some writes."""
    data = bytearray(_base(rng))
    for _ in range(rng.choice((1, 2, 5))):
        at = rng.randrange(1, len(data) // _PAGE) * _PAGE
        data[at : at + _PAGE] = rng.choice((b"\0", b"\xff")) * _PAGE
    return bytes(data)


def cyclic_trees(rng: random.Random) -> bytes:
    """A page has itself, its parent or its sister for a child."""
    data = bytearray(_LARGEST)
    inner = _pages_of(data, 2, 5)
    for _ in range(rng.choice((1, 2, 4))):
        at = rng.choice(inner)
        cells = int.from_bytes(data[at + 3 : at + 5], "big")
        places = [at + 8]
        for cell in range(cells):
            pointer = at + 12 + 2 * cell
            places.append(at + int.from_bytes(data[pointer : pointer + 2], "big"))
        place = rng.choice(places)
        child = rng.choice((at // _PAGE + 1, 1, rng.choice(inner) // _PAGE + 1))
        if rng.random() < 0.3:
            other = rng.choice(places)
            child = int.from_bytes(data[other : other + 4], "big")
        data[place : place + 4] = child.to_bytes(4, "big")
    return bytes(data)


def trees_that_multiply(rng: random.Random) -> bytes:
    """Each level names the next one in every cell: few pages, endless rows."""
    data = bytearray(_LARGEST)
    inner = _pages_of(data, 5)
    if len(inner) < 2:
        inner *= 2
    for at, below in zip(inner, inner[1:] + inner[:1], strict=True):
        cells = int.from_bytes(data[at + 3 : at + 5], "big")
        for cell in range(cells):
            pointer = at + 12 + 2 * cell
            place = at + int.from_bytes(data[pointer : pointer + 2], "big")
            if rng.random() < 0.9:
                data[place : place + 4] = (below // _PAGE + 1).to_bytes(4, "big")
    return bytes(data)


def changed_cells(rng: random.Random) -> bytes:
    """Lengths and types at the start of cells say more than there is."""
    data = bytearray(_base(rng))
    leaves = _pages_of(data, 10, 13)
    for _ in range(rng.choice((1, 3, 10))):
        at = rng.choice(leaves)
        cells = int.from_bytes(data[at + 3 : at + 5], "big")
        if cells == 0:
            continue
        pointer = at + 8 + 2 * rng.randrange(cells)
        start = at + int.from_bytes(data[pointer : pointer + 2], "big")
        length = rng.choice((1, 2, 9))
        value = rng.choice((b"\xff" * 9, b"\x81" * 9, rng.randbytes(9)))
        data[start : start + length] = value[:length]
    return bytes(data)


def overflowing_chains(rng: random.Random) -> bytes:
    """A value's pages go round in a circle, or into those of others."""
    script = "CREATE TABLE giants (id INTEGER PRIMARY KEY, value);;"
    script += "INSERT INTO giants VALUES (1, randomblob(200000)), (2, zeroblob(90000))"
    data = bytearray(_edited(rng, script))
    pages = len(data) // _PAGE
    for _ in range(rng.choice((1, 3))):
        at = rng.randrange(max(1, pages - 60), pages) * _PAGE
        data[at : at + 4] = rng.randrange(1, pages + 2).to_bytes(4, "big")
    return bytes(data)


def freelist_loops(rng: random.Random) -> bytes:
    script = "CREATE TABLE x (a);;INSERT INTO x VALUES (zeroblob(90000));;DROP TABLE x"
    data = bytearray(_edited(rng, script))
    first = int.from_bytes(data[32:36], "big")
    at = (first - 1) * _PAGE
    if 0 < at < len(data):
        data[at : at + 4] = rng.choice((first, 1, 2)).to_bytes(4, "big")
        leaves = rng.choice((2**31 - 1, 1022, 0))
        data[at + 4 : at + 8] = leaves.to_bytes(4, "big")
    data[36:40] = rng.choice((0, 1, 2**32 - 1)).to_bytes(4, "big")
    return bytes(data)


def other_formats(rng: random.Random) -> bytes:
    """Write-ahead log, autovacuum, other page sizes and encodings, reserved bytes."""
    data = bytearray(_base(rng))
    at, value = rng.choice(
        [(18, 2), (19, 2), (18, 3), (20, 32), (20, 255), (52, 1), (59, 2), (59, 3)]
    )
    data[at] = value
    if rng.random() < 0.5:
        data[16:18] = rng.choice((512, 1024, 8192, 1, 3)).to_bytes(2, "big")
    return bytes(data)


# Definitions --------------------------------------------------------------------


def triggers(rng: random.Random) -> bytes:
    table, target = rng.choice(_OUR_TABLES), rng.choice(_OUR_TABLES)
    when = rng.choice(("AFTER INSERT", "BEFORE INSERT", "BEFORE DELETE", "UPDATE"))
    action = rng.choice(
        (
            f"DELETE FROM {target}",
            "SELECT raise(ROLLBACK, 'no')",
            "SELECT raise(IGNORE)",
            f"INSERT INTO {target} SELECT * FROM {target}",
            f"SELECT {rng.choice(_EXPRESSIONS)}",
        )
    )
    name = rng.choice(("evil", "conversation_events_after_insert"))
    return _edited(
        rng,
        f"DROP TRIGGER IF EXISTS {name};;"
        f"CREATE TRIGGER {name} {when} ON {table} BEGIN {action}; END",
    )


def views(rng: random.Random) -> bytes:
    """Of the name of a table of ours, of each other, or of themselves."""
    table = rng.choice(_OUR_TABLES)
    steps = [f"DROP TABLE {table}"] if rng.random() < 0.5 else []
    name = table if steps else "evil"
    steps.append(f"CREATE VIEW {name} AS SELECT {rng.choice(_EXPRESSIONS)} AS id")
    count = rng.randrange(20)
    steps.append("CREATE VIEW v0 AS SELECT 1 AS x")
    steps += [
        f"CREATE VIEW v{n} AS SELECT a.x FROM v{n - 1} AS a, v{n - 1} AS b"
        for n in range(1, count)
    ]
    if rng.random() < 0.3:
        own = f"CREATE VIEW {name} AS SELECT * FROM {name}"
        steps.append(_written_schema(name, own))
    return _edited(rng, ";;".join(steps))


def virtual_tables(rng: random.Random) -> bytes:
    """Of modules that exist and that do not, under names of ours too."""
    name = rng.choice(("evil", "message_search", *_OUR_TABLES))
    module = rng.choice(
        (
            *("fts5 (text)", "fts5 (text, content = 'personas')", "rtree (a, b, c)"),
            *("fts4 (text)", "csv (filename = '/etc/passwd')", "dbstat", "no_such (x)"),
            *("fts5 (t, tokenize = 'evil')", "fts5vocab (message_search, row)"),
        )
    )
    text = f"CREATE VIRTUAL TABLE {name} USING {module}"
    written = f"INSERT INTO sqlite_master VALUES ('table', '{name}', '{name}', 0, '"
    written += text.replace("'", "''") + "')"
    if rng.random() < 0.5:
        return _edited(rng, f"DROP TABLE IF EXISTS {name};;{text}")
    steps = (f"DROP TABLE IF EXISTS {name}", "PRAGMA writable_schema = ON", written)
    return _edited(rng, ";;".join(steps))


def damaged_search(rng: random.Random) -> bytes:
    """SQLite's check does not look into what FTS5 keeps in its tables."""
    change = rng.choice(
        (
            "UPDATE message_search_data SET block = zeroblob(length(block))",
            "UPDATE message_search_data SET block = randomblob(length(block))",
            "UPDATE message_search_data SET block = x'ffffffffffffffff' WHERE id = 10",
            "UPDATE message_search_data SET id = id + 1 WHERE id > 10",
            "DELETE FROM message_search_idx",
            "UPDATE message_search_docsize SET sz = x'ffffffffff'",
            "UPDATE message_search_config SET v = 99",
            "DELETE FROM search_text WHERE rowid % 2",
        )
    )
    return _edited(rng, change, _own_export())


def _with_definition(rng: random.Random, sql: str, name: str = "evil") -> bytes:
    """Return a file with a table whose definition was written past SQLite."""
    row = f"INSERT INTO {name} (a) VALUES (1), (2), ('three')"
    return _edited(
        rng, f"CREATE TABLE {name} (a, b);;{row};;{_written_schema(name, sql)}"
    )


def generated_columns(rng: random.Random) -> bytes:
    how = rng.choice(("VIRTUAL", "STORED", ""))
    type = rng.choice(("", "TEXT NOT NULL", "INT"))
    expression = rng.choice(_EXPRESSIONS)
    return _with_definition(
        rng, f"CREATE TABLE evil (a, b {type} AS ({expression}) {how})"
    )


def checks(rng: random.Random) -> bytes:
    expression = rng.choice((*_EXPRESSIONS, "0", "a > b", "b IS a"))
    return _with_definition(rng, f"CREATE TABLE evil (a, b CHECK ({expression}))")


def defaults(rng: random.Random) -> bytes:
    expression = rng.choice((*_EXPRESSIONS, "CURRENT_TIMESTAMP"))
    return _with_definition(rng, f"CREATE TABLE evil (a, b, c DEFAULT ({expression}))")


def collations(rng: random.Random) -> bytes:
    table = rng.choice((*_OUR_TABLES, "mine"))
    return _edited(
        rng,
        "CREATE TABLE mine (id TEXT PRIMARY KEY COLLATE evil);;"
        "INSERT INTO mine VALUES ('a'), ('b');;"
        f"CREATE INDEX by_evil ON {table} (id COLLATE evil)",
    )


def expression_indexes(rng: random.Random) -> bytes:
    """Made over an empty table, and written past SQLite."""
    where = rng.choice(("", f" WHERE {rng.choice(_EXPRESSIONS)}"))
    unique = rng.choice(("", "UNIQUE "))
    table = rng.choice(("mine", *_OUR_TABLES))
    text = f"CREATE {unique}INDEX by_x ON {table} ({rng.choice(_EXPRESSIONS)}){where}"
    steps = (
        "CREATE TABLE mine (id, a)",
        "INSERT INTO mine VALUES (1, 2), (2, 3)",
        rng.choice((text, f"CREATE INDEX by_x ON {table} (id)")),
        _written_schema("by_x", text),
    )
    return _edited(rng, ";;".join(steps))


def slow_expressions(rng: random.Random) -> bytes:
    """Each row costs a little, and there are many."""
    text = rng.choice(
        (
            "length(hex(zeroblob(9000 + id)))",
            "instr(hex(zeroblob(2000)), hex(zeroblob(900)) || 'b' || id)",
            "hex(zeroblob(2000)) LIKE '%' || hex(zeroblob(400)) || 'b' || id",
            "json_patch(json_array(id), '[1]')",
        )
    )
    rows = rng.choice((100, 20_000))
    return _edited(
        rng,
        "CREATE TABLE slow (id INTEGER PRIMARY KEY);;"
        "WITH RECURSIVE n (v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n "
        f"LIMIT {rows}) INSERT INTO slow SELECT v FROM n;;"
        "CREATE INDEX by_x ON slow (id);;" + _written_schema("by_x", "CREATE INDEX "
        f"by_x ON slow ({text})"),
        _ORIGINALS[0],
    )  # fmt: skip


def meddling_references(rng: random.Random) -> bytes:
    """Foreign keys that do not fit, or forbid to delete."""
    table = rng.choice(_OUR_TABLES)
    column = rng.choice(("id", "metadata", "no_such", ""))
    action = rng.choice(("CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT"))
    target = f"{table} ({column})" if column else table
    return _edited(
        rng,
        f"CREATE TABLE evil (a, b REFERENCES {target} ON DELETE {action});;"
        f"INSERT INTO evil VALUES (1, 1), (2, 'conversation-1')",
    )


def lying_schemas(rng: random.Random) -> bytes:
    """Rows of the schema that do not say what they are."""
    change = rng.choice(
        (
            "type = 'table' WHERE type IN ('trigger', 'view', 'index')",
            "type = 'index' WHERE name = 'conversations'",
            "name = 'harmless' WHERE name = 'extra'",
            "tbl_name = 'personas' WHERE name = 'by_a'",
            "sql = 'CREATE TABLE extra (a); DELETE FROM sessions' WHERE name = 'extra'",
            "sql = 'CREATE TABLE extra AS SELECT 1' WHERE name = 'extra'",
            "sql = 'CREATE/**/TABLE extra (a)' WHERE name = 'extra'",
            "sql = 'CREATE TEMP TABLE extra (a)' WHERE name = 'extra'",
            "sql = 'CREATE TABLE temp.extra (a)' WHERE name = 'extra'",
            "sql = 'CREATE TABLE sqlite_x (a)' WHERE name = 'extra'",
            "sql = replace(sql, 'extra', 'conversations') WHERE name = 'extra'",
            "sql = replace(sql, 'TEXT', 'BLOB') WHERE name = 'conversations'",
            "sql = replace(sql, 'PRIMARY KEY', '') WHERE name = 'conversations'",
            "sql = NULL WHERE name = 'extra'",
            "sql = x'ff' || sql WHERE name = 'extra'",
            "sql = sql || char(0) || 'x' WHERE name = 'extra'",
            "rootpage = 1 WHERE name = 'extra'",
            "rootpage = 0 WHERE name = 'conversations'",
            "rootpage = (SELECT max(rootpage) FROM sqlite_master) WHERE name = 'extra'",
            f"rootpage = {rng.randrange(-2, 500)} WHERE name = 'conversations'",
            "name = 'sqlite_sequence', tbl_name = 'sqlite_sequence' "
            "WHERE name = 'extra'",
        )
    )
    return _edited(
        rng,
        "CREATE TABLE extra (a);;INSERT INTO extra VALUES (1);;"
        "CREATE INDEX by_a ON extra (a);;CREATE VIEW v AS SELECT 1 AS x;;"
        "CREATE TRIGGER t AFTER INSERT ON extra BEGIN DELETE FROM personas; END;;"
        f"PRAGMA writable_schema = ON;;UPDATE sqlite_master SET {change}",
    )


def strange_names(rng: random.Random) -> bytes:
    name = rng.choice(
        (
            *('a"b', "a'b", "a]b", "a`b", "a;b", "--", "a\nb", "\u202ea", "x" * 5000),
            *("select", "main.x", "sqlite", "message_search_x", "rowid", "{n}", "%s"),
        )
    ).replace('"', '""')
    return _edited(
        rng,
        f'CREATE TABLE "{name}" ("{name}" DEFAULT 1, "rowid", "ROWID ");;'
        f'INSERT INTO "{name}" VALUES (1, 2, 3);;'
        f'CREATE INDEX "{name}_i" ON "{name}" ("{name}")',
    )


def many_objects(rng: random.Random) -> bytes:
    columns = ", ".join(f"c{n}" for n in range(rng.choice((1, 100, 1999))))
    tables = [
        f"CREATE TABLE t{n} ({columns if n == 0 else 'a'})"
        for n in range(rng.choice((10, 300)))
    ]
    indexes = [f"CREATE INDEX i{n} ON t0 (c0)" for n in range(rng.choice((0, 60)))]
    return _edited(rng, ";;".join(("BEGIN", *tables, *indexes, "COMMIT")))


def lying_versions(rng: random.Random) -> bytes:
    """The marks by which we know our own are wrong, missing or from the future."""
    value = rng.choice(("-1", "0", "999", "2147483647", "NULL", "'x'", "x'00'", "1.5"))
    change = rng.choice(
        (
            f"PRAGMA user_version = {value}",
            f"UPDATE schema_migration SET version = {value}",
            "DELETE FROM schema_migration",
            "DROP TABLE schema_migration",
            "UPDATE schema_migration SET checksum = 'x'",
            "PRAGMA application_id = -1",
            "DROP TABLE conversations",
            "ALTER TABLE conversations RENAME COLUMN metadata TO other",
        )
    )
    return _edited(rng, change, rng.choice((_own_export(), _base(rng))))


# Rows -----------------------------------------------------------------------------


def _with_rows(rng: random.Random, values: Callable[[], object]) -> bytes:
    """Return a file in whose rows some fields hold what *values* gives."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.deserialize(_base(rng))
        db.execute("PRAGMA ignore_check_constraints = ON")
        found = db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE "
            "'sqlite%' AND name NOT LIKE 'message_search%' AND sql LIKE 'CREATE TABLE%'"
        )
        names = [name for (name,) in found]
        for name in rng.sample(names, min(3, len(names))):
            columns = db.execute(f"PRAGMA table_info({name})").fetchall()
            for _ in range(rng.choice((1, 2, 4))):
                column = rng.choice(columns)[1]
                sql = f"UPDATE OR IGNORE {name} SET {column} = ? WHERE rowid % 3 < ?"
                try:
                    db.execute(sql, (values(), rng.choice((1, 2, 3))))
                except sqlite3.Error:
                    continue
        return db.serialize()


def wrong_types(rng: random.Random) -> bytes:
    return _with_rows(rng, lambda: rng.choice(_STRAYS))


def strange_texts(rng: random.Random) -> bytes:
    """Deep JSON, no JSON, no text, and text that others take for code."""
    return _with_rows(rng, lambda: rng.choice(_TEXTS))


def texts_that_are_none(rng: random.Random) -> bytes:
    table = rng.choice((*_OUR_TABLES, "conversation_messages", "messages"))
    column = rng.choice(("id", "metadata", "event_data", "content", "display_name"))
    raw = rng.choice(("fffe41", "c0af", "eda080", "f8888080", "61ff62"))
    change = f"UPDATE OR IGNORE {table} SET {column} = CAST(x'{raw}' AS TEXT)"
    return _edited(rng, f"PRAGMA ignore_check_constraints = ON;;{change}")


def giant_cells(rng: random.Random) -> bytes:
    size = rng.choice((10_000, 1_000_000, 3_000_000))
    make = rng.choice(
        (
            f"zeroblob({size})",
            f"hex(zeroblob({size // 2}))",
            f"'{{\"text\":\"' || hex(zeroblob({size // 2})) || '\"}}'",
            f"replace(hex(zeroblob({size // 4})), '00', '[')",
        )
    )
    table = rng.choice(("conversation_events", "personas", "sessions", "mine"))
    column = {"conversation_events": "event_data", "sessions": "metadata"}.get(
        table, "definition"
    )
    where = f"WHERE rowid = (SELECT min(rowid) FROM {table})"
    return _edited(
        rng,
        "CREATE TABLE mine (definition);;INSERT INTO mine VALUES (1);;"
        "CREATE INDEX by_definition ON mine (definition);;"
        f"UPDATE {table} SET {column} = {make} {where}",
    )


def endless_json(rng: random.Random) -> bytes:
    """JSON as deep or as wide as it goes."""
    deep = rng.choice((100, 999, 1001, 100_000))
    wide = {f"k{n}": n for n in range(rng.choice((10, 20_000)))}
    nested = '{"text":' + "[" * deep + "]" * deep + "}"
    text = rng.choice((nested, nested[:-2], json.dumps(wide), "9" * 5000))
    table, column = rng.choice(
        (("conversation_events", "event_data"), ("sessions", "metadata"))
    )
    return _edited(
        rng,
        "PRAGMA ignore_check_constraints = ON;;"
        f"UPDATE {table} SET {column} = '{text}' WHERE rowid % 50 = 0",
    )


def other_text_encodings(rng: random.Random) -> bytes:
    """The rows of a small file in UTF-16, with halves of surrogate pairs."""
    order = rng.choice(("UTF-16le", "UTF-16be"))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute(f"PRAGMA encoding = '{order}'")
        db.execute(f"PRAGMA page_size = {rng.choice((512, 4096, 65536))}")
        db.execute("PRAGMA user_version = 0")
        with closing(sqlite3.connect(":memory:")) as base:
            base.deserialize(_ORIGINALS[0])
            db.executescript("".join(base.iterdump()))
        raw = rng.choice(("00d8", "d800", "ff", "410042"))
        db.execute(f"UPDATE conversations SET user_id = CAST(x'{raw}' AS TEXT)")
        return db.serialize()


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    *(flipped_bits, changed_page_headers, changed_file_header, changed_schema_page),
    *(swapped_pages, foreign_pages, spliced, truncated, grown, noise_after_a_header),
    *(zeroed_pages, cyclic_trees, trees_that_multiply, changed_cells),
    *(overflowing_chains, freelist_loops, other_formats),
    *(triggers, views, virtual_tables, damaged_search, generated_columns, checks),
    *(defaults, collations, expression_indexes, slow_expressions),
    *(meddling_references, lying_schemas, strange_names, many_objects),
    *(lying_versions, wrong_types, strange_texts, texts_that_are_none, giant_cells),
    *(endless_json, other_text_encodings),
)


def kind_of(number: int) -> str:
    """Return what is done to make the file of that number."""
    return KINDS[number % len(KINDS)].__name__


def hostile_file(seed: int, number: int) -> bytes:
    """Return the content of one file."""
    rng = random.Random(f"{seed}:{number}")  # noqa: S311 (to repeat, not to hide)
    return KINDS[number % len(KINDS)](rng)
