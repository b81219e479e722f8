# SPDX-License-Identifier: Apache-2.0
"""Flow projection: both motion fields are splatted to the asked time, then read backwards.

As in Baker et al., A Database and Evaluation Methodology for Optical Flow (IJCV 92, 2011), section 3.3.3: vectors are
carried to time t along themselves, the ones whose ends look alike win, and holes are filled from around them.
"""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage

_DIFFERENCE_SCALE = np.float32(12.0)
_LEAST_COVER = 0.05


class FlowProjection:
    """Straight motion at constant speed between two frames."""

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """Where each pixel at ``call.time`` comes from, and from which side.

        Args:
            tensors: ``a`` and ``b``, float32 ``(h, w, 3)``, display_log in 0-1; ``forward`` and ``backward``
                ``(h, w, 2)``.
            call: Its time is strictly between 0 and 1.

        Returns:
            ``to_a`` and ``to_b``, ``(h, w, 2)``; ``weight``, ``(h, w, 1)``: b's share, the time itself but where one
            frame shows the point.
        """
        a, b, forward, backward = (tensors[name] for name in ("a", "b", "forward", "backward"))
        time = np.float32(call.time)
        sum_a = _splat(forward, time, _likeness(a, b, forward))
        sum_b = _splat(backward, 1 - time, _likeness(b, a, backward))
        sum_b[..., :2] *= -1
        motion = _filled(sum_a + sum_b)
        to_a, to_b = -time * motion, (1 - time) * motion
        only_a = _at(_occluded(forward, backward), to_a) > 0.5
        only_b = _at(_occluded(backward, forward), to_b) > 0.5
        share_a = (1 - time) * (1 - _softened(only_b & ~only_a))
        share_b = time * (1 - _softened(only_a & ~only_b))
        weight = share_b / np.maximum(share_a + share_b, np.float32(1e-6))
        return {"to_a": to_a, "to_b": to_b, "weight": weight[..., None]}

    def close(self) -> None:
        """Holds nothing."""


def load(folder: Path) -> FlowProjection:
    """The model; it reads no files."""
    del folder
    return FlowProjection()


def _at(image: FloatImage, flow: FloatImage) -> FloatImage:
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _likeness(here: FloatImage, there: FloatImage, flow: FloatImage) -> FloatImage:
    unlike = np.abs(here - _at(there, flow))
    difference = (unlike[..., 0] + unlike[..., 1] + unlike[..., 2]) / np.float32(3)
    return np.exp(-_DIFFERENCE_SCALE * cv2.GaussianBlur(difference, (0, 0), 1.0))


def _squared(flow: FloatImage) -> FloatImage:
    u, v = flow[..., 0], flow[..., 1]
    return u * u + v * v


def _occluded(flow: FloatImage, back: FloatImage) -> FloatImage:
    returned = _at(back, flow)
    error = _squared(flow + returned)
    size = _squared(flow) + _squared(returned)
    return (error > 0.01 * size + 0.5).astype(np.float32)


def _softened(mask: npt.NDArray[np.bool_]) -> FloatImage:
    """Without specks, and with an edge that does not show."""
    clean = cv2.medianBlur(mask.astype(np.uint8), 5).astype(np.float32)
    return cv2.GaussianBlur(clean, (0, 0), 1.0)


def _splat(flow: FloatImage, share: np.float32, importance: FloatImage) -> FloatImage:
    """Bilinear sums of ``importance * (u, v, 1)`` where vectors are after ``share`` of their way; ``(h, w, 3)``."""
    height, width = flow.shape[:2]
    x = flow[..., 0] * share + np.arange(width, dtype=np.float32)
    y = flow[..., 1] * share + np.arange(height, dtype=np.float32)[:, None]
    left, top = np.floor(x), np.floor(y)
    out = np.zeros((height * width, 3))
    for right in (0, 1):
        for down in (0, 1):
            column, row = left + right, top + down
            weight = importance * (1 - np.abs(x - column)) * (1 - np.abs(y - row))
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            index = (row[inside] * width + column[inside]).astype(np.intp)
            kept = weight[inside]
            for channel in range(2):
                out[:, channel] += np.bincount(index, kept * flow[..., channel][inside], height * width)
            out[:, 2] += np.bincount(index, kept, height * width)
    return out.reshape(height, width, 3).astype(np.float32)


def _filled(sums: FloatImage) -> FloatImage:
    """Vectors from their sums; where little or nothing landed, the mean of a growing neighborhood (push-pull)."""
    levels = [sums]
    while min(levels[-1].shape[:2]) > 1:
        level = levels[-1]
        padded = np.pad(level, ((0, level.shape[0] % 2), (0, level.shape[1] % 2), (0, 0)), mode="edge")
        levels.append(cv2.resize(padded, (padded.shape[1] // 2, padded.shape[0] // 2), interpolation=cv2.INTER_AREA))
    vectors = None
    for level in reversed(levels):
        cover = level[..., 2:]
        own = level[..., :2] / np.maximum(cover, np.float32(1e-12))
        if vectors is None:
            vectors = own
            continue
        size = (vectors.shape[1] * 2, vectors.shape[0] * 2)
        coarse = cv2.resize(vectors, size, interpolation=cv2.INTER_LINEAR)[: level.shape[0], : level.shape[1]]
        trust = np.minimum(cover / np.float32(_LEAST_COVER), 1)
        vectors = coarse + trust * (own - coarse)
    assert vectors is not None
    return np.ascontiguousarray(vectors, np.float32)
