"""A host that was frozen wakes up, and another one owns the database."""

import os
import signal
from collections.abc import Callable

from tests.browser.killing import freeze_busiest_renderer
from tests.browser.profile import PersistentProfile
from tests.browser.writing import Writing, open_blank
from tests.reliability import Row

# A frozen tab keeps its lock. Browsers that discard it, or a script, take it away.
_STEAL_LOCK = """async () => {
  const { writerLockName, DEFAULT_VOLUME } = await import('/core/names.js');
  await navigator.locks.request(
    writerLockName(DEFAULT_VOLUME), { steal: true }, () => {});
}"""


def test_a_host_that_wakes_up_behind_another_is_fenced(
    persistent_profile: PersistentProfile,
    base_url: str,
    soak_count: int,
    reliability: Callable[..., Row],
) -> None:
    """It acknowledges nothing that the other does not have, and mixes nothing in."""
    writing = Writing(reliability("host frozen while another took over", mode="commit"))
    context = persistent_profile.launch()
    writing.listen(context)
    context.add_init_script("delete globalThis.SharedWorker")
    for _ in range(max(2, soak_count // 25)):
        stale = open_blank(context, base_url)
        writing.check(stale)
        writing.write(stale, at_most_ms=500)
        frozen = freeze_busiest_renderer(persistent_profile.group)
        try:
            writing.ends("host frozen")
            other = open_blank(context, base_url)
            other.evaluate(_STEAL_LOCK)
            taken_over = writing.check(other)
            writing.write(other, at_most_ms=500)
        finally:
            os.kill(frozen, signal.SIGCONT)
        assert stale.evaluate("writing") == "writer_fenced"
        assert stale.evaluate("commits.acknowledged") <= taken_over
        writing.goes_on(other)
        assert writing.stops(other) == "stopped"
        writing.ends("stale host awake")
        stale.close()
        other.close()
    writing.check(open_blank(context, base_url))
    writing.tell()
