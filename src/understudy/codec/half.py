# SPDX-License-Identifier: Apache-2.0
"""float32 samples as half and back, where that loses no bit: pixels of a half EXR take half the way.

Both formats are IEEE 754: the bits of a half, moved to their places in a float32, are its value times 2^-112. So a
conversion is a handful of passes that the processor's vector units do, over blocks that stay in its cache, where
numpy's own goes sample by sample.
"""

import sys

import numpy as np
import numpy.typing as npt

CONVERTS = sys.byteorder == "little"
"""Whether this machine has samples in memory as they travel."""

_BLOCK = 1 << 16
_FROM_FLOAT = np.float32(2.0**-112)
_TO_FLOAT = np.float32(2.0**112)
_LOST_BITS = 0x7000_1FFF
"""Bits of a value times 2^-112 that have no place in a half."""

_ONE_SIGN = np.int32(-0x7000_0001)
"""All bits but 28 to 30."""

_INFINITY = 0xF800
"""Twice the bits of infinity: any half that is not finite is at least it, without the sign."""

_DENORMALS = np.full(16, 1 << 13, np.uint32).view(np.float32)

Halves = npt.NDArray[np.uint16]
"""Samples as the bits of their half, one axis."""


def encode_half(samples: npt.NDArray[np.float32], out: Halves) -> bool:
    """Writes samples as half, up to the first that is not finite or would not come back bit for bit.

    Args:
        samples: One axis, contiguous.
        out: As many halves.

    Returns:
        Whether `decode_half` gives all of them back.
    """
    scaled, other = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.uint32)
    differs = np.empty(_BLOCK, np.bool_)
    with np.errstate(all="ignore"):
        for start in range(0, samples.size, _BLOCK):
            block, target = samples[start : start + _BLOCK], out[start : start + _BLOCK]
            bits, spare, wrong = block.view(np.uint32), other[: block.size], differs[: block.size]
            value = np.multiply(block, _FROM_FLOAT, out=scaled[: block.size])
            moved = value.view(np.uint32)
            if np.bitwise_or.reduce(moved) & _LOST_BITS:
                return False
            np.multiply(value, _TO_FLOAT, out=spare.view(np.float32))
            if np.not_equal(spare, bits, out=wrong).any():  # too small for a half, or for this thread's arithmetic
                return False
            np.right_shift(bits, 16, out=spare)
            np.bitwise_and(spare, 0x8000, out=spare)
            np.right_shift(moved, 13, out=moved)
            np.copyto(target, np.bitwise_or(moved, spare, out=spare), casting="unsafe")
            if _magnitude(target, moved.view(np.uint16)[: block.size]).max() >= _INFINITY:  # 65536 and more
                return False
    return True


def decode_half(halves: Halves, out: npt.NDArray[np.float32]) -> bool:
    """Writes samples as float32.

    Args:
        halves: Bits of halves.
        out: As many samples, one axis, contiguous.

    Returns:
        Whether all are finite.
    """
    finite = True
    room = np.empty(_BLOCK, np.uint16)
    with np.errstate(all="ignore"):
        exact = np.multiply(_DENORMALS, _TO_FLOAT).all()  # unless this thread was told to take denormals for zero
        for start in range(0, halves.size, _BLOCK):
            block, target = halves[start : start + _BLOCK], out[start : start + _BLOCK]
            if exact and _magnitude(block, room[: block.size]).max() < _INFINITY:
                bits = target.view(np.int32)
                np.copyto(bits, block.view(np.int16))
                np.left_shift(bits, 13, out=bits)
                np.bitwise_and(bits, _ONE_SIGN, out=bits)
                np.multiply(target, _TO_FLOAT, out=target)
            else:
                np.copyto(target, block.view(np.float16))
                finite = finite and bool(np.isfinite(target).all())
    return finite


def _magnitude(halves: Halves, out: Halves) -> Halves:
    """Twice the bits, without the sign."""
    return np.left_shift(halves, 1, out=out)
