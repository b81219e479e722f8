# SPDX-License-Identifier: Apache-2.0
"""Which way pixels go to a service: through shared memory where both ends are on one host, as chunks otherwise."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, get_args

import grpc
import numpy as np

from understudy.client.parcel import Parcel, likely_result_bytes
from understudy.client.region import supported
from understudy.client.sent_plates import SentPlates
from understudy.client.shared_memory import NotSharedError, SharedMemory, default_max_bytes
from understudy.codec.address import Replicas
from understudy.codec.half import CONVERTS
from understudy.codec.messages import Malformed, decoder
from understudy.codec.protocol import SERVICE, SHARE_METHOD
from understudy.contracts.errors import UnavailableError, UsageError
from understudy.contracts.jobs import RoleRequest
from understudy.contracts.plate import FloatImage
from understudy.wire.understudy.v1 import understudy_pb2 as pb

TransportName = Literal["auto", "shared-memory", "stream"]
_ASK_S = 5.0
_KINDS = 1000
_SMALL_REQUEST = 256 << 10
"""Requests below it are not worth a session of shared memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How pixels travel.

    Attributes:
        name: ``shared-memory`` or ``stream``.
        reason: Why it is not the faster one; empty when it is.
    """

    name: Literal["shared-memory", "stream"]
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})" if self.reason else self.name


class Link:
    """Chooses the transport, and packs requests for it. Safe to use from several threads.

    Args:
        channel: To the service.
        info: Asks the service what it is, within so many seconds; raises `grpc.RpcError`.
        replicas: Its addresses.
        wanted: The transport by name, or ``auto``.
        halves: Whether chunks travel as halves where those are the same pixels. None does so to other machines only:
            on this one, converting takes longer than half of the bytes.

    Raises:
        UsageError: There is no such transport.
    """

    def __init__(
        self,
        channel: Any,
        info: Callable[[float], pb.InfoResponse | Malformed],
        replicas: Replicas,
        wanted: str,
        *,
        halves: bool | None = None,
    ) -> None:
        if wanted not in get_args(TransportName):
            raise UsageError(
                f"there is no transport {wanted!r}", fix=f"it is one of {', '.join(get_args(TransportName))}"
            )
        self._wanted = wanted
        self._where = str(replicas)
        self._info = info
        self._share = channel.stream_stream(
            f"/{SERVICE}/{SHARE_METHOD}",
            request_serializer=pb.ShareRequest.SerializeToString,
            response_deserializer=decoder(pb.ShareResponse),
        )
        self._lock = threading.Lock()
        self._memory: SharedMemory | None = None
        self._never = self._why_not(replicas)
        self._reason = self._never
        self._sent = SentPlates()
        here = all(address.local for address in replicas.addresses) and replicas.dns is None
        self._wants_halves = CONVERTS and (not here if halves is None else halves)
        self._service_halves: bool | None = None
        self._rooms: dict[tuple[str, str, int], int] = {}

    def transport(self, timeout_s: float) -> Transport:
        """The transport that is used, once the service was asked.

        Raises:
            UnavailableError: Shared memory was asked for by name, and can't be had.
        """
        memory = self._session(timeout_s)
        return Transport(name="stream" if memory is None else "shared-memory", reason=self._reason)

    def empty(self, shape: tuple[int, int, int], timeout_s: float) -> FloatImage:
        """An array in shared memory; an ordinary one where that can't be had.

        Raises:
            UnavailableError: Shared memory was asked for by name, and can't be had.
        """
        memory = self._session(timeout_s)
        if memory is not None:
            with suppress(NotSharedError):
                samples = memory.new_array(4 * prod(shape), timeout_s)
                if samples is not None:
                    return samples.reshape(shape)
        return np.empty(shape, np.float32)

    def pack(self, header: pb.RunHeader, request: RoleRequest, timeout_s: float) -> Parcel:
        """Prepares one attempt of a request.

        Raises:
            UnavailableError: Shared memory was asked for by name, and can't be had.
        """
        size = sum(plate.nbytes for plate in request.plates.values())
        room = max(likely_result_bytes(request), self._rooms.get(_kind(request), 0))
        memory = None
        if self._wanted == "shared-memory" or max(size, room) >= _SMALL_REQUEST:
            memory = self._session(timeout_s)
        if self._wants_halves:
            header.encodings[:] = [pb.PIXEL_ENCODING_FLOAT32_OR_HALF_LE]
        halves = self._wants_halves and size >= _SMALL_REQUEST and self._takes_halves(timeout_s)
        try:
            return Parcel(header, request, self._sent, memory, room, timeout_s, halves=halves)
        except NotSharedError as refusal:
            self._give_up(str(refusal))
            return Parcel(header, request, self._sent, None, 0, timeout_s, halves=halves)

    def learn(self, request: RoleRequest, parcel: Parcel) -> None:
        """Keeps in mind how much room the result of such a request takes."""
        if len(self._rooms) >= _KINDS:
            self._rooms.clear()
        self._rooms[_kind(request)] = parcel.result_bytes + (4 << 10) * max(1, len(request.plates))

    def forget(self) -> None:
        """The service does not know the regions: the next request opens another session."""
        with self._lock:
            self._service_halves = None
            self._close()

    def close(self) -> None:
        """Ends the session."""
        self.forget()

    def _session(self, timeout_s: float) -> SharedMemory | None:
        with self._lock:
            if self._memory is not None and not self._memory.alive:
                self._close()
            if self._memory is None and not self._never:
                self._open(timeout_s)
            if self._memory is None and self._wanted == "shared-memory":
                raise UnavailableError(
                    f"shared memory can't be had: {self._reason}", where=self._where, fix="use the transport auto"
                )
            return self._memory

    def _takes_halves(self, timeout_s: float) -> bool:
        """Whether the service takes pixels as halves; asked once."""
        with self._lock:
            if self._service_halves is None:
                try:
                    info = self._info(min(_ASK_S, timeout_s))
                except grpc.RpcError:
                    return False  # and may the next time
                self._note(info)
            return self._service_halves is True

    def _note(self, info: pb.InfoResponse | Malformed) -> None:
        taken = () if isinstance(info, Malformed) else info.encodings
        self._service_halves = pb.PIXEL_ENCODING_FLOAT32_OR_HALF_LE in taken

    def _open(self, timeout_s: float) -> None:
        try:
            info = self._info(min(_ASK_S, timeout_s))
        except grpc.RpcError:
            self._reason = "the service did not answer"  # and may the next time
            return
        self._note(info)
        if isinstance(info, Malformed) or "shared-memory" not in info.transports:
            self._reason = self._never = "the service shares no memory with this client"
            return
        memory = SharedMemory(self._share, max_bytes=default_max_bytes())
        try:
            region = memory.take(1, timeout_s)
        except NotSharedError as refusal:
            memory.close()
            self._reason = self._never = str(refusal)
            return
        if region is not None:
            memory.give(region)
        self._memory, self._reason = memory, ""

    def _give_up(self, reason: str) -> None:
        with self._lock:
            alive = self._memory is not None and self._memory.alive
            self._close()
            self._reason = reason
            if alive:  # the service goes on and refuses
                self._never = reason

    def _close(self) -> None:
        if self._memory is not None:
            self._memory.close()
        self._memory = None

    def _why_not(self, replicas: Replicas) -> str:
        if self._wanted == "stream":
            return "it was asked for"
        if replicas.several:
            return "several replicas share the requests"
        if not replicas.addresses[0].local:
            return "the service is on another machine"
        return "" if supported() else "this platform shares no memory"


def _kind(request: RoleRequest) -> tuple[str, str, int]:
    """Requests whose results are probably of one size."""
    return request.params.role.value, request.pack.id, sum(plate.nbytes for plate in request.plates.values())
