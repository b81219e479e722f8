# SPDX-License-Identifier: Apache-2.0
"""What the network sees of two frames that are carried to a time.

``training/understudy_training/evidence.py`` is its twin on tensors; a test compares both.
"""

from collections.abc import Mapping

import cv2
import numpy as np

from understudy.contracts.model import Tensors
from understudy.contracts.plate import FloatImage

NEIGHBORS = ((5, 0), (-5, 0), (0, 5), (0, -5), (10, 10), (10, -10), (-10, 10), (-10, -10))
"""Right and down: where else vectors are tried, as a vector beside an edge often belongs to the other side of it."""

_REACH = 10
_BAND_ROWS = 64


class Evidence:
    """Both frames, their vectors, and the course between them.

    Args:
        tensors: The role's: ``a``, ``b``, ``forward``, ``backward``.
        course: ``to_a``, ``to_b`` and ``weight`` of flow projection.
    """

    def __init__(self, tensors: Mapping[str, FloatImage], course: Mapping[str, FloatImage]) -> None:
        self._a, self._b = tensors["a"], tensors["b"]
        forward, backward = tensors["forward"], tensors["backward"]
        self._miss = _missed(forward, backward), _missed(backward, forward)
        pads = ((_REACH, _REACH), (_REACH, _REACH), (0, 0))
        self._to = tuple(np.pad(course[name], pads, mode="edge") for name in ("to_a", "to_b"))
        self._weight = course["weight"]

    def rows(self, first: int, last: int) -> Tensors:
        """The evidence of some rows.

        Returns:
            float32 ``(last - first, w, n)`` by name: both frames there; the course; ``unlike``: how far both frames
            differ along it, and along the course of each neighbor; ``miss``: pixels by which the vectors used do not
            come back; ``shown``: 1 where a frame has the point within its borders.
        """
        width = self._a.shape[1]
        shape = (last - first, width)
        depths = {"a": 3, "b": 3, "to_a": 2, "to_b": 2, "unlike": 1 + len(NEIGHBORS), "miss": 2, "shown": 2}
        out = {name: np.empty((*shape, depth), np.float32) for name, depth in depths.items()}
        out["weight"] = self._weight[first:last]
        for top in range(first, last, _BAND_ROWS):
            self._band(top, min(top + _BAND_ROWS, last), {name: part[top - first :] for name, part in out.items()})
        return out

    def _band(self, top: int, bottom: int, out: Tensors) -> None:
        rows = slice(0, bottom - top)
        for number, (right, down) in enumerate(((0, 0), *NEIGHBORS)):
            sides = []
            for image, flow in zip((self._a, self._b), self._to, strict=True):
                x, y = _ends(self._moved(flow, top, bottom, right, down), top)
                sides.append(_read(image, x, y))
            unlike = np.abs(sides[0] - sides[1])
            unlike = (unlike[..., 0] + unlike[..., 1] + unlike[..., 2]) * np.float32(1 / 3)
            out["unlike"][rows, :, number] = unlike
            if number == 0:
                out["a"][rows], out["b"][rows] = sides
        height, width = self._a.shape[:2]
        for side, (flow, missed) in enumerate(zip(self._to, self._miss, strict=True)):
            own = self._moved(flow, top, bottom, 0, 0)
            out[("to_a", "to_b")[side]][rows] = own
            x, y = _ends(own, top)
            out["miss"][rows, :, side] = _read(missed, x, y)
            within = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
            out["shown"][rows, :, side] = within

    def _moved(self, flow: FloatImage, top: int, bottom: int, right: int, down: int) -> FloatImage:
        first, left = top + _REACH + down, _REACH + right
        return flow[first : first + bottom - top, left : left + self._a.shape[1]]


def _missed(flow: FloatImage, back: FloatImage) -> FloatImage:
    """By how many pixels each vector misses where it started once the way back is taken."""
    missed = np.empty(flow.shape[:2], np.float32)
    for top in range(0, len(flow), _BAND_ROWS):
        band = flow[top : top + _BAND_ROWS]
        returned = _read(back, *_ends(band, top))
        returned += band
        u, v = returned[..., 0], returned[..., 1]
        np.sqrt(u * u + v * v, out=missed[top : top + _BAND_ROWS])
    return missed


def _ends(flow: FloatImage, top: int) -> tuple[FloatImage, FloatImage]:
    """Columns and rows where vectors end that start in the rows from ``top`` on."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(top, top + height, dtype=np.float32)[:, None]
    return np.ascontiguousarray(x, np.float32), np.ascontiguousarray(y, np.float32)


def _read(image: FloatImage, x: FloatImage, y: FloatImage) -> FloatImage:
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
