# SPDX-License-Identifier: Apache-2.0
"""ModelInfer's messages to bytes and back, tensors aside: read without a copy, written with one.

A frame travels in ``raw_input_contents`` or ``raw_output_contents``, the last ``bytes`` field of the message. Protobuf
copies it three to five times on its way. Here the top level of a message is walked by hand (encoding: protobuf.dev,
"Encoding"): raw contents become views of the received bytes, the few hundred bytes beside them go through protobuf.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from understudy.inference_protocol.messages import ModelInferRequest, ModelInferResponse, ModelStreamInferResponse

MAX_FIELDS = 1024
"""Top-level fields of one message; walking more of them would keep other threads waiting."""

_RAW_INPUT = ModelInferRequest.RAW_INPUT_CONTENTS_FIELD_NUMBER
_RAW_OUTPUT = ModelInferResponse.RAW_OUTPUT_CONTENTS_FIELD_NUMBER
_STREAMED = ModelStreamInferResponse.INFER_RESPONSE_FIELD_NUMBER
_LENGTH_DELIMITED = 2

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class WithRaw(Generic[_M]):
    """A message, and the raw contents that were taken out of it, in order.

    Attributes:
        message: Without its raw contents.
        raw: Views of the bytes that came.
    """

    message: _M
    raw: tuple[memoryview, ...] = ()


def decode_request(data: bytes) -> WithRaw[ModelInferRequest]:
    """Bytes to a request.

    Raises:
        ValueError: They are no ModelInferRequest.
    """
    return _decode(data, ModelInferRequest, _RAW_INPUT)


def decode_response(data: bytes) -> WithRaw[ModelInferResponse]:
    """Bytes to a response.

    Raises:
        ValueError: They are no ModelInferResponse.
    """
    return _decode(data, ModelInferResponse, _RAW_OUTPUT)


def encode_request(message: ModelInferRequest, raw: Sequence[NDArray[Any]]) -> bytes:
    """A request to bytes.

    Args:
        message: Without raw contents.
        raw: One C-contiguous array for each input.
    """
    return b"".join(_pieces(message, _RAW_INPUT, raw))


def encode_response(message: ModelInferResponse, raw: Sequence[NDArray[Any]]) -> bytes:
    """A response to bytes.

    Args:
        message: Without raw contents.
        raw: C-contiguous arrays.
    """
    return b"".join(_pieces(message, _RAW_OUTPUT, raw))


def encode_streamed_response(message: ModelInferResponse, raw: Sequence[NDArray[Any]]) -> bytes:
    """A response within a ModelStreamInferResponse, to bytes."""
    pieces = _pieces(message, _RAW_OUTPUT, raw)
    size = sum(len(piece) for piece in pieces)
    return b"".join((_head(_STREAMED, size), *pieces))


def _decode(data: bytes, kind: type[_M], raw_field: int) -> WithRaw[_M]:
    small, raw = _split(memoryview(data), raw_field)
    try:
        return WithRaw(kind.FromString(small), raw)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise ValueError(f"no {kind.DESCRIPTOR.name}: {error}") from None


def _split(view: memoryview, raw_field: int) -> tuple[bytes, tuple[memoryview, ...]]:
    """Everything but the raw contents as one message, and the raw contents."""
    small: list[memoryview] = []
    raw: list[memoryview] = []
    position = 0
    for _ in range(MAX_FIELDS):
        if position >= len(view):
            return b"".join(small), tuple(raw)
        start = position
        tag, position = _varint(view, position)
        wire_type = tag & 7
        if wire_type == 0:
            _, position = _varint(view, position)
        else:
            size = {1: 8, 5: 4}.get(wire_type, 0)
            if wire_type == _LENGTH_DELIMITED:
                size, position = _varint(view, position)
            elif not size:
                raise ValueError(f"a field of wire type {wire_type}, which the protocol does not use")
            if size > len(view) - position:
                raise ValueError("a field is cut short")
            position += size
            if tag == raw_field << 3 | _LENGTH_DELIMITED:
                raw.append(view[position - size : position])
                continue
        small.append(view[start:position])
    if position < len(view):
        raise ValueError(f"more than {MAX_FIELDS} fields")
    return b"".join(small), tuple(raw)


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(view[position : position + 10]):
        value |= (byte & 0x7F) << (7 * shift)
        if not byte & 0x80:
            return value, position + shift + 1
    raise ValueError("a number is cut short")


def _pieces(message: Message, raw_field: int, raw: Sequence[NDArray[Any]]) -> list[bytes | memoryview]:
    pieces: list[bytes | memoryview] = [message.SerializeToString()]
    for array in raw:
        pieces += [_head(raw_field, array.nbytes), array.reshape(-1).view("u1").data]
    return pieces


def _head(field: int, size: int) -> bytes:
    out = bytearray([field << 3 | _LENGTH_DELIMITED])
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)
