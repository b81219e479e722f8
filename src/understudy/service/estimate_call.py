# SPDX-License-Identifier: Apache-2.0
"""The ``Estimate`` call: what a request would cost here, told from its header."""

from dataclasses import replace
from typing import Any

from understudy.codec.estimates import estimate_to_pb, plate_sizes
from understudy.codec.jobs import clean_request_id, request_from_pb
from understudy.codec.messages import Malformed
from understudy.contracts.errors import UsageError
from understudy.contracts.workload import workload_of
from understudy.roles.estimates import estimated
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
            sizes = plate_sizes(header)
            found = estimated(self._queue.engines, head.pack, head.params, sizes, self._queue.costs)
            workload = workload_of(head.params, found.pack, sizes)
            ticket = ticket_for(header, workload, caller_of(context), self._queue, remaining_s=None)
            return estimate_to_pb(replace(found, queue_seconds=self._queue.wait_s(ticket)))
        return None
