# SPDX-License-Identifier: Apache-2.0
"""What is checked: the pictures of one pattern, their record, and under which rules."""

import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import InputError, UnreadableFileError, UsageError
from understudy.contracts.policy import PublishRules
from understudy.frames.look import FrameLook, look_at
from understudy.frames.sequence import Pattern, parse_frames, split_pattern
from understudy.packs.policy import ShowPolicy
from understudy.provenance.job import Job
from understudy.provenance.record import Record
from understudy.provenance.record_file import stem_of
from understudy.publish.checks.check import FrameNumber
from understudy.publish.lineage import Lineage, lineage_of


@dataclass(frozen=True)
class Subject:
    """Pictures that are to be published.

    Attributes:
        folder: Where they lie.
        pattern: Name of the files, ``sh010.%04d.exr``; of a still, its name.
        record_path: The record; None where there is none.
        record: What it says; None where it says nothing that can be understood.
        record_problem: Why it can't be understood.
        graph_digest: Digest of the graph that the pictures are published from; empty where they are not.
        final: They are for final delivery.
        policy: The show's policy.
        anchors: PEM certificates of the authorities whose signers are trusted.
    """

    folder: Path
    pattern: str
    record_path: Path | None = None
    record: Record | None = None
    record_problem: InputError | None = None
    graph_digest: str = ""
    final: bool = False
    policy: ShowPolicy | None = None
    anchors: str = ""
    looks: dict[Path, FrameLook] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name of the product."""
        return re.sub(r"[^A-Za-z0-9._-]", "_", stem_of(self.pattern)).lstrip("._-") or "frames"

    @property
    def path_pattern(self) -> Path:
        """The pattern with its folder."""
        return self.folder / self.pattern

    @property
    def is_final(self) -> bool:
        """For final delivery: asked for, or by the record's own word."""
        return self.final or (self.record is not None and self.record.rights.use == "final")

    @property
    def rules(self) -> PublishRules:
        """The limits of the publish."""
        return self.policy.document.publish if self.policy else PublishRules()

    @cached_property
    def files(self) -> Pattern | None:
        """What makes paths of frames; None for a still."""
        split = split_pattern(self.pattern)
        return Pattern(self.folder, split[0].head, split[0].tail, split[0].digits) if split else None

    def path(self, frame: FrameNumber) -> Path:
        """The file of a frame."""
        return self.files.path(frame) if self.files and frame is not None else self.folder / self.pattern

    @cached_property
    def names(self) -> dict[int, tuple[str, ...]]:
        """Every file that is a frame of the pattern, however its number is padded, by frame."""
        found: dict[int, list[str]] = {}
        if self.files:
            number = re.compile(re.escape(self.files.head) + r"(-?\d+)" + re.escape(self.files.tail) + "$")
            for name in _names(self.folder):
                if match := number.match(name):
                    found.setdefault(int(match[1]), []).append(name)
        return {frame: tuple(sorted(names)) for frame, names in sorted(found.items())}

    @cached_property
    def there(self) -> tuple[FrameNumber, ...]:
        """The frames whose files are there under their right names."""
        if not self.files:
            return (None,) if self.path(None).exists() else ()
        return tuple(frame for frame, names in self.names.items() if self.path(frame).name in names)

    @cached_property
    def expected(self) -> tuple[FrameNumber, ...]:
        """The frames that must be there: those the record promises; without a record, from the first to the last."""
        if not self.files:
            return (None,)
        if self.record and self.record.sequence.frames:
            return parse_frames(self.record.sequence.frames)
        numbers = [frame for frame in self.there if frame is not None]
        return tuple(range(numbers[0], numbers[-1] + 1)) if numbers else ()

    def look(self, paths: Iterable[Path]) -> Iterator[FrameLook]:
        """Looks at files, each once, all cores at work."""
        wanted = list(dict.fromkeys(paths))
        new = [path for path in wanted if path not in self.looks]
        with ThreadPoolExecutor(available_cores()) as pool:
            self.looks.update(zip(new, pool.map(look_at, new), strict=True))
        return (self.looks[path] for path in wanted)

    @cached_property
    def frames(self) -> dict[FrameNumber, FrameLook]:
        """Every frame that is expected and there, looked at."""
        there = set(self.there)
        numbers = [frame for frame in self.expected if frame in there]
        return dict(zip(numbers, self.look(self.path(frame) for frame in numbers), strict=True))

    @cached_property
    def sound(self) -> dict[FrameNumber, FrameLook]:
        """Those that can be read."""
        return {frame: look for frame, look in self.frames.items() if look.problem is None}

    def job_of(self, frame: FrameNumber) -> Job | None:
        """The job that made a frame, as the record says."""
        entry = self.record.by_frame.get(frame) if self.record else None
        return self.record.jobs.get(entry.job) if self.record and entry else None

    @cached_property
    def lineages(self) -> dict[str, Lineage]:
        """The way of the main picture for each job."""
        if not self.record:
            return {}
        node = self.record.sequence.node
        return {name: lineage_of(job, node) for name, job in self.record.jobs.items()}

    def sources(self) -> dict[FrameNumber, FrameLook]:
        """The plate's frames of all jobs that are still there and can be read, looked at."""
        files: dict[FrameNumber, Path] = {}
        for lineage in self.lineages.values():
            files |= lineage.files()
        there = {frame: path for frame, path in files.items() if path.is_file()}
        looks = dict(zip(there, self.look(there.values()), strict=True))
        return {frame: look for frame, look in looks.items() if look.problem is None}


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except FileNotFoundError:
        raise UsageError("there is no such folder", where=str(folder), fix="check the path") from None
    except OSError as error:
        raise UnreadableFileError(f"the folder can't be read ({error.strerror})", where=str(folder)) from None
