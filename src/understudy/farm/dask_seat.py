# SPDX-License-Identifier: Apache-2.0
"""What runs in a Dask worker: a job's seat there, with the graph and one engine that stay for all its chunks.

A client seats its job in each worker by calling :func:`enroll` there, and gives chunks to those alone that passed. A
process renders one chunk of a job at a time, however many threads it has.
"""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from distributed import get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from understudy import __version__
from understudy.contracts.engine import Control
from understudy.contracts.errors import MemoryBudgetError, PinMismatchError, UnderstudyError, UsageError

TOPIC = "understudy"
"""Under which topic workers tell what happens; messages name their job."""

_STEP_S = 0.2
"""Progress within a frame is told so often at most."""

_TOLD = frozenset({"frame", "step", "timings", "warning"})
"""Events of a chunk that hold for the whole job; the rest the client tells itself."""


async def enroll(job: Mapping[str, Any], dask_worker: Any = None) -> dict[str, Any] | None:
    """Gives a job a seat in this worker, or says why it can't have one.

    Args:
        job: As the crew describes it; JSON types alone, so that any version can read it.
        dask_worker: The worker; Dask puts it in.

    Returns:
        None, or what is wrong as :func:`told` gives it.
    """
    if job["version"] != __version__:
        problem = f"runs Understudy {__version__}, and {job['version']} is here"
        return told(UsageError(problem, fix="install the same version on both"))
    token = str(job["token"])
    if token not in dask_worker.plugins:
        _take_cores(job["cores"].get(str(dask_worker.name)))
        try:
            seat = await asyncio.to_thread(seat_of, job)
        except UnderstudyError as error:
            return told(error)
        await dask_worker.plugin_add(seat, name=token)
    return None


async def dismiss(token: str, dask_worker: Any = None) -> None:
    """Takes a job's seat away and frees what it held. A worker of our own that is in the midst of a frame drops it."""
    if token in dask_worker.plugins:
        dask_worker.plugins[token].vacate()
        await dask_worker.plugin_remove(token)


def is_busy(token: str, dask_worker: Any = None) -> bool:
    """Whether a chunk of a job runs in this worker."""
    return token in dask_worker.plugins and dask_worker.plugins[token].busy


def render_chunk(token: str, part: str) -> None:
    """The task: renders some frames of a job; how it ended is told like an event, under ``chunk``."""
    worker = get_worker()
    worker.plugins[token].render(part, str(worker.get_current_task()))


def told(error: UnderstudyError) -> dict[str, Any]:
    """An error as JSON types."""
    return {"kind": type(error).__name__, "problem": error.problem, "where": error.where, "fix": error.fix}


class Seat(WorkerPlugin):
    """One job in one worker.

    Args:
        token: The job's.
        graph: The graph.
        engine: Computes.
        how: How ``render_graph`` is called.
        types: The policy's source types for the record.
        own_process: The client started this worker and ends it with the job.
    """

    def __init__(
        self, token: str, graph: Any, engine: Any, how: Mapping[str, Any], types: Any, *, own_process: bool
    ) -> None:
        self._token = token
        self._graph = graph
        self._engine = engine
        self._how = how
        self._types = types
        self._own_process = own_process
        self._worker: Any = None
        self._dropped: set[str] = set()
        self._away = threading.Event()
        self._turn = threading.Lock()
        self._stepped = 0.0

    @property
    def busy(self) -> bool:
        """Whether a chunk runs."""
        return self._turn.locked()

    def setup(self, worker: Any) -> None:
        """Dask calls it when the seat is taken."""
        self._worker = worker

    def teardown(self, worker: Any) -> None:
        """Dask calls it when the seat is given up: a chunk that runs stops at its next tile."""
        del worker
        self._away.set()
        if not self.busy:
            self._engine.close()

    def vacate(self) -> None:
        """Removes what is half written, where the process is about to end anyway."""
        if self._own_process and self.busy:
            from understudy.frames.atomic import abandon

            self._away.set()
            abandon()

    def transition(self, key: Any, start: str, finish: str, **_more: Any) -> None:
        """Dask calls it when a task changes: nobody waits any more for one that is released while it runs."""
        if start == "executing" and finish == "released":
            self._dropped.add(str(key))
        elif finish != "released":
            self._dropped.discard(str(key))

    def render(self, part: str, key: str) -> None:
        """Renders frames of the job, empty for all; errors are told, not raised: they are the job's, not Dask's."""
        with self._turn:
            ended = self._rendered(part, Control(cancelled=lambda: self._away.is_set() or key in self._dropped))
            if self._away.is_set():
                self._engine.close()
        self._send(ended | {"chunk": key})

    def _rendered(self, part: str, control: Control) -> dict[str, Any]:
        from understudy.graph.plate_cache import default_cache
        from understudy.graph.render import render_graph
        from understudy.provenance.recorder import Recorder

        try:
            control.check()
            summary = render_graph(
                self._graph,
                self._engine,
                part=part,
                on_event=self._tell,
                control=control,
                witness=Recorder(self._types),
                cache=default_cache(),
                **self._how,
            )
        except UnderstudyError as error:
            return {"error": told(error)}
        except MemoryError:
            where = f"worker {self._worker.address}"
            return {
                "error": told(MemoryBudgetError("out of memory", where=where, fix="use fewer workers to a machine"))
            }
        return {
            "max_in": summary.max_in,
            "max_out": summary.max_out,
            "clamped": summary.clamped,
            "cached": summary.cached,
        }

    def _tell(self, event: dict[str, Any]) -> None:
        if event["event"] not in _TOLD:
            return
        if event["event"] == "step":
            now = time.monotonic()
            if now - self._stepped < _STEP_S:
                return
            self._stepped = now
        self._send(event)

    def _send(self, event: dict[str, Any]) -> None:
        self._worker.log_event(TOPIC, {"job": self._token, "told": json.dumps(event, default=str)})


def seat_of(job: Mapping[str, Any]) -> Seat:
    """Makes a seat, when this worker sees the same packs, colors and files as the client.

    Raises:
        UnderstudyError: It does not.
    """
    from understudy.color.config import ColorConfig
    from understudy.contracts.errors import ColorspaceError
    from understudy.farm.dask_files import require_files
    from understudy.frames.atomic import sweep
    from understudy.graph.parsing import parse_graph
    from understudy.graph.pins import pin_packs
    from understudy.graph.reach import files_to_prove
    from understudy.graph.rights import judged
    from understudy.packs.policy import find_policy, parse_policy
    from understudy.provenance.scene import full_pin
    from understudy.roles.engine import LocalEngine
    from understudy.roles.pack_settings import PackSettings
    from understudy.service.allocator import keep_memory

    keep_memory()  # Dask has glibc give back each frame's memory at once, which is slow
    graph = parse_graph(job["graph"], source="the job")
    policy = parse_policy(job["policy"].encode(), Path("the policy of who submitted it")) if job["policy"] else None
    color = ColorConfig.load(graph.config or job["ocio"])
    if color.cache_id != job["ocio_cache_id"]:
        problem = f"its OCIO config {color.name} is not the one here"
        raise ColorspaceError(problem, fix="bring both to the same config and the same PyOpenColorIO")
    settings = PackSettings(reload_s=0)  # what is pinned stays as it is
    engine = LocalEngine(
        device=job["device"], ocio_config=color.name, policy=policy or find_policy(), settings=settings
    )
    try:
        packs = pin_packs(graph, judged(engine.info(), policy), draft=job["draft"])
        _require_pins({node: full_pin(pack) for node, pack in packs.items()}, job["packs"])
        require_files(job["files"])
        for path in files_to_prove(graph)[1]:
            sweep(path.parent)  # the worker that was here before may have been killed
    except BaseException:
        engine.close()
        raise
    engine.watch()  # a seat that nobody came back to frees its models
    how = {"frames": job["frames"], "draft": job["draft"], "ocio": job["ocio"], "policy": policy}
    types = policy.document.record.source_types if policy else None
    return Seat(str(job["token"]), graph, engine, how, types, own_process=bool(job["cores"]))


def _require_pins(found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    for node, pin in wanted.items():
        if found[node] != pin:
            raise PinMismatchError(
                f"has {_short(found[node])} for node {node}, and here is {_short(pin)}",
                fix="bring the packs of both to the same state",
            )


def _short(pin: str) -> str:
    head, _, digest = pin.partition("#")
    return f"{head}#{digest[:12]}"


def _take_cores(cores: Sequence[int] | None) -> None:
    """Keeps a worker that the client started to its cores, and leaves Ctrl-C to the client, which cleans up."""
    if not cores:
        return
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            os.sched_setaffinity(int(thread.name), cores)
