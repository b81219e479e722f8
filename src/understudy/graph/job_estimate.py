# SPDX-License-Identifier: Apache-2.0
"""What a job would take: seconds, memory and disk, told from headers and from what runs took so far.

A render reads, computes and writes at the same time, so it takes about as long as the slowest of the three, and the
first read and the last write on top.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from understudy.contracts.engine import NO_CONTROL, Engine
from understudy.contracts.estimate import Estimate
from understudy.contracts.jobs import PackPin, RoleRequest
from understudy.contracts.plate import Plate
from understudy.graph.document import Graph
from understudy.graph.events import Event
from understudy.graph.job_memory import peak_bytes
from understudy.graph.job_work import JobWork, Requests, Task, work_of
from understudy.graph.ledger import Ledger, default_ledger
from understudy.graph.pins import motion_key
from understudy.graph.pipeline import READERS, writers
from understudy.graph.prepare import PreparedJob, prepare
from understudy.graph.standing import State
from understudy.packs.policy import ShowPolicy
from understudy.roles.costs import Cost, Costs
from understudy.roles.costs_file import CostsFile, default_costs_file

SHARE = 0.8
"""Of the runs that a band spans."""

_LEAST_DOUBT = 0.1
"""No band is narrower than this to either side: one day's machine is not the next day's."""

_OTHER_KIND = 2.0
"""Runs of other parameters than those asked may be off by this factor."""


@dataclass(frozen=True, slots=True)
class Band:
    """A figure with its doubt: four of five runs lay between ``low`` and ``high``, where there were enough."""

    low: float
    likely: float
    high: float

    def __add__(self, other: "Band") -> "Band":
        return Band(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, factor: float) -> "Band":
        return Band(self.low * factor, self.likely * factor, self.high * factor)


NOTHING = Band(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEstimate:
    """What one node takes of the whole job.

    Attributes:
        node: Its name; ``<node>.motion`` for the motion that an interpolation seeks itself.
        kind: ``read``, ``write``, a role, or another kind of step.
        pack: The pack that plays, as ``id@version``; empty for none.
        count: How often it works: plates, pairs of plates, or files.
        seconds: All of it, as if nothing else ran.
        runs: Measured runs that this rests on; 0 means a rule of thumb.
        device: Where these were.
    """

    node: str
    kind: str
    pack: str = ""
    count: int
    seconds: Band
    runs: int
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEstimate:
    """What a job would take on this machine, or on the service.

    Attributes:
        frames: Outputs that would be made.
        done: Outputs that were found done, and are left out; only looked for when asked.
        device: Where packs would run: ``cpu``, ``cuda:0``; as far as is known.
        machine: Which machine was measured; empty where a service tells.
        seconds_per_frame: The whole job's but for its start, shared by its frames.
        seconds: The whole job.
        start_seconds: To load the packs, as part of ``seconds``: each part of a job that is shared out takes it again.
        ram_bytes: Most memory that the render holds at a time; without what a service holds for it.
        vram_bytes: Most memory of the device; 0 on the CPU, and where nothing is known.
        disk_bytes_per_frame: Files of one frame, on average.
        disk_bytes: All files. Without compression it is right to within the headers; with one, it is what earlier
            outputs of this encoding shrank to, or the size without compression where there were none.
        measured: Every role was measured here; else a rule of thumb is part of it.
        nodes: Each node's share, in the order of the graph.
    """

    frames: int
    done: int = 0
    device: str
    machine: str = ""
    seconds_per_frame: Band
    seconds: Band
    start_seconds: Band
    ram_bytes: int
    vram_bytes: int = 0
    disk_bytes_per_frame: int
    disk_bytes: int
    measured: bool
    nodes: tuple[NodeEstimate, ...] = ()


def estimate_graph(
    graph: Graph,
    engine: Engine,
    *,
    frames: str = "",
    draft: bool = False,
    ocio: str = "",
    policy: ShowPolicy | None = None,
    remaining: bool = False,
    costs: Costs | None = None,
) -> JobEstimate:
    """What :func:`render_graph` would take. Headers are read, and pictures that shine; nothing is computed or written.

    Args:
        graph: As for :func:`render_graph`.
        engine: Tells its packs; one that estimates requests itself, such as a service, is asked for its seconds.
        frames: As for :func:`render_graph`.
        draft: As for :func:`render_graph`.
        ocio: As for :func:`render_graph`.
        policy: As for :func:`render_graph`.
        remaining: Leave out outputs that are there and right; their inputs are hashed to know.
        costs: What runs took; None takes those that this machine keeps.

    Raises:
        UnderstudyError: The job would be refused.
    """
    costs = CostsFile(default_costs_file()).costs if costs is None else costs
    with closing(Ledger(default_ledger())) as ledger:
        job = _prepared(graph, engine, ledger, frames, draft=draft, ocio=ocio, policy=policy)
        standing = job.standings(ledger, present_only=True) if remaining else {}
    outputs = tuple(
        output for output in job.plan.outputs if output not in standing or standing[output].state is not State.DONE
    )
    pins = {name: pack.pin for name, pack in job.packs.items()}
    work = work_of(job.plan, outputs, pins, hashed=graph.record)
    found = _Estimator(job, engine, costs).of(work, len(outputs))
    return replace(found, done=len(job.plan.outputs) - len(outputs))


def requests_by_frame(
    graph: Graph, engine: Engine, *, frames: str = "", draft: bool = False, policy: ShowPolicy | None = None
) -> dict[int, int]:
    """How many requests to the engine each output frame makes, as if it were made alone; stills are left out.

    Raises:
        UnderstudyError: The job would be refused.
    """
    with closing(Ledger(default_ledger())) as ledger:
        job = _prepared(graph, engine, ledger, frames, draft=draft, ocio="", policy=policy)
    counts: dict[int, int] = {}
    for name, frame in job.plan.outputs:
        if frame is not None:
            work = work_of(job.plan, ((name, frame),), {key: pack.pin for key, pack in job.packs.items()}, hashed=False)
            counts[frame] = counts.get(frame, 0) + sum(requests.count for requests in work.requests)
    return counts


def _prepared(
    graph: Graph, engine: Engine, ledger: Ledger, frames: str, *, draft: bool, ocio: str, policy: ShowPolicy | None
) -> PreparedJob:
    def listener(_event: Event) -> None:
        return

    return prepare(graph, engine, ledger, listener, NO_CONTROL, frames, draft=draft, ocio=ocio, policy=policy)


class _Estimator:
    def __init__(self, job: PreparedJob, engine: Engine, costs: Costs) -> None:
        self._job = job
        self._engine = engine
        self._costs = costs
        self._ask: Callable[[RoleRequest], Estimate] | None = getattr(engine, "estimate", None)
        device = job.info.device
        self._device = "" if device == "auto" else device

    def of(self, work: JobWork, frames: int) -> JobEstimate:
        """The estimate of some work."""
        asked = [(requests, *self._request(requests)) for requests in work.requests]
        tasks = [(task, self._task(task)) for task in work.tasks]
        nodes = _merged(
            [_of_requests(requests, cost) for requests, cost, _ in asked], [_of_task(*each) for each in tasks]
        )
        order = [*(key for name in self._job.plan.steps for key in (motion_key(name), name)), *self._job.plan.writes]
        seconds = _overlapped(nodes, tasks)
        disk = self._disk(work)
        device = next((cost.device for _, cost, _ in asked if cost.device), self._device or self._job.info.device)
        on_gpu = device.startswith("cuda")
        packs = {requests.workload.pack for requests in work.requests}
        start = self._start(packs) if frames else NOTHING
        resident = self._resident(packs, device)
        return JobEstimate(
            frames=frames,
            device=device,
            machine="" if self._ask else self._costs.machine,
            seconds_per_frame=seconds * (1 / frames) if frames else NOTHING,
            seconds=seconds + start,
            start_seconds=start,
            ram_bytes=peak_bytes(
                work, self._job.plan, self._costs, packs=0 if on_gpu else resident, served=self._ask is not None
            ),
            vram_bytes=resident or max((held for _, _, held in asked), default=0) if on_gpu else 0,
            disk_bytes_per_frame=disk // frames if frames else 0,
            disk_bytes=disk,
            measured=all(cost.runs > 0 for _, cost, _ in asked),
            nodes=tuple(sorted(nodes, key=lambda node: order.index(node.node))),
        )

    def _task(self, task: Task) -> Cost:
        return self._costs.cost_of_other(task.kind, task.what, task.megasamples, share=SHARE)

    def _request(self, requests: Requests) -> tuple[Cost, int]:
        """What one of these requests costs, and bytes of the device that its pack holds."""
        if self._ask is None:
            return self._costs.cost(requests.workload, device=self._device, share=SHARE), 0
        found = self._ask(blank_request(requests, self._job.color.name))
        cost = Cost(
            seconds=found.seconds,
            low=found.seconds_low,
            high=found.seconds_high,
            runs=found.measured_runs,
            device=found.device,
            exact=True,
        )
        return cost, found.vram_bytes

    def _start(self, packs: Iterable[PackPin]) -> Band:
        """To load these packs; nothing where a service has them in memory."""
        start = NOTHING
        for pack in packs if self._ask is None else ():
            cost = self._costs.cost_of_other("load", pack.id, 1.0, share=SHARE)
            start += _band(cost) if cost.exact else NOTHING
        return start

    def _resident(self, packs: Iterable[PackPin], device: str) -> int:
        """Bytes that these packs were seen to hold on a device."""
        held = 0.0
        for pack in packs if self._ask is None else ():
            cost = self._costs.cost_of_other("resident", f"{pack.id}@{pack.version} {device}", 1.0)
            held += 1e6 * cost.seconds if cost.exact else 0.0
        return round(held)

    def _disk(self, work: JobWork) -> int:
        total = 0.0
        for name, files in work.stored.items():
            for file in files:
                cost = self._costs.cost_of_other("disk", file.label, file.raw_bytes / 1e6)
                packed = file.packed and cost.exact
                total += work.outputs[name] * (1e6 * cost.seconds if packed else file.raw_bytes)
        return round(total)


def blank_request(requests: Requests, ocio: str) -> RoleRequest:
    """A request with plates of the right sizes and nothing in them: memory that is never touched is none."""
    plates = {
        name: Plate(
            pixels=np.zeros((outline.data_window.height, outline.data_window.width, len(outline.channels)), np.float32),
            channels=outline.channels,
            sample_types=outline.sample_types,
            data_window=outline.data_window,
            display_window=outline.display_window,
            colorspace="",
        )
        for name, outline in requests.ask.plates.items()
    }
    return RoleRequest(pack=requests.workload.pack, params=requests.ask.params, plates=plates, ocio_config=ocio)


def _of_requests(requests: Requests, cost: Cost) -> NodeEstimate:
    pack = requests.workload.pack
    return NodeEstimate(
        node=requests.ask.node,
        kind=requests.ask.params.role.value,
        pack=f"{pack.id}@{pack.version}",
        count=requests.count,
        seconds=_band(cost) * requests.count,
        runs=cost.runs,
        device=cost.device,
    )


def _of_task(task: Task, cost: Cost) -> NodeEstimate:
    kind = task.what.partition(" ")[0] if task.kind == "step" else task.kind
    return NodeEstimate(node=task.node, kind=kind, count=task.count, seconds=_band(cost) * task.count, runs=cost.runs)


def _merged(requests: list[NodeEstimate], tasks: list[NodeEstimate]) -> list[NodeEstimate]:
    """One entry for each node and kind: what a step does itself goes with what it asks for."""
    found: dict[tuple[str, str], NodeEstimate] = {}
    for node in requests:
        _put(found, node)
    own: dict[tuple[str, str], NodeEstimate] = {}
    for node in tasks:
        _put(own, node)
    for key, node in own.items():
        asked = found.get(key)
        found[key] = replace(asked, seconds=asked.seconds + node.seconds) if asked else node
    return list(found.values())


def _put(found: dict[tuple[str, str], NodeEstimate], node: NodeEstimate) -> None:
    """Adds an entry to that of its node and kind; of the two the least known counts."""
    known = found.get((node.node, node.kind))
    if known is not None:
        runs, count = min(known.runs, node.runs), known.count + node.count
        node = replace(node, seconds=known.seconds + node.seconds, runs=runs, count=count)
    found[node.node, node.kind] = node


def _overlapped(nodes: Iterable[NodeEstimate], tasks: Iterable[tuple[Task, Cost]]) -> Band:
    """Seconds of the whole job: those of the slowest stage, the first read and the last write."""
    spent = {"read": NOTHING, "write": NOTHING, "": NOTHING}
    for node in nodes:
        stage = node.kind if node.kind in spent else ""
        spent[stage] += node.seconds
    ends = {"read": NOTHING, "write": NOTHING}
    for task, cost in tasks:
        if task.kind in ends:
            ends[task.kind] = _larger(ends[task.kind], _band(cost))
    slowest = _larger(spent[""], spent["read"] * (1 / READERS), spent["write"] * (1 / writers()))
    return slowest + ends["read"] + ends["write"]


def _band(cost: Cost) -> Band:
    doubt = 1 + _LEAST_DOUBT if cost.exact or not cost.runs else _OTHER_KIND
    return Band(min(cost.low, cost.seconds / doubt), cost.seconds, max(cost.high, cost.seconds * doubt))


def _larger(*bands: Band) -> Band:
    return Band(*(max(figures) for figures in zip(*((b.low, b.likely, b.high) for b in bands), strict=True)))
