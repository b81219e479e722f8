# SPDX-License-Identifier: Apache-2.0
"""What clips hold in a render, settled between what is connected, what is wanted and what the plug-in prefers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from understudy.contracts.errors import PlateError, UsageError
from understudy.ofx_host.actions import Answer, demand, perform
from understudy.ofx_host.clip_formats import (
    InputFormat,
    accept,
    colorspace_of,
    default_colorspace,
    preference_defaults,
    propose,
)
from understudy.ofx_host.clips import Footage, Region
from understudy.ofx_host.images import Bounds
from understudy.ofx_host.instance import Instance
from understudy.ofx_host.names import Components, Depth
from understudy.ofx_host.object_properties import clip_preference_rules
from understudy.ofx_host.pixels import components_of, depth_of
from understudy.ofx_host.properties import Rule, Value
from understudy.ofx_host.regions import to_canonical
from understudy.ofx_host.scope import Scope


@dataclass(frozen=True, slots=True)
class Request:
    """How a frame is wanted; see ``Instance.render``.

    Attributes:
        depth: Of samples.
        components: Of pixels.
        window: The part, pixels; None for all.
        draft: Whether it may be rough.
        ask_identity: Whether an input may be the answer.
    """

    depth: Depth
    components: Components
    window: Bounds | None = None
    draft: bool = False
    ask_identity: bool = True


def ask(
    instance: Instance,
    scope: Scope,
    name: str,
    given: Mapping[str, tuple[Value, ...]],
    more_out: Mapping[str, Rule] | None = None,
) -> Answer:
    """Asks an instance something that every effect may be asked.

    Args:
        instance: Of the effect.
        scope: Of the call.
        name: Of the action, without what all have in front.
        given: In arguments.
        more_out: Further out arguments, with their defaults.

    Raises:
        EffectError: It failed.
        JobCancelledError: It was told to stop.
    """
    action = f"OfxImageEffectAction{name}"
    answer = perform(instance.plugin, instance, action, scope, given, more_out)
    instance.unknown |= {f"{action}: {stranger}" for stranger in answer.strangers}
    demand(answer, action, instance.plugin, instance.said(scope), aborted=scope.aborted)
    return answer


def set_formats(instance: Instance, scope: Scope, request: Request) -> None:
    """Makes the clips be what a render needs; asks for clip preferences when something changed.

    Args:
        instance: Of the effect, its format lock held.
        scope: With what is connected.
        request: What is wanted.

    Raises:
        UsageError: It can't be had, or another render needs something else.
        PlateError: What is connected has no picture.
    """
    formats = {name: _format(instance, scope, name, footage) for name, footage in scope.footage.items()}
    key = (formats, request.depth, request.components)
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
        depth=request.depth,
        components=request.components,
        frames=(project.first, project.last),
        frame_rate=project.frame_rate,
        pixel_aspect=min((one.pixel_aspect for one in formats.values()), default=project.pixel_aspect),
        several_aspects=bool(
            instance.host.multiple_pixel_aspects
            and instance.described.integer("OfxImageEffectPropSupportsMultipleClipPARs")
        ),
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
    answer = ask(instance, scope, "GetClipPreferences", {}, more)
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
    answer = ask(instance, scope, "GetOutputColourspace", given)
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
            instance.extents[name] = _extent(footage, float(time), picture.shape)
            return InputFormat(
                components_of(picture),
                depth_of(picture),
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


def _extent(footage: Footage, time: float, shape: tuple[int, ...]) -> Bounds:
    x, y = footage.origin_at(time)
    return (x, y, x + shape[1], y + shape[0])


def input_region(instance: Instance, scope: Scope, name: str, time: float) -> Region | None:
    """Where a connected input has pixels at a time, canonical; None if it is not connected.

    At a time without a picture it is where that lay which was looked at last: in hosts clips always have a region.

    Args:
        instance: Of the effect.
        scope: Of the call.
        name: Of the clip.
        time: Frames.
    """
    footage = scope.footage.get(name)
    if footage is None or name not in instance.extents:
        return None
    clip = instance.clips[name]
    picture = scope.picture(clip, time)
    bounds = instance.extents[name] if picture is None else _extent(footage, time, picture.shape)
    return to_canonical(bounds, scope.scale, clip.pixel_aspect)
