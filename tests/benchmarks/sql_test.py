"""One test of a suite that is SQL: what runs, and what it must leave."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["SqlTest"]


@dataclass(frozen=True, slots=True)
class SqlTest:
    """Some statements that are timed together, and what they leave behind.

    Attributes:
        number: As its suite counts.
        title: For tables.
        statements: In order. Each is awaited if *is_awaited*, so that each is a
            commit of its own; else they are one script.
        is_awaited: As above.
        checks: Queries for one row each, of numbers.
        expected: What each of them answers.
    """

    number: int
    title: str
    statements: Sequence[str]
    is_awaited: bool
    checks: Sequence[str]
    expected: Sequence[Sequence[float]]

    def as_data(self) -> dict[str, Any]:
        """What a side gets; not what is expected of it."""
        data = asdict(self)
        del data["expected"]
        data["script"] = "" if self.is_awaited else "\n".join(self.statements)
        if not self.is_awaited:
            data["statements"] = []
        return data
