# SPDX-License-Identifier: Apache-2.0
"""What a failed call means: the service's own error again, or a sentence on the connection."""

from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from understudy.client.retries import SendAgainError
from understudy.codec.errors import error_from_status, retry_delay_s
from understudy.contracts.errors import (
    AccessError,
    BusyError,
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
    ("Broken pipe", "the connection broke"),
    ("keepalive watchdog", "it no longer answers"),
    ("ping timeout", "it no longer answers"),
    ("backend unhealthy", "it says that it is not ready"),
)
"""What gRPC's texts say in plain words."""

_NEVER_CONNECTED = "failed to connect to all addresses"
_TLS_SIGNS = (
    (
        "Hostname Verification Check failed",
        "the service's certificate is for another name",
        "use the name in the certificate, or set UNDERSTUDY_TLS_NAME to it",
    ),
    ("certificate has expired", "the service's certificate has expired", "have it renewed"),
    ("certificate is not yet valid", "the service's certificate is not valid yet", "check the clock of both machines"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the service's certificate is of an authority that this client does not trust",
        "set UNDERSTUDY_TLS_CA to the file with the authority's certificate",
    ),
    ("WRONG_VERSION_NUMBER", "the service does not use TLS", "unset UNDERSTUDY_TLS and the variables beside it"),
    ("Tls handshake failed", "the TLS handshake failed", "check certificates and keys of both ends"),
)
"""What gRPC's texts on certificates say, what it means, and what to do; measured with gRPC 1.85."""


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
    status = _status(error)
    ours = error_from_status(status) if status is not None else None
    if ours is not None:
        return ours
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            if (untrusted := _untrusted(text, address)) is not None:
                return untrusted
            why = why_lost(error)
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
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "Concurrent RPC limit" in text:
            return BusyError("the service is flooded with calls", where=address, fix="try again")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return MemoryBudgetError(f"the message is larger than allowed ({_short(text)})", where=address)
        case _:
            return UnderstudyError(f"the call failed with {code.name}: {_short(text)}", where=address)


def send_again(error: Any, meant: UnderstudyError) -> SendAgainError | None:
    """Whether sending the request again may help; None when it can't.

    Args:
        error: What gRPC raised.
        meant: What it means, from `error_from_call`.
    """
    if isinstance(meant, JobCancelledError):
        return None
    status = _status(error)
    after_s = retry_delay_s(status) if status is not None else None
    match error.code():
        case grpc.StatusCode.RESOURCE_EXHAUSTED if after_s is not None:
            return SendAgainError(meant, "busy", after_s)
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            # The connection broke, or the service stops. A cancel that is not ours is a service giving up.
            return SendAgainError(meant, "lost", answered=after_s is not None)
    return None


def why_lost(error: Any) -> str:
    """Why a service does not answer, in a few words."""
    text = str(error.details() or "")
    return next((why for sign, why in _SIGNS if sign in text), _short(text))


def _untrusted(text: str, address: str) -> AccessError | None:
    """The error for a handshake that failed; None when none did."""
    for sign, problem, fix in _TLS_SIGNS:
        if sign in text:
            return AccessError(problem, where=address, fix=fix)
    if _NEVER_CONNECTED in text and "Socket closed" in text:
        # All that gRPC tells when the service drops a connection before the first call.
        return AccessError(
            "the service closed the connection at once",
            where=address,
            fix="it may want TLS (UNDERSTUDY_TLS_CA), or a client certificate that it trusts (UNDERSTUDY_TLS_CERT, "
            "UNDERSTUDY_TLS_KEY)",
        )
    return None


def _status(error: Any) -> Any:
    try:
        return rpc_status.from_call(error)
    except (ValueError, DecodeError):  # the details contradict the status, or are none: not from our service
        return None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:199] + "…"
