# SPDX-License-Identifier: Apache-2.0
"""How the plates of a result go back: into the client's memory where they fit, as chunks otherwise."""

from collections.abc import Iterator, Mapping

import numpy as np

from understudy.codec.cores import copy_samples
from understudy.codec.jobs import result_to_pb
from understudy.codec.messages import ResponsePart
from understudy.codec.pixels import chunks, chunks_or_halves
from understudy.codec.plates import ENCODINGS
from understudy.contracts.jobs import RoleResult
from understudy.contracts.plate import Plate
from understudy.service.caller import Caller
from understudy.service.intake import Holding
from understudy.service.regions import ALIGNMENT, Regions, Span
from understudy.wire.understudy.v1 import understudy_pb2 as pb


class Outlet:
    """Sends the result of one call.

    A plate that is one of the request's own, where it lies in shared memory, is answered by its place: the client has
    the pixels.

    Args:
        header: Of the call.
        caller: Whose regions may be written.
        regions: The shared memory.
        sources: Plates of the request in shared memory.
        holding: Takes the part that results are written to.

    Raises:
        UnknownPixelsError: Results are wanted in memory that is not this caller's.
        PlateError: The part is not within its region.
    """

    def __init__(
        self, header: pb.RunHeader, caller: Caller, regions: Regions, sources: Mapping[int, Span], holding: Holding
    ) -> None:
        self._sources = {_address(span.memory): span for span in sources.values()}
        self._target: Span | None = None
        self._halves = pb.PIXEL_ENCODING_FLOAT32_OR_HALF_LE in {*header.encodings} & {*ENCODINGS}
        self.by_transport: dict[str, int] = {}
        """Bytes of pixels by how they went; empty before `answer` ends."""
        if header.HasField("result"):
            place = header.result
            self._target = regions.span(caller, place.region, place.offset, place.capacity // 4 * 4)
            holding.add(self._target.release)

    def answer(self, result: RoleResult, request_id: str, timings: pb.Timings) -> Iterator[ResponsePart]:
        """The header, the pixels that need sending, the end."""
        header = result_to_pb(result, request_id)
        header.timings.CopyFrom(timings)
        used = 0
        sent: list[Plate] = []
        for message, plate in zip(header.plates, result.plates.values(), strict=True):
            source = self._sources.get(_address(plate.pixels))
            if source is not None and source.memory.size == plate.nbytes:
                message.shared.CopyFrom(pb.SharedPixels(region=source.region, offset=source.offset, size=plate.nbytes))
            elif self._target is not None and used + plate.nbytes <= self._target.memory.size:
                target = self._target.memory[used : used + plate.nbytes]
                copy_samples(target.view(np.float32), plate.pixels.reshape(-1))
                message.shared.CopyFrom(
                    pb.SharedPixels(region=self._target.region, offset=self._target.offset + used, size=plate.nbytes)
                )
                used += -(-plate.nbytes // ALIGNMENT) * ALIGNMENT
            else:
                if self._halves:
                    message.encoding = pb.PIXEL_ENCODING_FLOAT32_OR_HALF_LE
                sent.append(plate)
        yield pb.RunResponse(header=header)
        if self._halves:
            yield from (part for plate in sent for _, part in chunks_or_halves(plate))
        else:
            yield from chunks(sent)
        streamed = sum(plate.nbytes for plate in sent)
        yield pb.RunResponse(end=pb.End(size=streamed))
        total = sum(plate.nbytes for plate in result.plates.values())
        self.by_transport = {"stream": streamed, "shared-memory": total - streamed}


def _address(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> int:
    return int(array.__array_interface__["data"][0])
