# SPDX-License-Identifier: Apache-2.0
"""Motion candidates, refined on float pictures, and a small learned head that picks among them pixel by pixel.

Candidates are three dense inverse searches (Kroeger et al., ECCV 2016) and, where the pack has its graph, what a
matching network finds. ``flow-fusion`` and ``flow-match`` hold the same adapter and differ in their graphs alone.
"""

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.model import Call, Graph, Tensors
from understudy.contracts.plate import FloatImage

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]

SEARCHES = (
    {"scale": 1, "patch": 8, "stride": 3, "descent": 50, "variational": 20},
    {"scale": 1, "patch": 12, "stride": 4, "descent": 30, "variational": 10},
    {"scale": 2, "patch": 8, "stride": 3, "descent": 50, "variational": 20},
)
"""What the head learned to judge, in the order it knows them."""

_REFINE = 10
_CELL, _MATCH_CELL = 4, 16  # sides of the graphs' pictures are multiples of these
_SMALLEST = 64  # sides of the matching network's, at least
_LARGEST_MATCH = 2_600_000  # pixels that it sees: HD at full size, 4K at half; keeps it under 2 GB
# DIS reads 8-bit gray. Tones up to diffuse white get nearly all of it, highlights up to the encoding's peak the rest.
_WHITE = np.float32(0.5134719)  # display_log code of linear 1.0
_GAIN = np.float32(1.85)
_SHOULDER = (1 - _GAIN * _WHITE) / (1 - _WHITE)
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
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


class Fusion:
    """Candidates, and the head that picks.

    Args:
        head: The head's graph.
        match: The matching network's; None for a pack without one.
    """

    def __init__(self, head: Graph, match: Graph | None) -> None:
        self._head = head
        self._match = match

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """Both directions of motion, and their confidence.

        Args:
            tensors: ``a`` and ``b``, float32 ``(h, w, 3)``, display_log in 0-1.
            call: Its option ``smoothness`` is the weight of the smoothness term; ``searches``, where the pack has the
                matching network, is whether the searches and the head run too.

        Returns:
            ``forward`` and ``backward``, float32 ``(h, w, 2)``, pixels, v down; ``forward_confidence`` and
            ``backward_confidence``, ``(h, w, 1)``.
        """
        height, width = tensors["a"].shape[:2]
        a, b = (_gray(tensors[name]) for name in ("a", "b"))
        smoothness = float(call.options.get("smoothness", 20.0))
        if self._match is not None and not call.options.get("searches", True):
            return self._matched_alone(self._match, tensors, a, b, smoothness)
        with ThreadPoolExecutor(2) as pool:
            ways = [
                [pool.submit(_search, *pair, settings, smoothness) for settings in SEARCHES]
                for pair in ((a, b), (b, a))
            ]
            said = _matched(self._match, tensors) if self._match is not None else {}
            if said:
                ways[0].append(pool.submit(_refined, a, b, said["forward"], smoothness))
                ways[1].append(pool.submit(_refined, b, a, said["backward"], smoothness))
            forward, backward = (np.stack([search.result() for search in way]) for way in ways)
            flow_a, sure_a = self._picked(a, b, forward, backward)
            flow_b, sure_b = self._picked(b, a, backward, forward)
            if said:  # each knows what the other does not: together they rank errors better than either
                sure_a = _agreed(sure_a, said["forward_confidence"])
                sure_b = _agreed(sure_b, said["backward_confidence"])
            holes = ((flow_a, flow_b, tensors["a"]), (flow_b, flow_a, tensors["b"]))
            flow_a, flow_b = pool.map(lambda way: _mended(*way), holes)
        out = {"forward": flow_a, "backward": flow_b, "forward_confidence": sure_a, "backward_confidence": sure_b}
        return {name: np.ascontiguousarray(image[:height, :width]) for name, image in out.items()}

    def close(self) -> None:
        """Holds nothing of its own."""

    @staticmethod
    def _matched_alone(
        match: Graph, tensors: Mapping[str, FloatImage], a: FloatImage, b: FloatImage, smoothness: float
    ) -> Tensors:
        said = _matched(match, tensors)
        with ThreadPoolExecutor(2) as pool:
            forward = pool.submit(_refined, a, b, said["forward"], smoothness)
            backward = pool.submit(_refined, b, a, said["backward"], smoothness)
            return {**said, "forward": forward.result(), "backward": backward.result()}

    def _picked(
        self, here: FloatImage, there: FloatImage, flows: FloatImage, backs: FloatImage
    ) -> tuple[FloatImage, FloatImage]:
        height, width = here.shape
        rim = ((0, -height % _CELL), (0, -width % _CELL))
        grays = {"here": here, "there": there}
        feeds = {name: np.pad(gray, rim, mode="edge")[None, None] / np.float32(255) for name, gray in grays.items()}
        for name, candidates in (("flows", flows), ("backs", backs)):
            feeds[name] = np.pad(candidates.transpose(0, 3, 1, 2), ((0, 0), (0, 0), *rim), mode="edge")
        said = self._head.run({name: np.ascontiguousarray(image) for name, image in feeds.items()})
        flow, sure = (said[name][0, :, :height, :width].transpose(1, 2, 0) for name in ("flow", "confidence"))
        return np.ascontiguousarray(flow), np.ascontiguousarray(sure)


def load(folder: Path, graphs: Mapping[str, Graph]) -> Fusion:
    """The pack's model."""
    del folder
    return Fusion(graphs["pick"], graphs.get("match"))


def _agreed(one: FloatImage, other: FloatImage) -> FloatImage:
    """The chance whose log odds are the mean of two chances'."""
    for_it, against = one * other, (1 - one) * (1 - other)
    return np.sqrt(for_it) / np.maximum(np.sqrt(for_it) + np.sqrt(against), np.float32(1e-6))


def _matched(match: Graph, tensors: Mapping[str, FloatImage]) -> Tensors:
    """What the matching network finds, both ways, ``(h, w, 2)``, and how far it trusts that, ``(h, w, 1)``."""
    height, width = tensors["a"].shape[:2]
    scale = 1
    while height * width > _LARGEST_MATCH * scale * scale:
        scale *= 2
    cell = _MATCH_CELL * scale
    rim = [(0, max(-(-side // cell), -(-_SMALLEST // _MATCH_CELL)) * cell - side) for side in (height, width)]
    feeds = {}
    for name in ("a", "b"):
        image = np.pad(tensors[name], (*rim, (0, 0)), mode="edge")
        if scale > 1:
            size = (image.shape[1] // scale, image.shape[0] // scale)
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        feeds[name] = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
    out = {}
    for name, said in match.run(feeds).items():
        image = np.ascontiguousarray(said[0].transpose(1, 2, 0))
        if scale > 1:
            size = (image.shape[1] * scale, image.shape[0] * scale)
            image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR).reshape(size[1], size[0], -1)
            image *= scale if image.shape[2] == 2 else 1
        out[name] = np.ascontiguousarray(image[:height, :width])
    return out


def _gray(image: FloatImage) -> FloatImage:
    code = image @ _LUMA
    toned = np.where(code < _WHITE, code * _GAIN, _GAIN * _WHITE + (code - _WHITE) * _SHOULDER)
    return np.ascontiguousarray(toned * np.float32(255), np.float32)


def _search(a: FloatImage, b: FloatImage, settings: Mapping[str, int], smoothness: float) -> FloatImage:
    """One search and its refinement, float32 ``(h, w, 2)``."""
    scale, (height, width) = settings["scale"], a.shape
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    dis.setPatchSize(settings["patch"])
    dis.setPatchStride(settings["stride"])
    dis.setGradientDescentIterations(settings["descent"])
    dis.setVariationalRefinementIterations(settings["variational"])
    dis.setVariationalRefinementAlpha(smoothness)
    flow = dis.calc(_shrunk(a, scale), _shrunk(b, scale), None)
    if scale > 1:
        size = (flow.shape[1] * scale, flow.shape[0] * scale)
        flow = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR)[:height, :width] * scale
    return _refined(a, b, flow, smoothness)


def _refined(a: FloatImage, b: FloatImage, flow: FloatImage, smoothness: float) -> FloatImage:
    """Variational refinement (Brox et al., ECCV 2004) of vectors on float pictures."""
    refine = cv2.VariationalRefinement_create()
    refine.setFixedPointIterations(_REFINE)
    refine.setAlpha(smoothness)
    return np.ascontiguousarray(refine.calc(a, b, np.ascontiguousarray(flow, np.float32)), np.float32)


def _shrunk(gray: FloatImage, scale: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    height, width = gray.shape
    if scale > 1:
        gray = np.pad(gray, ((0, -height % scale), (0, -width % scale)), mode="edge")
        gray = cv2.resize(gray, (gray.shape[1] // scale, gray.shape[0] // scale), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(gray), 0, 255).astype(np.uint8)


def _mended(flow: FloatImage, back: FloatImage, image: FloatImage) -> FloatImage:
    """``flow`` with the vectors that ``back`` does not bring back replaced; ``image`` is the frame it starts from."""
    return _filled(flow, image, _lost(flow, back))


def _at(image: FloatImage, flow: FloatImage, top: int = 0) -> tuple[FloatImage, Mask]:
    """``image`` where the vectors of some rows from ``top`` on end, and which end outside."""
    height, width = image.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(top, top + len(flow), dtype=np.float32)[:, None]
    found = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found, (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)


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
