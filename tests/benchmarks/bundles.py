"""The peers' packages, installed and bundled as a browser loads them.

They live in a folder of their own below ``build/``, from a lock file of their
own, so that whoever only builds the app installs none of them.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.commands import digest_of, is_stamped, run, stamp
from tools.project import BUILD, BuildError

__all__ = ["BUNDLES", "set_up_peers"]

_SOURCE = Path(__file__).parent / "peers"
_FOLDER = BUILD / "peers"

BUNDLES = _FOLDER / "bundles"
"""A folder to serve: ``<name>/engine.js`` and what it fetches beside it."""

# Of the original's files that end up in the bundle, as version 0.6.8 has them.
_UNMODIFIED = {
    "dist/adapters/indexedDbAdapter.js": (
        "e19691e3104bdb4885e9ff57d3ed2a34fe9c20f6fff62dfe4a4a95f3ec407888"
    ),
    "dist/shared/parameterUtils.js": (
        "81439803a4ba1210bdc7689fe88d5f8e1c2782563b2ab45fd089a9d2cb9c39f5"
    ),
}


@dataclass(frozen=True, slots=True)
class _Bundle:
    """What becomes one folder.

    Attributes:
        entries: Files of ``peers/`` by the names under which they are served:
            ``engine.js`` for the benchmark, ``adapter.js`` for tests/browser.
        package: Folder in ``node_modules`` that *files* are in.
        files: What the package's JavaScript fetches.
        esbuild: More arguments.
    """

    entries: Mapping[str, str]
    package: str
    files: Sequence[str]
    esbuild: Sequence[str] = ()


# Node's modules, which a package names and a browser never uses.
_NO_NODE = tuple(
    f"--alias:{name}=./nothing.js"
    for name in ("fs/promises", "fs", "path", "crypto", "node:module")
)

_BUNDLES = {
    "original": _Bundle(
        {"engine.js": "engines/original.js", "adapter.js": "original.js"},
        "sql.js/dist",
        ("sql-wasm-browser.wasm",),
    ),
    "original-1.13": _Bundle(
        {"engine.js": "engines/original.js", "adapter.js": "original.js"},
        "sql.js-1.13/dist",
        ("sql-wasm.wasm",),
        ("--alias:sql.js=sql.js-1.13", *_NO_NODE),
    ),
    "sql.js": _Bundle(
        {"engine.js": "engines/sql-js.js"}, "sql.js/dist", ("sql-wasm-browser.wasm",)
    ),
    "wa-sqlite": _Bundle(
        {"engine.js": "engines/wa-sqlite-1.js", "adapter.js": "wa-sqlite.js"},
        "wa-sqlite/dist",
        ("wa-sqlite-async.wasm",),
    ),
    "wa-sqlite-2": _Bundle(
        {"engine.js": "engines/wa-sqlite.js"},
        "@journeyapps/wa-sqlite/dist",
        ("wa-sqlite.wasm", "wa-sqlite-jspi.wasm"),
    ),
    "sqlite-wasm": _Bundle(
        {"engine.js": "engines/sqlite-wasm.js"},
        "@sqlite.org/sqlite-wasm/dist",
        ("sqlite3.wasm",),
    ),
    "pglite": _Bundle(
        {"engine.js": "engines/pglite.js"},
        "@electric-sql/pglite/dist",
        ("pglite.wasm", "pglite.data", "initdb.wasm"),
        _NO_NODE,
    ),
}


def set_up_peers() -> None:
    """Install all of them, and bundle them into `BUNDLES`.

    Raises:
        BuildError: npm failed, or the original's code is not what was released.
    """
    sources = sorted(path for path in _SOURCE.rglob("*") if path.is_file())
    mark = _FOLDER / "peers.stamp"
    digest = digest_of([*sources, Path(__file__).resolve()])
    if is_stamped(mark, digest):
        return
    _install(sources)
    for name, bundle in _BUNDLES.items():
        _make(BUNDLES / name, bundle)
    stamp(mark, digest)


def _install(sources: Sequence[Path]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        msg = "npm is not on the PATH; it comes with Node, https://nodejs.org"
        raise BuildError(msg)
    for source in sources:
        target = _FOLDER / source.relative_to(_SOURCE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=_FOLDER)
    package = _FOLDER / "node_modules" / "@framers" / "sql-storage-adapter"
    for name, expected in _UNMODIFIED.items():
        found = hashlib.sha256((package / name).read_bytes()).hexdigest()
        if found != expected:
            msg = f"{name} of the original is not the released file: {found}"
            raise BuildError(msg)


def _make(target: Path, bundle: _Bundle) -> None:
    target.mkdir(parents=True, exist_ok=True)
    esbuild = _FOLDER / "node_modules" / ".bin" / "esbuild"
    options = ["--bundle", "--format=esm", "--platform=browser", "--log-level=warning"]
    for served, entry in bundle.entries.items():
        out = f"--outfile={target / served}"
        run([esbuild, entry, *options, *bundle.esbuild, out], cwd=_FOLDER)
    for file in bundle.files:
        source = _FOLDER / "node_modules" / bundle.package / file
        shutil.copyfile(source, target / file)
