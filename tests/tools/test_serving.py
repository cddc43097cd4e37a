"""The server that serves dist/, and what it refuses."""

import socket
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tools.project import BuildError
from tools.server import HEADERS, AppServer


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    (folder / "sub").mkdir(parents=True)
    (folder / "index.html").write_text("<p>hello")
    (folder / "sub" / "run.mjs").write_text("export {}")
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    with AppServer(folder) as server:
        yield server


@pytest.fixture
def get(server):
    def get(path, **headers):
        connection = HTTPConnection(server.host, server.port, timeout=10)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    return get


def test_a_file_comes_with_its_type_and_the_headers_the_app_needs(get):
    answer, body = get("/sub/run.mjs")

    assert (answer.status, body) == (200, b"export {}")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


def test_the_root_is_index_html(get):
    assert get("/")[1] == b"<p>hello"


def test_a_known_file_is_not_sent_again(get):
    first, _ = get("/index.html")

    again, body = get("/index.html", **{"If-None-Match": first.headers["ETag"]})

    assert (again.status, body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/../secret", id="dots"),
        pytest.param("/%2e%2e/secret", id="quoted-dots"),
        pytest.param("//etc/passwd", id="absolute"),
        pytest.param("/link", id="symlink"),
        pytest.param("/sub/", id="folder"),
        pytest.param("/%00", id="nul"),
        pytest.param("/" + "x" * 5000, id="long"),
        pytest.param("nothing", id="no-slash"),
    ],
)
def test_nothing_outside_and_no_folder_is_served(get, path):
    answer, body = get(path)

    assert answer.status == 404
    assert b"secret" not in body


def test_a_closed_server_is_silent_on_old_connections_too(server):
    connection = HTTPConnection(server.host, server.port, timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"<p>hello"

    server.close()

    assert _is_answered(connection.sock) is False
    connection.close()


def _is_answered(connection: socket.socket) -> bool:
    """False if the connection is closed or reset, as the system likes."""
    try:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection.recv(1) != b""
    except OSError:
        return False


def test_a_taken_port_is_named_with_the_way_out(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(BuildError, match=f"port {port} is taken.*--port"):
            AppServer(tmp_path, port=port)
