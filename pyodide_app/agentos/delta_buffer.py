"""Decides when text that streams in is written.

A model sends dozens of pieces a second. Each as a row of its own would cost a
commit and wake every tab. So they are gathered until they are old or long enough;
a crash loses at most what is gathered.
"""

__all__ = ["DeltaBuffer"]

MAX_AGE_S = 0.25
MAX_CHARACTERS = 1000


class DeltaBuffer:
    """Text that has arrived and is not written yet. Times are seconds."""

    def __init__(
        self, *, max_age: float = MAX_AGE_S, max_characters: int = MAX_CHARACTERS
    ) -> None:
        self._max_age = max_age
        self._max_characters = max_characters
        self._pieces: list[str] = []
        self._length = 0
        self._since = 0.0

    def add(self, text: str, now: float) -> None:
        """Take *text*, which arrived at *now*."""
        if not self._pieces:
            self._since = now
        self._pieces.append(text)
        self._length += len(text)

    def due_in(self, now: float) -> float | None:
        """Return how long it may wait from *now*; 0 is now, None if it is empty."""
        if not self._pieces:
            return None
        if self._length >= self._max_characters:
            return 0.0
        return max(self._since + self._max_age - now, 0.0)

    def take(self) -> str:
        """Return what was gathered, and begin anew."""
        text = "".join(self._pieces)
        self._pieces.clear()
        self._length = 0
        return text
