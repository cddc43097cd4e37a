"""Picks out of a question what to search for; no I/O."""

import re
import unicodedata
from collections.abc import Iterable

from pyodide_app.agentos.stop_words import STOP_WORDS

__all__ = ["normalized", "question_terms"]

MAX_TERMS = 10

# An apostrophe parts what a search should not see as one: l'hotel, don't, Ann's.
_WORD = re.compile(r"[^\W_]+(?:[.-][^\W_]+)*")

# Scripts that are written without spaces between words, or whose endings join
# the word: pieces of a run are searched for, as long as their words usually are.
_RUNS = (
    (re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"), 2),
    (re.compile("[\u30a0-\u30ff]{2,}"), 3),
    (re.compile("[\uac00-\ud7a3]{2,}"), 2),
    (re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]{2,}"), 4),
)
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]+"
)


def question_terms(question: str) -> list[str]:
    """Return at most ten words, or pieces of words, that *question* is about.

    The longest come first, because they say most. Words that every question has
    are left out, unless there are no others.
    """
    spaced = _WITHOUT_SPACES.sub(" ", question)
    words = _unique(match.group() for match in _WORD.finditer(spaced))
    telling = [word for word in words if not _is_common(word)]
    pieces = _unique(
        piece
        for pattern, length in _RUNS
        for run in pattern.findall(question)
        for piece in _pieces(run, length)
    )
    terms = telling + pieces
    if not terms:
        return []
    return sorted(terms, key=len, reverse=True)[:MAX_TERMS]


def normalized(text: str) -> str:
    """Return *text* as words in lower case without marks, to compare two texts."""
    return " ".join(re.findall(r"\w+", _folded(text)))


def _is_common(word: str) -> bool:
    parts = re.split(r"[^\w]+", _folded(word))
    return all(
        part in STOP_WORDS or (len(part) < 2 and not part.isdigit()) for part in parts
    )


def _folded(text: str) -> str:
    # Spreading can bring out capitals ("℠" is "SM"), and folding what spreads.
    spread = unicodedata.normalize("NFKD", text.casefold())
    spread = unicodedata.normalize("NFKD", spread.casefold())
    return "".join(c for c in spread if not unicodedata.combining(c))


def _pieces(run: str, length: int) -> list[str]:
    if len(run) <= length:
        return [run]
    return [run[at : at + length] for at in range(len(run) - length + 1)]


def _unique(words: Iterable[str]) -> list[str]:
    """Return *words* without those that differ only in case or marks."""
    return list({_folded(word): word for word in reversed(list(words))}.values())[::-1]
