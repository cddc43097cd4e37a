"""Assembles what a model is told: the persona, and what was said before.

Rule 1: no I/O; the same history gives the same context.
Rule 2: the system prompt and the question are always there, whole, even if they
        alone are over the budget: a model that refuses says so, while half a
        question would be answered wrongly.
Rule 3: in between stand the newest messages that fit, without a gap.
Rule 4: after the system prompt, user and assistant take turns, and the user begins
        and ends. Several models' templates refuse anything else.
"""

from collections.abc import Iterable, Sequence

from pyodide_app.agentos.messages import Message
from pyodide_app.agentos.providers.model import ChatMessage
from pyodide_app.agentos.tokens import MESSAGE_TOKENS, estimate_tokens

__all__ = ["assemble_context", "current_answers"]


def assemble_context(
    system_prompt: str,
    history: Sequence[Message],
    question: str,
    *,
    budget_tokens: int,
) -> tuple[ChatMessage, ...]:
    """Return the messages to send for *question*.

    Tool calls of earlier answers are left out: what came of them is in the text.

    Args:
        system_prompt: Of the persona; empty for none.
        history: What was said before the question, oldest first.
        question: What the user says now.
        budget_tokens: Estimated tokens that all of it may have.
    """
    system = [ChatMessage("system", system_prompt)] if system_prompt.strip() else []
    left = budget_tokens - sum(_cost(message) for message in system)
    left -= _cost(ChatMessage("user", question))
    kept: list[ChatMessage] = []
    for message in reversed(_turns(history)):
        left -= _cost(message)
        if left < 0:
            break
        kept.append(message)
    kept.reverse()
    if kept and kept[0].role == "assistant":
        del kept[0]
    return (*system, *_joined([*kept, ChatMessage("user", question)]))


def current_answers(history: Iterable[Message]) -> list[Message]:
    """Return *history* with one answer to each question that was asked again.

    Of the answers to one question the last that is complete counts; if none is,
    the last that says something.
    """
    messages = list(history)
    best: dict[str, int] = {}
    for index, message in enumerate(messages):
        question = message.question_event_id
        if question is None or message.role != "assistant":
            continue
        held = best.get(question)
        if held is None or _rank(message) >= _rank(messages[held]):
            best[question] = index
    return [
        message
        for index, message in enumerate(messages)
        if message.question_event_id is None
        or best.get(message.question_event_id, index) == index
    ]


def _rank(message: Message) -> tuple[bool, bool]:
    return message.status == "complete", bool(message.text)


def _turns(history: Iterable[Message]) -> list[ChatMessage]:
    """Return what was said, as messages of alternating roles."""
    said = (
        ChatMessage("user" if message.role == "user" else "assistant", message.text)
        for message in current_answers(history)
        if message.role != "note" and message.text.strip()
    )
    return _joined(said)


def _joined(messages: Iterable[ChatMessage]) -> list[ChatMessage]:
    """Return *messages* with neighbours of one role made one."""
    turns: list[ChatMessage] = []
    for message in messages:
        if turns and turns[-1].role == message.role:
            text = f"{turns[-1].text}\n\n{message.text}"
            turns[-1] = ChatMessage(message.role, text)
        else:
            turns.append(message)
    return turns


def _cost(message: ChatMessage) -> int:
    return estimate_tokens(message.text) + MESSAGE_TOKENS
