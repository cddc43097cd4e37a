import pytest

from pyodide_app.errors import (
    ParameterError,
    RecordInvalidError,
    RecordNotFoundError,
)
from pyodide_app.storage.records import ConversationEvent

HELLO = {"type": "user_message", "text": "hello", "timestamp": 1_700_000_000_000}
ANSWER = {
    "type": "final_response",
    "finalResponseText": "hi",
    "timestamp": 1_700_000_000_500,
}


def told(conversation):
    return [event.event_data for event in conversation.events]


async def test_what_was_saved_is_read_back(storage):
    saved = await storage.conversations.save(
        "c", "u", "p", [HELLO, ANSWER], metadata={"tags": ["a"]}, title="Title"
    )

    found = await storage.conversations.get("c")

    assert found.conversation == saved
    assert saved.title == "Title"
    assert saved.metadata == {"tags": ["a"], "title": "Title"}
    assert told(found) == [HELLO, ANSWER]
    assert [event.event_type for event in found.events] == [
        "user_message",
        "final_response",
    ]


async def test_saving_again_keeps_creation_time_and_metadata(storage):
    """The original resets the metadata each time."""
    first = await storage.conversations.save("c", "u", "p", title="Title")

    again = await storage.conversations.save("c", "u2", "p2", [HELLO])

    assert again.created_at == first.created_at
    assert again.metadata == {"title": "Title"}
    assert (again.user_id, again.persona_id) == ("u2", "p2")


async def test_saved_events_replace_the_stored_ones(storage):
    await storage.conversations.save("c", "u", "p", [HELLO, ANSWER])

    await storage.conversations.save("c", "u", "p", [ANSWER])

    assert told(await storage.conversations.get("c")) == [ANSWER]


async def test_saving_a_history_that_has_grown_writes_what_is_new(storage):
    """The original rewrites all of it."""
    no_time = {"type": "user_message", "text": "when?"}
    await storage.conversations.save("c", "u", "p", [HELLO, no_time])
    before = (await storage.conversations.get("c")).events

    await storage.conversations.save("c", "u", "p", [HELLO, no_time, no_time])

    after = (await storage.conversations.get("c")).events
    assert after[:2] == before
    assert len(after) == 3


async def test_a_save_that_fails_changes_nothing(storage):
    await storage.conversations.save("c", "u", "p", [HELLO], title="Title")

    for events, error in (
        ([ANSWER, {"type": "user_message", "text": "half \ud83d"}], ParameterError),
        ([ANSWER, {"type": "x", "value": float("nan")}], RecordInvalidError),
        ([ANSWER, {"type": "x", "value": object()}], RecordInvalidError),
        ([ANSWER, "text"], RecordInvalidError),
        ([ANSWER, {"type": "x", "timestamp": "yesterday"}], RecordInvalidError),
    ):
        with pytest.raises(error):
            await storage.conversations.save("c", "u", "p", events, title="New")

    found = await storage.conversations.get("c")
    assert told(found) == [HELLO]
    assert found.conversation.title == "Title"


async def test_events_are_in_the_order_they_were_given_at_one_time(storage):
    """Ties, which the original leaves to chance."""
    events = [{"type": "x", "n": n, "timestamp": 5} for n in range(50)]

    await storage.conversations.save("c", "u", "p", events)

    assert told(await storage.conversations.get("c")) == events


async def test_a_time_may_be_iso_text_as_in_a_chunk(storage):
    await storage.conversations.save("c", "u", "p")

    event = await storage.conversations.append(
        "c", {"type": "text_delta", "timestamp": "2023-11-14T22:13:20.000Z"}
    )

    assert event.timestamp == 1_700_000_000_000
    assert event.event_data["timestamp"] == "2023-11-14T22:13:20.000Z"


async def test_an_event_without_a_type_is_unknown(storage):
    await storage.conversations.save("c", "u", "p")

    event = await storage.conversations.append("c", {"text": "?"})

    assert event.event_type == "unknown"


async def test_append_adds_at_the_end_and_moves_the_conversation_up(storage):
    await storage.conversations.save("old", "u", "p")
    await storage.conversations.save("new", "u", "p")
    await storage.adapter.run("UPDATE conversations SET updated_at = 1")

    event = await storage.conversations.append("old", {"type": "x"})
    page = await storage.conversations.list("u")

    assert [item.id for item in page.items] == ["old", "new"]
    assert (await storage.conversations.get("old")).events == (event,)


async def test_append_takes_a_record_with_its_id(storage):
    await storage.conversations.save("c", "u", "p")
    record = ConversationEvent("my-id", "c", "x", {"type": "x"}, 7)

    assert await storage.conversations.append("c", record) == record
    assert (await storage.conversations.get("c")).events == (record,)


async def test_appending_to_nothing_is_refused(storage):
    with pytest.raises(RecordNotFoundError):
        await storage.conversations.append("missing", HELLO)
    with pytest.raises(RecordNotFoundError):
        await storage.conversations.rename("missing", "Title")

    assert (await storage.conversations.list()).items == ()


async def test_a_finished_stream_stands_in_the_place_of_its_parts(storage):
    await storage.conversations.save("c", "u", "p", [HELLO])
    deltas = await storage.conversations.append_many(
        "c", [{"type": "text_delta", "textDelta": part} for part in ("h", "i")]
    )

    final = await storage.conversations.finish_stream(
        "c", [delta.id for delta in deltas], {"type": "final_response"}
    )

    found = await storage.conversations.get("c")
    assert [event.event_type for event in found.events] == [
        "user_message",
        "final_response",
    ]
    assert found.events[-1] == final


async def test_finishing_removes_no_event_of_another_conversation(storage):
    await storage.conversations.save("a", "u", "p", [HELLO])
    await storage.conversations.save("b", "u", "p")
    other = (await storage.conversations.get("a")).events[0]

    await storage.conversations.finish_stream("b", [other.id], ANSWER)

    assert told(await storage.conversations.get("a")) == [HELLO]


async def test_deleting_takes_the_events_along(storage):
    """In the original foreign keys are off and orphans stay."""
    await storage.conversations.save("c", "u", "p", [HELLO])

    assert await storage.conversations.delete("c") is True
    assert await storage.conversations.delete("c") is False

    assert await storage.conversations.get("c") is None
    assert await storage.adapter.all("SELECT * FROM conversation_events") == []


async def test_a_title_can_be_taken_away(storage):
    await storage.conversations.save("c", "u", "p", metadata={"a": 1}, title="Title")

    renamed = await storage.conversations.rename("c", None)

    assert renamed.metadata == {"a": 1}
    assert await storage.conversations.find("c") == renamed


async def test_what_is_stored_but_no_record_says_so(storage):
    await storage.conversations.save("c", "u", "p")
    await storage.adapter.exec(
        "PRAGMA ignore_check_constraints = ON;"
        "UPDATE conversations SET metadata = '[1]';"
    )

    with pytest.raises(RecordInvalidError, match="metadata"):
        await storage.conversations.get("c")
