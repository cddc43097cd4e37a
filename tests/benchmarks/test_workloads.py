"""The benchmark's Python side, run once on CPython so that it keeps in step."""

import json

import pytest

from pyodide_app.storage.volume import install_volume
from pyodide_app.testing import FolderVolume
from tests.benchmarks.parts.statements import run_tests
from tests.benchmarks.plan import WrongResultError
from tests.benchmarks.round_trips import mean_of_middle, round_trips
from tests.benchmarks.sides.messages import messages, queries
from tests.benchmarks.sides.workloads import Side
from tests.benchmarks.sixteen import sixteen_tests
from tests.benchmarks.workload import ROWS, SELECTS, write_workload


@pytest.fixture
def volume(tmp_path):
    volume = FolderVolume(tmp_path / "volume")
    install_volume(volume)
    yield volume
    install_volume(None)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_workload(folder)
    return folder


@pytest.fixture
async def side(data, volume):
    side = Side((data / "workload.json").read_text("utf-8"))
    yield side
    await side.close()


def _rows(data, count):
    return json.dumps(json.loads((data / "rows.json").read_text("utf-8"))[:count])


async def test_a_database_is_filled_to_its_size(side):
    await side.open("batched")

    described = await side.fill(3_000_000)

    assert 3_000_000 <= described["size"] < 6_500_000
    assert 200 <= described["size"] / described["rows"] <= 1_000


async def test_each_update_is_durable_before_the_next(side, volume):
    await side.open("commit")
    await side.fill(100_000)
    before = len(volume.flushes)

    answer = json.loads(
        await side.call("update", '{"count": 6, "turn": 1, "batch": 2}')
    )

    assert len(volume.flushes) - before == 6
    assert len(answer["ms"]) == 3
    assert answer["isThere"]


async def test_updates_of_two_turns_write_different_data(side):
    await side.open("batched")
    await side.fill(100_000)
    sql = "SELECT sum(length(event_data)) AS n FROM conversation_events"

    await side.update(50, 1, 10)
    first = await side._open.get(sql)
    await side.update(50, 2, 10)

    assert await side._open.get(sql) != first


async def test_every_key_is_found_among_the_rows(side, data):
    await side.open("batched")

    await side.insert(_rows(data, ROWS))
    found = (await side.select())["found"]

    assert found == SELECTS


async def test_conversations_are_appended_loaded_and_searched(side, data):
    answer = await side.conversations(
        _rows(data, 40), conversations=4, events=10, appends=8
    )

    assert answer["events"] == 40
    common, rare = answer["found"]
    assert common > 0
    assert rare == 8


async def test_the_16_tests_leave_what_sqlite_makes_of_them(side):
    tests = sixteen_tests(scale=0.01)
    await side.open_empty("commit")

    answers = await side.tests(json.dumps([t.as_data() for t in tests]), only=16)

    assert [answer["found"] for answer in answers] == [t.expected for t in tests]


async def test_each_insert_of_the_first_test_is_durable_before_the_next(side, volume):
    first, *_ = sixteen_tests(scale=0.01)
    await side.open_empty("commit")
    before = len(volume.flushes)

    await side.tests(json.dumps([first.as_data()]), only=1)

    at_its_end = 1
    assert len(volume.flushes) - before == len(first.statements) + at_its_end > 10


async def test_each_round_trip_is_timed(side, volume):
    await side.open_empty("commit")

    times = await side.round_trips(json.dumps(round_trips()), count=3)

    assert len(times) == 12
    assert {len(each) for each in times.values()} == {3}
    assert await side._open.all("SELECT name FROM sqlite_schema") == []


async def test_a_search_finds_what_looking_at_each_message_finds(side):
    await side.fill_messages(conversations=4, messages=50)

    assert await side.check_search(20, conversations=4, messages=50) == []
    assert len((await side.search(seed=1, count=5))["ms"]) == 5


async def test_a_search_that_misses_messages_is_named(side):
    await side.fill_messages(conversations=1, messages=50)

    assert await side.check_search(20, conversations=4, messages=50) != []


def test_the_same_seed_makes_the_same_messages_and_queries():
    assert list(messages(5)) == list(messages(5))
    assert queries(1, 5) == queries(1, 5) != queries(2, 5)


def test_the_slowest_and_the_fastest_tenth_are_left_out():
    assert mean_of_middle([100, *[2] * 8, 0]) == 2


def test_a_side_that_leaves_anything_else_has_failed():
    tests = sixteen_tests(scale=0.01)
    found = [[list(row) for row in test.expected] for test in tests]
    found[3][0][0] += 1
    side = _Answers([{"ms": 1, "found": each} for each in found])

    with pytest.raises(WrongResultError, match="after test 4"):
        run_tests(side, "sixteen", tests)


class _Answers:
    """A side whose tables hold what it is told."""

    name = "stand-in"

    def __init__(self, answers):
        self._answers = answers

    def call(self, _method, **_arguments):
        return {"answers": self._answers, "bytes": 0}
