"""A storage in memory, and a volume in a folder."""

import pytest

from pyodide_app.storage import create_agentos_storage
from pyodide_app.storage.engine import Engine
from pyodide_app.testing import FolderVolume


@pytest.fixture
async def storage():
    async with await create_agentos_storage(platform="memory") as storage:
        yield storage


@pytest.fixture
def volume(tmp_path):
    return FolderVolume(tmp_path / "volume")


@pytest.fixture
def engine():
    with Engine(":memory:", pragmas=("foreign_keys = ON",)) as engine:
        yield engine
