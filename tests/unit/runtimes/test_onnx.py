# SPDX-License-Identifier: Apache-2.0
from fractions import Fraction
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from understudy.contracts.errors import DeviceUnavailableError, PackError
from understudy.contracts.model import Call, Region, Tensors
from understudy.contracts.plate import FloatImage
from understudy.packs import Pack, open_pack, write_hashes
from understudy.runtimes import load_model, onnx_providers, providers
from understudy.runtimes.onnx_file import onnx_facts
from unit.runtimes.onnx_models import blur, double, model, onnx_pack, value

_MOTION = (('role = "upscale"', 'role = "motion"'), ("scales = [1]\n", ""))
_RNG = np.random.default_rng(3)


def _image(height: int, width: int, channels: int = 3) -> FloatImage:
    return _RNG.standard_normal((height, width, channels)).astype(np.float32) * 10


def _run(pack: Pack, image: FloatImage, call: Call | None = None) -> FloatImage:
    region = Region(0, 0, 0, 0, image.shape[1], image.shape[0])
    return load_model(pack, device="cpu").model.run({"image": image}, call or Call(region=region))["image"]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (33, 64)])
def test_any_size_through_free_axes(tmp_path: Path, height: int, width: int) -> None:
    image = _image(height, width)
    assert np.array_equal(_run(onnx_pack(tmp_path / "mine", double()), image), image * 2)


@pytest.mark.parametrize(("channels", "given"), [(1, 1), (1, 3), ("c", 1), ("c", 4)])
def test_channels(tmp_path: Path, channels: int | str, given: int) -> None:
    said = "0" if isinstance(channels, str) else str(channels)
    pack = onnx_pack(tmp_path / "mine", double(channels), (("[contract]", f"[contract]\nchannels = {said}"),))
    image = _image(6, 9, given)
    assert np.array_equal(_run(pack, image), image * 2)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (5, 3), (40, 61), (17, 14)])
def test_a_fixed_size_is_tiled_without_a_seam(tmp_path: Path, height: int, width: int) -> None:
    radius = (("radius = 0", "radius = 1"),)
    image = _image(height, width)
    fixed = _run(onnx_pack(tmp_path / "fixed", blur(16, 16), radius), image)
    around = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    free = _run(onnx_pack(tmp_path / "free", blur(), radius), around)[1:-1, 1:-1]
    assert fixed.shape == image.shape
    np.testing.assert_allclose(fixed, free, atol=1e-5)


def test_the_region_is_cut_out_of_the_upscaled_picture() -> None:
    pack = open_pack(Path(__file__).parents[3] / "models" / "identity-onnx-upscale")
    image = _image(9, 11)
    call = Call(scale=Fraction(3), region=Region(in_x=10, in_y=-4, x=31, y=-11, width=20, height=14))
    whole = image.repeat(3, axis=0).repeat(3, axis=1)
    assert np.array_equal(_run(pack, image, call), whole[1:15, 1:21])


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    pack = onnx_pack(tmp_path / "mine", blur(), (("radius = 0", "radius = 1"),))
    image = _image(64, 80)
    assert len({_run(pack, image).tobytes() for _ in range(3)}) == 1


def test_motion_without_backward_runs_twice(tmp_path: Path) -> None:
    shape = (1, 3, "h", "w")
    nodes = [
        helper.make_node("Sub", ["b", "a"], ["d"]),
        helper.make_node("Slice", ["d", "zero", "two", "one"], ["forward"]),
    ]
    numbers = [
        numpy_helper.from_array(np.array([n], np.int64), name) for n, name in ((0, "zero"), (2, "two"), (1, "one"))
    ]
    graph = model(nodes, [value("a", shape), value("b", shape)], [value("forward", (1, 2, "h", "w"))], numbers)
    a, b = _image(6, 5), _image(6, 5)
    out: Tensors = load_model(onnx_pack(tmp_path / "mine", graph, _MOTION)).model.run({"a": a, "b": b}, Call())
    assert np.array_equal(out["forward"], (b - a)[..., :2])
    assert np.array_equal(out["backward"], (a - b)[..., :2])


def test_options_reach_the_graph(tmp_path: Path) -> None:
    shape = (1, 3, "h", "w")
    inputs = [value("image", shape), value("strength", (1,)), value("mode", (), TensorProto.INT64)]
    nodes = [
        helper.make_node("Cast", ["mode"], ["m"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["image", "strength"], ["x"]),
        helper.make_node("Add", ["x", "m"], ["image_out"]),
    ]
    pack = onnx_pack(tmp_path / "mine", model(nodes, inputs, [value("image_out", shape)]))
    image = _image(4, 4)
    call = Call(region=Region(0, 0, 0, 0, 4, 4), options={"strength": 0.5, "mode": "sharp"})
    assert np.array_equal(_run(pack, image, call), image * np.float32(0.5) + 1)


_SHAPE = (1, 3, "h", "w")


def _identity(inputs: list[str], outputs: list[str], kind: int = TensorProto.FLOAT) -> object:
    nodes = [helper.make_node("Identity", [inputs[0]], [name]) for name in outputs]
    return model(nodes, [value(n, _SHAPE, kind) for n in inputs], [value(n, _SHAPE, kind) for n in outputs])


@pytest.mark.parametrize(
    ("graph", "edit", "message"),
    [
        pytest.param(double(4), (), "takes 4 channels, the manifest says 3; export it for 1 or 3", id="4 channels"),
        pytest.param(
            double(1), (), "takes 1 channels, the manifest says 3; write contract.channels = 1", id="1 channel"
        ),
        pytest.param(double("c"), (), "any number of channels, the manifest says 3", id="free channels"),
        pytest.param(
            double(), (("scales = [1]\n", ""),), "one scale factor, and the manifest does not name", id="scale"
        ),
        pytest.param(
            blur(8, 8), (("radius = 0", "radius = 4"),), "takes 8x8 only, which a radius of 4", id="too small"
        ),
        pytest.param(blur(8, 8), (("radius = 0", "radius = -1"),), "takes 8x8 only, which a radius of -1", id="global"),
        pytest.param(_identity(["a", "c"], ["forward"]), _MOTION, "its inputs are a, c; name them a, b", id="inputs"),
        pytest.param(_identity(["a", "b"], ["flow"]), _MOTION, "its outputs are flow; name them forward", id="outputs"),
        pytest.param(_identity(["x"], ["y"], TensorProto.DOUBLE), (), 'input "x" is tensor(double)', id="double"),
    ],
)
def test_graphs_that_are_not_what_the_manifest_says(
    tmp_path: Path, graph: object, edit: tuple[tuple[str, str], ...], message: str
) -> None:
    pack = onnx_pack(tmp_path / "mine", graph, edit)  # type: ignore[arg-type]
    with pytest.raises(PackError) as caught:
        load_model(pack)
    assert message in str(caught.value)
    assert "model.onnx" in str(caught.value)


def test_a_wrong_scale_is_refused_when_it_shows(tmp_path: Path) -> None:
    pack = onnx_pack(tmp_path / "mine", double(), (("scales = [1]", "scales = [2]"),))
    call = Call(scale=Fraction(2), region=Region(0, 0, 0, 0, 10, 8))
    with pytest.raises(
        PackError, match=r'output "image" has the shape \(1, 3, 4, 5\); it must be \(1, channels, 8, 10\)'
    ):
        _run(pack, _image(4, 5), call)


def test_custom_operators_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("Evil", ["x"], ["y"], domain="my.ops")
    graph = model([node], [value("x", _SHAPE)], [value("y", _SHAPE)], domains=("", "my.ops"))
    with pytest.raises(PackError, match=r'custom operators of the domain "my\.ops"'):
        load_model(onnx_pack(tmp_path / "mine", graph))


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("weights.bin", 'reads the undeclared file "weights.bin"; list it under'),
        ("*/_ORT_MEM_ADDR_/*", "reads the undeclared file"),  # ONNX Runtime takes the offset for an address in memory
        ("../../secret.bin", 'reads the file "../../secret.bin" outside its pack'),
        ("a/../../b.bin", "outside its pack"),
        ("/etc/hostname", "outside its pack"),
        ("..\\secret.bin", "outside its pack"),
        ("", "outside its pack"),
    ],
)
def test_undeclared_outside_data_is_refused(tmp_path: Path, location: str, message: str) -> None:
    graph = double()
    tensor = graph.graph.initializer[0]
    set_external_data(tensor, location)
    tensor.ClearField("raw_data")
    with pytest.raises(PackError) as caught:
        load_model(onnx_pack(tmp_path / "mine", graph))
    assert message in str(caught.value)


def test_declared_outside_data_is_read(tmp_path: Path) -> None:
    graph = double()
    tensor = graph.graph.initializer[0]
    data = tensor.raw_data
    set_external_data(tensor, "weights.bin", offset=0, length=len(data))
    tensor.ClearField("raw_data")
    (tmp_path / "mine").mkdir()
    made = onnx_pack(tmp_path / "other", graph)
    folder = made.folder
    (folder / "weights.bin").write_bytes(data)
    text = (folder / "pack.toml").read_text().replace("[contract]", '[[weights]]\nfile = "weights.bin"\n\n[contract]')
    (folder / "pack.toml").write_text(text)
    write_hashes(folder)
    image = _image(3, 4)
    model = load_model(open_pack(folder), device="cpu").model
    (folder / "weights.bin").write_bytes(b"")  # a loaded model holds no file that could change under it
    call = Call(region=Region(0, 0, 0, 0, 4, 3))
    assert np.array_equal(model.run({"image": image}, call)["image"], image * 2)


@pytest.mark.parametrize("data", [b"", b"hello, not a model", b"\xff" * 64, double().SerializeToString()[:-9]])
def test_files_that_are_no_models_are_refused(data: bytes) -> None:
    with pytest.raises(PackError, match="ONNX file"):
        onnx_facts(data, where="x.onnx")


def test_cuda_asked_for_by_name_is_never_replaced(tmp_path: Path) -> None:
    if providers.CUDA in onnx_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    pack = onnx_pack(tmp_path / "mine", double())
    for device in ("cuda", "cuda:1"):
        with pytest.raises(
            DeviceUnavailableError, match=r"built without CUDA; pip uninstall onnxruntime and pip install"
        ):
            load_model(pack, device=device)
    assert load_model(pack, device="cpu").note == ""


@pytest.mark.parametrize("gpu", ["", "NVIDIA L4 (8.9)"])
def test_a_gpu_that_stands_idle_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: str) -> None:
    if providers.CUDA in onnx_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    monkeypatch.setattr(providers, "gpu_name", lambda _index: gpu)
    loaded = load_model(onnx_pack(tmp_path / "mine", double()), device="auto")
    assert (loaded.device, loaded.providers) == ("cpu", (providers.CPU,))
    assert ("runs on the CPU" in loaded.note) == bool(gpu)


def test_a_session_that_fell_back_is_found_out() -> None:
    settle = providers.settled_device
    assert settle("cuda:1", (providers.CUDA, providers.CPU), has_cuda=True) == ("cuda:1", "")
    assert settle("auto", (providers.CUDA, providers.CPU), has_cuda=True) == ("cuda:0", "")
    device, note = settle("auto", (providers.CPU,), has_cuda=True)
    assert device == "cpu"
    assert "did not load" in note
    with pytest.raises(DeviceUnavailableError, match="did not load"):
        settle("cuda", (providers.CPU,), has_cuda=True)


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        pytest.param((), r"ONNX Runtime is not installed; pip install 'understudy\[cpu\]'", id="none"),
        pytest.param(("onnxruntime", "onnxruntime-gpu"), "are both installed and overwrite each other", id="both"),
    ],
)
def test_the_wrong_number_of_runtimes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], message: str
) -> None:
    def version(name: str) -> str:
        if name in installed:
            return "1.0"
        raise metadata.PackageNotFoundError(name)

    pack = onnx_pack(tmp_path / "mine", double())
    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(PackError, match=message):
        load_model(pack)
    assert onnx_providers() == ()
