"""Tools that a model may ask for."""

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pyodide_app.agentos.passages import find_passages
from pyodide_app.agentos.providers.model import ToolCall, ToolDescription
from pyodide_app.storage.facade import AgentOSStorage

__all__ = ["ToolContext", "ToolHandler", "ToolRegistry", "ToolResult", "search_tool"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What every server accepts."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """For whom a tool runs.

    Attributes:
        user_id: Whose stored conversations may be read; None for everybody's.
        question_event_id: The question being answered.
    """

    user_id: str | None
    conversation_id: str
    question_event_id: str


ToolHandler: TypeAlias = Callable[[Mapping[str, Any], ToolContext], Awaitable[Any]]
"""Takes the arguments as the model gave them; returns JSON. What it raises is told
to the model."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a call.

    Attributes:
        value: JSON; None if it failed.
        error_message: Why it failed, or None.
    """

    value: Any
    error_message: str | None = None

    def for_model(self) -> str:
        """Return it as the text that the model reads."""
        if self.error_message is not None:
            return json.dumps({"error": self.error_message}, ensure_ascii=False)
        if isinstance(self.value, str):
            return self.value
        return json.dumps(self.value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Tool:
    description: ToolDescription
    handler: ToolHandler


class ToolRegistry:
    """The tools of one runtime, by name."""

    def __init__(self) -> None:
        self._tools: dict[str, _Tool] = {}

    def register(
        self,
        name: str,
        description: str,
        parameters: Mapping[str, Any],
        handler: ToolHandler,
    ) -> None:
        """Add a tool, or replace the one of that name.

        Args:
            name: Letters, digits, ``_`` and ``-``, at most 64.
            description: Tells the model when to use it.
            parameters: JSON Schema of the arguments: an object.
            handler: Runs it, see `ToolHandler`.

        Raises:
            ValueError: The name or the schema is not usable.
            TypeError: The handler is not async.
        """
        if not _NAME.fullmatch(name):
            msg = f"a tool's name is 1 to 64 of A-Z a-z 0-9 _ -, not {name!r}"
            raise ValueError(msg)
        if parameters.get("type") != "object":
            msg = f"the parameters of {name} must be a JSON Schema of type object"
            raise ValueError(msg)
        if not inspect.iscoroutinefunction(handler):
            msg = f"the handler of {name} must be an async function"
            raise TypeError(msg)
        self._tools[name] = _Tool(
            ToolDescription(name, description, dict(parameters)), handler
        )

    def descriptions(self) -> tuple[ToolDescription, ...]:
        """Return what a model is told."""
        return tuple(tool.description for tool in self._tools.values())

    async def run(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Return what came of *call*. A tool that fails does not end the answer."""
        tool = self._tools.get(call.name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            return ToolResult(None, f"there is no tool {call.name}; known: {known}")
        try:
            arguments = json.loads(call.arguments)
        except (ValueError, RecursionError):
            return ToolResult(None, "the arguments are not valid JSON")
        if not isinstance(arguments, Mapping):
            return ToolResult(None, "the arguments are not a JSON object")
        try:
            value = await tool.handler(arguments, context)
            json.dumps(value, allow_nan=False)  # it is stored as JSON
        except Exception as error:  # noqa: BLE001  # a tool may raise anything
            return ToolResult(None, f"{type(error).__name__}: {error}")
        return ToolResult(value)


def search_tool(
    storage: AgentOSStorage,
) -> tuple[str, str, Mapping[str, Any], ToolHandler]:
    """Return what registers ``search_conversations``."""

    async def search(
        arguments: Mapping[str, Any], context: ToolContext
    ) -> list[dict[str, Any]]:
        query = arguments.get("query")
        if not isinstance(query, str) or not query.strip():
            msg = "query must be a text that is not empty"
            raise ValueError(msg)
        passages = await find_passages(
            storage,
            query,
            user_id=context.user_id,
            leave_out={context.question_event_id},
            here=context.conversation_id,
        )
        return [
            {
                "conversationId": passage.conversation_id,
                "eventId": passage.event_id,
                "title": passage.title,
                "speaker": passage.speaker,
                "text": passage.snippet,
                "timestamp": passage.timestamp,
            }
            for passage in passages
        ]

    return (
        "search_conversations",
        "Search everything the user and their agents have said in earlier "
        "conversations. Use it when the user refers to something said before.",
        {
            "type": "object",
            "properties": {
                "query": {
                    "type": "string",
                    "description": "The words to look for, such as names and things.",
                }
            },
            "required": ["query"],
        },
        search,
    )
