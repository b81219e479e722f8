# SPDX-License-Identifier: Apache-2.0
"""The provenance record, schema ``understudy.record/1``: what was made of what, for one range of frames.

One JSON file beside the frames of a write node. What a job says of itself stands under ``jobs``; what is true of one
frame stands with the frame; ``runs`` and ``quality`` are computed from the frames and never merged.
"""

import uuid
from collections.abc import Iterable
from statistics import fmean
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from understudy.contracts.shot_rights import ShotRights
from understudy.frames.sequence import format_frames
from understudy.provenance.job import Digest, Job

SCHEMA = "understudy.record/1"

Origin = Literal["source", "synthesized", "held"]
_NAMESPACE = uuid.UUID("9a6f6b0e-52d4-5d5c-9f3f-6f1f0c6f3c11")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Generator(_Part):
    """The program that wrote the record.

    Attributes:
        name: Always ``understudy``.
        version: Its version.
    """

    name: str = "understudy"
    version: str


class Sequence(_Part):
    """The pictures as a sequence.

    Attributes:
        node: Name of the write node.
        pattern: Name of the files, ``sh010.%04d.exr``; they lie beside the record. Of a still, its name.
        content: ``picture``, or ``data`` such as vectors.
        frames: The frames that were to be made, as a range; empty for a still.
        first: The first of them.
        last: The last of them.
        step: Distance between neighbors; none where it varies.
        handles: How many of them at each end are handles.
        fps: Frames per second, where known: ``24000/1001``.
    """

    node: str
    pattern: str = Field(min_length=1)
    content: Literal["picture", "data"] = "picture"
    frames: str = ""
    first: int | None = None
    last: int | None = None
    step: int | None = None
    handles: int = Field(0, ge=0)
    fps: str = ""


class FileHash(_Part):
    """A file, by name and content.

    Attributes:
        file: Name, relative to the record.
        size: Bytes.
        blake3: BLAKE3 of the file, 256 bits.
        xxh128: XXH3 of the file, 128 bits, for the ASC MHL hash list, which knows no BLAKE3.
        pixels: BLAKE3 of its decoded samples (see the concept page): the same after recompression or a header edit.
        header: What its header says, where it is not what the record's ``header`` says of all files.
    """

    file: str = Field(min_length=1)
    size: int = Field(ge=0)
    blake3: Digest
    xxh128: str = Field(pattern=r"^[0-9a-f]{32}$")
    pixels: Digest
    header: dict[str, Any] = {}


class FrameEntry(FileHash):
    """One frame.

    Attributes:
        frame: Absolute frame number; none for a still.
        job: The job that made it, a key of ``jobs``.
        origin: ``source`` stands for a frame of the input, ``synthesized`` lies between two, ``held`` stands in for
            another.
        source_type: IPTC digital source type of the frame, a URI; empty where nothing but reading, color and writing
            was done to a frame that says nothing of itself.
        confidence_mean: Mean confidence of its pixels; none where no pack gave one.
        confidence_p05: A twentieth of its pixels (of every fourth in both directions) have less confidence than this.
        clamped: Samples that its type could not hold.
        nan: NaN in what it was made from; they became 0.
        inf: Infinite values in what it was made from; they became ±65504.
        adopted: A later render found it without an entry; its hashes were taken then, not when it was made.
        beside: Files with layers that its container can't hold.
    """

    frame: int | None = None
    job: Digest
    origin: Origin = "source"
    source_type: str = ""
    confidence_mean: float | None = None
    confidence_p05: float | None = None
    clamped: int = Field(0, ge=0)
    nan: int = Field(0, ge=0)
    inf: int = Field(0, ge=0)
    adopted: bool = False
    beside: tuple[FileHash, ...] = ()


class Run(_Part):
    """Frames that were made in one way; computed from the frames.

    Attributes:
        frames: The frames, as a range such as ``1001-1099x2``; empty for a still.
        first: The first of them.
        last: The last of them.
        count: How many they are.
        job: The job that made them.
        origin: As of each frame.
        source_type: As of each frame.
        confidence_mean: Mean of the frames' means.
        confidence_p05: The lowest of theirs.
    """

    frames: str
    first: int | None
    last: int | None
    count: int
    job: Digest
    origin: Origin
    source_type: str
    confidence_mean: float | None
    confidence_p05: float | None


class Quality(_Part):
    """Self-evaluation over all frames; computed from the frames.

    Attributes:
        frames: Frames that have an entry.
        synthesized: How many of them lie between two frames of the input.
        held: How many of them stand in for another.
        confidence_mean: Mean of the frames' means.
        confidence_p05: The lowest of theirs.
        clamped: Samples that the files' type could not hold.
        nan: NaN in what was read.
        inf: Infinite values in what was read.
    """

    frames: int = 0
    synthesized: int = 0
    held: int = 0
    confidence_mean: float | None = None
    confidence_p05: float | None = None
    clamped: int = 0
    nan: int = 0
    inf: int = 0


class Record(_Part):
    """The whole record.

    Attributes:
        schema_: Always ``understudy.record/1`` (written ``schema``).
        id: UUID, as in ``understudy:recordId`` of every frame; made from the first job and the node, kept by merges.
        created: When it was begun, UTC.
        updated: When it was last written, UTC.
        generator: The program that wrote it.
        sequence: The pictures.
        source_type: IPTC digital source type of the whole; empty for none.
        draft: Some of the frames are drafts, or made of drafts.
        rights: What the production says of rights.
        runs: Frames that were made in one way.
        quality: Self-evaluation.
        jobs: The jobs that made the frames, by the id that is ``understudy:job`` in each frame.
        boms: The rights record (``pack.cdx.json``, CycloneDX) of each pack, by its pin.
        header: What the headers of all files say alike.
        frames: Every frame.
        pending: Renders that have not ended, or were killed: a random name to the frames they were to make.
        signed: A C2PA manifest over this record lies beside it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    schema_: Literal["understudy.record/1"] = Field("understudy.record/1", alias="schema")
    id: str = Field(pattern=r"^[0-9a-f-]{36}$")
    created: str = ""
    updated: str = ""
    generator: Generator
    sequence: Sequence
    source_type: str = ""
    draft: bool = False
    rights: ShotRights = ShotRights()
    runs: tuple[Run, ...] = ()
    quality: Quality = Quality()
    jobs: dict[str, Job] = {}
    boms: dict[str, dict[str, Any]] = {}
    header: dict[str, Any] = {}
    frames: tuple[FrameEntry, ...] = ()
    pending: dict[str, str] = {}
    signed: bool = False

    @property
    def by_frame(self) -> dict[int | None, FrameEntry]:
        """The entries by frame number."""
        return {entry.frame: entry for entry in self.frames}

    @property
    def files(self) -> tuple[FileHash, ...]:
        """Every picture file, layers beside a frame after the frame."""
        return tuple(file for entry in self.frames for file in (entry, *entry.beside))

    def header_of(self, file: FileHash) -> dict[str, Any]:
        """What the header of a file said when it was written."""
        whole = self.header | file.header
        return {name: value for name, value in whole.items() if value is not None}


def record_id(job: str, node: str) -> str:
    """The id of a record that a job begins: the same job writes the same bytes wherever it is rendered."""
    return str(uuid.uuid5(_NAMESPACE, f"{job}/{node}"))


def runs_of(frames: Iterable[FrameEntry]) -> tuple[Run, ...]:
    """Frames grouped by how they were made, by first frame."""
    groups: dict[tuple[str, Origin, str], list[FrameEntry]] = {}
    for entry in frames:
        groups.setdefault((entry.job, entry.origin, entry.source_type), []).append(entry)
    runs = []
    for (job, origin, source_type), entries in groups.items():
        numbers = sorted(entry.frame for entry in entries if entry.frame is not None)
        mean, low = _confidence(entries)
        runs.append(
            Run(
                frames=format_frames(numbers),
                first=numbers[0] if numbers else None,
                last=numbers[-1] if numbers else None,
                count=len(entries),
                job=job,
                origin=origin,
                source_type=source_type,
                confidence_mean=mean,
                confidence_p05=low,
            )
        )
    return tuple(sorted(runs, key=lambda run: (run.first or 0, run.job, run.origin)))


def quality_of(frames: Iterable[FrameEntry]) -> Quality:
    """Self-evaluation over frames."""
    entries = tuple(frames)
    mean, low = _confidence(entries)
    return Quality(
        frames=len(entries),
        synthesized=sum(entry.origin == "synthesized" for entry in entries),
        held=sum(entry.origin == "held" for entry in entries),
        confidence_mean=mean,
        confidence_p05=low,
        clamped=sum(entry.clamped for entry in entries),
        nan=sum(entry.nan for entry in entries),
        inf=sum(entry.inf for entry in entries),
    )


def _confidence(entries: Iterable[FrameEntry]) -> tuple[float | None, float | None]:
    entries = tuple(entries)
    means = [entry.confidence_mean for entry in entries if entry.confidence_mean is not None]
    lows = [entry.confidence_p05 for entry in entries if entry.confidence_p05 is not None]
    return (round(fmean(means), 6) if means else None), min(lows, default=None)
