# SPDX-License-Identifier: Apache-2.0
"""Tells a cut from motion, so that no picture is ever blended across one."""

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.color.config import ColorConfig
from understudy.color.encoder import Encoder
from understudy.contracts.manifest import Encoding
from understudy.contracts.plate import FloatImage, Plate
from understudy.roles.motion_field import Ground, picture

THRESHOLD = 0.35
"""Scores from here on are cuts: real motion, even eight frames apart, stays under 0.16; real joins start at 0.49."""

_SIDE = 192  # pixels of the longer side that are looked at
_FLAT = 2.0  # 8-bit levels of detail below which a picture has nothing to compare
_SAME_LEVEL = 16.0  # levels between two flat pictures that a fade may take in a frame
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_DOMAIN = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class CutScore:
    """How unlike two neighbors are.

    Attributes:
        score: 0 for the same picture moved, 1 for pictures with nothing in common.
        cut: The score reaches ``THRESHOLD``.
    """

    score: float
    cut: bool


def is_cut(a: Plate, b: Plate, color: ColorConfig) -> CutScore:
    """Whether b begins another shot.

    Both pictures are made small and b is moved onto a by dense motion in both directions. The score is one minus how
    well they then correlate, window by window, the better direction counting. Correlation looks past gain and offset,
    so that a flash or a change of exposure is no cut; a small picture looks past grain.

    Args:
        a: Frame n.
        b: Frame n+1.
        color: The config of their color spaces.

    Raises:
        PlateError: A plate has no color.
    """
    small_a, small_b = _small(a, b, color)
    detail_a, detail_b = float(small_a.std()), float(small_b.std())
    if min(detail_a, detail_b) < _FLAT:
        level = abs(float(small_a.mean()) - float(small_b.mean()))
        alike = max(detail_a, detail_b) < 2 * _FLAT and level < _SAME_LEVEL
        return CutScore(0.0 if alike else 1.0, not alike)
    # DIS compares levels, so a flash is taken out first.
    small_b = (small_b - small_b.mean()) * np.float32(detail_a / detail_b) + small_a.mean()
    score = 1 - max(_likeness(small_a, small_b), _likeness(small_b, small_a))
    return CutScore(score, score >= THRESHOLD)


def _small(a: Plate, b: Plate, color: ColorConfig) -> tuple[FloatImage, FloatImage]:
    window = a.data_window.union(b.data_window)
    ground = Ground(window, max(1, -(-max(window.width, window.height) // _SIDE)))
    first, second = (
        Encoder(color, plate.colorspace, Encoding.DISPLAY_LOG, _DOMAIN).encode(picture(plate, ground, {})) @ _LUMA
        for plate in (a, b)
    )
    scale = np.float32(255 / 0.55)
    return first * scale, second * scale


def _likeness(here: FloatImage, there: FloatImage) -> float:
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    pair = [np.pad(np.clip(np.rint(x), 0, 255).astype(np.uint8), 16, mode="edge") for x in (here, there)]
    flow = dis.calc(*pair, None)[16:-16, 16:-16]
    height, width = here.shape
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    moved = cv2.remap(there, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).astype(np.float32)
    size = (31, 31)
    mean_a, mean_b = cv2.blur(here, size), cv2.blur(moved, size)
    both = cv2.blur(here * moved, size) - mean_a * mean_b
    spread_a = np.maximum(cv2.blur(here * here, size) - mean_a * mean_a, 0)
    spread_b = np.maximum(cv2.blur(moved * moved, size) - mean_b * mean_b, 0)
    noise = np.float32(_FLAT * _FLAT)
    alike = both / np.sqrt((spread_a + noise) * (spread_b + noise))
    weight = seen * np.sqrt(np.maximum(spread_a, spread_b))
    return float(np.sum(alike * weight, dtype=np.float64) / max(float(np.sum(weight, dtype=np.float64)), 1e-6))
