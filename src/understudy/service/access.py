# SPDX-License-Identifier: Apache-2.0
"""The door of the service: finds out who calls before any method hears of it."""

import hmac
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from grpc_status import rpc_status

from understudy.codec.errors import error_to_status
from understudy.contracts.errors import AccessError, UnavailableError, UnderstudyError, UsageError
from understudy.service.access_file import AccessFile, TokenEntry, read_access_file, token_hash
from understudy.service.caller import Caller, is_local, remember_caller
from understudy.service.log import log_event

OPEN_METHODS = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"})
"""What a load balancer asks, with no credentials; `List`, which names every pack, is not among them."""

_FORGET_S = 600.0
_MOST_HOSTS = 1000
_UNKNOWN = "the service does not know who calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """Who may use the service.

    Attributes:
        file: Tokens and certificates with their names and roles, as ``understudy tokens add`` writes it; every call
            needs one of them then, and the file is read again when it changes. None: callers are not told apart, and
            those on this machine are admins.
    """

    file: Path | None = None


class Access:
    """Tells who calls, by token or by client certificate.

    Args:
        settings: Where the access file is.
        certificates: Client certificates are required: the handshake checked each against the authority.

    Raises:
        UsageError: The access file is missing, not private or wrong.
    """

    def __init__(self, settings: AccessSettings | None = None, *, certificates: bool = False) -> None:
        self._path = (settings or AccessSettings()).file
        self._certificates = certificates
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._content: AccessFile | None = None
        self._denials = _Denials()
        if self._path is not None:
            self._stamp = _stamp(self._path)
            self._content = read_access_file(self._path)

    @property
    def checks(self) -> bool:
        """Whether it tells callers apart at all."""
        return self._path is not None or self._certificates

    def interceptor(self) -> grpc.ServerInterceptor:
        """Stands before every method of a server but `OPEN_METHODS`."""
        return _Door(self)

    def may_know(self, metadata: Any) -> bool:
        """Whether `admit` may let a call in, told from its metadata alone: before anything of its request is read.

        Args:
            metadata: Of the call.
        """
        if self._path is None:
            return True
        try:
            token = _bearer(metadata)
            if token is None:
                return self._certificates
            return self._owner(token, self._current()) is not None
        except UnderstudyError:
            return False

    def admit(self, context: Any) -> Caller:
        """Who makes a call.

        Args:
            context: Of the call.

        Raises:
            AccessError: Nobody it knows; the same sentence for no, a wrong, and an expired token.
            UnavailableError: The access file can't be used any more.
        """
        peer = str(context.peer())
        local = is_local(peer)
        try:
            if self._path is not None:
                return self._known(context, self._current(), local=local)
            if self._certificates:
                return Caller(name=_common_name(context), local=local)
        except AccessError:
            self._denials.note(peer)
            raise
        return Caller(admin=local, local=local)

    def _known(self, context: Any, content: AccessFile, *, local: bool) -> Caller:
        token = _bearer(context.invocation_metadata())
        if token is not None:
            entry = self._owner(token, content)
            if entry is not None:
                return Caller(name=entry.name, admin="admin" in entry.roles, local=local)
        elif self._certificates:
            name = _common_name(context)
            for certificate in content.certificate:
                if certificate.common_name == name:
                    return Caller(name=certificate.name, admin="admin" in certificate.roles, local=local)
        raise AccessError(_UNKNOWN, fix="set UNDERSTUDY_TOKEN or UNDERSTUDY_TOKEN_FILE to a token that it knows")

    @staticmethod
    def _owner(token: str, content: AccessFile) -> TokenEntry | None:
        """The valid entry of a token. Each is compared, so that the time tells nothing of where the right one is."""
        given = token_hash(token)
        fits = [entry for entry in content.token if hmac.compare_digest(entry.sha256, given)]
        now = datetime.now(UTC)
        return next((entry for entry in fits if not entry.expired(now)), None)

    def _current(self) -> AccessFile:
        """The file's content, read again when it changed; nobody enters while it can't be used."""
        assert self._path is not None
        with self._lock:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp, self._content = stamp, None
                try:
                    self._content = read_access_file(self._path)
                    log_event("access file read", {"tokens": len(self._content.token)})
                except UsageError as error:
                    log_event("access file refused", {"problem": str(error)}, level=logging.ERROR)
            if self._content is None:
                raise UnavailableError("the service can't check who calls", fix="its log says why")
            return self._content


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file does; empty for none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode)


def _bearer(metadata: Any) -> str | None:
    """The token of a call; None without one. Two are as good as a wrong one."""
    values = [value for key, value in metadata if key == "authorization"]
    if not values:
        return None
    scheme, _, token = str(values[0]).partition(" ")
    return token.strip() if len(values) == 1 and scheme.lower() == "bearer" else ""


def _common_name(context: Any) -> str:
    names = context.auth_context().get("x509_common_name", [])
    if not names:
        raise AccessError(_UNKNOWN, fix="give your client certificate a common name")
    return str(names[0].decode(errors="replace"))


class _Denials:
    """Logs who was turned away: the first time, the second, the fourth, the eighth ... of each machine.

    The answer is the same however often somebody tries: a token can't be guessed, and to refuse a machine would let one
    user lock out all who share its address.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def note(self, peer: str) -> None:
        host = peer.rpartition(":")[0] or peer
        now = time.monotonic()
        with self._lock:
            count, last = self._hosts.pop(host, (0, now))
            count = 1 if now - last > _FORGET_S else count + 1
            self._hosts[host] = (count, now)
            if len(self._hosts) > _MOST_HOSTS:
                self._hosts.popitem(last=False)
        if count & (count - 1) == 0:
            log_event("turned away", {"peer": peer, "attempts": count}, level=logging.WARNING)


class _Door(grpc.ServerInterceptor):  # type: ignore[misc] # gRPC has no types
    """Has every call admitted before its method, or its request stream, is touched."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None], details: Any
    ) -> grpc.RpcMethodHandler | None:
        handler = continuation(details)
        if handler is None or details.method in OPEN_METHODS:
            return handler
        if not self._access.may_know(details.invocation_metadata):
            # As a stream, whose messages are read when they are asked for: never.
            return grpc.stream_stream_rpc_method_handler(self._refuse)
        return self._answering(handler) if handler.response_streaming else self._single(handler)

    def _answering(self, handler: Any) -> grpc.RpcMethodHandler:
        inner = handler.stream_stream or handler.unary_stream

        def behavior(requests: Iterator[Any], context: Any) -> Iterator[Any]:
            self._admit(context)
            yield from inner(requests if handler.request_streaming else _only(requests, context), context)

        return grpc.stream_stream_rpc_method_handler(
            behavior, handler.request_deserializer, handler.response_serializer
        )

    def _single(self, handler: Any) -> grpc.RpcMethodHandler:
        inner = handler.stream_unary or handler.unary_unary

        def behavior(requests: Iterator[Any], context: Any) -> Any:
            self._admit(context)
            return inner(requests if handler.request_streaming else _only(requests, context), context)

        return grpc.stream_unary_rpc_method_handler(behavior, handler.request_deserializer, handler.response_serializer)

    def _refuse(self, _request: Any, context: Any) -> Iterator[bytes]:
        self._admit(context)
        context.abort(grpc.StatusCode.UNAVAILABLE, "the access file has just changed; try again")
        yield b""  # never: both calls above raise

    def _admit(self, context: Any) -> None:
        try:
            remember_caller(context, self._access.admit(context))
        except UnderstudyError as error:
            context.abort_with_status(rpc_status.to_status(error_to_status(error)))


def _only(requests: Iterator[Any], context: Any) -> Any:
    """The one message of a call, received now: one taken as unary would be received before anybody is admitted.

    On the wire a stream of one message is no other than that message.
    """
    for request in requests:
        return request
    return context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the call holds no message")
