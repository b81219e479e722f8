# SPDX-License-Identifier: Apache-2.0
"""Queue and estimates seen from clients: who is next, what a request would cost, and whose result is whose."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contract.service.conftest import Connect, Serving
from contract.service.rig import FakeEngine, assert_same_plate, full_plate, make_request, wait_until
from understudy.client.engine import RemoteEngine
from understudy.client.retries import NO_RETRIES
from understudy.client.sender import Sender
from understudy.contracts.engine import Control
from understudy.contracts.errors import BusyError, JobCancelledError, PackError, PackNotFoundError, PlateError
from understudy.contracts.jobs import MotionParams, PackPin, RoleRequest
from understudy.contracts.priority import Priority
from understudy.contracts.workload import workload_of_request
from understudy.service.server import Service


def client(service: Service, user: str, priority: Priority = Priority.NORMAL, **options: Any) -> RemoteEngine:
    options.setdefault("timeout_s", 30.0)
    return RemoteEngine(service.address, sender=Sender(user=user, priority=priority), **options)


def waits(service: Service) -> int:
    return service._servicer.queue.snapshot().length


def test_another_artist_s_one_frame_is_next_and_a_farm_s_is_last(serving: Serving, engine: FakeEngine) -> None:
    service = serving(workers=1)
    clients = {
        "first": client(service, "ana"),
        "ana": client(service, "ana"),
        "farm": client(service, "farm", Priority.BATCH),
        "bo": client(service, "bo"),
        "screen": client(service, "cy", Priority.INTERACTIVE),
    }
    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(clients["first"].run, make_request("hold", request_id="first"))]
        assert engine.entered.acquire(timeout=20)
        for name, count in (("farm", 1), ("ana", 8), ("bo", 1), ("screen", 1)):
            for _ in range(count):
                futures.append(pool.submit(clients[name].run, make_request("echo", request_id=name)))
                wait_until(lambda: waits(service) == len(futures) - 1, "it does not wait")
        state = service._servicer.queue.snapshot()
        assert state.waiting[(Priority.NORMAL, "ana")] == 8
        assert state.waiting[(Priority.BATCH, "farm")] == 1
        engine.release.set()
        for future in futures:
            future.result(20)
    order = [request.request_id for request in engine.seen]
    assert order == ["first", "screen", "bo", *["ana"] * 8, "farm"]
    for each in clients.values():
        each.close()


def test_results_of_two_clients_are_their_own_whatever_is_cancelled(serving: Serving, engine: FakeEngine) -> None:
    service = serving(workers=2)

    def artist(number: int) -> int:
        chance = random.Random(number)
        mine = client(service, f"user{number}")
        done = 0
        for step in range(25):
            value = np.float32(number * 1000 + step + 1)
            plate = full_plate(20 + number, 30 + step, seed=step)
            plate = plate.with_pixels(np.full(plate.pixels.shape, value, np.float32))
            cancel = threading.Event()
            if stopped := chance.random() < 0.3:
                timer = threading.Timer(chance.random() * 0.05, cancel.set)
                timer.start()
            pack = "endless" if stopped and chance.random() < 0.7 else "negate"
            try:
                result = mine.run(make_request(pack, {"plate": plate}), Control(cancelled=cancel.is_set))
            except JobCancelledError:
                assert cancel.is_set()
                continue
            assert_same_plate(result.plates["plate"], plate.with_pixels(-plate.pixels))
            done += 1
        mine.close()
        return done

    with ThreadPoolExecutor(4) as pool:
        assert all(done > 5 for done in pool.map(artist, range(4)))
    queue, admission = service._servicer.queue, service._servicer.admission
    wait_until(lambda: not queue.snapshot().running, "a job still runs")
    state = queue.snapshot()
    assert (state.length, state.backlog_s) == (0, 0.0)
    assert state.started == state.finished
    wait_until(lambda: admission.held_bytes == 0 and not admission.open_requests, "something is still held")


def test_a_full_service_says_when_to_come_again(serving: Serving, engine: FakeEngine) -> None:
    service = serving(workers=1, max_requests=1)
    one = client(service, "ana")
    patient, hasty = client(service, "bo"), client(service, "cy", retries=NO_RETRIES)
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(one.run, make_request("hold"))
        assert engine.entered.acquire(timeout=20)
        with pytest.raises(BusyError, match="busy with 1 requests") as busy:
            hasty.run(make_request("echo"))
        assert 0.5 <= busy.value.retry_after_s <= 60
        assert busy.value.exit_code == 75
        waiting = pool.submit(patient.run, make_request("echo"))
        engine.release.set()
        running.result(20)
        assert_same_plate(waiting.result(20).plates["plate"], full_plate())
    for each in (one, patient, hasty):
        each.close()


def test_a_deadline_that_measured_runs_can_not_meet_is_refused_before_pixels_travel(
    serving: Serving, engine: FakeEngine
) -> None:
    service = serving(workers=1)
    request = make_request("slow")
    for _ in range(3):
        service._servicer.queue.costs.observe(
            workload_of_request(request), PackPin(id="slow", version="1.0.0", sha256="0" * 64), "cpu", 500.0
        )
    late = client(service, "ana", timeout_s=100.0)
    with pytest.raises(BusyError, match="would be done in about 500 s, and its deadline is in 100 s"):
        late.run(request)
    assert not engine.seen
    in_time = client(service, "ana", timeout_s=600.0)
    in_time.run(request)
    for each in (late, in_time):
        each.close()


def upscale(**fields: Any) -> RoleRequest:
    return replace(make_request("p", {"plate": full_plate(100, 200)}), **fields)


def test_an_estimate_is_a_rule_of_thumb_and_then_what_was_measured(serving: Serving, engine: FakeEngine) -> None:
    mine = client(serving(), "ana")
    request = upscale()
    guess = mine.estimate(request)
    assert (guess.measured_runs, guess.device, guess.vram_bytes) == (0, "cuda:0", 0)
    assert guess.pack == PackPin(id="p", version="1.0.0", sha256="0" * 64)
    assert 0 < guess.seconds_low < guess.seconds < guess.seconds_high
    assert guess.ram_bytes == workload_of_request(request).peak_bytes
    assert guess.queue_seconds == 0
    assert not engine.seen
    engine.digest = "0" * 64
    for _ in range(4):
        mine.run(request)
    measured = mine.estimate(request)
    assert measured.measured_runs == 4
    assert measured.seconds_low <= measured.seconds <= measured.seconds_high
    mine.close()


def test_an_estimate_tells_how_long_the_queue_is_for_this_user(serving: Serving, engine: FakeEngine) -> None:
    service = serving(workers=1)
    ana, bo = client(service, "ana"), client(service, "bo")
    with ThreadPoolExecutor(9) as pool:
        futures = [pool.submit(ana.run, make_request("hold")) for _ in range(9)]
        wait_until(lambda: waits(service) == 8, "they do not wait")
        long, short = ana.estimate(upscale()).queue_seconds, bo.estimate(upscale()).queue_seconds
        engine.release.set()
        for future in futures:
            future.result(20)
    assert long > short >= 0
    ana.close()
    bo.close()


def test_an_estimate_of_what_can_not_run_is_refused_as_the_run_would_be(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    mine = connect(serving().address)
    with pytest.raises(PackNotFoundError):
        mine.estimate(upscale(pack=PackPin(id="q")))
    with pytest.raises(PackError, match="upscale"):
        mine.estimate(upscale(params=MotionParams()))
    with pytest.raises(PlateError, match="can't be sent"):
        mine.estimate(upscale(plates={"plate": replace(full_plate(), frame=1 << 70)}))
    assert not engine.seen
