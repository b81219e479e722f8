# SPDX-License-Identifier: Apache-2.0
"""Messages of the Run call to bytes and back.

A chunk of pixels is an ordinary protobuf message, ``RunRequest{chunk}`` or ``RunResponse{chunk}``, so that any
generated client can speak to us. It is written and read here by hand all the same: one copy to write (gRPC takes only
``bytes``) and none to read, where protobuf's own code makes three and two.

gRPC's threads call these functions and report an exception from them badly (a client may hang until its deadline), so
decoding never raises: what can't be read comes back as `Malformed`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from understudy.codec.protocol import MAX_MESSAGE_BYTES
from understudy.wire.understudy.v1 import understudy_pb2 as pb

_CHUNK_TAG = bytes([pb.RunRequest.CHUNK_FIELD_NUMBER << 3 | 2])
_HALF_TAG = bytes([pb.RunRequest.HALF_CHUNK_FIELD_NUMBER << 3 | 2])
if (pb.RunResponse.CHUNK_FIELD_NUMBER, pb.RunResponse.HALF_CHUNK_FIELD_NUMBER) != (
    pb.RunRequest.CHUNK_FIELD_NUMBER,
    pb.RunRequest.HALF_CHUNK_FIELD_NUMBER,
):  # pragma: no cover
    raise ImportError("requests and responses must number their chunks alike")


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are no message of the expected type."""

    reason: str


@dataclass(frozen=True, slots=True)
class HalfChunk:
    """Samples that travel as halves.

    Attributes:
        data: Their bytes.
    """

    data: memoryview


PixelPart = memoryview | HalfChunk
"""A chunk of pixels: bytes of float32 samples, or halves."""

RequestPart = pb.RunRequest | PixelPart
ResponsePart = pb.RunResponse | PixelPart
_P = TypeVar("_P", pb.RunRequest, pb.RunResponse)
_M = TypeVar("_M", bound=Message)


def encode_part(part: RequestPart | ResponsePart) -> bytes:
    """A message to bytes."""
    if isinstance(part, memoryview):
        return b"".join((_CHUNK_TAG, _varint(part.nbytes), part))
    if isinstance(part, HalfChunk):
        return b"".join((_HALF_TAG, _varint(part.data.nbytes), part.data))
    return part.SerializeToString()


def decode_request_part(data: bytes) -> RequestPart | Malformed:
    """Bytes to a `RunRequest`, or to the pixels it carries."""
    return _decode_part(data, pb.RunRequest)


def decode_response_part(data: bytes) -> ResponsePart | Malformed:
    """Bytes to a `RunResponse`, or to the pixels it carries."""
    return _decode_part(data, pb.RunResponse)


def decoder(message: type[_M]) -> Callable[[bytes], _M | Malformed]:
    """A function that parses ``message`` and never raises."""

    def decode(data: bytes) -> _M | Malformed:
        if len(data) > MAX_MESSAGE_BYTES:  # the port itself may take more, for tensors of the inference protocol
            return Malformed(f"{len(data)} bytes, and at most {MAX_MESSAGE_BYTES} are taken")
        try:
            return message.FromString(data)
        except (DecodeError, ValueError, RuntimeError) as error:
            return Malformed(f"no {message.DESCRIPTOR.name}: {error}")

    return decode


def _decode_part(data: bytes, message: type[_P]) -> _P | PixelPart | Malformed:
    tag = data[:1]
    if tag in (_CHUNK_TAG, _HALF_TAG) and len(data) <= MAX_MESSAGE_BYTES:
        size, start = _read_varint(data, 1)
        if start + size == len(data):
            pixels = memoryview(data)[start:]
            return pixels if tag == _CHUNK_TAG else HalfChunk(pixels)
    part = decoder(message)(data)
    if not isinstance(part, Malformed):
        match part.WhichOneof("part"):
            case "chunk":
                return memoryview(part.chunk)
            case "half_chunk":
                return HalfChunk(memoryview(part.half_chunk))
    return part


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, start: int) -> tuple[int, int]:
    """The number at ``start`` and where it ends; (-1, 0) when it does not end."""
    value = 0
    for shift, byte in enumerate(data[start : start + 10]):
        value |= (byte & 0x7F) << (7 * shift)
        if not byte & 0x80:
            return value, start + shift + 1
    return -1, 0
