# SPDX-License-Identifier: Apache-2.0
"""Replaces what is not finite, and counts it: NaN becomes 0, ±Inf becomes ±65504."""

import numpy as np
import numpy.typing as npt

from understudy.contracts.plate import HALF_MAX

_EXPONENT = {np.dtype(np.float16): (np.uint16, 0x7C00), np.dtype(np.float32): (np.uint32, 0x7F800000)}


def sanitize(samples: npt.NDArray[np.float16] | npt.NDArray[np.float32]) -> tuple[int, int]:
    """Sanitizes an array in place.

    Args:
        samples: float16 or float32, any shape, C-contiguous and writable.

    Returns:
        How many NaN and how many infinite samples there were.
    """
    bits, exponent = _EXPONENT[samples.dtype]
    broken = (samples.view(bits) & bits(exponent)) == exponent
    if not broken.any():
        return 0, 0
    bad = samples[broken]
    nan = np.isnan(bad)
    count = int(nan.sum())
    samples[broken] = np.where(nan, 0, np.copysign(np.float32(HALF_MAX), bad)).astype(samples.dtype)
    return count, bad.size - count
