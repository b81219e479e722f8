# SPDX-License-Identifier: Apache-2.0
"""The intrinsics task: it learns, its likelihood is one, and its graph takes any plate."""

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from understudy_training.networks.intrinsics import IntrinsicsNet, level_of
from understudy_training.networks.intrinsics_whole import WholePicture
from understudy_training.tasks.intrinsics import IntrinsicsTask, logistic

pytestmark = pytest.mark.torch
torch.set_num_threads(1)
TINY = {"batch": 2, "size": 32, "lightings": 1, "grid": 14, "widths": [8, 8, 8, 8, 8], "blocks": 1, "held_out": 2}


def whole(seed: int = 1, work_side: int = 64) -> WholePicture:
    torch.manual_seed(seed)
    network = IntrinsicsNet((8, 8, 8, 8, 8), 1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return WholePicture(network, (0.0, 1.0), work_side).eval()


def test_it_learns_from_one_batch() -> None:
    task = IntrinsicsTask({**TINY, "held_out_size": 32})
    torch.manual_seed(1)
    network = task.network()
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    with torch.no_grad():
        batch = task.batch(torch.Generator().manual_seed(1), torch.device("cpu"))
    losses = []
    for _ in range(25):
        loss, terms = task.loss(network, batch, 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        assert all(math.isfinite(float(term.detach())) for term in terms.values())
    assert losses[-1] < 0.8 * losses[0]
    with torch.no_grad():
        figures = task.validate(network.eval(), torch.device("cpu"))
    assert figures["score"] == -figures["mean_angle"]
    assert 0 <= figures["auroc"] <= 1


def test_trust_is_fitted_to_what_was_good() -> None:
    rng = torch.Generator().manual_seed(1)
    scores = torch.randn(40_000, generator=rng)
    good = torch.rand(40_000, generator=rng) < torch.sigmoid(-0.5 + 1.5 * scores)
    assert logistic(scores, good) == pytest.approx((-0.5, 1.5), abs=0.08)


def test_twice_the_exposure_is_the_same_picture() -> None:
    image = torch.rand(1, 3, 90, 150, generator=torch.Generator().manual_seed(1)) ** 3
    image[0, :, 10, 10] = 1000.0
    assert float(level_of(image * 64) / level_of(image)) == pytest.approx(64, rel=1e-4)
    with torch.no_grad():
        a, b = whole()(image), whole()(image * 2)
    for one, other in zip(a, b, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (64, 64), (129, 70)])
def test_answers_are_whole_for_any_plate(shape: tuple[int, int]) -> None:
    noise = torch.randn(1, 3, *shape, generator=torch.Generator().manual_seed(2)) ** 5 * 1000
    noise[0, :, 0, 0] = torch.tensor([3e38, -3e38, 65504.0])
    for image in (noise, torch.zeros_like(noise), torch.full_like(noise, -1.0)):
        with torch.no_grad():
            normal, albedo, confidence = whole()(image)
        assert normal.shape == albedo.shape == (1, 3, *shape)
        assert all(torch.isfinite(part).all() for part in (normal, albedo, confidence))
        assert torch.allclose(normal.norm(dim=1), torch.ones(()), atol=1e-4)
        assert 0 <= confidence.min() <= confidence.max() <= 1


def test_the_graph_agrees_with_torch_on_any_size(tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from understudy_training.export import _written

    task = IntrinsicsTask({**TINY, "held_out_size": 32})
    exported = _written(task.exports(whole())[0], tmp_path, 2e-3)
    session = ort.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    assert {node.name for node in session.get_outputs()} == {"normal", "albedo", "confidence"}
    for parity in exported.parity:
        for one, other in zip(session.run(None, dict(parity.inputs)), parity.outputs.values(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=exported.tolerance)
