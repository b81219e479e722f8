# SPDX-License-Identifier: Apache-2.0
"""Pixels go when their request ends, however it ends: not when Python's collector next comes by, which in a service
that rests is never."""

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from contract.service.conftest import Connect, Serving
from contract.service.rig import FakeEngine, full_plate, make_request, wait_until
from understudy.client.engine import RemoteEngine
from understudy.client.retries import NO_RETRIES
from understudy.codec.jobs import request_to_pb
from understudy.contracts.engine import NO_CONTROL, Control
from understudy.contracts.errors import PlateError, UnderstudyError
from understudy.contracts.jobs import RoleRequest, RoleResult
from understudy.contracts.plate import FloatImage, Plate
from understudy.wire.understudy.v1 import understudy_pb2 as pb


class Witness(FakeEngine):
    """Knows of every plate that it was given and that it returned, and keeps none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.plates: list[weakref.ref[FloatImage]] = []

    def run(self, request: RoleRequest, control: Control = NO_CONTROL, /) -> RoleResult:
        self.plates += [weakref.ref(plate.pixels) for plate in request.plates.values()]
        try:
            if request.pack.id == "fail":
                raise PlateError("it is wrong")
            result = super().run(request, control)
        finally:
            self.seen.clear()
        self.plates += [weakref.ref(plate.pixels) for plate in result.plates.values()]
        return result

    def alive(self) -> int:
        return sum(plate() is not None for plate in self.plates)


@pytest.fixture
def engine() -> Iterator[Witness]:
    witness = Witness()
    gc.collect()
    gc.disable()
    yield witness
    gc.enable()
    witness.release.set()


def regions() -> int:
    return sum("memfd:understudy" in line for line in Path("/proc/self/maps").read_text().splitlines())


def attempt(client: RemoteEngine, request: RoleRequest, control: Control = NO_CONTROL) -> None:
    try:
        client.run(request, control)
    except UnderstudyError:
        return


def cancelling(engine: Witness) -> Control:
    return Control(cancelled=lambda: engine.entered.acquire(blocking=False))


@pytest.mark.parametrize("transport", ["stream", "shared-memory"])
@pytest.mark.parametrize("end", ["negate", "echo", "fail", "cancelled", "deadline"])
def test_pixels_go_with_their_request(end: str, transport: str, engine: Witness, serving: Serving) -> None:
    address = serving(known_plate_bytes=0).address
    before = regions()
    timeout_s = 0.5 if end == "deadline" else 30.0
    client = RemoteEngine(address, timeout_s=timeout_s, retries=NO_RETRIES, transport=transport)
    for number in range(2):
        request = make_request(end if end in ("negate", "echo", "fail") else "endless", {"plate": full_plate(200, 300)})
        attempt(client, request, cancelling(engine) if end == "cancelled" else NO_CONTROL)
        del request
        wait_until(lambda: engine.alive() == 0, f"plates of the request number {number} are still there")
    assert len(engine.plates) >= 2
    client.close()
    del client  # it holds its regions as long as plates may lie in them
    wait_until(lambda: regions() == before, "regions are still mapped, by the service or the client")


def test_pixels_go_when_their_client_does(engine: Witness, serving: Serving) -> None:
    service = serving(known_plate_bytes=0)
    header = request_to_pb(make_request("echo"), "id")

    def half() -> Iterator[bytes]:
        yield pb.RunRequest(header=header).SerializeToString()
        yield pb.RunRequest(chunk=bytes(100)).SerializeToString()
        raise ConnectionAbortedError

    messages_before = count_headers()
    with grpc.insecure_channel(service.address) as channel, pytest.raises(grpc.RpcError):
        list(channel.stream_stream("/understudy.v1.Understudy/Run")(half(), timeout=20))
    wait_until(lambda: count_headers() <= messages_before, "the service still holds what it read of the call")


def count_headers() -> int:
    return sum(type(thing).__name__ == "Intake" for thing in gc.get_objects())


def test_pixels_of_who_waits_and_leaves_go(engine: Witness, serving: Serving, connect: Connect) -> None:
    service = serving(workers=1, known_plate_bytes=0)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connect(service.address).run, make_request("hold"))
        assert engine.entered.acquire(timeout=20)
        gone = threading.Event()
        threading.Timer(0.3, gone.set).start()
        intakes = count_plates()
        attempt(
            connect(service.address),
            make_request("echo", {"plate": full_plate(64, 99)}),
            Control(cancelled=gone.is_set),
        )
        wait_until(lambda: count_plates() <= intakes, "the plates of one that left the queue are still there")
        engine.release.set()
        running.result(20)


def count_plates() -> int:
    return sum(type(thing) is Plate and thing.width == 99 for thing in gc.get_objects())
