"""Bits and pages of real files are changed at random: refused, or imported.

There is no third outcome: no other error, no crash, no half of an import. What
comes in is sound, and what is refused is refused by an inspection, too.
"""

import asyncio
import random

import pytest

from pyodide_app.errors import BackupError
from pyodide_app.storage.backup import inspect_backup
from tests.unit.backup.conftest import DATA
from tests.unit.backup.histories import image, left_behind

ORIGINALS = [file.read_bytes() for file in sorted(DATA.glob("original-*.db"))]
PAGE = 4096

# A sound import of the largest takes less than a second.
LIMIT_S = 60


def flipped_bits(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def changed_page_headers(rng: random.Random, data: bytearray) -> None:
    """The first bytes of a page say what it is and where its cells lie."""
    for _ in range(rng.choice((1, 2, 5))):
        start = rng.randrange(len(data) // PAGE) * PAGE
        at = start + (100 if start == 0 else 0) + rng.randrange(40)
        data[at] = rng.choice((0, 1, 2, 5, 10, 13, 127, 255, rng.randrange(256)))


def changed_file_header(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 1, 3))):
        data[rng.randrange(16, 100)] = rng.randrange(256)


def changed_schema(rng: random.Random, data: bytearray) -> None:
    """The definitions stand on the first page."""
    for _ in range(rng.choice((1, 2, 10))):
        data[rng.randrange(108, PAGE)] = rng.choice(b"\0()'\",;xA1 \xff")


def swapped_pages(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 2))):
        a, b = (rng.randrange(len(data) // PAGE) * PAGE for _ in range(2))
        data[a : a + PAGE], data[b : b + PAGE] = data[b : b + PAGE], data[a : a + PAGE]


def foreign_pages(rng: random.Random, data: bytearray) -> None:
    other = rng.choice(ORIGINALS)
    for _ in range(rng.choice((1, 3))):
        to, at = (rng.randrange(len(x) // PAGE) * PAGE for x in (data, other))
        data[to : to + PAGE] = other[at : at + PAGE]


def spliced(rng: random.Random, data: bytearray) -> None:
    """Bytes of one place stand in another, as after a bad copy."""
    length = rng.randrange(1, 3 * PAGE)
    to, at = (rng.randrange(len(data) - length) for _ in range(2))
    data[to : to + length] = data[at : at + length]


CHANGES = (
    flipped_bits,
    changed_page_headers,
    changed_file_header,
    changed_schema,
    swapped_pages,
    foreign_pages,
    spliced,
)


def mutated(seed: int) -> bytes:
    rng = random.Random(seed)  # noqa: S311 (to repeat, not to hide)
    data = bytearray(rng.choice(ORIGINALS))
    rng.choice(CHANGES)(rng, data)
    return bytes(data)


async def outcome(storage, data: bytes, mode: str) -> str:
    """Import *data*, and return ``imported`` or the code of its refusal."""
    inspected = inspection(data)
    before = await image(storage)
    code = "imported"
    try:
        async with asyncio.timeout(LIMIT_S):
            await storage.import_database(data, mode=mode)
    except BackupError as error:
        code = error.code

    assert left_behind(storage) == []
    # Copying looks at more than an inspection: it may refuse what that took.
    assert inspected in (code, "imported")
    if code == "imported":
        lines = await storage.adapter.all("PRAGMA integrity_check")
        assert lines == [{"integrity_check": "ok"}]
    else:
        assert await image(storage) == before
    return code


def inspection(data: bytes) -> str:
    try:
        inspect_backup(data)
    except BackupError as error:
        return error.code
    return "imported"


@pytest.mark.parametrize("mode", ["replace", "merge"])
@pytest.mark.parametrize("start", range(0, 60, 20))
async def test_a_mutated_file_is_refused_or_imported(storage, mode, start):
    found = set()
    for seed in range(start, start + 20):
        try:
            found.add(await outcome(storage, mutated(seed), mode))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    assert "imported" in found
    assert len(found) > 1
