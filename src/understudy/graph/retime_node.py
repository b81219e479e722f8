# SPDX-License-Identifier: Apache-2.0
"""The retime that an interpolate node describes."""

from fractions import Fraction
from pathlib import Path

from understudy.contracts.errors import GraphError, UsageError
from understudy.graph.document import InterpolateNode
from understudy.graph.retime import RetimePlan, ShutterSpec, plan_at, plan_curve, plan_fps, plan_list, plan_speed
from understudy.graph.retime_otio import plan_otio


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
        raise GraphError("a retime needs consecutive source frames", where=f"nodes.{name}.input", fix="read every frame")
    try:
        return _plan(name, node, frames[0], frames[-1], _shutter(node))
    except UsageError as error:
        where = f"nodes.{name}" + (f": {error.where}" if error.where else "")
        raise UsageError(error.problem, where=where, fix=error.fix) from None


def _shutter(node: InterpolateNode) -> ShutterSpec | None:
    if node.shutter is None:
        return None
    phase = None if node.shutter.phase is None else Fraction(str(node.shutter.phase))
    return ShutterSpec(Fraction(str(node.shutter.angle)), node.shutter.samples, phase)


def _plan(name: str, node: InterpolateNode, first: int, last: int, shutter: ShutterSpec | None) -> RetimePlan:
    if node.speed is not None:
        return plan_speed(first, last, node.speed, shutter)
    if node.fps is not None:
        return plan_fps(first, last, node.fps.source, node.fps.target, shutter)
    if node.at is not None:
        return plan_at(first, last, node.at, shutter, node.edge)
    if node.list:
        return plan_list(first, last, node.list, shutter, node.edge)
    if node.timeline is not None:
        return plan_otio(Path(node.timeline.file), first, last, node.timeline.clip, shutter, node.edge)
    speeds = [(key.frame, key.speed) for key in node.curve if key.speed is not None]
    sources = [(key.frame, key.source) for key in node.curve if key.source is not None]
    if speeds and sources:
        raise GraphError("keys give speeds and source frames both", where=f"nodes.{name}.curve", fix="give one kind")
    if speeds:
        return plan_curve(first, last, speeds, of="speed", shutter=shutter, edge=node.edge)
    return plan_curve(first, last, sources, of="source", shutter=shutter, edge=node.edge)
