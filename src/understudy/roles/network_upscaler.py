# SPDX-License-Identifier: Apache-2.0
"""Upscaling by networks of whole factors: any factor from 1 up, any channels, memory that does not grow with the plate.

A graph sees one channel of plate values and gives it ``factor`` times as large. Each channel runs alone, so layers of a
render and mattes are as good as color. A factor that no graph has is made by the smallest one above it, or by the
largest there is, and then resampled (Lanczos-3) to the exact size.

At lamps and glints each pixel's share of the result is multiplied so that its mean is the pixel again: a network thinks
in values that the eye finds even, and would lose or gain light there. That is where neighbors lie more than nine stops
apart (wholly from eleven on), and where a sample stands alone: six times the mean of the 5x5 around it, wholly from ten
times on. Edges of display pictures are left to the network. The rule goes with exposure, as the networks do.
"""

from collections.abc import Mapping
from fractions import Fraction
from itertools import product

import cv2
import numpy as np

from understudy.contracts.errors import PackError, UsageError
from understudy.contracts.model import Call, Graph, Region, Tensors
from understudy.contracts.plate import FloatImage, Window
from understudy.roles.resample import HEADROOM, LANCZOS3, apply, axis, from_headroom, hold_to_neighbors, near_overflow
from understudy.roles.tiling import read_tile

OVERSHOOT: dict[object, float | None] = {"hard": 0.0, "soft": 0.25, "off": None}
"""What the option ``antiringing`` means for ``roles.resample.limited``."""

RESAMPLING_REACH = 3
"""What the radius of a pack holds beside its networks': the resampling to other factors, input pixels."""

_BLOCK = 384
"""Side of what a graph sees at once, without its halo: its features stay in a few hundred megabytes."""

_NEAR = np.ones((5, 5), np.uint8)
_TINY = np.float32(1e-30)
_FROM_STOPS, _OVER_STOPS = 9.0, 2.0
_ALONE_FROM, _ALONE_OVER = 2.6, 0.7


class NetworkUpscaler:
    """A pack's networks as one upscaler.

    Args:
        graphs: By factor, ``x2`` and so on: from ``image`` (1, 1, h, w) to ``image_out``.
        radius: The largest receptive radius of a network, input pixels.
        name: The pack's id, for messages.
    """

    def __init__(self, graphs: Mapping[str, Graph], radius: int, name: str) -> None:
        self._graphs = {int(key[1:]): graph for key, graph in graphs.items()}
        self._radius = radius
        self._name = name

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """The pixels of ``call.region``."""
        image, region, scale = tensors["image"], call.region, call.scale
        if region is None:
            raise PackError("an upscaler needs a region", where=self._name)
        if scale < 1:
            fix = "take the pack lanczos"
            raise UsageError(f"{self._name} enlarges, and {scale} is under 1", where="scale", fix=fix)
        lies = Window(region.in_x, region.in_y, image.shape[1], image.shape[0])
        wanted = Window(region.x, region.y, region.width, region.height)
        if scale == 1:
            return {"image": read_tile(image, lies, wanted)}
        out = call.out if call.out is not None else np.empty((wanted.height, wanted.width, image.shape[2]), np.float32)
        overshoot = OVERSHOOT[call.options.get("antiringing", "soft")]
        for channel in range(image.shape[2]):
            plane = np.ascontiguousarray(image[..., channel : channel + 1])
            target = out[..., channel : channel + 1]
            if plane.min() == plane.max():
                target[...] = plane[0, 0]  # most often an alpha of 1
                continue
            huge = near_overflow(plane)
            low = plane * HEADROOM if huge else plane
            self._fill(target, low, lies, wanted, scale, overshoot)
            if overshoot is not None and scale not in self._graphs:
                hold_to_neighbors(target, low, region, scale, overshoot)
            if huge:
                target[...] = from_headroom(target)
        return {"image": out}

    def close(self) -> None:
        """Holds nothing of its own."""

    def _fill(
        self,
        target: FloatImage,
        plane: FloatImage,
        lies: Window,
        wanted: Window,
        scale: Fraction,
        overshoot: float | None,
    ) -> None:
        factor = self._factor(scale)
        if factor == scale:
            self._enlarge(target, plane, lies, wanted, factor, overshoot)
            return
        rest = scale / factor
        rows = axis(LANCZOS3, rest, wanted.y, wanted.height)
        columns = axis(LANCZOS3, rest, wanted.x, wanted.width)
        top, left = int(rows.starts[0]), int(columns.starts[0])
        bottom = int(rows.starts[-1]) + rows.weights.shape[1]
        right = int(columns.starts[-1]) + columns.weights.shape[1]
        larger = np.empty((bottom - top, right - left, 1), np.float32)
        self._enlarge(larger, plane, lies, Window(left, top, right - left, bottom - top), factor, overshoot)
        target[...] = apply(larger, rows, columns, in_x=left, in_y=top)

    def _factor(self, scale: Fraction) -> int:
        return min((factor for factor in self._graphs if factor >= scale), default=max(self._graphs))

    def _enlarge(
        self, target: FloatImage, plane: FloatImage, lies: Window, wanted: Window, factor: int, overshoot: float | None
    ) -> None:
        """Fills ``target``, which covers ``wanted`` of the plane at ``factor``, block by block."""
        first_x, first_y = wanted.x // factor, wanted.y // factor
        last_x, last_y = -(-wanted.right // factor), -(-wanted.bottom // factor)
        for y, x in product(range(first_y, last_y, _BLOCK), range(first_x, last_x, _BLOCK)):
            core = Window(x, y, min(_BLOCK, last_x - x), min(_BLOCK, last_y - y))
            large = self._block(plane, lies, core, factor, overshoot)
            left, top = max(core.x * factor, wanted.x), max(core.y * factor, wanted.y)
            right, bottom = min(core.right * factor, wanted.right), min(core.bottom * factor, wanted.bottom)
            part = large[
                top - core.y * factor : bottom - core.y * factor, left - core.x * factor : right - core.x * factor
            ]
            target[top - wanted.y : bottom - wanted.y, left - wanted.x : right - wanted.x, 0] = part

    def _block(self, plane: FloatImage, lies: Window, core: Window, factor: int, overshoot: float | None) -> FloatImage:
        r = self._radius
        around = Window(core.x - r, core.y - r, core.width + 2 * r, core.height + 2 * r)
        seen = read_tile(plane, lies, around)
        large = self._graphs[factor].run({"image": seen.transpose(2, 0, 1)[None]})["image_out"][0, 0]
        large = large[r * factor : (r + core.height) * factor, r * factor : (r + core.width) * factor]
        large = np.ascontiguousarray(large)
        if overshoot is not None:
            region = Region(around.x, around.y, core.x * factor, core.y * factor, *large.shape[::-1])
            hold_to_neighbors(large[..., None], seen, region, Fraction(factor), overshoot)
        return _keeping_light(large, seen[..., 0], r, factor)


def _keeping_light(large: FloatImage, seen: FloatImage, margin: int, factor: int) -> FloatImage:
    """Multiplies each pixel's share so that its mean is the pixel, where contrast is beyond a display's."""
    height, width = (side - 2 * margin for side in seen.shape)
    inside = (slice(margin, margin + height), slice(margin, margin + width))
    brightest = cv2.dilate(seen, _NEAR)[inside]
    # Nothing at all is no level to compare with: black of a display picture next to white is no lamp.
    darkest = cv2.erode(np.where(seen > 0, seen, np.float32(np.inf)), _NEAR)[inside]
    contrast = np.log2(np.maximum(brightest, _TINY)) - np.log2(np.maximum(darkest, _TINY))
    mean_near = cv2.blur(seen, (5, 5))[inside]
    alone = np.log2(np.maximum(brightest, _TINY)) - np.log2(np.maximum(mean_near, _TINY))
    share = np.maximum((contrast - _FROM_STOPS) / _OVER_STOPS, (alone - _ALONE_FROM) / _ALONE_OVER)
    share = np.clip(share, 0, 1)
    if not share.any():
        return large
    pixel = seen[inside]
    mean = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    sound = (mean > 0) & (pixel > 0)
    ratio = np.where(sound, pixel / np.where(sound, mean, 1), 1)
    gain = (1 + (np.clip(ratio, 0, 8) - 1) * share).astype(np.float32)
    kept: FloatImage = large * np.repeat(np.repeat(gain, factor, 0), factor, 1)
    return kept
