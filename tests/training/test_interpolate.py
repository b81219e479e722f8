# SPDX-License-Identifier: Apache-2.0
"""The refinement between frames: untrained it changes nothing, and what it is trained on is what the pack gives it."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor

from understudy.color.policy import policy
from understudy.color.shaper import HybridCurve
from understudy.contracts.model import Call
from understudy_training.display_log import decode, display_to_light, encode
from understudy_training.evidence import CHANNELS, NEIGHBORS, shifted
from understudy_training.networks.interpolate import Refiner
from understudy_training.rough_motion import roughen
from understudy_training.tasks.interpolate import InterpolateTask
from understudy_training.warping import densify, fill, project, sharp_warp, warp

pytestmark = pytest.mark.torch
_MODELS = Path(__file__).resolve().parents[2] / "models"
_TINY = {
    "scenes": 1,
    "estimated": 3,
    "estimated_share": 0.0,
    "side": 48,
    "held_out": 1,
    "stock": [8, 64, 10],
    "motion": [1, 4],
    "widths": [8, 8, 8],
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """More would wait for each other on tensors as small as these."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.parent.name.replace("-", "_"), path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def waves(seed: int, channels: int, height: int = 40, width: int = 56) -> Tensor:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 9
    made = [np.sin(x * rng.normal() + y * rng.normal() + rng.normal()) for _ in range(channels)]
    return torch.from_numpy(np.stack(made)[None].astype(np.float32))


def hwc(tensor: Tensor) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(tensor[0].permute(1, 2, 0).numpy())


def test_the_encoding_is_the_role_s() -> None:
    light = torch.tensor([-0.3, 0.0, 1e-4, 0.003, 0.02, 0.18, 0.5, 1.0, 16.0, 900.0])
    curve = HybridCurve.of(policy().display_log)
    assert np.allclose(encode(light).numpy(), curve.encode(light.numpy()), atol=1e-6)
    assert torch.allclose(decode(encode(light)), light, rtol=1e-4, atol=1e-6)
    assert float(display_to_light(torch.tensor(0.5))) == pytest.approx(((0.5 + 0.055) / 1.055) ** 2.4, rel=1e-3)


@pytest.mark.parametrize("time", [0.25, 0.7])
def test_vectors_are_carried_as_the_pack_carries_them(time: float) -> None:
    a, b = waves(1, 3) * 0.2 + 0.4, waves(2, 3) * 0.2 + 0.4
    forward, backward = waves(3, 2) * 5, waves(4, 2) * 5
    course = project(a, b, forward, backward, torch.full((1, 1, 1, 1), time))
    pack = module(_MODELS / "flow-projection" / "adapter.py").load(_MODELS)
    tensors = {"a": hwc(a), "b": hwc(b), "forward": hwc(forward), "backward": hwc(backward)}
    known = pack.run(tensors, Call(time=time))
    for name, own in (("to_a", course.to_a), ("to_b", course.to_b), ("weight", course.weight)):
        difference = np.abs(hwc(own) - known[name])
        assert np.quantile(difference, 0.99) < 1e-3  # masks of single pixels may fall to the other side
        assert difference.mean() < 1e-3


def test_untrained_it_returns_the_course_bit_for_bit() -> None:
    torch.manual_seed(3)
    network = Refiner((8, 8, 8)).eval()
    made = {name: torch.rand(2, count, 32, 48) * 3 for name, count in CHANNELS.items()}
    to_a, to_b, weight, confidence = network(**made, time=torch.tensor([0.2, 0.9]))
    for name, own in (("to_a", to_a), ("to_b", to_b), ("weight", weight)):
        assert torch.equal(own, made[name])
    assert torch.equal(confidence, torch.full((2, 1, 32, 48), 0.5))
    assert [head.abs().max() for head in network.head.parameters()] == [0, 0]


def test_a_neighbor_s_vector_can_be_taken_whole() -> None:
    network = Refiner((8, 8, 8)).eval()
    with torch.no_grad():
        network.head.bias[:4] = 5.0  # the first neighbor, at each of the four pixels of a cell
    made = {name: torch.rand(1, count, 32, 48) for name, count in CHANNELS.items()}
    to_a, to_b, _, _ = network(**made, time=torch.tensor([0.5]))
    assert torch.allclose(to_a, shifted(made["to_a"], *NEIGHBORS[0]), atol=1e-6)
    assert torch.allclose(to_b[..., :-5], made["to_b"][..., 5:], atol=1e-6)


def test_where_both_frames_agree_nothing_is_corrected() -> None:
    torch.manual_seed(4)
    network = Refiner((8, 8, 8)).eval()
    torch.nn.init.normal_(network.head.weight)
    made = {name: torch.rand(1, count, 32, 48) for name, count in CHANNELS.items()}
    made["unlike"][:, 0, :, 24:] = 0
    for name, refined in zip(("to_a", "to_b", "weight"), network(**made, time=torch.tensor([0.5])), strict=False):
        assert torch.equal(refined[..., 25:], made[name][..., 25:])
        assert not torch.isclose(refined[..., :23], made[name][..., :23]).all()


def test_a_sharp_warp_keeps_whole_pixels_and_follows_a_sine() -> None:
    picture = waves(5, 3)
    still = torch.zeros(1, 2, *picture.shape[2:])
    assert torch.allclose(sharp_warp(densify(picture), still), picture, atol=1e-5)
    there = still + torch.tensor([0.3, 0.6])[None, :, None, None]
    y, x = np.mgrid[:40, :56]
    sine = lambda right, down: torch.from_numpy(np.sin((x + right) / 3 + (y + down) / 4).astype(np.float32))[None, None]  # noqa: E731 - as short as it gets
    inner = (..., slice(8, -8), slice(8, -8))
    assert (sharp_warp(densify(sine(0, 0)), there) - sine(0.3, 0.6))[inner].abs().max() < 2e-3
    assert (warp(sine(0, 0), there) - sine(0.3, 0.6))[inner].abs().max() > 1e-2


def test_gaps_are_filled_from_around_them() -> None:
    flow = torch.full((1, 2, 40, 56), 3.0)
    known = torch.ones(1, 1, 40, 56)
    known[..., 10:20, 12:30] = 0
    assert torch.allclose(fill(flow * known + 99 * (1 - known), known), flow, atol=1e-4)


def test_a_batch_is_a_function_of_its_seed_and_teaches() -> None:
    task = InterpolateTask(_TINY)
    cpu = torch.device("cpu")
    with torch.no_grad():
        first, again, other = (task.batch(torch.Generator().manual_seed(seed), cpu) for seed in (1, 1, 2))
        rough = roughen(torch.Generator().manual_seed(1), np.random.default_rng(1), first["first"], first["to_a"],
                        torch.ones_like(first["weight"]), first["to_b"], torch.ones_like(first["weight"]))  # fmt: skip
    for name, values in first.items():
        assert torch.equal(values, again[name]), name
        assert torch.isfinite(values).all(), name
    assert not torch.equal(first["truth"], other["truth"])
    assert all(torch.isfinite(flow).all() for flow in rough)
    network = task.network().train()
    loss, _ = task.loss(network, first, 0.0)
    loss.backward()
    head = network.get_submodule("head")
    assert isinstance(head, torch.nn.Conv2d)
    reached = head.weight.grad.abs().amax(dim=(1, 2, 3)).reshape(-1, 4).amax(dim=1)
    assert (reached > 0).all()
    with torch.no_grad():
        found = task.validate(network.eval(), cpu)
        extras = task.extras(network)
    assert found["score"] == pytest.approx(found["baseline_score"])
    table = json.loads(extras.files["calibration.json"])
    assert 1 <= len(table["scores"]) == len(table["chances"])
    assert extras.files["before-after.png"].startswith(b"\x89PNG")
    assert 0 <= extras.figures["expected_calibration_error"] <= 1
