"""Assembles a chat completion from the chunks of its stream; no I/O.

Servers differ: some send whole tool calls, some without ``index`` or ``id``; usage
comes in a chunk of its own, with the last one, or never; the end is told by
``finish_reason``, by ``[DONE]``, or by both.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyodide_app.agentos.providers.model import (
    ModelEvent,
    Progress,
    TextDelta,
    TokenCount,
    ToolCall,
)

__all__ = ["CompletionStream"]


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class CompletionStream:
    """What one stream has said so far.

    Attributes:
        finish_reason: Why it ended, or None while it has not said so.
        is_done: True once the server said that nothing follows.
        tokens: As the server counts them, or None.
        text: All text so far.
    """

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.is_done = False
        self.tokens: TokenCount | None = None
        self._pieces: list[str] = []
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._is_thinking = False

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._pieces)

    @property
    def is_complete(self) -> bool:
        """True if the answer has come to its end."""
        return self.is_done or self.finish_reason is not None

    def take(self, chunk: Mapping[str, Any]) -> list[ModelEvent]:
        """Add *chunk*, or a whole completion; return what is new in it."""
        self._take_usage(chunk.get("usage"))
        choice = _first(chunk.get("choices"))
        part = _mapping(choice.get("delta")) or _mapping(choice.get("message"))
        events: list[ModelEvent] = []
        text = part.get("content")
        if isinstance(text, str) and text:
            self._pieces.append(text)
            events.append(TextDelta(text))
        elif not self._is_thinking and (
            part.get("reasoning_content") or part.get("reasoning")
        ):
            self._is_thinking = True
            events.append(Progress("Thinking…"))
        calls = part.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            self._take_call(_mapping(call))
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self.finish_reason = reason
        return events

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Return the tool calls, assembled; those without a name are none."""
        named = [call for call in self._calls if call.name]
        return tuple(
            ToolCall(
                id=call.id or f"call_{number}",
                name=call.name,
                arguments="".join(call.arguments) or "{}",
            )
            for number, call in enumerate(named)
        )

    def _take_usage(self, value: object) -> None:
        usage = _mapping(value)
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if isinstance(prompt, int) or isinstance(completion, int):
            self.tokens = TokenCount(_count(prompt), _count(completion))

    def _take_call(self, part: Mapping[str, Any]) -> None:
        call = self._call_of(part)
        function = _mapping(part.get("function"))
        id, name = part.get("id"), function.get("name")
        if isinstance(id, str) and id:
            call.id = id
        if isinstance(name, str) and name and not call.name:
            call.name = name
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            call.arguments.append(arguments)
        elif isinstance(arguments, Mapping):
            call.arguments = [json.dumps(arguments, ensure_ascii=False)]

    def _call_of(self, part: Mapping[str, Any]) -> _Call:
        """Return the call that *part* goes on with, or a new one."""
        index, id = part.get("index"), part.get("id")
        if isinstance(index, int):
            known = self._by_index.get(index)
            # Some servers give every whole call the index 0.
            if known is not None and (not id or not known.id or known.id == id):
                return known
            call = self._new_call()
            self._by_index[index] = call
            return call
        last = self._calls[-1] if self._calls else None
        if last is None or (id and id != last.id):
            return self._new_call()
        is_whole = bool(_mapping(part.get("function")).get("name"))
        return self._new_call() if is_whole and not id else last

    def _new_call(self) -> _Call:
        call = _Call()
        self._calls.append(call)
        return call


def _first(value: object) -> Mapping[str, Any]:
    return _mapping(value[0]) if isinstance(value, list) and value else {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: object) -> int:
    return max(value, 0) if isinstance(value, int) else 0
