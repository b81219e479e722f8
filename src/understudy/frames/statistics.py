# SPDX-License-Identifier: Apache-2.0
"""Value ranges of a plate, in bands, so that memory stays small."""

from dataclasses import dataclass

import numpy as np

from understudy.contracts.plate import Plate

_BAND_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStatistics:
    """Numbers of one channel.

    Attributes:
        name: Its name.
        minimum: Least value (for ``uint`` channels the integer).
        maximum: Greatest value.
        mean: Mean value, summed in float64.
        over_one: Samples over 1.
        below_zero: Samples below 0.
    """

    name: str
    minimum: float
    maximum: float
    mean: float
    over_one: int
    below_zero: int


def plate_statistics(plate: Plate) -> tuple[ChannelStatistics, ...]:
    """Statistics per channel, in the plate's channel order."""
    count = len(plate.channels)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    total = np.zeros(count)
    over, below = np.zeros(count, np.int64), np.zeros(count, np.int64)
    rows = max(1, _BAND_BYTES // (plate.width * count * 4))
    for top in range(0, plate.height, rows):
        for index, kind in enumerate(plate.sample_types):
            band = np.ascontiguousarray(plate.pixels[top : top + rows, :, index])
            values = band.view(np.uint32) if kind == "uint" else band
            low[index] = min(low[index], values.min())
            high[index] = max(high[index], values.max())
            total[index] += values.sum(dtype=np.float64)
            over[index] += np.count_nonzero(values > 1)
            below[index] += 0 if kind == "uint" else np.count_nonzero(values < 0)
    pixels = plate.width * plate.height
    return tuple(
        ChannelStatistics(
            name=name,
            minimum=float(low[index]),
            maximum=float(high[index]),
            mean=float(total[index] / pixels),
            over_one=int(over[index]),
            below_zero=int(below[index]),
        )
        for index, name in enumerate(plate.channels)
    )
