"""Hostile files, in numbers: see `hostile_files.py` for what was done to them."""

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from tests.faults.hostile_files import KINDS

_log = logging.getLogger(__name__)

_PROJECT = Path(__file__).parents[2]

_SEED = 7

_LONGEST_S = 5.0
"""Of processor time, for one file."""

_HANGING_S = 120.0
"""Without a word; other processes take their share of the machine."""

_GROWTH = 64 << 20
"""Bytes of memory for a small file."""

_GROWTH_PER_BYTE = 8


def test_hostile_files_are_refused_or_imported_soundly(hostile_files):
    """No crash, no hang, bounded memory; the live database as it was, or sound."""
    outcomes = list(_outcomes(hostile_files))

    assert [o for o in outcomes if o["wrong"]] == []
    assert [o for o in outcomes if o["seconds"] > _LONGEST_S] == []
    allowed = [_GROWTH + _GROWTH_PER_BYTE * o["size"] for o in outcomes]
    grown = zip(outcomes, allowed, strict=True)
    assert [o for o, most in grown if o["grown"] > most] == []

    assert len(outcomes) == hostile_files
    ends = Counter(o["end"] for o in outcomes)
    _log.info("%s", dict(ends))
    assert {o["kind"] for o in outcomes} == {kind.__name__ for kind in KINDS}
    # Neither is the way out for everything.
    assert ends["imported"] > hostile_files / 10
    assert ends.total() - ends["imported"] > hostile_files / 10


def _outcomes(count):
    """Yield how each file ended; a process for each core imports its share."""
    lines = queue.Queue()
    step = os.cpu_count() or 1
    workers = [_Worker(first, count, step, lines) for first in range(step)]
    try:
        running = step
        while running:
            try:
                worker, line = lines.get(timeout=_HANGING_S)
            except queue.Empty:
                at = {worker.at for worker in workers if worker.process.poll() is None}
                message = f"no answer in {_HANGING_S} s; at file {at} of seed {_SEED}"
                raise AssertionError(message) from None
            if line is None:
                running -= 1
                ended = worker.process.wait()
                said = worker.process.stderr.read()
                assert ended == 0, f"exit {ended} at file {worker.at}: {said[-2000:]}"
            elif "begun" in (outcome := json.loads(line)):
                worker.at = outcome["begun"]
            else:
                yield outcome
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.communicate()


class _Worker:
    """A process that imports every *step*-th file."""

    def __init__(self, first, last, step, lines):
        self.at = None
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.faults.hostile_imports"),
                *("--seed", str(_SEED), "--first", str(first)),
                *("--last", str(last), "--step", str(step)),
            ],
            cwd=_PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def _read(self, lines):
        for line in self.process.stdout:
            lines.put((self, line))
        lines.put((self, None))
