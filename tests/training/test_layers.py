# SPDX-License-Identifier: Apache-2.0
"""Layered scenes: their motion is exact, at any time, and a seed draws the same again."""

import pytest

torch = pytest.importorskip("torch")

from understudy_training.generators import paths  # noqa: E402 - torch may be missing
from understudy_training.generators.layers import CLEAN, Layers, Look, draw_layers  # noqa: E402 - torch may be missing
from understudy_training.generators.shapes import draw_shapes  # noqa: E402
from understudy_training.generators.swatches import Swatches, swatches  # noqa: E402

torch.set_num_threads(1)  # pictures this small are not worth a second
HEIGHT, WIDTH = 64, 96


@pytest.fixture(scope="module")
def stock():
    """Smooth pictures: what warping leaves of them is motion's fault, not the filter's."""
    rng = torch.Generator().manual_seed(2)
    coarse = torch.rand((8, 3, 20, 20), generator=rng)
    pictures = torch.nn.functional.interpolate(coarse, size=(96, 96), mode="bicubic").clamp(0, 1)
    return Swatches((pictures * 255).to(torch.uint8), draw_shapes(rng, 12, 64).half())


def drawn(stock, seed=3, *, count=3, times=(0.0, 1.0), motion=(3.0, 10.0), look=CLEAN) -> Layers:
    rng = torch.Generator().manual_seed(seed)
    return draw_layers(rng, count, HEIGHT, WIDTH, "cpu", times, motion=motion, look=look, stock=stock)


def landing(flow):
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    x, y = x + flow[:, 0], y + flow[:, 1]
    return torch.stack([x / (WIDTH - 1) * 2 - 1, y / (HEIGHT - 1) * 2 - 1], dim=-1)


def at_landing(image, flow):
    mode = {"mode": "bicubic", "padding_mode": "border", "align_corners": True}
    return torch.nn.functional.grid_sample(image, landing(flow), **mode)


@pytest.mark.parametrize(("i", "j"), [(0, 2), (2, 0), (1, 0), (1, 2)])
def test_a_frame_warped_by_the_motion_is_the_other_where_both_show_it(stock, i, j):
    scenes = drawn(stock, times=(0.0, 0.4, 1.0))
    flow, seen = scenes.flow(i, j), scenes.visible(i, j)
    error = (at_landing(scenes.frames[:, j], flow) - scenes.frames[:, i]).abs().mean(dim=1, keepdim=True)
    still = (scenes.frames[:, j] - scenes.frames[:, i]).abs().mean(dim=1, keepdim=True)
    # What is left lies on edges, where layers mix, and on thin shapes.
    assert float(error[seen].quantile(0.75)) < 0.02
    assert float(error[seen].mean()) < 0.4 * float(still[seen].mean())
    assert float(error[~seen].mean()) > 2 * float(error[seen].mean())


def test_the_way_there_and_back_ends_where_it_began(stock):
    scenes = drawn(stock)
    forward, backward, seen = scenes.flow(0, 1), scenes.flow(1, 0), scenes.visible(0, 1)[:, 0]
    gap = (forward + at_landing(backward, forward)).norm(dim=1)
    assert float(gap[seen].median()) < 5e-3


def test_motion_to_a_time_is_that_to_the_frame_of_that_time(stock):
    scenes = drawn(stock, times=(0.0, 0.5, 1.0))
    torch.testing.assert_close(scenes.flow(0, 1), scenes.flow_at(0, 0.5))
    assert float(scenes.flow_at(1, 0.5).abs().max()) < 5e-3
    # Half the shift is not half-way on: paths bow.
    assert float((scenes.flow_at(0, 0.5) * 2 - scenes.flow(0, 2)).abs().max()) > 0.1


def test_shifts_spread_as_far_as_asked(stock):
    means = [float(drawn(stock, count=10, motion=(s, s)).flow(0, 1).norm(dim=1).mean()) for s in (2.0, 20.0)]
    assert 1 < means[0] < 4
    assert 10 < means[1] < 30


def test_a_seed_draws_the_same_again(stock):
    one, other, third = drawn(stock, 5, look=Look()), drawn(stock, 5, look=Look()), drawn(stock, 6, look=Look())
    assert torch.equal(one.frames, other.frames)
    assert torch.equal(one.flow(0, 1), other.flow(0, 1))
    assert not torch.equal(one.frames, third.frames)


def test_frames_are_pictures_and_blur_keeps_the_first_scenes_alone(stock):
    blurred = drawn(stock, 8, count=2, motion=(15.0, 15.0), look=Look(blur=0.5, noise=0, exposure=0, veil=0, soft=0))
    sharp = drawn(stock, 8, count=2, motion=(15.0, 15.0), look=Look(blur=0, noise=0, exposure=0, veil=0, soft=0))
    assert blurred.frames.shape == (2, 2, 3, HEIGHT, WIDTH)
    assert 0 <= float(blurred.frames.min()) < float(blurred.frames.max()) <= 1
    change = (blurred.frames - sharp.frames).abs().amax(dim=(1, 2, 3, 4))
    assert (change[:1] > 0.02).all()
    assert (change[1:] == 0).all()


def test_the_common_stock_holds_different_pictures():
    common = swatches("cpu", 4, 32, 3)
    assert common.pictures.shape == (4, 3, 32, 32)
    assert common.pictures.flatten(1).float().std(dim=0).mean() > 10


def test_every_shape_has_an_inside_and_ends_before_the_rim():
    shapes = draw_shapes(torch.Generator().manual_seed(1), 30, 64)
    assert ((shapes > 0).flatten(1).any(dim=1)).all()
    assert float(shapes.abs().max()) <= 0.25
    rim = torch.cat([shapes[:, 0], shapes[:, -1], shapes[:, :, 0], shapes[:, :, -1]], dim=1)
    assert float(rim.max()) < 0


def test_a_layer_moves_with_all_that_carry_it():
    own = torch.eye(3).repeat(1, 6, 1, 1)
    own[0, :, 0, 2] = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    carried = paths._carried(own, torch.tensor([[-1, 0, 1, 2, 3, 0]]))
    assert carried[0, :, 0, 2].tolist() == [1, 3, 7, 15, 31, 33]
