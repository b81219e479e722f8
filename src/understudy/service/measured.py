# SPDX-License-Identifier: Apache-2.0
"""Role requests as jobs of the queue: priced before they wait, measured when they ran."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from understudy.contracts.engine import Control, Engine
from understudy.contracts.jobs import RoleRequest, RoleResult
from understudy.contracts.workload import Workload, workload_of_request
from understudy.service.fair_order import Ticket
from understudy.service.queue import Handle, JobQueue


def priced(ticket: Ticket, workload: Workload, queue: JobQueue) -> Ticket:
    """A ticket with what the request is expected to cost, its label and its pack."""
    cost = queue.costs.cost(workload)
    return replace(
        ticket,
        cost_s=cost.seconds,
        measured=cost.trusted,
        bytes=workload.held_bytes,
        label=f"{workload.role.value} {workload.pack.id}",
        pack=workload.pack.sha256 or workload.pack.id,
    )


def submit_request(
    queue: JobQueue,
    request: RoleRequest,
    control: Control,
    ticket: Ticket,
    running: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Handle[RoleResult]:
    """Puts a request into the queue; its run is remembered for later estimates.

    Args:
        queue: The queue.
        request: The request.
        control: Asked between tiles.
        ticket: Whose it is and how urgent; the rest is the request's own.
        running: Entered by the worker around the run.

    Raises:
        UnavailableError: The queue does not take it.
    """
    workload = workload_of_request(request)

    def work(engine: Engine) -> RoleResult:
        control.check()
        began = time.monotonic()
        with running():
            result = engine.run(request, control)
        device, seconds = result.report.get("device"), time.monotonic() - began - result.load_s
        queue.costs.observe(workload, result.pack, device if isinstance(device, str) else "", max(0.0, seconds))
        return result

    return queue.submit(work, priced(ticket, workload, queue))
