"""The whole benchmark, once and small: it runs, and every side is right."""

import json
import os
import subprocess
import sys

import pytest

from tests.benchmarks.bench import main
from tools.project import ROOT

PEERS = ("original", "wa-mirror", "wa-wal")
BENCH = ROOT / "tests" / "benchmarks" / "bench.py"


def test_every_part_of_the_benchmark_runs_and_every_result_is_right(tmp_path):
    """A side whose tables hold anything else ends the run with an error."""
    numbers = tmp_path / "numbers.json"
    parts = "suite,inserts,page,tabs,conversations,search,transfers,sizes"

    ended = subprocess.run(
        [
            *(sys.executable, BENCH, "--smoke", "--only", parts),
            *("--peers", ",".join(PEERS), "--json", numbers),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    results = json.loads(numbers.read_text("utf-8"))["results"]
    measured = {(result["measure"], result["side"]) for result in results}
    for side in ("ours", *PEERS):
        assert ("sum of 16", side) in measured
        assert ("select", side) in measured
    assert all(len(result["runs"]) >= 1 for result in results)
    for measure in ("round trip", "search, p95", "import", "slowest answer to 8 tabs"):
        assert (measure, "ours") in measured


def test_a_page_is_not_written_from_a_part_of_a_run(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "suite", "--write-docs"])

    assert "whole run" in capsys.readouterr().err
