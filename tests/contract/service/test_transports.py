# SPDX-License-Identifier: Apache-2.0
"""The result is the same by every transport, whatever is sent, and whoever goes away meanwhile."""

import gc
import logging
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contract.service.conftest import Connect, Serving
from contract.service.rig import FakeEngine, assert_same_plate, full_plate, make_request, wait_until
from understudy.client.engine import RemoteEngine
from understudy.client.region import supported
from understudy.contracts.engine import Control
from understudy.contracts.errors import JobCancelledError, PlateError, UnavailableError, UsageError
from understudy.contracts.plate import Plate, blank_plate
from understudy.service.server import Service

pytestmark = pytest.mark.skipif(not supported(), reason="this platform shares no memory")
TRANSPORTS = ["shared-memory", "stream"]


def large_plate(seed: int = 0, height: int = 120, width: int = 150) -> Plate:
    """Over the size from which plates are shared and named by hash, in memory that nobody else can write."""
    plate = full_plate(height, width, seed)
    pixels = plate.pixels.copy()
    pixels.setflags(write=False)
    return plate.with_pixels(pixels)


def runs(caplog: pytest.LogCaptureFixture, count: int) -> list[dict[str, Any]]:
    """What the service logged of its last calls; the last one may be a moment late."""
    found = lambda: [vars(r)["fields"] for r in caplog.records if r.getMessage() == "run"]  # noqa: E731
    wait_until(lambda: len(found()) >= count, "a call was not logged")
    return found()


def in_shared_memory(pixels: Any) -> bool:
    root = pixels
    while isinstance(root.base, np.ndarray):
        root = root.base
    return root.base is not None


@pytest.mark.parametrize("pack", ["echo", "negate"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_each_transport_returns_the_bytes_of_the_engine_in_process(
    transport: str, pack: str, serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    client = connect(serving().address, transport=transport)
    assert client.transport.name == transport
    plates = {
        "plate": large_plate(),
        "tiny": full_plate(1, 1, seed=1),
        "b": large_plate(2, 700, 801),  # more than one chunk, and no multiple of one
        "small": full_plate(5, 7, seed=3),
        "é": large_plate(4),
    }
    request = make_request(pack, plates)
    here = engine.run(request)
    for _ in range(3):  # fresh memory, memory that was used, pixels that are known
        there = client.run(request)
        assert list(there.plates) == list(plates)
        for name, plate in here.plates.items():
            assert_same_plate(there.plates[name], plate)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_many_plates_pass(transport: str, serving: Serving, connect: Connect, engine: FakeEngine) -> None:
    client = connect(serving().address, transport=transport)
    plates = {f"p{i}": large_plate(i, 40, 110) if i % 3 else full_plate(seed=i) for i in range(60)}
    there = client.run(make_request("negate", plates))
    for name, plate in plates.items():
        assert_same_plate(there.plates[name], plate.with_pixels(-plate.pixels))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_each_transport_refuses_what_is_not_finite(
    transport: str, bad: float, serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    client = connect(serving().address, transport=transport)
    pixels = large_plate().pixels.copy()
    pixels[119, 149, 1] = bad
    for _ in range(2):
        with pytest.raises(PlateError, match=rf"channel left\.G is {bad} at pixel 146, -881"):
            client.run(make_request("echo", {"plate": replace(large_plate(), pixels=pixels)}))
    assert not engine.seen
    client.run(make_request("echo", {"plate": large_plate()}))


def test_what_the_client_writes_in_place_is_not_copied(
    serving: Serving, connect: Connect, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(serving().address)
    array = client.empty((120, 150, 4))
    array[...] = large_plate().pixels
    plate = large_plate().with_pixels(array)
    with caplog.at_level(logging.INFO, "understudy.service"):
        result = client.run(make_request("echo", {"plate": plate}))
        assert_same_plate(result.plates["plate"], plate)
        assert np.shares_memory(result.plates["plate"].pixels, array)
        (run,) = runs(caplog, 1)
    assert (run["bytes"], run["bytes_received"]) == (288_000, 0)


def test_a_result_can_be_the_next_request_s_plate_where_it_lies(serving: Serving, connect: Connect) -> None:
    client = connect(serving().address)
    plate = large_plate(1, 400, 400)
    once = client.run(make_request("negate", {"plate": plate})).plates["plate"]
    assert in_shared_memory(once.pixels)
    twice = client.run(make_request("negate", {"plate": once})).plates["plate"]
    assert_same_plate(twice, plate)
    assert_same_plate(once, plate.with_pixels(-plate.pixels))
    assert client._link._memory is not None
    assert client._link._memory.place_of(once.pixels) is not None


def test_memory_is_not_used_again_while_a_view_on_a_result_lives(serving: Serving, connect: Connect) -> None:
    client = connect(serving().address)
    views, wants = [], []
    for seed in range(4):
        plate = large_plate(seed, 400, 400)
        result = client.run(make_request("negate", {"plate": plate}))
        views.append(result.plates["plate"].pixels[7:9, ::2])
        wants.append(-plate.pixels[7:9, ::2])
        del result
        gc.collect()
    for view, want in zip(views, wants, strict=True):
        assert view.tobytes() == want.tobytes()
    memory = client._link._memory
    assert memory is not None
    held = memory._bytes
    views.clear()
    gc.collect()
    for seed in range(4):  # the regions came back, so there are no more
        client.run(make_request("negate", {"plate": large_plate(seed, 400, 400)}))
    assert memory._bytes <= held


def test_results_that_do_not_fit_come_as_chunks_and_fit_the_next_time(
    serving: Serving, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.client.transport.likely_result_bytes", lambda _: 1_500_000)
    client = connect(serving().address)
    plates = {"a": large_plate(1, 300, 300), "b": large_plate(2, 300, 300)}
    shared = []
    for _ in range(2):
        result = client.run(make_request("negate", plates))
        for name, plate in plates.items():
            assert_same_plate(result.plates[name], plate.with_pixels(-plate.pixels))
        shared.append([in_shared_memory(plate.pixels) for plate in result.plates.values()])
        del result
    assert shared == [[True, False], [True, True]]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_clients_at_once_get_their_own_results(transport: str, serving: Serving, connect: Connect) -> None:
    address = serving(workers=2).address
    clients = [connect(address, transport=transport) for _ in range(2)]

    def go(index: int) -> None:
        plate = replace(large_plate(index, 100, 170 + index), frame=index)
        for _ in range(2):
            got = clients[index % 2].run(make_request("negate", {"plate": plate})).plates["plate"]
            assert_same_plate(got, plate.with_pixels(-plate.pixels))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(go, range(24)))


def test_pixels_that_were_sent_are_named_and_not_sent_again(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(serving().address, transport="stream")
    frames = [large_plate(seed) for seed in range(3)]
    with caplog.at_level(logging.INFO, "understudy.service"):
        for a, b in ((0, 1), (1, 2), (0, 2)):
            result = client.run(make_request("negate", {"a": frames[a], "b": frames[b]}))
            assert_same_plate(result.plates["a"], frames[a].with_pixels(-frames[a].pixels))
            assert_same_plate(result.plates["b"], frames[b].with_pixels(-frames[b].pixels))
        received = [run["bytes_received"] for run in runs(caplog, 3)]
    assert received == [576_000, 288_000, 0]


def test_pixels_that_can_still_be_written_are_sent_each_time(serving: Serving, connect: Connect) -> None:
    client = connect(serving().address, transport="stream")
    base = large_plate().pixels.copy()
    plate = large_plate().with_pixels(base[:])
    for value in (1.0, 2.0):
        base[..., 0] = value
        result = client.run(make_request("echo", {"plate": plate})).plates["plate"]
        assert (result.pixels[..., 0] == value).all()


def test_a_service_that_knows_no_plates_wants_them(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(serving(known_plate_bytes=300_000).address, transport="stream")
    frames = [large_plate(seed) for seed in range(2)]
    with caplog.at_level(logging.INFO, "understudy.service"):
        for frame in (0, 1, 1, 0):
            got = client.run(make_request("echo", {"plate": frames[frame]})).plates["plate"]
            assert_same_plate(got, frames[frame])
        received = [run["bytes_received"] for run in runs(caplog, 4)]
    assert received == [288_000, 288_000, 0, 288_000]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_restarted_service_is_told_anew_and_no_frame_is_lost(
    transport: str, connect: Connect, engine: FakeEngine
) -> None:
    plate = large_plate()
    want = plate.with_pixels(-plate.pixels)
    with tempfile.TemporaryDirectory(prefix="us") as folder:
        client = connect(f"unix:{folder}/s", transport=transport)
        for _ in range(3):
            with Service(engine, f"unix:{folder}/s"):
                for _ in range(2):
                    assert_same_plate(client.run(make_request("negate", {"plate": plate})).plates["plate"], want)
                assert client.transport.name == transport


def test_memory_that_the_service_forgot_is_shared_anew(serving: Serving, connect: Connect) -> None:
    service = serving()
    client = connect(service.address)
    plate = large_plate()
    client.run(make_request("negate", {"plate": plate}))
    regions = service._servicer.regions
    for session in list(regions._sessions):
        regions.close(session)
    got = client.run(make_request("negate", {"plate": plate})).plates["plate"]
    assert_same_plate(got, plate.with_pixels(-plate.pixels))
    assert client.transport.name == "shared-memory"


def test_a_cancelled_call_s_memory_is_not_used_again_before_the_service_let_go(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    service = serving(workers=2)
    client = connect(service.address)
    plate = large_plate()
    cancel = threading.Event()
    control = Control(progress=lambda done, _: cancel.set() if done else None, cancelled=cancel.is_set)
    with pytest.raises(JobCancelledError):
        client.run(make_request("endless", {"plate": plate}), control)
    assert engine.stopped.wait(20)
    memory = client._link._memory
    assert memory is not None
    wait_until(lambda: all(not held.users for held in service._servicer.regions._regions.values()), "still in use")
    client.run(make_request("negate", {"plate": plate}))
    assert all(region.reusable for region in (*memory._free, *memory._users))


def test_after_a_fork_memory_that_was_in_use_is_left_alone(serving: Serving, connect: Connect) -> None:
    client = connect(serving().address)
    plate = large_plate(1, 400, 400)
    kept = client.run(make_request("negate", {"plate": plate})).plates["plate"]
    memory = client._link._memory
    assert memory is not None
    memory.taint()  # what a fork does first
    assert memory.place_of(kept.pixels) is None
    del kept
    gc.collect()
    again = client.run(make_request("negate", {"plate": plate})).plates["plate"]
    assert_same_plate(again, plate.with_pixels(-plate.pixels))


@pytest.mark.parametrize(
    ("where", "limits", "reason"),
    [
        ("understudy.client.transport.supported", {}, "this platform shares no memory"),
        ("understudy.service.memfd.supported", {}, "the service shares no memory with this client"),
        ("", {"max_share_sessions": 0}, "0 clients share memory already"),
        ("", {"max_region_bytes": 1000}, "would be shared"),
    ],
)
def test_where_memory_can_not_be_shared_pixels_are_sent_and_the_reason_is_told(
    where: str,
    limits: dict[str, int],
    reason: str,
    serving: Serving,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if where:
        monkeypatch.setattr(where, lambda: False)
    address = serving(**limits).address
    client = connect(address)
    got = client.run(make_request("negate", {"plate": large_plate()})).plates["plate"]
    assert_same_plate(got, large_plate().with_pixels(-large_plate().pixels))
    assert client.transport.name == "stream"
    assert reason in client.transport.reason
    with pytest.raises(UnavailableError, match="shared memory can't be had") as caught:
        connect(address, transport="shared-memory").run(make_request("echo"))
    assert reason in str(caught.value)


def test_an_unknown_transport_is_refused() -> None:
    with pytest.raises(UsageError, match="no transport 'pigeon'; it is one of auto, shared-memory, stream"):
        RemoteEngine("127.0.0.1:1", transport="pigeon")


def test_another_machine_s_service_is_not_asked_for_memory() -> None:
    client = RemoteEngine("gpu.studio:7433")
    assert client.transport.reason == "the service is on another machine"
    client.close()


def test_a_new_array_is_ordinary_where_memory_is_not_shared(serving: Serving, connect: Connect) -> None:
    client = connect(serving().address, transport="stream")
    array = client.empty((3, 4, 2))
    array[...] = 1.0
    plate = blank_plate(array, ("R", "G"), colorspace="Raw")
    assert_same_plate(client.run(make_request("echo", {"plate": plate})).plates["plate"], plate)
