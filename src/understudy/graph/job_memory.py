# SPDX-License-Identifier: Apache-2.0
"""Most memory that a render holds at a time, told from the sizes of its plates."""

from understudy.graph.job_work import JobWork
from understudy.graph.pipeline import LOOKAHEAD_BYTES, MAX_AHEAD
from understudy.graph.plan import Plan
from understudy.graph.steps.read import ReadStep

_PROGRAM = 300_000_000
"""Bytes of the program with its libraries and a small model."""


def peak_bytes(work: JobWork, plan: Plan, *, packs: int = 0) -> int:
    """Bytes of plates that are read ahead, of those at work and those that wait for the disk, and what roles take.

    Args:
        work: What the job does.
        plan: Its steps.
        packs: Bytes that large models are known to hold.
    """
    plates = {node: plan.steps[node].outline.nbytes for node in work.spans}
    largest = max(plates.values(), default=0)
    ahead = min(MAX_AHEAD, LOOKAHEAD_BYTES // largest) if largest else 0
    held = 0
    for node, span in work.spans.items():
        most = sum(task.count for task in work.tasks if task.node == node)
        early = ahead if isinstance(plan.steps[node], ReadStep) else 0
        held += plates[node] * min(most, span + early)
    roles = max((r.workload.peak_bytes - r.workload.input_bytes for r in work.requests), default=0)
    waiting = max((plates[plan.writes[name].source.name] for name in work.outputs), default=0)
    return _PROGRAM + packs + held + roles + waiting
