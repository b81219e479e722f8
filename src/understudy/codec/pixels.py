# SPDX-License-Identifier: Apache-2.0
"""Pixels of plates to one stream of chunks and back, into memory that is allocated once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
import numpy.typing as npt

from understudy.codec.cores import LARGE, spread
from understudy.codec.finite import all_finite, numeric, require_finite
from understudy.codec.half import Halves, decode_half, encode_half
from understudy.codec.messages import HalfChunk, PixelPart
from understudy.codec.plates import check_plates, plate_from_pb
from understudy.codec.protocol import CHUNK_BYTES
from understudy.contracts.errors import MemoryBudgetError, PlateError
from understudy.contracts.plate import FloatImage, Plate
from understudy.wire.understudy.v1 import understudy_pb2 as pb

_WIRE = np.dtype("<f4")
_CHUNK_SAMPLES = CHUNK_BYTES // 4
Samples = npt.NDArray[np.float32]
"""Pixels of one plate on one axis, contiguous."""


def chunks(plates: Iterable[Plate], size: int = CHUNK_BYTES) -> Iterator[memoryview]:
    """Views of at most ``size`` bytes on the pixels of all plates, one after another; nothing is copied."""
    for plate in plates:
        flat = plate_bytes(plate)
        for start in range(0, len(flat), size):
            yield flat[start : start + size]


def chunks_or_halves(plate: Plate) -> Iterator[tuple[memoryview, PixelPart]]:
    """The pixels of a plate, cut into chunks that travel as halves as long as those are the same pixels.

    Yields:
        The bytes of some float32 samples, and what travels of them.
    """
    flat = plate.pixels.astype(_WIRE, copy=False).reshape(-1)
    exact = True
    for start in range(0, flat.size, LARGE):
        samples = flat[start : start + LARGE]
        halves = np.empty(samples.size if exact else 0, np.uint16)
        exact = exact and all(spread(partial(_encode, samples, halves), samples.size))
        for begin in range(0, samples.size, _CHUNK_SAMPLES):
            part = slice(begin, begin + _CHUNK_SAMPLES)
            data = samples[part].view(np.uint8).data
            yield data, HalfChunk(halves[part].view(np.uint8).data) if exact else data


def _encode(samples: Samples, halves: Halves, part: slice) -> bool:
    return encode_half(samples[part], halves[part])


def plate_bytes(plate: Plate) -> memoryview:
    """The bytes of a plate's pixels as they travel; nothing is copied."""
    return plate.pixels.astype(_WIRE, copy=False).reshape(-1).view(np.uint8).data


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Pixels that need not travel.

    Attributes:
        samples: As many as the plate has.
        finite: Known to be finite.
    """

    samples: Samples
    finite: bool = False


class Receiver:
    """Collects the plates that a header declares: those that come as chunks, and those that are here already.

    Args:
        declared: Descriptions from the header.
        max_bytes: Most bytes of pixels in all; None for any.
        finite: Refuse NaN and infinity where the plate contract has none (all but ``uint`` channels).
        given: Pixels that are here, by position in ``declared``. All others come.

    Raises:
        PlateError: A description is wrong, or two plates have one name.
        MemoryBudgetError: They are larger than ``max_bytes`` together.
    """

    def __init__(
        self,
        declared: Sequence[pb.Plate],
        *,
        max_bytes: int | None = None,
        finite: bool = True,
        given: Mapping[int, Given] | None = None,
    ) -> None:
        self._declared = declared
        self._shapes = check_plates(declared)
        self._given = given or {}
        self._coming = [index for index in range(len(declared)) if index not in self._given]
        for index in self._coming:
            if declared[index].WhichOneof("pixels") == "shared":
                raise PlateError("its pixels are not in the call", where=f"plate {declared[index].name!r}")
        sizes = [4 * prod(shape) for shape in self._shapes]
        self.size = sum(sizes[index] for index in self._coming)
        """Bytes of pixels that come."""
        if max_bytes is not None and sum(sizes) > max_bytes:
            raise MemoryBudgetError(
                f"the plates take {sum(sizes) / 1e6:.0f} MB; the service takes {max_bytes / 1e6:.0f} MB a request",
                fix="send smaller plates, or start the service with a larger --max-request-mb",
            )
        self._finite = finite
        self._plates: dict[int, Plate] = {}
        self._received = 0
        self._filled = self._checked = 0
        self._sound = False
        self._buffer: FloatImage = np.empty((0, 0, 0), _WIRE)
        self._samples: Samples = self._buffer.reshape(-1)
        self._bytes = self._samples.view(np.uint8)
        self._begin_plate()

    def add(self, part: PixelPart) -> None:
        """Takes the next pixels; chunks of float32 may end anywhere, also inside a sample.

        Raises:
            PlateError: There are more bytes than declared, halves where none may be, or samples that are not finite.
            MemoryError: There is no memory for the next plate.
        """
        size = 2 * len(part.data) if isinstance(part, HalfChunk) else len(part)
        if self._received + size > self.size:
            raise PlateError(f"more pixels came than the {self.size} bytes that the header declares")
        self._received += size
        if isinstance(part, HalfChunk):
            self._add_halves(part.data)
        else:
            self._add_bytes(part)

    def _add_bytes(self, chunk: memoryview) -> None:
        while len(chunk):
            taken = min(len(chunk), self._bytes.size - self._filled)
            # Through numpy, which lets other threads run meanwhile.
            self._bytes[self._filled : self._filled + taken] = np.frombuffer(chunk[:taken], np.uint8)
            self._filled += taken
            chunk = chunk[taken:]
            if self._sound:
                self._check()
            if self._filled == self._bytes.size:
                self._complete()

    def _add_halves(self, chunk: memoryview) -> None:
        if len(chunk) % 2:
            raise PlateError("halves of samples end inside one")
        halves = np.frombuffer(chunk, np.uint16) if chunk else np.empty(0, np.uint16)
        halves = np.require(halves, requirements="A")
        while halves.size:
            if self._declared[self._coming[0]].encoding != pb.PIXEL_ENCODING_FLOAT32_OR_HALF_LE or self._filled % 4:
                raise PlateError("halves came where the header declares float32")
            begin = self._filled // 4
            taken = min(halves.size, self._samples.size - begin)
            finite = decode_half(halves[:taken], self._samples[begin : begin + taken])
            self._sound = self._sound and finite
            self._filled += 4 * taken
            self._checked = self._filled // 4
            halves = halves[taken:]
            if self._filled == self._bytes.size:
                self._complete()

    def finish(self) -> dict[str, Plate]:
        """The plates, in the order of the header.

        Raises:
            PlateError: Bytes are missing, or samples that were here already are not finite.
        """
        if self._received != self.size:
            raise PlateError(f"{self._received} bytes of pixels came of the {self.size} that the header declares")
        for index, given in self._given.items():
            plate = plate_from_pb(self._declared[index], given.samples.reshape(self._shapes[index]))
            if self._finite and not (given.finite and numeric(plate)):
                require_finite(self._declared[index].name, plate)
            self._plates[index] = plate
        return {message.name: self._plates[index] for index, message in enumerate(self._declared)}

    def _begin_plate(self) -> None:
        self._filled = self._checked = 0
        self._buffer = np.empty((0, 0, 0), _WIRE)
        self._sound = False
        if self._coming:
            message = self._declared[self._coming[0]]
            self._buffer = np.empty(self._shapes[self._coming[0]], _WIRE)
            self._sound = self._finite and all(c.sample_type != pb.SAMPLE_TYPE_UINT for c in message.channels)
        self._samples = self._buffer.reshape(-1)
        self._bytes = self._samples.view(np.uint8)

    def _check(self) -> None:
        """Looks at the samples that have just come, while they are in the processor's cache."""
        whole = self._filled // 4
        self._sound = all_finite(self._samples[self._checked : whole])
        self._checked = whole

    def _complete(self) -> None:
        index = self._coming.pop(0)
        message = self._declared[index]
        plate = plate_from_pb(message, self._buffer.astype(np.float32, copy=False))
        if self._finite and not self._sound:
            require_finite(message.name, plate)
        self._plates[index] = plate
        self._begin_plate()
