# SPDX-License-Identifier: Apache-2.0
"""Renders a frame with an instance: the actions in the order in which hosts call them (OpenFX 1.5, "Rendering")."""

import math
import time as clock
from collections.abc import Mapping
from dataclasses import dataclass

from understudy.contracts.errors import EffectError, JobCancelledError, PlateError, UsageError
from understudy.ofx_host.actions import RENDER, Answer, demand, perform
from understudy.ofx_host.clip_formats import (
    InputFormat,
    accept,
    colorspace_of,
    default_colorspace,
    preference_defaults,
    propose,
)
from understudy.ofx_host.clips import Footage, Region
from understudy.ofx_host.images import Bounds, ImageMemory
from understudy.ofx_host.instance import Instance
from understudy.ofx_host.names import Components, Depth
from understudy.ofx_host.object_properties import clip_preference_rules, frame_range_rules, region_rules
from understudy.ofx_host.pixels import components_of, convert_components, convert_depth, depth_of
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
    regions: dict[str, Region]
    frames: dict[str, tuple[tuple[float, float], ...]]
    identity: tuple[str, float] | None


def render_frame(
    instance: Instance, scope: Scope, depth: Depth, components: Components, *, draft: bool, ask_identity: bool
) -> Rendered:
    """See ``Instance.render``.

    Args:
        instance: Of the effect.
        scope: With time, scale and footage.
        depth: Wanted.
        components: Wanted.
        draft: Whether it may be rough.
        ask_identity: Whether an input may be the answer.
    """
    if min(scope.scale) <= 0.0 or not all(map(math.isfinite, (*scope.scale, scope.time))):
        raise UsageError(f"can't render frame {scope.time} at the scale {scope.scale}", fix="use a scale above 0")
    said = len(instance.messages)
    with instance.format_lock:
        _set_formats(instance, scope, depth, components)
        instance.running += 1
    try:
        plan = _plan(instance, scope, ask_identity=ask_identity)
        output = instance.clips["Output"]
        assert output.components is not None
        assert output.depth is not None
        if plan.identity is not None:
            memory, bounds, seconds = *_identity(instance, scope, plan.identity), 0.0
        else:
            width, height = plan.bounds[2] - plan.bounds[0], plan.bounds[3] - plan.bounds[1]
            memory = ImageMemory(width, height, output.components, output.depth, instance.host.rows)
            bounds = plan.bounds
            alpha = output.properties.text("OfxImageEffectPropPreMultiplication")
            scope.target = Target(memory, bounds, alpha)
            seconds = _render(instance, scope, plan, said, draft=draft)
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
            messages=tuple(instance.messages[said:]),
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


def _ask(
    instance: Instance,
    scope: Scope,
    name: str,
    given: Mapping[str, tuple[Value, ...]],
    more_out: Mapping[str, Rule] | None = None,
) -> Answer:
    action = f"OfxImageEffectAction{name}"
    said = len(instance.messages)
    answer = perform(instance.plugin, instance, action, scope, given, more_out)
    instance.unknown |= {f"{action}: {stranger}" for stranger in answer.strangers}
    demand(answer, action, instance.plugin, instance.said(said), aborted=scope.aborted)
    return answer


def _set_formats(instance: Instance, scope: Scope, depth: Depth, components: Components) -> None:
    """Makes the clips be what this render needs; asks for clip preferences when something changed."""
    formats = {name: _format(instance, scope, name, footage) for name, footage in scope.footage.items()}
    key = (formats, depth, components)
    if key == instance.format_key:
        return
    if instance.running:
        raise UsageError(
            "another render of this instance runs with other inputs, depth or components",
            where=instance.plugin.identifier,
            fix="wait for it, or use another instance",
        )
    changed = [name for name in instance.clips if formats.get(name) != instance.formats.get(name)]
    project = instance.project
    propose(
        instance.clips,
        formats,
        instance.host,
        instance.depths,
        depth=depth,
        components=components,
        frames=(project.first, project.last),
        frame_rate=project.frame_rate,
        pixel_aspect=min((one.pixel_aspect for one in formats.values()), default=project.pixel_aspect),
    )
    instance.formats = formats
    for name in changed:
        instance.tell_change("OfxTypeClip", name, "OfxChangeUserEdited")
    _ask_preferences(instance, scope)
    _ask_colorspace(instance, scope)
    instance.format_key = key


def _ask_preferences(instance: Instance, scope: Scope) -> None:
    clips = instance.clips
    rules = clip_preference_rules(clips)
    defaults = preference_defaults(clips)
    more = {
        name: Rule(rule.kind, rule.size, defaults[name]) if name in defaults else rule for name, rule in rules.items()
    }
    for name in ("OfxImageEffectPropFrameRate", "OfxImageEffectPropPreMultiplication"):
        more[name] = Rule("double" if name.endswith("Rate") else "string", 1, defaults[name])
    answer = _ask(instance, scope, "GetClipPreferences", {}, more)
    instance.frame_varying = bool(answer.values["OfxImageEffectFrameVarying"][0])
    theirs = instance.described.integer("OfxImageEffectPropMultipleClipDepths")
    may_differ = bool(theirs and instance.host.multiple_depths)
    for complaint in accept(clips, answer.values, instance.host, may_differ=may_differ):
        scope.complain(complaint)


def _ask_colorspace(instance: Instance, scope: Scope) -> None:
    output = instance.clips["Output"]
    if instance.style == "None" or "OfxImageClipPropColourspace" not in output.properties:
        return
    wanted = default_colorspace(instance.clips)
    given = {"OfxImageClipPropPreferredColourspaces": (wanted,) if wanted else ()}
    answer = _ask(instance, scope, "GetOutputColourspace", given)
    told = answer.text("OfxImageClipPropColourspace") if answer.given else ""
    output.properties.put("OfxImageClipPropColourspace", colorspace_of(instance.clips, told) or wanted)


def _format(instance: Instance, scope: Scope, name: str, footage: Footage) -> InputFormat:
    """What is connected, found by looking at a picture: that of the render's time, or else the first that there is."""
    project = instance.project
    frames = (
        project.first if footage.first is None else footage.first,
        project.last if footage.last is None else footage.last,
    )
    clip = instance.clips[name]
    for time in (scope.time, math.floor(scope.time), *frames):
        picture = scope.picture(clip, float(time))
        if picture is not None:
            return InputFormat(
                components_of(picture),
                depth_of(picture),
                (picture.shape[1], picture.shape[0]),
                footage.origin,
                footage.alpha,
                project.pixel_aspect if footage.pixel_aspect is None else footage.pixel_aspect,
                frames,
                project.frame_rate if footage.frame_rate is None else footage.frame_rate,
                footage.colorspace,
                footage.continuous,
            )
    raise PlateError(
        f"has no picture at frame {scope.time:g}, {frames[0]:g} or {frames[1]:g}", where=name, fix="connect another"
    )


def input_region(instance: Instance, scope: Scope | None, name: str, time: float) -> Region | None:
    """Where a connected input has pixels at a time, canonical; where its first picture has them if there is none.

    Args:
        instance: Of the effect.
        scope: Of the call; None asks for no picture.
        name: Of the clip.
        time: Frames.
    """
    format_ = instance.formats.get(name)
    if format_ is None:
        return None
    clip = instance.clips[name]
    picture = scope.picture(clip, time) if scope is not None else None
    width, height = (picture.shape[1], picture.shape[0]) if picture is not None else format_.size
    x, y = format_.origin
    scale = scope.scale if scope is not None else (1.0, 1.0)
    return to_canonical((x, y, x + width, y + height), scale, clip.pixel_aspect)


def _default_rod(instance: Instance, scope: Scope) -> Region:
    project = (0.0, 0.0, instance.project.width, instance.project.height)
    if instance.context == "Generator":
        return project
    names = ("Source",) if instance.context in {"Filter", "Paint", "Retimer"} else tuple(instance.formats)
    needed = [name for name in names if not instance.clips[name].optional] or list(names)
    regions = (input_region(instance, scope, name, scope.time) for name in needed)
    return union(one for one in regions if one is not None) or project


def _plan(instance: Instance, scope: Scope, *, ask_identity: bool) -> _Plan:
    at: dict[str, tuple[Value, ...]] = {"OfxPropTime": (scope.time,)}
    scaled = {**at, "OfxImageEffectPropRenderScale": scope.scale}
    project = (0.0, 0.0, instance.project.width, instance.project.height)
    name = "OfxImageEffectPropRegionOfDefinition"
    default = _default_rod(instance, scope)
    answer = _ask(instance, scope, "GetRegionOfDefinition", scaled, {name: Rule("double", 4, default)})
    numbers = answer.numbers(name) if answer.given else default
    rod = bounded((numbers[0], numbers[1], numbers[2], numbers[3]), project)
    if not instance.host.multi_resolution:
        rod = project
    bounds = _bounds(instance, scope, rod)
    inputs = [one for one in instance.clips if one in scope.footage]
    identity = _ask_identity(instance, scope, scaled, bounds) if ask_identity else None
    if identity is not None:
        return _Plan(rod, bounds, {}, {}, identity)
    frames = _ask_frames(instance, scope, at, inputs)
    scope.allowed = frames
    regions = _ask_regions(instance, scope, {**scaled, "OfxImageEffectPropRegionOfInterest": rod}, inputs, rod)
    return _Plan(rod, bounds, regions, frames, None)


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
    answer = _ask(
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
    origin = scope.footage[name].origin if name in scope.footage else (0, 0)
    if picture is None:
        region = input_region(instance, scope, name, time) or (0.0, 0.0, 1.0, 1.0)
        bounds = to_pixels(region, scope.scale, output.pixel_aspect)
        width, height = bounds[2] - bounds[0], bounds[3] - bounds[1]
        return ImageMemory(width, height, output.components, output.depth, instance.host.rows), bounds
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
    answer = _ask(instance, scope, "GetFramesNeeded", given, more)
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
    answer = _ask(instance, scope, "GetRegionsOfInterest", given, more)
    found = {}
    for name in inputs:
        x1, y1, x2, y2 = answer.numbers(f"OfxImageClipPropRoI_{name}")
        found[name] = (x1, y1, x2, y2)
    return found


def _render(instance: Instance, scope: Scope, plan: _Plan, said: int, *, draft: bool) -> float:
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
        finally:
            scope.rendering = False
            seconds = clock.perf_counter() - start
            if not instance.in_sequence:
                sequence_call(instance, scope, "End", frames, 1.0)
    instance.unknown |= {f"{RENDER}: {stranger}" for stranger in answer.strangers}
    demand(answer, RENDER, instance.plugin, instance.said(said), aborted=scope.aborted)
    assert scope.target is not None
    if scope.target.memory.overrun():
        scope.complain("wrote outside of its output")
    return seconds
