# SPDX-License-Identifier: Apache-2.0
"""Requests and results to their headers and back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from understudy.codec.plates import plates_to_pb
from understudy.codec.protocol import MAX_MESSAGE_BYTES, MAX_PARAMS_BYTES, MAX_REQUEST_ID
from understudy.contracts.errors import UsageError
from understudy.contracts.jobs import PackPin, RoleParams, RoleRequest, RoleResult
from understudy.contracts.plate import Plate
from understudy.contracts.priority import Priority
from understudy.wire.understudy.v1 import understudy_pb2 as pb

_PARAMS: TypeAdapter[Any] = TypeAdapter(RoleParams)
_ROOM = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """A request before its plates have come."""

    pack: PackPin
    params: RoleParams
    ocio_config: str
    request_id: str

    def with_plates(self, plates: Mapping[str, Plate]) -> RoleRequest:
        """The whole request."""
        return RoleRequest(
            pack=self.pack, params=self.params, plates=plates, ocio_config=self.ocio_config, request_id=self.request_id
        )


def request_to_pb(
    request: RoleRequest, request_id: str, *, priority: Priority = Priority.NORMAL, user: str = ""
) -> pb.RunHeader:
    """Describes a request.

    Args:
        request: Its plates are only measured.
        request_id: Names it in logs and in errors.
        priority: How urgent it is.
        user: Whose fair share it is, where the service has no tokens that tell.

    Raises:
        UsageError: It does not fit the wire.
        PlateError: A plate does not.
    """
    params = request.params.model_dump(mode="json", by_alias=True)
    try:
        header = pb.RunHeader(
            request_id=request_id,
            pack=pin_to_pb(request.pack),
            role=request.params.role.value,
            params_json=json.dumps(params),
            ocio_config=request.ocio_config,
            plates=plates_to_pb(request.plates),
            priority=priority_to_pb(priority),
            user=user.encode(errors="replace").decode(),
        )
    except (ValueError, TypeError) as error:
        raise UsageError(f"the request can't be sent: {error}") from error
    _require_size(header)
    return header


def request_from_pb(header: pb.RunHeader) -> RequestHead:
    """The request that a header describes, without its plates.

    Raises:
        UsageError: Pack, role or parameters are missing or wrong; ``where`` names the field.
    """
    if not header.pack.id:
        raise UsageError("the request names no pack", where="pack.id", fix="name the pack that plays the role")
    if len(header.params_json) > MAX_PARAMS_BYTES:
        raise UsageError(
            f"the parameters take {len(header.params_json)} characters; {MAX_PARAMS_BYTES} fit", where="params"
        )
    try:
        params = _PARAMS.validate_json(header.params_json)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(["params", *(str(part) for part in first["loc"])])
        raise UsageError(first["msg"].removeprefix("Value error, "), where=where) from error
    if header.role != params.role.value:
        raise UsageError(f"the header says {header.role!r} and the parameters {params.role.value!r}", where="role")
    return RequestHead(
        pack=pin_from_pb(header.pack),
        params=params,
        ocio_config=header.ocio_config,
        request_id=header.request_id,
    )


def clean_request_id(text: str) -> str:
    """An id that is safe in logs: printable, at most 64 characters."""
    return "".join(character for character in text if character.isprintable())[:MAX_REQUEST_ID]


def result_to_pb(result: RoleResult, request_id: str) -> pb.ResultHeader:
    """Describes a result.

    Raises:
        UsageError: It does not fit the wire.
        PlateError: A plate does not.
    """
    header = pb.ResultHeader(
        request_id=request_id,
        pack=pin_to_pb(result.pack),
        confidence=None if result.confidence is None else float(result.confidence),
        report_json=json.dumps(dict(result.report), default=_plain),
        plates=plates_to_pb(result.plates),
    )
    _require_size(header)
    return header


def result_from_pb(header: pb.ResultHeader, plates: Mapping[str, Plate]) -> RoleResult:
    """Joins the header of a result with its plates.

    Raises:
        UsageError: The report is no JSON object.
    """
    report = json_object(header.report_json, "the report")
    return RoleResult(
        plates=plates,
        pack=pin_from_pb(header.pack),
        confidence=header.confidence if header.HasField("confidence") else None,
        report=report,
    )


_PRIORITY_TO_PB = {
    Priority.INTERACTIVE: pb.PRIORITY_INTERACTIVE,
    Priority.NORMAL: pb.PRIORITY_NORMAL,
    Priority.BATCH: pb.PRIORITY_BATCH,
}
_PRIORITY_FROM_PB = {int(value): priority for priority, value in _PRIORITY_TO_PB.items()}


def priority_to_pb(priority: Priority) -> pb.Priority:
    """A priority as a message has it."""
    return _PRIORITY_TO_PB[priority]


def priority_from_pb(value: int) -> Priority:
    """A message's priority; unset, or a later version's, is normal."""
    return _PRIORITY_FROM_PB.get(value, Priority.NORMAL)


def json_object(text: str, what: str) -> dict[str, Any]:
    """A JSON object that a peer wrote; nothing written is an empty one.

    Args:
        text: The JSON.
        what: How a message names it.

    Raises:
        UsageError: It is none.
    """
    try:
        document = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what} is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{what} is no JSON object")
    return document


def pin_from_pb(pin: pb.PackPin) -> PackPin:
    """A pack's id, version and digest from a message."""
    return PackPin(id=pin.id, version=pin.version, sha256=pin.sha256)


def pin_to_pb(pin: PackPin) -> pb.PackPin:
    """A pack's id, version and digest as a message."""
    return pb.PackPin(id=pin.id, version=pin.version, sha256=pin.sha256)


def _plain(value: object) -> object:
    """NumPy's numbers as JSON has them."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"the report holds a {type(value).__name__}, which JSON has not")


def _require_size(header: pb.RunHeader | pb.ResultHeader) -> None:
    size = header.ByteSize() + _ROOM
    if size > MAX_MESSAGE_BYTES:
        raise UsageError(
            f"metadata and parameters take {size / 1e6:.1f} MB; at most {MAX_MESSAGE_BYTES / 1e6:.1f} MB fit one call",
            fix="drop large header attributes",
        )
