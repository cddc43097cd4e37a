"""The browser takes away what is stored, or the space to store more.

Memory keeps everything: it is written again, and until then nobody is told that it
is durable.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.killing import kill_renderers
from tests.browser.profile import PersistentProfile
from tests.browser.writing import LOOK_AT_STORE, Writing, open_blank
from tests.reliability import Row

BeginRow = Callable[..., Row]
WaitUntil = Callable[..., object]

_DELETE_DATABASE = """async () => {
  const { databaseName, DEFAULT_VOLUME } = await import('/core/names.js');
  await new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(databaseName(DEFAULT_VOLUME));
    request.onsuccess = resolve;
    request.onerror = () => reject(request.error);
  });
}"""

_WRITE_ONE = """async () => {
  const { createAgentOSStorage } = await import('/client.js');
  const storage = await createAgentOSStorage({ durability: 'commit' });
  await storage.getAdapter().exec(`
    CREATE TABLE IF NOT EXISTS note (text); INSERT INTO note VALUES ('durable')`);
  const { n } = await storage.getAdapter().get('SELECT count(*) AS n FROM note');
  return [n, (await storage.status()).recovery.problems];
}"""

# The header of a record of 64 bytes without the record, as a kill leaves it.
_TORN = bytes.fromhex("11223344400001")

_IS_FULL = """commits.status().then(({ lastErrorCode, durableSeq, committedSeq }) =>
  lastErrorCode === 'quota_exceeded' && durableSeq < committedSeq)"""

_IS_DURABLE = """commits.status().then(({ lastErrorCode, durableSeq, committedSeq }) =>
  lastErrorCode === null && durableSeq === committedSeq)"""


@pytest.mark.parametrize("how", ["cleared by a person", "deleted by a script"])
def test_what_was_wiped_under_an_open_database_is_written_again(
    how: str,
    persistent_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
    reliability: BeginRow,
) -> None:
    """In full, and without a call that fails."""
    writing = Writing(reliability(f"site data {how} while it writes", mode="commit"))
    context = persistent_profile.launch()
    writing.listen(context)
    for _ in range(max(2, soak_count // 20)):
        page = open_blank(context, base_url)
        writing.check(page)
        writing.write(page, at_most_ms=500)
        before = page.evaluate(LOOK_AT_STORE)
        if how == "deleted by a script":
            page.evaluate(_DELETE_DATABASE)
        else:
            _clear_site_data(page, base_url)
        writing.goes_on(page)
        assert writing.stops(page) == "stopped"
        page.evaluate("commits.flush()")
        assert page.evaluate(LOOK_AT_STORE)["checkpoint"] > before["checkpoint"]
        writing.ends(how)
        _kill_tab(page, persistent_profile)
    writing.check(open_blank(context, base_url))
    writing.tell()


@pytest.mark.firefox
def test_what_was_wiped_in_firefox_is_written_again(
    firefox_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
    reliability: BeginRow,
) -> None:
    what = "site data deleted by a script while it writes"
    writing = Writing(reliability(what, mode="commit"))
    for _ in range(max(1, soak_count // 50)):
        context = firefox_profile.launch()
        writing.listen(context)
        page = open_blank(context, base_url)
        writing.check(page)
        writing.write(page, at_most_ms=500)
        page.evaluate(_DELETE_DATABASE)
        writing.goes_on(page)
        assert writing.stops(page) == "stopped"
        page.evaluate("commits.flush()")
        writing.ends("deleted by a script")
        firefox_profile.kill()
    writing.check(open_blank(firefox_profile.launch(), base_url))
    writing.tell()


def test_what_finds_no_space_stays_in_memory_and_is_written_later(
    persistent_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
    reliability: BeginRow,
    wait_until: WaitUntil,
) -> None:
    """The status says so at once, and writing resumes by itself."""
    writing = Writing(reliability("no space left while it writes", mode="batched"))
    context = persistent_profile.launch()
    writing.listen(context)
    for _ in range(max(2, soak_count // 20)):
        page = open_blank(context, base_url)
        writing.check(page)
        writing.write(page, at_most_ms=100)
        session = context.new_cdp_session(page)
        quota = {"origin": base_url, "quotaSize": 1}
        session.send("Storage.overrideQuotaForOrigin", quota)
        wait_until(page, _IS_FULL)
        writing.goes_on(page)
        assert writing.stops(page) == "stopped"
        assert page.evaluate(_IS_FULL)
        in_memory = page.evaluate("commits.check()")
        assert in_memory["problems"] == []
        assert in_memory["count"] == page.evaluate("commits.acknowledged")

        session.send("Storage.overrideQuotaForOrigin", {"origin": base_url})

        wait_until(page, _IS_DURABLE)
        writing.ends("space found", all_durable=True)
        _kill_tab(page, persistent_profile)
    writing.check(open_blank(context, base_url))
    writing.tell()


def test_a_store_that_the_browser_deleted_as_damaged_is_not_silently_empty(
    persistent_profile: PersistentProfile, base_url: str, tmp_path: Path
) -> None:
    """Chromium writes on behind a torn record, and finds that at the next start."""
    seen = []
    for _ in range(3):
        page = open_blank(persistent_profile.launch(), base_url)
        seen.append(page.evaluate(_WRITE_ONE))
        persistent_profile.close()
        if len(seen) == 1:
            logs = tmp_path.glob("profile/Default/IndexedDB/*.leveldb/*.log")
            with max(logs).open("ab") as log:
                log.write(_TORN)

    assert seen[:2] == [[1, []], [2, []]]
    count, problems = seen[2]
    assert count == 1
    assert "has deleted it" in problems[0]


def _clear_site_data(page: Page, url: str) -> None:
    session = page.context.new_cdp_session(page)
    what = {"origin": url, "storageTypes": "indexeddb"}
    session.send("Storage.clearDataForOrigin", what)
    session.detach()


def _kill_tab(page: Page, profile: PersistentProfile) -> None:
    """Nothing is written while it leaves."""
    with page.expect_event("crash"):
        assert kill_renderers(profile.group) > 0
    page.close()
