# SPDX-License-Identifier: Apache-2.0
"""What a job will do, counted before it begins: files to read and write, steps, and what is asked of the engine."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from understudy.contracts.jobs import PackPin
from understudy.contracts.workload import Workload, workload_of
from understudy.frames.stored import Stored
from understudy.graph.plan import Plan
from understudy.graph.standing import Output
from understudy.graph.step_labels import step_label, write_label
from understudy.graph.steps.step import Ask, Frame, Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work beside the engine that a node does again and again.

    Attributes:
        node: The node.
        kind: ``read``, ``step`` or ``write``.
        what: Alike work has the same text; see ``understudy.roles.costs``.
        megasamples: Of one plate.
        count: How many.
    """

    node: str
    kind: str
    what: str
    megasamples: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Alike requests of one node.

    Attributes:
        ask: One of them.
        workload: What each asks.
        count: How many.
    """

    ask: Ask
    workload: Workload
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWork:
    """All that a job does.

    Attributes:
        tasks: Reading, steps and writing.
        requests: What is asked of the engine.
        stored: The files of one output of each write node.
        outputs: How many each write node has.
        spans: The most plates of each node that are held for one output.
    """

    tasks: tuple[Task, ...]
    requests: tuple[Requests, ...]
    stored: Mapping[str, tuple[Stored, ...]]
    outputs: Mapping[str, int]
    spans: Mapping[str, int]


def work_of(plan: Plan, outputs: Sequence[Output], pins: Mapping[str, PackPin], *, hashed: bool) -> JobWork:
    """Counts the work for some of a plan's outputs. Each plate and each request counts once, whoever needs it.

    Args:
        plan: The plan.
        outputs: What is to be made.
        pins: The pack of each node, as the plan's steps have them.
        hashed: Pixels are hashed for a record.

    Raises:
        UnderstudyError: An output can't be stored as the graph wants it.
    """
    seen: set[Key] = set()
    asked: set[tuple[str, tuple[Frame, ...]]] = set()
    kinds: dict[tuple[str, str], tuple[Ask, Workload]] = {}
    requests: Counter[tuple[str, str]] = Counter()
    computed: Counter[tuple[str, str, str]] = Counter()
    spans: Counter[str] = Counter()
    for name, frame in outputs:
        closure = _closure(plan, (plan.writes[name].source.name, frame))
        for node, count in Counter(node for node, _ in closure).items():
            spans[node] = max(spans[node], count)
        for key in closure:
            if key in seen:
                continue
            seen.add(key)
            step = plan.steps[key[0]]
            computed[(step.name, *step_label(step, key[1]))] += 1
            for ask in step.asks(key[1]):
                if (ask.node, ask.name) in asked:
                    continue
                asked.add((ask.node, ask.name))
                sizes = {plate: outline.size for plate, outline in ask.plates.items()}
                workload = workload_of(ask.params, pins[ask.node], sizes)
                kinds.setdefault((ask.node, workload.variant), (ask, workload))
                requests[ask.node, workload.variant] += 1
    made = Counter(name for name, _ in outputs)
    tasks = [
        Task(node=node, kind=kind, what=what, megasamples=plan.steps[node].outline.megasamples, count=count)
        for (node, kind, what), count in computed.items()
    ]
    for name, count in made.items():
        write = plan.writes[name]
        label = write_label(write, write.stored(write.source.outline), hashed=hashed)
        tasks.append(
            Task(node=name, kind="write", what=label, megasamples=write.source.outline.megasamples, count=count)
        )
    return JobWork(
        tasks=tuple(tasks),
        requests=tuple(
            Requests(ask=ask, workload=workload, count=requests[kind]) for kind, (ask, workload) in kinds.items()
        ),
        stored={name: plan.writes[name].stored(plan.writes[name].source.outline) for name in made},
        outputs=made,
        spans=spans,
    )


def _closure(plan: Plan, start: Key) -> dict[Key, None]:
    keys: dict[Key, None] = {}
    queue = [start]
    while queue:
        key = queue.pop()
        if key not in keys:
            keys[key] = None
            queue += plan.steps[key[0]].needs(key[1])
    return keys
