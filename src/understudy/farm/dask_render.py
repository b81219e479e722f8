# SPDX-License-Identifier: Apache-2.0
"""Renders a graph on Dask workers: shares its frames out in chunks, a few at a time, and tells it as one render.

Each chunk is a run of consecutive frames, so that what neighbors in time share is read and computed once, by
`render_graph` in the worker. Chunks are given to workers by name, so that only those get some that were found to do the
job alike. The chunk of a worker that died goes to another one, where `render_graph` makes the frames that are missing.
"""

import json
import os
import secrets
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any

from understudy import __version__
from understudy.contracts.engine import NO_CONTROL, Control, Engine
from understudy.contracts.errors import UnavailableError, UnderstudyError
from understudy.farm.chunks import are_scattered, chunks
from understudy.farm.dask_cluster import Cluster, Place, open_cluster, require_dask
from understudy.farm.dask_files import proofs
from understudy.farm.dask_tally import Tally
from understudy.frames.atomic import sweep
from understudy.frames.sequence import format_frames
from understudy.graph.document import Graph
from understudy.graph.events import Event, Listener
from understudy.graph.ledger import Ledger, default_ledger
from understudy.graph.paths import with_absolute_files
from understudy.graph.prepare import PreparedJob, prepare, tell_standings
from understudy.graph.reach import files_to_prove
from understudy.graph.render import Summary, render_graph
from understudy.graph.standing import Output, Standing, State
from understudy.packs.policy import ShowPolicy
from understudy.provenance.recorder import Recorder
from understudy.provenance.scene import full_pin

_AHEAD = 2
"""Chunks that a worker has at most: one that it renders, and the next."""

_MOST_DEATHS = 3
"""So many workers may die of a chunk, one after the other, before the job is given up."""

_MOST_FRAMES = 64
_CHUNKS_PER_WORKER = 4
_TICK_S = 0.05
_AGAIN = "submit again; frames that are done stay"


def render_on_dask(
    graph: Graph,
    engine: Engine,
    place: Place,
    *,
    frames: str = "",
    chunk: int = 0,
    draft: bool = False,
    on_event: Listener | None = None,
    control: Control = NO_CONTROL,
    policy: ShowPolicy | None = None,
) -> None:
    """Renders every write node of a graph on a Dask cluster; what is there and right is left alone.

    Args:
        graph: The document.
        engine: Tells the packs that the workers must have, too; it computes nothing.
        place: Where.
        frames: Output frames; empty takes the graph's, or all.
        chunk: Most frames of a chunk; 0: chosen.
        draft: Packs' draft stand-ins.
        on_event: Hears what happens, as of `render_graph`.
        control: Cancels; frames that are under way are cleaned up.
        policy: Which packs the show allows.

    Raises:
        UnavailableError: The cluster does not answer, no worker came, or several died of the same frames.
        UnderstudyError: As for `render_graph`; or a worker differs from this machine.
    """
    place.check()
    require_dask()
    listener: Listener = on_event or (lambda _event: None)
    graph = with_absolute_files(graph)
    with closing(Ledger(default_ledger())) as ledger:
        job = prepare(graph, engine, ledger, listener, control, frames, draft=draft, policy=policy)
        found = job.standings(ledger, present_only=True)
    outputs = job.plan.outputs
    facts = {"graph": job.facts["understudy:graph"], "ocio": job.color.name, "draft": draft}
    listener({"event": "start", "frames": len(outputs), **facts})
    tell_standings(found, listener)
    done, todo = _sorted_out(outputs, found)
    tally = Tally(len(outputs), listener)

    def render_here(part: str) -> None:
        summary = render_graph(
            graph,
            engine,
            frames=frames,
            part=part,
            draft=draft,
            on_event=tally.hear,
            control=control,
            policy=policy,
            witness=Recorder(policy.document.record.source_types if policy else None),
        )
        tally.add(_numbers(summary))

    if todo is None:
        render_here("")  # all is there: that it is on record is all that there is to see to
    else:
        if done:
            render_here(format_frames(done))
        inputs, written = files_to_prove(graph)
        with open_cluster(place) as cluster, proofs(inputs, written) as files:
            if cluster.remark:
                listener({"event": "warning", "node": "", "frame": None, "message": cluster.remark})
            said = _described(graph, job, frames, cluster, files, draft=draft, policy=policy)
            shared = _Shared(cluster, said, tally, control)
            shared.render(todo, chunk)
        if shared.deaths:
            for folder in {path.parent for path in written}:
                sweep(folder, again=True)
    tally.finish()


class _Shared:
    """The part of a job that workers render."""

    def __init__(self, cluster: Cluster, job: Mapping[str, Any], tally: Tally, control: Control) -> None:
        from understudy.farm.dask_crew import Crew

        self._client = cluster.client
        self._token = str(job["token"])
        self._tally = tally
        self._control = control
        self._crew = Crew(cluster.client, job, cluster.refill)
        self._told: SimpleQueue[Event] = SimpleQueue()
        self._flying: dict[str, _Flight] = {}
        self._again: deque[_Chunk] = deque()
        self._number = 0
        self.deaths = 0
        self._ended: dict[str, Event] = {}

    def render(self, frames: Sequence[int], size: int) -> None:
        """Renders frames; none means the stills of a graph without any."""
        from understudy.farm.dask_seat import TOPIC

        self._client.subscribe_topic(TOPIC, self._hear)
        whole = False
        try:
            self._crew.muster(self._control)
            where = self._client.scheduler.address
            self._tally.hear({"event": "workers", "count": len(self._crew.able), "where": where})
            self._share_out(map(_Chunk, _parts(frames, size, len(self._crew.able))))
            whole = True
        finally:
            if not whole:
                self._client.cancel([flight.future for flight in self._flying.values()])
            self._flying.clear()
            self._crew.rest(cancelled=not whole)
            with suppress(Exception):
                self._client.unsubscribe_topic(TOPIC)

    def _share_out(self, chunks: Iterator["_Chunk"]) -> None:
        following = next(chunks, None)
        while following or self._again or self._flying:
            self._control.check()
            while (following or self._again) and (worker := self._freest()):
                if self._again:
                    self._send(self._again.popleft(), worker)
                elif following:
                    self._send(following, worker)
                    following = next(chunks, None)
            self._listen()
            for key in [key for key, flight in self._flying.items() if flight.future.done()]:
                self._listen(wait=False)  # what it told before it ended
                self._settle(key, self._flying.pop(key))
            self._look_around()
        self._listen(wait=False)

    def _freest(self) -> str:
        """The worker that has the fewest chunks; empty when each has as many as it may."""
        load = Counter(dict.fromkeys(sorted(self._crew.able), 0))
        load.update(flight.worker for flight in self._flying.values())
        worker, has = min(load.items(), key=lambda item: item[1], default=("", _AHEAD))
        return worker if has < _AHEAD else ""

    def _send(self, chunk: "_Chunk", worker: str) -> None:
        from understudy.farm.dask_seat import render_chunk

        key = f"{self._token}-{self._number}"
        self._number += 1
        future = self._client.submit(
            render_chunk, self._token, chunk.part, key=key, workers=[worker], pure=False, retries=0
        )
        self._flying[key] = _Flight(future, chunk, worker)

    def _hear(self, message: tuple[float, Any]) -> None:
        """Runs in the client's own thread."""
        said = message[1]
        if isinstance(said, dict) and said.get("job") == self._token:
            self._told.put(json.loads(said["told"]))

    def _listen(self, *, wait: bool = True) -> None:
        with suppress(Empty):
            event = self._told.get(timeout=_TICK_S) if wait else self._told.get_nowait()
            while True:
                if "chunk" in event:
                    self._ended[event["chunk"]] = event
                else:
                    self._tally.hear(event)
                event = self._told.get_nowait()

    def _settle(self, key: str, flight: "_Flight") -> None:
        """What became of a chunk.

        Raises:
            UnderstudyError: The job failed.
        """
        if flight.future.status != "finished":
            raise _failure(flight)
        ended = self._ended.pop(key)
        if "error" in ended:
            from understudy.farm.dask_crew import error_of

            raise error_of(ended["error"])
        self._tally.add(ended)

    def _look_around(self) -> None:
        if self._client.status != "running":
            raise UnavailableError("the scheduler went away", fix=_AGAIN)
        for problem in self._crew.look().values():
            if problem is not None:
                said = f"{problem.where}: {problem.problem}; it gets no frames"
                self._tally.hear({"event": "warning", "node": "", "frame": None, "message": said})
        able = self._crew.able
        for key in [key for key, flight in self._flying.items() if flight.worker not in able]:
            flight = self._flying.pop(key)
            self._client.cancel([flight.future])
            self.deaths += 1
            self._again.append(flight.chunk.after_a_death())


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Frames that are rendered together, and how many workers died while they had them."""

    part: str
    deaths: int = 0

    @property
    def name(self) -> str:
        return f"frames {self.part}" if self.part else "the still"

    def after_a_death(self) -> "_Chunk":
        """The chunk for another worker.

        Raises:
            UnavailableError: There were too many.
        """
        if self.deaths == _MOST_DEATHS:
            raise UnavailableError(
                f"{_MOST_DEATHS + 1} workers died while they had them, one after the other",
                where=self.name,
                fix="see their logs; most likely memory ran out: start fewer workers to a machine, or give --chunk 1",
            )
        return replace(self, deaths=self.deaths + 1)


@dataclass(frozen=True, slots=True)
class _Flight:
    """A chunk that a worker has."""

    future: Any
    chunk: _Chunk
    worker: str


def default_chunk(frames: int, workers: int) -> int:
    """Most frames of a chunk: every worker gets a few chunks, so that none waits long for the last one."""
    return max(1, min(_MOST_FRAMES, -(-frames // (_CHUNKS_PER_WORKER * workers))))


def _parts(frames: Sequence[int], size: int, workers: int) -> Iterator[str]:
    if not frames:
        return iter([""])
    size = size or default_chunk(len(frames), workers)
    contiguous = not are_scattered(frames, size)
    return (format_frames(part) for part in chunks(frames, size, contiguous=contiguous))


def _sorted_out(
    outputs: Sequence[Output], found: Mapping[Output, Standing]
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """The frames that are done in every output, and those that are not; None for these when nothing is left to do.

    Stills are made with the first frame.
    """
    numbers = sorted({frame for _, frame in outputs if frame is not None})
    undone = [
        frame for name, frame in outputs if (name, frame) not in found or found[name, frame].state is not State.DONE
    ]
    if not undone:
        return tuple(numbers), None
    todo = {numbers[0] if numbers and frame is None else frame for frame in undone} - {None}
    return tuple(n for n in numbers if n not in todo), tuple(n for n in numbers if n in todo)


def _described(
    graph: Graph,
    job: PreparedJob,
    frames: str,
    cluster: Cluster,
    files: Mapping[str, str],
    *,
    draft: bool,
    policy: ShowPolicy | None,
) -> dict[str, Any]:
    """The job as workers are told of it, in JSON types; see ``dask_seat.seat_of``."""
    config = job.color.name if job.color.built_in else os.path.abspath(job.color.name)  # noqa: PTH100 - keeps links
    return {
        "version": __version__,
        "token": f"understudy-{secrets.token_hex(8)}",
        "graph": graph.document,
        "frames": frames,
        "draft": draft,
        "device": job.info.device,
        "ocio": config,
        "ocio_cache_id": job.color.cache_id,
        "packs": {name: full_pin(pack) for name, pack in job.packs.items()},
        "policy": policy.content.decode() if policy else "",
        "files": dict(files),
        "cores": {name: list(share) for name, share in cluster.cores.items()},
    }


def _numbers(summary: Summary) -> dict[str, Any]:
    return {"max_in": summary.max_in, "max_out": summary.max_out, "clamped": summary.clamped, "cached": summary.cached}


def _failure(flight: _Flight) -> Exception:
    """Why Dask could not run a chunk."""
    if flight.future.status != "error":
        return UnavailableError("the scheduler gave the job up", where=flight.chunk.name, fix=_AGAIN)
    error = flight.future.exception()
    return error if isinstance(error, Exception) else UnderstudyError(f"the task failed: {error}")
