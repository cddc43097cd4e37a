"""SIGKILL of the browser in the middle of writing, again and again.

What must hold after each is in `writing.py`.
"""

from collections import Counter
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.killing import end_hosts, kill_renderers
from tests.browser.profile import PersistentProfile
from tests.browser.writing import LOOK_AT_STORE, Writing, open_blank
from tests.reliability import Row

BeginRow = Callable[..., Row]

# The host is a Worker of the page, which a script can end as a crash does.
_DEDICATED = """() => {
  delete globalThis.SharedWorker;
  globalThis.hosts = [];
  globalThis.Worker = class extends Worker {
    constructor(...args) {
      super(...args);
      hosts.push(this);
    }
  };
}"""

# Where the database is, beside what is promised.
_MODES = pytest.mark.parametrize(
    ("durability", "store"),
    [
        pytest.param("commit", "indexeddb", id="commit"),
        pytest.param("batched", "indexeddb", id="batched"),
        pytest.param("commit", "opfs", id="commit-opfs"),
    ],
)

_PLACES = {"indexeddb": "", "opfs": ", in OPFS"}

# Rows are so much larger that a checkpoint takes a quarter of a second.
_SCALE = 24


def _kill_again_and_again(
    writing: Writing, profile: PersistentProfile, url: str, rounds: int
) -> None:
    """A round is a boot, a check and a moment of writing.

    Every fifth browser is killed while it opens what the fourth left.
    """
    for round_ in range(rounds):
        context = profile.launch()
        writing.listen(context)
        page = open_blank(context, url)
        if round_ % 5 == 4:
            writing.open_for_a_moment(page)
        else:
            writing.check(page)
            writing.write(page)
            writing.ends("browser killed")
        profile.kill()
    writing.check(open_blank(profile.launch(), url))
    writing.tell()


@_MODES
def test_a_killed_browser_loses_nothing_that_was_promised(
    durability: str,
    store: str,
    persistent_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
    reliability: BeginRow,
) -> None:
    """Each takes half of the rounds."""
    what = f"browser killed while it writes{_PLACES[store]}"
    writing = Writing(reliability(what, mode=durability), store=store)
    _kill_again_and_again(writing, persistent_profile, base_url, soak_count // 2)


@pytest.mark.firefox
@_MODES
def test_a_killed_firefox_loses_nothing_that_was_promised(
    durability: str,
    store: str,
    firefox_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
    reliability: BeginRow,
) -> None:
    """A sixth of the rounds: its launch takes longer than the killing."""
    what = f"browser killed while it writes{_PLACES[store]}"
    writing = Writing(reliability(what, mode=durability), store=store)
    rounds = max(2, soak_count // 12)
    _kill_again_and_again(writing, firefox_profile, base_url, rounds)


@_MODES
def test_a_killed_renderer_loses_nothing_that_was_promised(
    durability: str,
    store: str,
    persistent_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
    reliability: BeginRow,
) -> None:
    """The host dies with its tab, while the browser and its IndexedDB live on."""
    what = f"renderer killed while it writes{_PLACES[store]}"
    writing = Writing(reliability(what, mode=durability), store=store)
    context = persistent_profile.launch()
    writing.listen(context)
    for _ in range(max(2, soak_count // 10)):
        page = open_blank(context, base_url)
        writing.check(page)
        writing.write(page)
        writing.ends("renderer killed")
        _kill_renderer_of(page, persistent_profile)
        page.close()
    writing.check(open_blank(context, base_url))
    writing.tell()


@pytest.mark.parametrize(
    ("kills", "store"),
    [
        pytest.param("browser", "indexeddb", id="browser"),
        pytest.param("renderer", "indexeddb", id="renderer"),
        pytest.param("browser", "opfs", id="browser-opfs"),
        pytest.param("renderer", "opfs", id="renderer-opfs"),
    ],
)
def test_killed_while_a_checkpoint_is_written(
    kills: str,
    store: str,
    persistent_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
    reliability: BeginRow,
) -> None:
    """The old state or the new one, whichever step was the last."""
    what = f"{kills} killed while a checkpoint is written{_PLACES[store]}"
    row = reliability(what, mode="commit")
    writing = Writing(row, scale=_SCALE, store=store)
    rounds = soak_count // 16
    _kill_in_checkpoints(row, writing, kills, persistent_profile, base_url, rounds)


@pytest.mark.firefox
def test_firefox_killed_while_a_checkpoint_is_written(
    firefox_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
    reliability: BeginRow,
) -> None:
    row = reliability("browser killed while a checkpoint is written", mode="commit")
    writing = Writing(row, scale=_SCALE)
    rounds = soak_count // 25
    _kill_in_checkpoints(row, writing, "browser", firefox_profile, base_url, rounds)


def _kill_in_checkpoints(
    row: Row,
    writing: Writing,
    kills: str,
    profile: PersistentProfile,
    url: str,
    rounds: int,
) -> None:
    stages: Counter[str] = Counter()
    context = profile.launch()
    writing.listen(context)
    for _ in range(max(2, rounds)):
        page = open_blank(context, url)
        writing.check(page)
        before = page.evaluate(LOOK_AT_STORE)
        writing.write_into_checkpoint(page)
        writing.ends(f"{kills} killed in a checkpoint")
        if kills == "browser":
            profile.kill()
            context = profile.launch()
            writing.listen(context)
        else:
            _kill_renderer_of(page, profile)
            page.close()
        page = open_blank(context, url)
        stages[_stage(before, page.evaluate(LOOK_AT_STORE))] += 1
        page.close()
    writing.check(open_blank(context, url))
    row.note = ", ".join(f"{count} {stage}" for stage, count in stages.items())
    writing.tell()
    assert stages.total() > stages["after it"], "no checkpoint was cut short"


def _stage(before: dict[str, int], after: dict[str, int]) -> str:
    """How far a checkpoint came, by what lies in the store when nobody writes."""
    if after["checkpoint"] == before["checkpoint"]:
        is_begun = after["unlisted"] > before["unlisted"]
        return "before it was published" if is_begun else "before its first segment"
    is_tidy = after["older"] + after["unlisted"] == 0
    return "after it" if is_tidy else "before it was tidied up"


def test_a_host_that_is_ended_alone_loses_nothing(
    persistent_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
    reliability: BeginRow,
) -> None:
    """Its tab lives on, is told, and starts another one."""
    writing = Writing(reliability("SharedWorker ended while it writes", mode="commit"))
    context = persistent_profile.launch()
    writing.listen(context)
    page = open_blank(context, base_url)
    assert context.browser is not None
    for _ in range(max(2, soak_count // 20)):
        writing.check(page)
        writing.write(page)
        writing.ends("host ended")
        end_hosts(context.browser)
        assert page.evaluate("writing") == "host_changed"
    writing.check(page)
    writing.tell()


def test_a_dedicated_host_that_is_ended_alone_loses_nothing(
    each_context: BrowserContext,
    base_url: str,
    soak_count: int,
    reliability: BeginRow,
) -> None:
    """The same where there is no SharedWorker."""
    writing = Writing(reliability("Worker ended while it writes", mode="commit"))
    writing.listen(each_context)
    each_context.add_init_script(f"({_DEDICATED})()")
    page = open_blank(each_context, base_url)
    for _ in range(max(2, soak_count // 20)):
        writing.check(page)
        writing.write(page)
        writing.ends("host ended")
        page.evaluate("hosts.pop().terminate()")
        assert page.evaluate("writing") == "host_changed"
    writing.check(page)
    writing.tell()


@_MODES
def test_a_tab_left_in_the_middle_of_writing(
    durability: str,
    store: str,
    each_context: BrowserContext,
    base_url: str,
    soak_count: int,
    reliability: BeginRow,
) -> None:
    """It is closed, sent elsewhere or reloaded, and with it the only tab there is."""
    what = "only tab closed, sent elsewhere or reloaded while it writes"
    row = reliability(what + _PLACES[store], mode=durability)
    writing = Writing(row, store=store)
    writing.listen(each_context)
    for round_ in range(max(3, soak_count // 16)):
        page = open_blank(each_context, base_url)
        writing.check(page)
        writing.write(page)
        leaves = ("closed", "sent elsewhere", "reloaded")[round_ % 3]
        writing.ends(leaves)
        if leaves == "sent elsewhere":
            page.goto("about:blank")
        elif leaves == "reloaded":
            page.reload()
        page.close()
    writing.check(open_blank(each_context, base_url))
    writing.tell()


def _kill_renderer_of(page: Page, profile: PersistentProfile) -> None:
    with page.expect_event("crash"):
        assert kill_renderers(profile.group) > 0
