# SPDX-License-Identifier: Apache-2.0
"""The fusion head: what must hold before anything is learned, and that its task draws what it says."""

import importlib.util

import numpy as np
import pytest

from understudy.share_root import share_root

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")

from understudy_training.classical_flow import SEARCHES, SMOOTHNESS, search  # noqa: E402 - torch may be missing
from understudy_training.networks.fusion import FusionHead  # noqa: E402
from understudy_training.task import load_task  # noqa: E402

torch.set_num_threads(1)


def noise(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_an_untaught_head_takes_the_mean_and_agreement_passes_through():
    head = FusionHead().eval()
    flows = noise(1, 3, 2, 16, 20) * 4
    with torch.no_grad():
        flow, doubt = head(noise(1, 1, 16, 20), noise(1, 1, 16, 20, seed=2), flows, -flows)
    assert float((flow - flows.mean(dim=1)).abs().max()) <= 0.5  # a small move is allowed
    assert doubt.shape == (1, 1, 16, 20)


def test_the_task_measures_its_candidates_and_learns_from_a_step():
    options = {"batch": 2, "height": 64, "width": 80, "pool": 1, "pictures": 4, "picture_size": 64, "shapes": 6}
    task = load_task("fusion", {**options, "workers": 1, "motion": [2.0, 2.0]})
    torch.manual_seed(1)
    head = task.network()
    batch = task.batch(torch.Generator().manual_seed(4), torch.device("cpu"))
    assert batch["flows"].shape == (2, len(SEARCHES), 2, 64, 80)
    again = task.batch(torch.Generator().manual_seed(4), torch.device("cpu"))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    # Slow motion is what classical search is good at: most of its vectors are near the truth.
    errors = (batch["flows"] - batch["flow"][:, None]).norm(dim=2)
    assert float(errors.flatten(2).median(dim=2).values.max()) < 1
    loss, _ = task.loss(head, batch, 0.0)
    loss.backward()
    assert float(head.say.weight.grad.norm()) > 0


@pytest.mark.parametrize("settings", SEARCHES)
def test_the_pack_searches_as_the_head_learned_it(settings):
    path = share_root() / "models" / "flow-fusion" / "adapter.py"
    spec = importlib.util.spec_from_file_location("flow_fusion_adapter", path)
    assert spec
    adapter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adapter)
    assert adapter.SEARCHES == SEARCHES
    a = noise(1, 1, 12, 15)
    a = torch.nn.functional.interpolate(a, size=(48, 60), mode="bicubic")[0, 0].clamp(0, 1).numpy() * 255
    b = np.roll(a, (1, 2), (0, 1))
    assert np.array_equal(adapter._search(a, b, settings, SMOOTHNESS), search(a, b, settings))
