# SPDX-License-Identifier: Apache-2.0
"""Follows a job of a record from its write node back to the plate it was made from."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from understudy.provenance.job import InputEntry, Job

_SAME_PIXELS = {"read", "write", "interpolate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The way of the main picture.

    Attributes:
        plate: The input that it comes from; None where the record does not say.
        types: Types of the nodes on the way, from the write node back.
        scale: How much larger it is than the plate.
    """

    plate: InputEntry | None
    types: tuple[str, ...]
    scale: Fraction

    @property
    def passes_frames_through(self) -> bool:
        """A frame of the plate that it keeps has the plate's very pixels: a retime and nothing else."""
        return set(self.types) <= _SAME_PIXELS and self.scale == 1

    @property
    def retimes(self) -> bool:
        """There is a retime on the way."""
        return "interpolate" in self.types

    def files(self) -> dict[int | None, Path]:
        """The plate's files that were read, by frame."""
        if self.plate is None:
            return {}
        return {file.frame: input_path(self.plate.pattern, file.file) for file in self.plate.files}


def lineage_of(job: Job, node: str) -> Lineage:
    """The way of the main picture of a write node.

    Args:
        job: One job of a record.
        node: Name of the write node.
    """
    nodes = job.graph.document.get("nodes", {})
    inputs = {(entry.node, entry.kind): entry for entry in job.inputs}
    types: list[str] = []
    scale = Fraction(1)
    seen: set[str] = set()
    while isinstance(fields := nodes.get(node), dict) and node not in seen:
        seen.add(node)
        types.append(str(fields.get("type", "")))
        if types[-1] == "upscale":
            scale *= Fraction(str(fields.get("scale", 2)))
        if types[-1] == "read":
            break
        node = str(fields.get("input", ""))
    return Lineage(plate=inputs.get((node, "picture")), types=tuple(types), scale=scale)


def input_path(pattern: str, file: str) -> Path:
    """Where a file of an input lies."""
    return Path(pattern).parent / file
