"""Where things lie in the project, and what pyproject.toml says about the build."""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = [
    "BUILD",
    "CACHE",
    "DIST",
    "MODULES",
    "ROOT",
    "VENV",
    "WEB",
    "BuildError",
    "PinnedWheel",
    "Settings",
    "settings",
    "venv_python",
]

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
DIST = ROOT / "dist"
BUILD = ROOT / "build"
CACHE = BUILD / "cache"
MODULES = BUILD / "modules"
VENV = ROOT / ".venv"


class BuildError(Exception):
    """A step cannot go on; the message says what to do about it."""


@dataclass(frozen=True, slots=True)
class PinnedWheel:
    """A wheel for Pyodide: which file, which bytes, and what of it is used.

    Attributes:
        name: Name on PyPI, as in the lock file of Pyodide.
        version: Exact version.
        file: File name on PyPI.
        sha256: Of the file as downloaded.
        imports: Top-level modules it provides.
        depends: Names of other wheels it needs.
        keep: Patterns of the members that go into the app; all if empty.
        tests_only: True if the app does not ship it.
    """

    name: str
    version: str
    file: str
    sha256: str
    imports: Sequence[str]
    depends: Sequence[str] = ()
    keep: Sequence[str] = ()
    tests_only: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """The table ``[tool.pyodide_app.build]`` and the project's own version."""

    version: str
    source_date_epoch: int
    platform: str
    python_version: str
    snapshot: bool
    wheels: tuple[PinnedWheel, ...]


@cache
def settings() -> Settings:
    """Read pyproject.toml once; ``SOURCE_DATE_EPOCH`` of the environment wins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    table = project["tool"]["pyodide_app"]["build"]
    return Settings(
        version=project["project"]["version"],
        source_date_epoch=int(
            os.environ.get("SOURCE_DATE_EPOCH", table["source_date_epoch"])
        ),
        platform=table["platform"],
        python_version=table["python_version"],
        snapshot=table["snapshot"],
        wheels=tuple(PinnedWheel(**entry) for entry in table["wheels"]),
    )


def venv_python() -> Path:
    """The interpreter of the project's virtual environment, made or not."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
