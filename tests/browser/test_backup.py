"""A backup leaves one browser and comes back in another."""

import base64
import re
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.workbench import Workbench

DATA = Path(__file__).parents[1] / "data"

# What the files of the original hold: tests/data and its README.
ORIGINALS = {
    "original-seed-schema.db": {
        "Conversations": "60",
        "Events": "1,758",
        "Sessions": "25",
        "Personas": "3",
        "Telemetry rows": "300",
        "Workflows": "1",
    },
    "original-agentos-storage.db": {"Conversations": "20", "Messages": "200"},
    "original-agentos-runtime.db": {"Conversations": "15", "Messages": "180"},
}

# The columns of the original's six tables.
COLUMNS = {
    "conversations": "id user_id persona_id created_at updated_at metadata",
    "conversation_events": "id conversation_id event_type event_data timestamp",
    "sessions": "id user_id display_name target_type target_id created_at updated_at"
    " metadata",
    "personas": "id display_name description definition created_at updated_at",
    "telemetry": "id session_id event_type event_data timestamp",
    "workflows": "id name definition created_at updated_at",
}

DROP = """([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name));
  const target = document.querySelector('main');
  for (const type of ['dragenter', 'dragover', 'drop']) {
    target.dispatchEvent(
      new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }),
    );
  }
}"""


def drop(page, file: Path) -> None:
    """Drop *file* on the page, as the mouse would."""
    content = base64.b64encode(file.read_bytes()).decode()
    page.evaluate(DROP, [file.name, content])


def rows(file: Path, sql: str) -> list[tuple]:
    """Ask the native SQLite."""
    with closing(sqlite3.connect(file)) as db:
        return db.execute(sql).fetchall()


@pytest.fixture(scope="module")
def backup(shared_workbench, tmp_path_factory) -> Path:
    """A backup with two conversations, downloaded from another browser."""
    shared_workbench.converse("The first question, mit Umlaut: ärgerlich 🚲")
    shared_workbench.start_another()
    shared_workbench.converse("The second question")
    file = tmp_path_factory.mktemp("backup") / "agentos-backup.db"
    shared_workbench.download_backup().save_as(file)
    return file


@pytest.fixture
def other(new_context, open_app) -> Workbench:
    """A fresh profile with one conversation of its own."""
    context = new_context()
    context.set_default_timeout(60_000)
    bench = Workbench(open_app(context))
    bench.expect_ready()
    bench.converse("What was here before")
    return bench


def test_a_backup_made_offline_opens_in_native_sqlite(
    context, open_app, app_server, tmp_path, faults
):
    """Its name has the date; tables, columns and every message are there."""
    faults.allow("ERR_CONNECTION")
    bench = Workbench(open_app(context))
    bench.expect_ready()
    expect(bench.page.locator("#facts")).to_contain_text("Works offlineready")
    app_server.stop()
    bench.converse("Remember the milk 🥛")
    answer = bench.answers.locator(".markdown").inner_text()

    download = bench.download_backup()
    file = tmp_path / "backup.db"
    download.save_as(file)

    assert download.suggested_filename == f"agentos-{date.today():%Y-%m-%d}.db"
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]
    for table, columns in COLUMNS.items():
        found = [row[1] for row in rows(file, f"PRAGMA table_info({table})")]
        assert found == columns.split()
    said = rows(
        file,
        "SELECT event_data ->> 'text' FROM conversation_events"
        " WHERE event_type = 'user_message'",
    )
    assert said == [("Remember the milk 🥛",)]
    answers = rows(
        file,
        "SELECT event_data ->> 'finalResponseText' FROM conversation_events"
        " WHERE event_type = 'final_response'",
    )
    assert len(answers) == 1
    assert answer.split("\n")[0][:20] in answers[0][0]


def test_a_dropped_backup_replaces_and_can_be_undone(backup, other):
    """Preview, replace, everything there; undo brings back what was before."""
    page = other.page

    drop(page, backup)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Import agentos-backup.db?")
    expect(dialog).to_contain_text("Conversations2")
    expect(other.conversation("What was here before")).to_have_count(1)
    dialog.get_by_role("radio", name="Replace").check()
    dialog.get_by_role("button", name="Import").click()
    expect(dialog.get_by_role("heading")).to_have_text("Imported")
    dialog.get_by_role("button", name="Close").click()

    expect(other.conversation("What was here before")).to_have_count(0)
    other.conversation("The first question").click()
    expect(other.questions).to_have_text(re.compile("mit Umlaut: ärgerlich 🚲"))
    expect(other.answers).to_have_count(1)

    page.get_by_role("button", name=re.compile("^Restore the state of")).click()
    page.get_by_role("alertdialog").get_by_role("button", name="Restore").click()
    expect(other.conversation("What was here before")).to_be_visible()
    expect(other.conversation("The first question")).to_have_count(0)


def test_undo_stands_in_the_dialog_that_replaced(backup, other):
    """One click right after the import brings the state before back."""
    page = other.page
    drop(page, backup)
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("radio", name="Replace").check()
    dialog.get_by_role("button", name="Import").click()

    dialog.get_by_role("button", name="Undo").click()

    expect(other.conversation("What was here before")).to_be_visible()
    expect(other.conversation("The first question")).to_have_count(0)
    page.reload()
    other.expect_ready()
    expect(other.conversation("What was here before")).to_be_visible()


def test_merging_twice_adds_nothing_the_second_time(backup, other):
    """Merge keeps what is here, adds what is not, and knows what it added."""
    for outcome in (re.compile("2 added"), re.compile("already here|none")):
        other.pick(backup)
        dialog = other.page.get_by_role("dialog")
        expect(dialog.get_by_role("radio", name="Merge")).to_be_checked()
        dialog.get_by_role("button", name="Import").click()
        expect(dialog.get_by_role("heading")).to_have_text("Imported")
        expect(dialog).to_contain_text(outcome)
        dialog.get_by_role("button", name="Close").click()

    expect(other.conversation("What was here before")).to_have_count(1)
    expect(other.conversation("The first question")).to_have_count(1)
    expect(other.conversation("The second question")).to_have_count(1)


def test_databases_of_the_original_are_taken_over(context, open_app, tmp_path):
    """Each of its three schemas is previewed with its counts, and merged."""
    bench = Workbench(open_app(context))
    bench.expect_ready()

    for name, counts in ORIGINALS.items():
        bench.pick(DATA / name)
        dialog = bench.page.get_by_role("dialog")
        expect(dialog.get_by_role("heading")).to_have_text(f"Import {name}?")
        for what, count in counts.items():
            expect(dialog).to_contain_text(f"{what}{count}")
        dialog.get_by_role("button", name="Import").click()
        expect(dialog.get_by_role("heading")).to_have_text("Imported")
        dialog.get_by_role("button", name="Close").click()

    file = tmp_path / "backup.db"
    bench.download_backup().save_as(file)
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]
    assert rows(file, "SELECT count(*) FROM conversations") == [(60 + 20 + 15,)]
    assert rows(file, "SELECT count(*) FROM conversation_events")[0][0] >= (
        1758 + 200 + 180
    )
    assert rows(file, "SELECT count(*) FROM sessions") == [(25,)]
    assert rows(file, "SELECT count(*) FROM telemetry")[0][0] >= 300
    assert rows(file, "SELECT count(*) FROM workflows") == [(1,)]
