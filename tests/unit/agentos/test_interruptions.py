"""Whatever ends an answer, at whatever chunk: the question and a prefix are kept."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from pyodide_app.agentos import AgentOS, messages_from_events
from pyodide_app.agentos.providers.model import (
    Completed,
    TextDelta,
    TokenCount,
    ToolCall,
    ToolCalls,
)
from pyodide_app.storage import (
    MemoryAdapter,
    NativeSqliteAdapter,
    create_agentos_storage,
)

WORDS = ["One ", "two ", "three ", "four ", "five."]
ANSWER = "Let me look.\n\n" + "".join(WORDS)
CHUNKS = 10
"""metadata_update, a delta, request, emission, five deltas, final_response."""


class Scripted:
    """A provider that looks something up and then counts to five.

    With *steps*, it waits for one before each event.
    """

    name, model, context_tokens = "scripted", "scripted", 1000

    def __init__(self, steps=None):
        self.steps = steps
        self.opened = self.closed = 0

    async def answer(self, request):
        self.opened += 1
        try:
            for event in self.script(request):
                if self.steps is not None:
                    await self.steps.get()
                else:
                    await asyncio.sleep(0)
                yield event
        finally:
            self.closed += 1

    def script(self, request):
        if request.messages[-1].role == "tool":
            yield from map(TextDelta, WORDS)
            yield Completed("stop", TokenCount(7, 7))
        else:
            yield TextDelta("Let me look.")
            yield ToolCalls((ToolCall("1", "search_conversations", '{"query": "x"}'),))
            yield Completed("tool_calls", TokenCount(3, 3))

    def cost_usd(self, tokens):
        return 0.5


def start(agentos, provider):
    return agentos.stream_user_message(
        user_id="ann", user_message="Count.", conversation_id="c", provider=provider
    )


async def read(agentos, provider, seen):
    """Read an answer to its end; *seen* has the text that the reader has seen."""
    async for chunk in start(agentos, provider):
        text = chunk.get("textDelta", "")
        seen.append(text)


async def check(storage, seen):
    """Check that the database has all that was *seen*; return the answer's state."""
    found = await storage.conversations.get("c")
    question, *answers = messages_from_events(found.events)
    assert (question.role, question.text) == ("user", "Count.")
    (answer,) = answers
    assert ANSWER.startswith(answer.text)
    assert answer.text.startswith("".join(seen))
    assert not any(event.event_type == "text_delta" for event in found.events)
    telemetry = (await storage.telemetry.list("c")).items
    assert len(telemetry) == 1
    return answer, found.events[-1].event_data, telemetry[0]


@pytest.mark.parametrize("last", range(1, CHUNKS + 1))
async def test_closing_the_stream_after_any_chunk_keeps_what_was_said(
    agentos, storage, last
):
    provider = Scripted()
    seen, count = [], 0

    async with aclosing(start(agentos, provider)) as chunks:
        async for chunk in chunks:
            seen.append(chunk.get("textDelta", ""))
            count += 1
            if count == last:
                break

    answer, end, telemetry = await check(storage, seen)
    if last == CHUNKS:
        assert answer.status == "complete"
        assert telemetry.event_type == "token_usage"
    else:
        assert answer.status == "failed"
        assert end["code"] == "cancelled"
        assert end["details"] == {"retryable": True}
        assert telemetry.event_type == "answer_failed"
    assert provider.closed == provider.opened


@pytest.mark.parametrize("last", range(CHUNKS + 1))
async def test_cancelling_the_task_while_it_waits_keeps_what_was_said(
    agentos, storage, last
):
    """The provider is silent after *last* events, and then the task is cancelled."""
    provider = Scripted(asyncio.Queue())
    seen = []

    for _ in range(last):
        provider.steps.put_nowait(None)
    task = asyncio.create_task(read(agentos, provider, seen))
    while await _is_moving(task, seen):
        pass
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    answer, _, _ = await check(storage, seen)
    assert task.cancelled() == (last < 9)
    assert answer.status == ("failed" if last < 9 else "complete")


async def _is_moving(task, seen):
    before = len(seen)
    for _ in range(50):
        await asyncio.sleep(0)
    return not task.done() and len(seen) > before


@pytest.mark.parametrize("turns", range(0, 120, 3))
async def test_cancelling_at_any_turn_of_the_loop_loses_nothing(
    agentos, storage, turns
):
    """Also in the middle of a write, where nobody knows if it was committed."""
    seen = []

    task = asyncio.create_task(read(agentos, Scripted(), seen))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    if await storage.conversations.find("c") is None:
        assert seen == []
        return
    answer, _, _ = await check(storage, seen)
    assert answer.status in ("failed", "complete")


@pytest.mark.parametrize("writes", range(1, 9))
async def test_a_cancellation_during_a_durable_write_loses_nothing(tmp_path, writes):
    """In the mode ``commit`` a call returns later than its commit."""
    adapter = SlowToBeDurable(str(tmp_path / "a.db"))
    async with await create_agentos_storage(adapter=adapter) as storage:
        agentos = AgentOS()
        await agentos.initialize(storage_adapter=storage)
        seen = []

        task = asyncio.create_task(read(agentos, Scripted(), seen))
        adapter.cancel_after(writes, task)
        await asyncio.gather(task, return_exceptions=True)
        adapter.cancel_after(None, None)

        await check(storage, seen)


class SlowToBeDurable(NativeSqliteAdapter):
    """Cancels a task in the moment between a commit and its being durable."""

    def __init__(self, path):
        super().__init__(path)
        self._left, self._victim = None, None

    def cancel_after(self, writes, victim):
        self._left, self._victim = writes, victim

    async def _make_durable(self):
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._victim.cancel()
                await asyncio.sleep(0)
        await super()._make_durable()


async def test_a_process_that_dies_keeps_all_but_the_last_moment(agentos, storage):
    """Nothing of ours runs after a crash: what is stored is what there is."""
    provider = Scripted(asyncio.Queue())
    changes = storage.watch(["conversation_events"])
    for _ in range(6):
        provider.steps.put_nowait(None)
    seen = []

    task = asyncio.create_task(read(agentos, provider, seen))
    async with asyncio.timeout(10):
        while "three " not in await _streamed(storage):
            await anext(changes)
    image = await storage.export_database()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    changes.close()

    other = AgentOS()
    after = await _restored(image)
    await other.initialize(storage_adapter=after)
    found = await after.conversations.get("c")
    answer = messages_from_events(found.events)[-1]
    assert answer.status == "interrupted"
    assert answer.text == "Let me look.\n\nOne two three "
    await after.close()


async def _streamed(storage):
    row = await storage.adapter.get(
        "SELECT group_concat(event_data ->> '$.textDelta', '') AS text "
        "FROM conversation_events"
    )
    return row["text"] or ""


async def _restored(image):
    adapter = MemoryAdapter()
    await adapter.open()
    staged = adapter.scratch_path("crash.db")
    Path(staged).write_bytes(image)
    await adapter.replace_database(staged)
    return await create_agentos_storage(adapter=adapter)
