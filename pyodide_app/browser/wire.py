"""What crosses the border: one JSON text, and byte arrays beside it.

The twin of ``web/core/wire-codec.js``, which draws the format;
``tests/data/wire-vectors.json`` holds both to the same.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

__all__ = ["Blob", "as_record", "decode", "encode"]

_SAFE: Final = 2**53
_MARK: Final = '"$"'
# Of a JSON text with something before it. Fractions may be as long as they like.
_LONG_INTEGER: Final = re.compile(r"[^.0-9][0-9]{16}")
_BYTES: Final = bytes | bytearray | memoryview
_FLOATS: Final = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that stay on the other side of the border: only handed through."""

    handle: Any


def encode(value: object) -> tuple[str, list[Any]]:
    """Return *value* as JSON text, and the byte arrays it refers to.

    Raises:
        TypeError: It holds something that is no data.
    """
    blobs: list[Any] = []

    def set_aside(item: object) -> object:
        if isinstance(item, _BYTES | Blob):
            return _blob(item, blobs)
        msg = f"a {type(item).__name__} cannot cross to the page"
        raise TypeError(msg)

    try:
        text = _dump(value, set_aside)
    except ValueError:
        pass  # A number that JSON lacks.
    else:
        # Most values need nothing special, and the C encoder is much faster than
        # a walk; what it cannot know is looked for in its text.
        if text.count(_MARK) == len(blobs) and not _LONG_INTEGER.search(f" {text}"):
            return text, blobs
    blobs.clear()
    return _dump(_prepare(value, blobs), None), blobs


def decode(text: str, blobs: Sequence[Any], read: Callable[[Any], object]) -> Any:  # noqa: ANN401  # any data
    """Return what the other side encoded; *read* turns a byte array into a value.

    Raises:
        ValueError: It is not of this format.
    """
    if _MARK not in text:
        return json.loads(text)

    def revive(pairs: list[tuple[str, Any]]) -> object:
        found = dict(pairs)
        match found.get("$") if "$" in found else None:
            case None:
                return found
            case "blob":
                return read(blobs[found["i"]])
            case "int":
                return int(found["v"])
            case "float":
                return _FLOATS[found["v"]]
            case "object":
                return {key: value for key, value in found["v"]}  # noqa: C416  # lists
            case mark:
                msg = f"the payload has an unknown mark {mark!r}"
                raise ValueError(msg)

    try:
        return json.loads(text, object_pairs_hook=revive)
    except (LookupError, TypeError) as error:
        msg = f"the payload has a malformed mark: {error}"
        raise ValueError(msg) from error


def as_record(value: object) -> Any:  # noqa: ANN401  # any data
    """Return records as plain data with the names that JavaScript uses.

    Only the names of our own fields change, never a key inside metadata, event
    data, a definition, or a row.
    """
    if is_dataclass(value) and not isinstance(value, type | Blob):
        record = {
            _camel(field.name): as_record(getattr(value, field.name))
            for field in fields(value)
        }
        title = getattr(value, "title", None)
        if "title" not in record and isinstance(title, str):
            record["title"] = title
        return record
    if isinstance(value, tuple | list):
        # Rows are the most numerous, and are data already.
        return [item if type(item) is dict else as_record(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(value)
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _dump(value: object, default: Callable[[object], object] | None) -> str:
    return json.dumps(
        value,
        allow_nan=False,
        ensure_ascii=False,
        separators=(",", ":"),
        default=default,
    )


def _blob(value: "bytes | bytearray | memoryview | Blob", blobs: list[Any]) -> object:
    blobs.append(value.handle if isinstance(value, Blob) else bytes(value))
    return {"$": "blob", "i": len(blobs) - 1}


def _prepare(value: object, blobs: list[Any]) -> object:
    match value:
        case None | bool() | str():
            return value
        case int():
            if -_SAFE < value < _SAFE:
                return value
            return {"$": "int", "v": str(value)}
        case float():
            if math.isfinite(value):
                return value
            return {"$": "float", "v": str(value)}
        case bytes() | bytearray() | memoryview() | Blob():
            return _blob(value, blobs)
        case list() | tuple():
            return [_prepare(item, blobs) for item in value]
        case Mapping():
            entries = [[str(key), _prepare(item, blobs)] for key, item in value.items()]
            if "$" in value:
                return {"$": "object", "v": entries}
            return dict(entries)  # type: ignore[arg-type]  # pairs
        case _:
            msg = f"a {type(value).__name__} cannot cross to the page"
            raise TypeError(msg)
