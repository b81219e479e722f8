# SPDX-License-Identifier: Apache-2.0
"""How much one service takes on."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from understudy.contracts.cores import available_cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that keep a service on its feet.

    Attributes:
        workers: Jobs that run at once on each device; 0 shares one per core among the devices.
        max_requests: Run calls that are open at once, running or waiting; further ones are told to try again.
        max_request_bytes: Most bytes of pixels that one request may bring.
        max_total_bytes: Most bytes of pixels that open requests hold together; further ones wait, pixels unread.
        max_run_s: Longest time a call may last, seconds, whatever deadline its client sets.
        drain_s: How long running jobs may still take once the service stops, seconds.
    """

    workers: Annotated[int, Field(ge=0)] = 0
    max_requests: Annotated[int, Field(ge=1)] = 64
    max_request_bytes: Annotated[int, Field(ge=1)] = 4_096_000_000
    max_total_bytes: Annotated[int, Field(ge=1)] = 8_192_000_000
    max_run_s: Annotated[float, Field(gt=0)] = 6 * 3600.0
    drain_s: Annotated[float, Field(ge=0)] = 30.0

    def workers_on(self, devices: int) -> int:
        """Jobs that run at once on each device.

        Args:
            devices: How many there are.
        """
        return self.workers or max(1, available_cores() // devices)
