"""build.py as a person runs it."""

import signal
import subprocess
import sys
from urllib.request import urlopen

from tools.project import ROOT

BUILD = [sys.executable, ROOT / "build.py"]


def test_serve_says_where_and_ends_with_ctrl_c():
    server = subprocess.Popen(
        [*BUILD, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        line = next(line for line in server.stdout if "http://" in line)
        address = line.split()[4]
        with urlopen(address + "release.json", timeout=10) as answer:  # noqa: S310  # our own server
            assert answer.status == 200

        server.send_signal(signal.SIGINT)

        assert server.wait(timeout=10) == 0
    finally:
        server.kill()
        server.communicate()


def test_arguments_of_test_go_to_pytest():
    done = subprocess.run(
        [*BUILD, "test", "tests/tools", "--collect-only", "-q", "-k", "ctrl_c"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "test_serve_says_where_and_ends_with_ctrl_c" in done.stdout
    assert "1/" in done.stdout.splitlines()[-1]


def test_an_unknown_argument_is_refused():
    done = subprocess.run(
        [*BUILD, "build", "--fast"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "--fast" in done.stderr
