import pytest

from pyodide_app.agentos import AgentOS


@pytest.fixture
def say(storage):
    """Store what was said once."""

    async def say(conversation_id, *said, user_id="ann", title=None):
        events = [
            {"type": "user_message", "text": text}
            if number % 2 == 0
            else {"type": "final_response", "finalResponseText": text}
            for number, text in enumerate(said)
        ]
        await storage.conversations.save(
            conversation_id, user_id, "v_researcher", events, title=title
        )
        return await storage.conversations.get(conversation_id)

    return say


@pytest.fixture
def recall(agentos):
    async def recall(question, **more):
        return await agentos.handle_user_message(
            user_id="ann", user_message=question, **more
        )

    return recall


async def test_it_quotes_what_was_said_with_a_link_to_the_place(say, recall):
    trip = await say(
        "trip [1]",
        "The hotel in Lisbon costs 120 euros a night.",
        "Noted: 120 euros.",
        title="Trip *to* Lisbon",
    )
    await say("other", "My bicycle has a flat tyre.")

    answer = await recall("What was the price of the hotel in Lisbon?")

    event = trip.events[0].id
    assert "> The hotel in Lisbon costs 120 euros a night." in answer.text
    assert f"[Trip \\*to\\* Lisbon](#/c/trip%20%5B1%5D/{event})" in answer.text
    assert "bicycle" not in answer.text
    assert answer.sources[0]["eventId"] == event
    assert answer.sources[0]["conversationId"] == "trip [1]"


async def test_it_says_plainly_that_no_model_is_connected(say, recall):
    await say("a", "The key is under the mat.")

    for question in ("Where is the key?", "Where is the cat?", "Hello!"):
        answer = await recall(question)

        assert answer.text.startswith("No language model is connected")
        assert "provider settings" in answer.text


async def test_the_question_itself_is_not_an_answer(recall):
    first = await recall("Where did I park the car?")
    again = await recall("Where did I park the car?")

    assert "found nothing about *park*" in first.text
    assert "found nothing about *park*" in again.text
    assert first.sources == again.sources == ()


async def test_what_recall_said_before_is_not_quoted_again(say, recall):
    await say("a", "The wifi password is swordfish.")

    await recall("What is the wifi password?")
    answer = await recall("Do you know the wifi password?")

    assert [source["conversationId"] for source in answer.sources][:1] == ["a"]
    assert answer.text.count("No language model is connected") == 1


async def test_a_statement_comes_before_a_question(say, recall):
    await say("asked", "Which dentist has time on Monday?")
    await say("known", "My dentist is Dr Bell.")

    answer = await recall("Who is my dentist?")

    assert answer.sources[0]["conversationId"] == "known"


async def test_more_of_the_words_come_first(say, recall):
    await say("a", "The garden needs water.")
    await say("b", "The garden gate needs red paint from the shop.")

    answer = await recall("Which paint does the garden gate need?")

    assert [source["conversationId"] for source in answer.sources] == ["b"]


async def test_other_forms_of_a_word_are_found(say, recall):
    await say("a", "The hotel was noisy.")

    answer = await recall("Which hotels did we try?")

    assert answer.sources[0]["conversationId"] == "a"


async def test_languages_without_spaces_are_searched_too(say, recall):
    await say("a", "我们的预算是五千元。")

    answer = await recall("预算多少")

    assert "预算是五千元" in answer.text


async def test_a_title_is_found_if_nothing_else_is(say, recall):
    await say("a", "Hm.", title="Quarterly accounts")

    answer = await recall("Where are the quarterly accounts?")

    assert "[Quarterly accounts](#/c/a)" in answer.text
    assert answer.sources[0]["eventId"] is None


async def test_other_users_are_not_quoted(say, recall):
    await say("hers", "The safe opens with 4711.", user_id="eve")

    answer = await recall("What opens the safe?")

    assert answer.sources == ()
    assert "4711" not in answer.text


async def test_where_one_person_owns_the_database_all_of_it_is_quoted(storage, say):
    await say("imported", "The safe opens with 4711.", user_id="me-elsewhere")
    runtime = AgentOS()
    await runtime.initialize(storage_adapter=storage, reads_all_users=True)

    answer = await runtime.handle_user_message(
        user_id="local", user_message="What opens the safe?"
    )

    assert "4711" in answer.text


async def test_a_time_that_no_calendar_has_is_left_out(storage, recall):
    await storage.conversations.save(
        "far",
        "ann",
        "v_researcher",
        [{"type": "user_message", "text": "The comet returns.", "timestamp": 10**17}],
    )

    answer = await recall("When does the comet return?")

    assert "— You, in [" in answer.text


async def test_markup_in_what_is_quoted_stays_text(say, recall):
    await say(
        "a", "The <img src=x onerror=alert(1)> recipe: [click](http://evil.example)"
    )

    answer = await recall("recipe")

    assert "\\<img" in answer.text
    assert "\\[click\\]" in answer.text
    assert "http\\://" in answer.text


async def test_it_takes_no_tokens_and_costs_nothing(recall, agentos):
    answer = await recall("Anything new?")

    assert answer.usage["totalTokens"] == 0
    assert answer.usage["totalCostUSD"] == 0
    assert await agentos.check_provider({"type": "recall"}) == ("recall",)
