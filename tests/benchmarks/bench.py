"""Measure our storage against the original TypeScript adapter, in one browser.

    python3 build.py bench
    python3 build.py bench --sizes 10 --runs 2 --peers ""
    python3 build.py bench --only-start

Both do the same work on the same rows, in turns, in pages of one headless Chromium
on an empty profile: the original in a page, as its users run it, ours in Python in
the host's worker. Only ratios are meant to be read: the machine is what it is.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from tests.benchmarks.chromium import Chromium, Side
from tests.benchmarks.page import performance_page, with_start
from tests.benchmarks.peers import BUNDLES, PEERS, set_up_peers
from tests.benchmarks.render import as_json, as_text
from tests.benchmarks.report import HEADERS, compared, flatness, missed, own
from tests.benchmarks.results import PROMISES, Results
from tests.benchmarks.runs import Plan, measure
from tests.benchmarks.start import START_HEADERS, measure_start, started
from tests.benchmarks.workload import write_workload
from tools.commands import say
from tools.project import DIST, MODULES, ROOT, BuildError
from tools.server import AppServer

_SIDES = Path(__file__).parent / "sides"
_PAGE = ROOT / "docs" / "performance.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 if a target was missed."""
    options = _parser().parse_args(arguments)
    if options.only_start:
        options.peers, options.sizes = [], []
    try:
        if options.peers:
            set_up_peers()
    except BuildError as error:
        say(f"bench: {error}")
        return 1
    results, about = _run(options)
    lines = _print(results, options)
    say(f"Median load of the machine: {about['load']}; this alone makes about 1.5.")
    if options.json:
        options.json.write_text(as_json(results, about), "utf-8")
    if options.write_docs:
        _PAGE.parent.mkdir(exist_ok=True)
        if options.only_start:
            page = with_start(_PAGE.read_text("utf-8"), results, about)
        else:
            page = performance_page(results, about, options.peers, options.sizes)
        _PAGE.write_text(page, "utf-8")
    return 1 if lines else 0


def _run(options: argparse.Namespace) -> tuple[Results, dict[str, object]]:
    sides = [
        Side("ours", "/bench/sides/ours.js"),
        *(Side(name, "/bench/sides/original.js") for name in options.peers),
    ]
    loads = [os.getloadavg()[0]]

    def step(line: str) -> None:
        loads.append(os.getloadavg()[0])
        say(f"  {line}")

    plan = Plan(sides, options.sizes, options.runs, say=step)
    with tempfile.TemporaryDirectory(prefix="pyodide-app-bench-") as scratch:
        data, profile = Path(scratch, "data"), Path(scratch, "profile")
        data.mkdir()
        write_workload(data)
        extra = {
            "/bench/sides/": _SIDES,
            "/bench/peers/": BUNDLES,
            "/bench/data/": data,
        }
        with (
            AppServer(DIST, extra=extra, beneath=MODULES) as server,
            sync_playwright() as playwright,
            Chromium(playwright, profile, server.url) as chromium,
        ):
            say(f"measuring in Chromium {chromium.version}, {plan.runs} runs")
            results = Results() if options.only_start else measure(chromium, plan)
            version = chromium.version
        with sync_playwright() as playwright:
            measure_start(playwright, options.start_runs, results, step)
    return results, {
        "chromium": version,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": round(median(loads), 1),
        "date": datetime.now(UTC).date().isoformat(),
        "runs": options.runs,
        "start runs": options.start_runs,
    }


def _print(results: Results, options: argparse.Namespace) -> list[str]:
    """Print every table; return the names of the targets that were missed."""
    start = list(started(results))
    say("\nStart, files kept by a service worker\n")
    say(as_text(START_HEADERS, start))
    found = missed(start)
    if options.only_start:
        say(f"\n{_verdict(found)}")
        return found
    for peer in options.peers or ["original"]:
        lines = list(compared(results, peer, options.sizes))
        title = f"Against {PEERS[peer].title}" if options.peers else "Without a peer"
        say(f"\n{title}\n")
        say(as_text(HEADERS, lines))
        found += missed(lines)
    flat = list(flatness(results, options.sizes))
    if flat:
        say("")
        say(as_text(("cost and size", "ours", "target"), flat))
        found += missed(flat)
    say("\nOurs alone\n")
    say(as_text(("what", "MB", "ours", "class"), list(own(results))))
    say("\nEach number: the median of the runs (lowest … highest).")
    say("Class: what holds when the awaited call has returned.")
    for name, words in PROMISES.items():
        say(f"  {name:8} {words}")
    say(f"\n{_verdict(found)}")
    return found


def _verdict(found: Sequence[str]) -> str:
    if not found:
        return "Every target that was measured was met."
    return f"Missed: {'; '.join(dict.fromkeys(found))}."


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in PEERS:
            msg = f"{name!r} is none of {', '.join(PEERS)}"
            raise argparse.ArgumentTypeError(msg)
    return names


def _sizes(text: str) -> list[int]:
    return sorted({int(word) for word in text.split(",")})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build.py bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--peers",
        type=_names,
        default=["original"],
        help=f"comma-separated, of {', '.join(PEERS)}; empty for ours alone",
    )
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default=[10, 100, 500],
        help="of the databases, in megabytes",
    )
    parser.add_argument("--runs", type=int, default=5, help="of everything")
    parser.add_argument("--start-runs", type=int, default=7, help="of starting")
    parser.add_argument(
        "--only-start",
        action="store_true",
        help="measure nothing but how long Python takes to start",
    )
    parser.add_argument("--json", type=Path, help="write every number to this file")
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help="write docs/performance.md from this run",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
