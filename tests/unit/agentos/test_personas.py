import pytest

from pyodide_app.agentos import AgentOS
from pyodide_app.agentos.personas import BUILT_IN_PERSONAS, system_prompt_of
from pyodide_app.errors import AgentError, PersonaNotFoundError
from pyodide_app.storage.records import Persona

IDS = [
    "default_assistant_persona",
    "default_free_assistant",
    "atlas-systems-architect",
    "nerf_generalist",
    "v_researcher",
]


def persona(definition):
    return Persona("p", "Pia", "Paints.", definition, 0, 0)


async def test_the_built_in_personas_are_stored_with_a_prompt(agentos):
    stored = {persona.id: persona for persona in await agentos.list_personas()}

    assert set(IDS) <= set(stored)
    assert [definition["id"] for definition in BUILT_IN_PERSONAS] == IDS
    assert all(len(system_prompt_of(stored[id])) > 200 for id in IDS)


async def test_an_edited_persona_stays_as_its_user_made_it(storage, agentos):
    edited = {**BUILT_IN_PERSONAS[0], "name": "Mine", "baseSystemPrompt": "Rhyme."}
    await agentos.save_persona(edited)

    await AgentOS().initialize(storage_adapter=storage)

    stored = await storage.personas.get(edited["id"])
    assert (stored.display_name, stored.definition) == ("Mine", edited)


async def test_starting_again_writes_nothing(storage, agentos):
    before = storage.adapter.changes.seq

    await AgentOS().initialize(storage_adapter=storage)

    assert storage.adapter.changes.seq == before


@pytest.mark.parametrize(
    ("definition", "prompt"),
    [
        ({"baseSystemPrompt": " Paint. "}, "Paint."),
        ({"baseSystemPrompt": {"template": "Paint."}}, "Paint."),
        (
            {
                "baseSystemPrompt": [
                    {"content": "second", "priority": 2},
                    {"content": "first", "priority": 1},
                ]
            },
            "first\n\nsecond",
        ),
        ({"systemPrompt": "Paint."}, "Paint."),
    ],
)
def test_each_form_of_a_prompt_is_read(definition, prompt):
    assert system_prompt_of(persona(definition)) == prompt


@pytest.mark.parametrize("value", [None, "", 7, [], {}, [7], {"template": []}])
def test_without_a_prompt_name_and_description_serve(value):
    prompt = system_prompt_of(persona({"baseSystemPrompt": value}))

    assert prompt.startswith("You are Pia. Paints.")


async def test_a_default_that_is_not_stored_is_refused(storage):
    with pytest.raises(PersonaNotFoundError):
        await AgentOS().initialize(storage_adapter=storage, default_persona_id="nobody")


@pytest.mark.parametrize("definition", [{}, {"id": "x"}, {"id": "", "name": "x"}])
async def test_a_persona_without_id_or_name_is_refused(agentos, definition):
    with pytest.raises(AgentError, match="id and a name"):
        await agentos.save_persona(definition)
