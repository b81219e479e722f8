# SPDX-License-Identifier: Apache-2.0
"""The HTTP side door gives a few fixed answers and nothing else, to whoever asks it how."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest

from understudy.contracts.errors import UsageError
from understudy.service.status_page import server as server_module
from understudy.service.status_page.server import Answer, StatusServer


def broken() -> Answer:
    raise RuntimeError("/secret/inside")


@pytest.fixture
def server() -> Iterator[StatusServer]:
    door = StatusServer("127.0.0.1:0", {"/": lambda: Answer(b"hello", "text/plain"), "/broken": broken})
    door.start()
    yield door
    door.stop()


def ask(
    server: StatusServer, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, bytes, http.client.HTTPResponse]:
    place = urlsplit(server.url)
    assert place.hostname
    with closing(http.client.HTTPConnection(place.hostname, place.port, timeout=20)) as connection:
        connection.request(method, path, headers={"Host": host} if host else {})
        response = connection.getresponse()
        return response.status, response.read(), response


def test_it_answers_get_and_head(server: StatusServer) -> None:
    status, body, response = ask(server, "/?x=1")
    assert (status, body) == (200, b"hello")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"
    status, body, response = ask(server, "/", "HEAD")
    assert (status, body, response.headers["Content-Length"]) == (200, b"", "5")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "NONSENSE"])
def test_nothing_can_be_changed(server: StatusServer, method: str) -> None:
    assert ask(server, "/", method)[0] == 501


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/..%2f..%2fetc/passwd", "/status.html.j2", "/%00", "*", "/server.py"]
)
def test_nothing_is_served_by_path(server: StatusServer, path: str) -> None:
    assert ask(server, path)[:2] == (404, b"there is nothing here\n")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "[::2]:80", "10.0.0.1"])
def test_a_page_of_another_site_gets_nothing_by_a_name_of_its_own(server: StatusServer, host: str) -> None:
    assert ask(server, "/", host=host)[0] == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:7434", "127.0.0.1:1", "[::1]:80"])
def test_its_own_names_are_good(server: StatusServer, host: str) -> None:
    assert ask(server, "/", host=host)[0] == 200


def test_a_page_that_fails_tells_nothing_of_the_inside(server: StatusServer) -> None:
    status, body, _ = ask(server, "/broken")
    assert status == 500
    assert b"secret" not in body


def test_slow_clients_are_few_and_short(server: StatusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_LONGEST_S", 1.0)
    place = urlsplit(server.url)
    slow = [
        socket.create_connection((place.hostname, place.port), timeout=20)
        for _ in range(server_module._MOST_CONNECTIONS)
    ]
    for client in slow:
        client.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
    with socket.create_connection((place.hostname, place.port), timeout=20) as late, suppress(ConnectionResetError):
        assert late.recv(1) == b""  # hung up on at once
    for client in slow:
        with client:
            client.settimeout(20)
            assert client.recv(100) == b""  # its time was over
    assert ask(server, "/")[0] == 200


def test_other_machines_are_kept_out_unless_told_otherwise() -> None:
    for listen in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80"):
        with pytest.raises(UsageError, match="--insecure-status-anywhere"):
            StatusServer(listen, {})
    with pytest.raises(UsageError, match="host:port"):
        StatusServer("unix:/tmp/a", {})
    open_door = StatusServer("0.0.0.0:0", {"/": lambda: Answer(b"x", "text/plain")}, anywhere=True)
    open_door.start()
    try:
        port = urlsplit(open_door.url).port
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request("GET", "/", headers={"Host": "gpu-01.studio"})
            assert connection.getresponse().status == 200
    finally:
        open_door.stop()


def test_a_taken_port_is_a_sentence(server: StatusServer) -> None:
    with pytest.raises(UsageError, match="can't listen here"):
        StatusServer(urlsplit(server.url).netloc, {}).start()
