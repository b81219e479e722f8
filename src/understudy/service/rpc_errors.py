# SPDX-License-Identifier: Apache-2.0
"""The only place of the service that catches: errors of the tree become statuses, anything else an internal error."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_status import rpc_status

from understudy.codec.errors import error_to_status
from understudy.contracts.errors import JobCancelledError, MemoryBudgetError, UnderstudyError
from understudy.service.caller import caller_of
from understudy.service.disclosure import error_for
from understudy.service.log import log_event


class CallLog:
    """What is logged of a call at its end.

    Attributes:
        request_id: Names the call; echoed to the client.
        fields: Further facts.
        shared: Folders whose paths the caller may read in an error.
    """

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.fields: dict[str, object] = {}
        self.shared: tuple[Path, ...] = ()


@contextmanager
def rpc_errors(context: grpc.ServicerContext, call: CallLog) -> Iterator[None]:
    """Turns what the body raises into the call's status.

    Internals never reach a client: an exception from outside the tree is logged with its traceback, and the client gets
    the request id to quote. Nor do paths of this machine, but for those who may know them (`disclosure`).

    Args:
        context: Of the call.
        call: Its log.
    """
    try:
        yield
    except UnderstudyError as error:
        call.fields["error"] = type(error).__name__
        call.fields["problem"] = str(error)
        _abort(context, error, call)
    except MemoryError as error:
        call.fields["error"] = "MemoryError"
        log_event("out of memory", {"request_id": call.request_id}, level=logging.ERROR, exc_info=error)
        forget_frames(error)
        problem = f"the service ran out of memory (request {call.request_id})"
        _abort(context, MemoryBudgetError(problem, fix="send smaller tiles or plates"), call)
    except grpc.RpcError as error:  # the request stream broke off: the client is gone, and nobody is there to tell
        forget_frames(error)
        call.fields["error"] = "ClientGone"
    except Exception as error:
        call.fields["error"] = type(error).__name__
        log_event("internal error", {"request_id": call.request_id}, level=logging.ERROR, exc_info=error)
        forget_frames(error)
        hidden = UnderstudyError(
            f"the service failed inside (request {call.request_id})", fix="its log has the details under that id"
        )
        _abort(context, hidden, call)


def forget_frames(error: BaseException) -> None:
    """Lets go of what the calls that raised an error held: pixels, mostly.

    A job's future, its error and the job's frames hold each other; they would stay until Python next looks for cycles.
    """
    error.__traceback__ = None


def _abort(context: Any, error: UnderstudyError, call: CallLog) -> None:
    forget_frames(error)
    if isinstance(error, JobCancelledError) and not context.is_active():
        return
    shown = error_for(error, caller_of(context), call.shared)
    context.abort_with_status(rpc_status.to_status(error_to_status(shown, call.request_id)))
