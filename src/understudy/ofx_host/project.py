# SPDX-License-Identifier: Apache-2.0
"""What an instance is part of, and what it is told of that."""

from dataclasses import dataclass

from understudy.ofx_host.capabilities import Capabilities
from understudy.ofx_host.names import COLOR_STYLES, CONTEXTS, NATIVE_CONFIG, Context, short_name
from understudy.ofx_host.properties import PropertySet, Value


@dataclass(frozen=True, slots=True)
class Project:
    """What an instance is part of.

    Attributes:
        width: Of the project's pictures, canonical (square pixels at full resolution).
        height: Likewise.
        first: First frame.
        last: Last frame.
        frame_rate: Frames a second.
        pixel_aspect: Width of a pixel by its height.
    """

    width: float = 1920.0
    height: float = 1080.0
    first: float = 1.0
    last: float = 100.0
    frame_rate: float = 24.0
    pixel_aspect: float = 1.0


def project_facts(
    project: Project,
    context: Context,
    host: Capabilities,
    described: PropertySet,
    descriptor_handle: int,
    *,
    interactive: bool,
) -> dict[str, tuple[Value, ...]]:
    """Properties of an instance.

    Args:
        project: What it is part of.
        context: How it is used.
        host: Capabilities of the host.
        described: What the plug-in said of itself in the context.
        descriptor_handle: Of the description that all contexts share.
        interactive: Whether a person edits it.
    """
    facts: dict[str, tuple[Value, ...]] = {
        "OfxImageEffectPropPluginHandle": (descriptor_handle,),
        "OfxImageEffectPropContext": (CONTEXTS[context],),
        "OfxImageEffectPropProjectSize": (project.width, project.height),
        "OfxImageEffectPropProjectExtent": (project.width, project.height),
        "OfxImageEffectPropProjectOffset": (0.0, 0.0),
        "OfxImageEffectPropPixelAspectRatio": (project.pixel_aspect,),
        "OfxImageEffectInstancePropEffectDuration": (project.last - project.first + 1.0,),
        "OfxImageEffectPropFrameRate": (project.frame_rate,),
        "OfxPropIsInteractive": (int(interactive),),
    }
    if host.speaks_color:
        styles = list(COLOR_STYLES)
        theirs = short_name(COLOR_STYLES, described.text("OfxImageEffectPropColourManagementStyle")) or "None"
        style = min(theirs, host.color_management, key=styles.index)
        facts["OfxImageEffectPropColourManagementStyle"] = (COLOR_STYLES[style],)
        if style != "None":
            facts["OfxImageEffectPropColourManagementConfig"] = (NATIVE_CONFIG,)
        if style == "OCIO":
            facts["OfxImageEffectPropOCIOConfig"] = (host.ocio_config,)
    return facts
