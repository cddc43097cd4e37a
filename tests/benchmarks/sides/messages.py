"""100,000 messages as people write them: few words often, most words hardly ever.

The words are made up. How often each occurs follows Zipf's law, and one message in
ten words is long; the same seed gives the same messages everywhere.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate

__all__ = ["VOCABULARY", "messages", "queries"]

_SYLLABLES = [first + second for first in "bdfghklmnprstvwz" for second in "aeiou"]
_WORDS = 20_000
_SHORTEST, _LONGEST = 5, 60
# Nobody looks for "the" and "and".
_NOT_ASKED_FOR = 50


def _vocabulary() -> list[str]:
    chance = random.Random(1)  # noqa: S311  # it must repeat, not surprise
    words: dict[str, None] = {}
    while len(words) < _WORDS:
        words["".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4)))] = None
    return list(words)


VOCABULARY = tuple(_vocabulary())
"""The most frequent word first."""

_WEIGHTS = tuple(accumulate(1 / rank for rank in range(1, _WORDS + 1)))


def messages(count: int) -> Iterator[str]:
    """Yield the text of *count* messages of 5 to 60 words."""
    chance = random.Random(100)  # noqa: S311  # it must repeat, not surprise
    for _ in range(count):
        length = chance.randint(_SHORTEST, _LONGEST)
        yield " ".join(chance.choices(VOCABULARY, cum_weights=_WEIGHTS, k=length))


def queries(seed: int, count: int) -> Sequence[str]:
    """Return what people ask for: one or two words of those that are said.

    How likely a word is asked for follows how often it is said, but for the most
    frequent ones, which say nothing. The last word also finds longer ones that
    begin with it.
    """
    chance = random.Random(seed)  # noqa: S311  # it must repeat, not surprise
    asked = VOCABULARY[_NOT_ASKED_FOR:]
    weights = [w - _WEIGHTS[_NOT_ASKED_FOR - 1] for w in _WEIGHTS[_NOT_ASKED_FOR:]]
    return [
        " ".join(chance.choices(asked, cum_weights=weights, k=chance.randint(1, 2)))
        for _ in range(count)
    ]
