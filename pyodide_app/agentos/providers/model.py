"""What goes to a language model and what comes back, whichever provider it is."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

__all__ = [
    "ChatMessage",
    "Completed",
    "ModelEvent",
    "ModelRequest",
    "Progress",
    "Provider",
    "Source",
    "Sources",
    "TextDelta",
    "TokenCount",
    "ToolCall",
    "ToolCalls",
    "ToolDescription",
]

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool.

    Attributes:
        id: Ties the result to it; unique within the answer.
        name: The tool.
        arguments: As the model wrote them: JSON, if it kept to the rules.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the context.

    Attributes:
        tool_calls: Of an assistant message that asked for tools.
        tool_call_id: Of a tool message: the call it answers.
    """

    role: Role
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolDescription:
    """A tool as the model is told of it.

    Attributes:
        parameters: JSON Schema of the arguments, an object.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What to answer.

    Attributes:
        messages: The context; the last one is the user's or a tool's.
        tools: What the model may ask for.
        question: What the user said, alone.
        conversation_id: Where.
        user_id: Whose stored conversations may be read; None for everybody's.
        question_event_id: Where the question itself is stored.
    """

    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolDescription, ...] = ()
    question: str = ""
    conversation_id: str = ""
    user_id: str | None = None
    question_event_id: str = ""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer's text; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What is going on while there is no text, for people."""

    message: str


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """The model waits for these; the answer goes on with another request."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class TokenCount:
    """What one request took.

    Attributes:
        is_estimated: The provider did not say; counted by `estimate_tokens`.
    """

    prompt: int
    completion: int
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A stored message that an answer rests on."""

    conversation_id: str
    event_id: str | None
    title: str
    snippet: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class Sources:
    """What the answer rests on."""

    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Completed:
    """The request was answered to its end; always the last event.

    Attributes:
        reason: ``stop``, ``length``, ``tool_calls``, ``content_filter``, or
            another word of the provider.
        tokens: What it took.
    """

    reason: str
    tokens: TokenCount


ModelEvent: TypeAlias = TextDelta | Progress | ToolCalls | Sources | Completed


class Provider(Protocol):
    """A source of answers.

    An implementation guarantees that `answer` ends with `Completed` or raises a
    `ProviderError`: an answer that broke off never looks complete. Closing the
    generator ends the request.

    Attributes:
        name: ``openai``, ``built-in`` or ``recall``.
        model: The model, as telemetry and the reader are told.
        context_tokens: How long context and answer may be together.
    """

    @property
    def name(self) -> str:
        """Which provider this is."""
        ...

    @property
    def model(self) -> str:
        """Which model answers."""
        ...

    @property
    def context_tokens(self) -> int:
        """How long context and answer may be together."""
        ...

    def answer(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Answer *request* as it comes.

        Raises:
            ProviderError: There is no answer, or it stopped half-way.
        """
        ...

    async def check(self) -> tuple[str, ...]:
        """Return the models that the provider offers, without asking one.

        Raises:
            ProviderError: It cannot be used; says why.
        """
        ...

    def cost_usd(self, tokens: TokenCount) -> float | None:
        """Return the price of *tokens*, or None if it is not known."""
        ...
