"""Sessions, personas, telemetry and workflows."""

import pytest

from pyodide_app.errors import RecordInvalidError
from pyodide_app.storage.records import UsageRow

DAY = 86_400_000


async def test_a_session_is_created_and_overwritten(storage):
    first = await storage.sessions.save("s", "u", "Name", "persona", "p", {"a": 1})

    again = await storage.sessions.save("s", "u", "Other", "agency", "g")

    assert again.created_at == first.created_at
    assert again.metadata == {"a": 1}
    assert await storage.sessions.get("s") == again
    assert again.display_name == "Other"


async def test_sessions_are_listed_by_user_and_target(storage):
    await storage.sessions.save("a", "u", "A", "persona", "p")
    await storage.sessions.save("b", "u", "B", "agency", "g")
    await storage.sessions.save("c", "v", "C", "persona", "p")

    async def ids(*args, **kwargs):
        page = await storage.sessions.list(*args, **kwargs)
        return {session.id for session in page.items}

    assert await ids() == {"a", "b", "c"}
    assert await ids("u") == {"a", "b"}
    assert await ids("u", target_type="agency") == {"b"}


async def test_a_session_of_another_target_is_refused(storage):
    with pytest.raises(RecordInvalidError, match="target_type"):
        await storage.sessions.save("s", "u", "Name", "robot", "r")


async def test_a_session_is_deleted(storage):
    await storage.sessions.save("s", "u", "Name", "persona", "p")

    assert await storage.sessions.delete("s") is True
    assert await storage.sessions.delete("s") is False
    assert await storage.sessions.get("s") is None


async def test_a_persona_takes_its_description_from_its_definition(storage):
    persona = await storage.personas.cache("v", "V", {"description": "Researches"})
    other = await storage.personas.cache("a", "A", {"description": 5})

    assert persona.description == "Researches"
    assert other.description is None
    assert await storage.personas.get("v") == persona
    assert (await storage.personas.list()).items == (other, persona)
    assert await storage.personas.delete("v") is True
    assert await storage.personas.get("v") is None


async def test_a_workflow_is_kept(storage):
    first = await storage.workflows.save("w", "Digest", {"steps": [1]})
    again = await storage.workflows.save("w", "Digest", {"steps": [1, 2]})

    assert again.created_at == first.created_at
    assert await storage.workflows.get("w") == again
    assert (await storage.workflows.list()).items == (again,)
    assert await storage.workflows.delete("w") is True


async def test_a_definition_that_is_no_object_is_refused(storage):
    with pytest.raises(RecordInvalidError):
        await storage.workflows.save("w", "Digest", ["step"])
    with pytest.raises(RecordInvalidError):
        await storage.personas.cache("p", "P", "text")


async def test_telemetry_is_listed_newest_first(storage):
    for timestamp, session in ((1, "a"), (2, "b"), (3, "a")):
        await storage.telemetry.record(session, "call", {}, timestamp=timestamp)
    await storage.telemetry.record(None, "other", {}, timestamp=4)

    async def times(*args, **kwargs):
        page = await storage.telemetry.list(*args, **kwargs)
        return [record.timestamp for record in page.items]

    assert await times() == [4, 3, 2, 1]
    assert await times("a") == [3, 1]
    assert await times(event_type="call", since=2) == [3, 2]


async def test_the_summary_adds_up_by_day_and_model(storage):
    flat = {"promptTokens": 10, "completionTokens": 5, "costUSD": 0.5, "latencyMs": 100}
    nested = {
        "usage": {
            "promptTokens": 1,
            "completionTokens": 2,
            "totalTokens": 4,
            "totalCostUSD": 0.25,
        },
        "latencyMs": 300,
    }
    record = storage.telemetry.record
    await record("s", "token_usage", {"model": "a", **flat}, timestamp=0)
    await record("s", "token_usage", {"model": "a", **nested}, timestamp=DAY - 1)
    await record("s", "token_usage", {"model": "b", **flat}, timestamp=DAY)
    await record("s", "token_usage", {"promptTokens": 7}, timestamp=DAY)
    await record("s", "click", {"model": "a"}, timestamp=DAY)

    summary = await storage.telemetry.summary()

    assert summary.rows == (
        UsageRow("1970-01-02", "b", 1, 10, 5, 15, 0.5, 100.0, 100.0),
        UsageRow("1970-01-02", "unknown", 1, 7, 0, 7, 0.0, None, None),
        UsageRow("1970-01-01", "a", 2, 11, 7, 19, 0.75, 200.0, 300.0),
    )
    only = await storage.telemetry.summary(since=1, until=DAY)
    assert [(row.day, row.calls) for row in only.rows] == [("1970-01-01", 1)]


async def test_the_summary_survives_what_is_no_number(storage):
    await storage.telemetry.record(
        "s",
        "token_usage",
        {"model": {"a": 1}, "promptTokens": "many", "latencyMs": [1]},
        timestamp=0,
    )

    (row,) = (await storage.telemetry.summary()).rows

    assert (row.calls, row.prompt_tokens, row.latency_ms_p95) == (1, 0, None)
