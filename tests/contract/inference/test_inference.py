# SPDX-License-Identifier: Apache-2.0
"""Requests in, tensors out, by the words of the protocol."""

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from contract.inference.conftest import Serving
from contract.inference.rig import Ask, noise, output, refused, request_for
from understudy.inference_protocol import messages as m
from understudy.inference_protocol.methods import path
from understudy.roles.engine import LocalEngine

Code = grpc.StatusCode


def test_the_server_tells_of_itself(ask: Ask) -> None:
    assert ask("ServerLive").live
    assert ask("ServerReady").ready
    told = ask("ServerMetadata")
    assert told.name == "understudy"
    assert "system_shared_memory" in told.extensions


def test_a_model_tells_of_itself(ask: Ask) -> None:
    told = ask("ModelMetadata", name="twice")
    assert (told.platform, list(told.versions)) == ("onnxruntime_onnx", ["1.0.0", "2.0.0"])
    assert [(t.name, t.datatype, list(t.shape)) for t in told.inputs] == [("x", "FP32", [1, 3, -1, -1])]
    assert [(t.name, t.datatype, list(t.shape)) for t in told.outputs] == [("y", "FP32", [1, 3, -1, -1])]
    config = ask("ModelConfig", name="repeat").config
    assert (config.platform, config.max_batch_size) == ("python", 0)
    assert [(t.name, t.data_type, list(t.dims)) for t in config.input] == [("image", m.TYPE_FP32, [-1, -1, 3])]
    assert config.parameters["layout"].string_value == "HWC"


def test_versions_stand_side_by_side(ask: Ask) -> None:
    image = noise(1, 3, 4, 5)
    for version, answered in (("", "2.0.0"), ("1.0.0", "1.0.0"), ("2.0.0", "2.0.0")):
        response = ask.infer(request_for("twice", {"x": image}, version))
        assert (response.model_name, response.model_version) == ("twice", answered)
        assert np.array_equal(output(response, "y"), image * 2)
    assert refused(lambda: ask.infer(request_for("twice", {"x": image}, "3.0.0")))[0] is Code.NOT_FOUND


def test_the_id_is_echoed_and_the_pack_is_named(ask: Ask, engine: LocalEngine) -> None:
    request = request_for("twice", {"x": noise(1, 3, 2, 2)})
    request.id = "shot 7"
    response = ask.infer(request)
    assert response.id == "shot 7"
    digest = next(pack.pin.sha256 for pack in engine.info().packs if str(pack.pin).startswith("twice@2.0.0"))
    assert response.parameters["pack_sha256"].string_param == digest


def test_half_stays_half_and_float_stays_float(ask: Ask) -> None:
    half = noise(1, 4, 6, 5, dtype=np.float16)
    assert output(ask.infer(request_for("half", {"x": half})), "y").tobytes() == half.tobytes()
    wide = output(ask.infer(request_for("half", {"x": half.astype(np.float32)})), "y")
    assert (str(wide.dtype), wide.tobytes()) == ("float32", half.astype(np.float32).tobytes())
    got = output(ask.infer(request_for("twice", {"x": half[:, :3]})), "y")
    assert (str(got.dtype), got.tobytes()) == ("float16", (half[:, :3] * np.float16(2)).tobytes())


def test_typed_contents_do_as_well(ask: Ask) -> None:
    image = noise(1, 3, 2, 2)
    request = request_for("twice", {"x": image})
    request.ClearField("raw_input_contents")
    request.inputs[0].contents.fp32_contents.extend(image.reshape(-1).tolist())
    assert np.array_equal(output(ask.infer(request), "y"), image * 2)


def test_a_python_pack_takes_its_roles_tensors_and_parameters(ask: Ask) -> None:
    image = noise(4, 5, 3)
    for scale in (2, 2.0, "2", "4/2"):
        request = request_for("repeat", {"image": image}, scale=scale, strength=0.5, mode="sharp")
        assert np.array_equal(output(ask.infer(request), "image"), image.repeat(2, 0).repeat(2, 1))


def test_a_stream_answers_in_order_and_an_error_ends_its_request_alone(ask: Ask) -> None:
    images = [noise(1, 3, 2, n + 1) for n in range(3)]
    requests = [request_for("twice", {"x": image}) for image in images]
    requests[1].model_name = "nobody"
    for number, request in enumerate(requests):
        request.id = str(number)
    first, second, third = ask.stream(*requests)
    assert np.array_equal(output(first.infer_response, "y"), images[0] * 2)
    assert (second.infer_response.id, bool(second.error_message)) == ("1", True)
    assert 'no pack "nobody"' in second.error_message
    assert np.array_equal(output(third.infer_response, "y"), images[2] * 2)
    assert not third.error_message


@pytest.mark.parametrize(
    ("edit", "code", "sentence"),
    [
        (lambda r: setattr(r, "model_name", "nobody"), Code.NOT_FOUND, "no pack"),
        (lambda r: setattr(r, "model_name", ""), Code.NOT_FOUND, "no pack"),
        (lambda r: setattr(r, "model_name", "../../etc/passwd"), Code.NOT_FOUND, "no pack"),
        (lambda r: r.ClearField("inputs"), Code.INVALID_ARGUMENT, "more raw contents"),
        (lambda r: r.ClearField("raw_input_contents"), Code.INVALID_ARGUMENT, "no contents"),
        (lambda r: r.raw_input_contents.append(b"x"), Code.INVALID_ARGUMENT, "more raw contents"),
        (lambda r: r.inputs.append(r.inputs[0]), Code.INVALID_ARGUMENT, "twice"),
        (lambda r: setattr(r.inputs[0], "name", "z"), Code.INVALID_ARGUMENT, "no input of that name; there is x"),
        (lambda r: setattr(r.inputs[0], "datatype", "FP64"), Code.INVALID_ARGUMENT, "48 bytes came"),
        (lambda r: setattr(r.inputs[0], "datatype", "BYTES"), Code.INVALID_ARGUMENT, "none of BOOL"),
        (lambda r: setattr(r.inputs[0], "datatype", "INT32"), Code.INVALID_ARGUMENT, "send FP16 or FP32"),
        (lambda r: r.inputs[0].shape.append(1), Code.INVALID_ARGUMENT, "shape"),
        (lambda r: r.inputs[0].shape.insert(0, -1), Code.INVALID_ARGUMENT, "shape"),
        (lambda r: r.outputs.add(name="q"), Code.INVALID_ARGUMENT, "no output of that name; there is y"),
        (lambda r: [r.outputs.add(name="y") for _ in "12"], Code.INVALID_ARGUMENT, "twice"),
        (lambda r: r.parameters["scale"], Code.INVALID_ARGUMENT, "no value"),
        (lambda r: setattr(r.parameters["scale"], "double_param", float("nan")), Code.INVALID_ARGUMENT, "number"),
        (lambda r: setattr(r.parameters["scale"], "string_param", "2"), Code.INVALID_ARGUMENT, "does not scale by 2"),
        (lambda r: setattr(r.parameters["scale"], "string_param", "1" * 9999), Code.INVALID_ARGUMENT, "range"),
        (lambda r: setattr(r.parameters["strenth"], "double_param", 1.0), Code.INVALID_ARGUMENT, 'mean "strength"'),
        (lambda r: setattr(r.parameters["strength"], "double_param", 7.0), Code.INVALID_ARGUMENT, "strength"),
        (lambda r: setattr(r.parameters["sequence_id"], "int64_param", 1), Code.INVALID_ARGUMENT, "between requests"),
        (lambda r: setattr(r.parameters["priority"], "string_param", "x"), Code.INVALID_ARGUMENT, "priority"),
        (lambda r: setattr(r, "id", "x" * 300), Code.INVALID_ARGUMENT, "id"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(ask: Ask, edit: Any, code: Any, sentence: str) -> None:
    request = request_for("twice", {"x": noise(1, 3, 2, 2)})
    edit(request)
    got, said = refused(lambda: ask.infer(request))
    assert got is code, said
    assert sentence in said


def test_bytes_that_are_no_request_are_refused(ask: Ask) -> None:
    for method in ("ModelInfer", "ModelMetadata", "SystemSharedMemoryRegister"):
        code, said = refused(lambda method=method: ask.channel.unary_unary(path(method))(b"\xff\xff\xff", timeout=20))
        assert code is Code.INVALID_ARGUMENT
        assert "can't be read" in said
    code, said = refused(lambda: ask.channel.unary_unary(path("ServerLive"))(b"\x0a\x05hello" * (1 << 20), timeout=20))
    assert code is Code.INVALID_ARGUMENT


def test_no_sentence_holds_a_path(ask: Ask, packs: Path) -> None:
    code, said = refused(lambda: ask.infer(request_for("broken", {"image": noise(4, 4, 3)}, scale=1)))
    assert code is Code.FAILED_PRECONDITION
    assert str(packs) not in said
    assert "/" not in said
    reasons = {model.name: (model.state, model.reason) for model in ask("RepositoryIndex").models}
    assert reasons["broken"][0] == "UNAVAILABLE"
    assert all("/" not in reason for _, reason in reasons.values())


def test_a_message_larger_than_the_limit_is_refused(serving: Serving) -> None:
    with Ask(serving(inference={"max_message_bytes": 2 << 20}).address) as ask:
        code, _ = refused(lambda: ask.infer(request_for("twice", {"x": noise(1, 3, 700, 700)})))
        assert code is Code.RESOURCE_EXHAUSTED
        code, said = refused(lambda: ask.infer(request_for("repeat", {"image": noise(300, 300, 3)}, scale=2)))
        assert code is Code.RESOURCE_EXHAUSTED
        assert "shared memory" in said


def test_the_index_tells_what_is_in_memory(ask: Ask) -> None:
    ask("RepositoryModelLoad", model_name="twice")
    index = {(model.name, model.version): model for model in ask("RepositoryIndex").models}
    assert (index["twice", "2.0.0"].state, index["twice", "2.0.0"].reason) == ("READY", "")
    assert index["twice", "1.0.0"].state == "READY"
    ask("RepositoryModelUnload", model_name="twice")
    index = {(model.name, model.version): model for model in ask("RepositoryIndex").models}
    assert index["twice", "2.0.0"].reason == "loads when it is asked for"
    assert ask("ModelReady", name="twice").ready
    ready = [model.name for model in ask("RepositoryIndex", ready=True).models]
    assert "twice" in ready
    assert refused(lambda: ask("RepositoryModelLoad", model_name="nobody"))[0] is Code.NOT_FOUND
    request = {"config": m.ModelRepositoryParameter(string_param="{}")}
    assert (
        refused(lambda: ask("RepositoryModelLoad", model_name="twice", parameters=request))[0] is Code.INVALID_ARGUMENT
    )
    assert refused(lambda: ask("ModelReady", name="nobody"))[0] is Code.NOT_FOUND


def test_requests_are_counted(ask: Ask) -> None:
    for _ in range(3):
        ask.infer(request_for("half", {"x": noise(1, 4, 2, 2, dtype=np.float16)}))
    refused(lambda: ask.infer(request_for("half", {"z": noise(1, 4, 2, 2, dtype=np.float16)})))
    (model,) = ask("ModelStatistics", name="half").model_stats
    stats = model.inference_stats
    assert (model.inference_count, stats.success.count, stats.fail.count) == (3, 3, 1)
    parts = (stats.queue, stats.compute_input, stats.compute_infer, stats.compute_output)
    assert [part.count for part in parts] == [3] * 4
    assert stats.success.ns == sum(part.ns for part in parts) > 0
    assert abs(model.last_inference - time.time() * 1000) < 60_000
    assert len(ask("ModelStatistics").model_stats) > 5


def test_cuda_shared_memory_is_not_served(ask: Ask) -> None:
    for method in ("CudaSharedMemoryStatus", "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister"):
        code, said = refused(lambda method=method: ask(method))
        assert code is Code.UNIMPLEMENTED
        assert "system shared memory" in said


def test_it_can_be_switched_off(serving: Serving) -> None:
    with Ask(serving(inference={"enabled": False}).address) as ask:
        assert refused(lambda: ask("ServerLive"))[0] is Code.UNIMPLEMENTED


def test_a_request_that_is_given_up_frees_the_call_and_leaves_the_next_alone(
    serving: Serving, packs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "understudy.service")
    started = packs / "slow" / "started"
    started.unlink(missing_ok=True)
    with Ask(serving(workers=1).address) as ask:
        slow = request_for("slow", {"image": noise(7, 7, 3)}, scale=1)
        future = ask.channel.unary_unary(path("ModelInfer")).future(slow.SerializeToString(), timeout=20)
        end = time.monotonic() + 20
        while not started.exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        future.cancel()
        image = noise(1, 3, 4, 5)
        assert np.array_equal(output(ask.infer(request_for("twice", {"x": image})), "y"), image * 2)
        code, _ = refused(lambda: ask.infer(slow, timeout=0.2))
        assert code is Code.DEADLINE_EXCEEDED
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_request_waits_for_no_longer_than_its_own_timeout(serving: Serving, packs: Path) -> None:
    with Ask(serving(workers=1).address) as ask:
        slow = request_for("slow", {"image": noise(7, 7, 3)}, scale=1)
        ask.infer(slow)  # it is in memory now
        (packs / "slow" / "started").unlink()
        other = threading.Thread(target=lambda: ask.infer(slow))
        other.start()
        while not (packs / "slow" / "started").exists():
            time.sleep(0.005)
        hurried = request_for("twice", {"x": noise(1, 3, 2, 2)}, timeout=1000)  # a millisecond
        code, said = refused(lambda: ask.infer(hurried))
        assert code is Code.UNAVAILABLE, said
        other.join()


def test_requests_are_logged_without_their_tensors(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "understudy.service")
    ask.infer(request_for("twice", {"x": noise(1, 3, 2, 2)}))
    deadline = time.monotonic() + 5
    while not (found := [r.__dict__["fields"] for r in caplog.records if r.message == "infer"]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert found[0]["pack"] == "twice"
    assert found[0]["bytes"] == 48
    assert len(json.dumps(found[0])) < 400


def test_what_a_request_costs_is_learned_as_of_any_job(serving: Serving) -> None:
    service = serving()
    queue = service._servicer.queue

    def known() -> list[int]:
        return [len(entry["runs"]) for entry in queue.costs.dump() if entry["id"] == "twice"]

    with Ask(service.address) as ask:
        for count in range(1, 4):
            ask.infer(request_for("twice", {"x": noise(1, 3, 40, 50)}))
            assert known() == [count]
        assert refused(lambda: ask.infer(request_for("nobody", {"x": noise(1, 3, 4, 5)})))[0] is Code.NOT_FOUND
        ask.infer(request_for("twice", {"x": noise(1, 3, 40, 50).astype(np.float32)}, "1.0.0"))  # versions do not mix
        assert sorted(known()) == [1, 3]
