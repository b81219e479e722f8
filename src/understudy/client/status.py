# SPDX-License-Identifier: Apache-2.0
"""What a failed call means: the service's own error again, or a sentence on the connection."""

from typing import Any

import grpc
from grpc_status import rpc_status

from understudy.codec.errors import error_from_status
from understudy.contracts.errors import (
    JobCancelledError,
    MemoryBudgetError,
    UnavailableError,
    UnderstudyError,
    UsageError,
)

_TROUBLE = "is it running? Start it with: understudy serve --listen"
_SIGNS = (
    ("Connection refused", "nothing listens there"),
    ("No such file", "there is no such socket"),
    ("Permission denied", "this user may not use the socket"),
    ("DNS resolution failed", "no machine has this name"),
    ("Domain name not found", "no machine has this name"),
    ("Socket closed", "the connection broke"),
    ("Connection reset", "the connection broke"),
)
"""What gRPC's texts say in plain words."""


def error_from_call(error: Any, address: str, *, cancelled: bool, timeout_s: float) -> UnderstudyError:
    """The error that a call ended with.

    Args:
        error: What gRPC raised, a call and an error in one.
        address: Of the service, for the sentence.
        cancelled: Whether this side cancelled the call.
        timeout_s: The deadline that was set.
    """
    if cancelled:
        return JobCancelledError("the job was cancelled")
    code, text = error.code(), str(error.details() or "")
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # the details contradict the status: not from our service
        status = None
    ours = error_from_status(status) if status is not None else None
    if ours is not None:
        return ours
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            why = next((why for sign, why in _SIGNS if sign in text), _short(text))
            return UnavailableError(f"the service does not answer: {why}", where=address, fix=f"{_TROUBLE} {address}")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return UnavailableError(
                f"no answer within {timeout_s:g} s", where=address, fix="allow more time, or use a less busy service"
            )
        case grpc.StatusCode.CANCELLED:
            return UnavailableError("the service ended the call", where=address, fix="try again")
        case grpc.StatusCode.UNIMPLEMENTED:
            return UsageError(
                f"what answers there is no Understudy service of this version ({_short(text)})",
                where=address,
                fix="check the address and the service's version",
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return MemoryBudgetError(f"the message is larger than allowed ({_short(text)})", where=address)
        case _:
            return UnderstudyError(f"the call failed with {code.name}: {_short(text)}", where=address)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:199] + "…"
