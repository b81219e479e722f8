# SPDX-License-Identifier: Apache-2.0
"""Most memory that a render holds at a time: computed from the sizes of its plates, corrected by what renders took."""

import resource

from understudy.graph.job_work import JobWork
from understudy.graph.pipeline import LOOKAHEAD_BYTES, MAX_AHEAD, writers
from understudy.graph.plan import Plan
from understudy.graph.steps.motion import MotionStep
from understudy.graph.steps.read import ReadStep
from understudy.roles.costs import Costs
from understudy.roles.stopwatch import Stopwatch

_PROGRAM = 150_000_000
"""Bytes of the program with its libraries and the graph's small models."""

_STAYS = 0.3
"""Share of what a role took that the allocator keeps when it is done, while another one runs."""

_PAIRS = 2
"""Results of pairs that a motion step keeps, each of two plates of four channels."""

_GREW = 1.5
"""A process whose peak a render raised by less says nothing of this render."""


def peak_bytes(work: JobWork, plan: Plan, costs: Costs, *, packs: int = 0, served: bool = False) -> int:
    """The most that the process of a render holds.

    Args:
        work: What the job does.
        plan: Its steps.
        costs: What renders took; where one of the same packs was measured, it decides.
        packs: Bytes that large models are known to hold.
        served: Roles run elsewhere.
    """
    computed = computed_bytes(work, plan, served=served)
    cost = costs.cost_of_other("memory", _label(work, served=served), computed / 1e6)
    return round(1e6 * cost.seconds) if cost.exact else computed + packs


def computed_bytes(work: JobWork, plan: Plan, *, served: bool = False) -> int:
    """Plates that are read ahead, those at work, results that are kept, what roles take, and what waits for the disk.

    Args:
        work: What the job does.
        plan: Its steps.
        served: Roles run elsewhere.
    """
    plates = {node: plan.steps[node].outline.nbytes for node in work.spans}
    largest = max(plates.values(), default=0)
    ahead = min(MAX_AHEAD, LOOKAHEAD_BYTES // largest) if largest else 0
    held = 0
    for node, span in work.spans.items():
        most = sum(task.count for task in work.tasks if task.node == node)
        early = ahead if isinstance(plan.steps[node], ReadStep) else 0
        held += plates[node] * min(most, span + early)
    takes: dict[str, int] = {}
    for requests in work.requests:
        load = requests.workload
        takes[requests.ask.node] = max(takes.get(requests.ask.node, 0), load.peak_bytes - load.input_bytes)
        if requests.ask.params.role == MotionStep.kind:
            held += min(requests.count, _PAIRS) * load.output_bytes
    most_taken = max(takes.values(), default=0)
    roles = most_taken + round(_STAYS * (sum(takes.values()) - most_taken))
    waiting = 0
    for name, count in work.outputs.items():
        size = plates[plan.writes[name].source.name] * plan.writes[name].proxy.factor ** 2
        waiting += max(size, min(LOOKAHEAD_BYTES, size * min(count, 1 + writers())))
    return _PROGRAM + held + (0 if served else roles) + waiting


def peak_so_far() -> int:
    """Most bytes that this process has ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def learn_peak(work: JobWork, plan: Plan, stopwatch: Stopwatch, before: int) -> None:
    """Learns what a render took that just ended, unless the process had been as large before.

    Args:
        work: What it did.
        plan: Its steps.
        stopwatch: Learns.
        before: What :func:`peak_so_far` said when it began.
    """
    peak = peak_so_far()
    if work.outputs and peak >= _GREW * before:
        served = not stopwatch.times_roles
        told = computed_bytes(work, plan, served=served)
        stopwatch.took("memory", _label(work, served=served), told / 1e6, peak / 1e6)


def _label(work: JobWork, *, served: bool) -> str:
    packs = sorted({f"{r.ask.params.role.value} {r.workload.pack.id}" for r in work.requests})
    return ("served " if served else "") + (" + ".join(packs) or "none")
