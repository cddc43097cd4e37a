"""SQLite's own benchmark, `speedtest1`, as an SQL script that every side can run.

No package has it ready. Its source is in Debian's source package of SQLite: that is
fetched by this machine's own apt, which checks it, compiled, and asked for its
script. All of it stays below ``build/``. A machine without apt or a C compiler
leaves this part out.
"""

import re
import shutil
import sqlite3
import tarfile
from pathlib import Path

from tests.benchmarks.sql_test import SqlTest
from tools.commands import run
from tools.project import BUILD, BuildError

__all__ = ["is_available", "speedtest1", "split_script"]

_FOLDER = BUILD / "speedtest1"
_SOURCES = _FOLDER / "sources"
_LISTS = _FOLDER / "lists"
_PROGRAM = _FOLDER / "speedtest1"

_BEGIN = re.compile(r"^-- begin test (\d+) (.*)$", re.MULTILINE)
# What each table holds afterwards. Other columns follow SQLite's random().
_CHECKS = [
    f"SELECT count(*) AS n, sum(a) AS a, sum(length(b)) AS b FROM {name}"
    for name in ("z1", "z2", "t3", "t4")
]


def is_available() -> bool:
    """True if this machine can fetch and compile it."""
    programs = ("apt-get", "cc")
    return all(shutil.which(name) for name in programs) and _has_header()


def speedtest1(size: int) -> list[SqlTest]:
    """Return its tests at *size*, 100 being its own default.

    Raises:
        BuildError: It could not be fetched or compiled; the output says why.
    """
    if not _PROGRAM.exists():
        _compile(_fetch())
    script, database = _FOLDER / "script.sql", _FOLDER / "native.db"
    for path in (script, database):
        path.unlink(missing_ok=True)
    options = ["--size", str(size), "--script", script, database]
    run([_PROGRAM, *options], cwd=_FOLDER)
    return split_script(script.read_text("utf-8"))


def split_script(script: str) -> list[SqlTest]:
    """Return the tests of *script*; after the last one the tables are compared."""
    _, *parts = _BEGIN.split(script)
    tests = [
        SqlTest(int(number), title, [statements], False, (), ())
        for number, title, statements in zip(
            parts[::3], parts[1::3], parts[2::3], strict=True
        )
    ]
    judge = sqlite3.connect(":memory:", isolation_level=None)
    judge.executescript(script)
    expected = [
        [value or 0 for value in judge.execute(check).fetchone()] for check in _CHECKS
    ]
    judge.close()
    last = tests[-1]
    tests[-1] = SqlTest(
        last.number, last.title, last.statements, False, _CHECKS, expected
    )
    return tests


def _has_header() -> bool:
    return any(Path("/usr").glob("include/sqlite3.h"))


def _fetch() -> Path:
    """Return the C file, from the archive that apt has verified."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _SOURCES.mkdir(parents=True)
    (_LISTS / "partial").mkdir(parents=True)
    _name_sources()
    apt = [
        "apt-get",
        *("-o", "Dir::Etc::sourcelist=/dev/null"),
        *("-o", f"Dir::Etc::sourceparts={_SOURCES}"),
        *("-o", f"Dir::State::lists={_LISTS}"),
    ]
    run([*apt, "update"], cwd=_FOLDER)
    run([*apt, "source", "--download-only", "sqlite3"], cwd=_FOLDER)
    for archive in sorted(_FOLDER.glob("sqlite3_*.orig.tar.*")):
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.name.endswith("/test/speedtest1.c"):
                    source = tar.extractfile(member)
                    assert source is not None
                    target = _FOLDER / "speedtest1.c"
                    target.write_bytes(source.read())
                    return target
    msg = "the source package of SQLite has no test/speedtest1.c"
    raise BuildError(msg)


def _name_sources() -> None:
    """Ask where packages come from for their sources, too; for this once."""
    etc = Path("/etc/apt")
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        text = re.sub(r"(?m)^Types:.*$", "Types: deb-src", path.read_text("utf-8"))
        (_SOURCES / path.name).write_text(text, "utf-8")
    for path in sorted((*etc.glob("sources.list"), *etc.glob("sources.list.d/*.list"))):
        text = re.sub(r"(?m)^deb\s", "deb-src ", path.read_text("utf-8"))
        name = f"{path.stem}.list"
        (_SOURCES / name).write_text(text, "utf-8")


def _compile(source: Path) -> None:
    run(["cc", "-O2", "-o", _PROGRAM, source, "-lsqlite3"], cwd=_FOLDER)
