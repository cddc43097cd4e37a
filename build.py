#!/usr/bin/env python3
"""Set up, build, serve, test and check pyodide_app.

    python3 build.py serve     the Workbench on http://127.0.0.1:8000
    python3 build.py test      every test; more arguments go to pytest
    python3 build.py build     dist/
    python3 build.py check     formatters, linters, type checkers
    python3 build.py bench     measured against its peers; more arguments go on
    python3 build.py soak      faults of the store, simulated: --minutes N --seed S;
                               --write-docs kills browsers too, for the record
    python3 build.py clean     remove everything this program made

Needs Python >= 3.11 and Node >= 20.19 with npm, nothing else: what it uses it
installs into this folder, from lock files with hashes. Each program is printed
before it runs. A second run does only what changed.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  # says so before tomllib is missing
    sys.exit("build.py: Python 3.11 or newer is needed")

from tools.browsers import set_up_browsers
from tools.commands import say, status_of
from tools.dist import build_dist
from tools.environment import npm_tool, set_up_node, set_up_python
from tools.project import (
    BUILD,
    DIST,
    ROOT,
    VENV,
    WEB,
    BuildError,
    settings,
    venv_python,
)
from tools.server import AppServer
from tools.wheels import fetch_wheel

# tests/js/page may name the document; the rest of tests/js may not.
_TYPESCRIPT_PROGRAMS = (
    "web/core",
    "web/worker",
    "web/page",
    "tests/js",
    "tests/js/page",
    "tests/faults",
)

_SIMULATE = ROOT / "tests" / "faults" / "simulate.js"
_REPORT = ROOT / "tests" / "faults" / "report.py"
_BENCH = ROOT / "tests" / "benchmarks" / "bench.py"


def set_up() -> None:
    """Everything to build with is installed."""
    set_up_python()
    set_up_node()


def build(_options: argparse.Namespace, _rest: Sequence[str]) -> int:
    """dist/ is up to date."""
    set_up()
    say(f"dist is release {build_dist()}")
    return 0


def serve(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    """Serve dist/ until Ctrl-C."""
    build(options, ())
    with AppServer(
        DIST, host=options.host, port=options.port, quiet=not options.verbose
    ) as server:
        say(f"\nThe Workbench is at {server.url}/ (Ctrl-C ends it)")
        try:
            server.wait()
        except KeyboardInterrupt:
            say("")
    return 0


def test(_options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Run every test, and end with what pytest says."""
    _set_up_tests()
    return status_of([venv_python(), "-m", "pytest", *rest])


def check(_options: argparse.Namespace, _rest: Sequence[str]) -> int:
    """Run every check to its end, and say which ones failed."""
    set_up()
    failed = [name for name, command in _checks().items() if status_of(command) != 0]
    if failed:
        msg = f"not clean: {', '.join(failed)}"
        raise BuildError(msg)
    say("everything is clean")
    return 0


def bench(_options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Run the benchmark in a browser, ours and its peers side by side."""
    set_up()
    set_up_browsers()
    build_dist()
    return status_of([venv_python(), _BENCH, *rest], env={"PYTHONPATH": str(ROOT)})


def soak(_options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Simulate faults of the page store until one breaks a promise.

    With --write-docs, kill real browsers too and write docs/reliability.md.
    """
    if "--write-docs" in rest:
        _set_up_tests()
        return status_of([venv_python(), _REPORT, *rest], env={"PYTHONPATH": str(ROOT)})
    set_up_node()
    return status_of(["node", _SIMULATE, *(rest or ["--minutes", "10"])])


def clean(_options: argparse.Namespace, _rest: Sequence[str]) -> int:
    """Only what is in version control, or put here by hand, is left."""
    caches = (".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache")
    made = [VENV, BUILD, DIST, WEB / "node_modules", ROOT / "test-results"]
    made += (ROOT / "tests").glob("**/node_modules")  # of what bench compares with
    for folder in (*made, *(ROOT / name for name in caches)):
        if folder.exists():
            say(f"removing {folder.relative_to(ROOT)}")
            shutil.rmtree(folder)
    for folder in sorted(ROOT.rglob("__pycache__")):
        shutil.rmtree(folder)
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run the command that *arguments* name and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="build.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    steps: tuple[Callable[[argparse.Namespace, Sequence[str]], int], ...]
    steps = (build, serve, test, check, bench, soak, clean)
    for step in steps:
        # What they run takes the other arguments.
        passes_on = step in (test, bench, soak)
        command = commands.add_parser(
            step.__name__, help=step.__doc__, add_help=not passes_on
        )
        command.set_defaults(step=step, passes_on=passes_on)
        if step is serve:
            command.add_argument("--host", default="127.0.0.1")
            command.add_argument("--port", type=int, default=8000)
            command.add_argument("--verbose", action="store_true", help="log requests")
    options, rest = parser.parse_known_args(arguments)
    if rest and not options.passes_on:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    try:
        return int(options.step(options, rest))
    except BuildError as error:
        say(f"build.py: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def _set_up_tests() -> None:
    set_up()
    set_up_browsers()
    for wheel in settings().wheels:
        fetch_wheel(wheel)
    build_dist()


def _checks() -> dict[str, list[str | Path]]:
    """The command of each check, by the name it fails under."""
    python = venv_python()
    eslint_config = WEB / "eslint.config.js"
    return {
        "ruff": [python, "-m", "ruff", "check"],
        "ruff format": [python, "-m", "ruff", "format", "--check"],
        "mypy": [python, "-m", "mypy"],
        "prettier": [npm_tool("prettier"), "--check", "web", "tests"],
        "eslint": [npm_tool("eslint"), "--config", eslint_config, "web", "tests"],
        **{
            f"tsc {folder}": [npm_tool("tsc"), "--project", ROOT / folder]
            for folder in _TYPESCRIPT_PROGRAMS
            if any((ROOT / folder).rglob("*.js"))
        },
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
