import pytest

from pyodide_app.agentos.providers.address import api_address, host_of
from pyodide_app.errors import AgentError


@pytest.mark.parametrize(
    ("pasted", "address"),
    [
        ("http://localhost:11434", "http://localhost:11434/v1"),
        ("http://localhost:11434/", "http://localhost:11434/v1"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("http://localhost:11434/v1/", "http://localhost:11434/v1"),
        (" https://api.example.com/v1// ", "https://api.example.com/v1"),
        ("https://host/v1/chat/completions", "https://host/v1"),
        ("https://host/v1/models/", "https://host/v1"),
        ("https://host/api/v1", "https://host/api/v1"),
        ("https://host/v1beta/openai/", "https://host/v1beta/openai"),
        ("https://host/v1?api-version=2", "https://host/v1?api-version=2"),
        ("localhost:1234", "http://localhost:1234/v1"),
        ("127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
        ("[::1]:8080", "http://[::1]:8080/v1"),
        ("api.example.com", "https://api.example.com/v1"),
    ],
)
def test_what_people_paste_is_understood(pasted, address):
    assert api_address(pasted) == address


def test_an_endpoint_comes_before_the_query():
    assert api_address("https://h/v1?a=b", "/models") == "https://h/v1/models?a=b"


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "   ",
        "ftp://host",
        "http://",
        "https://host:port",
        "file:///etc",
        "http://[",
    ],
)
def test_what_is_no_address_is_refused(pasted):
    with pytest.raises(AgentError, match="write it in full"):
        api_address(pasted)


def test_an_address_with_a_password_is_refused_without_quoting_it():
    with pytest.raises(AgentError, match="use the key") as caught:
        api_address("https://me:hunter2@host/v1")

    assert "hunter2" not in str(caught.value)


def test_people_are_shown_the_host():
    assert host_of("http://localhost:11434/v1") == "localhost:11434"
