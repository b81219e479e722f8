# SPDX-License-Identifier: Apache-2.0
"""Whether pixels are numbers, at the speed of reading them."""

import numpy as np
import numpy.typing as npt

from understudy.contracts.errors import PlateError
from understudy.contracts.plate import Plate

_BLOCK = 1 << 16
_ROW = 4096
_WEIGHTS = np.full(_ROW, 2.0**-14, np.float32)
_LARGE = 1 << 21
"""Samples from which a product over all of them pays: it is spread over the cores."""


def all_finite(samples: npt.NDArray[np.float32]) -> bool:
    """Whether no sample is NaN or infinite.

    Many samples are multiplied by a small weight and summed 4096 at a time, which the linear algebra library does in
    one pass on all cores. Finite samples can't overflow there (at most 4096 / 2^14 times the largest float); NaN and
    infinity can't vanish.

    Args:
        samples: One axis, contiguous.
    """
    rows = samples.size // _ROW if samples.size >= _LARGE else 0
    if rows:
        with np.errstate(invalid="ignore", over="ignore"):
            sums = samples[: rows * _ROW].reshape(rows, _ROW) @ _WEIGHTS
        if not np.isfinite(sums).all():
            return False
    rest = samples[rows * _ROW :]
    return all(np.isfinite(rest[start : start + _BLOCK]).all() for start in range(0, rest.size, _BLOCK))


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
