# SPDX-License-Identifier: Apache-2.0
"""Flow projection: both motion fields are splatted to the asked time, then read backwards.

As in Baker et al., A Database and Evaluation Methodology for Optical Flow (IJCV 92, 2011), section 3.3.3: vectors are
carried to time t along themselves, the ones whose ends look alike win, and holes are filled from around them.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage

_DIFFERENCE_SCALE = np.float32(12.0)
_LEAST_COVER = 0.05
_BAND_ROWS = 64

Mask = npt.NDArray[np.uint8]
_Image = TypeVar("_Image", FloatImage, Mask)


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
        ways = ((a, b, forward, backward, time), (b, a, backward, forward, 1 - time))
        with ThreadPoolExecutor(len(ways)) as pool:
            (sums, occluded_a), (sums_b, occluded_b) = pool.map(lambda way: _carried(*way), ways)
            sums[..., :2] -= sums_b[..., :2]
            sums[..., 2] += sums_b[..., 2]
            motion = _filled(sums)
            to_a, to_b = motion * -time, motion * (1 - time)
            only_a, only_b = pool.map(lambda hidden: _at(*hidden), ((occluded_a, to_a), (occluded_b, to_b)))
        alone_a, alone_b = only_a > 127, only_b > 127
        share_a = (1 - time) * (1 - _softened(alone_b & ~alone_a))
        share_b = time * (1 - _softened(alone_a & ~alone_b))
        weight = share_b / np.maximum(share_a + share_b, np.float32(1e-6))
        return {"to_a": to_a, "to_b": to_b, "weight": weight[..., None]}

    def close(self) -> None:
        """Holds nothing."""


def load(folder: Path) -> FlowProjection:
    """The model; it reads no files."""
    del folder
    return FlowProjection()


def _carried(
    here: FloatImage, there: FloatImage, flow: FloatImage, back: FloatImage, share: np.float32
) -> tuple[FloatImage, Mask]:
    """One frame's vectors at the time, and which of its pixels the other frame does not show.

    Returns:
        The sums of :func:`_splat`, and uint8 ``(h, w)``: 255 where a vector does not come back, 0 elsewhere.
    """
    difference, occluded = np.empty(flow.shape[:2], np.float32), np.empty(flow.shape[:2], np.uint8)
    for top in range(0, len(flow), _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        x, y = _ends(flow[rows], top)
        unlike = _read(there, x, y)
        unlike -= here[rows]
        np.abs(unlike, out=unlike)
        np.add(unlike[..., 0], unlike[..., 1], out=difference[rows])
        difference[rows] += unlike[..., 2]
        returned = _read(back, x, y)
        allowed = _squared(flow[rows])
        allowed += _squared(returned)
        allowed *= np.float32(0.01)
        allowed += np.float32(0.5)
        returned += flow[rows]
        np.multiply(_squared(returned) > allowed, np.uint8(255), out=occluded[rows])
    difference = cv2.GaussianBlur(difference, (0, 0), 1.0)
    difference *= -_DIFFERENCE_SCALE / 3
    return _splat(flow, share, np.exp(difference, out=difference)), occluded


def _ends(flow: FloatImage, top: int = 0) -> tuple[FloatImage, FloatImage]:
    """Columns and rows where vectors end that start in the rows from ``top`` on."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(top, top + height, dtype=np.float32)[:, None]
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _read(image: _Image, x: FloatImage, y: FloatImage) -> _Image:
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _at(image: Mask, flow: FloatImage) -> Mask:
    return _read(image, *_ends(flow))


def _squared(flow: FloatImage) -> FloatImage:
    u, v = flow[..., 0], flow[..., 1]
    return u * u + v * v


def _softened(mask: npt.NDArray[np.bool_]) -> FloatImage:
    """Without specks, and with an edge that does not show."""
    clean = cv2.medianBlur(mask.view(np.uint8), 5)
    if not clean.any():
        return np.zeros(mask.shape, np.float32)
    return cv2.GaussianBlur(clean.astype(np.float32), (0, 0), 1.0)


def _splat(flow: FloatImage, share: np.float32, importance: FloatImage) -> FloatImage:
    """Bilinear sums of ``importance * (u, v, 1)`` where vectors are after ``share`` of their way; ``(h, w, 3)``.

    The sums run in the order of the vectors, so that they are the same every time.
    """
    height, width = flow.shape[:2]
    wide = width + 3  # what lands outside lands on a rim, which is cut off
    cover, vectors = np.zeros((height + 3) * wide, np.float32), np.zeros((height + 3) * wide, np.complex64)
    for top in range(0, height, _BAND_ROWS):
        band = flow[top : top + _BAND_ROWS]
        x, y = _ends(band * share, top)
        x += 1
        y += 1
        np.minimum(np.maximum(x, 0, out=x), width + 1, out=x)
        np.minimum(np.maximum(y, 0, out=y), height + 1, out=y)
        index = y.astype(np.int32) * wide
        column = x.astype(np.int32)
        y -= np.floor(y)
        x -= np.floor(x)
        index += column
        place = index.ravel().astype(np.intp)
        own = np.ascontiguousarray(band).view(np.complex64)[..., 0]
        lower = importance[top : top + _BAND_ROWS] * y
        upper = importance[top : top + _BAND_ROWS] - lower
        for beyond, part in ((0, upper), (wide, lower)):
            right = part * x
            for step, weight in ((0, part - right), (1, right)):
                np.add.at(cover[beyond + step :], place, weight.ravel())
                np.add.at(vectors[beyond + step :], place, (own * weight).ravel())
    out = np.empty((height, width, 3), np.float32)
    inner = np.s_[1 : height + 1, 1 : width + 1]
    out[..., :2] = vectors.view(np.float32).reshape(height + 3, wide, 2)[inner]
    out[..., 2] = cover.reshape(height + 3, wide)[inner]
    return out


def _filled(sums: FloatImage) -> FloatImage:
    """Vectors from their sums; where little or nothing landed, the mean of a growing neighborhood (push-pull)."""
    levels = [sums]
    while min(levels[-1].shape[:2]) > 1:
        level = levels[-1]
        padded = np.pad(level, ((0, level.shape[0] % 2), (0, level.shape[1] % 2), (0, 0)), mode="edge")
        levels.append(cv2.resize(padded, (padded.shape[1] // 2, padded.shape[0] // 2), interpolation=cv2.INTER_AREA))
    vectors = None
    for level in reversed(levels):
        cover = np.maximum(level[..., 2], np.float32(1e-12))
        if vectors is None:
            vectors = np.stack([level[..., 0] / cover, level[..., 1] / cover], axis=2)
            continue
        size = (vectors.shape[1] * 2, vectors.shape[0] * 2)
        coarse = cv2.resize(vectors, size, interpolation=cv2.INTER_LINEAR)[: level.shape[0], : level.shape[1]]
        trust = np.minimum(cover / np.float32(_LEAST_COVER), 1)
        for part in range(2):  # one by one: numpy is slow where it repeats a value over so short an axis
            own = level[..., part] / cover
            own -= coarse[..., part]
            own *= trust
            coarse[..., part] += own
        vectors = coarse
    assert vectors is not None
    return np.ascontiguousarray(vectors, np.float32)
