# SPDX-License-Identifier: Apache-2.0
"""The engine on another machine, or in another process."""

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

# Must be set before gRPC loads: its fork handlers would stop every subprocess call of the host program.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import grpc

from understudy.client.status import error_from_call
from understudy.codec.address import Address
from understudy.codec.info import info_from_pb
from understudy.codec.jobs import request_to_pb, result_from_pb
from understudy.codec.messages import Malformed, RequestPart, ResponsePart, decode_response_part, decoder, encode_part
from understudy.codec.pixels import Receiver, chunks
from understudy.codec.protocol import INFO_METHOD, MAX_MESSAGE_BYTES, MAX_METADATA_BYTES, RUN_METHOD, SERVICE
from understudy.contracts.engine import NO_CONTROL, Control, EngineInfo
from understudy.contracts.errors import InputError, UnavailableError, UnderstudyError, UsageError
from understudy.contracts.jobs import RoleRequest, RoleResult
from understudy.wire.understudy.v1 import understudy_pb2 as pb

RUN_TIMEOUT_S = 3600.0
INFO_TIMEOUT_S = 30.0
_POLL_S = 0.05
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.enable_http_proxy", 0),  # a studio's web proxy is not on the way to its GPU machine
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),  # a restarted service is found again at once
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


class RemoteEngine:
    """Runs role requests on a service. Safe to use from several threads; not across a fork.

    Args:
        address: ``host:port``, ``[v6]:port`` or ``unix:path``. Nothing is connected before the first call.
        timeout_s: Longest time for one call, waiting included; None takes an hour for `run`, 30 s for `info`.

    Raises:
        UsageError: The address or the time is wrong.
    """

    def __init__(self, address: str, *, timeout_s: float | None = None) -> None:
        if timeout_s is not None and not 0 < timeout_s < float("inf"):
            raise UsageError(f"a time limit of {timeout_s} s", fix="give seconds over 0")
        self._address = Address.parse(address).target
        self._run_timeout_s = timeout_s or RUN_TIMEOUT_S
        self._info_timeout_s = timeout_s or INFO_TIMEOUT_S
        self._process = os.getpid()
        self._channel = _open_channel(self._address)
        self._info = self._channel.unary_unary(
            f"/{SERVICE}/{INFO_METHOD}",
            request_serializer=pb.InfoRequest.SerializeToString,
            response_deserializer=decoder(pb.InfoResponse),
        )
        self._run = self._channel.stream_stream(
            f"/{SERVICE}/{RUN_METHOD}", request_serializer=encode_part, response_deserializer=decode_response_part
        )

    def info(self) -> EngineInfo:
        """What the engine is and which packs it has.

        Raises:
            UnavailableError: The service does not answer.
            UnderstudyError: Any of the tree.
        """
        with self._errors(self._info_timeout_s):
            message = self._call(self._info, pb.InfoRequest(), timeout_s=self._info_timeout_s)
            if isinstance(message, Malformed):
                raise _WrongAnswerError(message.reason)
            with _decoding():
                return info_from_pb(message)

    def run(self, request: RoleRequest, control: Control = NO_CONTROL, /) -> RoleResult:
        """Runs one request; the bytes are those that an engine in this process returns.

        Raises:
            UnavailableError: The service does not answer, is full, or took too long.
            UnderstudyError: Any of the tree, as the engine raised it.
        """
        control.check()
        header = request_to_pb(request, request.request_id or uuid.uuid4().hex)
        call = self._call(self._run, _parts(header, request), timeout_s=self._run_timeout_s)
        with _Watch(call, control.cancelled) as watch, self._errors(self._run_timeout_s, watch):
            return _read_result(call, control)

    def close(self) -> None:
        """Drops the connection; running calls end with an error."""
        if os.getpid() == self._process:
            self._channel.close()

    def _call(self, method: Any, *arguments: Any, timeout_s: float) -> Any:
        if os.getpid() != self._process:
            raise UsageError("this connection was opened before the process forked", fix="open it in the child process")
        try:
            return method(*arguments, timeout=timeout_s)
        except ValueError as error:  # gRPC's word for a closed channel
            raise UnavailableError("the connection is closed", where=self._address) from error

    @contextmanager
    def _errors(self, timeout_s: float, watch: "_Watch | None" = None) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            if watch is not None and watch.failure is not None:
                raise watch.failure from None
            gone = watch is not None and watch.cancelled
            raise error_from_call(error, self._address, cancelled=gone, timeout_s=timeout_s) from None
        except _WrongAnswerError as error:
            raise UnderstudyError(
                f"the service's answer can't be used: {error}", where=self._address, fix="is it of the same version?"
            ) from error


class _WrongAnswerError(Exception):
    pass


def _open_channel(target: str) -> Any:
    """A channel; credentials will take their place here."""
    return grpc.insecure_channel(target, options=_OPTIONS)


def _parts(header: pb.RunHeader, request: RoleRequest) -> Iterator[RequestPart]:
    yield pb.RunRequest(header=header)
    yield from chunks(request.plates.values())
    yield pb.RunRequest(end=pb.End(size=sum(plate.inline.size for plate in header.plates)))


class _Watch:
    """Asks the caller beside a call whether it wants to go on, and cancels the call when not."""

    def __init__(self, call: Any, wanted: Callable[[], bool]) -> None:
        self._call = call
        self._wanted = wanted
        self._ended = threading.Event()
        self.cancelled = False
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._watch, name="understudy-cancel", daemon=True)

    def _watch(self) -> None:
        while not self._ended.wait(_POLL_S):
            try:
                self.cancelled = self._wanted()
            except BaseException as error:
                self.failure = error
            if self.cancelled or self.failure:
                self._call.cancel()
                return

    def __enter__(self) -> Self:
        if self._wanted is not NO_CONTROL.cancelled:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._call.cancel()
        if self._thread.ident is not None:
            self._thread.join()


@contextmanager
def _decoding() -> Iterator[None]:
    try:
        yield
    except (UsageError, InputError) as error:
        raise _WrongAnswerError(str(error)) from error


def _read_result(call: Iterator[ResponsePart | Malformed], control: Control) -> RoleResult:
    header: pb.ResultHeader | None = None
    receiver: Receiver | None = None
    result: RoleResult | None = None
    for part in call:
        if isinstance(part, Malformed):
            raise _WrongAnswerError(part.reason)
        if isinstance(part, memoryview):
            if receiver is None:
                raise _WrongAnswerError("pixels come before the header")
            with _decoding():
                receiver.add(part)
            continue
        kind = part.WhichOneof("part")
        if kind == "progress":
            control.progress(part.progress.done, part.progress.total)
        elif kind == "header":
            header = part.header
            with _decoding():
                receiver = Receiver(header.plates, finite=False)
        elif kind == "end" and header is not None and receiver is not None:
            with _decoding():
                result = result_from_pb(header, receiver.finish())
        # Other kinds are events that a later version of the service sends.
    if result is None:
        raise _WrongAnswerError("it breaks off before its end")
    return result
