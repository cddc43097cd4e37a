"""Ends processes as a machine that is short of memory does."""

import os
import signal
import time
from pathlib import Path

from playwright.sync_api import Browser

__all__ = [
    "end_group",
    "end_hosts",
    "find_leader",
    "freeze_busiest_renderer",
    "kill_renderers",
]

_GONE = {"Z", "X"}


def find_leader(folder: str) -> int:
    """Process id of the browser whose profile is *folder*; it leads its group."""
    for stat in _stats():
        pid = int(stat.parent.name)
        if _group_of(stat) == pid and folder.encode() in _command_of(stat):
            return pid
    msg = f"no browser runs on {folder}"
    raise LookupError(msg)


def end_group(group: int) -> None:
    """End every process of *group* with SIGKILL, and wait until all are gone."""
    assert group not in {os.getpgrp(), 0}
    os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(_group_of(stat) == group for stat in _stats()):
        assert time.monotonic() < deadline, "the browser did not die"
        time.sleep(0.01)


def end_hosts(browser: Browser) -> None:
    """End each SharedWorker of a Chromium without a word to anybody."""
    session = browser.new_browser_cdp_session()
    targets = session.send("Target.getTargets", {"filter": [{}]})["targetInfos"]
    hosts = [target for target in targets if target["type"] == "shared_worker"]
    assert hosts, "there is no host"
    for host in hosts:
        session.send("Target.closeTarget", {"targetId": host["targetId"]})
    session.detach()


def kill_renderers(group: int) -> int:
    """End the renderers of the Chromium that leads *group*; the rest lives on.

    Returns:
        How many there were. Pages and workers of one site share one.
    """
    renderers = _renderers(group)
    for stat in renderers:
        os.kill(int(stat.parent.name), signal.SIGKILL)
    return len(renderers)


def freeze_busiest_renderer(group: int) -> int:
    """Stop the renderer that has worked most, which is the one that runs Python.

    Returns:
        Its process id; SIGCONT wakes it up.
    """
    pid = int(max(_renderers(group), key=_work_of).parent.name)
    os.kill(pid, signal.SIGSTOP)
    return pid


def _renderers(group: int) -> list[Path]:
    # A forked renderer has its arguments in one string.
    return [
        stat
        for stat in _stats()
        if _group_of(stat) == group and b"--type=renderer" in _command_of(stat)
    ]


def _work_of(stat: Path) -> int:
    """Clock ticks that a process has used."""
    fields = stat.read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _stats() -> list[Path]:
    return list(Path("/proc").glob("[0-9]*/stat"))


def _command_of(stat: Path) -> bytes:
    try:
        return (stat.parent / "cmdline").read_bytes()
    except OSError:
        return b""


def _group_of(stat: Path) -> int | None:
    """Process group of a process that runs; None if it is dead."""
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in _GONE else int(fields[2])
