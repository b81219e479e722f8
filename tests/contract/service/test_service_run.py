# SPDX-License-Identifier: Apache-2.0
"""An engine over gRPC returns what it returns in this process, and raises what it raises here."""

import inspect
import logging
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from contract.service.conftest import Connect, Serving
from contract.service.rig import FakeEngine, assert_same_error, assert_same_plate, full_plate, make_request, wait_until
from understudy.client.engine import RemoteEngine
from understudy.contracts import errors
from understudy.contracts.engine import Control, Engine, ServiceTimings
from understudy.contracts.errors import (
    JobCancelledError,
    MemoryBudgetError,
    PlateError,
    UnavailableError,
    UnderstudyError,
    UsageError,
)
from understudy.contracts.plate import Plate, blank_plate
from understudy.service.server import Service

TREE = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, UnderstudyError)]


def test_both_engines_fit_the_protocol(remote: RemoteEngine) -> None:
    engines: list[Engine] = [remote, FakeEngine()]
    assert all(callable(engine.run) and callable(engine.info) and callable(engine.close) for engine in engines)


def test_info_is_the_engine_s_own(remote: RemoteEngine, engine: FakeEngine) -> None:
    assert remote.info() == engine.info()


@pytest.mark.parametrize("pack", ["echo", "negate"])
def test_results_are_bit_for_bit_those_of_the_engine_in_process(
    pack: str, remote: RemoteEngine, engine: FakeEngine
) -> None:
    # Plates of zero, one and many chunks, and one whose size is no multiple of a chunk.
    request = make_request(
        pack,
        {
            "plate": full_plate(),
            "b": full_plate(300, 401, seed=1),
            "é": full_plate(1, 1, seed=2),
            "d": full_plate(256, 256),
        },
        request_id="shot_010",
    )
    here, there = engine.run(request), remote.run(request)
    assert list(there.plates) == list(here.plates)
    for name, plate in here.plates.items():
        assert_same_plate(there.plates[name], plate)
    assert (there.pack, there.confidence) == (here.pack, here.confidence)
    assert there.report == {"held": True, "seconds": 0.25, "list": [1, None], "scalar": 0.5}


def test_the_engine_sees_the_request_as_it_was_made(remote: RemoteEngine, engine: FakeEngine) -> None:
    request = replace(make_request("echo", request_id="shot_010"), ocio_config="studio.ocio")
    remote.run(request)
    (seen,) = engine.seen
    assert replace(seen, plates={}) == replace(request, plates={})
    assert_same_plate(seen.plates["plate"], request.plates["plate"])


def test_a_request_without_plates_runs(remote: RemoteEngine) -> None:
    assert dict(remote.run(make_request("echo", {})).plates) == {}


def test_a_4k_float_frame_passes(remote: RemoteEngine) -> None:
    pixels = np.arange(2160 * 3840 * 4, dtype=np.uint32).reshape(2160, 3840, 4).astype(np.float32)
    plate = blank_plate(pixels, "RGBA", colorspace="ACEScg", frame=1001)
    result = remote.run(make_request("echo", {"plate": plate}))
    assert np.array_equal(result.plates["plate"].pixels, pixels)


def test_progress_arrives_in_order_and_the_last_state_always(remote: RemoteEngine) -> None:
    seen: list[tuple[int, int]] = []
    remote.run(make_request("steps"), Control(progress=lambda done, total: seen.append((done, total))))
    assert seen == sorted(set(seen))
    assert seen[-1] == (10, 10)


@pytest.mark.parametrize("cls", TREE)
def test_errors_come_back_as_themselves(cls: type[UnderstudyError], remote: RemoteEngine, engine: FakeEngine) -> None:
    engine.failure = cls("it was wrong: é", where="nodes.slow.speed", fix="write a number")
    with pytest.raises(cls) as caught:
        remote.run(make_request("fail"))
    assert_same_error(caught.value, engine.failure)


def test_a_very_long_error_arrives(remote: RemoteEngine, engine: FakeEngine) -> None:
    engine.failure = PlateError("日" * 50_000, where="w" * 5000, fix="f" * 5000)
    with pytest.raises(PlateError, match=r"^w{490}"):
        remote.run(make_request("fail"))


def test_out_of_memory_is_a_memory_error(remote: RemoteEngine, engine: FakeEngine) -> None:
    engine.failure = MemoryError()
    with pytest.raises(MemoryBudgetError, match="ran out of memory"):
        remote.run(make_request("fail"))


def test_unexpected_exceptions_leak_nothing_and_are_logged_under_the_request_s_id(
    remote: RemoteEngine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "understudy.service"), pytest.raises(UnderstudyError) as caught:
        remote.run(make_request("fail", request_id="shot_010"))
    assert type(caught.value) is UnderstudyError
    assert "shot_010" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "RuntimeError" not in str(caught.value)
    (record,) = (record for record in caplog.records if record.getMessage() == "internal error")
    assert record.exc_info is not None
    assert "secret internals" in str(record.exc_info[1])
    assert vars(record)["fields"]["request_id"] == "shot_010"


def test_a_plate_that_is_not_finite_is_refused(remote: RemoteEngine, engine: FakeEngine) -> None:
    pixels = full_plate().pixels.copy()
    pixels[1, 2, 0] = np.nan
    with pytest.raises(PlateError, match="channel R is nan at pixel -1, -999"):
        remote.run(make_request("echo", {"plate": replace(full_plate(), pixels=pixels)}))
    assert not engine.seen


def test_a_plate_the_wire_can_not_carry_is_refused_before_the_call(remote: RemoteEngine) -> None:
    with pytest.raises(PlateError, match="description can't be sent"):
        remote.run(make_request("echo", {"plate": replace(full_plate(), frame=1 << 70)}))


def test_cancel_stops_the_engine_between_tiles_and_frees_its_worker(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    client = connect(serving(workers=1).address)
    cancel = threading.Event()
    control = Control(progress=lambda done, _: cancel.set() if done else None, cancelled=cancel.is_set)
    with pytest.raises(JobCancelledError, match="the job was cancelled"):
        client.run(make_request("endless"), control)
    assert engine.stopped.wait(20)
    # The one worker there is does the next job.
    assert_same_plate(client.run(make_request("echo")).plates["plate"], full_plate())


def test_cancelled_before_it_began_is_never_sent(remote: RemoteEngine, engine: FakeEngine) -> None:
    with pytest.raises(JobCancelledError):
        remote.run(make_request("echo"), Control(cancelled=lambda: True))
    assert not engine.seen


def test_what_the_caller_s_own_functions_raise_comes_out_and_ends_the_job(
    remote: RemoteEngine, engine: FakeEngine
) -> None:
    asked = iter([False])  # one good answer

    def broken_progress(done: int, total: int) -> None:
        raise KeyError("progress")

    def broken_cancel() -> bool:
        if next(asked, None) is None:
            raise KeyError("cancelled")
        return False

    with pytest.raises(KeyError, match="progress"):
        remote.run(make_request("endless"), Control(progress=broken_progress))
    assert engine.stopped.wait(20)
    engine.stopped.clear()
    with pytest.raises(KeyError, match="cancelled"):
        remote.run(make_request("endless"), Control(cancelled=broken_cancel))
    assert engine.stopped.wait(20)


def test_a_passed_deadline_stops_the_engine(serving: Serving, connect: Connect, engine: FakeEngine) -> None:
    client = connect(serving().address, timeout_s=0.3)
    with pytest.raises(UnavailableError, match=r"no answer within 0\.3 s") as caught:
        client.run(make_request("endless"))
    assert caught.value.exit_code == 75
    assert engine.stopped.wait(20)


def test_many_clients_at_once_get_their_own_results(serving: Serving, connect: Connect) -> None:
    address = serving(workers=2).address
    clients = [connect(address), connect(address)]

    def go(index: int) -> tuple[int, Plate]:
        plate = replace(full_plate(64, 64 + index, seed=index), frame=index)
        return index, clients[index % 2].run(make_request("negate", {"plate": plate})).plates["plate"]

    with ThreadPoolExecutor(8) as pool:
        for index, plate in pool.map(go, range(24)):
            want = replace(full_plate(64, 64 + index, seed=index), frame=index)
            assert_same_plate(plate, want.with_pixels(-want.pixels))


def test_no_more_jobs_run_than_there_are_workers(serving: Serving, connect: Connect, engine: FakeEngine) -> None:
    client = connect(serving(workers=2).address)
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(client.run, make_request("hold")) for _ in range(6)]
        for _ in range(2):
            assert engine.entered.acquire(timeout=20)
        assert not engine.entered.acquire(timeout=0.2)
        engine.release.set()
        for future in waiting:
            future.result(20)
    assert engine.most_running == 2


def test_who_waits_for_a_worker_gives_up_at_its_deadline(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    service = serving(workers=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(connect(service.address).run, make_request("hold"))
        assert engine.entered.acquire(timeout=20)
        with pytest.raises(UnavailableError, match="no answer within"):
            connect(service.address, timeout_s=0.3).run(make_request("echo"))
        # The service hears of the deadline by its own clock, maybe after the client.
        wait_until(lambda: service._servicer.admission.open_requests == 1, "the late request was never let go")
        engine.release.set()
        first.result(20)
    assert [request.pack.id for request in engine.seen] == ["hold"]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:1", "nothing listens there"),
        ("unix:/nowhere/s", "there is no such socket"),
    ],
)
def test_nobody_there_is_a_sentence_with_the_address_and_what_to_do(address: str, why: str, connect: Connect) -> None:
    client = connect(address)
    want = f"{address}: the service does not answer: {why}; is it running? Start it with: understudy serve"
    want += f" --listen {address}"
    for call in (client.info, lambda: client.run(make_request("echo"))):
        with pytest.raises(UnavailableError) as caught:
            call()
        assert str(caught.value) == want


def test_a_restarted_service_is_found_again(connect: Connect, engine: FakeEngine) -> None:
    def answers() -> bool:
        try:
            return client.info() == engine.info()
        except UnavailableError:
            return False

    with tempfile.TemporaryDirectory(prefix="us") as folder:  # a socket file: nobody else can take it meanwhile
        address = f"unix:{folder}/s"
        client = connect(address)
        with Service(engine, address):
            assert answers()
        assert not answers()
        with Service(engine, address):
            wait_until(answers, "the client did not find the new service")


def test_a_closed_client_says_so(serving: Serving) -> None:
    client = RemoteEngine(serving().address)
    client.info()
    client.close()
    client.close()
    with pytest.raises(UnavailableError, match="connection is closed"):
        client.run(make_request("echo"))


def test_closing_ends_a_running_call(serving: Serving, engine: FakeEngine) -> None:
    client = RemoteEngine(serving().address)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(client.run, make_request("endless"))
        assert engine.entered.acquire(timeout=20)
        client.close()
        with pytest.raises(UnavailableError):
            running.result(20)
    assert engine.stopped.wait(20)


def test_a_connection_from_before_a_fork_is_refused_in_the_child(
    remote: RemoteEngine, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as child:
        child.setattr("understudy.client.engine.os.getpid", lambda: -1)
        with pytest.raises(UsageError, match="before the process forked"):
            remote.run(make_request("echo"))
        remote.close()  # the parent's connection is not the child's to close
    assert remote.info() == engine.info()


def test_the_caller_hears_where_the_service_s_time_went(remote: RemoteEngine, engine: FakeEngine) -> None:
    heard: list[ServiceTimings] = []
    engine.run(make_request("echo"), Control(timed=heard.append))
    assert not heard
    remote.run(make_request("echo"), Control(timed=heard.append))
    assert len(heard) == 1
    assert min(heard[0].receive_s, heard[0].queue_s, heard[0].run_s) >= 0
    assert 0 < heard[0].receive_s + heard[0].queue_s + heard[0].run_s < 30


def test_info_is_told_anew_when_the_engine_says_something_else(
    serving: Serving, connect: Connect, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = engine.info()
    monkeypatch.setattr(engine, "info", lambda: says)
    remote = connect(serving().address)
    for _ in range(2):
        assert remote.info() == says
    for changed in (replace(says, device="cuda:0"), replace(says, packs=says.packs[:0]), replace(says, failures=())):
        says = changed
        for _ in range(2):
            assert remote.info() == says
