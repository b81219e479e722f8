# SPDX-License-Identifier: Apache-2.0
"""Normals, albedo and confidence of one picture, from its shading alone: bright is near.

Under soft light a surface point is as bright as the sky it sees, so what lies deep is dark (Langer and Zucker 1994,
"Shape from shading on a cloudy day"). The gradient of log brightness, at several scales, then leans normals away from
bright spots. Slow changes of brightness count as light and the rest as albedo (Land and McCann 1971, Retinex).
"""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage

_Plane = npt.NDArray[np.float32]

WORK_SIDE = 768
"""Longer side of the picture that normals are sought in, pixels: shape is a matter of the whole, not of grain."""

_OCTAVES = (1 / 256, 1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8)
_SHADING = 1 / 24
_ALIGN = 1 / 48
_STEEPEST = 1.0
_FLOOR = 0.1
_GRAY = 0.18
_LEAST, _MOST, _FLAT = 0.25, 0.7, 0.01
_WEIGHTS = np.array([0.25, 0.6, 0.15], np.float32)


class ShapeFromShading:
    """Looks at the whole picture at once."""

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """``normal`` (unit, camera space), ``albedo`` and ``confidence`` of ``image``, linear light of any range."""
        image = tensors["image"]
        height, width = image.shape[:2]
        relief = np.float32(call.options.get("relief", 2.0))
        small = _small(image)
        # Sums of the largest floats may overflow; nothing a million times the middle tells more than that it is bright.
        with np.errstate(over="ignore", invalid="ignore"):
            luma = _f32(np.maximum(np.nan_to_num(small @ _WEIGHTS), 0))
        level = _level(luma)
        luma = np.minimum(luma, np.float32(1e6) * level)
        stops = _f32(np.log(luma + np.float32(_FLOOR) * level))
        side = max(small.shape[:2])
        right, down, agreement = _slopes(stops, side)
        reach = max(2, round(side * _ALIGN))
        right, down = _guided(right, stops, reach, 0.05), _guided(down, stops, reach, 0.05)
        normal = np.dstack([-relief * right, relief * down, np.ones_like(right)])
        confidence = _LEAST + (_MOST - _LEAST) * agreement
        # What is nearly black or far beyond white tells nothing of its shape.
        known = np.clip(luma / (np.float32(0.05) * level), 0, 1)
        known *= np.clip(np.float32(64) * level / (luma + level), 0, 1)
        sure = _large(_blurred(_f32(confidence * known), side * _OCTAVES[1]), width, height)
        shading = _f32(np.exp(_guided(stops, stops, max(2, round(side * _SHADING)), 0.5)) / level)
        return {
            "normal": _unit(_large(_f32(normal), width, height)),
            "albedo": _albedo(image, _large(shading, width, height), level),
            "confidence": np.clip(sure, 0, 1)[..., None],
        }

    def close(self) -> None:
        """Holds nothing."""


def load(folder: Path) -> ShapeFromShading:
    """The model; it reads no files."""
    del folder
    return ShapeFromShading()


def _f32(values: object) -> _Plane:
    return np.asarray(values, np.float32)


def _small(image: FloatImage) -> FloatImage:
    scale = WORK_SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return _f32(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _large(image: _Plane, width: int, height: int) -> _Plane:
    return _f32(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR))


def _level(luma: _Plane) -> np.float32:
    """The brightness of the middle of the picture's range; a black picture counts as gray."""
    lit = luma[luma > 0]
    return np.float32(np.clip(np.median(lit), 1e-20, 1e20)) if lit.size else np.float32(_GRAY)


def _slopes(stops: _Plane, side: int) -> tuple[_Plane, _Plane, _Plane]:
    """Gradient per scale, in units of the scale so that all weigh the same.

    Returns:
        Means over the scales to the right and down, and how far the scales agree on the direction, 0-1.
    """
    right, down, lengths = np.zeros_like(stops), np.zeros_like(stops), np.zeros_like(stops)
    for octave in _OCTAVES:
        sigma = max(0.7, side * octave)
        padded = np.pad(_blurred(stops, sigma), 1, mode="edge")
        across = (padded[1:-1, 2:] - padded[1:-1, :-2]) * np.float32(sigma / 2)
        along = (padded[2:, 1:-1] - padded[:-2, 1:-1]) * np.float32(sigma / 2)
        # Shading does not jump: a step that large is an outline or a pattern, and leans no further than this.
        calm = 1 / np.sqrt(1 + (across * across + along * along) / np.float32(_STEEPEST**2))
        right += across * calm
        down += along * calm
        lengths += np.hypot(across, along) * calm
    count = np.float32(len(_OCTAVES))
    agreement = np.hypot(right, down) / (lengths + np.float32(_FLAT) * count)
    return _f32(right / count), _f32(down / count), _f32(agreement)


def _blurred(plane: _Plane, sigma: float) -> _Plane:
    return _f32(cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def _guided(plane: _Plane, guide: _Plane, radius: int, epsilon: float) -> _Plane:
    """Guided filter (He, Sun and Tang 2010): smooth, yet with its edges where the guide has them."""
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(part: _Plane) -> _Plane:
        return _f32(cv2.blur(part, size, borderType=cv2.BORDER_REPLICATE))

    middle, level = mean(guide), mean(plane)
    variance = np.maximum(mean(_f32(guide * guide)) - middle * middle, 0)
    share = _f32((mean(_f32(guide * plane)) - middle * level) / (variance + np.float32(epsilon)))
    return _f32(mean(share) * guide + mean(_f32(level - share * middle)))


def _albedo(image: FloatImage, shading: _Plane, level: np.float32) -> FloatImage:
    """The picture without its shading, gray in the middle of its range."""
    scale = np.float32(_GRAY) / level
    albedo = np.maximum(image, 0)
    with np.errstate(over="ignore"):
        albedo *= (scale / np.maximum(shading, np.float32(1e-3)))[..., None]
    return np.minimum(albedo, np.finfo(np.float32).max, out=albedo)


def _unit(normal: _Plane) -> _Plane:
    length = np.sqrt((normal * normal).sum(axis=-1, keepdims=True))
    normal /= length
    return normal
