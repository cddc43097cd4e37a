"""One Chromium on an empty profile, and the server of all that its sides load."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Playwright

from tests.benchmarks.bundles import BUNDLES
from tests.benchmarks.chromium import Chromium
from tests.benchmarks.round_trips import round_trips
from tests.benchmarks.sql_test import SqlTest
from tests.benchmarks.workload import write_workload
from tools.project import DIST, MODULES
from tools.server import AppServer

__all__ = ["measured_chromium"]

_SIDES = Path(__file__).parent / "sides"


@contextmanager
def measured_chromium(
    playwright: Playwright, suites: Mapping[str, Sequence[SqlTest]]
) -> Iterator[Chromium]:
    """The browser that all of a run is measured in; its profile goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="pyodide-app-bench-") as scratch:
        data, profile = Path(scratch, "data"), Path(scratch, "profile")
        data.mkdir()
        write_workload(data)
        for name, tests in suites.items():
            _write(data / f"{name}.json", [test.as_data() for test in tests])
        _write(data / "round-trips.json", round_trips())
        extra = {
            "/bench/sides/": _SIDES,
            "/bench/peers/": BUNDLES,
            "/bench/data/": data,
        }
        with (
            AppServer(DIST, extra=extra, beneath=MODULES) as server,
            Chromium(playwright, profile, server.url) as chromium,
        ):
            yield chromium


def _write(path: Path, data: object) -> None:
    path.write_text(json.dumps(data), "utf-8")
