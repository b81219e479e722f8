# SPDX-License-Identifier: Apache-2.0
"""Float32 bands to what a file stores, counting every sample that had to be clamped."""

import numpy as np
import numpy.typing as npt

from understudy.contracts.errors import PlateError
from understudy.contracts.plate import HALF_MAX, FloatImage


def to_half(band: FloatImage) -> tuple[npt.NDArray[np.float16], int]:
    """Rounds to half, clamped to ±65504: the plain cast would write infinities.

    Args:
        band: float32, any shape; ±Inf is clamped like any large value.

    Returns:
        The halves and how many samples were beyond ±65504.

    Raises:
        PlateError: There is a NaN.
    """
    clamped, count = clamp_half(band)
    return clamped.astype(np.float16), count


def as_half(samples: FloatImage) -> FloatImage:
    """Float32 rounded to what a half holds; what is beyond its range becomes ±65504, NaN stays."""
    limited = np.clip(samples, np.float32(-HALF_MAX), np.float32(HALF_MAX))
    return limited.astype(np.float16).astype(np.float32)


def clamp_half(band: FloatImage) -> tuple[FloatImage, int]:
    """Float32 that a half can hold; the input itself where nothing is beyond.

    Returns:
        The samples and how many were beyond ±65504.

    Raises:
        PlateError: There is a NaN.
    """
    low, high = float(band.min()), float(band.max())
    if np.isnan(low) or np.isnan(high):
        raise _unfit("NaN")
    if low >= -HALF_MAX and high <= HALF_MAX:
        return band, 0
    count = int(np.count_nonzero(band > HALF_MAX) + np.count_nonzero(band < -HALF_MAX))
    return np.clip(band, np.float32(-HALF_MAX), np.float32(HALF_MAX)), count


def check_finite(band: FloatImage) -> None:
    """Refuses what no plate may hold.

    Raises:
        PlateError: There is a NaN or an infinity.
    """
    if not (np.isfinite(band.min()) and np.isfinite(band.max())):
        raise _unfit("NaN or infinity")


def to_codes(band: FloatImage, depth: int) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.uint16], int]:
    """Integer codes of 0-1, rounded to the nearest; values outside are clamped.

    Args:
        band: float32, any shape.
        depth: Bits of the code: 8, 10, 12 or 16.

    Returns:
        uint8 for 8 bits, else uint16 (10 and 12 bits widened by repeating the high bits, as the writer wants them), and
        how many samples were outside 0-1.

    Raises:
        PlateError: There is a NaN.
    """
    low, high = float(band.min()), float(band.max())
    if np.isnan(low) or np.isnan(high):
        raise _unfit("NaN")
    count = 0
    if low < 0 or high > 1:
        count = int(np.count_nonzero(band > 1) + np.count_nonzero(band < 0))
        band = np.clip(band, np.float32(0), np.float32(1))
    scaled = band * np.float32(2**depth - 1)
    codes = np.rint(scaled, out=scaled).astype(np.uint8 if depth == 8 else np.uint16)
    if depth in (10, 12):
        codes = (codes << (16 - depth)) | (codes >> (2 * depth - 16))
    return codes, count


def _unfit(what: str) -> PlateError:
    return PlateError(
        f"holds {what} at writing, which no plate may", fix="report this: the operation that made it is at fault"
    )
