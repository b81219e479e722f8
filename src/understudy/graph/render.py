# SPDX-License-Identifier: Apache-2.0
"""Renders a graph on an engine: plans, evaluates, writes, and tells what happened."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from understudy import __version__
from understudy.color.config import ColorConfig
from understudy.contracts.engine import NO_CONTROL, Control, Engine, PackInfo
from understudy.contracts.errors import InputError
from understudy.contracts.paths import ANY_FILE, CONFIG_MARK, FileRules
from understudy.contracts.plate import MetadataValue
from understudy.frames.header import read_header
from understudy.graph.document import Graph
from understudy.graph.events import Event, Listener
from understudy.graph.paths import with_absolute_files
from understudy.graph.pins import pin_packs
from understudy.graph.pipeline import Pipeline, Writers
from understudy.graph.plan import Plan, plan_graph
from understudy.graph.rights import judged, require_rights, tell_rights
from understudy.graph.steps.read import ReadStep
from understudy.graph.steps.step import Frame, Key, Outcome, Setting
from understudy.graph.steps.write import WriteStep, Written, color_maximum
from understudy.graph.witness import NOBODY, Made, Scene, Witness
from understudy.packs.policy import ShowPolicy

_UNSAID: Mapping[str, MetadataValue] = {"understudy:record": "", "understudy:recordId": ""}


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
    """

    files: list[Path] = field(default_factory=list)
    frames: int = 0
    skipped: int = 0
    seconds: float = 0.0
    max_in: float | None = None
    max_out: float | None = None
    clamped: int = 0
    confidence: float | None = None


def render_graph(
    graph: Graph,
    engine: Engine,
    *,
    frames: str = "",
    draft: bool = False,
    resume: bool = False,
    on_event: Listener | None = None,
    control: Control = NO_CONTROL,
    ocio: str = "",
    files: FileRules = ANY_FILE,
    policy: ShowPolicy | None = None,
    witness: Witness = NOBODY,
) -> Summary:
    """Renders every write node.

    Args:
        graph: The document; its paths are absolute or relative to the working folder.
        engine: Runs the roles.
        frames: Output frames; empty takes the graph's, or all.
        draft: Packs' draft stand-ins, marked in the header.
        resume: Outputs that this very job has written are left alone.
        on_event: Hears what happens.
        control: Cancels.
        ocio: OCIO config where the graph names none; empty takes ``$OCIO`` or the pinned one.
        files: Which files may be touched.
        policy: Which packs the caller's show allows, beside the engine's own policy; None for any.
        witness: Puts what is made on record; asked only where the graph does not say ``record: false``.

    Raises:
        ForbiddenError: A file may not be touched.
        RightsError: A policy refuses a pack, or consent is missing; no frame was read.
        UnderstudyError: The job is refused or failed; every file that is there is whole.
    """
    started = time.monotonic()
    witness = witness if graph.record else NOBODY
    told: Listener = on_event or (lambda _event: None)

    def listener(event: Event) -> None:
        witness.hear(event)
        told(event)

    info = judged(engine.info(), policy)
    config = graph.ocio or ocio
    if CONFIG_MARK.fits(config):
        files.require(Path(config), CONFIG_MARK.access)
    color = ColorConfig.load(config)
    packs = pin_packs(graph, info, draft=draft)
    require_rights(graph, packs)
    pins = {name: pack.pin for name, pack in packs.items()}
    setting = Setting(
        engine=engine, color=color, pins=pins, listener=listener, control=control, draft=draft, files=files
    )
    plan = plan_graph(graph, setting, frames=frames)
    facts = _facts(graph, packs, color, draft=draft)
    tell_rights(packs, info, policy, listener)
    listener(
        {
            "event": "start",
            "frames": len(plan.outputs),
            "graph": facts["understudy:graph"],
            "ocio": color.name,
            "draft": draft,
        }
    )
    scene = Scene(
        graph=graph,
        job=str(facts["understudy:job"]),
        packs=packs,
        engine=info,
        color=color,
        plan=plan,
        draft=draft,
        resume=resume,
        files=files,
        listener=listener,
    )
    render = _Render(plan, facts, listener, control, witness)
    with witness.watching(scene):
        summary = render.run(resume=resume)
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
        }
    )
    return summary


class _Render:
    def __init__(
        self,
        plan: Plan,
        facts: Mapping[str, MetadataValue],
        listener: Listener,
        control: Control,
        witness: Witness,
    ) -> None:
        self._plan = plan
        self._facts = facts
        self._listener = listener
        self._control = control
        self._witness = witness
        self._summary = Summary()
        self._confidences: list[float] = []
        self._measured: set[Key] = set()
        self._noted: set[tuple[str, str]] = set()

    def run(self, *, resume: bool) -> Summary:
        outputs = self._plan.outputs
        if resume:
            done = tuple(output for output in outputs if self._is_done(*output))
            outputs = tuple(output for output in outputs if output not in set(done))
            self._skip(done)
        writers: Writers[Written] = Writers()
        try:
            pipeline = Pipeline(self._plan.steps, self._control)
            last = time.monotonic()
            for (name, frame), (_, outcome, made_from) in zip(
                outputs, pipeline.run(self._plan.wanted(outputs)), strict=True
            ):
                self._measure_inputs(made_from)
                seconds, last = time.monotonic() - last, time.monotonic()
                write = self._plan.writes[name]
                facts = {**self._facts_of(outcome), **self._witness.header(Made(name, frame, outcome, made_from))}
                writers.submit(
                    partial(write.write, frame, outcome.plate, facts, hash_pixels=self._witness.hashes_pixels),
                    partial(self._written, write, frame, seconds, outcome.confidence, outcome.report),
                    outcome.plate.nbytes,
                )
                del outcome, made_from
            writers.finish()
        finally:
            writers.close()
        if self._confidences:
            self._summary.confidence = sum(self._confidences) / len(self._confidences)
        return self._summary

    def _facts_of(self, outcome: Outcome) -> dict[str, MetadataValue]:
        origin = outcome.report.get("origin")
        # What an input says of the render that made it is not true of what is made from it.
        return {**self._facts, **_UNSAID, "understudy:origin": origin if isinstance(origin, str) else ""}

    def _written(
        self,
        write: WriteStep,
        frame: Frame,
        seconds: float,
        confidence: float | None,
        report: Mapping[str, Any],
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
        self._tell(write, frame, {"seconds": round(seconds, 3), "confidence": confidence, "report": told})

    def _skip(self, outputs: tuple[tuple[str, Frame], ...]) -> None:
        for name, frame in outputs:
            self._witness.skipped(name, frame)
            self._summary.skipped += 1
            facts: Event = {"seconds": 0.0, "confidence": None, "report": {}, "skipped": True}
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

    def _is_done(self, name: str, frame: Frame) -> bool:
        try:
            header = read_header(self._plan.writes[name].path(frame))
        except InputError:
            return False
        return header.metadata.get("understudy:job") == self._facts["understudy:job"]


def _facts(graph: Graph, packs: Mapping[str, PackInfo], color: ColorConfig, *, draft: bool) -> dict[str, MetadataValue]:
    pins = {name: f"{p.pin.id}@{p.pin.version}#{p.pin.sha256}" for name, p in sorted(packs.items())}
    digest = with_absolute_files(graph).digest  # so that it tells the job, and not where it was started
    job = hashlib.sha256(json.dumps([digest, pins, color.cache_id, draft]).encode()).hexdigest()
    facts: dict[str, MetadataValue] = {
        "understudy:version": __version__,
        "understudy:graph": digest,
        "understudy:job": job,
        "understudy:packs": " ".join(pins.values()),
    }
    if draft:
        facts["understudy:draft"] = "1"
    return facts
