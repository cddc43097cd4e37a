"""Server-sent events, parsed piece by piece.

Rule 1: no I/O. Bytes come in pieces of any size, cut anywhere, also inside a
        character or between CR and LF; the events are the same.
Rule 2: an event that the stream ends in the middle of is given by `close`.
        The specification drops it, but servers forget the last line end.
Rule 3: a line has a limit, so that a server cannot fill the memory.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import codecs
import re
from dataclasses import dataclass, replace

from pyodide_app.errors import ProviderResponseError

__all__ = ["LINE_LIMIT", "ServerEvent", "SseParser"]

LINE_LIMIT = 8 << 20
"""In characters."""

_LINE_END = re.compile("\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event.

    Attributes:
        data: The lines of its data, joined.
        event: Its type.
        is_cut: The stream ended before the empty line that ends an event.
    """

    data: str
    event: str = "message"
    is_cut: bool = False


class SseParser:
    """Turns the bytes of one stream into its events."""

    def __init__(self) -> None:
        # "utf-8-sig" would hold back a text that begins like the mark.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._is_first = True
        self._data: list[str] = []
        self._event = ""

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """Return the events that *piece* completes.

        Raises:
            ProviderResponseError: A line is longer than `LINE_LIMIT`.
        """
        return self._parse(self._decoder.decode(piece), at_end=False)

    def close(self) -> list[ServerEvent]:
        """Return the event that the end of the stream completes, if there is one."""
        events = self._parse(self._decoder.decode(b"", final=True), at_end=True)
        last = self._take_line("")
        return events + [replace(event, is_cut=True) for event in last]

    def _parse(self, text: str, *, at_end: bool) -> list[ServerEvent]:
        if self._is_first and text:
            text = text.removeprefix("\ufeff")
            self._is_first = False
        buffer = self._pending + text
        events: list[ServerEvent] = []
        start = 0
        for found in _LINE_END.finditer(buffer, self._scanned()):
            # Its LF may be in the next piece; then it is one line end, not two.
            if found.group() == "\r" and found.end() == len(buffer) and not at_end:
                break
            events += self._take_line(buffer[start : found.start()])
            start = found.end()
        self._pending = buffer[start:]
        if at_end and self._pending:
            events += self._take_line(self._pending)
            self._pending = ""
        if len(self._pending) > LINE_LIMIT:
            msg = (
                f"the provider sent a line of more than {LINE_LIMIT} characters; "
                "check its address"
            )
            raise ProviderResponseError(msg)
        return events

    def _scanned(self) -> int:
        """Return how much of the pending text is known to have no line end."""
        return max(len(self._pending) - 1, 0)

    def _take_line(self, line: str) -> list[ServerEvent]:
        if not line:
            event = ServerEvent("\n".join(self._data), self._event or "message")
            has_data = bool(self._data)
            self._data, self._event = [], ""
            return [event] if has_data else []
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._event = value
        return []
