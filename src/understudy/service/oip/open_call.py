# SPDX-License-Identifier: Apache-2.0
"""A call while it is open: counted in, told when its client gives up, ended after the longest time allowed."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from understudy.service.admission import Admission, Entry
from understudy.service.caller import Caller, caller_of
from understudy.service.job import CancelFlag
from understudy.service.limits import Limits
from understudy.service.log import log_event
from understudy.service.observer import Observer
from understudy.service.oip.refusals import refusals
from understudy.service.rpc_errors import CallLog


@dataclass(frozen=True, slots=True)
class OpenCall:
    """One call.

    Attributes:
        caller: Who makes it.
        peer: Their address, as gRPC names it.
        log: What is logged at its end.
        cancelled: Set when its client gives up, or it has lasted too long.
        deadline: When its result is of no use any more, on the clock of `time.monotonic`; None for never.
        entry: Its place among those that were let in.
    """

    caller: Caller
    peer: str
    log: CallLog
    cancelled: CancelFlag
    deadline: float | None
    entry: Entry


@contextmanager
def open_call(context: Any, event: str, admission: Admission, limits: Limits, observer: Observer) -> Iterator[OpenCall]:
    """Lets a call in, if there is room; its errors become its status, and its end is logged.

    Args:
        context: Of the call.
        event: Its name in the log.
        admission: Who may come in.
        limits: How long it may last.
        observer: Told of its error.
    """
    started = time.monotonic()
    remaining = context.time_remaining()
    caller, log = caller_of(context), CallLog(uuid.uuid4().hex)
    deadline = None if remaining is None else started + remaining
    peer, cancelled = str(context.peer()), CancelFlag()
    cancelled.listen(admission.wake)
    if not context.add_callback(cancelled.set):
        cancelled.set()
    timer = threading.Timer(limits.max_run_s, context.cancel)
    timer.daemon = True
    if remaining is None or remaining > limits.max_run_s:
        timer.start()
    try:
        with refusals(context, log):
            entry = admission.enter()
            try:
                admission.claim(entry, caller.name)
                yield OpenCall(caller, peer, log, cancelled, deadline, entry)
            finally:
                admission.leave(entry)
    finally:
        timer.cancel()
        seconds = round(time.monotonic() - started, 4)
        observer.failed(log)
        log_event(event, {"request_id": log.request_id, "peer": peer, "seconds": seconds, **log.fields})
