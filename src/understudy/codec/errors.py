# SPDX-License-Identifier: Apache-2.0
"""The error tree to ``google.rpc.Status`` and back: the only place where classes meet status codes."""

from collections.abc import Iterator

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from understudy.contracts import errors
from understudy.contracts.errors import UnderstudyError

DOMAIN = "understudy"
RETRY_AFTER_S = 2.0
"""What a service says that can't estimate when trying again may help."""
_LONGEST_DELAY_S = 3600.0

CODES: dict[type[UnderstudyError], int] = {
    errors.UnderstudyError: code_pb2.INTERNAL,
    errors.UsageError: code_pb2.INVALID_ARGUMENT,
    errors.InputError: code_pb2.INVALID_ARGUMENT,
    errors.MissingFileError: code_pb2.NOT_FOUND,
    errors.OutputError: code_pb2.INTERNAL,
    errors.MemoryBudgetError: code_pb2.RESOURCE_EXHAUSTED,
    errors.QualityGateError: code_pb2.FAILED_PRECONDITION,
    errors.PackError: code_pb2.FAILED_PRECONDITION,
    errors.PackNotFoundError: code_pb2.NOT_FOUND,
    errors.RightsError: code_pb2.PERMISSION_DENIED,
    errors.AccessError: code_pb2.UNAUTHENTICATED,
    errors.ForbiddenError: code_pb2.PERMISSION_DENIED,
    errors.UnavailableError: code_pb2.UNAVAILABLE,
    errors.BusyError: code_pb2.RESOURCE_EXHAUSTED,
    errors.JobCancelledError: code_pb2.CANCELLED,
}
"""Status code of each class; a class that is not here takes its base's."""

# Details travel in HTTP/2 trailers, of which many clients take 8 KiB in all, base64 included.
_LONGEST = {"problem": 2000, "where": 500, "fix": 900}
_LONGEST_MESSAGE = 600


def _tree(cls: type[UnderstudyError]) -> Iterator[type[UnderstudyError]]:
    if cls.__module__ == errors.__name__:
        yield cls
        for derived in cls.__subclasses__():
            yield from _tree(derived)


_BY_NAME = {cls.__name__: cls for cls in _tree(UnderstudyError)}
ERROR_NAMES = tuple(_BY_NAME)
"""Names of all classes of the tree."""


def error_to_status(error: UnderstudyError, request_id: str = "") -> status_pb2.Status:
    """An error as a status with details; text beyond what trailers hold is cut and ends in an ellipsis."""
    cls = next(base for base in type(error).__mro__ if base.__name__ in _BY_NAME and base is _BY_NAME[base.__name__])
    code = next(CODES[base] for base in cls.__mro__ if base in CODES)
    facts = {"problem": error.problem, "where": error.where, "fix": error.fix}
    metadata = {key: _cut(text, _LONGEST[key]) for key, text in facts.items() if text is not None}
    if request_id:
        metadata["request_id"] = request_id
    details = [error_details_pb2.ErrorInfo(reason=cls.__name__, domain=DOMAIN, metadata=metadata)]
    if issubclass(cls, errors.UnavailableError):
        delay_s = error.retry_after_s if isinstance(error, errors.BusyError) else RETRY_AFTER_S
        details.append(error_details_pb2.RetryInfo(retry_delay=_duration(delay_s)))
    if code == code_pb2.INVALID_ARGUMENT and error.where:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=_cut(error.where, 200), description=_cut(error.problem, 200)
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    return status_pb2.Status(code=code, message=_cut(str(error), _LONGEST_MESSAGE), details=[_any(d) for d in details])


def error_from_status(status: status_pb2.Status) -> UnderstudyError | None:
    """The error that a status of ours carries; None for a status from elsewhere (gRPC itself, a proxy)."""
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if _unpacked(detail, info) and info.domain == DOMAIN and "problem" in info.metadata:
            facts = info.metadata
            where, fix = facts.get("where"), facts.get("fix")
            error = _BY_NAME.get(info.reason, UnderstudyError)(facts["problem"], where=where, fix=fix)
            error.request_id = facts.get("request_id", "")
            if isinstance(error, errors.BusyError):
                delay_s = retry_delay_s(status)
                error.retry_after_s = RETRY_AFTER_S if delay_s is None else delay_s
            return error
    return None


def retry_delay_s(status: status_pb2.Status) -> float | None:
    """When the service wants to be asked again, seconds; None when it says nothing of it."""
    for detail in status.details:
        info = error_details_pb2.RetryInfo()
        if _unpacked(detail, info):
            delay = info.retry_delay
            return min(_LONGEST_DELAY_S, max(0.0, delay.seconds + delay.nanos / 1e9))
    return None


def _duration(seconds: float) -> duration_pb2.Duration:
    whole = int(min(max(seconds, 0.0), _LONGEST_DELAY_S))
    return duration_pb2.Duration(seconds=whole, nanos=int(max(0.0, min(seconds, _LONGEST_DELAY_S) - whole) * 1e9))


def _unpacked(detail: any_pb2.Any, message: Message) -> bool:
    """Whether a detail is of the message's type and could be read into it; what can't be read says nothing."""
    try:
        return detail.Unpack(message)
    except DecodeError:
        return False


def _any(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _cut(text: str, longest: int) -> str:
    """At most ``longest`` bytes of UTF-8; what is no Unicode becomes a question mark."""
    data = text.encode(errors="replace")
    return data.decode() if len(data) <= longest else data[: longest - 3].decode(errors="ignore") + "…"
