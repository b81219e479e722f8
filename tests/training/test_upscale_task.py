# SPDX-License-Identifier: Apache-2.0
"""The upscale task: its pictures, its reduction, what its networks commute with, its degradations."""

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from understudy_training.generators.degrade import compressed
from understudy_training.generators.dice import Dice
from understudy_training.generators.held_out import draw_held_out
from understudy_training.generators.leaves import Leaves, draw_leaves
from understudy_training.generators.resize import reduced
from understudy_training.generators.textures import draw_textures
from understudy_training.networks.upscale import Shape, UpscaleNet
from understudy_training.networks.upscale_graph import UpscaleGraph, display, linear
from understudy_training.tasks.upscale import UpscaleTask, bicubic

pytestmark = pytest.mark.torch

SMALL = {"width": 8, "layers": 2, "batch": 2, "size": 48, "layers_of_leaves": 4}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Many small operations: threads that wait for each other only slow them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def seeded(number: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def awake(net: torch.nn.Module) -> torch.nn.Module:
    """A network whose every weight does something, as after training."""
    rng = seeded(3)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng) * 0.05)
    return net.eval()


@pytest.mark.parametrize("draw", [draw_textures, draw_leaves, draw_held_out])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_come_from_the_seed_alone(draw: Callable[..., torch.Tensor], channels: int) -> None:
    once, again, other = (draw(seeded(seed), 5, 40, 56, channels) for seed in (1, 1, 2))
    assert once.shape == (5, channels, 40, 56)
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert float(once.min()) >= 0
    assert float(once.max()) <= 1
    assert float(once.std()) > 0.05


def test_chunks_of_layers_only_change_the_order_of_draws() -> None:
    pictures = [draw_leaves(seeded(), 6, 64, 64, leaves=Leaves(chunk=chunk)) for chunk in (1, 28)]
    means = [float(picture.mean()) for picture in pictures]
    assert abs(means[0] - means[1]) < 0.15


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_reduction_is_that_of_the_benchmarks(factor: int) -> None:
    """Against a matrix of Keys' weights, written out as imresize documents it."""
    size = 8 * factor
    matrix = np.zeros((8, size))
    for row in range(8):
        center = (row + 0.5) * factor - 0.5
        for tap in range(int(center) - 3 * factor, int(center) + 3 * factor + 2):
            x = abs(tap - center) / factor
            near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
            weight = near if x <= 1 else far if x < 2 else 0.0
            mirrored = -1 - tap if tap < 0 else 2 * size - 1 - tap if tap >= size else tap
            matrix[row, mirrored] += weight
    matrix /= matrix.sum(1, keepdims=True)
    picture = torch.rand(1, 1, size, size, generator=seeded())
    expected = matrix @ picture[0, 0].numpy() @ matrix.T
    np.testing.assert_allclose(reduced(picture, factor)[0, 0].numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_bicubic_keeps_ramps(factor: int) -> None:
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    large = bicubic(ramp, factor)[0, 0, 8 * factor, 3 * factor : -3 * factor]
    places = (torch.arange(16 * factor) + 0.5) / factor - 0.5
    torch.testing.assert_close(large, places[3 * factor : -3 * factor])


@pytest.mark.parametrize(("factor", "block"), [(2, 0), (3, 0), (4, 2)])
def test_networks_commute_with_gain_and_offset_and_fold_exactly(factor: int, block: int) -> None:
    net = awake(UpscaleNet(Shape(factor, 8, 4, block)))
    x = torch.rand(2, 1, 12, 15, generator=seeded())
    with torch.no_grad():
        large = net(x)
        torch.testing.assert_close(net(3 * x - 5), 3 * large - 5, atol=2e-4, rtol=1e-4)
        torch.testing.assert_close(net.plain()(x), large, atol=1e-5, rtol=1e-5)
        assert float((large - bicubic(x, factor)).abs().max()) > 0.01


def test_a_graph_commutes_with_exposure() -> None:
    graph = UpscaleGraph(awake(UpscaleNet(Shape(2, 8, 2))).plain())
    x = torch.rand(1, 1, 12, 15, generator=seeded()) + 0.05
    with torch.no_grad():
        for gain in (2.0, 1000.0):
            torch.testing.assert_close(graph(gain * x), gain * graph(x), atol=1e-5 * gain, rtol=1e-3)


def test_the_curve_is_srgb_and_has_an_inverse() -> None:
    light = torch.linspace(-3, 50, 4001)
    torch.testing.assert_close(linear(display(light)), light, atol=1e-5, rtol=1e-5)
    known = torch.tensor([0.0, 0.0031308, 0.5, 1.0])
    torch.testing.assert_close(display(known), torch.tensor([0, 0.04045, 0.73536, 1]), atol=1e-4, rtol=0)


def test_a_fresh_network_is_the_bicubic() -> None:
    x = torch.rand(1, 1, 9, 9, generator=seeded())
    torch.testing.assert_close(UpscaleNet(Shape(2, 8, 2))(x), bicubic(x, 2))


def test_compression_is_that_of_jpeg() -> None:
    """As far from the picture as OpenCV's JPEG of the same quality, and like it."""
    cv2 = pytest.importorskip("cv2")
    picture = draw_leaves(seeded(), 1, 64, 64, 3)
    ours = compressed(Dice(seeded(), CPU), picture, 60, 60)[0].permute(1, 2, 0).numpy()
    pixels = (picture[0].permute(1, 2, 0).numpy()[..., ::-1] * 255).round().astype(np.uint8)
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])
    assert done
    theirs = cv2.imdecode(np.frombuffer(io.BytesIO(data.tobytes()).read(), np.uint8), 1)[..., ::-1] / 255
    sharp = picture[0].permute(1, 2, 0).numpy()
    loss, other_loss = (float(np.square(x - sharp).mean()) for x in (ours, theirs))
    assert 0.5 < loss / other_loss < 2
    assert float(np.square(ours - theirs).mean()) < 0.6 * other_loss


@pytest.mark.parametrize("source", ["clean", "degraded"])
def test_a_step_learns_on_every_factor(source: str) -> None:
    size = 64 if source == "degraded" else 48
    factors = [2, 4] if source == "degraded" else [2, 3, 4]
    task = UpscaleTask({**SMALL, "source": source, "size": size, "factors": factors})
    torch.manual_seed(1)
    network = task.network()
    batch, again = (task.batch(seeded(), CPU) for _ in range(2))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert {name: batch["sharp"].shape[-1] // batch[name].shape[-1] for name in network} == {
        f"x{factor}": factor for factor in factors
    }
    for progress in (0.1, 0.9):
        loss, terms = task.loss(network, batch, progress)
        loss.backward()
        assert set(terms) == set(network)
        assert all(float(net.tail.direct.grad.abs().sum()) > 0 for net in network.values())
    exports = task.exports(task.deploy(network))
    assert [export.file for export in exports] == [f"x{factor}.onnx" for factor in factors]
    for export in exports:
        (image,) = export.inputs.values()
        assert export.module(image).shape[-1] == image.shape[-1] * int(export.file[1])
