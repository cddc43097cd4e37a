"""The benchmark's Python side, run once on CPython so that it keeps in step."""

import json

import pytest

from pyodide_app.storage.volume import install_volume
from pyodide_app.testing import FolderVolume
from tests.benchmarks.sides.workloads import Side
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
    answer = await side.conversations(_rows(data, 40), conversations=4, appends=8)

    assert answer["events"] == 40
    assert answer["eventsEach"] == 10
    common, rare = answer["found"]
    assert common > 0
    assert rare > 0
