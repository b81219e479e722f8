# SPDX-License-Identifier: Apache-2.0
"""Pixels of plates to one stream of chunks and back, into memory that is allocated once."""

from collections.abc import Iterable, Iterator, Sequence
from math import prod

import numpy as np

from understudy.codec.plates import check_plate, plate_from_pb
from understudy.codec.protocol import CHUNK_BYTES, MAX_PLATES
from understudy.contracts.errors import MemoryBudgetError, PlateError
from understudy.contracts.plate import Plate
from understudy.wire.understudy.v1 import understudy_pb2 as pb

_WIRE = np.dtype("<f4")
_CHECK_SAMPLES = 1 << 20


def chunks(plates: Iterable[Plate], size: int = CHUNK_BYTES) -> Iterator[memoryview]:
    """Views of at most ``size`` bytes on the pixels of all plates, one after another; nothing is copied."""
    for plate in plates:
        flat = plate.pixels.astype(_WIRE, copy=False).reshape(-1).view(np.uint8).data
        for start in range(0, len(flat), size):
            yield flat[start : start + size]


class Receiver:
    """Collects the chunks of the plates that a header declares.

    Args:
        declared: Descriptions from the header.
        max_bytes: Most bytes of pixels in all; None for any.
        finite: Refuse NaN and infinity where the plate contract has none (all but ``uint`` channels).

    Raises:
        PlateError: A description is wrong, or two plates have one name.
        MemoryBudgetError: They are larger than ``max_bytes`` together.
    """

    def __init__(self, declared: Sequence[pb.Plate], *, max_bytes: int | None = None, finite: bool = True) -> None:
        if len(declared) > MAX_PLATES:
            raise PlateError(f"{len(declared)} plates in one request; at most {MAX_PLATES} fit")
        self._declared = declared
        self._shapes = [check_plate(message) for message in declared]
        names = [message.name for message in declared]
        if len(set(names)) != len(names):
            raise PlateError(f"plate names repeat: {', '.join(names)}")
        self.size = 4 * sum(prod(shape) for shape in self._shapes)
        """Bytes of pixels in all."""
        if max_bytes is not None and self.size > max_bytes:
            raise MemoryBudgetError(
                f"the plates take {self.size / 1e6:.0f} MB; the service takes {max_bytes / 1e6:.0f} MB a request",
                fix="send smaller plates, or start the service with a larger --max-request-mb",
            )
        self._finite = finite
        self._plates: dict[str, Plate] = {}
        self._received = 0
        self._buffer = self._allocate()
        self._filled = 0

    def add(self, chunk: memoryview) -> None:
        """Takes the next bytes; chunks may end anywhere, also inside a sample.

        Raises:
            PlateError: There are more bytes than declared, or samples that are not finite.
            MemoryError: There is no memory for the next plate.
        """
        if self._received + len(chunk) > self.size:
            raise PlateError(f"more pixels came than the {self.size} bytes that the header declares")
        self._received += len(chunk)
        while len(chunk):
            taken = min(len(chunk), len(self._view) - self._filled)
            self._view[self._filled : self._filled + taken] = chunk[:taken]
            self._filled += taken
            chunk = chunk[taken:]
            if self._filled == len(self._view):
                self._complete()

    def finish(self) -> dict[str, Plate]:
        """The plates, in the order of the header.

        Raises:
            PlateError: Bytes are missing.
        """
        if self._received != self.size:
            raise PlateError(f"{self._received} bytes of pixels came of the {self.size} that the header declares")
        return self._plates

    def _allocate(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        index = len(self._plates)
        shape = self._shapes[index] if index < len(self._shapes) else (0, 0, 0)
        pixels = np.empty(shape, _WIRE)
        self._view = pixels.reshape(-1).view(np.uint8).data
        self._filled = 0
        return pixels

    def _complete(self) -> None:
        message = self._declared[len(self._plates)]
        plate = plate_from_pb(message, self._buffer.astype(np.float32, copy=False))
        if self._finite:
            require_finite(message.name, plate)
        self._plates[message.name] = plate
        self._buffer = self._allocate()


def require_finite(name: str, plate: Plate) -> None:
    """Refuses a plate with NaN or infinity in channels that are numbers.

    Raises:
        PlateError: There is such a sample; the first one is named.
    """
    numbers = [index for index, kind in enumerate(plate.sample_types) if kind != "uint"]
    every = len(numbers) == len(plate.channels)
    rows = max(1, _CHECK_SAMPLES // (plate.width * len(plate.channels)))
    for top in range(0, plate.height, rows):
        block = plate.pixels[top : top + rows] if every else plate.pixels[top : top + rows, :, numbers]
        finite = np.isfinite(block)
        if not finite.all():
            y, x, channel = (int(i) for i in np.argwhere(~finite)[0])
            raise PlateError(
                f"channel {plate.channels[numbers[channel]]} is {block[y, x, channel]} at pixel"
                f" {plate.data_window.x + x}, {plate.data_window.y + top + y}",
                where=f"plate {name!r}, {plate.label}",
                fix="replace NaN and infinity before sending; understudy's own readers do and count them",
            )
