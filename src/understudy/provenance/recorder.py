# SPDX-License-Identifier: Apache-2.0
"""Watches a render and writes its records: before the first frame, now and then, and at the end.

Files are hashed by threads beside the render, right after they were written, while the system still has them in memory.
"""

import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from understudy import __version__
from understudy.contracts.errors import UnderstudyError
from understudy.contracts.plate import MetadataValue
from understudy.contracts.shot_rights import ShotRights
from understudy.frames.header import read_header
from understudy.frames.sequence import format_frames, parse_frames
from understudy.graph.document import Graph
from understudy.graph.events import Event
from understudy.graph.steps.drafted import undrafted
from understudy.graph.steps.motion import MotionStep
from understudy.graph.steps.read import ReadStep
from understudy.graph.steps.step import Frame
from understudy.graph.steps.write import WriteStep, Written
from understudy.graph.witness import Made, Scene
from understudy.provenance.frame_entry import FrameFacts, adopted_entry, low_confidence, written_entry
from understudy.provenance.hashing import Hashes, file_hashes
from understudy.provenance.job import Environment, InputEntry, InputFile, Job, PolicyEntry
from understudy.provenance.journal import Journal, Line, read_journals
from understudy.provenance.merge import sequence_of
from understudy.provenance.mhl import FOLDER
from understudy.provenance.record import FrameEntry, Generator, Record, Sequence, record_id
from understudy.provenance.scene import (
    document_inputs,
    fps_of,
    full_pin,
    job_of,
    machine_of,
    nodes_above,
    on_machine,
    origin_of,
    picture_inputs,
    source_type_of,
)
from understudy.provenance.source_types import SourceTypes
from understudy.provenance.store import RecordStore

_SAVE_S = 30.0
"""How often a record is brought up to date while frames are made, seconds."""

_SAVE_SHARE = 500
"""At least so many times as long as the last time took: bringing it up to date takes a five hundredth of a render."""

_MOST_WARNINGS = 100
_THREADS = 2
_NO_MODEL = "{}"


Source = tuple[InputEntry, Path, Frame]
"""An input, and the file and frame that was read of it."""


@dataclass(slots=True)
class _Output:
    """One write node while it is rendered."""

    write: WriteStep
    store: RecordStore
    journal: Journal
    before: dict[Frame, Line]
    job: Job
    sequence: Sequence
    facts: dict[Frame, FrameFacts] = field(default_factory=dict)
    sources: dict[Frame, tuple[Source, ...]] = field(default_factory=dict)
    coming: list[Future[FrameEntry]] = field(default_factory=list)
    entries: list[FrameEntry] = field(default_factory=list)
    inputs: dict[str, InputEntry] = field(default_factory=dict)
    read: dict[str, dict[Path, Frame]] = field(default_factory=dict)
    machines: dict[Frame, str] = field(default_factory=dict)
    fps: str = ""


class Recorder:
    """Puts one render on record.

    Args:
        source_types: A studio's own source types, as a policy has them under ``record.source_types``; None takes those
            of the engine's policy.
    """

    hashes_pixels = True

    def __init__(self, source_types: Mapping[str, str] | None = None) -> None:
        self._given = source_types
        self._types = SourceTypes(source_types)
        self._outputs: dict[str, _Output] = {}
        self._hashed: dict[Path, Future[Hashes]] = {}
        self._warnings: dict[str, None] = {}
        self._journaled: set[str] = set()
        self._policies: dict[str, PolicyEntry] = {}
        self._lock = threading.Lock()
        self._token = secrets.token_hex(8)
        self._scene: Scene | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._saved = 0.0
        self._save_took = 0.0

    @contextmanager
    def watching(self, scene: Scene) -> Iterator[None]:
        """Begins the records, and ends them whether the render ends well or not.

        Raises:
            UnderstudyError: A record can't be written, or the one that is there can't be read.
        """
        self._scene = scene
        if self._given is None and scene.engine.policy is not None:
            self._types = SourceTypes(scene.engine.policy.source_types)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="record")
        try:
            self._begin(scene)
            yield
        except BaseException:
            with suppress(UnderstudyError, OSError):  # what went wrong first is told
                self._end()
            raise
        else:
            self._end()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def header(self, made: Made) -> Mapping[str, MetadataValue]:
        """The strings that point from a frame to its record."""
        assert self._scene is not None
        output = self._outputs[made.node]
        origin = origin_of(self._scene, made)
        source_type = source_type_of(made, output.job, self._types, origin)
        nan, inf = _sanitized(self._scene, made)
        plate = made.outcome.plate
        machine = json.dumps(machine_of(made), sort_keys=True)
        output.facts[made.frame] = FrameFacts(
            origin, source_type, made.outcome.confidence, low_confidence(plate), nan, inf, machine
        )
        output.fps = output.fps or fps_of(self._scene, made.node, plate.metadata)
        sources = output.sources[made.frame] = tuple(picture_inputs(self._scene, made))
        for entry, path, frame in sources:
            self._take_input(output, entry, path, frame)
        return {
            "understudy:origin": origin,
            "understudy:sourceType": source_type,
            "understudy:record": output.store.path.name,
            "understudy:recordId": output.store.id,
        }

    def lands(self, node: str, frame: Frame, written: Written) -> None:
        """Notes what is known of a frame, so that it is known after a kill too."""
        assert self._scene is not None
        output = self._outputs[node]
        with self._lock:
            warnings = tuple(text for text in self._warnings if text not in self._journaled)
            self._journaled.update(warnings)
        line = Line(
            frame=frame,
            job=self._scene.job,
            facts=output.facts[frame],
            clamped=written.clamped,
            colorspace=written.colorspace,
            fps=output.fps,
            inputs=output.sources.pop(frame),
            warnings=warnings,
        )
        output.journal.add(line)

    def wrote(self, node: str, frame: Frame, written: Written) -> None:
        """Hashes a frame that is on disk, and brings the record up to date when it is time."""
        assert self._scene is not None
        assert self._pool is not None
        output = self._outputs[node]
        facts = output.facts.pop(frame)
        self._take_facts(output, frame, facts, written.colorspace)
        output.coming.append(self._pool.submit(written_entry, self._scene.job, frame, written, facts))
        if time.monotonic() - self._saved > max(_SAVE_S, _SAVE_SHARE * self._save_took):
            self._save()

    def skipped(self, node: str, frame: Frame) -> None:
        """Takes up a frame that has no entry, or one of what was there before: its render was killed."""
        assert self._scene is not None
        assert self._pool is not None
        output = self._outputs[node]
        known = output.store.known(frame)
        if known is None or (known.job != self._scene.job and known.job != _job_in(output.write.path(frame))):
            line = output.before.get(frame)
            if line is not None and line.job == self._scene.job:
                self._take_line(output, line)
            else:
                output.coming.append(self._pool.submit(adopted_entry, self._scene.job, frame, output.write))

    def _take_line(self, output: _Output, line: Line) -> None:
        """Takes up a frame as the render did that wrote it and was killed."""
        assert self._pool is not None
        self._take_facts(output, line.frame, line.facts, line.colorspace)
        output.fps = output.fps or line.fps
        for entry, path, frame in line.inputs:
            self._take_input(output, entry, path, frame)
        with self._lock:
            self._warnings |= dict.fromkeys(line.warnings)
        sidecar = output.write.sidecar(line.frame)
        files = [output.write.path(line.frame), *([sidecar] if sidecar is not None and sidecar.is_file() else [])]
        written = Written(files=tuple(files), clamped=line.clamped, maximum=None, notes=(), colorspace=line.colorspace)
        output.coming.append(self._pool.submit(written_entry, line.job, line.frame, written, line.facts))

    def _take_facts(self, output: _Output, frame: Frame, facts: FrameFacts, colorspace: str) -> None:
        output.machines[frame] = facts.machine
        color = output.job.color.model_copy(update={"output": colorspace})
        output.job = output.job.model_copy(update={"color": color})

    def hear(self, event: Event) -> None:
        """Keeps warnings and policies."""
        if event.get("event") == "policy":
            entry = PolicyEntry(by=event["by"], show=event["show"], sha256=event["sha256"])
            with self._lock:
                self._policies[entry.by] = entry
        if event.get("event") == "warning" and len(self._warnings) < _MOST_WARNINGS:
            with self._lock:
                self._warnings[": ".join(filter(None, (event.get("node", ""), str(event["message"]))))] = None

    def _begin(self, scene: Scene) -> None:
        frames: dict[str, list[int]] = {}
        for name, frame in scene.plan.outputs:
            frames.setdefault(name, []).extend([] if frame is None else [frame])
        started = _now()
        for name, numbers in frames.items():
            write = scene.plan.writes[name]
            text = format_frames(numbers)
            job = job_of(scene, name, self._types, frames=text, output=write.node.colorspace)
            job = job.model_copy(update={"started": started})
            sequence = _sequence(scene, write, numbers)
            store = RecordStore(write.pattern, scene.files)
            begun = Record(
                id=record_id(scene.job, name),
                created=started,
                updated=started,
                generator=Generator(version=__version__),
                sequence=sequence,
                rights=scene.graph.rights or ShotRights(),
                jobs={scene.job: job},
                boms=_boms(scene),
                pending={self._token: text},
            )
            folder, name_of_files = write.pattern.parent, write.pattern.name
            journal = Journal(folder, name_of_files, self._token)
            output = _Output(write, store, journal, read_journals(folder, name_of_files), job, sequence)
            if store.begin(begun):
                self._warn(output, f"{store.path.name} was signed; what is rendered now is not: sign it again")
            self._outputs[name] = output
            for entry, path in document_inputs(scene.graph, nodes_above(scene.graph, name)):
                self._take_input(output, entry, path, None)
        self._saved = time.monotonic()

    def _warn(self, output: _Output, message: str) -> None:
        assert self._scene is not None
        self._scene.listener({"event": "warning", "node": output.write.name, "frame": None, "message": message})

    def _take_input(self, output: _Output, entry: InputEntry, path: Path, frame: int | None) -> None:
        assert self._pool is not None
        if path not in self._hashed:
            self._hashed[path] = self._pool.submit(_input_hashes, path)
        key = f"{entry.node}/{entry.kind}/{entry.pattern}"
        output.inputs.setdefault(key, entry)
        output.read.setdefault(key, {}).setdefault(path, frame)

    def _save(self) -> None:
        began = time.monotonic()
        for output in self._outputs.values():
            done = [future for future in output.coming if future.done()]
            output.coming = [future for future in output.coming if future not in done]
            output.entries += [future.result() for future in done]
            if done:
                output.store.add(self._addition(output, finished=""), ())
        self._saved = time.monotonic()
        self._save_took = self._saved - began

    def _end(self) -> None:
        for output in self._outputs.values():
            output.entries += [future.result() for future in output.coming]
            output.coming = []
            output.journal.close()
            if not output.store.finish(self._addition(output, finished=_now()), self._token):
                self._warn(output, f"the folder has an {FOLDER} of another program, so no hash list was written")

    def _addition(self, output: _Output, *, finished: str) -> Record:
        assert self._scene is not None
        with self._lock:
            warnings = tuple(sorted(self._warnings))
        made = {entry.frame for entry in output.entries if not entry.adopted}
        job = output.job.model_copy(
            update={
                "inputs": self._inputs(output),
                "environments": _environments(output, made),
                "policies": tuple(self._policies[by] for by in sorted(self._policies)),
                "warnings": warnings,
                "finished": finished,
            }
        )
        return Record(
            id=output.store.id,
            updated=_now(),
            generator=Generator(version=__version__),
            sequence=output.sequence.model_copy(update={"fps": output.fps}),
            rights=self._scene.graph.rights or ShotRights(),
            jobs={self._scene.job: job},
            boms=_boms(self._scene),
            frames=tuple(output.entries),
        )

    def _inputs(self, output: _Output) -> tuple[InputEntry, ...]:
        found = []
        for key, entry in sorted(output.inputs.items()):
            files: dict[str, InputFile] = {}
            for path, frame in output.read[key].items():
                with suppress(UnderstudyError):  # gone since it was read; the record then lacks it
                    hashes = self._hashed[path].result()
                    files[path.name] = InputFile(file=path.name, frame=frame, size=hashes.size, blake3=hashes.blake3)
            found.append(entry.model_copy(update={"files": tuple(files[name] for name in sorted(files))}))
        return tuple(found)


def _boms(scene: Scene) -> dict[str, dict[str, Any]]:
    """The rights records of the packs that a render uses, by pin."""
    return {full_pin(pack): pack.bom for pack in scene.packs.values() if pack.bom is not None}


def _environments(output: _Output, made: set[Frame]) -> tuple[Environment, ...]:
    """What frames were computed on. Those for which no model ran come out alike anywhere: they go with the rest."""
    groups: dict[str, list[Frame]] = {}
    for frame in sorted(made, key=lambda number: number or 0):
        groups.setdefault(output.machines[frame], []).append(frame)
    if len(groups) > 1 and (alike := groups.pop(_NO_MODEL, None)):
        next(iter(groups.values())).extend(alike)
    here = output.job.environments[0]
    return tuple(
        on_machine(here, json.loads(text), format_frames(number for number in frames if number is not None))
        for text, frames in groups.items()
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _sequence(scene: Scene, write: WriteStep, numbers: list[int]) -> Sequence:
    """What is to be made: the range of the document where it names one, so that parts of it are seen to be parts."""
    graph: Graph = scene.graph
    wanted = set(numbers)
    if graph.frames and numbers:
        asked = parse_frames(graph.frames)
        low, high = min(asked) - graph.handles, max(asked) + graph.handles
        have = {frame for frame in write.source.frames if frame is not None}
        wanted |= have & (set(asked) | {n for n in have if low <= n <= high and not min(asked) <= n <= max(asked)})
    like = Sequence(
        node=write.name,
        pattern=write.pattern.name,
        content="data" if isinstance(undrafted(write.source), MotionStep) else "picture",
        handles=graph.handles,
    )
    return sequence_of(like, wanted) if wanted else like


def _sanitized(scene: Scene, made: Made) -> tuple[int, int]:
    plates = [
        outcome.plate.sanitized
        for (name, _), outcome in made.made_from.items()
        if isinstance(scene.plan.steps[name], ReadStep)
    ]
    return sum(plate.nan for plate in plates), sum(plate.inf for plate in plates)


def _job_in(path: Path) -> str:
    """The job that a file says it was made by."""
    return str(read_header(path).metadata.get("understudy:job", ""))


def _input_hashes(path: Path) -> Hashes:
    return file_hashes(path)
