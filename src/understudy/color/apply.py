# SPDX-License-Identifier: Apache-2.0
"""Runs an OCIO processor over pixels: in bands of four channels, with every result finite.

OCIO is four to eleven times slower on three packed channels than on four, so each band is padded to four in a buffer
that stays in the cache. The result of a pixel depends on that pixel alone, so tiles equal the whole bit for bit.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from understudy.contracts.errors import PlateError
from understudy.contracts.plate import FloatImage

BAND = 1 << 14
"""Pixels of one band: 256 KiB of four-channel float32."""

_SAFE = np.float32(1e37)
"""Inputs up to this stay finite in every primaries conversion; float32 ends at 3.4e38."""


class CpuProcessor(Protocol):
    """What is used of ``PyOpenColorIO.CPUProcessor``."""

    def applyRGBA(self, data: npt.NDArray[np.float32], /) -> object:  # noqa: N802
        """Converts ``(n, 4)`` float32 in place."""


def check_rgb(pixels: FloatImage) -> None:
    """Checks that an array is an RGB image.

    Raises:
        PlateError: It is not float32 ``(height, width, 3)``.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.float32:
        raise PlateError(f"color conversion needs float32 (height, width, 3), got {pixels.dtype} {pixels.shape}")


def apply_rgb(processor: CpuProcessor, pixels: FloatImage) -> FloatImage:
    """Converts an RGB image.

    A pixel whose result overflows float32 is converted again from values held to ±1e37, and what is still not finite
    becomes the largest finite value of its sign.

    Args:
        processor: An OCIO CPU processor, float32 to float32, without dynamic properties; may be shared by threads.
        pixels: float32 ``(height, width, 3)``, all finite.

    Returns:
        A new array of the same shape, all finite.

    Raises:
        PlateError: ``pixels`` is not float32 ``(height, width, 3)``.
    """
    check_rgb(pixels)
    out = np.empty(pixels.shape, np.float32)
    source = np.ascontiguousarray(pixels).reshape(-1, 3)
    target = out.reshape(-1, 3)
    buffer = np.zeros((min(BAND, len(source)), 4), np.float32)
    for start in range(0, len(source), BAND):
        rgb = source[start : start + BAND]
        band = buffer[: len(rgb)]
        # One copy per channel: numpy's inner loop is slow over a last axis of three.
        for channel in range(3):
            band[:, channel] = rgb[:, channel]
        band[:, 3] = 0
        processor.applyRGBA(band)
        finite = np.isfinite(band)
        if not finite.all():
            _repair(processor, band, rgb, np.flatnonzero(~finite.all(axis=1)))
        for channel in range(3):
            target[start : start + BAND, channel] = band[:, channel]
    return out


def _repair(
    processor: CpuProcessor, band: npt.NDArray[np.float32], rgb: npt.NDArray[np.float32], bad: npt.NDArray[np.intp]
) -> None:
    again = np.zeros((len(bad), 4), np.float32)
    again[:, :3] = np.clip(rgb[bad], -_SAFE, _SAFE)
    processor.applyRGBA(again)
    band[bad] = np.nan_to_num(again, copy=False)


def apply_gray(processor: CpuProcessor, pixels: FloatImage) -> FloatImage:
    """Runs a processor that treats all channels alike over single channels.

    Args:
        processor: As in :func:`apply_rgb`, with no cross-talk between channels (a curve).
        pixels: float32 of any shape, all finite.

    Returns:
        A new array of the same shape, all finite.
    """
    count = pixels.size
    packed = np.zeros((1, -(-count // 3), 3), np.float32)
    packed.reshape(-1)[:count] = pixels.reshape(-1)
    return apply_rgb(processor, packed).reshape(-1)[:count].reshape(pixels.shape)
