"""Imports hostile files into a live database, and says of each how it ended.

Run by `test_hostile_imports.py` in a process of its own, which may crash or hang:
what it was at is said before it is begun. One JSON object a line.
"""

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pyodide_app.errors import BackupError
from pyodide_app.storage import create_agentos_storage
from pyodide_app.storage.adapters.native import NativeSqliteAdapter
from pyodide_app.storage.backup import inspect_backup
from pyodide_app.storage.facade import AgentOSStorage
from tests.faults.hostile_files import hostile_file, kind_of
from tests.unit.backup.histories import image, left_behind

__all__ = ["Outcome"]

_SAID = {"type": "user_message", "text": "Is the walrus still here?"}

_Schema = frozenset[tuple[object, ...]]


@dataclass(frozen=True)
class Outcome:
    """How one file ended.

    Attributes:
        number: With the seed it gives the file.
        kind: What was done to make it.
        mode: ``replace`` and ``merge`` as in the facade, ``adopt`` as in the adapter.
        size: Of the file, in bytes.
        end: ``imported``, or the code of the refusal.
        wrong: What must not be, or nothing.
        seconds: Of this process, for the inspection and the import.
        grown: Memory it took at its peak, in bytes; 0 where nobody tells.
    """

    number: int
    kind: str
    mode: str
    size: int
    end: str
    wrong: str
    seconds: float
    grown: int


@contextlib.asynccontextmanager
async def _live(pristine: Path) -> AsyncIterator[AgentOSStorage]:
    """Open a copy of *pristine*."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "live.db"
        if pristine.exists():
            shutil.copyfile(pristine, file)
        adapter = NativeSqliteAdapter(file, durability="batched")
        async with await create_agentos_storage(adapter=adapter) as storage:
            yield storage


async def _schema(storage: AgentOSStorage) -> _Schema:
    rows = await storage.adapter.all("SELECT type, name, sql FROM sqlite_schema")
    return frozenset(tuple(row.values()) for row in rows)


async def _import(storage: AgentOSStorage, data: bytes, mode: str) -> str:
    """Return ``imported``, or the code of the refusal."""
    try:
        inspect_backup(data)
        inspected = "imported"
    except BackupError as error:
        inspected = error.code
    try:
        if mode == "adopt":
            await storage.adapter.import_database(data)
        elif mode == "merge":
            await storage.import_database(data, mode="merge")
        else:
            await storage.import_database(data)
    except BackupError as error:
        if mode != "adopt" and inspected not in (error.code, "imported"):
            msg = f"the inspection said {inspected}, the import {error.code}"
            raise AssertionError(msg) from error
        return error.code
    return "imported"


async def _check(storage: AgentOSStorage, mode: str, ours: _Schema) -> None:
    """Raise unless what was imported is sound, and nothing of the file can run."""
    # Rows of other tables are taken as they are.
    await storage.adapter.run("PRAGMA ignore_check_constraints = ON")
    lines = await storage.adapter.all("PRAGMA integrity_check")
    await storage.adapter.run("PRAGMA ignore_check_constraints = OFF")
    assert lines == [{"integrity_check": "ok"}], lines
    schema = await _schema(storage)
    code = [
        row
        for row in schema - ours
        if row[0] not in ("table", "index") or "VIRTUAL" in str(row[2]).upper()[:20]
    ]
    if mode == "adopt":
        return
    assert code == [], code
    assert ours <= schema, ours - schema
    for table in ("conversation_events", "search_text"):
        assert await storage.adapter.all(f"PRAGMA foreign_key_check({table})") == []
    # The database can be worked with, and finds what is written.
    await storage.conversations.save("new", "me", "p", [_SAID])
    await storage.sessions.save("new", "me", "N", target_type="persona", target_id="p")
    await storage.telemetry.record("s", "token_usage", {"totalTokens": 1})
    hits = await storage.conversations.search("walrus still")
    assert "new" in [hit.conversation_id for hit in hits], hits
    assert await storage.conversations.delete("new")


async def _outcome(
    storage: AgentOSStorage, seed: int, number: int, ours: _Schema
) -> Outcome:
    data = hostile_file(seed, number)
    mode = _mode_of(seed, number)
    before = await image(storage)
    base, wrong, end = _reset_peak(), "", "broken"
    begun = time.process_time()
    try:
        end = await _import(storage, data, mode)
        seconds, grown = time.process_time() - begun, _peak() - base
        assert left_behind(storage) == [], "scratch files stay"
        if end == "imported":
            await _check(storage, mode, ours)
        else:
            assert await image(storage) == before, "the live database has changed"
    except Exception as error:  # noqa: BLE001 (see below)
        # Whatever it is, it is no outcome that an import may have.
        seconds, grown = time.process_time() - begun, _peak() - base
        wrong = f"{type(error).__name__}: {error}"[:2000]
    return Outcome(
        number, kind_of(number), mode, len(data), end, wrong, seconds, max(0, grown)
    )


def _mode_of(seed: int, number: int) -> str:
    rng = random.Random(f"mode {seed}:{number}")  # noqa: S311 (to repeat)
    return rng.choice(("replace", "replace", "merge", "merge", "adopt"))


_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def _reset_peak() -> int:
    """Begin to look for the largest memory anew; return the present one."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")
    return _peak()


def _peak() -> int:
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _run(seed: int, first: int, last: int, step: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pristine = Path(folder) / "pristine.db"
        async with _live(pristine) as storage:
            await storage.conversations.save("live", "me", "p", [_SAID])
            ours = await _schema(storage)
            await storage.flush()
            pristine.write_bytes(await storage.export_database())
        numbers = iter(range(first, last, step))
        number = next(numbers, None)
        while number is not None:
            async with _live(pristine) as storage:
                # As long as everything is refused, it is the same database.
                while number is not None:
                    _say({"begun": number})
                    outcome = await _outcome(storage, seed, number, ours)
                    _say(asdict(outcome))
                    number = next(numbers, None)
                    if outcome.end == "imported" or outcome.wrong:
                        break


def main(arguments: list[str]) -> None:
    """Import the files *first*, *first* + *step*, … below *last*."""
    parser = argparse.ArgumentParser()
    for name, default in (("seed", 7), ("first", 0), ("last", 100), ("step", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asyncio.run(_run(**vars(parser.parse_args(arguments))))


if __name__ == "__main__":
    main(sys.argv[1:])
