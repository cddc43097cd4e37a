"""A database under writing, and what is known about it from outside.

Commit *n* of `pages/numbered-commits.js` depends on nothing but *n*. So whatever
happened, what is found must be the content after some whole number of commits, and
that number must not be smaller than what durability promises.
"""

import logging
import random
import secrets
import time

from playwright.sync_api import BrowserContext, Page

from tests.reliability import Row

__all__ = ["LOOK_AT_STORE", "Writing", "engine_of", "open_blank"]

_log = logging.getLogger(__name__)

_INTERVAL_MS = 100

# A batched commit is durable after the interval and the flush itself, which has
# to wait for other programs on two cores. It is some 20 ms on an idle machine.
_FLUSH_SLACK_MS = 1000

# How far a checkpoint has come; see the module.
LOOK_AT_STORE = "import('/tests/store-watch.js').then((watch) => watch.lookAtStore())"

_OPEN = """async (options) => {
  const { NumberedCommits } = await import('/tests/numbered-commits.js');
  globalThis.commits = new NumberedCommits(options);
  await commits.open();
  return commits.check();
}"""

_OPEN_AND_LEAVE = f"(options) => void ({_OPEN})(options)"

_WRITE = """(count) => {
  globalThis.writing = commits.write(count, (step, at) =>
    void acknowledged([step, at]),
  ).then(() => 'stopped', (error) => error.code);
}"""


class Writing:
    """One database under writing, and what is known about it from outside.

    Args:
        row: Counts each fault; it says which durability is promised.
        scale: How many times as large rows are.
        store: Where the database is.
    """

    def __init__(self, row: Row, scale: int = 1, store: str = "indexeddb") -> None:
        seed = secrets.randbits(32)
        self.rng = random.Random(seed)  # noqa: S311 (to repeat, not to hide)
        self._row = row
        self._checkpoints = 0
        self._worst_loss_ms = 0.0
        self._durability = row.mode
        self._options = {
            "dbName": f"killed-{row.mode}",
            "durability": row.mode,
            "saveIntervalMs": _INTERVAL_MS,
            "scale": scale,
            "store": store,
        }
        self._count = 0
        self._log_bytes = 0
        self._acknowledged: dict[int, float] = {}
        self._ended_at = 0.0
        self._all_durable = False
        self._story = [f"seed {seed}"]

    @property
    def story(self) -> str:
        """What happened so far, for the message of a failure."""
        return "\n".join(self._story)

    def tell(self) -> None:
        """Log the sum, which `--log-cli-level INFO` shows, and note it."""
        notes = [f"checkpoints: {self._checkpoints}"] if self._checkpoints else []
        if self._durability == "batched":
            notes.append(f"oldest write lost: {self._worst_loss_ms:.0f} ms")
        self._row.note = "; ".join([*notes, *filter(None, [self._row.note])])
        _log.info(
            "%s: %d commits, %d checkpoints, worst loss %d ms",
            self._durability,
            self._count,
            self._checkpoints,
            self._worst_loss_ms,
        )

    def listen(self, context: BrowserContext) -> None:
        """Hear of each acknowledged commit as soon as its page does."""
        self._row.engine = engine_of(context)
        context.expose_function("acknowledged", self._acknowledge)

    def check(self, page: Page) -> int:
        """Open the database, and hold what is found against what was promised.

        Returns:
            The commits that are there.
        """
        found = page.evaluate(_OPEN, self._options)
        count = found["count"]
        self._story.append(f"found {count}, recovery {found['recovery']}")
        self._note_loss(count)
        self._row.lost += max(0, self._promised - count)
        assert found["problems"] == [], self.story
        assert count >= self._promised, f"{self._promised} promised\n{self.story}"
        self._row.survived = self._row.faults
        self._count = count
        self._checkpoints += found["logBytes"] < self._log_bytes
        self._log_bytes = found["logBytes"]
        return self._count

    def open_for_a_moment(self, page: Page) -> None:
        """Return at a random moment in the middle of opening."""
        page.evaluate(_OPEN_AND_LEAVE, self._options)
        page.wait_for_timeout(self.rng.uniform(0, 6000))
        self._row.faults += 1
        self._story.append("opening")

    def write(self, page: Page, at_most_ms: int = 1500) -> None:
        """Return at a random moment in the middle of writing."""
        self._acknowledged.clear()
        page.evaluate(_WRITE, self._count)
        page.wait_for_timeout(self.rng.uniform(20, at_most_ms))

    def write_into_checkpoint(self, page: Page) -> None:
        """Return at a random moment in the middle of a checkpoint, or just after."""
        self._acknowledged.clear()
        page.evaluate(_WRITE, self._count)
        page.evaluate("commits.checkpointBegins()")
        page.wait_for_timeout(self.rng.uniform(0, 150))

    def goes_on(self, page: Page) -> None:
        """Let it go on for a moment."""
        page.wait_for_timeout(self.rng.uniform(0, 500))

    def stops(self, page: Page) -> str:
        """Stop writing; return why it ended, which is 'stopped' if nothing failed."""
        outcome: str = page.evaluate("(commits.stop(), writing)")
        return outcome

    def ends(self, how: str, *, all_durable: bool = False) -> None:
        """Nothing that is acknowledged from now on is promised to be durable.

        Args:
            how: For the story.
            all_durable: Whether all that was acknowledged is known to be.
        """
        self._all_durable = all_durable
        self._ended_at = time.time() * 1000
        self._row.faults += 1
        self._row.acknowledged += len(self._acknowledged)
        self._story.append(f"{how} after {len(self._acknowledged)} acknowledged")

    @property
    def _promised(self) -> int:
        """How many commits must be there.

        In `commit` an acknowledgement that was under way counts, too: what sent it
        was told that the commit is durable.
        """
        deadline = float("inf")
        if self._durability == "batched" and not self._all_durable:
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


def engine_of(context: BrowserContext) -> str:
    """Name and version of the browser of *context*."""
    assert context.browser is not None
    name = context.browser.browser_type.name.capitalize()
    return f"{name} {context.browser.version}"


def open_blank(context: BrowserContext, url: str) -> Page:
    """Return a new tab of *context* with an empty page of the app's origin."""
    page = context.new_page()
    page.goto(f"{url}/tests/blank.html")
    return page
