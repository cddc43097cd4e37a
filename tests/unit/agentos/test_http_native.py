import sys

import pytest

from pyodide_app.agentos.http_native import HttpxClient
from pyodide_app.errors import AgentError, ProviderOfflineError


def test_without_httpx_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)

    with pytest.raises(AgentError, match=r"pip install 'pyodide_app\[http\]'"):
        HttpxClient()


async def test_headers_are_read_in_lower_case_and_any_status_is_a_response(
    http, server
):
    async with http.stream("GET", f"{server.url}/models") as response:
        body = b"".join([piece async for piece in response.aiter_bytes()])

    assert response.status == 401
    assert response.headers["content-type"] == "application/json"
    assert b"Incorrect API key" in body


@pytest.mark.parametrize("url", ["http://[", "http://host:port/", "http://a b/"])
async def test_what_is_no_address_is_offline(http, url):
    with pytest.raises(ProviderOfflineError):
        async with http.stream("GET", url):
            pass
