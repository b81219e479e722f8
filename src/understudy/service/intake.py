# SPDX-License-Identifier: Apache-2.0
"""The plates of one call: from shared memory, from what the caller sent before, or as chunks of the call itself."""

import threading
from collections.abc import Callable, Iterator, Sequence

from blake3 import blake3

from understudy.codec.finite import numeric
from understudy.codec.messages import Malformed, PixelPart, RequestPart
from understudy.codec.pixels import Given, Receiver, plate_bytes
from understudy.codec.plates import pixels_size
from understudy.contracts.errors import PlateError, UsageError
from understudy.contracts.plate import Plate
from understudy.service.caller import Caller
from understudy.service.known_plates import KnownPlates
from understudy.service.regions import Regions, Span
from understudy.wire.understudy.v1 import understudy_pb2 as pb


class Holding:
    """What a call holds, to be given back once: when its job has ended, or at once if it has already."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._releases: list[Callable[[], None]] | None = []

    def add(self, release: Callable[[], None]) -> None:
        """Has ``release`` called at the end."""
        with self._lock:
            if self._releases is not None:
                self._releases.append(release)
                return
        release()

    def release(self) -> None:
        """Gives everything back."""
        with self._lock:
            releases, self._releases = self._releases or [], None
        for release in reversed(releases):
            release()


class Intake:
    """Finds or receives the plates that a header declares.

    Args:
        header: Of the call.
        caller: Whose regions and known plates may be used.
        regions: The shared memory.
        known: Plates that were sent before.
        holding: Takes what is in use until the job has ended.
        max_bytes: Most bytes of pixels of one request.

    Raises:
        PlateError: A description is wrong.
        UnknownPixelsError: It names shared memory that is not this caller's.
        MemoryBudgetError: The plates are larger than ``max_bytes`` together.
    """

    def __init__(
        self,
        header: pb.RunHeader,
        caller: Caller,
        regions: Regions,
        known: KnownPlates,
        holding: Holding,
        max_bytes: int,
    ) -> None:
        self._plates: Sequence[pb.Plate] = header.plates
        self._caller = caller
        self._known = known
        self._holding = holding
        given: dict[int, Given] = {}
        wanted: list[int] = []
        self.shared: dict[int, Span] = {}
        """Plates in shared memory, by position."""
        for index, plate in enumerate(header.plates):
            match plate.WhichOneof("pixels"):
                case "shared":
                    span = regions.span(caller, plate.shared.region, plate.shared.offset, plate.shared.size)
                    holding.add(span.release)
                    self.shared[index] = span
                    given[index] = Given(samples=span.samples)
                case "hashed":
                    found = known.find(caller.name, plate.hashed.blake3, plate.hashed.size)
                    if found is None:
                        wanted.append(index)
                    else:
                        holding.add(found.release)
                        given[index] = Given(samples=found.samples, finite=found.finite)
        self._receiver = Receiver(header.plates, max_bytes=max_bytes, given=given)
        self._coming = [index for index in range(len(header.plates)) if index not in given]
        self._digests: list[bytes] = []
        self.answer = (
            pb.RunResponse(wanted=pb.Wanted(plates=wanted))
            if any(plate.WhichOneof("pixels") == "hashed" for plate in header.plates)
            else None
        )
        """What to say to a header that names plates by their hash."""

    @property
    def size(self) -> int:
        """Bytes of pixels that come as chunks."""
        return self._receiver.size

    @property
    def total(self) -> int:
        """Bytes of pixels in all."""
        return sum(pixels_size(plate) for plate in self._plates)

    @property
    def by_transport(self) -> dict[str, int]:
        """Bytes of pixels by how they come."""
        shared = sum(pixels_size(self._plates[index]) for index in self.shared)
        return {"stream": self.size, "shared-memory": shared, "known": self.total - self.size - shared}

    def receive(self, requests: Iterator[RequestPart | Malformed]) -> dict[str, Plate]:
        """Reads the rest of the call.

        Returns:
            The plates by name, in the order of the header.

        Raises:
            UsageError: Other things come than pixels and an end.
            PlateError: Pixels are missing, too many or not finite.
        """
        for part in requests:
            if isinstance(part, PixelPart):
                self._receiver.add(part)
            elif isinstance(part, pb.RunRequest) and part.WhichOneof("part") == "end":
                if part.end.size != self.size:
                    raise UsageError(f"the call ends after {part.end.size} bytes and its header declares {self.size}")
                self._digests = list(part.end.blake3)
                return self._receiver.finish()
            else:
                raise UsageError(f"only pixels and an end may follow the header{reason(part)}")
        raise UsageError("the call breaks off before its end")

    def keep(self, plates: Sequence[Plate]) -> int:
        """Makes the plates that came known under their hash, where the client gave one.

        Hashes are computed here: one that is wrong can't name other pixels.

        Args:
            plates: All of the request, in the order of the header.

        Returns:
            Bytes that count for the known plates from now on.

        Raises:
            PlateError: Pixels changed on the way: they have another hash than the client says.
        """
        kept = 0
        for position, index in enumerate(self._coming):
            claimed = self._digests[position] if position < len(self._digests) else b""
            claimed = claimed or self._declared_digest(index)
            if not claimed:
                continue
            plate = plates[index]
            data = plate_bytes(plate)
            digest = blake3(data).digest()
            if digest != claimed:
                raise PlateError("its pixels have another hash than the client says", where=f"plate {plate.label}")
            found = self._known.keep(self._caller.name, digest, plate.pixels.reshape(-1), finite=numeric(plate))
            if found is not None:
                self._holding.add(found.release)
                kept += len(data)
        return kept

    def _declared_digest(self, index: int) -> bytes:
        plate = self._plates[index]
        return plate.hashed.blake3 if plate.WhichOneof("pixels") == "hashed" else plate.inline.blake3


def reason(part: RequestPart | Malformed | None) -> str:
    """Why a part can't be read, to end a sentence with."""
    return f": {part.reason}" if isinstance(part, Malformed) else ""
