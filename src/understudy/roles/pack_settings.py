# SPDX-License-Identifier: Apache-2.0
"""How an engine keeps its packs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from understudy.roles.memory import total_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSettings:
    """How long models stay in memory, and how soon changed packs are seen.

    Attributes:
        resident_bytes: Memory that models may hold while nobody uses them; 0 takes half of the machine's, or of the
            container's limit. A model in use is never made to leave, so the budget bounds what is kept, not what runs.
        resident_vram_bytes: The same on each GPU; 0 sets no bound.
        model_vram_bytes: The most that one model may take of a GPU's memory; 0 sets no bound.
        precision: ``float16`` takes the float16 graph of packs that have one: faster on a GPU, and other bytes. The
            report of each job says so.
        idle_unload_s: A model that nobody used for so long leaves memory; 0 lets it stay.
        reload_s: How often a service looks for changed packs; 0: only when it is told to.
        retry_s: How long a pack that did not load is left alone, unless its files change; doubled with each failure.
        allow_python_packs: Take packs that are code (Python and TorchScript) from every place on the search path. When
            false, only those that ship with Understudy and those listed as trusted.
        allow_remote_packs: Let packs that say so be played by models on other servers, to which frames are sent then.
        trusted_python_packs: Packs that are code and trusted by name: ``id``, ``id@version`` or ``id@version#digest``.
        policy: The show policy: packs that it refuses are not loaded, whoever asks. It is read again when the
            file changes, and holds from the next request on. One that is missing or wrong ends the service at its
            start; later, nothing is allowed until it is right. Left out: nothing is refused.
    """

    resident_bytes: Annotated[int, Field(ge=0)] = 0
    resident_vram_bytes: Annotated[int, Field(ge=0)] = 0
    model_vram_bytes: Annotated[int, Field(ge=0)] = 0
    precision: Literal["float32", "float16"] = "float32"
    idle_unload_s: Annotated[float, Field(ge=0)] = 900.0
    reload_s: Annotated[float, Field(ge=0)] = 3.0
    retry_s: Annotated[float, Field(gt=0)] = 5.0
    allow_python_packs: bool = True
    allow_remote_packs: bool = False
    trusted_python_packs: tuple[str, ...] = ()
    policy: Path | None = None

    def shared_by(self, engines: int) -> "PackSettings":
        """The same for each of several engines in one process, so that together they keep to the budget."""
        return replace(self, resident_bytes=max(1, self.memory_budget // engines))

    @property
    def memory_budget(self) -> int:
        """Bytes that models may hold while nobody uses them."""
        return self.resident_bytes or total_bytes() // 2
