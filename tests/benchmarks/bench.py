"""Measure our storage against its peers, in one browser.

    python3 build.py bench
    python3 build.py bench --only suite --peers wa-mirror,wa-wal --runs 3
    python3 build.py bench --only start
    python3 build.py bench --smoke

All do the same work on the same rows, in turns, in pages of one headless Chromium
on an empty profile: the original in a page, as its users run it, the other peers in
a dedicated worker each, ours in Python in the host's worker. What each has written
is checked. Only ratios are meant to be read: the machine is what it is.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from tests.benchmarks.bundles import set_up_peers
from tests.benchmarks.cells import missed
from tests.benchmarks.chromium import Chromium
from tests.benchmarks.page import write_page, write_start
from tests.benchmarks.parts.conversations import measure_conversations
from tests.benchmarks.parts.from_page import measure_from_page, measure_transfers
from tests.benchmarks.parts.inserts import measure_inserts
from tests.benchmarks.parts.native import measure_native
from tests.benchmarks.parts.search import measure_search
from tests.benchmarks.parts.sizes import measure_sizes
from tests.benchmarks.parts.speedtest import measure_speedtest
from tests.benchmarks.parts.statements import measure_statements
from tests.benchmarks.parts.tabs import measure_tabs
from tests.benchmarks.peers import DEFAULT_PEERS, PEERS
from tests.benchmarks.plan import Plan, WrongResultError
from tests.benchmarks.render import as_json, as_text
from tests.benchmarks.results import Results
from tests.benchmarks.sections import sections
from tests.benchmarks.serving import measured_chromium
from tests.benchmarks.sixteen import sixteen_tests
from tests.benchmarks.speedtest1 import is_available, speedtest1
from tests.benchmarks.sql_test import SqlTest
from tests.benchmarks.start import measure_start
from tools.commands import say
from tools.project import BuildError

_START = "start"

# In this order: the browser writes more slowly the more it has stored.
_PARTS: Mapping[str, Callable[[Chromium, Plan, Results], None]] = {
    "suite": measure_statements,
    "speedtest": measure_speedtest,
    "inserts": measure_inserts,
    "page": measure_from_page,
    "tabs": measure_tabs,
    "conversations": measure_conversations,
    "search": measure_search,
    "transfers": measure_transfers,
    "sizes": measure_sizes,
}

_SMOKE_SCALE = 0.02

# A twentieth of its own default, which takes some sides a minute each time.
_SPEEDTEST_SIZE = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 if a target was missed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    is_whole = options.only == [*_PARTS, _START] and not options.smoke
    if options.write_docs and not is_whole and options.only != [_START]:
        parser.error("--write-docs is for a whole run, or for --only start")
    if options.smoke:
        options.runs, options.start_runs, options.sizes = 1, 1, [1]
    try:
        if options.peers:
            set_up_peers()
        results, about = _run(options)
    except (BuildError, WrongResultError) as error:
        say(f"bench: {error}")
        return 1
    found = _print(results, options)
    say(f"Median load of the machine: {about['load']}; this alone makes about 1.5.")
    if options.json:
        options.json.write_text(as_json(results, about), "utf-8")
    if options.write_docs and options.only == [_START]:
        write_start(results, about)
    elif options.write_docs:
        write_page(results, about, options.peers, options.sizes)
    return 1 if found and not options.smoke else 0


def _run(options: argparse.Namespace) -> tuple[Results, dict[str, object]]:
    loads = [os.getloadavg()[0]]

    def step(line: str) -> None:
        loads.append(os.getloadavg()[0])
        say(f"  {line}")

    scale = _SMOKE_SCALE if options.smoke else 1
    plan = Plan(
        [PEERS[name] for name in options.peers],
        options.sizes,
        options.runs,
        sixteen_tests(scale),
        _speedtest(options, scale),
        scale,
        say=step,
    )
    suites = {"sixteen": plan.tests, "speedtest1": plan.speedtest}
    results = Results()
    with (
        sync_playwright() as playwright,
        measured_chromium(playwright, suites) as chromium,
    ):
        version = chromium.version
        say(f"measuring in Chromium {version}, {plan.runs} runs")
        for name, measure in _PARTS.items():
            if name in options.only:
                say(name)
                measure(chromium, plan, results)
    if "suite" in options.only:
        measure_native(plan, results)
    if _START in options.only:
        say(_START)
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


def _speedtest(options: argparse.Namespace, scale: float) -> list[SqlTest]:
    if "speedtest" not in options.only or not is_available():
        return []
    return speedtest1(max(1, round(_SPEEDTEST_SIZE * scale)))


def _print(results: Results, options: argparse.Namespace) -> list[str]:
    """Print every table; return the names of the targets that were missed."""
    found: list[str] = []
    for section in sections(results, options.peers, options.sizes):
        say(f"\n{section.title}\n")
        say(as_text(section.headers, section.lines))
        found += missed(section.lines)
    say("\nEach number: the median of the runs (lowest … highest).")
    if found:
        say(f"\nMissed: {'; '.join(dict.fromkeys(found))}.")
    else:
        say("\nEvery target that was measured was met.")
    return found


def _some_of(names: Sequence[str]) -> Callable[[str], list[str]]:
    def chosen(text: str) -> list[str]:
        found = [name for name in text.split(",") if name]
        for name in found:
            if name not in names:
                msg = f"{name!r} is none of {', '.join(names)}"
                raise argparse.ArgumentTypeError(msg)
        return found

    return chosen


def _sizes(text: str) -> list[int]:
    return sorted({int(word) for word in text.split(",")})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build.py bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = [*_PARTS, _START]
    parser.add_argument(
        "--peers",
        type=_some_of(list(PEERS)),
        default=DEFAULT_PEERS,
        help=f"comma-separated, of {', '.join(PEERS)}; empty for ours alone",
    )
    parser.add_argument(
        "--only",
        type=_some_of(parts),
        default=parts,
        help=f"comma-separated, of {', '.join(parts)}; all by default",
    )
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default=[1, 10, 100, 500],
        help="of the databases, in megabytes",
    )
    parser.add_argument("--runs", type=int, default=7, help="of everything")
    parser.add_argument("--start-runs", type=int, default=7, help="of starting")
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="run everything once at a tiny size: that it works, not how fast",
    )
    parser.add_argument("--json", type=Path, help="write every number to this file")
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help="write docs/performance.md and its plot from this run",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
