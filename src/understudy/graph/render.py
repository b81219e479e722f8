# SPDX-License-Identifier: Apache-2.0
"""Renders a graph on an engine: plans, evaluates, writes, and tells what happened."""

import time
from collections.abc import Mapping
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from understudy.contracts.engine import NO_CONTROL, Control, Engine
from understudy.contracts.errors import InputError
from understudy.contracts.jobs import PackPin
from understudy.contracts.outline import Outline, outline_of
from understudy.contracts.paths import ANY_FILE, FileRules
from understudy.contracts.plate import MetadataValue, Plate
from understudy.frames.atomic import sweep
from understudy.graph.document import Graph
from understudy.graph.events import Event, Listener
from understudy.graph.job_memory import learn_peak, peak_so_far
from understudy.graph.job_work import work_of
from understudy.graph.key_header import KEY
from understudy.graph.ledger import Ledger, default_ledger, stamp_of
from understudy.graph.pipeline import Pipeline, Writers
from understudy.graph.plate_cache import PlateCache
from understudy.graph.prepare import PreparedJob, prepare, tell_standings
from understudy.graph.standing import Output, State, note_rendered
from understudy.graph.step_labels import write_label
from understudy.graph.steps.read import ReadStep
from understudy.graph.steps.step import Frame, Key, Outcome
from understudy.graph.steps.write import WriteStep, Written, color_maximum
from understudy.graph.witness import NOBODY, Made, Scene, Witness
from understudy.packs.policy import ShowPolicy
from understudy.roles.stopwatch import Stopwatch, timing

_UNSAID: Mapping[str, MetadataValue] = {"understudy:record": "", "understudy:recordId": ""}


_ENOUGH = 32
"""Outputs by which the memory of a render is told: more of them take no more."""

_TICK_NS = 10_000_000
"""A file's time of change lags behind the clock by up to this much."""


@dataclass(kw_only=True)
class Summary:
    """What a render did.

    Attributes:
        files: Files written, in order.
        frames: Outputs rendered.
        skipped: Outputs that were there already.
        seconds: Wall time.
        max_in: Largest color value that was read, in working space; None when nothing was read.
        max_out: Largest color value that was written.
        clamped: Samples that an output type could not hold.
        confidence: Mean confidence of the frames that have one.
        cached: Results of roles that were not computed but taken from earlier renders.
    """

    files: list[Path] = field(default_factory=list)
    frames: int = 0
    skipped: int = 0
    seconds: float = 0.0
    max_in: float | None = None
    max_out: float | None = None
    clamped: int = 0
    confidence: float | None = None
    cached: int = 0


def render_graph(
    graph: Graph,
    engine: Engine,
    *,
    frames: str = "",
    draft: bool = False,
    redo: bool = False,
    on_event: Listener | None = None,
    control: Control = NO_CONTROL,
    ocio: str = "",
    files: FileRules = ANY_FILE,
    policy: ShowPolicy | None = None,
    witness: Witness = NOBODY,
    part: str = "",
    cache: PlateCache | None = None,
    pictures: bool = True,
) -> Summary:
    """Renders every write node. Outputs that are there, whole and of the wanted content key are left alone.

    Args:
        graph: The document; its paths are absolute or relative to the working folder.
        engine: Runs the roles.
        frames: Output frames; empty takes the graph's, or all.
        draft: Packs' draft stand-ins, marked in the header.
        redo: Outputs that are there and right are made again all the same.
        on_event: Hears what happens.
        control: Cancels.
        ocio: OCIO config where the graph names none; empty takes ``$OCIO`` or the pinned one.
        files: Which files may be touched.
        policy: Which packs the caller's show allows, beside the engine's own policy; None for any.
        witness: Puts what is made on record; asked only where the graph does not say ``record: false``.
        part: Only these of the job's frames, where it is shared out; see ``plan_graph``.
        cache: Results of earlier renders, of which what can be is taken, unless ``redo`` is set; None for none.
        pictures: They are real ones: estimates of files learn from how small they become.

    Raises:
        ForbiddenError: A file may not be touched.
        RightsError: A policy refuses a pack, or consent is missing; no frame was read.
        UnderstudyError: The job is refused or failed; every file that is there is whole.
    """
    started = time.monotonic()
    witness = witness if graph.record else NOBODY
    told_all: Listener = on_event or (lambda _event: None)

    def listener(event: Event) -> None:
        witness.hear(event)
        told_all(event)

    with closing(Ledger(default_ledger())) as ledger, timing(engine, pictures=pictures) as stopwatch:
        job = prepare(
            graph,
            engine,
            ledger,
            listener,
            control,
            frames,
            draft=draft,
            ocio=ocio,
            files=files,
            policy=policy,
            part=part,
            cache=None if redo else cache,
            stopwatch=stopwatch,
        )
        found = {} if redo else job.standings(ledger, present_only=True)
        listener(
            {
                "event": "start",
                "frames": len(job.plan.outputs),
                "graph": job.facts["understudy:graph"],
                "ocio": job.color.name,
                "draft": draft,
            }
        )
        tell_standings(found, listener)
        for write in job.plan.writes.values():
            sweep(write.pattern.parent)  # where nothing is left to write too
        scene = Scene(
            graph=graph,
            job=str(job.facts["understudy:job"]),
            packs=job.packs,
            engine=job.info,
            color=job.color,
            plan=job.plan,
            draft=draft,
            files=files,
            listener=listener,
        )
        render = _Render(job, ledger, listener, control, witness, stopwatch)
        with witness.watching(scene), closing(job.kept) if job.kept else nullcontext():
            before = peak_so_far()
            summary = render.run(tuple(output for output, how in found.items() if how.state is State.DONE))
            render.learn_memory(before, {name: pack.pin for name, pack in job.packs.items()})
    summary.seconds = time.monotonic() - started
    listener(
        {
            "event": "done",
            "frames": summary.frames,
            "skipped": summary.skipped,
            "seconds": round(summary.seconds, 3),
            "max_in": summary.max_in,
            "max_out": summary.max_out,
            "clamped": summary.clamped,
            "confidence": summary.confidence,
            "cached": summary.cached,
        }
    )
    return summary


class _Render:
    def __init__(
        self,
        job: PreparedJob,
        ledger: Ledger,
        listener: Listener,
        control: Control,
        witness: Witness,
        stopwatch: Stopwatch,
    ) -> None:
        self._plan = job.plan
        self._facts = job.facts
        self._keys = job.keys
        self._kept = job.kept
        self._ledger = ledger
        self._began_ns = time.time_ns() - _TICK_NS
        self._listener = listener
        self._control = control
        self._witness = witness
        self._stopwatch = stopwatch
        self._summary = Summary()
        self._confidences: list[float] = []
        self._measured: set[Key] = set()
        self._noted: set[tuple[str, str]] = set()

    def run(self, done: tuple[Output, ...]) -> Summary:
        standing = set(done)
        outputs = tuple(output for output in self._plan.outputs if output not in standing)
        self._skip(done)
        writers: Writers[Written] = Writers()
        try:
            pipeline = Pipeline(self._plan.steps, self._control, self._stopwatch)
            last = time.monotonic()
            for (name, frame), (_, outcome, made_from) in zip(
                outputs, pipeline.run(self._plan.wanted(outputs)), strict=True
            ):
                self._measure_inputs(made_from)
                seconds, last = time.monotonic() - last, time.monotonic()
                write = self._plan.writes[name]
                cached = self._kept.taken() if self._kept else ()
                self._summary.cached += len(cached)
                facts = {**self._facts_of(outcome), **self._witness.header(Made(name, frame, outcome, made_from))}
                writers.submit(
                    partial(self._write, write, frame, outcome.plate, facts),
                    partial(self._written, write, frame, seconds, outcome.confidence, outcome.report, cached),
                    outcome.plate.nbytes,
                )
                del outcome, made_from
            writers.finish()
            if self._kept:
                self._kept.finish()
        finally:
            writers.close()
        if self._confidences:
            self._summary.confidence = sum(self._confidences) / len(self._confidences)
        return self._summary

    def _facts_of(self, outcome: Outcome) -> dict[str, MetadataValue]:
        origin = outcome.report.get("origin")
        # What an input says of the render that made it is not true of what is made from it.
        return {**self._facts, **_UNSAID, "understudy:origin": origin if isinstance(origin, str) else ""}

    def _write(self, write: WriteStep, frame: Frame, plate: Plate, facts: Mapping[str, MetadataValue]) -> Written:
        """Writes a frame under its content key; runs in a thread."""
        with self._stopwatch.span() as span:
            key = self._key(write.name, frame)
            written = write.write(
                frame,
                plate,
                {**facts, KEY: key},
                hash_pixels=self._witness.hashes_pixels,
                landing=partial(self._witness.lands, write.name, frame),
            )
            if key:
                note_rendered(self._ledger, written.files, key.partition(" ")[0])
        self._learn(write, outline_of(plate), written, span.seconds)
        return written

    def _learn(self, write: WriteStep, outline: Outline, written: Written, seconds: float) -> None:
        files = write.stored(outline)
        label = write_label(write, files, hashed=self._witness.hashes_pixels)
        self._stopwatch.took("write", label, outline.megasamples, seconds)
        for stored, path in zip(files, written.files, strict=False):
            with suppress(OSError):  # somebody took it away
                size = path.stat().st_size
                if stored.packed:
                    self._stopwatch.shrank_to(stored.label, stored.raw_bytes, size)

    def learn_memory(self, before: int, pins: Mapping[str, PackPin]) -> None:
        """Learns what the render took; ``before`` is the process's peak until then."""
        outputs = self._plan.outputs[:_ENOUGH]
        learn_peak(work_of(self._plan, outputs, pins, hashed=False), self._plan, self._stopwatch, before)

    def _key(self, name: str, frame: Frame) -> str:
        """The key of an output; empty when what it was made from changed meanwhile, so that it is made again."""
        try:
            key = str(self._keys.of(name, frame))
            changed = [p for p in self._keys.files(((name, frame),)) if stamp_of(p)[1] > self._began_ns]
        except InputError as error:
            self._listener(
                {"event": "warning", "node": name, "frame": frame, "message": f"{error.where}: {error.problem}"}
            )
            return ""
        if changed:
            message = f"{changed[0]} changed while it was read; the next render makes this frame again"
            self._listener({"event": "warning", "node": name, "frame": frame, "message": message})
            return ""
        return key

    def _written(
        self,
        write: WriteStep,
        frame: Frame,
        seconds: float,
        confidence: float | None,
        report: Mapping[str, Any],
        cached: tuple[str, ...],
        written: Written,
    ) -> None:
        self._witness.wrote(write.name, frame, written)
        summary = self._summary
        summary.files += written.files
        summary.frames += 1
        summary.clamped += written.clamped
        if written.maximum is not None:
            known = summary.max_out
            summary.max_out = written.maximum if known is None else max(known, written.maximum)
        if confidence is not None:
            self._confidences.append(confidence)
        for note in (*written.notes, str(report.get("note", ""))):
            if note and (write.name, note) not in self._noted:
                self._noted.add((write.name, note))
                self._listener({"event": "warning", "node": write.name, "frame": frame, "message": note})
        told = {name: value for name, value in report.items() if name != "machine"}  # the record has it
        self._tell(
            write,
            frame,
            {
                "seconds": round(seconds, 3),
                "confidence": confidence,
                "report": told,
                "cached": list(dict.fromkeys(cached)),
            },
        )

    def _skip(self, outputs: tuple[Output, ...]) -> None:
        for name, frame in outputs:
            self._witness.skipped(name, frame)
            self._summary.skipped += 1
            facts: Event = {"seconds": 0.0, "confidence": None, "report": {}, "cached": [], "skipped": True}
            self._tell(self._plan.writes[name], frame, facts)

    def _tell(self, write: WriteStep, frame: Frame, facts: Event) -> None:
        event: Event = {
            "event": "frame",
            "node": write.name,
            "frame": frame,
            "file": str(write.path(frame)),
            "done": self._summary.frames + self._summary.skipped,
            "total": len(self._plan.outputs),
            "skipped": False,
        }
        self._listener(event | facts)

    def _measure_inputs(self, made_from: Mapping[Key, Outcome]) -> None:
        for key, outcome in made_from.items():
            name = key[0]
            if isinstance(self._plan.steps[name], ReadStep) and key not in self._measured:
                self._measured.add(key)
                maximum = color_maximum(outcome.plate)
                known = self._summary.max_in
                if maximum is not None:
                    self._summary.max_in = maximum if known is None else max(known, maximum)
                if outcome.plate.sanitized:
                    bad = outcome.plate.sanitized
                    self._listener(
                        {
                            "event": "warning",
                            "node": name,
                            "frame": outcome.plate.frame,
                            "message": f"{bad.nan} NaN became 0, {bad.inf} infinite became ±65504",
                        }
                    )
