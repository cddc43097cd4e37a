"""Tables as plain text, as Markdown, and all numbers as JSON."""

import json
from collections.abc import Mapping, Sequence

from tests.benchmarks.cells import Cells
from tests.benchmarks.results import Results

__all__ = ["as_json", "as_markdown", "as_text"]


def as_text(headers: Sequence[str], lines: Sequence[Cells]) -> str:
    """Return a table with aligned columns."""
    rows = [tuple(headers), *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(headers))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in (rows[0], rule, *rows[1:])
    )


def as_markdown(headers: Sequence[str], lines: Sequence[Cells]) -> str:
    """Return a table as Markdown has it."""
    rows = [tuple(headers), tuple("---" for _ in headers), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_json(results: Results, about: Mapping[str, object]) -> str:
    """Return every number of every run, and *about*."""
    numbers = [
        {
            "measure": key.measure,
            "side": key.side,
            "class": key.promise,
            "megabytes": key.size,
            "runs": list(results.numbers(key)),
        }
        for key in results
    ]
    failures = [
        {"part": part, "side": side, "error": error}
        for (part, side), error in results.failures.items()
    ]
    return json.dumps({**about, "results": numbers, "failures": failures}, indent=1)
