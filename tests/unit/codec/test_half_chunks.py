# SPDX-License-Identifier: Apache-2.0
"""Chunks of a plate that travel as halves where they may: the plate is the same, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from contract.service.rig import assert_same_plate, full_plate
from understudy.codec.messages import HalfChunk, decode_request_part, decode_response_part, encode_part
from understudy.codec.pixels import Receiver, chunks_or_halves, plate_bytes
from understudy.codec.plates import check_plate, plate_to_pb
from understudy.contracts.errors import PlateError
from understudy.contracts.plate import Plate, blank_plate
from understudy.wire.understudy.v1 import understudy_pb2 as pb

HALVES = pb.PIXEL_ENCODING_FLOAT32_OR_HALF_LE


def declared(plate: Plate) -> pb.Plate:
    message = plate_to_pb("plate", plate)
    message.encoding = HALVES
    return message


def plate_of(height: int, width: int, seed: int = 0) -> Plate:
    """All of its samples are halves."""
    pixels = np.random.default_rng(seed).standard_normal((height, width, 4)).astype(np.float16).astype(np.float32)
    return blank_plate(pixels, "RGBA", colorspace="ACEScg")


@pytest.mark.parametrize("size", [1, 127, 128, 1 << 20])
def test_half_chunks_are_plain_protobuf(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    chunk = HalfChunk(memoryview(data)[:size])
    assert encode_part(chunk) == pb.RunRequest(half_chunk=data[:size]).SerializeToString()
    assert encode_part(chunk) == pb.RunResponse(half_chunk=data[:size]).SerializeToString()
    for decode in (decode_request_part, decode_response_part):
        assert decode(encode_part(chunk)) == chunk
        assert decode(b"\xf8\x07\x01" + encode_part(chunk)) == chunk  # beside an unknown field


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (700, 801), (1100, 1999)])
def test_a_half_plate_travels_in_half_of_its_bytes(height: int, width: int) -> None:
    plate = plate_of(height, width)
    pairs = list(chunks_or_halves(plate))
    assert b"".join(data for data, _ in pairs) == plate_bytes(plate)
    assert sum(part.data.nbytes for _, part in pairs if isinstance(part, HalfChunk)) == plate.nbytes // 2
    receiver = Receiver([declared(plate)])
    for _, part in pairs:
        got = decode_request_part(encode_part(part))
        assert isinstance(got, HalfChunk)
        receiver.add(got)
    assert_same_plate(receiver.finish()["plate"], plate)


@pytest.mark.parametrize("place", [0, 524_287, 524_288, 2_097_151, 2_097_152, 2_799_999])
@pytest.mark.parametrize("bits", [0x7FC12345, 0x7F800001, 0xFF800000, 0x00000001, 0x3F800001, 0x477FF000])
def test_one_sample_that_is_no_half_stays_as_it_is(place: int, bits: int) -> None:
    plate = plate_of(700, 1000)
    pixels = plate.pixels.copy()
    pixels.reshape(-1).view(np.uint32)[place] = bits
    plate = plate.with_pixels(pixels)
    receiver = Receiver([declared(plate)], finite=False)
    for _, part in chunks_or_halves(plate):
        receiver.add(part)
    assert receiver.finish()["plate"].pixels.tobytes() == pixels.tobytes()


def test_bits_of_a_uint_channel_stay() -> None:
    pixels = np.arange(64, dtype=np.uint32).view(np.float32).reshape(4, 4, 4)
    plate = replace(blank_plate(pixels, "RGBA", colorspace="ACEScg"), sample_types=("uint",) * 4)
    receiver = Receiver([declared(plate)])
    for _, part in chunks_or_halves(plate):
        receiver.add(part)
    assert receiver.finish()["plate"].pixels.tobytes() == pixels.tobytes()


def test_halves_may_end_anywhere_between_samples_and_go_over_plates() -> None:
    first, second = plate_of(3, 5), plate_of(2, 7, seed=1)
    messages = [declared(first), declared(second)]
    messages[1].name = "second"
    data = b"".join(plate.pixels.astype(np.float16).tobytes() for plate in (first, second))
    for size in (2, 6, 62, 128, 4000):
        receiver = Receiver(messages)
        receiver.add(HalfChunk(memoryview(b"")))
        for start in range(0, len(data), size):
            receiver.add(HalfChunk(memoryview(b"." + data[start : start + size])[1:]))  # at an odd address
        plates = receiver.finish()
        assert_same_plate(plates["plate"], first)
        assert_same_plate(plates["second"], second)


def test_halves_that_are_not_finite_are_refused() -> None:
    plate = plate_of(2, 2)
    data = plate.pixels.astype(np.float16).reshape(-1)
    data[5] = np.nan
    receiver = Receiver([declared(plate)])
    with pytest.raises(PlateError, match="channel G is nan at pixel 1, 0"):
        receiver.add(HalfChunk(data.view(np.uint8).data))


def test_halves_that_nobody_declared_or_that_do_not_fit_are_refused() -> None:
    plate = plate_of(2, 2)
    data = plate.pixels.astype(np.float16).reshape(-1).view(np.uint8).data
    with pytest.raises(PlateError, match="where the header declares float32"):
        Receiver([plate_to_pb("plate", plate)]).add(HalfChunk(data))
    with pytest.raises(PlateError, match="end inside one"):
        Receiver([declared(plate)]).add(HalfChunk(data[:3]))
    with pytest.raises(PlateError, match="more pixels came than the 64 bytes"):
        Receiver([declared(plate)]).add(HalfChunk(memoryview(bytes(data) + b"12")))
    receiver = Receiver([declared(plate)])
    receiver.add(memoryview(b"12"))
    with pytest.raises(PlateError, match="where the header declares float32"):
        receiver.add(HalfChunk(data[:4]))
    receiver = Receiver([declared(plate)])
    receiver.add(HalfChunk(data[:30]))
    with pytest.raises(PlateError, match="60 bytes of pixels came of the 64"):
        receiver.finish()


def test_pixels_in_shared_memory_are_float32() -> None:
    message = declared(full_plate())
    message.shared.CopyFrom(pb.SharedPixels(region="a", size=full_plate().nbytes))
    with pytest.raises(PlateError, match="pixel encoding 2 is not known"):
        check_plate(message)
