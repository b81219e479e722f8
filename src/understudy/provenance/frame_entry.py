# SPDX-License-Identifier: Apache-2.0
"""What a record says of one frame: told from its files, and from what was known before it was written."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from understudy.contracts.plate import Plate
from understudy.frames.header import read_header
from understudy.frames.pixel_hash import pixel_hash
from understudy.graph.steps.step import Frame
from understudy.graph.steps.write import WriteStep, Written
from understudy.provenance.hashing import file_hashes
from understudy.provenance.header_facts import header_facts
from understudy.provenance.record import FileHash, FrameEntry, Origin

_STRIDE = 4
"""A frame's low confidence is told from every fourth pixel in both directions."""


@dataclass(slots=True)
class FrameFacts:
    """What is known of a frame before it is written."""

    origin: Origin
    source_type: str
    mean: float | None
    p05: float | None
    nan: int
    inf: int
    machine: str


def low_confidence(plate: Plate) -> float | None:
    """The confidence that a twentieth of the pixels fall short of; None for a plate without any."""
    if "confidence.Y" not in plate.channels:
        return None
    samples = plate.pixels[::_STRIDE, ::_STRIDE, plate.channels.index("confidence.Y")].ravel()
    place = len(samples) // 20
    low = float(np.partition(samples, place)[place])
    return round(low, 6) if math.isfinite(low) else None


def written_entry(job: str, frame: Frame, written: Written, facts: FrameFacts) -> FrameEntry:
    """The entry of a frame that was just written; its files are hashed."""
    hashes = (*written.pixel_hashes, *[""] * len(written.files))
    files = [_file(path, known) for path, known in zip(written.files, hashes, strict=False)]
    return FrameEntry(
        **files[0],
        frame=frame,
        job=job,
        origin=facts.origin,
        source_type=facts.source_type,
        confidence_mean=None if facts.mean is None else round(facts.mean, 6),
        confidence_p05=facts.p05,
        clamped=written.clamped,
        nan=facts.nan,
        inf=facts.inf,
        beside=tuple(FileHash(**file) for file in files[1:]),
    )


def adopted_entry(job: str, frame: Frame, write: WriteStep) -> FrameEntry:
    """The entry of a frame that was found, told from its file."""
    path = write.path(frame)
    file = _file(path, "")
    sidecar = write.sidecar(frame)
    beside = (FileHash(**_file(sidecar, "")),) if sidecar is not None and sidecar.is_file() else ()
    origin = file["header"].get("understudy:origin")
    known: dict[str, Origin] = {"source": "source", "synthesized": "synthesized", "held": "held"}
    return FrameEntry(
        **file,
        frame=frame,
        job=job,
        origin=known.get(str(origin), "source"),
        source_type=str(file["header"].get("understudy:sourceType", "")),
        adopted=True,
        beside=beside,
    )


def _file(path: Path, pixels: str) -> dict[str, Any]:
    hashes = file_hashes(path, listed=True)
    return {
        "file": path.name,
        "size": hashes.size,
        "blake3": hashes.blake3,
        "xxh128": hashes.xxh128,
        "pixels": pixels or pixel_hash(path),
        "header": header_facts(read_header(path)),
    }
