# SPDX-License-Identifier: Apache-2.0
"""The engine on another machine, or in another process."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from understudy.client.channel import open_channel
from understudy.client.replicas import ReplicaWatch
from understudy.client.retries import DEFAULT_RETRIES, Patience, Retries, SendAgainError
from understudy.client.run_call import Watch, WrongAnswerError, decoding, read_result
from understudy.client.sender import Sender, sender_from_environment
from understudy.client.status import error_from_call, send_again
from understudy.client.trace_context import trace_metadata
from understudy.client.transport import Link, Transport
from understudy.codec.address import Replicas
from understudy.codec.estimates import estimate_from_pb
from understudy.codec.info import info_from_pb
from understudy.codec.jobs import request_to_pb
from understudy.codec.messages import Malformed, decode_response_part, decoder, encode_part
from understudy.codec.protocol import ESTIMATE_METHOD, INFO_METHOD, RUN_METHOD, SERVICE
from understudy.contracts.engine import NO_CONTROL, Control, EngineInfo
from understudy.contracts.errors import UnavailableError, UnderstudyError, UnknownPixelsError, UsageError
from understudy.contracts.estimate import Estimate
from understudy.contracts.jobs import RoleRequest, RoleResult
from understudy.contracts.plate import FloatImage
from understudy.wire.understudy.v1 import understudy_pb2 as pb

RUN_TIMEOUT_S = 3600.0
INFO_TIMEOUT_S = 30.0


class RemoteEngine:
    """Runs role requests on a service. Safe to use from several threads; not across a fork.

    Args:
        address: ``host:port``, ``[v6]:port`` or ``unix:path``; several of a kind with commas between them, or
            ``dns:///host:port``, are replicas that share the requests. Nothing is connected before the first call.
        timeout_s: Longest time for one call, waiting included; None takes an hour for `run`, 30 s for `info`.
        retries: How often a request is sent again when a replica goes away or is busy.
        transport: How pixels travel: ``shared-memory``, ``stream``, or ``auto`` for the best that both ends can do.
        sender: Whose requests they are, and how urgent; from the environment when left out.
        halves: Whether chunks of pixels travel as halves where every sample is the same float32 again. None does so to
            other machines only: on this one, converting takes longer than half of the bytes.

    Raises:
        UsageError: The address, the time or the transport is wrong.
        UnavailableError: None of several names is known.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float | None = None,
        retries: Retries = DEFAULT_RETRIES,
        transport: str = "auto",
        sender: Sender | None = None,
        halves: bool | None = None,
    ) -> None:
        if timeout_s is not None and not 0 < timeout_s < float("inf"):
            raise UsageError(f"a time limit of {timeout_s} s", fix="give seconds over 0")
        self._replicas = Replicas.parse(address)
        self._address = str(self._replicas)
        self._retries = retries
        self._sender = sender_from_environment() if sender is None else sender
        self._watch = ReplicaWatch()
        self._reached = self._replicas.several
        self._run_timeout_s = timeout_s or RUN_TIMEOUT_S
        self._info_timeout_s = timeout_s or INFO_TIMEOUT_S
        self._process = os.getpid()
        self._channel = open_channel(self._replicas)
        self._info = self._channel.unary_unary(
            f"/{SERVICE}/{INFO_METHOD}",
            request_serializer=pb.InfoRequest.SerializeToString,
            response_deserializer=decoder(pb.InfoResponse),
        )
        self._estimate = self._channel.unary_unary(
            f"/{SERVICE}/{ESTIMATE_METHOD}",
            request_serializer=pb.EstimateRequest.SerializeToString,
            response_deserializer=decoder(pb.EstimateResponse),
        )
        self._run = self._channel.stream_stream(
            f"/{SERVICE}/{RUN_METHOD}", request_serializer=encode_part, response_deserializer=decode_response_part
        )
        self._link = Link(self._channel, self._ask_info, self._replicas, transport, halves=halves)

    @property
    def transport(self) -> Transport:
        """How pixels travel, and why not faster; asks the service the first time.

        Raises:
            UnavailableError: Shared memory was asked for by name, and can't be had.
        """
        self._require_process()
        return self._link.transport(self._info_timeout_s)

    def empty(self, shape: tuple[int, int, int]) -> FloatImage:
        """Memory for the pixels of a new plate, which then need no copy on their way to the service.

        Fill it, make a `Plate` of it (of all of it, or of whole rows), and leave it alone from then on. Where memory
        can't be shared, it is an ordinary array.

        Args:
            shape: Height, width, channels.

        Returns:
            float32, not initialized.
        """
        self._require_process()
        return self._link.empty(shape, self._info_timeout_s)

    def info(self) -> EngineInfo:
        """What the engine is and which packs it has.

        Raises:
            UnavailableError: The service does not answer.
            UnderstudyError: Any of the tree.
        """
        with self._errors(self._info_timeout_s):
            message = self._ask_info(self._info_timeout_s)
            if isinstance(message, Malformed):
                raise WrongAnswerError(message.reason)
            self._reached = True
            with decoding():
                return info_from_pb(message)

    def run(self, request: RoleRequest, control: Control = NO_CONTROL, /) -> RoleResult:
        """Runs one request; the bytes are those that an engine in this process returns.

        A request whose replica went away, stops or is busy is sent again, to another one if there is one. A single
        service that was never reached is not waited for.

        Raises:
            UnavailableError: The service does not answer, is full, or took too long.
            UnderstudyError: Any of the tree, as the engine raised it.
        """
        control.check()
        header = self._header(request)
        count = max(1, len(self._replicas.addresses))
        patience = Patience(self._retries, time.monotonic() + self._run_timeout_s, count)
        known = True
        while True:
            try:
                return self._run_once(header, request, control, patience)
            except UnknownPixelsError:  # the service was started anew since it was told of the memory
                if not known:
                    raise
                known = False
                self._link.forget()
            except UnderstudyError as error:
                error.request_id = error.request_id or header.request_id
                raise
            except SendAgainError as failure:
                failure.error.request_id = header.request_id
                self._reached = self._reached or failure.answered
                if not self._reached:
                    raise failure.error from None
                patience.wait(failure, control)
                if failure.why == "lost":
                    control.warn(f"{failure.error.problem}; the frame was sent again")

    def estimate(self, request: RoleRequest) -> Estimate:
        """What a request would cost on the service; its pixels stay here.

        Raises:
            UnavailableError: The service does not answer.
            UnderstudyError: Any of the tree, such as a pack that is not there.
        """
        with self._errors(self._info_timeout_s):
            asked = pb.EstimateRequest(run=self._header(request))
            message = self._call(self._estimate, asked, timeout_s=self._info_timeout_s)
            if isinstance(message, Malformed):
                raise WrongAnswerError(message.reason)
            return estimate_from_pb(message)

    def close(self) -> None:
        """Drops the connection; running calls end with an error."""
        if os.getpid() == self._process:
            self._link.close()
            self._channel.close()

    def _header(self, request: RoleRequest) -> pb.RunHeader:
        name = request.request_id or uuid.uuid4().hex
        return request_to_pb(request, name, priority=self._sender.priority, user=self._sender.user)

    def _run_once(self, header: pb.RunHeader, request: RoleRequest, control: Control, patience: Patience) -> RoleResult:
        self._require_process()
        with self._link.pack(header, request, patience.remaining_s) as parcel:
            call = self._call(self._run, parcel.parts(), timeout_s=patience.remaining_s)
            with Watch(call, control.cancelled) as watch, self._errors(self._run_timeout_s, watch):
                result = read_result(call, control, parcel)
                self._reached = True
                self._link.learn(request, parcel)
                if self._replicas.several:
                    self._watch.compare(call.initial_metadata(), result, control.warn)
                return result

    def _ask_info(self, timeout_s: float) -> "pb.InfoResponse | Malformed":
        answer: pb.InfoResponse | Malformed = self._call(self._info, pb.InfoRequest(), timeout_s=timeout_s)
        return answer

    def _require_process(self) -> None:
        if os.getpid() != self._process:
            raise UsageError("this connection was opened before the process forked", fix="open it in the child process")

    def _call(self, method: Any, *arguments: Any, timeout_s: float) -> Any:
        self._require_process()
        try:
            return method(*arguments, timeout=timeout_s, metadata=trace_metadata())
        except ValueError as error:  # gRPC's word for a closed channel
            raise UnavailableError("the connection is closed", where=self._address) from error

    def _meant(self, error: Any, timeout_s: float, watch: "Watch | None") -> BaseException:
        """What a failed call means to the caller."""
        if watch is not None and watch.failure is not None:
            return watch.failure
        gone = watch is not None and watch.cancelled
        meant = error_from_call(error, self._address, cancelled=gone, timeout_s=timeout_s)
        return (send_again(error, meant) if watch is not None else None) or meant

    @contextmanager
    def _errors(self, timeout_s: float, watch: "Watch | None" = None) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            # gRPC raises the call itself, which its frames hold, and those hold the pixels: cut, else all of it stays
            # until Python's collector comes by. For the same reason what is raised here has no name here.
            error.__traceback__ = None
            raise self._meant(error, timeout_s, watch) from None
        except WrongAnswerError as error:
            raise UnderstudyError(
                f"the service's answer can't be used: {error}", where=self._address, fix="is it of the same version?"
            ) from error
