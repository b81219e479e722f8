# SPDX-License-Identifier: Apache-2.0
"""By what the work of a render is known when it is timed and when it is estimated: alike work has one label."""

from collections.abc import Iterable

from understudy.frames.stored import Stored
from understudy.graph.steps.drafted import undrafted
from understudy.graph.steps.interpolate import InterpolateStep
from understudy.graph.steps.read import ReadStep
from understudy.graph.steps.step import Frame, Step
from understudy.graph.steps.write import WriteStep


def step_label(step: Step, frame: Frame) -> tuple[str, str]:
    """Kind and label of what a step does itself: ``read`` with what the files are like, or ``step``."""
    if isinstance(undrafted(step), InterpolateStep) and not step.asks(frame):
        return "step", f"{step.kind} source"  # a source frame, handed on
    if not isinstance(step, ReadStep):
        return "step", step.kind if undrafted(step) is step else f"{step.kind} drafted"
    storage = step.outline.storage
    packing, types = storage.compression.partition(":")[0], sorted(set(step.outline.sample_types))
    return "read", " ".join(filter(None, (storage.container, packing, *types, step.proxy.label)))


def write_label(write: WriteStep, files: Iterable[Stored], *, hashed: bool) -> str:
    """The label of a write: container, compression and types, a draft's scale, and whether pixels are hashed.

    Args:
        write: The step.
        files: What it writes.
        hashed: Pixels are hashed for a record.
    """
    labels = " + ".join(stored.label for stored in files)
    return " ".join(filter(None, (labels, write.proxy.label, "hashed" if hashed else "")))
