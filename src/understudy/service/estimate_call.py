# SPDX-License-Identifier: Apache-2.0
"""The ``Estimate`` call: what a request would cost here, told from its header."""

from dataclasses import replace
from typing import Any

from understudy.codec.estimates import estimate_to_pb, plate_sizes
from understudy.codec.jobs import clean_request_id, request_from_pb
from understudy.codec.messages import Malformed
from understudy.contracts.engine import PackState
from understudy.contracts.errors import UsageError
from understudy.contracts.estimate import Estimate
from understudy.contracts.jobs import PackPin
from understudy.contracts.workload import Workload, workload_of
from understudy.packs.pins import choose_pack
from understudy.service.caller import caller_of
from understudy.service.job import ticket_for
from understudy.service.observer import Observer
from understudy.service.queue import JobQueue
from understudy.service.rpc_errors import rpc_errors
from understudy.wire.understudy.v1 import understudy_pb2 as pb


class EstimateCalls:
    """Serves ``Estimate``. Nothing is loaded and nothing waits.

    Args:
        queue: What waits, and what jobs took so far.
        observer: Watches.
    """

    def __init__(self, queue: JobQueue, observer: Observer) -> None:
        self._observer = observer
        self._queue = queue

    def estimate(self, request: pb.EstimateRequest | Malformed, context: Any) -> pb.EstimateResponse | None:
        """Answers one call."""
        with self._observer.call(context) as call, rpc_errors(context, call):
            if isinstance(request, Malformed):
                raise UsageError(f"the message can't be read: {request.reason}")
            header = request.run
            call.request_id = clean_request_id(header.request_id) or call.request_id
            head = request_from_pb(header)
            info = self._queue.engines[0].info()
            pack = choose_pack(info.packs, head.pack, head.params.role)
            workload = workload_of(head.params, pack.pin, plate_sizes(header))
            ticket = ticket_for(header, workload, caller_of(context), self._queue, remaining_s=None)
            found = self._estimate(workload, info.device)
            return estimate_to_pb(replace(found, queue_seconds=self._queue.wait_s(ticket)))
        return None

    def _estimate(self, workload: Workload, device: str) -> Estimate:
        cost = self._queue.costs.cost(workload)
        state = self._state(workload.pack)
        where = (state.device if state else "") or cost.device or device
        model_bytes = state.resident_bytes if state else 0
        on_device = where.startswith(("cuda", "gpu"))
        return Estimate(
            pack=workload.pack,
            device=where,
            seconds=cost.seconds,
            seconds_low=cost.low,
            seconds_high=cost.high,
            ram_bytes=workload.peak_bytes + (0 if on_device else model_bytes),
            vram_bytes=model_bytes if on_device else 0,
            measured_runs=cost.runs,
        )

    def _state(self, pin: PackPin) -> PackState | None:
        """What is known of the pack's model where one is in memory."""
        for engine in self._queue.engines:
            for state in getattr(engine, "states", tuple)():  # not every engine tells
                if isinstance(state, PackState) and state.pin == pin and state.resident_bytes:
                    return state
        return None
