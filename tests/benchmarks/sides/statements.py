"""Our side of what every peer runs too: suites that are SQL, and round trips."""

import json
from time import perf_counter
from typing import Any

from pyodide_app.storage.adapter import StorageAdapter

__all__ = ["run_round_trips", "run_tests", "warm_up"]


async def warm_up(adapter: StorageAdapter, count: int) -> dict[str, Any]:
    """Return the mean time of the first *count* commits of this runtime."""
    await adapter.exec("CREATE TABLE warm_up(a INTEGER, c VARCHAR(100))")
    began = perf_counter()
    for a in range(count):
        await adapter.run(f"INSERT INTO warm_up VALUES({a}, 'number {a}')")
    ms = (perf_counter() - began) * 1000
    await adapter.exec("DROP TABLE warm_up")
    await adapter.flush()
    return {"ms": ms / count}


async def run_tests(
    adapter: StorageAdapter, tests: str, only: int
) -> list[dict[str, Any]]:
    """Run the first *only* of *tests*; return the time of each, and what it left.

    Each ends when all of it is durable.
    """
    answers = []
    for test in json.loads(tests)[:only]:
        began = perf_counter()
        for statement in test["statements"]:
            await adapter.run(statement)
        if test["script"]:
            await adapter.exec(test["script"])
        await adapter.flush()
        ended = perf_counter()
        found = [
            [value or 0 for value in (await adapter.get(check) or {}).values()]
            for check in test["checks"]
        ]
        answers.append({"ms": (ended - began) * 1000, "found": found})
    return answers


async def run_round_trips(
    adapter: StorageAdapter, trips: str, count: int
) -> dict[str, list[float]]:
    """Run each statement *count* times, each awaited; return the times of each."""
    given = json.loads(trips)
    await adapter.exec(given["schema"])
    times = {}
    for group in given["groups"]:
        each, sql = [], group["sql"]
        call = adapter.run if group["writes"] else adapter.all
        for number in range(1, count + 1):
            values = [number if p is None else p for p in group["parameters"]]
            began = perf_counter()
            await call(sql, values)
            each.append((perf_counter() - began) * 1000)
        times[group["title"]] = each
    await adapter.exec(given["end"])
    return times
