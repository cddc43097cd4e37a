"""The WebAssembly wheels: downloaded, verified, slimmed, and listed for Pyodide.

Rule 1: a file whose SHA-256 is not the pinned one stops the build, in the cache
        as well as fresh from the network.
Rule 2: a wheel is written with sorted members and one fixed time, so the same
        input gives the same bytes.
"""

import base64
import csv
import fnmatch
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tools.commands import run
from tools.project import CACHE, BuildError, PinnedWheel, settings, venv_python

__all__ = ["fetch_wheel", "lock_entry", "lock_file", "slim_wheel", "write_zip"]


def fetch_wheel(wheel: PinnedWheel) -> Path:
    """Return the path of *wheel* in the cache, with the pinned bytes.

    Raises:
        BuildError: The download failed, or the bytes are not the pinned ones.
    """
    path = CACHE / wheel.file
    if not path.exists():
        _download(wheel)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wheel.sha256:
        path.unlink()
        msg = (
            f"{wheel.file} has SHA-256 {found}, pyproject.toml pins {wheel.sha256}; "
            "the file was deleted, do not use it before you know why"
        )
        raise BuildError(msg)
    return path


def slim_wheel(source: Path, target: Path, keep: Sequence[str]) -> None:
    """Write *source* to *target* with only the members that match *keep*.

    RECORD is made anew. An empty *keep* keeps everything.

    Raises:
        BuildError: A pattern matches nothing, so the wheel is not the one it
            was written for.
    """
    with zipfile.ZipFile(source) as archive:
        members = {
            info.filename: archive.read(info)
            for info in archive.infolist()
            if not info.is_dir()
        }
    patterns = keep or ["*"]
    idle = [p for p in patterns if not fnmatch.filter(members, p)]
    if idle:
        msg = f"{source.name} has no member like {', '.join(idle)}"
        raise BuildError(msg)
    kept = {
        name: data
        for name, data in members.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }
    record = next(name for name in members if name.endswith(".dist-info/RECORD"))
    kept.pop(record, None)
    kept[record] = _record(kept, record)
    write_zip(target, kept)


def lock_entry(wheel: Path, pinned: PinnedWheel) -> dict[str, object]:
    """One package as ``pyodide-lock.json`` describes it.

    The file name leads from the folder of Pyodide to the folder of the wheels.
    """
    return {
        "name": pinned.name,
        "version": pinned.version,
        "file_name": f"../wheels/{wheel.name}",
        "install_dir": "site",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "package_type": "package",
        "imports": list(pinned.imports),
        "depends": list(pinned.depends),
        "unvendored_tests": False,
    }


def lock_file(info: Mapping[str, str], entries: Iterable[Mapping[str, object]]) -> str:
    """The text of a ``pyodide-lock.json`` with only *entries*.

    Args:
        info: The same table of the lock file that came with Pyodide: its ABI
            version must be that of the runtime.
        entries: As `lock_entry` makes them.
    """
    packages = {str(entry["name"]): entry for entry in entries}
    document = {"info": info, "packages": packages}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def write_zip(target: Path, members: Mapping[str, bytes]) -> None:
    """Write *members* to the zip file *target*: sorted, compressed, at one time."""
    moment = time.gmtime(settings().source_date_epoch)[:6]
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, members[name], compresslevel=9)


def _download(wheel: PinnedWheel) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    chosen = settings()
    run(
        [
            *(venv_python(), "-m", "pip", "--disable-pip-version-check"),
            *("download", "--quiet", "--no-deps"),
            "--only-binary=:all:",
            f"--platform={chosen.platform}",
            f"--python-version={chosen.python_version}",
            f"--dest={CACHE}",
            f"{wheel.name}=={wheel.version}",
        ]
    )
    if not (CACHE / wheel.file).exists():
        msg = f"pip found no {wheel.file}; is it still on the package index?"
        raise BuildError(msg)


def _record(members: Mapping[str, bytes], own_name: str) -> bytes:
    """The RECORD of a wheel: each member with its hash and size."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for name in sorted(members):
        digest = hashlib.sha256(members[name]).digest()
        encoded = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        rows.writerow([name, f"sha256={encoded}", len(members[name])])
    rows.writerow([own_name, "", ""])
    return text.getvalue().encode()
