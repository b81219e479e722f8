# SPDX-License-Identifier: Apache-2.0
"""The demo shot: what it promises holds on its pixels."""

from fractions import Fraction

import numpy as np
import pytest

from understudy.contracts.channels import ChannelKind, classify
from understudy.contracts.plate import Window
from understudy.demo.geometry import project, rays
from understudy.demo.light import NIGHT
from understudy.demo.shot import PASS_CHANNELS, PLATE_CHANNELS, Rendered, Shot, picture_plate, vector_plate

FRAME = 1012


@pytest.fixture(scope="module")
def shot() -> Shot:
    return Shot()


@pytest.fixture(scope="module")
def picture(shot: Shot) -> Rendered:
    return shot.render(FRAME)


def test_same_seed_gives_the_same_bytes(picture: Rendered) -> None:
    again = Shot().render(FRAME)
    for name in Rendered.__slots__:
        assert np.array_equal(getattr(again, name), getattr(picture, name)), name


def test_another_seed_gives_another_picture(picture: Rendered) -> None:
    assert not np.array_equal(Shot(seed=7).render(FRAME).color, picture.color)


def test_sun_is_exactly_500_and_nothing_is_brighter(picture: Rendered) -> None:
    half = picture.color[..., :3].astype(np.float16)
    assert float(half.max()) == 500.0
    assert int(np.all(half == 500, axis=-1).sum()) > 300


def test_some_colors_are_negative_and_all_are_finite(picture: Rendered) -> None:
    assert picture.color[..., :3].min() < -0.3
    for name in ("color", "albedo", "normal", "position", "depth", "roughness"):
        assert np.isfinite(getattr(picture, name)).all(), name


def test_alpha_has_soft_and_hard_edges(picture: Rendered) -> None:
    alpha = picture.color[..., 3]
    assert alpha.min() == 0
    assert alpha.max() <= 1 + 1e-6
    assert 100 < int(((alpha > 0.01) & (alpha < 0.99)).sum()) < alpha.size / 20


def test_light_over_no_alpha_is_the_sky_alone(shot: Shot, picture: Rendered) -> None:
    assert {shot.names[int(number)] for number in np.unique(picture.ids[picture.color[..., 3] == 0])} == {"sky"}


def test_every_element_is_seen(shot: Shot, picture: Rendered) -> None:
    assert set(np.unique(picture.ids)) == set(shot.names)


def test_normals_are_unit_or_absent(picture: Rendered) -> None:
    length = np.linalg.norm(picture.normal, axis=-1)
    assert np.all((np.abs(length - 1) < 1e-5) | (length == 0))
    assert (length == 0).sum() > 1000


def test_positions_project_onto_their_own_pixels(picture: Rendered) -> None:
    x, y = project(picture.position)
    columns, rows = np.meshgrid(np.arange(-48, 1008) + 0.5, np.arange(-48, 588) + 0.5)
    assert np.abs(x - columns).max() < 0.01
    assert np.abs(y - rows).max() < 0.01
    assert np.array_equal(picture.depth, -picture.position[..., 2])


def test_rays_and_projection_are_inverse() -> None:
    x, y = np.array([[3.5, 700.5]], np.float32), np.array([[500.5, 20.5]], np.float32)
    back = project(rays(x, y) * np.float32(7))
    assert np.allclose(back, (x, y), atol=1e-3)


def test_vectors_there_and_back_meet(shot: Shot, picture: Rendered) -> None:
    forward, hidden = shot.vectors(picture, FRAME, FRAME + 1)
    later = shot.render(FRAME + 1)
    backward, _ = shot.vectors(later, FRAME + 1, FRAME)
    rows, columns = np.mgrid[0 : forward.shape[0], 0 : forward.shape[1]]
    to_x = np.clip(np.round(columns + forward[..., 0]).astype(int), 0, forward.shape[1] - 1)
    to_y = np.clip(np.round(rows - forward[..., 1]).astype(int), 0, forward.shape[0] - 1)
    inner = ~hidden & (later.ids[to_y, to_x] == picture.ids)
    gap = np.hypot(*np.moveaxis(forward + backward[to_y, to_x], -1, 0))[inner]
    assert inner.mean() > 0.97
    assert np.percentile(gap, 99) < 0.6  # the nearest pixel is up to 0.7 px off, where motion differs a little


def test_vectors_carry_the_picture_to_the_next_frame(shot: Shot, picture: Rendered) -> None:
    forward, hidden = shot.vectors(picture, FRAME, FRAME + 1)
    later = shot.render(FRAME + 1)
    rows, columns = np.mgrid[0 : forward.shape[0], 0 : forward.shape[1]]
    to_x = np.clip(np.round(columns + forward[..., 0]).astype(int), 0, forward.shape[1] - 1)
    to_y = np.clip(np.round(rows - forward[..., 1]).astype(int), 0, forward.shape[0] - 1)
    error = np.abs(later.albedo[to_y, to_x] - picture.albedo).mean(axis=-1)
    still = np.abs(later.albedo - picture.albedo).mean(axis=-1)
    lit = ~hidden & (picture.albedo.sum(axis=-1) > 0)
    assert error[lit].mean() < 0.4 * still[lit].mean()


def test_some_pixels_are_hidden_and_most_are_not(shot: Shot, picture: Rendered) -> None:
    _, hidden = shot.vectors(picture, FRAME, FRAME + 1)
    assert 0.002 < hidden.mean() < 0.05


def test_twice_the_size_averages_to_the_picture(shot: Shot, picture: Rendered) -> None:
    double = shot.render(FRAME, scale=Fraction(2))
    shape = (*picture.depth.shape, 4)
    mean = double.color.reshape(shape[0], 2, shape[1], 2, 4).mean(axis=(1, 3))
    assert float(np.abs(mean - picture.color).mean()) < 0.02


def test_relighting_leaves_sky_and_shape(shot: Shot, picture: Rendered) -> None:
    night = shot.render(FRAME, rig=NIGHT)
    sky = (picture.ids == 1) & (picture.color[..., 3] == 0)
    assert np.array_equal(night.color[sky], picture.color[sky])
    assert np.array_equal(night.albedo, picture.albedo)
    assert not np.allclose(night.color[~sky], picture.color[~sky], atol=0.05)


def test_plates_have_overscan_and_every_channel(shot: Shot, picture: Rendered) -> None:
    plate = picture_plate(picture, FRAME)
    assert plate.channels == PLATE_CHANNELS + PASS_CHANNELS
    assert plate.data_window == Window(-48, -48, 1056, 636)
    assert plate.display_window == Window(0, 0, 960, 540)
    kinds = {group.kind for group in classify(plate.channels, plate.sample_types)}
    assert {ChannelKind.ID, ChannelKind.NORMAL, ChannelKind.POSITION, ChannelKind.DEPTH, ChannelKind.ALPHA} <= kinds
    vectors = vector_plate(shot, picture, FRAME)
    assert vectors.take(("forward.u",)).any()
    double = picture_plate(shot.render(FRAME, scale=Fraction(2)), FRAME, scale=Fraction(2), passes=False)
    assert double.data_window == Window(-96, -96, 2112, 1272)
