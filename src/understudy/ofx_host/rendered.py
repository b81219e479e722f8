# SPDX-License-Identifier: Apache-2.0
"""What a render gave, and what the plug-in did for it."""

from dataclasses import dataclass

from understudy.ofx_host.clips import Region
from understudy.ofx_host.images import Bounds
from understudy.ofx_host.message import Message
from understudy.ofx_host.names import Components, Depth
from understudy.ofx_host.pixels import Pixels


@dataclass(frozen=True, eq=False)
class Rendered:
    """A frame that came out of an effect.

    Attributes:
        array: (height, width, channels), top row first; float32, float16, uint16 or uint8 as the depth has it.
        components: Of its pixels.
        depth: Of its samples.
        bounds: Where it lies, pixels at the render scale (x1, y1, x2, y2, y up).
        rod: Region of definition, canonical (square pixels at full resolution).
        alpha: How color and alpha go together, as OpenFX names it.
        pixel_aspect: Width of a pixel by its height.
        colorspace: Name that the plug-in gave its output; empty without color management.
        frame_varying: Whether the effect gives another picture at each frame even from the same inputs.
        identity: The clip and the frame that the plug-in says are the answer unrendered; None if it rendered.
        frames_requested: Frames that it fetched, by clip, in order and with repeats.
        frames_needed: First and last frames that it said it needs, by clip.
        regions_of_interest: What it said it needs of each clip, canonical.
        messages: What it said to people meanwhile.
        leaked: Image handles that it did not release.
        complaints: Where it broke the specification.
        seconds: That the render action took, its fetches included; 0 for an identity.
    """

    array: Pixels
    components: Components
    depth: Depth
    bounds: Bounds
    rod: Region
    alpha: str
    pixel_aspect: float
    colorspace: str
    frame_varying: bool
    identity: tuple[str, float] | None
    frames_requested: dict[str, tuple[float, ...]]
    frames_needed: dict[str, tuple[tuple[float, float], ...]]
    regions_of_interest: dict[str, Region]
    messages: tuple[Message, ...]
    leaked: int
    complaints: tuple[str, ...]
    seconds: float
