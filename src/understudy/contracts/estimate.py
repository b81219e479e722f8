# SPDX-License-Identifier: Apache-2.0
"""What a request would cost."""

from dataclasses import dataclass

from understudy.contracts.jobs import PackPin


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The cost of a request, told before it is sent.

    Attributes:
        pack: The pack that would play, fully pinned.
        device: Where it would run, as far as is known: ``cpu``, ``cuda:0``, or ``auto`` before its first run.
        seconds: On a worker. Measured runs are what they were here, beside whatever else ran.
        seconds_low: Half of all runs lie between low and high. With fewer than four measured runs the band is a guess:
            half and twice; with none, a quarter and four times.
        seconds_high: See ``seconds_low``.
        queue_seconds: Until a worker is free for this caller.
        ram_bytes: Most memory that the run holds, plates included. Computed from sizes and what the bundled packs were
            seen to take; the model's own memory is added where it is known.
        vram_bytes: Memory of the device: what the model is known to hold; 0 on the CPU, and where nothing is known.
        measured_runs: Runs of this pack and device that the seconds rest on; 0 means a rule of thumb.
    """

    pack: PackPin
    device: str
    seconds: float
    seconds_low: float
    seconds_high: float
    queue_seconds: float = 0.0
    ram_bytes: int = 0
    vram_bytes: int = 0
    measured_runs: int = 0
