# SPDX-License-Identifier: Apache-2.0
"""What each clip of an instance holds: the host's proposal, then the plug-in's clip preferences.

Source: OpenFX 1.5, "Clip Preferences", and ``ofxColour.h`` for color spaces.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from understudy.contracts.errors import EffectError, UsageError
from understudy.ofx_host.capabilities import Capabilities
from understudy.ofx_host.clips import ALPHAS, Alpha, Clip
from understudy.ofx_host.names import COMPONENTS, DEPTHS, Components, Depth, short_name
from understudy.ofx_host.properties import Value

_RICHEST: tuple[Components, ...] = ("RGBA", "RGB", "Alpha", "MotionVectors")
_DEEPEST: tuple[Depth, ...] = ("float", "half", "short", "byte")
_SAME_AS = "OfxColourspace_"


@dataclass(frozen=True, slots=True)
class InputFormat:
    """What is connected to an input, before any mapping.

    Attributes:
        components: Of its pixels.
        depth: Of its samples.
        alpha: How color and alpha go together.
        pixel_aspect: Width of a pixel by its height.
        frames: First and last.
        frame_rate: Frames a second.
        colorspace: Name; empty for unknown.
        continuous: Whether there is a picture between frames.
    """

    components: Components
    depth: Depth
    alpha: Alpha
    pixel_aspect: float
    frames: tuple[float, float]
    frame_rate: float
    colorspace: str
    continuous: bool


def propose(
    clips: Mapping[str, Clip],
    inputs: Mapping[str, InputFormat],
    host: Capabilities,
    depths: Iterable[Depth],
    *,
    depth: Depth,
    components: Components,
    frames: tuple[float, float],
    frame_rate: float,
    pixel_aspect: float,
    several_aspects: bool,
) -> None:
    """Sets the clips' properties to what the host would do.

    Args:
        clips: Of the instance.
        inputs: What is connected.
        host: Its capabilities.
        depths: That the effect takes and the host has.
        depth: Wanted by the person.
        components: Wanted of the output.
        frames: First and last of the project.
        frame_rate: Of the project.
        pixel_aspect: Of the output.
        several_aspects: Whether inputs may differ in pixel aspect.

    Raises:
        UsageError: What is wanted can't be had.
        EffectError: An input takes nothing that the host has.
    """
    taken = tuple(depths)
    if not several_aspects and len({one.pixel_aspect for one in inputs.values()}) > 1:
        raise UsageError(
            "the inputs differ in pixel aspect, and the effect or the host takes one for all",
            where=", ".join(inputs),
            fix="resample them to square pixels",
        )
    mapped = depth if depth in taken else next(one for one in _DEEPEST if one in taken)
    for name, clip in clips.items():
        properties = clip.properties
        format_ = inputs.get(name)
        if format_ is None and not clip.is_output:
            clip.disconnect()
            continue
        shared = [one for one in clip.supported if one in host.components]
        if not shared:
            raise EffectError(f"the clip {name} and the host have no components in common", fix="use another host")
        alpha = format_.alpha if format_ is not None else _output_alpha(inputs.values())
        own = format_.components if format_ is not None else components
        if clip.is_output and components not in shared:
            raise UsageError(
                f"the effect has no {components} output", where="components", fix=f"use {' or '.join(shared)}"
            )
        chosen = own if own in shared else next(one for one in _RICHEST if one in shared)
        first, last = format_.frames if format_ is not None else frames
        rate = format_.frame_rate if format_ is not None else frame_rate
        facts: dict[str, tuple[Value, ...]] = {
            "OfxImageClipPropConnected": (1,),
            "OfxImageEffectPropComponents": (COMPONENTS[chosen],),
            "OfxImageClipPropUnmappedComponents": (COMPONENTS[own],),
            "OfxImageEffectPropPixelDepth": (DEPTHS[mapped],),
            "OfxImageClipPropUnmappedPixelDepth": (DEPTHS[format_.depth if format_ is not None else mapped],),
            "OfxImageEffectPropPreMultiplication": (ALPHAS[alpha],),
            "OfxImagePropPixelAspectRatio": (format_.pixel_aspect if format_ is not None else pixel_aspect,),
            "OfxImageEffectPropFrameRange": (first, last),
            "OfxImageEffectPropUnmappedFrameRange": (first, last),
            "OfxImageEffectPropFrameRate": (rate,),
            "OfxImageEffectPropUnmappedFrameRate": (rate,),
            "OfxImageClipPropContinuousSamples": (int(format_ is not None and format_.continuous),),
        }
        if "OfxImageClipPropColourspace" in properties:
            told = host.color_management != "None" and not clip.is_mask and chosen != "Alpha" and format_ is not None
            facts["OfxImageClipPropColourspace"] = (format_.colorspace if told and format_ is not None else "",)
        for key, values in facts.items():
            properties.put(key, *values)


def preference_defaults(clips: Mapping[str, Clip]) -> dict[str, tuple[Value, ...]]:
    """Out arguments of the clip preferences action as the host would have them."""
    found: dict[str, tuple[Value, ...]] = {}
    for name, clip in clips.items():
        for argument, own in (
            ("OfxImageClipPropComponents", "OfxImageEffectPropComponents"),
            ("OfxImageClipPropDepth", "OfxImageEffectPropPixelDepth"),
            ("OfxImageClipPropPAR", "OfxImagePropPixelAspectRatio"),
        ):
            found[f"{argument}_{name}"] = clip.properties.values(own)
    output = clips["Output"].properties
    found["OfxImageEffectPropFrameRate"] = output.values("OfxImageEffectPropFrameRate")
    found["OfxImageEffectPropPreMultiplication"] = output.values("OfxImageEffectPropPreMultiplication")
    return found


def accept(
    clips: Mapping[str, Clip], answer: Mapping[str, tuple[Value, ...]], host: Capabilities, *, may_differ: bool
) -> list[str]:
    """Takes over what the plug-in prefers, as far as it may.

    Args:
        clips: Of the instance.
        answer: Out arguments of the clip preferences action.
        host: Its capabilities.
        may_differ: Whether clips may differ in depth.

    Returns:
        What it may not prefer, as complaints.
    """
    complaints = []
    for name, clip in clips.items():
        if not (clip.connected or clip.is_output):
            continue
        components = str(answer[f"OfxImageClipPropComponents_{name}"][0])
        short = short_name(COMPONENTS, components)
        if short in clip.supported and short in host.components:
            clip.properties.put("OfxImageEffectPropComponents", components)
        else:
            complaints.append(f"prefers {components} for {name}, which it does not support there, or the host has not")
        depth = str(answer[f"OfxImageClipPropDepth_{name}"][0])
        if depth != clip.properties.text("OfxImageEffectPropPixelDepth"):
            if may_differ and short_name(DEPTHS, depth) in host.depths:
                clip.properties.put("OfxImageEffectPropPixelDepth", depth)
            else:
                complaints.append(f"prefers {depth} for {name}, where it may not choose")
        spaces = [str(one) for one in answer.get(f"OfxImageClipPropPreferredColourspaces_{name}", ())]
        if "OfxImageClipPropPreferredColourspaces" in clip.properties:
            clip.properties.put("OfxImageClipPropPreferredColourspaces", *spaces)
    output = clips["Output"].properties
    output.put("OfxImagePropPixelAspectRatio", *answer["OfxImageClipPropPAR_Output"])
    alpha = str(answer["OfxImageEffectPropPreMultiplication"][0])
    if alpha in ALPHAS.values():
        output.put("OfxImageEffectPropPreMultiplication", alpha)
    else:
        complaints.append(f"says that its output is {alpha}, which is no state of premultiplication")
    output.put("OfxImageClipPropContinuousSamples", *answer["OfxImageClipPropContinuousSamples"])
    return complaints


def colorspace_of(clips: Mapping[str, Clip], text: str) -> str:
    """A color space name, references to another clip (``OfxColourspace_Source``) followed."""
    if text.startswith(_SAME_AS) and text.removeprefix(_SAME_AS) in clips:
        return clips[text.removeprefix(_SAME_AS)].colorspace
    return text


def default_colorspace(clips: Mapping[str, Clip]) -> str:
    """That of the first input that has one: what holds where a plug-in does not say."""
    return next((clip.colorspace for clip in clips.values() if clip.connected and clip.colorspace), "")


def _output_alpha(inputs: Iterable[InputFormat]) -> Alpha:
    states = {one.alpha for one in inputs}
    if "premultiplied" in states or not states:
        return "premultiplied"
    return "unpremultiplied" if "unpremultiplied" in states else "opaque"
