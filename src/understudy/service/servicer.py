# SPDX-License-Identifier: Apache-2.0
"""The methods of the service."""

import logging
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc

from understudy.codec.info import info_to_pb
from understudy.codec.messages import Malformed, decode_request_part, decoder, encode_part
from understudy.codec.plates import ENCODINGS
from understudy.codec.protocol import (
    ESTIMATE_METHOD,
    INFO_METHOD,
    REACH_METHOD,
    RENDER_METHOD,
    RUN_METHOD,
    SERVICE,
    SHARE_METHOD,
)
from understudy.contracts.engine import Engine, EngineInfo
from understudy.contracts.errors import UsageError
from understudy.roles.costs_file import CostsFile, default_costs_file
from understudy.service import memfd
from understudy.service.admission import Admission
from understudy.service.caller import Caller, caller_of
from understudy.service.disclosure import info_for
from understudy.service.estimate_call import EstimateCalls
from understudy.service.introduce import introduced
from understudy.service.limits import Limits, QueueSettings
from understudy.service.log import log_event
from understudy.service.observer import Observer
from understudy.service.queue import JobQueue
from understudy.service.regions import Regions
from understudy.service.render_call import RenderCalls
from understudy.service.roots import FilesSettings, Roots
from understudy.service.rpc_errors import rpc_errors
from understudy.service.run_call import RunCalls
from understudy.service.share_call import ShareCalls
from understudy.wire.understudy.v1 import understudy_pb2 as pb


class Servicer:
    """Serves an engine.

    Args:
        engines: One per device; they stay their owner's to close. The first one says what they are.
        limits: How much to take on.
        observer: Watches.
        queue: In which order, and what is remembered of it.
        files: Folders for renders by reference.

    Raises:
        UsageError: A folder of ``files`` is missing.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        limits: Limits,
        observer: Observer,
        queue: QueueSettings,
        files: FilesSettings,
    ) -> None:
        self._engine = engines[0]
        self.roots = Roots(files, own_config=lambda: self._engine.info().ocio_config)
        self._observer = observer
        costs_file = (queue.costs_file or default_costs_file()) if queue.remember_costs else None
        self._costs = CostsFile(costs_file, problem=_tell)
        self.queue = JobQueue(engines, limits.workers_on(len(engines)), aging_s=queue.aging_s, costs=self._costs.costs)
        self.admission = Admission(limits, self.queue.retry_after_s)
        self.regions = Regions(limits)
        self._estimate_calls = EstimateCalls(self.queue, observer)
        self._run_calls = RunCalls(self.queue, limits, self.admission, self.regions, observer, self.roots)
        self._render_calls = RenderCalls(self.queue, limits, self.admission, self.roots, observer, files.max_renders)
        self._share_calls = ShareCalls(self.regions, observer)
        self._instance = uuid.uuid4().hex
        self._told: dict[tuple[bool, bool], tuple[EngineInfo, pb.InfoResponse]] = {}

    def handlers(self) -> grpc.GenericRpcHandler:
        """The methods with their serializers, for `grpc.Server.add_generic_rpc_handlers`."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                INFO_METHOD: grpc.unary_unary_rpc_method_handler(
                    self.info,
                    request_deserializer=decoder(pb.InfoRequest),
                    response_serializer=pb.InfoResponse.SerializeToString,
                ),
                ESTIMATE_METHOD: grpc.unary_unary_rpc_method_handler(
                    self._estimate_calls.estimate,
                    request_deserializer=decoder(pb.EstimateRequest),
                    response_serializer=pb.EstimateResponse.SerializeToString,
                ),
                RUN_METHOD: grpc.stream_stream_rpc_method_handler(
                    introduced(self._run_calls.run),
                    request_deserializer=decode_request_part,
                    response_serializer=encode_part,
                ),
                REACH_METHOD: grpc.unary_unary_rpc_method_handler(
                    self._render_calls.reach,
                    request_deserializer=decoder(pb.ReachRequest),
                    response_serializer=pb.ReachResponse.SerializeToString,
                ),
                RENDER_METHOD: grpc.unary_stream_rpc_method_handler(
                    introduced(self._render_calls.render),
                    request_deserializer=decoder(pb.RenderRequest),
                    response_serializer=pb.RenderEvent.SerializeToString,
                ),
                SHARE_METHOD: grpc.stream_stream_rpc_method_handler(
                    self._share_calls.share,
                    request_deserializer=decoder(pb.ShareRequest),
                    response_serializer=pb.ShareResponse.SerializeToString,
                ),
            },
        )

    def info(self, request: pb.InfoRequest | Malformed, context: Any) -> pb.InfoResponse | None:
        """Answers ``Info``."""
        with self._observer.call(context) as call, rpc_errors(context, call):
            if isinstance(request, Malformed):
                raise UsageError(f"the message can't be read: {request.reason}")
            caller = caller_of(context)
            return self._told_to(caller)
        return None

    def _told_to(self, caller: Caller) -> pb.InfoResponse:
        """The answer to ``Info``, made anew when the engine says something else: most of it is manifests."""
        info, audience = self._engine.info(), (caller.admin, caller.local)
        known = self._told.get(audience)
        if known is not None and known[0].packs is info.packs and known[0] == info:
            return known[1]
        message = info_to_pb(info_for(info, caller))
        message.instance = self._instance
        message.encodings.extend(ENCODINGS)
        message.transports.append("stream")
        if memfd.supported() and caller.local:
            message.transports.append("shared-memory")
        if self.roots.any:
            message.transports.append("files")
        self._told[audience] = info, message
        return message

    def end_sharing(self) -> None:
        """Ends the calls that only keep shared memory alive."""
        self._share_calls.end_all()

    def shut_down(self, timeout_s: float) -> bool:
        """Drops jobs that have not begun and waits for the rest; False when the time is over first."""
        self._run_calls.close()
        self.queue.close()
        self._costs.save()
        ended = self._render_calls.join(timeout_s)
        return self.queue.join(timeout_s) and ended


def _tell(what: str, why: str, path: Path) -> None:
    log_event(what, {"file": str(path), "problem": why}, level=logging.WARNING)
