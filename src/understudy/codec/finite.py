# SPDX-License-Identifier: Apache-2.0
"""Whether pixels are numbers, at the speed of reading them."""

import numpy as np
import numpy.typing as npt

from understudy.codec.cores import LARGE, spread
from understudy.contracts.errors import PlateError
from understudy.contracts.plate import Plate

_BLOCK = 1 << 16
_SUMMED = 1 << 20


def all_finite(samples: npt.NDArray[np.float32]) -> bool:
    """Whether no sample is NaN or infinite.

    Many samples are summed a million at a time, on several cores: reading them once is all that takes. NaN and infinity
    can't vanish from a sum; a sum of finite samples may overflow, and then they are looked at one by one.

    Args:
        samples: One axis, contiguous.
    """
    if samples.size < LARGE:
        return _each_finite(samples)
    return all(spread(lambda part: _sums_finite(samples[part]), samples.size))


def _sums_finite(samples: npt.NDArray[np.float32]) -> bool:
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, samples.size, _SUMMED):
            block = samples[start : start + _SUMMED]
            # Not np.sum: its pairwise order costs more than the reading. Not a product with ones: the linear algebra
            # library's threads keep the other cores busy for a while after it.
            if not np.isfinite(np.einsum("i->", block)) and not _each_finite(block):
                return False
    return True


def _each_finite(samples: npt.NDArray[np.float32]) -> bool:
    return all(np.isfinite(samples[start : start + _BLOCK]).all() for start in range(0, samples.size, _BLOCK))


def numeric(plate: Plate) -> bool:
    """Whether every channel holds numbers; a ``uint`` channel holds bits that may look like anything."""
    return "uint" not in plate.sample_types


def require_finite(name: str, plate: Plate) -> None:
    """Refuses a plate with NaN or infinity in channels that are numbers.

    Raises:
        PlateError: There is such a sample; the first one is named.
    """
    if numeric(plate) and all_finite(plate.pixels.reshape(-1)):
        return
    bits = [index for index, kind in enumerate(plate.sample_types) if kind == "uint"]
    rows = max(1, (_BLOCK << 4) // (plate.width * len(plate.channels)))
    for top in range(0, plate.height, rows):
        finite = np.isfinite(plate.pixels[top : top + rows])
        finite[..., bits] = True
        if not finite.all():
            y, x, channel = (int(i) for i in np.argwhere(~finite)[0])
            raise PlateError(
                f"channel {plate.channels[channel]} is {plate.pixels[top + y, x, channel]} at pixel"
                f" {plate.data_window.x + x}, {plate.data_window.y + top + y}",
                where=f"plate {name!r}, {plate.label}",
                fix="replace NaN and infinity before sending; understudy's own readers do and count them",
            )
