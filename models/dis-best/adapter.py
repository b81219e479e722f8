# SPDX-License-Identifier: Apache-2.0
"""Dense Inverse Search (Kroeger et al., ECCV 2016) in OpenCV, refined on float pictures; settings in ``preset.json``.

``dis-draft``, ``dis-good`` and ``dis-best`` hold the same adapter and differ in their presets alone.
"""

import json
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage

Mask = npt.NDArray[np.bool_]

# DIS reads 8-bit gray. Tones up to diffuse white get nearly all of it, highlights up to the encoding's peak the rest.
_WHITE = np.float32(0.5134719)  # display_log code of linear 1.0
_GAIN = np.float32(1.85)
_SHOULDER = (1 - _GAIN * _WHITE) / (1 - _WHITE)
_RETURN = 2.0  # squared pixels by which a vector may miss where it started
_ALIKE = 0.02  # code values between colors that still count as alike
_NEAR = 8.0  # pixels over which a neighbor's say falls to 1/e
_SPOKES = 8
_RADII = (3, 6, 11, 18, 28, 42, 64)
_ROSETTE = tuple(
    (round(radius * math.cos(angle)), round(radius * math.sin(angle)))
    for ring, radius in enumerate(_RADII)
    for angle in (math.tau * (step + ring % 2 / 2) / _SPOKES for step in range(_SPOKES))
)
_CHUNK = 65536
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709


class Dis:
    """One or several DIS runs, the better one kept pixel by pixel, then variational refinement in float.

    Args:
        preset: ``searches``: a list of ``{scale, finest, patch, stride, descent, variational}``, the champion first;
            ``refine``: fixed-point iterations of the refinement on float pictures, 0 for none; ``fill``: vectors that
            do not come back are replaced by what similar neighbors do.
    """

    def __init__(self, preset: Mapping[str, Any]) -> None:
        self._searches = preset["searches"]
        self._refine = int(preset["refine"])
        self._fill = bool(preset["fill"])

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """Both directions of motion.

        Args:
            tensors: ``a`` and ``b``, float32 ``(h, w, 3)``, display_log in 0-1.
            call: Its option ``smoothness`` is the weight of the smoothness term.

        Returns:
            ``forward`` and ``backward``, float32 ``(h, w, 2)``, pixels, v down.
        """
        a, b = _gray(tensors["a"]), _gray(tensors["b"])
        smoothness = float(call.options.get("smoothness", 20.0))
        forward, backward = self._flow(a, b, smoothness), self._flow(b, a, smoothness)
        if self._fill:
            ways = ((forward, backward, tensors["a"]), (backward, forward, tensors["b"]))
            with ThreadPoolExecutor(len(ways)) as pool:
                forward, backward = pool.map(lambda way: _mended(*way), ways)
        return {"forward": forward, "backward": backward}

    def close(self) -> None:
        """Holds nothing."""

    def _flow(self, a: FloatImage, b: FloatImage, smoothness: float) -> FloatImage:
        flow = _search(a, b, self._searches[0], smoothness)
        if len(self._searches) > 1:
            looks = _look(a), _look(b)
            error = _mismatch(*looks, flow)
            for challenger in self._searches[1:]:
                other = _search(a, b, challenger, smoothness)
                other_error = _mismatch(*looks, other)
                wins = other_error < 0.75 * error - 0.3  # a margin: a near tie keeps the champion and its smoothness
                flow[wins], error[wins] = other[wins], other_error[wins]
        if self._refine:
            refine = cv2.VariationalRefinement_create()
            refine.setFixedPointIterations(self._refine)
            refine.setAlpha(smoothness)
            flow = refine.calc(a, b, flow)
        return np.ascontiguousarray(flow, np.float32)


def load(folder: Path) -> Dis:
    """The model with the settings of the pack in ``folder``."""
    return Dis(json.loads((folder / "preset.json").read_text()))


def _gray(image: FloatImage) -> FloatImage:
    code = image @ _LUMA
    toned = np.where(code < _WHITE, code * _GAIN, _GAIN * _WHITE + (code - _WHITE) * _SHOULDER)
    return np.ascontiguousarray(toned * np.float32(255), np.float32)


def _search(a: FloatImage, b: FloatImage, settings: Mapping[str, int], smoothness: float) -> FloatImage:
    scale = settings["scale"]
    height, width = a.shape
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(settings["finest"])
    dis.setPatchSize(settings["patch"])
    dis.setPatchStride(settings["stride"])
    dis.setGradientDescentIterations(settings["descent"])
    dis.setVariationalRefinementIterations(settings["variational"])
    dis.setVariationalRefinementAlpha(smoothness)
    flow = dis.calc(_shrunk(a, scale), _shrunk(b, scale), None)
    if scale == 1:
        return flow
    size = (flow.shape[1] * scale, flow.shape[0] * scale)
    return np.ascontiguousarray(cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR)[:height, :width] * scale)


def _shrunk(gray: FloatImage, scale: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    height, width = gray.shape
    if scale > 1:
        gray = np.pad(gray, ((0, -height % scale), (0, -width % scale)), mode="edge")
        gray = cv2.resize(gray, (gray.shape[1] // scale, gray.shape[0] // scale), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(gray), 0, 255).astype(np.uint8)


def _look(gray: FloatImage) -> FloatImage:
    """What two matching points share whatever the exposure: detail over the local mean, and both slopes."""
    detail = gray - cv2.GaussianBlur(gray, (0, 0), 4)
    return np.dstack([detail, cv2.Sobel(gray, -1, 1, 0) / 4, cv2.Sobel(gray, -1, 0, 1) / 4])


def _mismatch(here: FloatImage, there: FloatImage, flow: FloatImage) -> FloatImage:
    found, outside = _at(there, flow)
    error = cv2.GaussianBlur(np.minimum(np.abs(here - found).mean(axis=2), 40), (0, 0), 5)
    return error + np.float32(10) * outside


def _at(image: FloatImage, flow: FloatImage) -> tuple[FloatImage, Mask]:
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    found = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found, (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)


def _mended(flow: FloatImage, back: FloatImage, image: FloatImage) -> FloatImage:
    return _filled(flow, image, _lost(flow, back))


def _squared(flow: FloatImage) -> FloatImage:
    """Squared lengths; numpy's own sum over so short an axis takes many times as long."""
    u, v = flow[..., 0], flow[..., 1]
    return u * u + v * v


def _lost(flow: FloatImage, back: FloatImage) -> Mask:
    """Vectors that stay in the picture and do not come back (the test of Sundaram et al., ECCV 2010), and their rim."""
    returned, outside = _at(back, flow)
    error = _squared(flow + returned)
    size = _squared(flow) + _squared(returned)
    lost = (error > 0.01 * size + _RETURN) & ~outside
    return cv2.dilate(lost.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0


def _filled(flow: FloatImage, image: FloatImage, lost: Mask) -> FloatImage:
    """Replaces lost vectors by an affine fit to vectors around them, near ones of the same color counting most."""
    out = flow.copy()
    fitted, known = flow[::2, ::2].copy(), np.zeros(lost[::2, ::2].shape, bool)
    rows, columns = np.nonzero(lost[::2, ::2])  # every other pixel both ways: a fit is smooth, and four times as quick
    for start in range(0, len(rows), _CHUNK):
        row, column = rows[start : start + _CHUNK], columns[start : start + _CHUNK]
        fitted[row, column], known[row, column] = _fitted(flow, image, lost, 2 * row, 2 * column)
    height, width = lost.shape
    fitted, known = (np.repeat(np.repeat(x, 2, 0), 2, 1)[:height, :width] for x in (fitted, known))
    moved = lost & known & (np.hypot(fitted[..., 0] - flow[..., 0], fitted[..., 1] - flow[..., 1]) > 1)
    out[moved] = fitted[moved]
    return out


def _fitted(
    flow: FloatImage, image: FloatImage, lost: Mask, row: npt.NDArray[np.intp], column: npt.NDArray[np.intp]
) -> tuple[FloatImage, npt.NDArray[np.bool_]]:
    height, width = lost.shape
    place = row * width + column
    colors, vectors, usable = image.reshape(-1, 3), flow.reshape(-1, 2), ~lost.reshape(-1)
    color = colors[place]
    total, level = np.zeros(len(place), np.float32), np.zeros((len(place), 2), np.float32)
    first, second = np.zeros((len(place), 2), np.float32), np.zeros((len(place), 3), np.float32)
    slope_x, slope_y = np.zeros_like(level), np.zeros_like(level)
    for right, down in _ROSETTE:
        within = (column >= -right) & (column < width - right) & (row >= -down) & (row < height - down)
        index = np.where(within, place + (down * width + right), 0)
        unlike = colors[index] - color
        exponent = np.einsum("ij,ij->i", unlike, unlike) * np.float32(-0.5 / _ALIKE**2)
        weight = np.exp(exponent - np.float32(math.hypot(right, down) / _NEAR)) * (within & usable[index])
        weighted = weight[:, None] * vectors[index]
        x, y = np.float32(right / 16), np.float32(down / 16)
        total += weight
        level += weighted
        slope_x += x * weighted
        slope_y += y * weighted
        first += weight[:, None] * np.array([x, y])
        second += weight[:, None] * np.array([x * x, x * y, y * y])
    known = total > 1e-8
    total = np.where(known, total, 1)
    mean = level / total[:, None]
    slope_x -= first[:, :1] * mean
    slope_y -= first[:, 1:] * mean
    # The fit's value at the center: the mean less the slopes times the neighbors' mean place. The ridge keeps slopes
    # small where neighbors are few.
    center_x, center_y = (first / total[:, None]).T
    xx = second[:, 0] - total * center_x**2 + 0.1 * total
    xy = second[:, 1] - total * center_x * center_y
    yy = second[:, 2] - total * center_y**2 + 0.1 * total
    steep = np.stack([yy * center_x - xy * center_y, xx * center_y - xy * center_x], axis=1)
    steep /= np.maximum(xx * yy - xy * xy, np.float32(1e-30))[:, None]
    fitted = mean - steep[:, :1] * slope_x - steep[:, 1:] * slope_y
    return np.asarray(fitted, np.float32), known
