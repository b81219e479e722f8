# SPDX-License-Identifier: Apache-2.0
"""Canonical coordinates and pixels (OpenFX 1.5, "Coordinate Systems").

Canonical: square pixels at full resolution, y up. Pixels: what is in memory; x is divided by the pixel aspect, and
both are multiplied by the render scale.
"""

import math
from collections.abc import Iterable

from understudy.ofx_host.clips import Region
from understudy.ofx_host.images import Bounds

_INFINITE = 2.0**31 - 1
_ROUNDING = 1e-6
"""Of a pixel: scales like 1/3 are not exact, and must not add a row."""


def to_pixels(region: Region, scale: tuple[float, float], pixel_aspect: float) -> Bounds:
    """The pixels that a canonical region touches."""
    x1, y1, x2, y2 = region
    across, up = scale[0] / pixel_aspect, scale[1]
    return (
        math.floor(x1 * across + _ROUNDING),
        math.floor(y1 * up + _ROUNDING),
        math.ceil(x2 * across - _ROUNDING),
        math.ceil(y2 * up - _ROUNDING),
    )


def to_canonical(bounds: Bounds, scale: tuple[float, float], pixel_aspect: float) -> Region:
    """The canonical region of pixels."""
    x1, y1, x2, y2 = bounds
    across, up = pixel_aspect / scale[0], 1.0 / scale[1]
    return (x1 * across, y1 * up, x2 * across, y2 * up)


def union(regions: Iterable[Region]) -> Region | None:
    """The smallest region that holds all; None for none."""
    found = list(regions)
    if not found:
        return None
    return (
        min(one[0] for one in found),
        min(one[1] for one in found),
        max(one[2] for one in found),
        max(one[3] for one in found),
    )


def bounded(region: Region, limit: Region) -> Region:
    """A region whose infinite sides (``kOfxFlagInfiniteMin`` and ``Max``) are those of another."""
    low = tuple(edge if edge > -_INFINITE else other for edge, other in zip(region[:2], limit[:2], strict=True))
    high = tuple(edge if edge < _INFINITE else other for edge, other in zip(region[2:], limit[2:], strict=True))
    return (low[0], low[1], high[0], high[1])
