# SPDX-License-Identifier: Apache-2.0
"""The retime that an interpolate node describes."""

from fractions import Fraction
from pathlib import Path

from understudy.contracts.errors import GraphError, UsageError
from understudy.frames.sequence import open_sequence, parse_frames
from understudy.graph.document import Graph, InterpolateNode, ReadNode, WriteNode
from understudy.graph.retime import (
    RetimePlan,
    ShutterTimes,
    SourceRange,
    plan_at,
    plan_fps,
    plan_list,
    plan_source_curve,
    plan_speed,
    plan_speed_curve,
)
from understudy.graph.timeline import plan_timeline


def plan_retime(name: str, node: InterpolateNode, frames: tuple[int, ...]) -> RetimePlan:
    """Source times of every output frame.

    Args:
        name: The node's name, for messages.
        node: The node.
        frames: Source frames, sorted.

    Raises:
        GraphError: Source frames are not consecutive, or a curve mixes speeds and source frames.
        UsageError: The retime leaves the source.
    """
    if frames[-1] - frames[0] + 1 != len(frames):
        raise GraphError(
            "a retime needs consecutive source frames", where=f"nodes.{name}.input", fix="read every frame"
        )
    shutter = node.shutter
    samples = ShutterTimes.of(shutter.angle, shutter.samples, shutter.phase) if shutter else None
    source = SourceRange(frames[0], frames[-1], node.edge, samples)
    try:
        return _plan(node, source, name)
    except UsageError as error:
        where = f"nodes.{name}.{error.where}" if error.where in ("speed", "curve") else f"nodes.{name}"
        raise UsageError(error.problem, where=where, fix=error.fix) from None


def retime_of(graph: Graph, name: str = "") -> tuple[str, RetimePlan]:
    """The source times of a graph's retime; files are listed, none is opened.

    Args:
        graph: The document.
        name: An interpolate node; may be empty where there is one only.

    Returns:
        The node's name, and its plan.

    Raises:
        UsageError: There is no such node, or there are several.
        GraphError: It has no frames.
        InputError: Its plates are missing.
    """
    retimes = [each for each, node in graph.nodes.items() if isinstance(node, InterpolateNode)]
    if name and name not in retimes:
        raise UsageError(f"there is no interpolate node {name}", fix=f"name one of: {', '.join(retimes) or 'none'}")
    if not name and len(retimes) != 1:
        have = ", ".join(retimes) or "none"
        raise UsageError(f"which retime? the graph has: {have}", where="--node", fix="name an interpolate node")
    name = name or retimes[0]
    node = graph.nodes[name]
    assert isinstance(node, InterpolateNode)
    sharp = node.model_copy(update={"shutter": None})  # one time for each frame
    return name, plan_retime(name, sharp, _frames_before(graph, name))


def _frames_before(graph: Graph, name: str) -> tuple[int, ...]:
    """The frames that reach a node: a sequence's, from its first to its last, or those of another retime."""
    node = graph.nodes[name]
    assert not isinstance(node, ReadNode)
    source = graph.nodes[node.input]
    assert not isinstance(source, WriteNode)
    if isinstance(source, InterpolateNode):
        before = plan_retime(node.input, source, _frames_before(graph, node.input))
        return tuple(output.frame for output in before.outputs)
    if not isinstance(source, ReadNode):
        return _frames_before(graph, node.input)
    frames = parse_frames(source.frames) if source.frames else open_sequence(source.file).frames
    if not frames:
        raise GraphError("a retime needs a sequence", where=f"nodes.{name}.input", fix="read numbered files")
    return tuple(range(min(frames), max(frames) + 1))


def _plan(node: InterpolateNode, source: SourceRange, name: str) -> RetimePlan:
    if node.speed is not None:
        return plan_speed(source, node.speed)
    if node.fps is not None:
        return plan_fps(source, node.fps.source, node.fps.target)
    if node.at is not None:
        return plan_at(source, node.at)
    if node.list:
        return plan_list(source, node.list)
    if node.timeline is not None:
        return plan_timeline(source, Path(node.timeline.file), node.timeline.clip)
    speeds: list[tuple[Fraction, Fraction]] = [(k.frame, k.speed) for k in node.curve if k.speed is not None]
    sources: list[tuple[Fraction, Fraction]] = [(k.frame, k.source) for k in node.curve if k.source is not None]
    if speeds and sources:
        raise GraphError("keys give speeds and source frames both", where=f"nodes.{name}.curve", fix="give one kind")
    return plan_speed_curve(source, speeds) if speeds else plan_source_curve(source, sources)
