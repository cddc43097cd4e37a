"""Generated histories of the page store, in numbers: see `simulate.js`."""

import json
import logging
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.reliability import SIMULATED

_log = logging.getLogger(__name__)

_SIMULATE = Path(__file__).parent / "simulate.js"


def _simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    assert node is not None, "node is not on the PATH"
    return subprocess.run(
        [node, _SIMULATE, *arguments], capture_output=True, text=True, timeout=1800
    )


@pytest.mark.timeout(1800)
def test_whatever_happens_no_mix_and_nothing_acknowledged_is_lost(
    histories, reliability
):
    """Every history opens as some whole number of commits, enough of them."""
    row = reliability("any of these and power cuts, simulated", engine=SIMULATED)
    done = _simulate("--histories", str(histories))

    summary = json.loads(done.stdout)
    row.faults = summary["histories"]
    row.survived = summary["histories"] - summary["failed"]
    row.note = "each a history of many faults"
    assert done.returncode == 0, done.stderr
    _log.info("%s", summary)
    assert summary["histories"] == histories
    assert summary["failed"] == 0
    assert len(summary["kinds"]) == 10
