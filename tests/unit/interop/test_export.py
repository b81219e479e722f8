# SPDX-License-Identifier: Apache-2.0
"""What is written for Flame and Nuke equals the engine, and follows the rules of both."""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from understudy.contracts.errors import OutputError, PackError, UnderstudyError, UsageError
from understudy.interop.adopt import adopt
from understudy.interop.export import Exported, export_pack
from understudy.interop.flame_json import read_flame
from understudy.packs import Pack, open_pack, write_hashes
from unit.interop import models
from unit.packs.pack_folders import make_pack
from unit.runtimes.onnx_models import model, network, value

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

_MODELS = Path(__file__).resolve().parents[3] / "models"


def _pack(tmp_path: Path, graph: onnx.ModelProto, name: str = "net") -> Pack:
    folder = tmp_path / f"pack-{name}"
    folder.mkdir()
    adopt(models.write(tmp_path / f"{name}.onnx", graph), folder)
    return open_pack(folder)


def _loaded(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.load(io.BytesIO(path.read_bytes()))


def _both(pack: Pack, tmp_path: Path, **given: Any) -> tuple[Exported, Exported]:
    return (
        export_pack(pack, "flame", tmp_path / "out" / "flame", **given),
        export_pack(pack, "torchscript", tmp_path / "out" / "nuke", **given),
    )


@pytest.mark.parametrize("scale", [1, 3])
def test_the_shipped_graph_equals_the_engine_through_color_and_carry(tmp_path: Path, scale: int) -> None:
    flame, nuke = _both(open_pack(_MODELS / "identity-onnx-upscale"), tmp_path, scale=scale)
    assert flame.scale == nuke.scale == scale
    assert flame.difference < 2e-6
    assert nuke.difference < 2e-6
    assert nuke.half_difference is not None
    assert nuke.half_difference < 2e-3


@pytest.mark.parametrize(
    "graph",
    [network(), models.doubler(1), models.doubler(padded=4)],
    ids=["network", "one-channel", "padded"],
)
def test_networks_equal_the_engine(tmp_path: Path, graph: onnx.ModelProto) -> None:
    flame, nuke = _both(_pack(tmp_path, graph), tmp_path)
    assert max(flame.difference, nuke.difference) < 1e-5


def _plate_network() -> onnx.ModelProto:
    """One channel of linear light: a curve, convolutions with slopes, and the way back, as learned packs have."""
    weights = [
        models.const("gamma", 1 / 2.4), models.const("back", 2.4), models.const("low", 0.0031308),
        models.const("slope", np.full((4, 1, 1), 0.2)), models.const("toe", 12.92), models.const("top", 1e9),
        models.const("w0", np.random.default_rng(2).normal(0, 0.2, (4, 1, 3, 3))),
        models.const("w1", np.random.default_rng(3).normal(0, 0.2, (4, 4, 3, 3))),
        models.const("pads", [0, 0, 2, 2, 0, 0, 2, 2], np.int64), models.const("one", [1, 1], np.int64),
        models.const("minus", [-1, -1], np.int64), models.const("axes", [2, 3], np.int64),
    ]  # fmt: skip
    nodes = [
        helper.make_node("Abs", ["image"], ["size"]),
        helper.make_node("Clip", ["size", "low"], ["raised"]),
        helper.make_node("Pow", ["raised", "gamma"], ["curved"]),
        helper.make_node("Sign", ["image"], ["sign"]),
        helper.make_node("Mul", ["sign", "curved"], ["signed"]),
        helper.make_node("Mul", ["image", "toe"], ["line"]),
        helper.make_node("LessOrEqual", ["size", "low"], ["dark"]),
        helper.make_node("Where", ["dark", "line", "signed"], ["code"]),
        helper.make_node("Pad", ["code", "pads"], ["padded"], mode="edge"),
        helper.make_node("Slice", ["padded", "one", "minus", "axes"], ["inner"]),
        helper.make_node("Conv", ["inner", "w0"], ["features"]),
        helper.make_node("PRelu", ["features", "slope"], ["bent"]),
        helper.make_node("Conv", ["bent", "w1"], ["detail"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["detail", "bent"], ["sum"]),
        helper.make_node("DepthToSpace", ["sum"], ["large"], blocksize=2, mode="CRD"),
        helper.make_node("Abs", ["large"], ["extent"]),
        helper.make_node("Pow", ["extent", "back"], ["light"]),
        helper.make_node("Sign", ["large"], ["side"]),
        helper.make_node("Mul", ["side", "light"], ["out"]),
    ]
    shapes = ("n", 1, "h", "w"), ("n", 1, "H", "W")
    graph = model(nodes, [value("image", shapes[0])], [value("out", shapes[1])], weights)
    graph.opset_import[0].version = 17
    return graph


def test_a_pack_of_plate_values_needs_no_color_around_it(tmp_path: Path) -> None:
    folder = make_pack(
        tmp_path / "plate", pin=False,
        edit=(
            ('kind = "python"', 'kind = "onnx"'), ('"adapter.py"', '"model.onnx"'), ("[1, 2]", "[2]"),
            ('encoding = "acescct"\ndomain = [0.0, 1.0]', 'encoding = "plate"\nchannels = 1'),
            ("radius = 0", "radius = 3"),
        ),
    )  # fmt: skip
    (folder / "model.onnx").write_bytes(_plate_network().SerializeToString())
    write_hashes(folder)
    flame, nuke = _both(open_pack(folder), tmp_path)
    assert max(flame.difference, nuke.difference) < 1e-5


_ADAPTER = """\
from understudy.roles.network_upscaler import NetworkUpscaler


def load(folder, graphs):
    return NetworkUpscaler(graphs, 3, folder.name)
"""


def test_networks_for_each_factor_take_light_and_ringing_along(tmp_path: Path) -> None:
    graph = _plate_network()
    graph.graph.node[-1].output[0] = graph.graph.output[0].name = "image_out"
    option = '[options.antiringing]\ntype = "choice"\ndefault = "soft"\nchoices = ["soft", "off"]\nhelp = "Holds."\n\n'
    folder = make_pack(
        tmp_path / "factors", pin=False,
        edit=(
            ("[1, 2]", "[]"), ('encoding = "acescct"\ndomain = [0.0, 1.0]', 'encoding = "plate"\nchannels = 0'),
            ("radius = 0", "radius = 6"), ("[contract]", '[runtime.graphs.x2]\nfile = "x2.onnx"\n\n[contract]'),
            ("[options.strength]", f"{option}[options.strength]"),
        ),
    )  # fmt: skip
    (folder / "x2.onnx").write_bytes(graph.SerializeToString())
    (folder / "adapter.py").write_text(_ADAPTER)
    write_hashes(folder)
    pack = open_pack(folder)
    flame, nuke = _both(pack, tmp_path, scale=2)
    assert max(flame.difference, nuke.difference) < 1e-5
    with pytest.raises(UsageError, match="no network for 3; give --scale; it has a network for 2"):
        export_pack(pack, "flame", tmp_path / "three", scale=3)


def test_torchscript_keeps_to_catfilecreators_rules(tmp_path: Path) -> None:
    done = export_pack(_pack(tmp_path, models.doubler()), "torchscript", tmp_path / "nuke" / "doubler")
    assert [file.name for file in done.files] == ["doubler.pt", "doubler.nk"]
    module = _loaded(done.files[0])
    schema = module.forward.schema
    assert [str(argument.type) for argument in schema.arguments[1:]] == ["Tensor"]
    assert [str(returned.type) for returned in schema.returns] == ["Tensor"]
    for height, width in ((16, 16), (31, 57)):
        out = module(torch.rand(1, 3, height, width))
        assert tuple(out.shape) == (1, 3, 2 * height, 2 * width)
    half = module.half()(torch.rand(1, 3, 16, 24).half())
    assert half.dtype is torch.float16
    # Highlights and negatives pass, and no constant is bound to the CPU: all tensors are buffers that move along.
    bright = _loaded(done.files[0])(torch.full((1, 3, 16, 16), 500.0))
    assert float(bright.min()) == pytest.approx(500, rel=1e-3)
    text = done.files[1].read_text()
    assert text.count("{") == text.count("}") == 2
    assert f'torchScriptFile "{done.files[0].as_posix()}"' in text
    assert " outputScale 2\n" in text


def test_flame_gets_a_sidecar_that_its_rules_accept(tmp_path: Path) -> None:
    pack = _pack(tmp_path, models.doubler(padded=4))
    done = export_pack(pack, "flame", tmp_path / "doubler.onnx")
    assert [file.name for file in done.files] == ["doubler.onnx", "doubler.json"]
    sidecar = read_flame(done.files[1])
    assert (sidecar.padding, sidecar.supports_scene_linear, sidecar.outputs[0].scaling_factor) == (4, True, 2.0)
    graph = onnx.load(str(done.files[0]))
    onnx.checker.check_model(graph)
    assert [node.name for node in graph.graph.input] == [sidecar.inputs[0].name]
    assert [node.name for node in graph.graph.output] == [sidecar.outputs[0].name]
    assert {entry.domain for entry in graph.opset_import} == {""}
    assert str(pack.pin) in sidecar.description
    # And home again: the exported file is a model like anybody's.
    (tmp_path / "back").mkdir()
    back = adopt(done.files[0], tmp_path / "back")
    assert open_pack(back.folder).manifest.contract.encoding == "scene_linear"


def test_nothing_is_overwritten_and_failures_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = _pack(tmp_path, models.doubler())
    (tmp_path / "there.json").write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        export_pack(pack, "flame", tmp_path / "there")
    assert (tmp_path / "there.json").read_text() == "mine"
    monkeypatch.setattr("understudy.interop.export._TOLERANCE", -1.0)
    with pytest.raises(UnderstudyError, match="differs from the engine"):
        export_pack(pack, "torchscript", tmp_path / "off")
    assert not list(tmp_path.glob("off*"))


def test_packs_that_can_not_be_exported_say_why(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name, said in (
        ("lanczos", "is code, and only a network can be exported"),
        ("dis-good", "plays motion"),
        ("identity-onnx-upscale", "several factors; give --scale"),
    ):
        with pytest.raises(UsageError, match=said):
            export_pack(open_pack(_MODELS / name), "flame", out)
    with pytest.raises(UsageError, match="does not scale by 9"):
        export_pack(open_pack(_MODELS / "identity-onnx-upscale"), "flame", out, scale=9)
    shape = ("n", 3, "h", "w")
    nodes = [
        helper.make_node("Hardmax", ["x"], ["hard"], axis=1),
        helper.make_node("Mul", ["hard", "zero"], ["none"]),
        helper.make_node("Add", ["none", "x"], ["y"]),
    ]
    odd = model(nodes, [value("x", shape)], [value("y", shape)], [models.const("zero", 0.0)])
    with pytest.raises(PackError, match="has the operator Hardmax"):
        export_pack(_pack(tmp_path, odd, "odd"), "flame", out)
    assert not list(tmp_path.glob("out*"))


def test_an_adopted_torchscript_pack_goes_to_flame(tmp_path: Path) -> None:
    class Sharper(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch has no types here
        def forward(self, frame: Any) -> Any:
            return frame + 0.5 * (frame - torch.nn.functional.avg_pool2d(frame, 3, 1, 1))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(Sharper(), torch.rand(1, 3, 16, 16)).save(str(tmp_path / "sharper.pt"))
    (tmp_path / "pack").mkdir()
    adopt(tmp_path / "sharper.pt", tmp_path / "pack", trust_code=True)
    flame, nuke = _both(open_pack(tmp_path / "pack"), tmp_path)
    assert max(flame.difference, nuke.difference) < 1e-4
    assert json.loads(flame.files[1].read_text())["ModelDescription"]["Outputs"][0]["ScalingFactor"] == 1.0
