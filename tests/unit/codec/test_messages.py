# SPDX-License-Identifier: Apache-2.0
"""Chunks are written and read by hand and are plain protobuf all the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.codec.messages import Malformed, decode_request_part, decode_response_part, decoder, encode_part
from understudy.wire.understudy.v1 import understudy_pb2 as pb

SIZES = [1, 127, 128, 16383, 16384, 1 << 20]


@pytest.mark.parametrize("size", SIZES)
def test_chunk_bytes_are_what_protobuf_writes(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    chunk = memoryview(data)[:size]
    assert encode_part(chunk) == pb.RunRequest(chunk=data[:size]).SerializeToString()
    assert encode_part(chunk) == pb.RunResponse(chunk=data[:size]).SerializeToString()


@pytest.mark.parametrize("size", SIZES)
def test_chunk_is_read_as_a_view_of_the_message(size: int) -> None:
    message = encode_part(memoryview(bytes([7]) * size))
    part = decode_request_part(message)
    assert isinstance(part, memoryview)
    assert part.obj is message
    assert part == bytes([7]) * size


def test_chunk_with_an_unknown_field_beside_it_is_read() -> None:
    unknown = b"\xf8\x07\x01"  # field 127, varint 1
    for message in (encode_part(memoryview(b"abc")) + unknown, unknown + encode_part(memoryview(b"abc"))):
        assert decode_response_part(message) == b"abc"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_malformed_and_nothing_raises(data: bytes) -> None:
    for decode in (decode_request_part, decode_response_part, decoder(pb.InfoRequest)):
        part = decode(data)
        assert isinstance(part, (memoryview, pb.RunRequest, pb.RunResponse, pb.InfoRequest, Malformed))


@given(st.binary(min_size=1, max_size=50).map(lambda tail: b"\x12" + tail))
def test_a_broken_chunk_agrees_with_protobuf(data: bytes) -> None:
    part = decode_request_part(data)
    try:
        want = pb.RunRequest.FromString(data)
    except Exception:
        assert isinstance(part, Malformed)
        return
    if want.WhichOneof("part") == "chunk":
        assert part == want.chunk
    else:
        assert part == want
