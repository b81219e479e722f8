# SPDX-License-Identifier: Apache-2.0
"""The pack refined-projection: it sees what its network was trained on, and starts from flow projection itself."""

import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor

from understudy.contracts.model import Call, Tensors
from understudy_training import evidence
from understudy_training.evidence import CHANNELS
from understudy_training.networks.interpolate import Refiner
from understudy_training.warping import Course

pytestmark = pytest.mark.torch
_MODELS = Path(__file__).resolve().parents[2] / "models"
_NAMES = ("refined_to_a", "refined_to_b", "refined_weight", "confidence")
Image = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def pack() -> Iterator[ModuleType]:
    """The pack's modules, imported as a package from where they lie."""
    before, torch_threads = set(sys.modules), torch.get_num_threads()
    torch.set_num_threads(1)
    name = "refined_projection_pack"
    folder = _MODELS / "refined-projection"
    spec = importlib.util.spec_from_file_location(name, folder / "adapter.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    yield sys.modules[name]
    for added in set(sys.modules) - before:
        del sys.modules[added]
    torch.set_num_threads(torch_threads)


class TorchGraph:
    """The network in torch, in place of the pack's ONNX graph."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.network = network.eval()
        self.rows: list[int] = []

    def run(self, inputs: Mapping[str, Image]) -> dict[str, Image]:
        self.rows.append(inputs["a"].shape[2])
        with torch.no_grad():
            made = self.network(**{name: torch.from_numpy(tensor) for name, tensor in inputs.items()})
        return {name: tensor.numpy() for name, tensor in zip(_NAMES, made, strict=True)}


def scene(height: int, width: int) -> Tensors:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width].astype(np.float32) / 11

    def waves(count: int, size: float, middle: float) -> Image:
        parts = [np.sin(x * rng.normal() + y * rng.normal() + rng.normal()) for _ in range(count)]
        return np.stack(parts, axis=-1).astype(np.float32) * np.float32(size) + np.float32(middle)

    return {"a": waves(3, 0.2, 0.4), "b": waves(3, 0.2, 0.4), "forward": waves(2, 6, 1), "backward": waves(2, 6, -1)}


def model(pack: ModuleType, graph: TorchGraph) -> object:
    ends = np.array([0, 1], np.float32)
    return pack.RefinedProjection(graph, ends, ends)


def test_it_holds_flow_projection_as_that_pack_does() -> None:
    copy = _MODELS / "refined-projection" / "projection.py"
    assert copy.read_bytes() == (_MODELS / "flow-projection" / "adapter.py").read_bytes()


def test_it_sees_what_the_network_was_trained_on(pack: ModuleType) -> None:
    tensors = scene(75, 90)
    course = pack.projection.FlowProjection().run(tensors, Call(time=0.3))
    seen = pack.evidence.Evidence(tensors, course)
    parts = [seen.rows(0, 70), seen.rows(70, 75)]

    def nchw(image: Image) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)[None]))

    given = [nchw(tensors[name]) for name in ("a", "b", "forward", "backward")]
    known = evidence.gather(*given, Course(*(nchw(course[name]) for name in ("to_a", "to_b", "weight"))))
    assert pack.evidence.NEIGHBORS == evidence.NEIGHBORS
    assert set(known) == set(parts[0]) == set(CHANNELS)
    for name, tensor in known.items():
        own = np.concatenate([part[name] for part in parts])
        assert own.shape == (75, 90, CHANNELS[name])
        difference = np.abs(own - tensor[0].permute(1, 2, 0).numpy())
        assert difference.max() < (0.02 if name == "miss" else 1e-3), name  # OpenCV reads at 32nds of a pixel
        assert difference.mean() < 5e-3, name


def test_an_untrained_network_leaves_flow_projection_as_it_is(pack: ModuleType) -> None:
    tensors = scene(75, 90)
    known = pack.projection.FlowProjection().run(tensors, Call(time=0.6))
    made = model(pack, TorchGraph(Refiner((8, 8, 8)))).run(tensors, Call(time=0.6))  # type: ignore[attr-defined] # a pack's
    assert set(made) == {*known, "confidence"}
    for name, tensor in known.items():
        assert made[name].tobytes() == tensor.tobytes(), name
    assert (made["confidence"] == 0.5).all()


def test_bands_equal_the_whole(pack: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    network = Refiner((6, 6, 6))
    for part in network.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.normal_(part.weight, std=0.08)
    tensors, whole, banded = scene(300, 41), TorchGraph(network), TorchGraph(network)
    known = model(pack, whole).run(tensors, Call(time=0.5))  # type: ignore[attr-defined] # a pack's
    monkeypatch.setattr(pack, "_MOST_PIXELS", 1)
    made = model(pack, banded).run(tensors, Call(time=0.5))  # type: ignore[attr-defined] # a pack's
    assert whole.rows == [304]
    assert banded.rows == [144, 208, 224, 192, 128]
    assert np.abs(known["to_a"] - pack.projection.FlowProjection().run(tensors, Call(time=0.5))["to_a"]).max() > 0.1
    for name, tensor in known.items():
        assert np.abs(made[name] - tensor).max() < 1e-3, name


def test_confidence_is_read_through_the_table(pack: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text(json.dumps({"scores": [0.2, 0.5, 0.8], "chances": [0.1, 0.25, 0.9]}))
    made = pack.load(tmp_path, TorchGraph(Refiner((8, 8, 8)))).run(scene(40, 48), Call(time=0.5))
    assert np.allclose(made["confidence"], 0.25)
