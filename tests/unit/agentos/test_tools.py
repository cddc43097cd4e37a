import json

import pytest

from pyodide_app.agentos.providers.model import ToolCall
from pyodide_app.agentos.tools import ToolContext, ToolRegistry, search_tool

SCHEMA = {"type": "object", "properties": {}}
CONTEXT = ToolContext("ann", "c", "q")


async def double(arguments, context):
    return arguments["number"] * 2


def registry(handler=double):
    tools = ToolRegistry()
    tools.register("double", "Doubles.", SCHEMA, handler)
    return tools


async def run(tools, arguments, name="double"):
    return await tools.run(ToolCall("1", name, arguments), CONTEXT)


async def test_a_tool_gets_its_arguments_and_gives_its_value():
    result = await run(registry(), '{"number": 21}')

    assert (result.value, result.error_message) == (42, None)
    assert result.for_model() == "42"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("{", "not valid JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "not valid JSON"),
        ("{}", "KeyError"),
    ],
)
async def test_what_goes_wrong_is_told_to_the_model(arguments, why):
    result = await run(registry(), arguments)

    assert why in result.error_message
    assert why in json.loads(result.for_model())["error"]


async def test_a_tool_that_is_not_there_is_told_with_those_that_are():
    result = await run(registry(), "{}", name="triple")

    assert result.error_message == "there is no tool triple; known: double"


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), object()])
async def test_a_value_that_is_no_json_is_a_failure(value):
    async def odd(arguments, context):
        return value

    result = await run(registry(odd), "{}")

    assert result.value is None
    assert result.error_message


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "ü"])
def test_a_name_that_servers_refuse_is_refused(name):
    with pytest.raises(ValueError, match="name"):
        ToolRegistry().register(name, "", SCHEMA, double)


def test_a_schema_or_handler_of_the_wrong_kind_is_refused():
    with pytest.raises(ValueError, match="type object"):
        ToolRegistry().register("x", "", {"type": "string"}, double)
    with pytest.raises(TypeError, match="async"):
        ToolRegistry().register("x", "", SCHEMA, lambda arguments, context: 1)


async def test_the_built_in_tool_finds_what_was_said_by_this_user_only(storage):
    for user in ("ann", "eve"):
        await storage.conversations.save(
            f"of-{user}",
            user,
            "v_researcher",
            [{"type": "user_message", "text": "The password is swordfish."}],
        )
    tools = ToolRegistry()
    tools.register(*search_tool(storage))

    result = await run(tools, '{"query": "password"}', name="search_conversations")

    assert [found["conversationId"] for found in result.value] == ["of-ann"]
    assert result.value[0]["text"] == "The password is swordfish."


@pytest.mark.parametrize("arguments", ["{}", '{"query": " "}', '{"query": 7}'])
async def test_the_built_in_tool_wants_a_query(storage, arguments):
    tools = ToolRegistry()
    tools.register(*search_tool(storage))

    result = await run(tools, arguments, name="search_conversations")

    assert "query must be a text" in result.error_message
