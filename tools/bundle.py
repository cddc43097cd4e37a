"""The app's JavaScript, as few files as it can be started from.

A start from the service worker's cache asks for each module by itself, and a module
only names the next ones when it has arrived: eighty requests in chains of seven.

Rule 1: what a page loads shares its modules, because they have state: `client.js`
        and the Workbench in one page are one connection to the host.
Rule 2: a worker's entry point is one file.
Rule 3: an address that a module builds from its own stays right. All such modules
        lie one folder below the app, bundled as well as before.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.commands import run
from tools.environment import npm_tool
from tools.project import BuildError

__all__ = ["bundle"]

_PAGES = ("client.js", "page/main.js")
_WORKERS = ("worker/host.js", "worker/snapshot-maker.js")
_FOLDERS = ("core", "page", "vendor", "worker")

# No module: it runs before the first paint.
_CLASSIC = "page/early-theme.js"

_OWN_ADDRESS = "import.meta.url"


def bundle(folder: Path, modules: Path) -> None:
    """Replace the modules in *folder* by bundles; put them themselves into *modules*.

    Args:
        folder: Holds the app's sources as a server would serve them.
        modules: Does not exist yet. What tests of single modules import.

    Raises:
        BuildError: Something cannot be bundled.
    """
    for path in _modules_of(folder):
        target = modules / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="bundles-") as scratch:
        bundles = Path(scratch)
        shared = ("--splitting", "--chunk-names=page/[name]-[hash]")
        _esbuild(modules, bundles, _PAGES, shared)
        for entry in _WORKERS:
            _esbuild(modules, bundles, (entry,))
        for path in sorted(bundles.rglob("*.js")):
            name = path.relative_to(bundles)
            if len(name.parts) != 2 and _OWN_ADDRESS in path.read_text("utf-8"):
                msg = f"{name} would build addresses from its own, which is another"
                raise BuildError(msg)
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)


def _modules_of(folder: Path) -> list[Path]:
    found = [folder / "client.js"]
    for name in _FOLDERS:
        found += (folder / name).rglob("*.js")
    found.remove(folder / _CLASSIC)
    return sorted(found)


def _esbuild(
    modules: Path, bundles: Path, entries: Sequence[str], options: Sequence[str] = ()
) -> None:
    command: list[str | Path] = [
        npm_tool("esbuild"),
        *entries,
        "--bundle",
        "--format=esm",
        *options,
    ]
    command += ["--outbase=.", f"--outdir={bundles}", "--log-level=warning"]
    run(command, cwd=modules)
