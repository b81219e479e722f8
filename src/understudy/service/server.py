# SPDX-License-Identifier: Apache-2.0
"""The service as a whole: binds an address, tells its health, stops cleanly."""

import os
import socket
import stat
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from understudy.codec.address import Address
from understudy.codec.protocol import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES, SERVICE
from understudy.contracts.engine import Engine
from understudy.contracts.errors import UsageError
from understudy.service.access import Access, AccessSettings
from understudy.service.allocator import allocator
from understudy.service.credentials import TlsFiles, TlsSettings
from understudy.service.limits import Limits, QueueSettings
from understudy.service.log import log_event
from understudy.service.oip.servicer import InferenceServicer, inference_servicer
from understudy.service.oip.settings import InferenceSettings
from understudy.service.roots import FilesSettings
from understudy.service.servicer import Servicer
from understudy.service.watching import Watch, Watching

_SPARE_THREADS = 8  # health and info are answered even when every request that is let in waits
_MOST_WAITING_CALLS = 1024  # calls beyond the threads that wait for one; a flood of more is turned away unheard
_LAST_TILE_S = 5.0  # what a cancelled job gets to reach the end of its tile
_OPTIONS = (
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    # Identity alone: frames hardly shrink, and a small message could swell to the largest that is taken.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    ("grpc.server_handshake_timeout_ms", 20_000),
    ("grpc.so_reuseport", 0),  # a second service on a port fails instead of taking half the calls
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


class Service:
    """An engine behind gRPC. Use it as a context manager, or call `start` and `stop`.

    Args:
        engine: Any engine, or one per device; they stay the caller's to close, after `stop`.
        listen: Address, or several; port 0 takes a free one.
        limits: How much to take on.
        queue: In which order, and where costs are remembered; nowhere when left out.
        reflection: Let tools list the service's methods.
        anywhere: Listen on an address that other machines reach, though what travels can be read there, or nothing
            checks who calls.
        tls: Certificate and key for TCP addresses.
        access: Who may call.
        files: Folders for renders by reference.
        watch: Status page and tracing; health and metrics are always there.
        inference: The Open Inference Protocol; None takes the defaults. It is served where the engine can lease models.

    Raises:
        UsageError: An address, a certificate or the access file is wrong; or an address is reached from elsewhere, is
            not protected, and ``anywhere`` is not set.
    """

    def __init__(
        self,
        engine: Engine | Sequence[Engine],
        listen: str | Sequence[str],
        *,
        limits: Limits | None = None,
        queue: QueueSettings | None = None,
        reflection: bool = False,
        anywhere: bool = False,
        tls: TlsSettings | None = None,
        access: AccessSettings | None = None,
        watch: Watch | None = None,
        inference: InferenceSettings | None = None,
        files: FilesSettings | None = None,
    ) -> None:
        listen = (listen,) if isinstance(listen, str) else tuple(listen)
        if not listen:
            raise UsageError("there is no address to listen on", fix="name one, such as 127.0.0.1:7433")
        self._wanted = tuple(Address.parse(text) for text in listen)
        self._tls = TlsFiles(tls) if tls is not None and tls.on else None
        self._access = Access(access, certificates=tls is not None and tls.client_ca is not None)
        if not anywhere:
            self._require_protection()
        self._limits = limits or Limits()
        engines = engine if isinstance(engine, Sequence) else (engine,)
        self._health = health.HealthServicer(
            experimental_non_blocking=True, experimental_thread_pool=ThreadPoolExecutor(1, thread_name_prefix="health")
        )
        self._watching = Watching(watch or Watch(), engines, self._health)
        queue = queue or QueueSettings(remember_costs=False)
        self._servicer = Servicer(engines, self._limits, self._watching.observer, queue, files or FilesSettings())
        self._inference = inference_servicer(
            self._servicer.queue,
            self._limits,
            self._servicer.admission,
            inference or InferenceSettings(),
            self._watching.observer,
        )
        self._reflection = reflection
        self._server: Any = None
        self._stopping = threading.Lock()
        self.addresses: tuple[str, ...] = ()
        """Where it listens, with the real ports; empty before `start`."""

    @property
    def address(self) -> str:
        """The first of its addresses; empty before `start`."""
        return self.addresses[0] if self.addresses else ""

    @property
    def status_url(self) -> str:
        """Where the status page is; empty without one."""
        return self._watching.url

    @property
    def idle_s(self) -> float:
        """How long no request has been open, seconds; clients that only stay connected don't count."""
        return self._servicer.admission.idle_s

    def start(self) -> str:
        """Begins to answer.

        Returns:
            The first address for clients.

        Raises:
            UsageError: An address is taken or not this machine's.
        """
        threads = self._limits.max_requests + self._limits.max_share_sessions + _SPARE_THREADS
        server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="understudy-rpc"),
            handlers=(self._servicer.handlers(), *(self._inference.handlers() if self._inference else ())),
            interceptors=(self._access.interceptor(),),
            maximum_concurrent_rpcs=threads + _MOST_WAITING_CALLS,
            options=(*_OPTIONS, *_message_limits(self._inference)),
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._reflection:
            from grpc_reflection.v1alpha import reflection

            reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        try:
            self.addresses = tuple(_bind(server, address, self._tls) for address in self._wanted)
            if self._inference is not None:
                self._inference.listening(tuple(Address.parse(address).port for address in self.addresses))
            self._watching.start(self.addresses, self._servicer.queue, self._servicer.admission)
        except UsageError:
            server.stop(None)
            self._servicer.shut_down(0.0)  # its workers would outlive what they work with
            raise
        server.start()
        self._server = server
        workers = self._servicer.queue.snapshot().workers
        log_event("serving", {"addresses": self.addresses, "workers": workers, "allocator": allocator()})
        return self.address

    def stop(self, drain_s: float | None = None) -> bool:
        """Takes no new request, lets running ones end for a while, then cancels the rest.

        Args:
            drain_s: Seconds for running requests; None takes the limit's.

        Returns:
            Whether all work has ended; if not, a job still is in the middle of a tile.
        """
        with self._stopping:
            if self._server is None:
                return True
            grace = self._limits.drain_s if drain_s is None else drain_s
            self._servicer.admission.close()
            self._watching.drain()
            log_event("stopping", {"open_requests": self._servicer.admission.open_requests, "drain_s": grace})
            drained = self._servicer.admission.wait_empty(grace)
            self._servicer.end_sharing()
            self._server.stop(1.0 if drained else 0.0).wait()
            if self._inference is not None:
                self._inference.close()
            ended = self._servicer.shut_down(_LAST_TILE_S)
            self._server = None
            self._watching.stop()
            log_event("stopped", {"drained": drained})
            return ended

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _require_protection(self) -> None:
        """Refuses an address that others reach when they could listen in, or when anybody could call."""
        for address in self._wanted:
            if address.local:
                continue
            if self._tls is None:
                wrong = (
                    "what travels can be read on the way" if self._access.checks else "nothing would check who calls"
                )
                fix = "set up TLS, listen on 127.0.0.1 or unix:path"
            elif not self._access.checks:
                wrong, fix = "nothing would check who calls", "set up tokens or client certificates"
            else:
                continue
            raise UsageError(
                f"other machines reach this address, and {wrong}",
                where=address.target,
                fix=f"{fix}, or add --insecure-listen-anywhere on a network you trust",
            )

    def _tell_health(self, status: int) -> None:
        self._health.set("", status)
        self._health.set(SERVICE, status)


def _message_limits(inference: InferenceServicer | None) -> tuple[tuple[str, int], ...]:
    """A port has one limit for all its methods; our own messages are held to theirs where they are read."""
    most = MAX_MESSAGE_BYTES if inference is None else max(MAX_MESSAGE_BYTES, inference.max_message_bytes)
    return (("grpc.max_receive_message_length", most), ("grpc.max_send_message_length", most))


def _bind(server: Any, wanted: Address, tls: TlsFiles | None) -> str:
    """Opens the port: with TLS where there is a certificate, but for a Unix socket, which its owner alone can use."""
    if wanted.path:
        _require_free_socket(wanted)
        before = os.umask(0o177)  # only this user may connect
        try:
            _add_port(server, wanted, None)
        finally:
            os.umask(before)
        return wanted.target
    port = _add_port(server, wanted, tls)
    return Address(host=wanted.host, port=port).target


def _add_port(server: Any, wanted: Address, tls: TlsFiles | None) -> int:
    try:
        if tls is None:
            port = int(server.add_insecure_port(wanted.target))
        else:
            port = int(server.add_secure_port(wanted.target, tls.credentials()))
    except RuntimeError:
        port = 0
    if not port:
        raise UsageError("can't listen here", where=wanted.target, fix="is the address this machine's, and free?")
    return port


def _require_free_socket(wanted: Address) -> None:
    """A socket file that nobody answers on is left over from a killed service and may be replaced; else refuse."""
    path = Path(wanted.path)
    if not path.parent.is_dir():
        raise UsageError("the socket's folder does not exist", where=wanted.target)
    if len(os.fsencode(wanted.path)) > 100:
        raise UsageError("the socket's path is over 100 bytes, more than the system takes", where=wanted.target)
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise UsageError("a file that is no socket is there", where=wanted.target, fix="choose another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(wanted.path)
        except ConnectionRefusedError:
            return
        except OSError as error:
            raise UsageError(f"the socket can't be used: {error.strerror}", where=wanted.target) from error
    raise UsageError("a service listens here already", where=wanted.target, fix="stop it, or choose another path")
