# SPDX-License-Identifier: Apache-2.0
"""Turns a graph into steps and a list of outputs, and refuses a job that can't be finished before it begins."""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from understudy.color.config import ColorConfig
from understudy.contracts.errors import GraphError, UsageError
from understudy.frames.sequence import format_frames, parse_frames
from understudy.graph.document import (
    ColorNode,
    Graph,
    InterpolateNode,
    MotionNode,
    Node,
    ReadNode,
    RelightNode,
    UpscaleNode,
    VectorBlurNode,
    WriteNode,
    inputs_of,
)
from understudy.graph.draft import drafted_nodes, is_draft_node
from understudy.graph.pins import motion_key
from understudy.graph.pipeline import Wanted
from understudy.graph.retime_node import plan_retime
from understudy.graph.steps.color import ColorStep
from understudy.graph.steps.drafted import DraftedStep, undrafted
from understudy.graph.steps.interpolate import InterpolateStep
from understudy.graph.steps.motion import MotionStep
from understudy.graph.steps.read import ReadStep
from understudy.graph.steps.relight import RelightStep
from understudy.graph.steps.step import Frame, Setting, Step, only_frames
from understudy.graph.steps.upscale import UpscaleStep
from understudy.graph.steps.vector_blur import VectorBlurStep
from understudy.graph.steps.write import WriteStep
from understudy.graph.working_space import require_output_space


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be done.

    Attributes:
        steps: Every computing step by node name.
        writes: The write steps by node name.
        outputs: Write-node name and frame, in order.
    """

    steps: Mapping[str, Step]
    writes: Mapping[str, WriteStep]
    outputs: tuple[tuple[str, Frame], ...]

    def wanted(self, outputs: tuple[tuple[str, Frame], ...]) -> list[Wanted]:
        """What the pipeline must give for these outputs."""
        return [Wanted(self.writes[name].source.name, frame) for name, frame in outputs]


def plan_graph(graph: Graph, setting: Setting, *, frames: str = "", part: str = "") -> Plan:
    """Opens inputs and decides what to render.

    Args:
        graph: The document.
        setting: What steps share.
        frames: Output frames; empty takes the graph's.
        part: Only these of them, handles included, for a job that is shared out; a still goes with its first frame.
            Empty for all.

    Raises:
        GraphError: Nothing is written, or an input has the wrong kind.
        InputError: An input is missing or has gaps that the job would meet.
        UsageError: The frames asked for are not there.
        ForbiddenError: A file may not be touched.
    """
    if not graph.writes():
        raise GraphError("nothing is written", where="nodes", fix="add a node of type write")
    steps: dict[str, Step] = {}
    writes: dict[str, WriteStep] = {}
    drafted = drafted_nodes(graph, draft=setting.draft)
    order = TopologicalSorter({name: inputs_of(node).values() for name, node in graph.nodes.items()}).static_order()
    for name in order:
        node = graph.nodes[name]
        if isinstance(node, WriteNode):
            writes[name] = WriteStep(name, node, setting, steps[node.input], draft=name in drafted)
        else:
            alone = not setting.draft and is_draft_node(node)
            step = _step(name, node, steps, setting, alone=alone)
            steps[name] = DraftedStep(step, setting.proxy) if alone else step
    outputs = _outputs(writes, frames or graph.frames, graph.handles)
    if part:
        outputs = _part_of(outputs, part)
    for name, write in writes.items():
        write.expect(sum(1 for writer, _ in outputs if writer == name))
    for name, frame in outputs:
        writes[name].allowed_path(frame)
    plan = Plan(steps=steps, writes=writes, outputs=outputs)
    _refuse_gaps(plan)
    _refuse_undeclared_outputs(graph, plan, setting.color)
    _refuse_overwriting_inputs(plan)
    return plan


def _step(name: str, node: Node, steps: Mapping[str, Step], setting: Setting, *, alone: bool) -> Step:
    """The step of a node; a draft node ``alone`` in a final render computes on pictures that others do not see."""
    match node:
        case ReadNode():
            return ReadStep(name, node, setting)
        case MotionNode():
            return MotionStep(name, node, setting, steps[node.input], steps.get(node.matte))
        case InterpolateNode():
            source = steps[node.input]
            if node.timeline is not None:
                setting.files.require(Path(node.timeline.file), "read")
            vectors = steps[node.vectors] if node.vectors else _own_motion(name, node, setting, source)
            plan = plan_retime(name, node, only_frames(source, name))
            return InterpolateStep(name, node, setting, source, plan, vectors, shared=not (alone and node.vectors))
        case UpscaleNode():
            return UpscaleStep(name, node, setting, steps[node.input])
        case RelightNode():
            fields = ("albedo", "normal", "position", "depth", "roughness", "metallic", "reference")
            passes = {field: steps[getattr(node, field)] for field in fields if getattr(node, field)}
            return RelightStep(name, node, setting, steps[node.input], passes)
        case ColorNode():
            return ColorStep(name, node, setting, steps[node.input])
        case VectorBlurNode():
            return VectorBlurStep(name, node, setting, steps[node.input], steps[node.vectors])
        case WriteNode():
            raise AssertionError(name)


def _own_motion(name: str, node: InterpolateNode, setting: Setting, source: Step) -> MotionStep:
    motion = MotionNode(
        type="motion",
        input=node.input,
        pack=node.motion_pack,
        options=node.motion_options,
        kinds=node.kinds,
        quality=node.quality,
        tile=node.tile,
    )
    return MotionStep(motion_key(name), motion, setting, source, None)


def _outputs(writes: Mapping[str, WriteStep], frames: str, handles: int) -> tuple[tuple[str, Frame], ...]:
    asked = parse_frames(frames) if frames else ()
    outputs: list[tuple[Frame, str]] = []
    served: set[int] = set()
    for name, write in writes.items():
        have = write.source.frames
        if have == (None,):
            outputs.append((None, name))
            continue
        wanted = set(asked) & set(have) if asked else set(have)
        served |= {frame for frame in wanted if frame is not None}
        if asked and handles:
            low, high = min(asked), max(asked)
            wanted |= {
                f for f in have if f is not None and low - handles <= f <= high + handles and not low <= f <= high
            }
        outputs += [(frame, name) for frame in wanted]
    missing = [frame for frame in asked if frame not in served]
    sequences = [write for write in writes.values() if write.source.frames != (None,)]
    if missing and sequences:
        there = {frame for write in sequences for frame in write.source.frames if frame is not None}
        raise UsageError(
            f"frames {format_frames(missing)} can't be rendered; there are {format_frames(there)}",
            where="--frames",
        )
    outputs.sort(key=lambda item: (item[0] is not None, item[0] or 0))
    return tuple((name, frame) for frame, name in outputs)


def _part_of(outputs: tuple[tuple[str, Frame], ...], part: str) -> tuple[tuple[str, Frame], ...]:
    there = {frame for _, frame in outputs if frame is not None}
    asked = set(parse_frames(part))
    if missing := asked - there:
        problem = f"frames {format_frames(missing)} are not in the job"
        raise UsageError(problem, where="part", fix=f"it makes {format_frames(there) or 'a still'}")
    with_stills = min(there) in asked
    return tuple((name, frame) for name, frame in outputs if (with_stills if frame is None else frame in asked))


def _refuse_gaps(plan: Plan) -> None:
    needed: dict[str, set[int]] = {}
    queue = [(plan.writes[name].source.name, frame) for name, frame in plan.outputs]
    seen = set(queue)
    while queue:
        name, frame = queue.pop()
        if frame is not None:
            needed.setdefault(name, set()).add(frame)
        fresh = [key for key in plan.steps[name].needs(frame) if key not in seen]
        seen.update(fresh)
        queue += fresh
    for name, frames in needed.items():
        step = plan.steps[name]
        if isinstance(step, ReadStep):
            step.require(tuple(sorted(frames)))


def _refuse_undeclared_outputs(graph: Graph, plan: Plan, color: ColorConfig) -> None:
    """Finds out before the first frame what the writer would refuse after it."""
    for write in plan.writes.values():
        name = write.node.input
        while not isinstance(undrafted(plan.steps[name]), ReadStep | MotionStep | ColorStep):
            name = inputs_of(graph.nodes[name])["input"]
        step = plan.steps[name]
        if isinstance(step, ReadStep) and write.node.container == "plain":
            origin = step.decision.colorspace
            require_output_space(origin, step.container, write.node.colorspace, write.container, color)


def _refuse_overwriting_inputs(plan: Plan) -> None:
    folders: dict[Path, Path] = {}

    def resolved(path: Path) -> Path:
        """As ``Path.resolve``, which for ten thousand files of one folder takes a second."""
        if path.is_symlink():
            return path.resolve()
        if path.parent not in folders:
            folders[path.parent] = path.parent.resolve()
        return folders[path.parent] / path.name

    sources = {
        resolved(path): name for name, step in plan.steps.items() if isinstance(step, ReadStep) for path in step.files()
    }
    targets: dict[object, str] = {}
    for name, frame in plan.outputs:
        path = resolved(plan.writes[name].path(frame))
        if path in sources:
            raise UsageError(
                f"would overwrite the input of node {sources[path]!r}", where=str(path), fix="write somewhere else"
            )
        if targets.setdefault(path, name) != name:
            raise GraphError(f"{targets[path]!r} and {name!r} write the same file", where=str(path))
