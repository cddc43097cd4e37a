"""Run the JavaScript tests: one pytest test for each of their files."""

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.rglob("*.test.js"))


@pytest.mark.parametrize(
    "file", FILES, ids=[path.relative_to(FOLDER).as_posix() for path in FILES]
)
def test_javascript(file: Path) -> None:
    """Every test in the file passes under `node --test`."""
    node = shutil.which("node")
    assert node is not None, "node is not on the PATH"

    done = subprocess.run(
        [node, "--test", "--test-reporter=spec", file],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "tests 0" not in done.stdout, "the file holds no test"


def test_there_are_javascript_tests() -> None:
    """Nobody moved them away from under this file."""
    assert FILES
