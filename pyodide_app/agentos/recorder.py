"""Writes a question and its answer while the answer streams in.

Rule 1: the question is committed before a provider is asked.
Rule 2: text is stored as ``text_delta`` events on the way. One transaction puts the
        end (``final_response``, or ``error`` with the text so far) in their place,
        together with its telemetry.
Rule 3: a cancellation can come while a write is under way, and then nobody knows
        whether it was committed. So ids are made before the write: removing a row
        that is not there does no harm, and an end that is there is not written again.
Rule 4: an event is never older than the one before it, even if the clock steps
        back: events are ordered by time.
"""

from collections.abc import Collection, Mapping
from typing import Any

from pyodide_app.agentos.chunks import Chunk
from pyodide_app.agentos.delta_buffer import DeltaBuffer
from pyodide_app.agentos.ports import Clock
from pyodide_app.agentos.stored_events import has_event
from pyodide_app.ids import new_id
from pyodide_app.storage.adapter import StorageAdapter
from pyodide_app.storage.facade import AgentOSStorage
from pyodide_app.storage.records import ConversationEvent

__all__ = ["Recorder"]

_DAY_MS = 86_400_000
"""An event that lies further in the future was written by a wrong clock."""


class Recorder:
    """Stores one turn of one conversation.

    Attributes:
        question_id: The event of the question; empty while there is none.
        superseded: Events that the next complete answer takes the place of.
    """

    def __init__(
        self,
        storage: AgentOSStorage,
        conversation_id: str,
        clock: Clock,
        *,
        stream_id: str,
    ) -> None:
        self._storage = storage
        self._conversation_id = conversation_id
        self._clock = clock
        self._stream_id = stream_id
        self._buffer = DeltaBuffer()
        self._pieces: list[str] = []
        self._delta_ids: list[str] = []
        self._end_id = ""
        self._last_at = 0
        self.question_id = ""
        self.superseded: Collection[str] = ()

    @property
    def text(self) -> str:
        """Everything the answer has said."""
        return "".join(self._pieces)

    def follow(self, timestamp: int) -> None:
        """Make the next event later than one of *timestamp*."""
        if timestamp <= self._clock.now_ms() + _DAY_MS:
            self._last_at = max(self._last_at, timestamp)

    def next_time(self) -> int:
        """Return the time of the next event, in Unix milliseconds."""
        self._last_at = max(self._clock.now_ms(), self._last_at + 1)
        return self._last_at

    async def ask(self, text: str) -> None:
        """Store the question that is answered."""
        self.question_id = new_id()
        data = {"type": "user_message", "text": text}
        event = self._event(self.question_id, data, self.next_time())
        await self._storage.conversations.append(self._conversation_id, event)

    def add_text(self, text: str) -> None:
        """Take more of the answer; it is stored by `flush`, when due."""
        self._pieces.append(text)
        self._buffer.add(text, self._clock.monotonic())

    def due_in(self) -> float | None:
        """Return in how many seconds `flush` is due; None if there is no need."""
        return self._buffer.due_in(self._clock.monotonic())

    async def flush(self) -> None:
        """Store the text that was added."""
        text = self._buffer.take()
        if not text:
            return
        data = {"type": "text_delta", "streamId": self._stream_id, "textDelta": text}
        event = self._event(new_id(), data, self.next_time())
        self._delta_ids.append(event.id)
        await self._storage.conversations.append(self._conversation_id, event)

    async def store(self, chunk: Chunk, at: int) -> None:
        """Store a chunk that is part of the answer, after the text before it."""
        await self._storage.conversations.append(
            self._conversation_id, self._event(new_id(), chunk, at)
        )

    async def end(
        self,
        chunk: Chunk,
        at: int,
        *,
        telemetry_type: str,
        telemetry: Mapping[str, Any],
        supersedes: bool = False,
    ) -> bool:
        """Store the end of the answer in the place of its deltas, all or nothing.

        Returns:
            False if there was nothing to do: it has ended, or never began.
        """

        async def work(adapter: StorageAdapter) -> bool:
            if self._end_id and await has_event(adapter, self._end_id):
                return False
            if not await has_event(adapter, self.question_id):
                return False
            self._end_id = new_id()
            replaced = [*self._delta_ids, *(self.superseded if supersedes else ())]
            await self._storage.conversations.finish_stream(
                self._conversation_id,
                replaced,
                self._event(self._end_id, chunk, at),
            )
            await self._storage.telemetry.record(
                self._conversation_id, telemetry_type, telemetry, timestamp=at
            )
            return True

        return await self._storage.adapter.transaction(work)

    @property
    def end_id(self) -> str:
        """The event that ended the answer; empty before that."""
        return self._end_id

    def _event(self, id: str, data: Mapping[str, Any], at: int) -> ConversationEvent:
        return ConversationEvent(
            id, self._conversation_id, str(data["type"]), dict(data), at
        )
