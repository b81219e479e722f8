# SPDX-License-Identifier: Apache-2.0
"""Pixels travel as halves between ends that both say so, and only where that loses nothing."""

from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from contract.service.conftest import Serving
from contract.service.rig import assert_same_plate, full_plate, make_request
from understudy.client.engine import RemoteEngine
from understudy.codec.jobs import request_to_pb
from understudy.codec.messages import PixelPart
from understudy.codec.pixels import Receiver
from understudy.contracts.plate import Plate, blank_plate
from understudy.service.server import Service
from understudy.wire.understudy.v1 import understudy_pb2 as pb

HALVES = pb.PIXEL_ENCODING_FLOAT32_OR_HALF_LE


def half_plate(seed: int = 0, height: int = 300, width: int = 401) -> Plate:
    pixels = np.random.default_rng(seed).standard_normal((height, width, 4)).astype(np.float16).astype(np.float32)
    pixels.setflags(write=False)
    return blank_plate(pixels, "RGBA", colorspace="ACEScg")


def answers(service: Service, plate: Plate, *, sends: bool, takes: bool) -> list[pb.RunResponse]:
    """A call of a client that is not ours."""
    header = request_to_pb(make_request("echo", {"plate": plate}), "id")
    header.encodings.extend([HALVES] if takes else [])
    if sends:
        header.plates[0].encoding = HALVES
        pixels = pb.RunRequest(half_chunk=plate.pixels.astype(np.float16).tobytes())
    else:
        pixels = pb.RunRequest(chunk=plate.pixels.tobytes())
    parts = [pb.RunRequest(header=header), pixels, pb.RunRequest(end=pb.End(size=plate.nbytes))]
    with grpc.insecure_channel(service.address) as channel:
        call = channel.stream_stream("/understudy.v1.Understudy/Run")
        data = list(call(iter(part.SerializeToString() for part in parts), timeout=30))
    return [pb.RunResponse.FromString(message) for message in data]


@pytest.mark.parametrize("sends", [False, True])
@pytest.mark.parametrize("takes", [False, True])
def test_the_service_answers_in_what_the_client_takes(*, sends: bool, takes: bool, serving: Serving) -> None:
    plate = half_plate()
    answer = answers(serving(), plate, sends=sends, takes=takes)
    header = next(part.header for part in answer if part.WhichOneof("part") == "header")
    assert header.plates[0].encoding == (HALVES if takes else pb.PIXEL_ENCODING_FLOAT32_LE)
    chunk = b"".join(part.chunk for part in answer)
    halves = b"".join(part.half_chunk for part in answer)
    assert (chunk, halves) == (
        (b"", plate.pixels.astype(np.float16).tobytes()) if takes else (plate.pixels.tobytes(), b"")
    )
    assert next(part.end.size for part in answer if part.WhichOneof("part") == "end") == plate.nbytes


def test_the_client_sends_halves_to_a_service_that_takes_them(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[str] = []

    class Listening(Receiver):
        def add(self, part: PixelPart) -> None:
            kinds.append(type(part).__name__)
            super().add(part)

    monkeypatch.setattr("understudy.service.intake.Receiver", Listening)
    address = serving().address
    rough = full_plate(300, 401)
    for halves in (True, False, None):
        client = RemoteEngine(address, transport="stream", halves=halves, timeout_s=30)
        try:
            for plate, expected in ((half_plate(), "HalfChunk" if halves else "memoryview"), (rough, "memoryview")):
                kinds.clear()
                result = client.run(make_request("echo", {"plate": plate}))
                assert set(kinds) == {expected}
                assert_same_plate(result.plates["plate"], plate)
                kinds.clear()
                assert_same_plate(client.run(make_request("echo", {"plate": plate})).plates["plate"], plate)
        finally:
            client.close()


def test_an_older_service_gets_float32(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    service = serving()
    monkeypatch.setattr("understudy.service.servicer.ENCODINGS", ())
    monkeypatch.setattr("understudy.service.outlet.ENCODINGS", ())
    monkeypatch.setattr("understudy.codec.plates.ENCODINGS", (pb.PIXEL_ENCODING_FLOAT32_LE,))
    client = RemoteEngine(service.address, transport="stream", halves=True, timeout_s=30)
    try:
        assert_same_plate(client.run(make_request("echo", {"plate": half_plate()})).plates["plate"], half_plate())
    finally:
        client.close()


def test_a_frame_is_known_by_the_hash_of_its_float32(serving: Serving) -> None:
    address = serving().address
    plate = half_plate()

    def sent(client: RemoteEngine) -> Iterator[bool]:
        for _ in range(2):
            assert_same_plate(client.run(make_request("echo", {"plate": plate})).plates["plate"], plate)
            yield client._link._sent.digest(plate) is not None

    first = RemoteEngine(address, transport="stream", halves=True, timeout_s=30)
    second = RemoteEngine(address, transport="stream", halves=False, timeout_s=30)
    try:
        assert list(sent(first)) == [True, True]
        assert list(sent(second)) == [True, True]
        assert first._link._sent.digest(plate) == second._link._sent.digest(plate)
    finally:
        first.close()
        second.close()
