"""A file that is no backup is refused with its reason, and nothing changes.

All files go into one tab with one conversation, one after the other.
"""

import os
import random
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.workbench import Workbench

DATA = Path(__file__).parents[1] / "data"

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452")


def _empty(_path: Path) -> None:
    """0 bytes, as an interrupted download leaves it."""


def _picture(path: Path) -> None:
    path.write_bytes(PNG + bytes(5000))


def _random(path: Path) -> None:
    path.write_bytes(random.Random(7).randbytes(100_000))  # noqa: S311  # a file


def _truncated(path: Path) -> None:
    whole = (DATA / "original-seed-schema.db").read_bytes()
    path.write_bytes(whole[: len(whole) // 2 + 100])


def _damaged(path: Path) -> None:
    whole = bytearray((DATA / "original-seed-schema.db").read_bytes())
    for offset in range(4096, len(whole), 4096):
        whole[offset : offset + 64] = b"\xff" * 64
    path.write_bytes(whole)


def _two_gigabytes(path: Path) -> None:
    """Sparse: it begins as a database and takes no room on the disk."""
    path.write_bytes((DATA / "original-seed-schema.db").read_bytes()[:4096])
    os.truncate(path, 2 * 1024**3)


def _browser_history(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT);"
            "CREATE TABLE moz_bookmarks (id INTEGER PRIMARY KEY, fk INTEGER);"
            "INSERT INTO moz_places (url) VALUES ('https://example.org/');"
        )


def _newer_schema(path: Path) -> None:
    path.write_bytes((DATA / "original-seed-schema.db").read_bytes())
    with closing(sqlite3.connect(path)) as db:
        # Ours from the future: the log of migrations names the program.
        db.executescript(
            "CREATE TABLE schema_migration (version INTEGER PRIMARY KEY,"
            " name TEXT, checksum TEXT, applied_at INTEGER);"
            "PRAGMA user_version = 999"
        )


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty.db": (_empty, "0 bytes|empty"),
    "picture.db": (_picture, "not a readable SQLite database"),
    "random.db": (_random, "not a readable SQLite database"),
    "truncated.db": (_truncated, r"ends after [\d,]+ of [\d,]+ bytes"),
    "damaged.db": (_damaged, "damaged|not a readable"),
    "huge.db": (_two_gigabytes, r"MB; a browser can take"),
    "history.db": (_browser_history, "another program.*moz_"),
    "newer.db": (_newer_schema, "schema version 999"),
}


@pytest.fixture
def bench(shared_workbench):
    """The tab with its one conversation."""
    shared_workbench.leave_dialogs()
    if shared_workbench.conversation("What was here before").count() == 0:
        shared_workbench.converse("What was here before")
    return shared_workbench


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused_and_nothing_changes(bench, tmp_path, name):
    """The dialog names the reason; what was there stays, with no restore point."""
    make, reason = FILES[name]
    file = tmp_path / name
    file.touch()
    make(file)

    bench.pick(file)

    dialog = bench.page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("This file cannot be imported")
    expect(dialog).to_contain_text(re.compile(reason))
    expect(dialog.get_by_role("button", name="Import", exact=True)).to_be_hidden()
    dialog.get_by_role("button", name="Close").click()
    expect(bench.conversations.get_by_role("link")).to_have_count(1)
    expect(bench.conversation("What was here before")).to_be_visible()
    expect(bench.page.get_by_role("heading", name="Restore points")).to_be_hidden()


@pytest.mark.parametrize("mode", ["Merge", "Replace"])
def test_a_program_in_a_backup_is_named_and_never_runs(bench, tmp_path, mode):
    """A trigger that would delete everything, and a view, are left out."""
    file = tmp_path / "program.db"
    bench.download_backup().save_as(file)
    with closing(sqlite3.connect(file)) as db:
        db.executescript(
            "CREATE VIEW everything AS SELECT * FROM conversation_events;"
            "CREATE TRIGGER evil AFTER INSERT ON telemetry"
            " BEGIN DELETE FROM conversations; END;"
        )

    bench.pick(file)
    dialog = bench.page.get_by_role("dialog")
    expect(dialog).to_contain_text("trigger evil is left out; it never runs")
    expect(dialog).to_contain_text("view everything is left out; it never runs")
    dialog.get_by_role("radio", name=mode).check()
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_role("heading")).to_have_text("Imported")
    dialog.get_by_role("button", name="Close").click()
    bench.conversation("What was here before").click()
    bench.converse("This writes telemetry, too")

    expect(bench.conversations.get_by_role("link")).to_have_count(1)
    bench.download_backup().save_as(file)
    with closing(sqlite3.connect(file)) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
    assert names.isdisjoint({"evil", "everything"})


def test_text_that_is_not_utf_8_comes_in_and_is_named(context, open_app, tmp_path):
    """What cannot be read as text is replaced, and the report says so."""
    file = tmp_path / "bytes.db"
    file.write_bytes((DATA / "original-seed-schema.db").read_bytes())
    with closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE sessions SET display_name = CAST(x'fffe41' AS TEXT)")
        db.commit()
    bench = Workbench(open_app(context))
    bench.expect_ready()

    bench.pick(file)
    dialog = bench.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Import", exact=True).click()

    expect(dialog.get_by_role("heading")).to_have_text("Imported")
    expect(dialog).to_contain_text(
        "25 texts of sessions.display_name are not valid UTF-8"
    )
    expect(dialog).to_contain_text("Sessions25 added")
