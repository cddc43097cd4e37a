"""The agent runtime: who answers whom, with which persona and which provider."""

from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from pyodide_app.agentos.asking import Question, ask, ask_again
from pyodide_app.agentos.chunks import Chunk, ChunkMaker
from pyodide_app.agentos.context import assemble_context
from pyodide_app.agentos.personas import (
    DEFAULT_PERSONA_ID,
    cache_built_in_personas,
    find_persona,
    system_prompt_of,
)
from pyodide_app.agentos.ports import BuiltInModel, Clock, HttpClient, SystemClock
from pyodide_app.agentos.providers.choice import ProviderChoice, ProviderInput
from pyodide_app.agentos.providers.model import ModelRequest, Provider
from pyodide_app.agentos.recorder import Recorder
from pyodide_app.agentos.tools import ToolHandler, ToolRegistry, search_tool
from pyodide_app.agentos.turn import Asked, Turn
from pyodide_app.errors import AgentError, PersonaNotFoundError
from pyodide_app.ids import new_id
from pyodide_app.storage.adapter import StorageAdapter
from pyodide_app.storage.facade import AgentOSStorage, create_agentos_storage
from pyodide_app.storage.records import Persona

__all__ = ["AgentOS", "AgentResponse", "ProviderInput"]

T = TypeVar("T")

_ANSWER_SHARE = 4
"""A quarter of what a model takes in is left for its answer, and for estimates."""


@dataclass(frozen=True, slots=True)
class AgentResponse:
    """A whole answer.

    Attributes:
        text: Markdown.
        event_id: The ``final_response`` as stored.
        question_event_id: The question as stored.
        usage: ``promptTokens``, ``completionTokens``, ``totalTokens``; where known
            ``totalCostUSD``; ``isEstimated`` if the provider did not count.
        sources: Stored messages it rests on, each with ``conversationId``,
            ``eventId``, ``title``, ``snippet`` and ``timestamp``.
        chunks: Everything that was streamed.
    """

    text: str
    conversation_id: str
    event_id: str
    question_event_id: str
    persona_id: str
    provider: str
    model: str
    usage: Mapping[str, Any]
    sources: tuple[Mapping[str, Any], ...]
    chunks: tuple[Chunk, ...]


class AgentOS:
    """Answers users from personas, and keeps everything that was said.

    Call `initialize` first, `close` at the end. Several can share one storage.
    """

    def __init__(self) -> None:
        self._storage: AgentOSStorage | None = None
        self._providers: ProviderChoice | None = None
        self._default_persona_id = DEFAULT_PERSONA_ID
        self._reads_all_users = False
        self._clock: Clock = SystemClock()
        self._tools = ToolRegistry()

    async def initialize(
        self,
        *,
        storage_adapter: StorageAdapter | AgentOSStorage,
        providers: Sequence[ProviderInput] | None = None,
        http: HttpClient | None = None,
        built_in_model: BuiltInModel | None = None,
        default_persona_id: str = DEFAULT_PERSONA_ID,
        reads_all_users: bool = False,
        clock: Clock | None = None,
    ) -> None:
        """Make it ready: the schema, the built-in personas, the tools.

        Args:
            storage_adapter: A storage, or an adapter to make one of. It stays the
                caller's to close.
            providers: The first answers when a call names none. Default: ``recall``.
            http: How to reach servers. Default: httpx, once a server is needed.
            built_in_model: The browser's model, if there is one.
            default_persona_id: Who answers when a call names nobody.
            reads_all_users: Whether recall and the search tool may quote every
                conversation of the database. Only where the database is one person's.
            clock: For tests.

        Raises:
            AgentError: A provider is not usable.
            PersonaNotFoundError: The default persona is neither built in nor stored.
            StorageError: The storage could not be opened.
        """
        if isinstance(storage_adapter, AgentOSStorage):
            storage = storage_adapter
        else:
            storage = await create_agentos_storage(adapter=storage_adapter)
        await cache_built_in_personas(storage.personas)
        await find_persona(storage.personas, default_persona_id)
        self._providers = ProviderChoice(
            storage,
            defaults=providers or (),
            http=http,
            built_in_model=built_in_model,
        )
        self._default_persona_id = default_persona_id
        self._reads_all_users = reads_all_users
        self._clock = clock or SystemClock()
        self._tools.register(*search_tool(storage))
        self._storage = storage

    async def close(self) -> None:
        """Close the connections it made. The storage stays open."""
        self._storage = None
        if self._providers is not None:
            await self._providers.aclose()
            self._providers = None

    @property
    def storage(self) -> AgentOSStorage:
        """Where everything is kept."""
        return _ready(self._storage)

    # Answers -----------------------------------------------------------------

    async def handle_user_message(
        self,
        *,
        user_id: str,
        user_message: str | None,
        persona_id: str | None = None,
        conversation_id: str | None = None,
        provider: ProviderInput | None = None,
    ) -> AgentResponse:
        """Return the whole answer, see `stream_user_message`.

        Raises:
            ProviderError: There is none; the failure and what was said are stored.
        """
        turn = await self._turn(
            user_id, user_message, persona_id, conversation_id, provider
        )
        chunks: list[Chunk] = []
        async with aclosing(turn.run()) as answer:
            chunks = [chunk async for chunk in answer]
        if turn.failure is not None:
            raise turn.failure
        final = chunks[-1]
        return AgentResponse(
            text=final["finalResponseText"],
            conversation_id=turn.conversation_id,
            event_id=turn.recorder.end_id,
            question_event_id=turn.recorder.question_id,
            persona_id=final["personaId"],
            provider=turn.provider.name,
            model=turn.provider.model,
            usage=final["usage"],
            sources=tuple(final.get("ragSources", ())),
            chunks=tuple(chunks),
        )

    async def stream_user_message(
        self,
        *,
        user_id: str,
        user_message: str | None,
        persona_id: str | None = None,
        conversation_id: str | None = None,
        provider: ProviderInput | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the chunks of an answer, in the shapes of the original.

        The first is a ``metadata_update`` (``conversationId``, ``title``,
        ``userMessageEventId``) and comes after the question is committed; the last
        is ``final_response``, or ``error`` if the provider failed. Closing the
        generator, or cancelling the task, stops the answer; what it had said is kept.

        Args:
            user_id: Who asks.
            user_message: What they say; None answers their last message again,
                without storing it twice.
            persona_id: Who answers. Default: the conversation's persona.
            conversation_id: Where; created if there is none. Default: a new one.
            provider: Who is asked. Default: the first of `initialize`.

        Raises:
            AgentError: The message is empty, or the provider is not usable.
            PersonaNotFoundError: There is no such persona.
            RecordNotFoundError: There is nothing to answer again.
            StorageError: It could not be stored.
        """
        turn = await self._turn(
            user_id, user_message, persona_id, conversation_id, provider
        )
        async with aclosing(turn.run()) as chunks:
            async for chunk in chunks:
                yield chunk

    def retry(
        self,
        *,
        user_id: str,
        conversation_id: str,
        persona_id: str | None = None,
        provider: ProviderInput | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """Answer the last message of a conversation again."""
        return self.stream_user_message(
            user_id=user_id,
            user_message=None,
            persona_id=persona_id,
            conversation_id=conversation_id,
            provider=provider,
        )

    async def check_provider(self, provider: ProviderInput) -> tuple[str, ...]:
        """Return the models that *provider* offers, without asking one.

        Raises:
            ProviderError: It cannot be used; says why.
        """
        return await _ready(self._providers).choose(provider).check()

    # Personas and tools ------------------------------------------------------

    async def list_personas(self) -> list[Persona]:
        """Return all personas, by display name."""
        page = await self.storage.personas.list()
        personas = list(page.items)
        while page.next_cursor is not None:
            page = await self.storage.personas.list(cursor=page.next_cursor)
            personas += page.items
        return personas

    async def save_persona(self, definition: Mapping[str, Any]) -> Persona:
        """Store a persona, new or changed.

        Args:
            definition: In the original's form: ``id``, ``name``, ``description``,
                ``baseSystemPrompt``, and whatever else it has.

        Raises:
            AgentError: It has no id or no name.
        """
        id, name = definition.get("id"), definition.get("name")
        if not (isinstance(id, str) and id and isinstance(name, str) and name):
            msg = "a persona needs an id and a name, both texts that are not empty"
            raise AgentError(msg)
        return await self.storage.personas.cache(id, name, definition)

    def register_tool(
        self,
        name: str,
        description: str,
        parameters: Mapping[str, Any],
        handler: ToolHandler,
    ) -> None:
        """Offer a tool to the models, see `ToolRegistry.register`."""
        self._tools.register(name, description, parameters, handler)

    # Private -----------------------------------------------------------------

    async def _turn(
        self,
        user_id: str,
        user_message: str | None,
        persona_id: str | None,
        conversation_id: str | None,
        provider: ProviderInput | None,
    ) -> Turn:
        """Return the turn, ready to run; nothing is stored yet."""
        if user_message is not None and not user_message.strip():
            msg = "the message is empty; write something first"
            raise AgentError(msg)
        storage = self.storage
        chosen = _ready(self._providers).choose(provider)
        if not chosen.model:
            msg = "the provider's model has no name; choose one"
            raise AgentError(msg)
        id = conversation_id or new_id()
        persona, answering_as, notices = await self._persona(id, persona_id)
        stream_id = new_id()
        recorder = Recorder(storage, id, self._clock, stream_id=stream_id)

        async def asked() -> Asked:
            stored: Awaitable[Question]
            if user_message is None:
                stored = ask_again(storage, recorder, conversation_id=id)
            else:
                stored = ask(
                    storage,
                    recorder,
                    conversation_id=id,
                    user_id=user_id,
                    persona_id=answering_as,
                    text=user_message,
                )
            question = await stored
            return Asked(
                self._request(question, persona, chosen, user_id),
                {
                    "conversationId": id,
                    "title": question.conversation.title,
                    "userMessageEventId": question.event_id,
                },
                notices,
            )

        return Turn(
            recorder=recorder,
            chunks=ChunkMaker(stream_id, f"{answering_as}:{id}", answering_as),
            provider=chosen,
            tools=self._tools,
            clock=self._clock,
            conversation_id=id,
            ask=asked,
        )

    def _request(
        self, question: Question, persona: Persona, provider: Provider, user_id: str
    ) -> ModelRequest:
        room = provider.context_tokens
        return ModelRequest(
            messages=assemble_context(
                system_prompt_of(persona),
                question.history,
                question.text,
                budget_tokens=room - room // _ANSWER_SHARE,
            ),
            question=question.text,
            conversation_id=question.conversation.id,
            user_id=None if self._reads_all_users else user_id,
            question_event_id=question.event_id,
        )

    async def _persona(
        self, conversation_id: str, wanted: str | None
    ) -> tuple[Persona, str, list[str]]:
        """Return whose prompt is used, as whom it answers, and what to say of it.

        A conversation that was imported may be with a persona that was not.

        Raises:
            PersonaNotFoundError: There is none with the id *wanted*.
        """
        conversation = await self.storage.conversations.find(conversation_id)
        own = None if conversation is None else conversation.persona_id
        id = wanted or own or self._default_persona_id
        persona = await self.storage.personas.get(id)
        if persona is not None:
            return persona, id, []
        if id != own:
            raise PersonaNotFoundError(id)
        stand_in = await find_persona(self.storage.personas, self._default_persona_id)
        notice = f"{stand_in.display_name} answers: the persona {id} is not stored here"
        return stand_in, id, [notice]


def _ready(part: T | None) -> T:
    if part is None:
        msg = "the agent runtime is not ready; call initialize() first"
        raise AgentError(msg)
    return part
