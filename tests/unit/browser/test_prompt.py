"""Going on at once, when something outside of Python says so."""

import asyncio
import contextvars
import sys

import pytest

from pyodide_app.browser.prompt import Prompt, begin_at_once

place = contextvars.ContextVar("place", default="outside")


def from_outside(call, *args):
    """Call as JavaScript does: in a turn in which no task runs."""
    asyncio.get_running_loop().call_soon(call, *args)


async def test_the_task_goes_on_within_the_call_that_settles_it():
    prompt, said = Prompt(), []

    async def wait():
        place.set("inside")
        said.append(await prompt)
        said.append(place.get())

    def settle():
        prompt.settle(lambda: 7)
        said.append("settled")

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    from_outside(settle)
    await waiting
    await asyncio.sleep(0)

    assert said == [7, "inside", "settled"]


async def test_where_a_task_runs_the_other_one_takes_its_turn():
    prompt, said = Prompt(), []

    async def wait():
        said.append(await prompt)

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    prompt.settle(lambda: 7)

    assert said == []
    await waiting
    assert said == [7]


async def test_what_is_settled_first_is_not_waited_for():
    prompt = Prompt()
    prompt.settle(lambda: 7)

    assert await prompt == 7


async def test_an_outcome_may_be_an_error():
    prompt = Prompt()

    def outcome():
        msg = "not durable"
        raise ValueError(msg)

    async def wait():
        await prompt

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    from_outside(prompt.settle, outcome)

    with pytest.raises(ValueError, match="not durable"):
        await waiting


async def test_one_that_is_cancelled_is_not_settled():
    prompt, reached = Prompt(), []

    async def wait():
        reached.append(await prompt)

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    prompt.settle(lambda: 7)
    assert reached == []


async def test_a_time_limit_ends_the_wait():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await Prompt()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 begins later")
async def test_a_task_begun_at_once_has_taken_its_first_step():
    said = []

    async def work():
        said.append("begun")
        await asyncio.sleep(0)
        said.append("ended")

    def begin():
        tasks.append(begin_at_once(work()))
        said.append("returned")

    tasks = []
    from_outside(begin)
    await asyncio.sleep(0)
    await tasks[0]

    assert said == ["begun", "returned", "ended"]
