"""One turn: a question, the rounds of model and tools, and the end of the answer.

Rule 1: the question is committed before a provider is asked and before the first
        chunk. Who has seen a chunk may forget the question.
Rule 2: however the turn ends (complete, a provider's error, a cancellation, a fault
        of ours) its end is stored together with what was said.
Rule 3: a provider's error is a chunk: the reader sees it and can try again. Any
        other error is stored likewise, and raised.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from pyodide_app.agentos.chunks import Chunk, ChunkMaker, usage_of
from pyodide_app.agentos.ports import Clock
from pyodide_app.agentos.providers.model import (
    ChatMessage,
    Completed,
    ModelEvent,
    ModelRequest,
    Progress,
    Provider,
    Source,
    Sources,
    TextDelta,
    TokenCount,
    ToolCall,
    ToolCalls,
)
from pyodide_app.agentos.recorder import Recorder
from pyodide_app.agentos.tools import ToolContext, ToolRegistry
from pyodide_app.errors import ProviderError, ProviderResponseError, PyodideAppError

__all__ = ["MAX_TOOL_ROUNDS", "Asked", "Turn"]

MAX_TOOL_ROUNDS = 4
"""How often a model may ask for tools before it has to answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A stored question.

    Attributes:
        request: What the provider is asked.
        updates: What the conversation is called now, for the first chunk.
        notices: What the reader should know first.
    """

    request: ModelRequest
    updates: Mapping[str, Any]
    notices: Sequence[str] = ()


_STOPPED = "The answer was stopped; what it had said until then is kept."


@dataclass(slots=True)
class Turn:
    """One question and its answer.

    Attributes:
        ask: Stores the question, or finds it again; called once, first.
        usage: Of all rounds; set at the end.
        failure: The provider's error that ended it, or None.
    """

    recorder: Recorder
    chunks: ChunkMaker
    provider: Provider
    tools: ToolRegistry
    clock: Clock
    conversation_id: str
    ask: Callable[[], Awaitable[Asked]]
    started: float = 0.0
    first_text_at: float | None = None
    tokens: TokenCount = field(default_factory=lambda: TokenCount(0, 0))
    sources: tuple[Source, ...] = ()
    finish_reason: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    failure: ProviderError | None = None

    async def run(self) -> AsyncGenerator[Chunk, None]:
        """Yield the chunks of the answer; the last one is final."""
        self.started = self.clock.monotonic()
        try:
            async with aclosing(self._answer()) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ProviderError as error:
            self.failure = error
            yield await self._fail(error.code, str(error), error.detail)
        except PyodideAppError as error:
            await self._fail(error.code, str(error), error.detail)
            raise
        except (GeneratorExit, asyncio.CancelledError):
            await self._fail("cancelled", _STOPPED, {"retryable": True})
            raise
        except Exception as error:
            # Its text is for the log; a reader could do nothing with it.
            message = f"The answer ended by a fault: {type(error).__name__}."
            await self._fail("internal", message, {})
            raise

    async def _answer(self) -> AsyncGenerator[Chunk, None]:
        asked = await self.ask()
        yield self.chunks.metadata_update(self.clock.now_ms(), asked.updates)
        for notice in asked.notices:
            yield self.chunks.system_progress(self.clock.now_ms(), notice, "notice")
        messages = list(asked.request.messages)
        for round_number in range(MAX_TOOL_ROUNDS + 1):
            is_last = round_number == MAX_TOOL_ROUNDS
            request = replace(
                asked.request,
                messages=tuple(messages),
                tools=() if is_last else self.tools.descriptions(),
            )
            before = len(self.recorder.text)
            calls: tuple[ToolCall, ...] = ()
            async with aclosing(self._events(request)) as events:
                async for event in events:
                    if isinstance(event, ToolCalls):
                        calls = event.calls
                    elif (chunk := self._take(event, before)) is not None:
                        yield chunk
            if not calls or is_last:
                break
            yield await self._request_tools(calls)
            said = self.recorder.text[before:].strip()
            messages.append(ChatMessage("assistant", said, tool_calls=calls))
            async with aclosing(self._call_tools(calls, asked.request)) as results:
                async for chunk, message in results:
                    messages.append(message)
                    yield chunk
        yield await self._finish()

    def _take(self, event: ModelEvent, before: int) -> Chunk | None:
        """Note *event*; return the chunk it is for the reader, if it is one."""
        match event:
            case TextDelta(text):
                if before and len(self.recorder.text) == before:
                    text = f"\n\n{text}"  # a new round begins a new paragraph
                if self.first_text_at is None:
                    self.first_text_at = self.clock.monotonic()
                self.recorder.add_text(text)
                return self.chunks.text_delta(self.clock.now_ms(), text)
            case Progress(message):
                now = self.clock.now_ms()
                return self.chunks.system_progress(now, message, "working")
            case Sources(sources):
                self.sources = sources
            case Completed(reason, tokens):
                self.finish_reason = reason
                self.tokens = TokenCount(
                    self.tokens.prompt + tokens.prompt,
                    self.tokens.completion + tokens.completion,
                    self.tokens.is_estimated or tokens.is_estimated,
                )
        return None

    async def _events(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Yield what the provider says, storing text whenever that is due.

        The provider runs in a task of its own, so that text is also stored in time
        while it is silent.
        """
        queue: asyncio.Queue[ModelEvent | None] = asyncio.Queue()
        producer = asyncio.create_task(_produce(self.provider, request, queue))
        try:
            while True:
                event = await self._next(queue)
                if event is None:
                    break
                yield event
            await producer  # raises what the provider raised
        finally:
            producer.cancel()
            await asyncio.gather(producer, return_exceptions=True)

    async def _next(self, queue: asyncio.Queue[ModelEvent | None]) -> ModelEvent | None:
        while True:
            due_in = self.recorder.due_in()
            if due_in is not None and due_in <= 0:
                await self.recorder.flush()
                continue
            try:
                async with asyncio.timeout(due_in):
                    return await queue.get()
            except TimeoutError:
                await self.recorder.flush()

    async def _request_tools(self, calls: Sequence[ToolCall]) -> Chunk:
        await self.recorder.flush()
        at = self.recorder.next_time()
        chunk = self.chunks.tool_call_request(at, calls)
        await self.recorder.store(chunk, at)
        return chunk

    async def _call_tools(
        self, calls: Sequence[ToolCall], request: ModelRequest
    ) -> AsyncGenerator[tuple[Chunk, ChatMessage], None]:
        """Run *calls*; yield each result for the reader and for the model.

        What the reader is told is stored before.
        """
        context = ToolContext(
            request.user_id, request.conversation_id, request.question_event_id
        )
        for call in calls:
            result = await self.tools.run(call, context)
            at = self.recorder.next_time()
            chunk = self.chunks.tool_result_emission(at, call, result)
            await self.recorder.store(chunk, at)
            yield (
                chunk,
                ChatMessage("tool", result.for_model(), tool_call_id=call.id),
            )

    async def _finish(self) -> Chunk:
        text = self.recorder.text
        if not text.strip():
            msg = "the model asked for tools without answering; try again"
            raise ProviderResponseError(msg)
        cost = self.provider.cost_usd(self.tokens)
        self.usage = usage_of(self.tokens, cost)
        at = self.recorder.next_time()
        facts = self._facts()
        chunk = self.chunks.final_response(
            at,
            text,
            usage=self.usage,
            sources=self.sources,
            metadata={**facts, "finishReason": self.finish_reason},
        )
        await self.recorder.end(
            chunk,
            at,
            telemetry_type="token_usage",
            telemetry={
                "promptTokens": self.tokens.prompt,
                "completionTokens": self.tokens.completion,
                "totalTokens": self.tokens.prompt + self.tokens.completion,
                "costUSD": cost,
                "isEstimated": self.tokens.is_estimated,
                **facts,
            },
            supersedes=True,
        )
        return chunk

    async def _fail(self, code: str, message: str, details: dict[str, object]) -> Chunk:
        at = self.recorder.next_time()
        facts = self._facts()
        chunk = self.chunks.error(
            at,
            code,
            message,
            details=details,
            partial_text=self.recorder.text,
            metadata=facts,
        )
        await self.recorder.end(
            chunk,
            at,
            telemetry_type="answer_failed",
            telemetry={"code": code, **facts},
        )
        return chunk

    def _facts(self) -> dict[str, Any]:
        now = self.clock.monotonic()
        facts: dict[str, Any] = {
            "conversationId": self.conversation_id,
            "questionEventId": self.recorder.question_id,
            "provider": self.provider.name,
            "model": self.provider.model,
            "latencyMs": round((now - self.started) * 1000),
        }
        if self.first_text_at is not None:
            first = self.first_text_at - self.started
            facts["firstTokenMs"] = round(first * 1000)
        return facts


async def _produce(
    provider: Provider, request: ModelRequest, queue: asyncio.Queue[ModelEvent | None]
) -> None:
    """Put what *provider* says into *queue*, and None at its end, however it ends."""
    try:
        async with aclosing(provider.answer(request)) as events:
            async for event in events:
                queue.put_nowait(event)
    finally:
        queue.put_nowait(None)
