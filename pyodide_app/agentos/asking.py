"""Stores a question, or finds it again, and gathers what was said before it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyodide_app.agentos.messages import Message, messages_from_events
from pyodide_app.agentos.recorder import Recorder
from pyodide_app.agentos.stored_events import newest_events
from pyodide_app.agentos.titles import title_from
from pyodide_app.errors import RecordNotFoundError
from pyodide_app.storage.adapter import StorageAdapter
from pyodide_app.storage.facade import AgentOSStorage
from pyodide_app.storage.records import Conversation, ConversationEvent

__all__ = ["Question", "ask", "ask_again"]

_EVENTS_READ = 400
"""More than any context has room for; a long history is not read as a whole."""


@dataclass(frozen=True, slots=True)
class Question:
    """A stored question.

    Attributes:
        event_id: The ``user_message``.
        history: What was said before it, oldest first.
        conversation: As it is now.
    """

    event_id: str
    text: str
    history: Sequence[Message]
    conversation: Conversation


async def ask(
    storage: AgentOSStorage,
    recorder: Recorder,
    *,
    conversation_id: str,
    user_id: str,
    persona_id: str,
    text: str,
) -> Question:
    """Store *text* as a question; it is committed when this returns.

    The conversation is created if there is none with this id. One without a title
    gets the beginning of the question. All in one transaction.
    """

    async def work(adapter: StorageAdapter) -> Question:
        title = title_from(text)
        conversation = await storage.conversations.find(conversation_id)
        events: list[ConversationEvent] = []
        if conversation is None:
            conversation = await storage.conversations.save(
                conversation_id, user_id, persona_id, title=title
            )
        else:
            events = await newest_events(adapter, conversation_id, _EVENTS_READ)
            if not conversation.title:
                conversation = await storage.conversations.rename(
                    conversation_id, title
                )
        if events:
            recorder.follow(events[-1].timestamp)
        await recorder.ask(text)
        return Question(recorder.question_id, text, _history(events), conversation)

    return await storage.adapter.transaction(work)


async def ask_again(
    storage: AgentOSStorage, recorder: Recorder, *, conversation_id: str
) -> Question:
    """Return the last question of the conversation, to answer it once more.

    Failures that said nothing give way to the new answer; an answer that was given,
    also half of one, stays.

    Raises:
        RecordNotFoundError: There is no such conversation, or no question in it.
    """
    conversation = await storage.conversations.find(conversation_id)
    if conversation is None:
        raise RecordNotFoundError(kind="conversation", id=conversation_id)
    events = await newest_events(storage.adapter, conversation_id, _EVENTS_READ)
    asked = [i for i, event in enumerate(events) if event.event_type == "user_message"]
    if not asked:
        raise RecordNotFoundError(
            kind="question in the conversation", id=conversation_id
        )
    place = asked[-1]
    question = events[place]
    recorder.follow(events[-1].timestamp)
    recorder.question_id = question.id
    recorder.superseded = [
        id
        for message in messages_from_events(events[place + 1 :])
        if message.status == "failed" and not message.text and not message.tool_calls
        for id in message.event_ids
    ]
    (said,) = messages_from_events([question])
    return Question(question.id, said.text, _history(events[:place]), conversation)


def _history(events: Sequence[ConversationEvent]) -> list[Message]:
    """Return the messages of *events*, without an answer that is cut at the start."""
    if len(events) >= _EVENTS_READ:
        starts = (i for i, e in enumerate(events) if e.event_type == "user_message")
        events = events[next(starts, len(events)) :]
    return messages_from_events(events)
