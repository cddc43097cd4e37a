"""Ids and times: the only module that reads the clock or draws random numbers.

Ids of things made here are UUIDv7 (RFC 9562): unique across devices, and their
text sorts by the time they were made. Ids made in one process are strictly
increasing, also within one millisecond and when the clock steps back.
"""

import hashlib
import os
import threading
import time
import uuid

__all__ = ["derived_id", "id_time_ms", "new_id", "now_ms"]

_lock = threading.Lock()
_last = 0

_TIME_SHIFT = 74
"""rand_a (12 bits) and rand_b (62 bits) follow the milliseconds."""


def now_ms() -> int:
    """Return the time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """Return a new UUIDv7, greater than every one this process made before."""
    global _last  # the order is a property of the process
    fresh = now_ms() << _TIME_SHIFT | int.from_bytes(os.urandom(10), "big") >> 6
    with _lock:
        _last = fresh if fresh > _last else _last + 1 + (fresh & 0xFFFF)
        value = _last
    return _uuid7(value >> _TIME_SHIFT, value & ((1 << _TIME_SHIFT) - 1))


def derived_id(time_ms: int, *parts: str, order: int | None = None) -> str:
    """Return the UUIDv7-shaped id that *time_ms* and *parts* always give.

    For records that come from elsewhere with an id of their own: importing the
    same record twice gives the same id. Ids of one millisecond sort by *order*,
    up to 4,095, if it is given.
    """
    digest = hashlib.sha256()
    for part in parts:
        text = part.encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(8, "big"))
        digest.update(text)
    random_bits = int.from_bytes(digest.digest()[:10], "big") >> 6
    if order is not None:
        random_bits = min(order, 0xFFF) << 62 | random_bits & ((1 << 62) - 1)
    return _uuid7(min(max(time_ms, 0), (1 << 48) - 1), random_bits)


def id_time_ms(id: str) -> int | None:
    """Return when a UUIDv7 was made, or None if *id* is another kind of id."""
    try:
        value = uuid.UUID(id)
    except ValueError:
        return None
    return value.int >> 80 if value.version == 7 else None


def _uuid7(time_ms: int, random_bits: int) -> str:
    """Build the text from 48 bits of time and 74 other bits."""
    rand_a, rand_b = random_bits >> 62, random_bits & ((1 << 62) - 1)
    value = time_ms << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
    return str(uuid.UUID(int=value))
