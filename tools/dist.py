"""Make dist/: everything the server needs to serve, and nothing else.

Rule 1: the same inputs give the same bytes. Files are sorted, times are fixed.
Rule 2: dist/ is replaced as a whole, and only if an input changed.
Rule 3: the release is named after the content, so a page, its worker and its
        wheels are either all of one release or have different names.
"""

import gzip
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tools.bundle import bundle
from tools.bytecode import compiled_archive, members_of
from tools.commands import digest_of, is_stamped, run, say, stamp
from tools.environment import npm_tool
from tools.project import (
    BUILD,
    DIST,
    MODULES,
    ROOT,
    WEB,
    BuildError,
    PinnedWheel,
    settings,
    venv_python,
)
from tools.wheels import fetch_wheel, lock_entry, lock_file, slim_wheel

__all__ = [
    "FIRST_VISIT_BUDGET",
    "build_dist",
    "build_python_wheel",
    "first_visit_bytes",
    "make_dist",
]

FIRST_VISIT_BUDGET = 12_000_000
"""Bytes that a first visit may transfer, compressed; a test holds dist/ to it."""

# What in web/ configures tools; everything else there is served.
_TOOL_FILES = re.compile(r"package(-lock)?\.json|tsconfig.*\.json|eslint\.config\.js")

# From web/node_modules to dist/.
_NPM_FILES = {
    "pyodide/pyodide.mjs": "pyodide/pyodide.mjs",
    "pyodide/pyodide.asm.mjs": "pyodide/pyodide.asm.mjs",
    "pyodide/pyodide.asm.wasm": "pyodide/pyodide.asm.wasm",
    "marked/lib/marked.esm.js": "vendor/marked.js",
    "dompurify/dist/purify.es.mjs": "vendor/purify.js",
}

# Beside the folders; README and LICENSE are part of the wheel's metadata.
_INPUT_FILES = (
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "requirements.lock",
    "web/package-lock.json",
    "web/tsconfig.base.json",
    "web/tsconfig.types.json",
    "web/page/tsconfig.json",
)

# Their maps are not served; a reference to one is an error in the console.
_SOURCE_MAP = re.compile(rb"\n?//# sourceMappingURL=\S+\s*\Z")

# In packages/; web/worker/pyodide-host.js asks for these names.
_ENGINE = "apsw.wasm"
_PACKAGES = "packages.zip"

# What Python's memory is like after the start.
_MEMORY_OF = (
    "pyodide/pyodide.mjs",
    "pyodide/pyodide.asm.mjs",
    "pyodide/pyodide.asm.wasm",
    "pyodide/python_stdlib.zip",
    f"packages/{_ENGINE}",
    f"packages/{_PACKAGES}",
)
_SNAPSHOT = "worker/snapshot.js"

_SERVICE_WORKER = "service-worker.js"
_RELEASE_FILE = "release.json"


def build_dist() -> str:
    """Bring dist/ up to date and return the name of its release.

    Raises:
        BuildError: A step failed. dist/ is as it was.
    """
    digest = digest_of(_inputs(), str(settings()))
    mark = BUILD / "dist.stamp"
    if not (is_stamped(mark, digest) and (DIST / _RELEASE_FILE).is_file()):
        say("building dist")
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD, prefix="dist-") as folder:
            fresh = Path(folder) / "new"
            modules = Path(folder) / "modules"
            make_dist(fresh, modules)
            _say_sizes(fresh)
            for new, place in ((modules, MODULES), (fresh, DIST)):
                if place.exists():
                    place.rename(Path(folder) / f"old-{place.name}")
                new.rename(place)
        stamp(mark, digest)
    release = json.loads((DIST / _RELEASE_FILE).read_text("utf-8"))
    return str(release["release"])


def make_dist(folder: Path, modules: Path) -> None:
    """Make everything that dist/ holds in *folder*, which does not exist yet.

    Its JavaScript before it was bundled goes into *modules*, for tests.
    """
    for path in _served_sources():
        _copy(path, folder / path.relative_to(WEB))
    for source, target in _NPM_FILES.items():
        _copy(WEB / "node_modules" / source, folder / target)
    _add_standard_library(folder)
    _add_wheels(folder)
    _add_packages(folder)
    if settings().snapshot:
        _name_python(folder)
    bundle(folder, modules)
    _add_declarations(folder)
    _add_release(folder)


def first_visit_bytes(folder: Path) -> int:
    """Bytes that a server transfers on a first visit if it compresses with gzip.

    That is the whole release: the service worker keeps all of it.
    """
    release = json.loads((folder / _RELEASE_FILE).read_text("utf-8"))
    names = [*release["files"], _SERVICE_WORKER]
    return sum(len(gzip.compress((folder / name).read_bytes(), 6)) for name in names)


def build_python_wheel(folder: Path) -> Path:
    """Build the wheel of `pyodide_app` into *folder* and return its path.

    The same wheel is installed by Pyodide and by pip on CPython.
    """
    epoch = str(settings().source_date_epoch)
    run(
        [venv_python(), "-m", "hatchling", "build", "--target=wheel", "-d", folder],
        env={"SOURCE_DATE_EPOCH": epoch},
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def _say_sizes(folder: Path) -> None:
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    say(
        f"dist has {total / 1e6:.1f} MB; a first visit transfers "
        f"{first_visit_bytes(folder) / 1e6:.1f} MB compressed, "
        f"of {FIRST_VISIT_BUDGET / 1e6:.0f} MB budgeted"
    )


def _inputs() -> Iterator[Path]:
    """Every file whose content decides what dist/ holds."""
    yield from (ROOT / name for name in _INPUT_FILES)
    for folder in ("tools", "pyodide_app"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
    yield from _served_sources()


def _served_sources() -> Iterator[Path]:
    """The files of web/ that dist/ takes as they are."""
    for path in sorted(WEB.rglob("*")):
        parts = path.relative_to(WEB).parts
        if "node_modules" in parts or any(part.startswith(".") for part in parts):
            continue
        if path.is_file() and not _TOOL_FILES.fullmatch(path.name):
            yield path


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix in {".js", ".mjs"}:
        target.write_bytes(_SOURCE_MAP.sub(b"\n", source.read_bytes()))
    else:
        shutil.copyfile(source, target)


def _add_standard_library(folder: Path) -> None:
    """Put the standard library where Pyodide looks for it, compiled."""
    source = WEB / "node_modules" / "pyodide" / "python_stdlib.zip"
    target = folder / "pyodide" / source.name
    compiled_archive(members_of(source), target, "/lib/python314.zip")


def _add_packages(folder: Path) -> None:
    """Put what every start needs of the wheels into packages/, as it is imported.

    `web/worker/pyodide-host.js` places the two files; nothing is installed.
    """
    members: dict[str, bytes] = {}
    for wheel in (folder / "wheels").glob("*.whl"):
        if not wheel.name.startswith("micropip-"):
            members |= members_of(wheel)
    target = folder / "packages"
    target.mkdir()
    # What it lists is not what is here.
    members = {n: data for n, data in members.items() if not n.endswith("/RECORD")}
    (engine,) = (name for name in members if name.endswith(".so"))
    (target / _ENGINE).write_bytes(members.pop(engine))
    compiled_archive(members, target / _PACKAGES, f"/lib/{_PACKAGES}")


def _add_wheels(folder: Path) -> None:
    """Put the wheels into wheels/ and list them in Pyodide's lock file."""
    wheels = folder / "wheels"
    wheels.mkdir()
    entries = []
    for pinned in settings().wheels:
        if pinned.tests_only:
            continue
        target = wheels / pinned.file
        slim_wheel(fetch_wheel(pinned), target, pinned.keep)
        entries.append(lock_entry(target, pinned))
    with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
        own = build_python_wheel(Path(scratch))
        target = wheels / own.name
        # Written once more by our own zip writer: hatchling's choice of
        # compression may change with its version, ours is stated here.
        slim_wheel(own, target, ())
    ours = PinnedWheel(
        name="pyodide-app",
        version=settings().version,
        file=target.name,
        sha256="",
        imports=("pyodide_app",),
        depends=("apsw-sqlite3mc",),
    )
    entries.append(lock_entry(target, ours))
    theirs = WEB / "node_modules" / "pyodide" / "pyodide-lock.json"
    info = json.loads(theirs.read_text("utf-8"))["info"]
    text = lock_file(info, entries)
    (folder / "pyodide" / "pyodide-lock.json").write_text(text, "utf-8")


def _add_declarations(folder: Path) -> None:
    """Put the TypeScript declarations of client.js, and of what it names, beside it."""
    if (WEB / "client.js").exists():
        project = WEB / "tsconfig.types.json"
        run([npm_tool("tsc"), "--project", project, "--outDir", folder])


def _add_release(folder: Path) -> None:
    """Name the release, list its files, and tell the service worker.

    The list holds what the app may ask for at run time. The service worker
    cannot hold its own hash; its source counts for the name of the release.
    """
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".d.ts")
    }
    worker = files.pop(_SERVICE_WORKER, None)
    hashes = {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(files.items(), key=lambda item: PurePosixPath(item[0]))
    }
    name = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode())
    if worker is not None:
        name.update(worker.read_bytes())
    release = {
        "release": name.hexdigest()[:16],
        "files": hashes,
        "bytes": sum(path.stat().st_size for path in files.values()),
    }
    text = json.dumps(release, indent=1)
    (folder / _RELEASE_FILE).write_text(text + "\n", "utf-8")
    if worker is not None:
        _set_constant(worker, "RELEASE", text)


def _name_python(folder: Path) -> None:
    """Name what a copy of Python's memory is made of, so that it fits or is new."""
    digest = hashlib.sha256()
    for name in _MEMORY_OF:
        digest.update((folder / name).read_bytes())
    _set_constant(folder / _SNAPSHOT, "PYTHON", f"'{digest.hexdigest()[:16]}'")


def _set_constant(path: Path, name: str, value: str) -> None:
    """Replace the one line ``const NAME = null;`` of the JavaScript in *path*."""
    source = path.read_text("utf-8")
    line = f"const {name} = null;"
    if source.count(line) != 1:
        msg = f"{path.name} must have one line `{line}`"
        raise BuildError(msg)
    path.write_text(source.replace(line, f"const {name} = {value};"), "utf-8")
