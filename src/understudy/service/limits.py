# SPDX-License-Identifier: Apache-2.0
"""How much one service takes on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from understudy.contracts.cores import available_cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that keep a service on its feet.

    Attributes:
        workers: Jobs that run at once on each device; 0 shares one per core among the devices.
        max_requests: Run calls that are open at once, running or waiting; further ones are told to try again.
        max_requests_per_user: Of these, how many one user may have open; 0 takes three quarters, so that there is
            always room for somebody else. Callers that nothing tells apart are not counted.
        max_request_bytes: Most bytes of pixels that one request may bring.
        max_result_bytes: Most bytes of pixels that one result may have; known before work begins.
        max_total_bytes: Most bytes of pixels that open requests hold together, those of results to come included;
            further ones wait, pixels unread.
        max_silence_s: How long a client may send nothing in the middle of its request, seconds.
        max_run_s: Longest time a call may last, seconds, whatever deadline its client sets.
        drain_s: How long running jobs may still take once the service stops, seconds.
        max_share_sessions: Clients that share memory at once; further ones send their pixels. Each holds a thread.
        max_caller_regions: Regions that one caller shares at once.
        max_caller_region_bytes: Most bytes of them.
        max_regions: Regions that all callers share at once.
        max_region_bytes: Most bytes of them.
        known_plate_bytes: Memory for plates that were sent before, so that they need not be sent again; 0 keeps none.
    """

    workers: Annotated[int, Field(ge=0)] = 0
    max_requests: Annotated[int, Field(ge=1)] = 64
    max_requests_per_user: Annotated[int, Field(ge=0)] = 0
    max_request_bytes: Annotated[int, Field(ge=1)] = 4_096_000_000
    max_result_bytes: Annotated[int, Field(ge=1)] = 16_384_000_000
    max_total_bytes: Annotated[int, Field(ge=1)] = 8_192_000_000
    max_silence_s: Annotated[float, Field(gt=0)] = 300.0
    max_run_s: Annotated[float, Field(gt=0)] = 6 * 3600.0
    drain_s: Annotated[float, Field(ge=0)] = 30.0
    max_share_sessions: Annotated[int, Field(ge=0)] = 32
    max_caller_regions: Annotated[int, Field(ge=1)] = 256
    max_caller_region_bytes: Annotated[int, Field(ge=1)] = 32_000_000_000
    max_regions: Annotated[int, Field(ge=1)] = 1024
    max_region_bytes: Annotated[int, Field(ge=1)] = 64_000_000_000
    known_plate_bytes: Annotated[int, Field(ge=0)] = 1_000_000_000

    @property
    def requests_per_user(self) -> int:
        """Requests that one user may have open."""
        return self.max_requests_per_user or -(-3 * self.max_requests // 4)

    def workers_on(self, devices: int) -> int:
        """Jobs that run at once on each device.

        Args:
            devices: How many there are.
        """
        return self.workers or max(1, available_cores() // devices)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """How waiting jobs are put in order, and what is remembered of those that ran.

    Attributes:
        aging_s: How long a class of jobs (normal, batch) waits for more urgent ones without a single start, seconds;
            then it gets the next worker.
        remember_costs: Keep how long jobs took from one run of the service to the next, for estimates.
        costs_file: Where; in the user's cache folder when left out.
    """

    aging_s: Annotated[float, Field(ge=0)] = 60.0
    remember_costs: bool = True
    costs_file: Path | None = None
