"""Run other programs in sight, and skip a step whose inputs did not change."""

import hashlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tools.project import ROOT, BuildError

__all__ = ["digest_of", "is_stamped", "run", "say", "stamp", "status_of"]


def say(line: str) -> None:
    """Print *line* at once, so that it stays in order with what programs print."""
    print(line, flush=True)


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> None:
    """Print *command* and run it to its end.

    Raises:
        BuildError: It could not be started, or failed; its own output says why.
    """
    status = status_of(command, cwd=cwd, env=env)
    if status != 0:
        msg = f"{Path(command[0]).name} failed with status {status}; see above"
        raise BuildError(msg)


def status_of(
    command: Sequence[str | Path],
    *,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> int:
    """Print *command*, run it to its end and return its exit status."""
    words = [str(word) for word in command]
    say(f"$ {shlex.join(_shortened(word) for word in words)}")
    try:
        return subprocess.run(
            words,
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode
    except FileNotFoundError as error:
        msg = f"{words[0]} is not installed or not on the PATH"
        raise BuildError(msg) from error


def digest_of(paths: Iterable[Path], *words: str) -> str:
    """SHA-256 over the names and bytes of *paths* and over *words*."""
    digest = hashlib.sha256("\x00".join(words).encode())
    for path in sorted(paths):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"\n{path.relative_to(ROOT).as_posix()} {content}".encode())
    return digest.hexdigest()


def is_stamped(mark: Path, digest: str) -> bool:
    """True if the step that *mark* belongs to ran to its end with *digest*."""
    return mark.is_file() and mark.read_text("utf-8") == digest


def stamp(mark: Path, digest: str) -> None:
    """Record that the step ran to its end with *digest*."""
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(digest, "utf-8")


def _shortened(word: str) -> str:
    """*word* as typed from the project's root, which is shorter to read."""
    if word == sys.executable:
        return "python3"
    return word.replace(f"{ROOT}{os.sep}", "")
