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
Places = npt.NDArray[np.intp]

# DIS reads 8-bit gray. Tones up to diffuse white get nearly all of it, highlights up to the encoding's peak the rest.
_WHITE = np.float32(0.5134719)  # display_log code of linear 1.0
_GAIN = np.float32(1.85)
_SHOULDER = (1 - _GAIN * _WHITE) / (1 - _WHITE)
_RETURN = 2.0  # squared pixels by which a vector may miss where it started
_ALIKE = 0.02  # code values between colors that still count as alike
_NEAR = 8.0  # pixels over which a neighbor's say falls to 1/e
_SPOKES = 8
_RADII = (3, 6, 11, 18, 28, 42, 64)
_ROSETTE = np.array(
    [
        (round(radius * math.cos(angle)), round(radius * math.sin(angle)))
        for ring, radius in enumerate(_RADII)
        for angle in (math.tau * (step + ring % 2 / 2) / _SPOKES for step in range(_SPOKES))
    ],
    np.intp,
)  # right, down
_RIM = max(_RADII)
_LEAST = np.float32(-60)  # exponents under this would make weights that float32 is slow with
_CHUNK = 512  # fits at a time: small enough for the cache, and for OpenBLAS to stay in this thread
_BAND_ROWS = 64
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
        # OpenCV shares out parts of a search among threads and leaves gaps, which the other direction fills.
        with ThreadPoolExecutor(2) as pool:
            forward, backward = pool.map(lambda x, y: self._flow(x, y, smoothness), (a, b), (b, a))
            if self._fill:
                ways = ((forward, backward, tensors["a"]), (backward, forward, tensors["b"]))
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


def _at(image: FloatImage, flow: FloatImage, top: int = 0) -> tuple[FloatImage, Mask]:
    """``image`` where the vectors of some rows from ``top`` on end, and which end outside."""
    height, width = image.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(top, top + len(flow), dtype=np.float32)[:, None]
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
    lost = np.empty(flow.shape[:2], np.uint8)
    for top in range(0, len(flow), _BAND_ROWS):
        band = flow[top : top + _BAND_ROWS]
        returned, outside = _at(back, band, top)
        size = _squared(band)
        size += _squared(returned)
        returned += band
        size *= np.float32(0.01)
        size += np.float32(_RETURN)
        lost[top : top + _BAND_ROWS] = (_squared(returned) > size) & ~outside
    return cv2.dilate(lost, np.ones((5, 5), np.uint8)) > 0


def _filled(flow: FloatImage, image: FloatImage, lost: Mask) -> FloatImage:
    """Replaces lost vectors by an affine fit to vectors around them, near ones of the same color counting most."""
    half = lost[::2, ::2]  # every other pixel both ways: a fit is smooth, and four times as quick
    rows, columns = np.nonzero(half)
    fitted, known = np.zeros((len(rows), 2), np.float32), np.zeros(len(rows), bool)
    usable = np.pad(~lost, _RIM)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        fitted[part], known[part] = _fitted(flow, image, usable, 2 * rows[part], 2 * columns[part])
    which = np.full(half.shape, -1)
    which[rows[known], columns[known]] = np.flatnonzero(known)
    row, column = np.nonzero(lost)
    fit = which[row // 2, column // 2]
    row, column, fit = row[fit >= 0], column[fit >= 0], fit[fit >= 0]
    moved = np.hypot(*(fitted[fit] - flow[row, column]).T) > 1
    out = flow.copy()
    out[row[moved], column[moved]] = fitted[fit[moved]]
    return out


def _fitted(flow: FloatImage, image: FloatImage, usable: Mask, row: Places, column: Places) -> tuple[FloatImage, Mask]:
    """Fits at some places, and whether there was anything to fit to; ``usable`` has a rim of ``_RIM`` around it."""
    width = flow.shape[1]
    right, down = _ROSETTE[:, :1], _ROSETTE[:, 1:]
    place = row * width + column
    near = place + (down * width + right)
    weight = usable.take((row + _RIM) * usable.shape[1] + column + _RIM + (down * usable.shape[1] + right))
    exponent = np.zeros(near.shape, np.float32)
    colors = image.reshape(-1)
    for channel in range(3):
        unlike = colors.take(3 * near + channel, mode="clip")
        unlike -= colors[3 * place + channel]
        unlike *= unlike
        exponent += unlike
    exponent *= np.float32(-0.5 / _ALIKE**2)
    exponent -= np.hypot(right, down).astype(np.float32) / np.float32(_NEAR)
    weight = np.exp(np.maximum(exponent, _LEAST, out=exponent), out=exponent) * weight
    x, y = np.float32(1 / 16) * _ROSETTE.astype(np.float32).T
    moments = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    total, first_x, first_y, xx, xy, yy = moments @ weight
    vectors = np.ascontiguousarray(flow).view(np.complex64).reshape(-1).take(near, mode="clip")
    sums = [moments[:3] @ (weight * part) for part in (vectors.real, vectors.imag)]
    known = total > 1e-8
    total = np.where(known, total, np.float32(1))
    # The fit's value at the center: the mean less the slopes times the neighbors' mean place. The ridge keeps slopes
    # small where neighbors are few.
    center_x, center_y = first_x / total, first_y / total
    xx += (np.float32(0.1) - center_x * center_x) * total
    xy -= center_x * center_y * total
    yy += (np.float32(0.1) - center_y * center_y) * total
    steep = np.maximum(xx * yy - xy * xy, np.float32(1e-30))
    steep_x, steep_y = (yy * center_x - xy * center_y) / steep, (xx * center_y - xy * center_x) / steep
    fitted = np.empty((len(row), 2), np.float32)
    for part, (level, slope_x, slope_y) in enumerate(sums):
        mean = level / total
        fitted[:, part] = mean - steep_x * (slope_x - first_x * mean) - steep_y * (slope_y - first_y * mean)
    return fitted, known
