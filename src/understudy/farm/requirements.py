# SPDX-License-Identifier: Apache-2.0
"""What a task asks of its machine and how long it may take, from an estimate of the job."""

import math
from dataclasses import dataclass
from typing import Any

from understudy.graph.job_estimate import JobEstimate

_MIB = 1024 * 1024
_SERVICE_BYTES = 512 * _MIB
"""The local service is a second process beside the one that reads and writes."""

_SLACK = 4
"""How much longer than the estimate's upper end a task may take: other machines are slower, and disks busy."""

_START_S = 600
"""What a task gets beside its frames, such as for files that come from far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a task needs.

    Attributes:
        cores: Processor cores at least.
        ram_bytes: Memory at least; 0 where nobody knows.
        vram_bytes: Memory of a GPU at least; 0 for no GPU.
        seconds_per_frame: The most that a frame is thought to take on a machine with these cores; 0 where nobody knows.
    """

    cores: int
    ram_bytes: int = 0
    vram_bytes: int = 0
    seconds_per_frame: float = 0.0

    def host_requirements(self) -> dict[str, Any]:
        """As OpenJD's ``hostRequirements``; memory in MiB."""
        amounts: list[dict[str, Any]] = [{"name": "amount.worker.vcpu", "min": self.cores}]
        if self.ram_bytes:
            amounts.append({"name": "amount.worker.memory", "min": math.ceil(self.ram_bytes / _MIB)})
        if self.vram_bytes:
            amounts.append({"name": "amount.worker.gpu", "min": 1})
            amounts.append({"name": "amount.worker.gpu.memory", "min": math.ceil(self.vram_bytes / _MIB)})
        return {"amounts": amounts}

    def timeout_s(self, frames: int, target_s: int) -> int:
        """Seconds after which a task is thought to hang; 0 where nobody knows.

        Args:
            frames: Most frames of a chunk, where its size is fixed.
            target_s: What a chunk of adaptive size is to take; 0 for a fixed size.
        """
        if not self.seconds_per_frame:
            return 0
        # A frame may take longer than what a chunk is to take; then the chunk is that frame.
        expected = max(self.seconds_per_frame * frames, target_s)
        return math.ceil(_START_S + _SLACK * expected)


def requirements_of(estimate: JobEstimate, *, cores: int, cores_here: int) -> Requirements:
    """What the tasks of a job need.

    Args:
        estimate: Of the job, on this machine.
        cores: What a task is to have.
        cores_here: What the estimate was for. On fewer a frame takes so much longer at most.
    """
    slower = max(1.0, cores_here / cores)
    return Requirements(
        cores=cores,
        ram_bytes=estimate.ram_bytes + _SERVICE_BYTES if estimate.ram_bytes else 0,
        vram_bytes=estimate.vram_bytes,
        seconds_per_frame=estimate.seconds_per_frame.high * slower,
    )
