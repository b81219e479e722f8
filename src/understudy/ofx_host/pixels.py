# SPDX-License-Identifier: Apache-2.0
"""Samples and pixels from one form into another, as a host does before it hands an image over.

Source: OpenFX 1.5, "Images and Clips": 8 bit is 0-255 and 16 bit 0-65535 for black and white; float is not clipped.
"""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from understudy.contracts.errors import PlateError
from understudy.ofx_host.names import Components, Depth

Pixels = NDArray[Any]
"""(height, width, channels), top row first: float32, float16, uint16 or uint8."""

_TYPES: dict[str, np.dtype[np.generic]] = {
    "byte": np.dtype(np.uint8),
    "short": np.dtype(np.uint16),
    "half": np.dtype(np.float16),
    "float": np.dtype(np.float32),
}
_WHITE = {"byte": 255.0, "short": 65535.0}
CHANNELS: dict[str, int] = {"Alpha": 1, "RGB": 3, "RGBA": 4, "MotionVectors": 2}
"""Samples of a pixel."""


def sample_type(depth: Depth) -> np.dtype[np.generic]:
    """The numpy type of a depth."""
    return _TYPES[depth]


def check_pixels(array: object, where: str) -> Pixels:
    """An array that a person gave, as pixels; two dimensions are one channel.

    Raises:
        PlateError: It is no picture.
    """
    if not isinstance(array, np.ndarray):
        raise PlateError(f"is {type(array).__name__}, not a numpy array", where=where, fix="give an array or None")
    pixels = array[:, :, np.newaxis] if array.ndim == 2 else array
    if pixels.ndim != 3 or 0 in pixels.shape or pixels.shape[2] not in CHANNELS.values():
        raise PlateError(
            f"has the shape {array.shape}", where=where, fix="give (height, width, channels) with 1 to 4 channels"
        )
    if pixels.dtype not in _TYPES.values():
        raise PlateError(f"is of type {array.dtype}", where=where, fix="use float32, float16, uint16 or uint8")
    return pixels


def depth_of(pixels: Pixels) -> Depth:
    """The depth of an array's samples."""
    return next(cast("Depth", depth) for depth, kind in _TYPES.items() if kind == pixels.dtype)


def components_of(pixels: Pixels) -> Components:
    """What an array's pixels hold, by how many channels it has."""
    return next(cast("Components", name) for name, count in CHANNELS.items() if count == pixels.shape[2])


def convert_depth(pixels: Pixels, depth: Depth) -> Pixels:
    """Samples as another type.

    Integers clip, as they must. Float to half goes to the nearest, and what half can't hold becomes infinite.
    """
    here = depth_of(pixels)
    if here == depth:
        return pixels
    if here in _WHITE and depth in _WHITE:
        scaled = pixels.astype(np.uint32)
        whole = scaled * 257 if depth == "short" else (scaled + 128) // 257  # 65535 / 255 = 257
        return whole.astype(_TYPES[depth])
    values = pixels.astype(np.float32)
    if here in _WHITE:
        values /= np.float32(_WHITE[here])
    if depth in _WHITE:
        values = np.rint(np.clip(np.nan_to_num(values, nan=0.0), 0.0, 1.0) * np.float32(_WHITE[depth]))
    with np.errstate(over="ignore"):
        return values.astype(_TYPES[depth])


def convert_components(pixels: Pixels, components: Components) -> Pixels:
    """Pixels with other components: what is missing is black, a missing alpha is opaque.

    Alpha alone becomes the alpha of black; color without alpha has an alpha of white.
    """
    here = components_of(pixels)
    if here == components:
        return pixels
    depth = depth_of(pixels)
    white = _WHITE.get(depth, 1.0)
    height, width = pixels.shape[:2]
    found = np.zeros((height, width, CHANNELS[components]), pixels.dtype)
    colors = min(CHANNELS[here], CHANNELS[components], 3) if here != "Alpha" and components != "Alpha" else 0
    found[..., :colors] = pixels[..., :colors]
    if components in {"RGBA", "Alpha"}:
        found[..., -1] = pixels[..., -1] if here in {"RGBA", "Alpha"} else white
    return found
