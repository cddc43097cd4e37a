"""Archives of compiled Python, which Pyodide imports from as they are.

Pyodide comes from npm with the sources of its standard library: each start of the
app would compile those it imports, and ours, anew.

Rule 1: Pyodide itself compiles, in Node: bytecode fits one version of Python only.
Rule 2: the same sources give the same bytes, wherever and whenever.
"""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tools.commands import run
from tools.project import BUILD, CACHE, ROOT, WEB, BuildError
from tools.wheels import write_zip

__all__ = ["compile_sources", "compiled_archive", "members_of"]

_RUNTIME = WEB / "node_modules" / "pyodide"
_COMPILER = ROOT / "tools" / "compile-bytecode.mjs"


def members_of(archive: Path) -> dict[str, bytes]:
    """Return the files in the zip file *archive* by their names."""
    with zipfile.ZipFile(archive) as opened:
        return {
            info.filename: opened.read(info)
            for info in opened.infolist()
            if not info.is_dir()
        }


def compiled_archive(members: Mapping[str, bytes], target: Path, place: str) -> None:
    """Write *members* to the zip file *target*, each ``.py`` as ``.pyc``.

    What was compiled once is kept in the build's cache.

    Args:
        members: File contents by name.
        target: Does not exist yet.
        place: Where the archive will lie in Pyodide; tracebacks name it.

    Raises:
        BuildError: Something does not compile.
    """
    kept = CACHE / f"bytecode-{_digest(members, place)}.zip"
    if not kept.exists():
        compiled = compile_sources(members, place)
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            fresh = Path(folder) / kept.name
            write_zip(fresh, compiled)
            fresh.replace(kept)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, target)


def compile_sources(members: Mapping[str, bytes], place: str) -> dict[str, bytes]:
    """Return *members* with each ``.py`` replaced by its ``.pyc``.

    Raises:
        BuildError: Something does not compile.
    """
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bytecode-") as folder:
        sources, target = Path(folder, "sources"), Path(folder, "target")
        target.mkdir()
        others = {}
        for name, data in members.items():
            if name.endswith(".py"):
                path = sources / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            else:
                others[name] = data
        run(["node", _COMPILER, _RUNTIME, sources, target, place])
        compiled = {
            path.relative_to(target).as_posix(): path.read_bytes()
            for path in target.rglob("*.pyc")
        }
    wanted = {f"{name}c" for name in members if name.endswith(".py")}
    if compiled.keys() != wanted:
        msg = f"not compiled: {', '.join(sorted(wanted - compiled.keys()))}"
        raise BuildError(msg)
    return {**others, **compiled}


def _digest(members: Mapping[str, bytes], place: str) -> str:
    """Of everything that decides the bytes of an archive."""
    digest = hashlib.sha256(place.encode())
    for part in (_RUNTIME / "pyodide.asm.wasm", _COMPILER, Path(__file__)):
        digest.update(hashlib.sha256(part.read_bytes()).digest())
    for name in sorted(members):
        digest.update(name.encode() + b"\x00")
        digest.update(hashlib.sha256(members[name]).digest())
    return digest.hexdigest()[:32]
