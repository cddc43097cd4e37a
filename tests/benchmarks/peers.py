"""The systems compared with, installed and bundled as a browser loads them.

They live in a folder of their own below ``build/``, from a lock file of their
own, so that whoever only builds the app installs none of them.
"""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.commands import digest_of, is_stamped, run, stamp
from tools.project import BUILD, BuildError

__all__ = ["BUNDLES", "PEERS", "Peer", "set_up_peers"]

_SOURCE = Path(__file__).parent / "peers"
_FOLDER = BUILD / "peers"

BUNDLES = _FOLDER / "bundles"
"""A folder to serve: ``<name>/adapter.js`` and its engine beside it."""

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
class Peer:
    """One of them on one version of its engine.

    Attributes:
        name: As given to ``--peers``.
        title: For tables.
        engine: Its folder in ``node_modules``.
        wasm: The engine's file that its JavaScript asks for.
        esbuild: More arguments for the bundle.
        entry: What is bundled.
    """

    name: str
    title: str
    engine: str
    wasm: str
    esbuild: Sequence[str] = ()
    entry: str = "original.js"


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "original",
            "@framers/sql-storage-adapter 0.6.8, sql.js 1.16.0",
            "sql.js",
            "sql-wasm-browser.wasm",
        ),
        Peer(
            "original-1.13",
            "@framers/sql-storage-adapter 0.6.8, sql.js 1.13.0",
            "sql.js-1.13",
            "sql-wasm.wasm",
            (
                "--alias:sql.js=sql.js-1.13",
                *(f"--alias:{name}=./nothing.js" for name in ("fs", "path", "crypto")),
            ),
        ),
    )
}
"""``npm install`` gives the first today; the second is what the package was
written with, and is faster at some things."""

_WA_SQLITE = Peer(
    "wa-sqlite",
    "wa-sqlite 1.0.0, IDBBatchAtomicVFS",
    "wa-sqlite",
    "wa-sqlite-async.wasm",
    entry="wa-sqlite.js",
)


def set_up_peers() -> None:
    """Install all of them, and bundle them into `BUNDLES`.

    Raises:
        BuildError: npm failed, or the original's code is not what was released.
    """
    sources = sorted(path for path in _SOURCE.iterdir() if path.is_file())
    mark = _FOLDER / "peers.stamp"
    digest = digest_of([*sources, Path(__file__).resolve()])
    if is_stamped(mark, digest):
        return
    _install(sources)
    for peer in (*PEERS.values(), _WA_SQLITE):
        _bundle(peer)
    stamp(mark, digest)


def _install(sources: Sequence[Path]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        msg = "npm is not on the PATH; it comes with Node, https://nodejs.org"
        raise BuildError(msg)
    _FOLDER.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copyfile(source, _FOLDER / source.name)
    run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=_FOLDER)
    package = _FOLDER / "node_modules" / "@framers" / "sql-storage-adapter"
    for name, expected in _UNMODIFIED.items():
        found = hashlib.sha256((package / name).read_bytes()).hexdigest()
        if found != expected:
            msg = f"{name} of the original is not the released file: {found}"
            raise BuildError(msg)


def _bundle(peer: Peer) -> None:
    target = BUNDLES / peer.name
    target.mkdir(parents=True, exist_ok=True)
    esbuild = _FOLDER / "node_modules" / ".bin" / "esbuild"
    options = ["--bundle", "--format=esm", "--platform=browser", "--log-level=warning"]
    out = f"--outfile={target / 'adapter.js'}"
    run([esbuild, peer.entry, *options, *peer.esbuild, out], cwd=_FOLDER)
    wasm = _FOLDER / "node_modules" / peer.engine / "dist" / peer.wasm
    shutil.copyfile(wasm, target / peer.wasm)
