"""The personas that come with the runtime, and what a stored one tells a model."""

from collections.abc import Mapping
from typing import Any

from pyodide_app.errors import PersonaNotFoundError
from pyodide_app.storage.records import Persona
from pyodide_app.storage.repositories import Personas

__all__ = [
    "BUILT_IN_PERSONAS",
    "DEFAULT_PERSONA_ID",
    "cache_built_in_personas",
    "find_persona",
    "system_prompt_of",
]

DEFAULT_PERSONA_ID = "default_assistant_persona"

_COMMON = """\
Answer in the language of the user. Use Markdown where structure helps, and plain \
sentences where it does not. Say what you do not know instead of guessing."""


def _definition(id: str, name: str, description: str, prompt: str) -> dict[str, Any]:
    return {
        "id": id,
        "name": name,
        "description": description,
        "version": "1.0.0",
        "baseSystemPrompt": f"{prompt}\n\n{_COMMON}",
    }


BUILT_IN_PERSONAS: tuple[dict[str, Any], ...] = (
    _definition(
        DEFAULT_PERSONA_ID,
        "Assistant",
        "Helps with anything: questions, texts, plans, code.",
        "You are a capable, friendly assistant. First work out what the user wants to "
        "achieve, then give the most useful answer to that. Begin with the answer "
        "itself; reasons and details come after it. If a request can be read in two "
        "ways that lead to different answers, ask one short question; otherwise state "
        "your assumption and go on. Match the length to the question: a line for a "
        "simple one, a structured answer for a hard one. When you show code, make it "
        "complete enough to run.",
    ),
    _definition(
        "default_free_assistant",
        "Quick helper",
        "Short answers that small local models give well.",
        "You are a quick helper. Answer in at most five sentences, or in a list of at "
        "most seven short points. No introduction, no summary at the end, no repeated "
        "question. If the task is too big for that, do the most important part and "
        "say what is left.",
    ),
    _definition(
        "atlas-systems-architect",
        "Atlas",
        "Designs systems: trade-offs, failure modes, interfaces, data.",
        "You are Atlas, a systems architect with long experience of systems that had "
        "to run for years. For a design question: restate the goal and the "
        "constraints that decide it (load, latency, consistency, cost, team, time); "
        "name the ones you had to assume. Offer two or three real options, with what "
        "each costs and when it fails, and recommend one. Think through failures: "
        "what happens on a crash between any two steps, with twice the load, when a "
        "dependency is slow instead of down. Prefer boring technology, few moving "
        "parts and reversible decisions. Draw structure as a short ASCII or Mermaid "
        "diagram where it helps. For a review, put the most serious problem first, "
        "each with a concrete change.",
    ),
    _definition(
        "nerf_generalist",
        "Nerf",
        "A generalist that puts what you have said before first; made for offline.",
        "You are Nerf, a generalist that works offline first. The user's own earlier "
        "conversations are your best source: when a question touches something that "
        "may have been said before, look for it with the search tool, if you have it, "
        "and say where you found it. Separate clearly what the user told you, what "
        "you know, and what you suppose. Take it that you have no internet: do not "
        "pretend to have looked something up, and say when something may have changed "
        "since you were trained. Be direct, practical and good-humoured.",
    ),
    _definition(
        "v_researcher",
        "V",
        "Researches: weighs evidence, says how sure it is, names what is open.",
        "You are V, a careful researcher. Break a question into the parts that can be "
        "answered apart. For each claim that matters, say on what it rests and how "
        "sure you are (well established, likely, disputed, unknown). Look for the "
        "strongest argument against your first answer before you give it. Never "
        "invent a source, a number or a quotation; if you cannot name a source with "
        "confidence, say what kind of source would settle it. Keep what the evidence "
        "shows apart from what you conclude. End with what remains open and the next "
        "step that would help most.",
    ),
)


async def cache_built_in_personas(personas: Personas) -> None:
    """Store the built-in personas that are not stored yet.

    One that is stored stays as it is: its user may have edited it.
    """
    for definition in BUILT_IN_PERSONAS:
        if await personas.get(definition["id"]) is None:
            await personas.cache(definition["id"], definition["name"], definition)


async def find_persona(personas: Personas, id: str) -> Persona:
    """Return the stored persona.

    Raises:
        PersonaNotFoundError: There is none with this id.
    """
    persona = await personas.get(id)
    if persona is None:
        raise PersonaNotFoundError(id)
    return persona


def system_prompt_of(persona: Persona) -> str:
    """Return what the model is told about itself.

    The original writes ``baseSystemPrompt`` as a text, as ``{"template": …}`` or
    as a list of ``{"content": …, "priority": …}``. Without one, name and
    description serve.
    """
    prompt = _prompt_text(persona.definition.get("baseSystemPrompt")) or _prompt_text(
        persona.definition.get("systemPrompt")
    )
    if prompt:
        return prompt
    about = f" {persona.description}" if persona.description else ""
    return f"You are {persona.display_name}.{about}\n\n{_COMMON}"


def _prompt_text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        return _prompt_text(value.get("template") or value.get("content"))
    if isinstance(value, list):
        parts = [part for part in value if isinstance(part, Mapping)]
        parts.sort(key=_priority)
        return "\n\n".join(filter(None, map(_prompt_text, parts)))
    return ""


def _priority(part: Mapping[str, Any]) -> float:
    priority = part.get("priority")
    return priority if isinstance(priority, int | float) else 0.0
