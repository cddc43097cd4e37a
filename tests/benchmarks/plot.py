"""Bars of each side on a logarithmic scale, as an SVG readable in light and dark.

A bar that is twice as long is not twice as slow: each line of the grid is ten times
the one before.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil, floor, log10

from tests.benchmarks.cells import number
from tests.benchmarks.plan import REFERENCE_SIZE
from tests.benchmarks.results import Results
from tests.benchmarks.standings import Standing, standings

__all__ = ["plot"]

_CHARTS = (
    ("1,000 commits, each durable (test 1 of 16)", "test 1", 0),
    ("Sum of the 16 tests", "sum of 16", 0),
    (f"One-row update, durable, at {REFERENCE_SIZE} MB", "update", REFERENCE_SIZE),
)

_WIDTH = 760
_LEFT = 190
_RIGHT = 90
_ROW = 20
_BAR = 13
_TITLE = 34
_FOOT = 26

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 14px; }
.faint { fill: #57606a; font-size: 11px; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.ours { fill: #0969da; } .IndexedDB { fill: #bf8700; } .OPFS { fill: #1a7f37; }
.other { fill: #8c959f; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .faint { fill: #9198a1; } .grid { stroke: #3d444d; }
.ours { fill: #4493f8; } .IndexedDB { fill: #d29922; } .OPFS { fill: #3fb950; }
.other { fill: #6e7681; }
}
""".strip()

_LEGEND = (
    ("ours", "ours, on IndexedDB"),
    ("IndexedDB", "peer on IndexedDB"),
    ("OPFS", "peer on OPFS"),
    ("other", "not durable, or not in a browser"),
)


def plot(results: Results) -> str:
    """Return the SVG of what there are numbers for."""
    parts, top = [], 8
    for title, measure, size in _CHARTS:
        sides = sorted(
            standings(results, measure, size), key=lambda side: side.summary.median
        )
        if sides:
            parts += _chart(title, sides, top)
            top += _TITLE + _ROW * len(sides) + _FOOT
    parts += _legend(top)
    height = top + 28
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img">\n'
        "<title>Times of each side, shorter is better</title>\n"
        f"<style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _chart(title: str, sides: Sequence[Standing], top: int) -> Iterator[str]:
    medians = [side.summary.median for side in sides]
    low, high = floor(log10(min(medians) / 1.5)), ceil(log10(max(medians)))
    scale = (_WIDTH - _LEFT - _RIGHT) / (high - low)
    first, last = top + _TITLE, top + _TITLE + _ROW * len(sides)
    yield _text(8, top + 16, title, "title")
    for power in range(low, high + 1):
        x = _LEFT + (power - low) * scale
        yield f'<path class="grid" d="M{x:.1f} {first - 4}V{last}"/>'
        label = f"{10.0**power:,g} ms"
        yield _text(x, last + 12, label, "faint", anchor="middle")
    for row, side in enumerate(sides):
        y = first + row * _ROW
        length = (log10(side.summary.median) - low) * scale
        kind = "ours" if side.is_ours else _kind(side)
        yield _text(_LEFT - 8, y + 11, f"{side.name}, {side.promise}", anchor="end")
        yield (
            f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{length:.1f}" '
            f'height="{_BAR}" rx="2"/>'
        )
        label = f"{number(side.summary.median)} ms"
        yield _text(_LEFT + length + 6, y + 11, label)


def _kind(side: Standing) -> str:
    return side.storage if side.is_durable_peer else "other"


def _legend(top: int) -> Iterator[str]:
    x = 8
    for kind, words in _LEGEND:
        yield f'<rect class="{kind}" x="{x}" y="{top}" width="12" height="12" rx="2"/>'
        yield _text(x + 18, top + 10, words)
        x += 40 + 7 * len(words)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "") -> str:
    given = f' class="{kind}"' if kind else ""
    given += f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{given}>{escape(words)}</text>'
