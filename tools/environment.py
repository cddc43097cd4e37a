"""What the project needs on this machine: a virtual environment and npm packages.

Both come from lock files with hashes, and a second run does nothing.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from tools.commands import digest_of, is_stamped, run, say, stamp
from tools.project import ROOT, VENV, WEB, BuildError, venv_python

__all__ = ["npm_tool", "set_up_node", "set_up_python"]

_OLDEST_PYTHON = (3, 11)
_OLDEST_NODE = (20, 19)
_REQUIREMENTS = ROOT / "requirements.lock"


def set_up_python() -> None:
    """``.venv`` holds exactly what requirements.lock names.

    Raises:
        BuildError: This Python is too old, or a package could not be had.
    """
    if sys.version_info < _OLDEST_PYTHON:
        msg = f"Python {_dotted(_OLDEST_PYTHON)} or newer is needed to build"
        raise BuildError(msg)
    digest = digest_of([_REQUIREMENTS], sys.version)
    mark = VENV / "pyodide_app.stamp"
    if is_stamped(mark, digest):
        return
    say(f"making {VENV.name} with Python {sys.version.split()[0]}")
    _make_venv()
    python = venv_python()
    pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--require-hashes", "-r", _REQUIREMENTS])
    stamp(mark, digest)


def set_up_node() -> None:
    """``web/node_modules`` holds exactly what web/package-lock.json names.

    Raises:
        BuildError: Node or npm is missing or too old, or npm failed.
    """
    lock = [WEB / "package.json", WEB / "package-lock.json"]
    version = _node_version()
    digest = digest_of(lock, f"node {version[0]}")
    mark = WEB / "node_modules" / ".pyodide_app.stamp"
    if is_stamped(mark, digest):
        return
    npm = shutil.which("npm")
    if npm is None:
        msg = "npm is not on the PATH; it comes with Node, https://nodejs.org"
        raise BuildError(msg)
    run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=WEB)
    stamp(mark, digest)


def npm_tool(name: str) -> Path:
    """The program *name* that npm installed for this project."""
    suffix = ".cmd" if os.name == "nt" else ""
    return WEB / "node_modules" / ".bin" / f"{name}{suffix}"


def _make_venv() -> None:
    try:
        venv.create(VENV, clear=True, with_pip=True)
    except (subprocess.CalledProcessError, ImportError) as error:
        msg = (
            "this Python cannot make a virtual environment with pip; on Debian "
            "and Ubuntu install the package python3-venv"
        )
        raise BuildError(msg) from error


def _node_version() -> tuple[int, ...]:
    wanted = f"Node {_dotted(_OLDEST_NODE)} or newer is needed, https://nodejs.org"
    node = shutil.which("node")
    if node is None:
        raise BuildError(wanted)
    answer = subprocess.run(
        [node, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    version = tuple(int(part) for part in answer.lstrip("v").split("-")[0].split("."))
    if version < _OLDEST_NODE:
        msg = f"{wanted}; found {answer}"
        raise BuildError(msg)
    return version


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
