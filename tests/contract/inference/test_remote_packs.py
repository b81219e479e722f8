# SPDX-License-Identifier: Apache-2.0
"""Packs that are played by a model on another server: a service of ours, and servers that are broken or hostile."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from contract.inference.conftest import Serving
from contract.inference.rig import Ask, noise, refused, request_for
from understudy.contracts.engine import Control
from understudy.contracts.errors import (
    JobCancelledError,
    ManifestError,
    PackError,
    RightsError,
    UnavailableError,
    UnderstudyError,
)
from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.model import Call
from understudy.contracts.plate import Plate, Window
from understudy.inference_protocol import messages as m
from understudy.inference_protocol.methods import SERVICE
from understudy.packs import Pack, open_pack
from understudy.roles.engine import LocalEngine
from understudy.roles.pack_settings import PackSettings
from understudy.runtimes import load_model
from understudy.runtimes.load import LoadedModel
from unit.packs.pack_folders import make_pack

CALL = Call(options={"strength": 1.0, "mode": "soft"})
ALLOWED = PackSettings(allow_remote_packs=True)


def remote_pack(
    folder: Path, address: str, remote: str = 'model = "twice"', edit: tuple[tuple[str, str], ...] = ()
) -> Pack:
    """An upscale pack of scale 1 that a server plays."""
    table = f'kind = "remote"\n\n[runtime.remote]\naddress = "{address}"\n{remote}\n'
    first = (('kind = "python"\nfile = "adapter.py"  # the code\n', table), ("[1, 2]", "[1]"))
    make_pack(folder, edit=(*first, *edit), pin=False)
    (folder / "adapter.py").unlink()
    return open_pack(folder)


def loaded(pack: Pack) -> LoadedModel:
    return load_model(pack, allow_remote=True)


def plate(height: int = 20, width: int = 30) -> Plate:
    pixels = np.random.default_rng(0).uniform(0, 2, (height, width, 3)).astype(np.float32)
    window = Window(0, 0, width, height)
    return Plate(
        pixels=pixels, channels=("R", "G", "B"), sample_types=("float",) * 3, data_window=window,
        display_window=window, colorspace="ACEScg", frame=1,
    )  # fmt: skip


def test_a_server_of_ours_plays_a_pack(serving: Serving, tmp_path: Path) -> None:
    address = serving().address
    model = loaded(remote_pack(tmp_path / "p", address))
    assert model.device == f"remote {address}"
    assert model.note == (
        f"played by the model twice of the server at {address}, version 2.0.0; its weights can't be pinned"
    )
    image = noise(6, 5, 3)
    assert np.array_equal(model.model.run({"image": image}, CALL)["image"], image * 2)
    model.model.close()
    with pytest.raises(PackError, match="closed"):
        model.model.run({"image": image}, CALL)


@pytest.mark.parametrize(
    ("remote", "edit", "expected"),
    [
        ('model = "twice"\nversion = "1.0.0"\ninputs = { image = "x" }\noutputs = { image = "y" }', (), 2),
        ('model = "half"\ndatatype = "FP16"', (("radius = 0", "radius = 0\nchannels = 0"),), 1),
        ('model = "repeat"\nlayout = "HWC"\nparameters = ["scale", "strength", "mode"]', (), 1),
        ('model = "identity-onnx-upscale"\ninputs = { image = "image", scale = "scale" }', (), 1),
    ],
    ids=["names", "half", "parameters", "input"],
)
def test_names_layouts_and_types_are_mapped(
    serving: Serving, tmp_path: Path, remote: str, edit: tuple[tuple[str, str], ...], expected: int
) -> None:
    model = loaded(remote_pack(tmp_path / "p", serving().address, remote, edit)).model
    image = noise(6, 5, 3).astype(np.float16).astype(np.float32)
    assert np.array_equal(model.run({"image": image}, CALL)["image"], image * expected)


def test_an_engine_renders_the_same_through_a_server(serving: Serving, packs: Path, tmp_path: Path) -> None:
    address = serving().address
    scales = (("[1]", "[1, 2]"), ('id = "mine"', 'id = "far"'))
    remote_pack(tmp_path / "far", address, 'model = "repeat"\nlayout = "HWC"\nparameters = ["scale"]', scales)
    near = LocalEngine(device="cpu", extra_packs=[packs])
    far = LocalEngine(device="cpu", extra_packs=[tmp_path], settings=ALLOWED)
    params = UpscaleParams(scale=Fraction(2), tile=16)
    here = near.run(RoleRequest(pack=PackPin(id="repeat"), params=params, plates={"plate": plate()}))
    there = far.run(RoleRequest(pack=PackPin(id="far"), params=params, plates={"plate": plate()}))
    assert there.plates["plate"].pixels.tobytes() == here.plates["plate"].pixels.tobytes()
    assert there.report["device"] == f"remote {address}"
    assert "can't be pinned" in str(there.report["note"])
    near.close()
    far.close()


def test_nothing_is_sent_unless_it_was_allowed(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = serving().address
    remote_pack(tmp_path / "p", address)
    engine = LocalEngine(device="cpu", extra_packs=[tmp_path])
    request = RoleRequest(pack=PackPin(id="mine"), params=UpscaleParams(scale=Fraction(1)), plates={"plate": plate()})
    with pytest.raises(RightsError, match="UNDERSTUDY_ALLOW_REMOTE_PACKS=1"):
        engine.run(request)
    engine.close()
    monkeypatch.setenv("UNDERSTUDY_ALLOW_REMOTE_PACKS", "1")
    engine = LocalEngine(device="cpu", extra_packs=[tmp_path])
    assert engine.run(request).plates["plate"].width == 30
    engine.close()


def test_a_remote_pack_is_not_offered_on(serving: Serving, tmp_path: Path) -> None:
    from understudy.service.server import Service

    remote_pack(tmp_path / "p", serving().address)
    engine = LocalEngine(device="cpu", extra_packs=[tmp_path], settings=ALLOWED)
    with Service(engine, "127.0.0.1:0") as service, Ask(service.address) as ask:
        index = {model.name: (model.state, model.reason) for model in ask("RepositoryIndex").models}
        assert index["mine"] == ("UNAVAILABLE", "played by a model of another server: ask that server")
        for call in (
            lambda: ask.infer(request_for("mine", {"image": noise(4, 4, 3)})),
            lambda: ask("ModelMetadata", name="mine"),
        ):
            code, said = refused(call)
            assert (code, "ask that server" in said) == (grpc.StatusCode.FAILED_PRECONDITION, True)
        assert not ask("ModelReady", name="mine").ready
    engine.close()


def test_the_digest_covers_server_model_and_mapping(tmp_path: Path) -> None:
    packs = [
        remote_pack(tmp_path / "a", "localhost:1"),
        remote_pack(tmp_path / "b", "localhost:2"),
        remote_pack(tmp_path / "c", "localhost:1", 'model = "other"'),
        remote_pack(tmp_path / "d", "localhost:1", 'model = "twice"\noutputs = { image = "z" }'),
    ]
    assert len({pack.digest for pack in packs}) == 4
    assert packs[0].files() == ()
    packs[0].verify()


@pytest.mark.parametrize(
    ("address", "remote", "problem"),
    [
        ("localhost", 'model = "m"', "runtime.remote.address"),
        ("localhost:0", 'model = "m"', "no such port"),
        ("http://x:80", 'model = "m"', "runtime.remote.address"),
        ("localhost:1", "", "runtime.remote.model: is missing"),
        ("localhost:1", 'model = "m"\nlayout = "CHW"', "runtime.remote.layout"),
        ("localhost:1", 'model = "m"\nparameters = ["gamma"]', "nothing that a call has"),
        ("localhost:1", 'model = "m"\nauthority = "ca.pem"', "not pinned"),
        ("localhost:1", 'model = "m"\ntimeout_s = 0', "runtime.remote.timeout_s"),
    ],
)
def test_a_wrong_table_is_told_by_field(tmp_path: Path, address: str, remote: str, problem: str) -> None:
    with pytest.raises(ManifestError, match=problem):
        remote_pack(tmp_path / "p", address, remote)


def test_files_and_servers_do_not_mix(tmp_path: Path) -> None:
    make_pack(tmp_path / "a", edit=(('"python"\nfile = "adapter.py"  # the code', '"remote"'),), pin=False)
    make_pack(tmp_path / "b", edit=(('file = "adapter.py"  # the code\n', ""),), pin=False)
    make_pack(tmp_path / "c")
    text = (tmp_path / "c" / "pack.toml").read_text()
    table = '[runtime.remote]\naddress = "x:1"\nmodel = "m"\n\n[contract]'
    (tmp_path / "c" / "pack.toml").write_text(text.replace("[contract]", table))
    problems = {
        "a": r"runtime\.remote: is missing",
        "b": r"runtime\.file: is missing",
        "c": "a python pack has no server",
    }
    for name, problem in problems.items():
        with pytest.raises(ManifestError, match=problem):
            open_pack(tmp_path / name)


Answer = Callable[[m.ModelInferRequest, Any], bytes]


def honest(request: m.ModelInferRequest, _context: Any) -> bytes:
    """The input, as output ``y``."""
    response = m.ModelInferResponse(model_name="m", model_version="7")
    response.outputs.add(name="y", datatype="FP32", shape=request.inputs[0].shape)
    response.raw_output_contents.append(request.raw_input_contents[0])
    return response.SerializeToString()


@contextmanager
def a_server(answer: Answer = honest, metadata: Mapping[str, Any] | None = None) -> Iterator[str]:
    """A server whose model ``m`` does as it likes."""
    free = {"shape": [-1, 3, -1, -1], "datatype": "FP32"}
    told = {"inputs": [{"name": "image", **free}], "outputs": [{"name": "y", **free}], **(metadata or {})}

    def describe(_data: bytes, _context: Any) -> bytes:
        return m.ModelMetadataResponse(name="m", **told).SerializeToString()

    methods = {
        "ModelMetadata": grpc.unary_unary_rpc_method_handler(describe),
        "ModelInfer": grpc.unary_unary_rpc_method_handler(answer, m.ModelInferRequest.FromString),
    }
    server = grpc.server(
        ThreadPoolExecutor(4), handlers=(grpc.method_handlers_generic_handler(SERVICE, methods),),
        options=(("grpc.max_receive_message_length", -1),),
    )  # fmt: skip
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def answered(**changes: Any) -> Answer:
    """An answer with something wrong in it."""

    def answer(request: m.ModelInferRequest, context: Any) -> bytes:
        response = m.ModelInferResponse.FromString(honest(request, context))
        shape = [side + changes.get("more", 0) for side in response.outputs[0].shape]
        output = response.outputs[0]
        output.ClearField("shape")
        output.shape.extend(changes.get("shape", shape))
        output.name = changes.get("name", output.name)
        output.datatype = changes.get("datatype", output.datatype)
        data = changes.get("data", lambda data: data)(response.raw_output_contents[0])
        response.ClearField("raw_output_contents")
        response.raw_output_contents.extend([] if data is None else [data])
        return response.SerializeToString()

    return answer


def double_size(data: bytes) -> bytes:
    return bytes(4 * 3 * 128 * 128)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (answered(name="z"), 'answered without "y"'),
        (answered(shape=[1, 3, 128, 128], data=double_size), "shape"),
        (answered(shape=[3, 64, 64]), "shape"),
        (answered(shape=[1, 3, 4096, 1]), "shape"),
        (answered(shape=[1, -3, 64, -64]), "broken"),
        (answered(shape=[1 << 40, 1 << 40]), "broken"),
        (answered(more=1), "broken"),
        (answered(data=lambda data: data[:-1]), "broken"),
        (answered(data=lambda _: None), "broken"),
        (answered(datatype="FP64"), "broken"),
        (answered(datatype="INT32"), "samples of int32"),
        (answered(datatype="BYTES"), "broken"),
        (answered(datatype="nonsense"), "broken"),
        (lambda *_: b"\xff\xff\xff\xff", "can't be read"),
        (lambda *_: b"", 'answered without "y"'),
    ],
)
def test_answers_that_are_wrong_are_refused(tmp_path: Path, answer: Answer, problem: str) -> None:
    with a_server(answer) as address, pytest.raises(PackError, match=problem) as caught:
        loaded(remote_pack(tmp_path / "p", address, 'model = "m"\ntimeout_s = 10'))
    assert address in str(caught.value)


FREE = {"shape": [-1, 3, -1, -1], "datatype": "FP32"}


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"inputs": []}, 'no input "image"'),
        ({"inputs": [{"name": "image", **FREE, "datatype": "FP16"}]}, 'write datatype = "FP16"'),
        ({"inputs": [{"name": "image", **FREE, "shape": [-1, 4, -1, -1]}]}, "4 channels"),
        ({"inputs": [{"name": "image", **FREE, "shape": [1, 3, 64, 64]}]}, "one size only"),
        ({"inputs": [{"name": "image", **FREE, "shape": [-1, -1, 3]}]}, "4 axes"),
        ({"outputs": []}, "has none"),
        ({"outputs": [{"name": "a", **FREE}, {"name": "b", **FREE}]}, 'no output of the model is "image"'),
    ],
)
def test_models_that_do_not_fit_are_refused_before_a_frame_is_sent(
    tmp_path: Path, metadata: Mapping[str, Any], problem: str
) -> None:
    asked: list[object] = []

    def answer(request: m.ModelInferRequest, _context: Any) -> bytes:
        asked.append(request)
        return b""

    with a_server(answer, metadata) as address, pytest.raises(PackError, match=problem):
        loaded(remote_pack(tmp_path / "p", address, 'model = "m"'))
    assert not asked


def test_a_version_that_changes_is_refused(tmp_path: Path) -> None:
    version = ["7"]

    def answer(request: m.ModelInferRequest, context: Any) -> bytes:
        response = m.ModelInferResponse.FromString(honest(request, context))
        response.model_version = version[0]
        return response.SerializeToString()

    with a_server(answer) as address:
        model = loaded(remote_pack(tmp_path / "p", address, 'model = "m"'))
        assert "version 7;" in model.note
        image = noise(4, 4, 3)
        assert np.array_equal(model.model.run({"image": image}, CALL)["image"], image)
        version[0] = "8"
        with pytest.raises(PackError, match="version 8 of the model answers, and 7 is the one in use"):
            model.model.run({"image": image}, CALL)
        with pytest.raises(PackError, match="version 8"):
            loaded(remote_pack(tmp_path / "q", address, 'model = "m"\nversion = "1"'))


def test_a_server_that_hangs_ends_at_the_deadline_and_one_that_is_away_at_once(tmp_path: Path) -> None:
    hang, release = threading.Event(), threading.Event()

    def answer(request: m.ModelInferRequest, context: Any) -> bytes:
        if hang.is_set():
            release.wait(20)
        return honest(request, context)

    with a_server(answer) as address:
        model = loaded(remote_pack(tmp_path / "p", address, 'model = "m"\ntimeout_s = 0.5')).model
        hang.set()
        with pytest.raises(UnavailableError, match="in time") as caught:
            model.run({"image": noise(4, 4, 3)}, CALL)
        assert address in str(caught.value)
        release.set()
    with pytest.raises(UnavailableError, match="can't be reached"):
        model.run({"image": noise(4, 4, 3)}, CALL)
    with pytest.raises(UnavailableError, match="can't be reached"):
        loaded(remote_pack(tmp_path / "q", address, 'model = "m"\ntimeout_s = 5'))


def test_a_server_that_breaks_off_is_told_of(tmp_path: Path) -> None:
    def answer(request: m.ModelInferRequest, context: Any) -> bytes:
        if request.inputs[0].shape[2] == 4:
            context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        if request.inputs[0].shape[2] == 5:
            context.abort(grpc.StatusCode.INTERNAL, "secret\nof the server " + "x" * 5000)
        return honest(request, context)

    with a_server(answer) as address:
        model = loaded(remote_pack(tmp_path / "p", address, 'model = "m"')).model
        with pytest.raises(UnavailableError, match="gone"):
            model.run({"image": noise(4, 4, 3)}, CALL)
        with pytest.raises(PackError, match="INTERNAL") as caught:
            model.run({"image": noise(5, 4, 3)}, CALL)
        assert len(str(caught.value)) < 600
        assert "\n" not in str(caught.value)


def test_a_cancel_ends_the_request_and_the_server_hears_of_it(tmp_path: Path) -> None:
    entered, gone = threading.Event(), threading.Event()

    def answer(request: m.ModelInferRequest, context: Any) -> bytes:
        if request.inputs[0].shape[2] == 20:
            context.add_callback(gone.set)
            entered.set()
            gone.wait(20)
        return honest(request, context)

    with a_server(answer) as address:
        remote_pack(tmp_path / "p", address, 'model = "m"')
        engine = LocalEngine(device="cpu", extra_packs=[tmp_path], settings=ALLOWED)
        request = RoleRequest(
            pack=PackPin(id="mine"), params=UpscaleParams(scale=Fraction(1)), plates={"plate": plate()}
        )
        cancelled = threading.Event()
        failures: list[UnderstudyError] = []

        def run() -> None:
            try:
                engine.run(request, Control(cancelled=cancelled.is_set))
            except UnderstudyError as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        assert entered.wait(20)
        began = time.monotonic()
        cancelled.set()
        thread.join(20)
        assert gone.wait(20)
        assert time.monotonic() - began < 15  # the request's own deadline is a minute
        assert [type(failure) for failure in failures] == [JobCancelledError]
        engine.close()
