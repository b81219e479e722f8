# SPDX-License-Identifier: Apache-2.0
"""The HTTP server of the side door: a handful of fixed answers, nothing by path, nothing that changes anything."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from understudy.codec.address import Address
from understudy.contracts.errors import UsageError
from understudy.service.log import log_event

_MOST_CONNECTIONS = 16
_LONGEST_S = 10.0  # a connection's whole life
_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"  # noqa: E501 - one header


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent for a path.

    Attributes:
        body: The bytes.
        content_type: Their type.
        status: 200 or another status.
    """

    body: bytes
    content_type: str
    status: HTTPStatus = HTTPStatus.OK


class StatusServer:
    """Answers GET and HEAD for a few fixed paths. Use it as `start` and `stop`.

    Args:
        listen: ``host:port``; port 0 takes a free one.
        answers: Path to what makes its answer.
        anywhere: Listen on an address that other machines reach, though nothing checks who asks.

    Raises:
        UsageError: The address is wrong, or reached from elsewhere and ``anywhere`` is not set.
    """

    def __init__(self, listen: str, answers: Mapping[str, Callable[[], Answer]], *, anywhere: bool = False) -> None:
        self._wanted = Address.parse(listen)
        if self._wanted.path:
            raise UsageError("the status page needs host:port", where=listen, fix="write 127.0.0.1:7434")
        if not self._wanted.local and not anywhere:
            raise UsageError(
                "other machines reach this address, and nobody is asked who they are",
                where=listen,
                fix="show the status on 127.0.0.1, or add --insecure-status-anywhere on a network you trust",
            )
        self._answers = dict(answers)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.url = ""
        """Where the page is; empty before `start`."""

    def start(self) -> str:
        """Begins to answer.

        Returns:
            The page's URL.

        Raises:
            UsageError: The address is taken or not this machine's.
        """
        try:
            family, *_, place = socket.getaddrinfo(
                self._wanted.host, self._wanted.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._server = _Server(place, family, self._answers, local=self._wanted.local)
        except OSError as error:
            raise UsageError(
                f"the status page can't listen here: {error.strerror or error}",
                where=self._wanted.target,
                fix="is the address this machine's, and free?",
            ) from error
        port = int(self._server.server_address[1])
        self.url = f"http://{Address(host=self._wanted.host, port=port).target}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="understudy-status", daemon=True
        )
        self._thread.start()
        log_event("status page", {"url": self.url})
        return self.url

    def stop(self) -> None:
        """Answers nobody any more."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, place: Any, family: int, answers: Mapping[str, Callable[[], Answer]], *, local: bool) -> None:
        self.address_family = family
        self.answers = answers
        self.local = local
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(place, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)  # those that are there are at most ten seconds old
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        ender = threading.Timer(_LONGEST_S, _hang_up, (request,))
        ender.daemon = True
        ender.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            ender.cancel()
            self._free.release()

    def handle_error(self, *_: Any) -> None:
        return  # a client that hung up is no news


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "Understudy"
    sys_version = ""
    timeout = _LONGEST_S

    def do_GET(self) -> None:
        """Answers with a body."""
        self._send(self._answer())

    def do_HEAD(self) -> None:
        """Answers without a body."""
        self._send(self._answer(), body=False)

    def _answer(self) -> Answer:
        if not self._asked_by_its_name():
            return _text(HTTPStatus.MISDIRECTED_REQUEST, "ask by this machine's own name or number")
        make = self.server.answers.get(self.path.partition("?")[0])
        if make is None:
            return _text(HTTPStatus.NOT_FOUND, "there is nothing here")
        try:
            return make()
        except Exception as error:
            log_event("status page failed", {"error": type(error).__name__}, exc_info=error)
            return _text(HTTPStatus.INTERNAL_SERVER_ERROR, "the page could not be made; the log says why")

    def _asked_by_its_name(self) -> bool:
        """Whether a page of another site got here by a name that it made point to this machine (DNS rebinding)."""
        if not self.server.local:
            return True
        host = self.headers.get("Host", "localhost").strip().lower()
        host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def _send(self, answer: Answer, *, body: bool = True) -> None:
        self.send_response(answer.status)
        for name, value in (
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            ("Content-Security-Policy", _POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        return  # the service's own log is enough


def _text(status: HTTPStatus, sentence: str) -> Answer:
    return Answer(f"{sentence}\n".encode(), "text/plain; charset=utf-8", status)


def _hang_up(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself
