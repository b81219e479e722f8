# SPDX-License-Identifier: Apache-2.0
"""Renders a frame with an instance: the actions in the order in which hosts call them (OpenFX 1.5, "Rendering")."""

import math
import time as clock
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from understudy.contracts.errors import EffectError, JobCancelledError, UsageError
from understudy.ofx_host.actions import RENDER, demand, perform
from understudy.ofx_host.clips import Region
from understudy.ofx_host.images import Bounds, ImageMemory
from understudy.ofx_host.instance import Instance
from understudy.ofx_host.negotiation import Request, ask, input_region, set_formats
from understudy.ofx_host.object_properties import frame_range_rules, region_rules
from understudy.ofx_host.pixels import convert_components, convert_depth
from understudy.ofx_host.properties import Rule, Value
from understudy.ofx_host.regions import bounded, to_canonical, to_pixels, union
from understudy.ofx_host.rendered import Rendered
from understudy.ofx_host.scope import Scope, Target

_LARGEST_SIDE = 1 << 17
"""Pixels: an effect that wants more has miscalculated."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What was asked of the plug-in before the render."""

    rod: Region
    bounds: Bounds
    whole: Bounds
    regions: dict[str, Region]
    frames: dict[str, tuple[tuple[float, float], ...]]
    identity: tuple[str, float] | None


def render_frame(instance: Instance, scope: Scope, request: Request) -> Rendered:
    """See ``Instance.render``.

    Args:
        instance: Of the effect.
        scope: With time, scale and footage.
        request: What is wanted.
    """
    if min(scope.scale) <= 0.0 or not all(map(math.isfinite, (*scope.scale, scope.time))):
        raise UsageError(f"can't render frame {scope.time} at the scale {scope.scale}", fix="use a scale above 0")
    with instance.format_lock:
        set_formats(instance, scope, request)
        instance.running += 1
    try:
        plan = _plan(instance, scope, request)
        output = instance.clips["Output"]
        assert output.components is not None
        assert output.depth is not None
        if plan.identity is not None:
            memory, bounds, seconds = *_identity(instance, scope, plan.identity), 0.0
        else:
            width, height = plan.bounds[2] - plan.bounds[0], plan.bounds[3] - plan.bounds[1]
            memory = ImageMemory(width, height, output.components, output.depth, instance.host.rows)
            memory.clear()
            bounds = plan.bounds
            alpha = output.properties.text("OfxImageEffectPropPreMultiplication")
            scope.target = Target(memory, bounds, plan.whole, alpha)
            seconds = _render(instance, scope, plan, draft=request.draft)
        return Rendered(
            array=memory.pixels(),
            components=memory.components,
            depth=memory.depth,
            bounds=bounds,
            rod=plan.rod,
            alpha=output.properties.text("OfxImageEffectPropPreMultiplication"),
            pixel_aspect=output.pixel_aspect,
            colorspace=output.colorspace,
            frame_varying=instance.frame_varying,
            identity=plan.identity,
            frames_requested={name: tuple(times) for name, times in scope.requests.items()},
            frames_needed=plan.frames,
            regions_of_interest=plan.regions,
            messages=tuple(scope.messages),
            leaked=scope.leaked,
            complaints=tuple(scope.complaints),
            seconds=seconds,
        )
    finally:
        with instance.format_lock:
            instance.running -= 1


def sequence_call(instance: Instance, scope: Scope, end: str, frames: tuple[float, float], step: float) -> None:
    """Tells the plug-in that a sequence of renders begins or ends.

    Args:
        instance: Of the effect.
        scope: Of the call.
        end: ``Begin`` or ``End``.
        frames: First and last.
        step: Frames from one to the next.

    Raises:
        EffectError: It refused.
    """
    given: dict[str, tuple[Value, ...]] = {
        "OfxImageEffectPropFrameRange": frames,
        "OfxImageEffectPropFrameStep": (step,),
        "OfxPropIsInteractive": instance.properties.values("OfxPropIsInteractive"),
        "OfxImageEffectPropRenderScale": scope.scale,
        "OfxImageEffectPropSequentialRenderStatus": (int(step == 1.0),),
    }
    instance.call(f"OfxImageEffectAction{end}SequenceRender", scope, given)


def _default_rod(instance: Instance, scope: Scope) -> Region:
    project = (0.0, 0.0, instance.project.width, instance.project.height)
    if instance.context == "Generator":
        return project
    names = ("Source",) if instance.context in {"Filter", "Paint", "Retimer"} else tuple(instance.formats)
    needed = [name for name in names if not instance.clips[name].optional] or list(names)
    regions = (input_region(instance, scope, name, scope.time) for name in needed)
    return union(one for one in regions if one is not None) or project


def _plan(instance: Instance, scope: Scope, request: Request) -> _Plan:
    at: dict[str, tuple[Value, ...]] = {"OfxPropTime": (scope.time,)}
    scaled = {**at, "OfxImageEffectPropRenderScale": scope.scale}
    project = (0.0, 0.0, instance.project.width, instance.project.height)
    name = "OfxImageEffectPropRegionOfDefinition"
    default = _default_rod(instance, scope)
    answer = ask(instance, scope, "GetRegionOfDefinition", scaled, {name: Rule("double", 4, default)})
    numbers = answer.numbers(name) if answer.given else default
    rod = bounded((numbers[0], numbers[1], numbers[2], numbers[3]), project)
    if not instance.host.multi_resolution:
        rod = project
    whole = _bounds(instance, scope, rod)
    bounds = whole if request.window is None else _part(instance, whole, request.window)
    interest = (
        rod if request.window is None else to_canonical(bounds, scope.scale, instance.clips["Output"].pixel_aspect)
    )
    inputs = [one for one in instance.clips if one in scope.footage]
    identity = _ask_identity(instance, scope, scaled, bounds) if request.ask_identity else None
    if identity is not None:
        return _Plan(rod, bounds, whole, {}, {}, identity)
    frames = _ask_frames(instance, scope, at, inputs)
    scope.allowed = frames
    wanted = {**scaled, "OfxImageEffectPropRegionOfInterest": interest}
    regions = _ask_regions(instance, scope, wanted, inputs, interest)
    return _Plan(rod, bounds, whole, regions, frames, None)


def _part(instance: Instance, whole: Bounds, window: Bounds) -> Bounds:
    tiles = "OfxImageEffectPropSupportsTiles"
    if not (instance.host.tiles and instance.described.integer(tiles) and instance.properties.integer(tiles)):
        raise UsageError(
            "the effect or the host renders whole frames only", where=instance.plugin.identifier, fix="give no window"
        )
    part = (*map(max, window[:2], whole[:2]), *map(min, window[2:], whole[2:]))
    x1, y1, x2, y2 = part
    if x1 >= x2 or y1 >= y2:
        raise UsageError(f"the window {window} has no pixels of the frame {whole}", fix="move it")
    return (x1, y1, x2, y2)


def _bounds(instance: Instance, scope: Scope, rod: Region) -> Bounds:
    if not all(map(math.isfinite, rod)) or max(map(abs, rod)) > 2.0**40:
        raise EffectError(f"the effect's region of definition is {rod}", where=instance.plugin.identifier)
    bounds = to_pixels(rod, scope.scale, instance.clips["Output"].pixel_aspect)
    width, height = bounds[2] - bounds[0], bounds[3] - bounds[1]
    if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
        raise EffectError(
            f"the effect's region of definition is {width} x {height} pixels",
            where=instance.plugin.identifier,
            fix="connect inputs with pixels, or change its parameters",
        )
    return bounds


def _window(scope: Scope, bounds: Bounds) -> dict[str, tuple[Value, ...]]:
    return {
        "OfxPropTime": (scope.time,),
        "OfxImageEffectPropRenderWindow": bounds,
        "OfxImageEffectPropRenderScale": scope.scale,
    }


def _ask_identity(
    instance: Instance, scope: Scope, given: Mapping[str, tuple[Value, ...]], bounds: Bounds
) -> tuple[str, float] | None:
    answer = ask(
        instance,
        scope,
        "IsIdentity",
        {**given, **_window(scope, bounds)},
        {
            "OfxPropTime": Rule("double", 1, (scope.time,)),
        },
    )
    if not answer.given:
        return None
    clip = answer.text("OfxPropName")
    if not clip:
        return None
    if clip not in instance.clips or clip == "Output":
        scope.complain(f"says that it is the clip '{clip}' unchanged, which is no input")
        return None
    return clip, answer.numbers("OfxPropTime")[0]


def _identity(instance: Instance, scope: Scope, identity: tuple[str, float]) -> tuple[ImageMemory, Bounds]:
    """The input's picture as the result, in the result's form; black if there is none."""
    name, time = identity
    output = instance.clips["Output"]
    assert output.components is not None
    assert output.depth is not None
    picture = scope.picture(instance.clips[name], time)
    origin = scope.footage[name].origin_at(time) if name in scope.footage else (0, 0)
    if picture is None:
        region = input_region(instance, scope, name, time) or (0.0, 0.0, 1.0, 1.0)
        bounds = to_pixels(region, scope.scale, output.pixel_aspect)
        width, height = bounds[2] - bounds[0], bounds[3] - bounds[1]
        black = ImageMemory(width, height, output.components, output.depth, instance.host.rows)
        black.clear()
        return black, bounds
    converted = convert_components(convert_depth(picture, output.depth), output.components)
    memory = ImageMemory.of(converted, instance.host.rows)
    return memory, (*origin, origin[0] + memory.width, origin[1] + memory.height)


def _ask_frames(
    instance: Instance, scope: Scope, given: Mapping[str, tuple[Value, ...]], inputs: list[str]
) -> dict[str, tuple[tuple[float, float], ...]]:
    near = (scope.time, scope.time)
    if instance.context == "Retimer":
        source = float(instance.params.parameter("SourceTime").at(scope.time)[0])
        near = (math.floor(source), math.floor(source) + 1.0)
    more = {name: Rule("double", 0, near) for name in frame_range_rules(inputs)}
    answer = ask(instance, scope, "GetFramesNeeded", given, more)
    found = {}
    for name in inputs:
        numbers = answer.numbers(f"OfxImageClipPropFrameRange_{name}")
        if len(numbers) % 2:
            scope.complain(f"named {len(numbers)} ends of frame ranges for {name}")
        found[name] = tuple(zip(numbers[::2], numbers[1::2], strict=False))
    return found


def _ask_regions(
    instance: Instance, scope: Scope, given: Mapping[str, tuple[Value, ...]], inputs: list[str], rod: Region
) -> dict[str, Region]:
    more = {name: Rule("double", 4, rod) for name in region_rules(inputs)}
    answer = ask(instance, scope, "GetRegionsOfInterest", given, more)
    found = {}
    for name in inputs:
        x1, y1, x2, y2 = answer.numbers(f"OfxImageClipPropRoI_{name}")
        found[name] = (x1, y1, x2, y2)
    return found


def _render(instance: Instance, scope: Scope, plan: _Plan, *, draft: bool) -> float:
    """Calls the render action; the seconds that it took."""
    given: dict[str, tuple[Value, ...]] = {
        **_window(scope, plan.bounds),
        "OfxImageEffectPropRenderQualityDraft": (int(draft),),
        "OfxImageEffectPropInteractiveRenderStatus": instance.properties.values("OfxPropIsInteractive"),
        "OfxImageEffectPropSequentialRenderStatus": (int(instance.in_sequence),),
    }
    frames = (scope.time, scope.time)
    with instance.render_lock:
        if scope.should_abort():
            raise JobCancelledError("the render was aborted", where=instance.plugin.identifier)
        if not instance.in_sequence:
            sequence_call(instance, scope, "Begin", frames, 1.0)
        start = clock.perf_counter()
        scope.rendering = True
        try:
            answer = perform(instance.plugin, instance, RENDER, scope, given)
            seconds = clock.perf_counter() - start
            instance.unknown |= {f"{RENDER}: {stranger}" for stranger in answer.strangers}
            demand(answer, RENDER, instance.plugin, instance.said(scope), aborted=scope.aborted)
        except BaseException:
            scope.rendering = False
            if not instance.in_sequence:
                with suppress(EffectError):  # what went wrong first is what counts
                    sequence_call(instance, scope, "End", frames, 1.0)
            raise
        scope.rendering = False
        if not instance.in_sequence:
            sequence_call(instance, scope, "End", frames, 1.0)
    assert scope.target is not None
    if scope.target.memory.overrun():
        scope.complain("wrote outside of its output")
    return seconds
