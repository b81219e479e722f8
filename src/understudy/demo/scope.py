# SPDX-License-Identifier: Apache-2.0
"""How much of the demo is rendered: all of it, or a quick look."""

from dataclasses import dataclass
from fractions import Fraction

from understudy.demo.geometry import FIRST, LAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Frames and size.

    Attributes:
        frames: Frames of the shot.
        scale: Size over 960x540.
        motion: First and last frame whose vectors are made.
        retime: First and last source frame of the retime.
        upscale: Frames that are upscaled.
        relight: Frames that are relit.
        relit: Those of them whose truth is rendered.
        shown: Frames whose vectors are shown.
    """

    frames: tuple[int, ...]
    scale: Fraction
    motion: tuple[int, int]
    retime: tuple[int, int]
    upscale: tuple[int, ...]
    relight: tuple[int, ...]
    relit: tuple[int, ...]
    shown: tuple[int, ...]

    @property
    def middle(self) -> int:
        """The frame that stills are shown of."""
        return (self.frames[0] + self.frames[-1]) // 2


FULL = Scope(
    frames=tuple(range(FIRST, LAST + 1)),
    scale=Fraction(1),
    motion=(1006, 1017),
    retime=(1010, 1013),
    upscale=(1012,),
    relight=(*range(FIRST, LAST, 4), 1012, LAST),
    relit=(FIRST, 1012, LAST),
    shown=(1007, 1012, 1016),
)
"""The whole shot: 24 frames of 960x540."""

QUICK = Scope(
    frames=tuple(range(1010, 1015)),
    scale=Fraction(1, 2),
    motion=(1010, 1014),
    retime=(1011, 1013),
    upscale=(1012,),
    relight=tuple(range(1010, 1015)),
    relit=(1010, 1012, 1014),
    shown=(1011, 1012),
)
"""A quick look: 5 frames of 480x270."""
