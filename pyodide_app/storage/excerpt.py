"""The part of a text around what was searched for, as plain text and positions.

Letters are compared as FTS5's tokenizer ``unicode61 remove_diacritics 2`` compares
them: without case and without marks.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

__all__ = ["Term", "excerpt"]

_LENGTH = 160
_BEFORE = 40
"""Characters kept before the first match."""

_ELLIPSIS = "…"
_SCANNED = 100_000
"""Longest part of a text that is looked at, so that one long text costs little."""


@dataclass(frozen=True, slots=True)
class Term:
    """What to find.

    Attributes:
        text: As a person typed it.
        where: ``word``: whole words; ``beginning``: of a word; ``anywhere``.
    """

    text: str
    where: Literal["word", "beginning", "anywhere"]


def excerpt(
    text: str, terms: Sequence[Term]
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return a part of *text* and where in it the terms are.

    Returns:
        One line of at most about 160 characters, and ``(start, end)`` of each
        match within it, in order, without overlap.
    """
    text = text[:_SCANNED]
    # One character stays one character, so positions stay what they are.
    line = _SPACE.sub(" ", text)
    found = _merged(_matches(_folded(line), terms))
    start, end = _window(line, found[0][0] if found else 0)
    prefix = _ELLIPSIS if start > 0 else ""
    suffix = _ELLIPSIS if end < len(line) else ""
    shift = len(prefix) - start
    return (
        prefix + line[start:end] + suffix,
        tuple(
            (first + shift, last + shift)
            for first, last in found
            if first >= start and last <= end
        ),
    )


def _matches(text: str, terms: Sequence[Term]) -> list[tuple[int, int]]:
    words = [] if text.isascii() else _words(text)
    found: list[tuple[int, int]] = []
    for term in terms:
        wanted = _folded(term.text)
        if term.where == "anywhere":
            at = text.find(wanted)
            while at >= 0 and wanted:
                found.append((at, at + len(wanted)))
                at = text.find(wanted, at + len(wanted))
            continue
        parts = tuple(wanted[first:last] for first, last in _words(wanted))
        is_beginning = term.where == "beginning"
        if not text.isascii():
            found.extend(_phrase_matches(text, words, parts, is_beginning))
        elif parts:
            phrase = _ascii_phrase(parts, is_beginning)
            found.extend(match.span(1) for match in phrase.finditer(text))
    return found


_SPACE = re.compile(r"\s")
"""What `str.isspace` says."""


@lru_cache(maxsize=64)
def _ascii_phrase(parts: tuple[str, ...], is_beginning: bool) -> re.Pattern[str]:
    """Return what finds the words *parts* that follow each other, in ASCII text.

    Most text is, and this takes a tenth of the time that a look at each character
    does. It matches nothing but a place, so that phrases may overlap.
    """
    end = "[a-z0-9]*" if is_beginning else ""
    phrase = "[^a-z0-9]+".join(map(re.escape, parts))
    return re.compile(f"(?<![a-z0-9])(?=({phrase}{end})(?![a-z0-9]))")


def _phrase_matches(
    text: str,
    words: Sequence[tuple[int, int]],
    parts: Sequence[str],
    is_beginning: bool,
) -> list[tuple[int, int]]:
    """Return where the words *parts* follow each other."""
    found = []
    for index in range(len(words) - len(parts) + 1 if parts else 0):
        at = words[index : index + len(parts)]
        said = [text[first:last] for first, last in at]
        last_fits = (
            said[-1].startswith(parts[-1]) if is_beginning else said[-1] == parts[-1]
        )
        if last_fits and said[:-1] == list(parts[:-1]):
            found.append((at[0][0], at[-1][1]))
    return found


def _words(text: str) -> list[tuple[int, int]]:
    """Return where the words are: runs of letters and digits."""
    found = []
    start: int | None = None
    for index, character in enumerate(text):
        if _is_in_word(character):
            start = index if start is None else start
        elif start is not None:
            found.append((start, index))
            start = None
    if start is not None:
        found.append((start, len(text)))
    return found


@lru_cache(maxsize=4096)
def _is_in_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character) in _INSIDE_WORDS


_INSIDE_WORDS = frozenset({"Mn", "Mc", "Me", "Co"})


def _folded(text: str) -> str:
    """Return *text* without case and marks, character by character."""
    if text.isascii():
        return text.lower()
    return "".join(_folded_character(character) for character in text)


@lru_cache(maxsize=4096)
def _folded_character(character: str) -> str:
    return unicodedata.normalize("NFD", character)[0].lower()[0]


def _merged(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(found):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _window(line: str, match: int) -> tuple[int, int]:
    """Return the part to show: around *match*, at spaces if some are near."""
    if len(line) <= _LENGTH:
        return 0, len(line)
    start = max(min(match - _BEFORE, len(line) - _LENGTH), 0)
    if start > 0:
        space = line.find(" ", start, match)
        start = space + 1 if space >= 0 else start
    end = min(start + _LENGTH, len(line))
    if end < len(line):
        space = line.rfind(" ", max(end - _BEFORE, match + 1), end)
        end = space if space >= 0 else end
    return start, end
