"""Numbers and verdicts as cells of a table."""

from collections.abc import Sequence

from tests.benchmarks.results import Summary

__all__ = ["Cells", "missed", "number", "said", "said_at_most", "shown"]

Cells = tuple[str, ...]


def shown(summary: Summary, unit: str) -> str:
    """Return *summary* as ``median unit (lowest … highest)``."""
    texts = [number(x) for x in (summary.median, summary.low, summary.high)]
    word = f" {unit}" if unit else ""
    return f"{texts[0]}{word} ({texts[1]} … {texts[2]})"


def said(words: str, is_met: bool | None) -> str:
    """Return the target *words*, and whether it is met; None if it is open."""
    if is_met is None:
        return words
    return f"{words}: {'met' if is_met else 'MISSED'}"


def said_at_most(words: str, found: float, limit: float) -> str:
    """Return *words*, and whether *found* is within *limit*."""
    return said(words, found <= limit)


def missed(lines: Sequence[Cells]) -> list[str]:
    """Return the titles of *lines* whose last cell is a target that was missed."""
    return [line[0] for line in lines if line[-1].endswith("MISSED")]


def number(value: float) -> str:
    """Return *value* with about three digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
