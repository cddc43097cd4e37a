"""The title of a conversation that its user did not name."""

__all__ = ["TITLE_LENGTH", "title_from"]

TITLE_LENGTH = 60
"""In characters; the page shortens at the same place."""

_SHORTEST = 30


def title_from(text: str) -> str:
    """Return the first line of *text*, shortened between two words.

    Empty if *text* is blank. A line without a space in its second half is cut
    where it stands, because half of a title says more than a third.
    """
    lines = text.strip().splitlines()
    line = " ".join(lines[0].split()) if lines else ""
    if len(line) <= TITLE_LENGTH:
        return line
    head = line[:TITLE_LENGTH]
    last_space = head.rfind(" ")
    return (head[:last_space] if last_space > _SHORTEST else head) + "…"
