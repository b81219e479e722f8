# SPDX-License-Identifier: Apache-2.0
"""Estimates to the wire and back, and the sizes of a request's plates from its header."""

from understudy.codec.jobs import pin_from_pb, pin_to_pb
from understudy.codec.protocol import MAX_CHANNELS, MAX_PLATES, MAX_SIDE
from understudy.contracts.errors import PlateError, UsageError
from understudy.contracts.estimate import Estimate
from understudy.contracts.workload import PlateSize
from understudy.wire.understudy.v1 import understudy_pb2 as pb


def plate_sizes(header: pb.RunHeader) -> dict[str, PlateSize]:
    """The sizes of a request's plates by name; where their pixels are does not matter.

    Raises:
        PlateError: A size is missing or out of bounds.
        UsageError: There are too many plates.
    """
    if len(header.plates) > MAX_PLATES:
        raise UsageError(f"{len(header.plates)} plates; at most {MAX_PLATES} fit one request")
    sizes: dict[str, PlateSize] = {}
    for plate in header.plates:
        window, channels = plate.data_window, len(plate.channels)
        if not (0 < window.width <= MAX_SIDE and 0 < window.height <= MAX_SIDE and 0 < channels <= MAX_CHANNELS):
            raise PlateError(
                f"{window.width}x{window.height} with {channels} channels; sides of 1 to {MAX_SIDE} pixels and 1 to"
                f" {MAX_CHANNELS} channels fit",
                where=f"plate {plate.name!r}",
            )
        sizes[plate.name] = PlateSize(window.width, window.height, channels)
    return sizes


def estimate_to_pb(estimate: Estimate) -> pb.EstimateResponse:
    """An estimate as a message."""
    return pb.EstimateResponse(
        pack=pin_to_pb(estimate.pack),
        device=estimate.device,
        seconds=estimate.seconds,
        seconds_low=estimate.seconds_low,
        seconds_high=estimate.seconds_high,
        queue_seconds=estimate.queue_seconds,
        ram_bytes=estimate.ram_bytes,
        vram_bytes=estimate.vram_bytes,
        measured_runs=estimate.measured_runs,
    )


def estimate_from_pb(message: pb.EstimateResponse) -> Estimate:
    """An estimate from a message."""
    return Estimate(
        pack=pin_from_pb(message.pack),
        device=message.device,
        seconds=message.seconds,
        seconds_low=message.seconds_low,
        seconds_high=message.seconds_high,
        queue_seconds=message.queue_seconds,
        ram_bytes=message.ram_bytes,
        vram_bytes=message.vram_bytes,
        measured_runs=message.measured_runs,
    )
