import pytest

from pyodide_app.agentos import AgentOS
from pyodide_app.agentos.http_native import HttpxClient
from pyodide_app.storage import MemoryAdapter, create_agentos_storage
from tests.openai_server import OpenAiServer

KEY = "sk-test-0123456789"


@pytest.fixture(scope="session")
def _server():
    with OpenAiServer(key=KEY) as running:
        yield running


@pytest.fixture
def server(_server):
    """A running server that remembers nothing of other tests."""
    _server.state.requests.clear()
    _server.state.failed_once.clear()
    _server.state.gone.clear()
    return _server


@pytest.fixture
async def http():
    client = HttpxClient()
    yield client
    await client.aclose()


@pytest.fixture
async def storage():
    opened = await create_agentos_storage(adapter=MemoryAdapter())
    yield opened
    await opened.close()


@pytest.fixture
async def agentos(storage, http):
    runtime = AgentOS()
    await runtime.initialize(storage_adapter=storage, http=http)
    yield runtime
    await runtime.close()


@pytest.fixture
def openai(server):
    """Name a model of the test server, as a page would."""

    def spec(model, **more):
        return {
            "type": "openai",
            "baseUrl": server.url,
            "apiKey": KEY,
            "model": model,
            **more,
        }

    return spec
