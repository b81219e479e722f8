# SPDX-License-Identifier: Apache-2.0
"""What the Open Inference Protocol may do in a service."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceSettings:
    """The Open Inference Protocol.

    Attributes:
        enabled: Serve it, beside the service's own protocol.
        max_message_bytes: Largest message, either way, so the most that the tensors of one request may take inline. It
            holds for the whole port; our own protocol's messages stay below 4 MiB whatever stands here.
        shared_memory: Let clients of this machine and this user pass tensors in system shared memory.
        shared_memory_prefix: How keys of shared memory must begin; empty for any.
        max_regions: Most regions that one caller may have registered.
        max_region_bytes: Most bytes of all registered regions together.
        region_idle_s: A region that was not used for so long is forgotten, seconds.
        unlinked_region_idle_s: The same for a region whose key is gone, as after its client died, seconds.
    """

    enabled: bool = True
    max_message_bytes: Annotated[int, Field(ge=1 << 20, lt=1 << 31)] = 288 << 20  # 8K RGBA half fits
    shared_memory: bool = True
    shared_memory_prefix: str = ""
    max_regions: Annotated[int, Field(ge=1)] = 64
    max_region_bytes: Annotated[int, Field(ge=1)] = 8_192_000_000
    region_idle_s: Annotated[float, Field(gt=0)] = 3600.0
    unlinked_region_idle_s: Annotated[float, Field(gt=0)] = 60.0
