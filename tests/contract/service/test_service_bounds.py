# SPDX-License-Identifier: Apache-2.0
"""Bounds on what a small request can cost."""

import json
import threading
from collections.abc import Iterator
from fractions import Fraction

import grpc
import pytest

from contract.service.conftest import Connect, Serving
from contract.service.rig import FakeEngine, full_plate, make_request
from understudy.client.status import error_from_call
from understudy.codec.jobs import request_to_pb
from understudy.codec.protocol import RUN_METHOD, SERVICE
from understudy.contracts.errors import BusyError, MemoryBudgetError
from understudy.contracts.jobs import InterpolateParams, PackPin, RoleRequest, UpscaleParams
from understudy.contracts.lights import MAX_LIGHTS, LightRig
from understudy.service.silence import Silence
from understudy.wire.understudy.v1 import understudy_pb2 as pb


def upscale(scale: int) -> RoleRequest:
    return RoleRequest(
        pack=PackPin(id="echo"), params=UpscaleParams(scale=Fraction(scale)), plates={"plate": full_plate()}
    )


def test_the_size_of_the_result_is_bounded_before_work_begins(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    remote = connect(serving(max_result_bytes=100_000).address)
    remote.run(upscale(2))
    with pytest.raises(MemoryBudgetError, match=r"the result would take 1 MB; the service makes at most 0 MB"):
        remote.run(upscale(32))
    times = tuple((Fraction(index, 1000),) for index in range(200))
    many = RoleRequest(
        pack=PackPin(id="echo"),
        params=InterpolateParams(outputs=times),
        plates={"a": full_plate(), "b": full_plate(seed=1)},
    )
    with pytest.raises(MemoryBudgetError, match="the result would take"):
        remote.run(many)
    assert len(engine.seen) == 1


def test_a_client_that_falls_silent_is_let_go(serving: Serving, engine: FakeEngine) -> None:
    service = serving(max_silence_s=0.3, max_requests=1)
    request = make_request("echo")
    header = pb.RunRequest(header=request_to_pb(request, "id")).SerializeToString()
    for first in ((), (header,)):
        let_go = threading.Event()

        def messages(first: tuple[bytes, ...] = first, let_go: threading.Event = let_go) -> Iterator[bytes]:
            yield from first
            let_go.wait(20)

        with grpc.insecure_channel(service.address) as channel:
            call = channel.stream_stream(f"/{SERVICE}/{RUN_METHOD}")(messages(), timeout=20)
            with pytest.raises(grpc.RpcError) as caught:
                list(call)
            let_go.set()
        assert caught.value.code() is grpc.StatusCode.CANCELLED
    assert engine.seen == []


def test_a_client_that_waits_for_its_result_is_not_silent(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    remote = connect(serving(max_silence_s=0.2).address)
    threading.Timer(1.0, engine.release.set).start()
    assert remote.run(make_request("hold")).confidence == 0.75


def test_only_the_time_without_a_message_counts() -> None:
    class Context:
        cancelled = 0

        def cancel(self) -> None:
            self.cancelled += 1

    context, silence = Context(), Silence[int](1000.0)
    assert list(silence.heard(iter([1, 2, 3]), context)) == [1, 2, 3]
    assert silence._waiting == set()
    silence.close()
    assert list(silence.heard(iter([4]), context)) == [4]
    assert context.cancelled == 0


def test_lights_are_bounded() -> None:
    light = {"type": "ambient"}
    rig = {"schema": "understudy.lights/1", "lights": [light] * MAX_LIGHTS}
    assert len(LightRig.model_validate_json(json.dumps(rig)).lights) == MAX_LIGHTS
    rig["lights"] = [light] * (MAX_LIGHTS + 1)
    with pytest.raises(ValueError, match=f"at most {MAX_LIGHTS} items"):
        LightRig.model_validate_json(json.dumps(rig))


def test_a_flooded_service_is_a_busy_one() -> None:
    class Refused:
        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.RESOURCE_EXHAUSTED

        def details(self) -> str:
            return "Concurrent RPC limit exceeded!"

        def trailing_metadata(self) -> tuple[()]:
            return ()

    assert isinstance(error_from_call(Refused(), "here", cancelled=False, timeout_s=1.0), BusyError)
