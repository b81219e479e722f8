# SPDX-License-Identifier: Apache-2.0
"""ONNX packs through OpenVINO: close to ONNX Runtime, the same bytes each time, silent towards the network."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
if not __import__("importlib.util").util.find_spec("openvino"):
    pytest.skip("OpenVINO is not installed", allow_module_level=True)

from fractions import Fraction

from onnx import helper, numpy_helper
from onnx.external_data_helper import set_external_data

from understudy.contracts.errors import PackError
from understudy.contracts.jobs import RoleRequest, UpscaleParams
from understudy.contracts.model import Call, Region
from understudy.contracts.plate import FloatImage, blank_plate
from understudy.packs import Pack, open_pack, write_hashes
from understudy.roles.engine import LocalEngine
from understudy.runtimes import load_model, openvino
from unit.runtimes.onnx_models import Axis, blur, double, model, onnx_pack, value

_RNG = np.random.default_rng(11)
_RADIUS = (("radius = 0", "radius = 1"),)


def _image(height: int, width: int, channels: int = 3) -> FloatImage:
    return _RNG.standard_normal((height, width, channels)).astype(np.float32) * 10


def _run(pack: Pack, image: FloatImage, device: str, *, draft: bool = False) -> FloatImage:
    call = Call(region=Region(0, 0, 0, 0, image.shape[1], image.shape[0]), draft=draft)
    loaded = load_model(pack, device=device)
    assert loaded.device == device
    return loaded.model.run({"image": image}, call)["image"]


def _network(folder: Path, height: Axis = "h", width: Axis = "w") -> Pack:
    """Four convolutions of 16 channels with ReLU: enough for the order of sums to show."""
    nodes, weights, last, before = [], [], "x", 3
    for layer, channels in enumerate((16, 16, 16, 3)):
        kernel = (_RNG.standard_normal((channels, before, 3, 3)) * 0.15).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"w{layer}"))
        nodes.append(helper.make_node("Conv", [last, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1]))
        last, before = f"c{layer}", channels
        if channels != 3:
            nodes.append(helper.make_node("Relu", [last], [f"r{layer}"]))
            last = f"r{layer}"
    graph = model(nodes, [value("x", (1, 3, height, width))], [value(last, (1, 3, height, width))], weights)
    return onnx_pack(folder, graph, (("radius = 0", "radius = 4"),))


@pytest.mark.parametrize(("height", "width"), [("h", "w"), (32, 48)], ids=["free", "fixed"])
def test_close_to_onnxruntime_and_the_same_each_time(tmp_path: Path, height: Axis, width: Axis) -> None:
    pack, image = _network(tmp_path / "mine", height, width), _image(61, 83)
    ours = [_run(pack, image, "openvino").tobytes() for _ in range(3)]
    assert len(set(ours)) == 1
    theirs = _run(pack, image, "cpu")
    difference = np.abs(np.frombuffer(ours[0], np.float32).reshape(theirs.shape) - theirs).max()
    assert difference <= 2e-6 * np.abs(theirs).max()


def test_exact_where_there_is_nothing_to_round(tmp_path: Path) -> None:
    pack, image = onnx_pack(tmp_path / "mine", double()), _image(7, 5)
    assert np.array_equal(_run(pack, image, "openvino"), image * 2)
    many = onnx_pack(tmp_path / "gray", double(1), (("[contract]", "[contract]\nchannels = 1"),))
    assert np.array_equal(_run(many, image, "openvino"), image * 2)
    huge = np.array([[[1e30, -1e30, 65504.0], [1e-30, 70000.0, -0.0]]], np.float32)
    assert np.array_equal(_run(pack, huge, "openvino"), huge * 2)


def test_float32_is_forced_but_for_drafts(tmp_path: Path) -> None:
    pack, image = _network(tmp_path / "mine"), _image(40, 40)
    loaded = load_model(pack, device="openvino")
    session = loaded.model._model._graph.__self__  # type: ignore[attr-defined]
    assert session._exact.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert loaded.draft_note == f"OpenVINO computed this draft in {session.draft_precision}"
    asked: list[str] = []
    compiled = session._compiled

    def compile_as(precision: str) -> object:
        asked.append(precision)
        return compiled("f32")

    session._compiled = compile_as
    session.draft_precision = "bf16"
    call = Call(region=Region(0, 0, 0, 0, 40, 40))
    exact = loaded.model.run({"image": image}, call)["image"]
    assert asked == []
    for _ in range(2):
        loaded.model.run({"image": image}, Call(region=call.region, draft=True))
    assert asked == ["bf16"]
    assert np.array_equal(loaded.model.run({"image": image}, call)["image"], exact)


def test_reports_say_what_ran(tmp_path: Path) -> None:
    pack = onnx_pack(tmp_path / "mine", blur(), _RADIUS)
    engine = LocalEngine(device="openvino", extra_packs=(pack.folder,))
    plate = blank_plate(_image(20, 20), ("R", "G", "B"), colorspace="ACEScg")
    try:
        for draft in (False, True):
            params = UpscaleParams(scale=Fraction(1), draft=draft)
            report = engine.run(RoleRequest(pack=pack.pin, params=params, plates={"plate": plate})).report
            assert report["device"] == "openvino"
            assert ("OpenVINO computed this draft in" in str(report.get("note"))) == draft
        (state,) = [state for state in engine.states() if state.pin == pack.pin]
        assert (state.state, state.device) == ("ready", "openvino")
    finally:
        engine.close()


def test_the_model_as_itself(tmp_path: Path) -> None:
    tensors = load_model(onnx_pack(tmp_path / "mine", double()), device="openvino").tensors
    assert tensors.signature().platform == "openvino"
    image, out = _image(6, 8), np.empty((6, 8, 3), np.float32)
    tensors.run_tensors({"image": image}, {"image": out}, Call())
    assert np.array_equal(out, image * 2)


def test_it_sees_no_file_that_was_not_looked_into(tmp_path: Path) -> None:
    custom = helper.make_node("Evil", ["x"], ["y"], domain="my.ops")
    x, y = (value(name, (1, 3, "h", "w")) for name in "xy")
    with pytest.raises(PackError, match="custom operators"):
        load_model(onnx_pack(tmp_path / "a", model([custom], [x], [y], domains=("", "my.ops"))), device="openvino")
    graph = double()
    tensor = graph.graph.initializer[0]
    data = tensor.raw_data
    set_external_data(tensor, "w.data", offset=0, length=4)
    tensor.ClearField("raw_data")
    folder = onnx_pack(tmp_path / "b", graph).folder
    (folder / "w.data").write_bytes(data)
    text = (folder / "pack.toml").read_text().replace("[contract]", '[[weights]]\nfile = "w.data"\n\n[contract]')
    (folder / "pack.toml").write_text(text)
    write_hashes(folder)
    with pytest.raises(PackError, match="OpenVINO is given models of one file only; save the model as one file"):
        load_model(open_pack(folder), device="openvino")


def test_an_operator_it_does_not_have(tmp_path: Path) -> None:
    x, y = (value(name, (1, 3, "h", "w")) for name in "xy")
    pack = onnx_pack(tmp_path / "mine", model([helper.make_node("NoSuchThing", ["x"], ["y"])], [x], [y]))
    with pytest.raises(PackError, match=r"model\.onnx: OpenVINO can't load it: .*NoSuchThing"):
        load_model(pack, device="openvino")


def test_without_openvino(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = onnx_pack(tmp_path / "mine", double())
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(PackError, match=r"pip install 'understudy\[openvino\]', or choose the device cpu"):
        load_model(pack, device="openvino")


def test_python_packs_run_as_ever() -> None:
    pack = open_pack(Path(__file__).parents[3] / "models" / "lanczos")
    loaded = load_model(pack, device="openvino")
    assert (loaded.device, loaded.note) == ("cpu", "")


def test_telemetry_is_never_loaded() -> None:
    """A fresh process in which any connection fails the test; the package that would send is not imported at all."""
    code = """
import socket, sys
def refuse(*_, **__):
    raise SystemExit("a connection")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from understudy.runtimes.openvino import import_openvino
assert import_openvino().Core().available_devices
assert sys.modules["openvino_telemetry"] is None
assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_version_is_told() -> None:
    assert openvino.openvino_version()
