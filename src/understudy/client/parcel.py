# SPDX-License-Identifier: Apache-2.0
"""The pixels of one call: where the client puts them, and how it finds those of the answer."""

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from blake3 import blake3

from understudy.client.region import ALIGNMENT, FIRST_BYTE, Region, aligned
from understudy.client.sent_plates import SentPlates, is_frozen
from understudy.client.shared_memory import SharedMemory
from understudy.codec.cores import copy_samples
from understudy.codec.messages import PixelPart, RequestPart
from understudy.codec.pixels import Given, Receiver, Samples, chunks, chunks_or_halves
from understudy.codec.plates import pixels_size
from understudy.contracts.errors import PlateError
from understudy.contracts.jobs import RoleRequest
from understudy.contracts.plate import Plate
from understudy.wire.understudy.v1 import understudy_pb2 as pb

SMALL_BYTES = 64 << 10
"""Plates below it travel as chunks, always: naming them would cost as much."""

LEND_BYTES = 1 << 20
"""Results of at least so many bytes are handed out where the service wrote them; smaller ones are copied."""


class Parcel:
    """One attempt of a request. A context manager: on leaving it, the memory it used is given back.

    Args:
        header: Of the request; it stays as it is.
        request: The request.
        sent: Plates whose hashes the service may know.
        memory: Where plates are put that the service reads in place; None sends them.
        room: Bytes to keep for results in shared memory.
        timeout_s: Longest wait for the service to take on memory.
        halves: The service takes pixels as halves.

    Raises:
        NotSharedError: The service takes no more memory.
    """

    def __init__(
        self,
        header: pb.RunHeader,
        request: RoleRequest,
        sent: SentPlates,
        memory: SharedMemory | None,
        room: int,
        timeout_s: float,
        *,
        halves: bool = False,
    ) -> None:
        self._timeout_s = timeout_s
        self.header = pb.RunHeader()
        self.header.CopyFrom(header)
        self._halves = halves
        self._plates = list(request.plates.values())
        self._sent = sent
        self._memory = memory
        self._taken: list[Region] = []
        self._target: Region | None = None
        self._places: dict[tuple[str, int], Plate] = {}
        self._answered = threading.Event()
        self._wanted: frozenset[int] = frozenset()
        self.result_bytes = 0
        """Bytes of the result's pixels, once it came."""
        try:
            if memory is None:
                self._name_known()
            else:
                self._share(memory, room)
            for message in self.header.plates if halves else ():
                if message.WhichOneof("pixels") != "shared":
                    message.encoding = pb.PIXEL_ENCODING_FLOAT32_OR_HALF_LE
        except BaseException:
            self._give_back()
            raise

    def parts(self) -> Iterator[RequestPart]:
        """What the client sends: the header, the pixels that the service does not have, the end."""
        yield pb.RunRequest(header=self.header)
        kinds = [plate.WhichOneof("pixels") for plate in self.header.plates]
        if "hashed" in kinds:
            self._answered.wait()
        size, digests = 0, []
        for index, plate in enumerate(self._plates):
            if kinds[index] == "shared" or (kinds[index] == "hashed" and index not in self._wanted):
                continue
            size += plate.nbytes
            if kinds[index] == "hashed":
                yield from (part for _, part in self._chunks(plate))
                digests.append(self.header.plates[index].hashed.blake3)
            elif self._memory is None and plate.nbytes >= SMALL_BYTES and is_frozen(plate.pixels):
                digest = blake3()
                for data, part in self._chunks(plate):
                    digest.update(data)  # the chunk is in the cache for gRPC to copy
                    yield part
                digests.append(digest.digest())
                self._sent.remember(plate, digests[-1])
            else:
                yield from (part for _, part in self._chunks(plate))
                digests.append(b"")
        yield pb.RunRequest(end=pb.End(size=size, blake3=digests))

    def want(self, wanted: pb.Wanted) -> None:
        """The service has said which named plates it does not have."""
        self._wanted = frozenset(wanted.plates)
        self._answered.set()

    def receiver(self, header: pb.ResultHeader) -> Receiver:
        """What collects the pixels of the answer.

        Raises:
            PlateError: The answer is wrong.
        """
        given: dict[int, Given] = {}
        sizes = [pixels_size(plate) for plate in header.plates]
        self.result_bytes = sum(sizes)
        placed = [plate.shared for plate in header.plates if plate.WhichOneof("pixels") == "shared"]
        lend = sum(place.size for place in placed) >= LEND_BYTES
        for index, plate in enumerate(header.plates):
            match plate.WhichOneof("pixels"):
                case "shared":
                    given[index] = Given(samples=self._find(plate.shared, lend=lend))
                case "hashed":
                    raise PlateError("its pixels are not in the call", where=f"plate {plate.name!r}")
        return Receiver(header.plates, finite=False, given=given)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answered.set()
        if kind is not None and self._target is not None:
            self._target.reusable = False  # the service may be about to write there
        self._give_back()

    def _chunks(self, plate: Plate) -> Iterator[tuple[memoryview, PixelPart]]:
        if self._halves:
            return chunks_or_halves(plate)
        return ((chunk, chunk) for chunk in chunks([plate]))

    def _name_known(self) -> None:
        for message, plate in zip(self.header.plates, self._plates, strict=True):
            digest = self._sent.digest(plate)
            if digest is not None:
                message.hashed.CopyFrom(pb.HashedPixels(size=plate.nbytes, blake3=digest))

    def _share(self, memory: SharedMemory, room: int) -> None:
        copied = []
        for message, plate in zip(self.header.plates, self._plates, strict=True):
            place = memory.place_of(plate.pixels)
            if place is not None and place[1] % ALIGNMENT == 0:
                self._name_place(message, plate, *place)
            elif plate.nbytes >= SMALL_BYTES:
                copied.append((message, plate))
        inputs = self._take(memory, sum(aligned(plate.nbytes) for _, plate in copied))
        offset = FIRST_BYTE
        for message, plate in copied if inputs is not None else ():
            assert inputs is not None
            copy_samples(inputs.samples(offset, plate.nbytes), plate.pixels.reshape(-1))
            self._name_place(message, plate, inputs, offset)
            offset += aligned(plate.nbytes)
        self._target = self._take(memory, room if room >= SMALL_BYTES else 0)
        if self._target is not None:
            self.header.result.CopyFrom(
                pb.Placement(region=self._target.name, offset=FIRST_BYTE, capacity=self._target.capacity)
            )

    def _take(self, memory: SharedMemory, size: int) -> Region | None:
        region = memory.take(size, self._timeout_s) if size else None
        if region is not None:
            self._taken.append(region)
        return region

    def _name_place(self, message: pb.Plate, plate: Plate, region: Region, offset: int) -> None:
        message.shared.CopyFrom(pb.SharedPixels(region=region.name, offset=offset, size=plate.nbytes))
        self._places[region.name, offset] = plate

    def _find(self, place: pb.SharedPixels, *, lend: bool) -> Samples:
        own = self._places.get((place.region, place.offset))
        if own is not None and own.nbytes == place.size:
            return own.pixels.reshape(-1)  # the service returns a plate of the request as it is
        target, memory = self._target, self._memory
        if target is None or memory is None or target.name != place.region:
            raise PlateError("its pixels lie in memory that was not offered for them")
        end = place.offset + place.size
        if place.offset < FIRST_BYTE or place.offset % 4 or place.size % 4 or end > target.size:
            raise PlateError("its pixels lie outside the memory that was offered for them")
        if lend:
            return memory.lend(target, place.offset, place.size)
        return target.samples(place.offset, place.size).copy()

    def _give_back(self) -> None:
        for region in self._taken:
            assert self._memory is not None
            self._memory.give(region)
        self._taken.clear()


def likely_result_bytes(request: RoleRequest) -> int:
    """Room for a result before the first one of its kind has come."""
    from understudy.contracts.jobs import InterpolateParams, UpscaleParams

    largest = max((plate.nbytes for plate in request.plates.values()), default=0)
    match request.params:
        case UpscaleParams(scale=scale):
            return int(largest * scale * scale * 5 / 4) + SMALL_BYTES
        case InterpolateParams(outputs=outputs):
            return len(outputs) * largest * 5 // 4 + SMALL_BYTES
        case _:
            return 2 * largest + SMALL_BYTES
