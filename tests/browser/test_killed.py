"""SIGKILL of the browser in the middle of writing, again and again.

Commit *n* of `pages/numbered-commits.js` depends on nothing but *n*. So whatever
was killed, what is found must be the content after some whole number of commits,
and that number must not be smaller than what durability promises.
"""

import logging
import random
import secrets
import time

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.killing import kill_renderers
from tests.browser.profile import PersistentProfile

_log = logging.getLogger(__name__)

_INTERVAL_MS = 100

# A batched commit is durable after the interval and the flush itself, which has
# to wait for other programs on two cores. It is some 20 ms on an idle machine.
_FLUSH_SLACK_MS = 1000

_OPEN = """async (options) => {
  const { NumberedCommits } = await import('/tests/numbered-commits.js');
  globalThis.commits = new NumberedCommits(options);
  await commits.open();
  return commits.check();
}"""

_OPEN_AND_LEAVE = f"(options) => void ({_OPEN})(options)"

_WRITE = """(count) => {
  void commits.write(count, (step, at) => void acknowledged([step, at]));
}"""


class Writing:
    """One database under writing, and what is known about it from outside."""

    def __init__(self, durability: str, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311 (to repeat, not to hide)
        self._checkpoints = 0
        self._worst_loss_ms = 0.0
        self._durability = durability
        self._options = {
            "dbName": f"killed-{durability}",
            "durability": durability,
            "saveIntervalMs": _INTERVAL_MS,
        }
        self._count = 0
        self._log_bytes = 0
        self._acknowledged: dict[int, float] = {}
        self._ended_at = 0.0
        self._story = [f"seed {seed}"]

    @property
    def story(self) -> str:
        """What happened so far, for the message of a failure."""
        return "\n".join(self._story)

    def tell(self) -> None:
        """Log the sum, which `--log-cli-level INFO` shows."""
        _log.info(
            "%s: %d commits, %d checkpoints, worst loss %d ms",
            self._durability,
            self._count,
            self._checkpoints,
            self._worst_loss_ms,
        )

    def listen(self, context: BrowserContext) -> None:
        """Hear of each acknowledged commit as soon as its page does."""
        context.expose_function("acknowledged", self._acknowledge)

    def check(self, page: Page) -> None:
        """Open the database, and hold what is found against what was promised."""
        found = page.evaluate(_OPEN, self._options)
        count = found["count"]
        self._story.append(f"found {count}, recovery {found['recovery']}")
        self._note_loss(count)
        assert found["problems"] == [], self.story
        assert count >= self._promised, f"{self._promised} promised\n{self.story}"
        self._count = count
        self._checkpoints += found["logBytes"] < self._log_bytes
        self._log_bytes = found["logBytes"]

    def open_for_a_moment(self, page: Page) -> None:
        """Return at a random moment in the middle of opening."""
        page.evaluate(_OPEN_AND_LEAVE, self._options)
        page.wait_for_timeout(self._rng.uniform(0, 6000))
        self._story.append("opening")

    def write(self, page: Page, at_most_ms: int = 1500) -> None:
        """Return at a random moment in the middle of writing."""
        self._acknowledged.clear()
        page.evaluate(_WRITE, self._count)
        page.wait_for_timeout(self._rng.uniform(20, at_most_ms))

    def ends(self, how: str) -> None:
        """Nothing that is acknowledged from now on is promised to be durable."""
        self._ended_at = time.time() * 1000
        self._story.append(f"{how} after {len(self._acknowledged)} acknowledged")

    @property
    def _promised(self) -> int:
        """How many commits must be there.

        In `commit` an acknowledgement that was under way counts, too: what sent it
        was told that the commit is durable.
        """
        deadline = float("inf")
        if self._durability == "batched":
            deadline = self._ended_at - _INTERVAL_MS - _FLUSH_SLACK_MS
        steps = [step for step, at in self._acknowledged.items() if at <= deadline]
        return max(steps, default=self._count)

    def _note_loss(self, count: int) -> None:
        lost = [at for step, at in self._acknowledged.items() if step > count]
        if lost:
            self._worst_loss_ms = max(self._worst_loss_ms, self._ended_at - min(lost))

    def _acknowledge(self, what: list[float]) -> None:
        step, at = what
        self._acknowledged[int(step)] = at


def _open_page(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(f"{url}/tests/blank.html")
    return page


def _kill_again_and_again(
    durability: str, profile: PersistentProfile, url: str, rounds: int
) -> None:
    """A round is a boot, a check and a moment of writing.

    Every fifth browser is killed while it opens what the fourth left.
    """
    writing = Writing(durability, seed=secrets.randbits(32))
    for round_ in range(rounds):
        context = profile.launch()
        writing.listen(context)
        page = _open_page(context, url)
        if round_ % 5 == 4:
            writing.open_for_a_moment(page)
        else:
            writing.check(page)
            writing.write(page)
            writing.ends("browser killed")
        profile.kill()
    writing.check(_open_page(profile.launch(), url))
    writing.tell()


@pytest.mark.parametrize("durability", ["commit", "batched"])
def test_a_killed_browser_loses_nothing_that_was_promised(
    durability: str,
    persistent_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
) -> None:
    """Each of the two takes half of the rounds."""
    _kill_again_and_again(durability, persistent_profile, base_url, soak_count // 2)


@pytest.mark.firefox
@pytest.mark.parametrize("durability", ["commit", "batched"])
def test_a_killed_firefox_loses_nothing_that_was_promised(
    durability: str,
    firefox_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
) -> None:
    """A sixth of the rounds: its launch takes longer than the killing."""
    rounds = max(2, soak_count // 12)
    _kill_again_and_again(durability, firefox_profile, base_url, rounds)


@pytest.mark.parametrize("durability", ["commit", "batched"])
def test_a_killed_renderer_loses_nothing_that_was_promised(
    durability: str,
    persistent_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
) -> None:
    """The host dies with its tab, while the browser and its IndexedDB live on."""
    writing = Writing(durability, seed=secrets.randbits(32))
    context = persistent_profile.launch()
    writing.listen(context)
    for _ in range(max(2, soak_count // 10)):
        page = _open_page(context, base_url)
        writing.check(page)
        writing.write(page)
        writing.ends("renderer killed")
        with page.expect_event("crash"):
            assert kill_renderers(persistent_profile.group) > 0
        page.close()
    writing.check(_open_page(context, base_url))
    writing.tell()


@pytest.mark.parametrize("durability", ["commit", "batched"])
def test_a_tab_left_in_the_middle_of_writing(
    durability: str, each_context: BrowserContext, base_url: str, soak_count: int
) -> None:
    """It is closed, sent elsewhere or reloaded, and with it the only tab there is."""
    writing = Writing(durability, seed=secrets.randbits(32))
    writing.listen(each_context)
    for round_ in range(max(3, soak_count // 16)):
        page = _open_page(each_context, base_url)
        writing.check(page)
        writing.write(page)
        leaves = ("closed", "sent elsewhere", "reloaded")[round_ % 3]
        writing.ends(leaves)
        if leaves == "sent elsewhere":
            page.goto("about:blank")
        elif leaves == "reloaded":
            page.reload()
        page.close()
    writing.check(_open_page(each_context, base_url))
    writing.tell()
