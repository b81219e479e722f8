# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

import measures


def test_psnr_of_a_known_error() -> None:
    truth = np.full((8, 8, 3), 100, np.float32)
    assert measures.psnr(truth + 5, truth) == pytest.approx(20 * math.log10(255 / 5))
    assert measures.psnr(truth, truth) == pytest.approx(120)


def test_luma_is_that_of_bt601() -> None:
    white, black, red = (np.array(color, np.float32) for color in ([255] * 3, [0] * 3, [255, 0, 0]))
    assert measures.luma(white) == pytest.approx(235)
    assert measures.luma(black) == pytest.approx(16)
    assert measures.luma(red) == pytest.approx(81.481)


def test_upscale_figures_shave_the_factor_and_round() -> None:
    truth = np.full((40, 40, 3), 100, np.float32)
    made = truth + np.float32(0.4)
    made[:2] = made[:, -2:] = 255  # within the border
    figures = measures.upscale_figures(made, truth, 2)
    assert figures["PSNR"] == figures["PSNR-Y"] == pytest.approx(120)
    assert figures["SSIM-Y"] == pytest.approx(1)


def test_ssim_falls_with_noise_and_is_one_for_equals() -> None:
    noise = np.random.default_rng(3)
    picture = noise.uniform(0, 255, (32, 32))
    slightly, much = (measures.ssim(picture, picture + noise.normal(0, s, picture.shape)) for s in (5, 60))
    assert measures.ssim(picture, picture) == pytest.approx(1)
    assert 0.9 < slightly < 1
    assert much < 0.95 * slightly


def test_motion_figures() -> None:
    truth = np.zeros((2, 4, 2), np.float32)
    truth[0] = (100, 0)
    error = np.array([[4, 4, 6, 6], [4, 4, 1, 1]], np.float32)
    known, visible = np.ones((2, 4), np.bool_), np.ones((2, 4), np.bool_)
    known[1, 3] = False
    visible[0] = False
    figures = measures.motion_figures(error, truth, known, visible)
    assert figures["EPE"] == pytest.approx((4 + 4 + 6 + 6 + 4 + 4 + 1) / 7)
    assert figures["EPE-visible"] == pytest.approx(3)
    # On the long vectors 4 pixels are under 5 %, and 6 are not.
    assert figures["Fl-all"] == pytest.approx(100 * 4 / 7)


def test_interpolation_errors() -> None:
    truth = np.zeros((4, 4, 3), np.float32)
    made = truth.copy()
    made[0] = 8
    figures = measures.interpolation_figures(made, truth)
    assert figures["IE"] == pytest.approx(2)
    assert figures["IE-RMS"] == pytest.approx(4)


def test_angles_and_the_fitted_gain() -> None:
    normal = np.array([[[0, 0, 2], [1, 0, 0], [0, 0, 0]]], np.float32)
    truth = np.array([[[0, 0, 1], [0, 1, 0], [0, 0, 1]]], np.float32)
    mask = np.ones((1, 3), np.bool_)
    assert measures.angles(normal, truth, mask) == pytest.approx([0, 90, 90])
    light = np.random.default_rng(4).uniform(0, 1, (4, 4, 3)).astype(np.float32)
    assert measures.fitted_psnr(light * 0.3, light, np.ones((4, 4), np.bool_)) > 100


def test_codes_and_light_are_each_others_inverse() -> None:
    codes = np.arange(256, dtype=np.float32)
    assert np.array_equal(measures.eight_bit(measures.display_codes(measures.linear_light(codes))), codes)
