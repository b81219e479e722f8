# SPDX-License-Identifier: Apache-2.0
"""The demo from end to end: renders its shot, runs the four roles on it, measures, and writes the report."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from understudy import __version__
from understudy.color.config import ColorConfig
from understudy.contracts.engine import NO_CONTROL, Control, Engine
from understudy.contracts.errors import OutputError, UsageError
from understudy.demo.files import Tick, render_shot
from understudy.demo.jobs import make_jobs, write_jobs
from understudy.demo.judge_drafts import judge_drafts
from understudy.demo.judge_roles import judge_roles
from understudy.demo.report import Facts, write_report
from understudy.demo.results import DraftResult, Rendered, RoleResult, as_json
from understudy.demo.scope import FULL, Scope
from understudy.demo.shot import Shot
from understudy.demo.viewers import make_viewers
from understudy.graph.events import Event, Listener
from understudy.graph.parsing import load_graph
from understudy.graph.render import render_graph
from understudy.provenance.recorder import Recorder

SCHEMA = "understudy.demo/1"
_MARKER = "demo.json"
_SHOT_WEIGHT, _MEASURE_WEIGHT = 30, 18


def run_demo(
    out: Path, engine: Engine, *, scope: Scope = FULL, on_event: Listener, control: Control = NO_CONTROL
) -> Path:
    """Runs the demo.

    Args:
        out: Folder to write to; made when it is not there.
        engine: Runs the roles.
        scope: How much is rendered.
        on_event: Hears ``stage`` (``title``, ``done``, ``total`` in percent), ``role`` (``role``, ``probe``,
            ``headline``, ``holds``), ``warning`` and ``report`` (``file``, ``seconds``, ``holds``) events.
        control: Cancels.

    Returns:
        The report's path.

    Raises:
        UsageError: The folder holds something else than an earlier demo.
        UnderstudyError: Rendering failed.
    """
    started = time.monotonic()
    claim_folder(out)
    stages = _Stages(on_event, _SHOT_WEIGHT + _MEASURE_WEIGHT + sum(job.weight for job in make_jobs(scope)))
    with stages.stage("rendering the shot", _SHOT_WEIGHT) as tick:
        render_shot(out, Shot(), scope, tick, control)
    shot_seconds = time.monotonic() - started
    rendered = _run_jobs(out, engine, scope, stages, on_event, control)
    color = ColorConfig.load()
    with stages.stage("measuring against truth", _MEASURE_WEIGHT) as tick:
        results = judge_roles(out, rendered, scope, engine.info(), color)
        tick(1, 3)
        for result in results:
            on_event(
                {
                    "event": "role",
                    "role": result.role,
                    "probe": result.probe.line,
                    "headline": result.headline,
                    "holds": result.holds,
                }
            )
        control.check()
        drafts = judge_drafts(rendered, color)
        viewers = make_viewers(out, rendered, scope, color)
        tick(2, 3)
        seconds = time.monotonic() - started
        facts = Facts(
            version=__version__,
            seconds=seconds,
            shot_seconds=shot_seconds,
            cores=os.cpu_count() or 1,
            ocio=color.name,
            frames=sum(len(job.frames) for job in rendered.values()),
        )
        report = write_report(out, results, drafts, viewers, facts)
        _write_record(out, results, drafts, facts)
        tick(3, 3)
    holds = all(result.holds for result in results)
    on_event({"event": "report", "file": str(report), "seconds": round(seconds, 1), "holds": holds})
    return report


def claim_folder(out: Path) -> None:
    """Makes the folder and marks it as a demo's.

    Raises:
        UsageError: It is a file, or holds something else than an earlier demo.
        OutputError: It can't be made or written to.
    """
    fix = "name a new folder"
    if out.exists() and not out.is_dir():
        raise UsageError("is a file", where=str(out), fix=fix)
    try:
        if out.is_dir() and any(out.iterdir()) and not _is_demo(out):
            raise UsageError("is not empty, and not an earlier demo", where=str(out), fix=fix)
        out.mkdir(parents=True, exist_ok=True)
        (out / _MARKER).write_text(json.dumps({"schema": SCHEMA}) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", where=str(out), fix=fix) from None


def _is_demo(out: Path) -> bool:
    try:
        document = json.loads((out / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("schema") == SCHEMA


def _run_jobs(
    out: Path, engine: Engine, scope: Scope, stages: "_Stages", on_event: Listener, control: Control
) -> dict[str, Rendered]:
    jobs = make_jobs(scope)
    paths = write_jobs(jobs, out / "graphs")
    rendered: dict[str, Rendered] = {}
    for job in jobs:
        heard = rendered[job.key] = Rendered()
        with stages.stage(job.title, job.weight) as tick:

            def hear(event: Event, heard: Rendered = heard, tick: Tick = tick) -> None:
                heard.hear(event)
                if event["event"] == "frame":
                    tick(event["done"], event["total"])
                elif event["event"] == "warning":
                    on_event(event)

            graph = load_graph(paths[job.name])
            if job.draft and job.frames:  # its record promises these frames and no more
                graph = graph.model_copy(update={"frames": job.frames})
            render_graph(graph, engine, draft=job.draft, on_event=hear, control=control, witness=Recorder())
    return rendered


class _Stages:
    """Turns progress within stages into percent of the whole."""

    def __init__(self, on_event: Listener, total: int) -> None:
        self._on_event = on_event
        self._total = total
        self._before = 0

    @contextmanager
    def stage(self, title: str, weight: int) -> Iterator[Tick]:
        def tick(done: int, total: int) -> None:
            percent = 100 * (self._before + weight * done / max(total, 1)) / self._total
            self._on_event({"event": "stage", "title": title, "done": round(percent, 1), "total": 100})

        tick(0, 1)
        yield tick
        self._before += weight


def _write_record(out: Path, results: tuple[RoleResult, ...], drafts: tuple[DraftResult, ...], facts: Facts) -> None:
    document = {
        "schema": SCHEMA,
        "version": facts.version,
        "seconds": round(facts.seconds, 1),
        "ocio": facts.ocio,
        "roles": [as_json(result) for result in results],
        "drafts": [asdict(draft) for draft in drafts],
    }
    try:
        (out / _MARKER).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", where=str(out / _MARKER)) from None
