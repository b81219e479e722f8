# SPDX-License-Identifier: Apache-2.0
"""Images as a plug-in sees them: memory with rows from the bottom up, and a property set (``ofxImageEffect.h``)."""

from dataclasses import dataclass

import numpy as np

from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.names import COMPONENTS, DEPTHS, Components, Depth
from understudy.ofx_host.object_properties import IMAGE
from understudy.ofx_host.pixels import CHANNELS, Pixels, components_of, depth_of, sample_type
from understudy.ofx_host.properties import PropertySet

Bounds = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels, y up, the ends excluded."""

_GUARD = 64
"""Bytes before and after an image's memory whose pattern tells of writes outside; a multiple of the alignment."""
_PATTERN = 0xA5


@dataclass(frozen=True, slots=True)
class RowLayout:
    """How rows lie in memory.

    Attributes:
        padding: Bytes between rows; hosts align rows, and a plug-in that takes them as packed is found out.
        negative: Rows lie from the top down and row bytes are negative, which the specification allows. Arrays of ours
            are then handed over without a copy.
    """

    padding: int = 0
    negative: bool = False


class ImageMemory:
    """The memory of one image, shared by all handles of it; what it holds at first is not defined.

    Args:
        width: Pixels.
        height: Rows.
        components: Of a pixel.
        depth: Of a sample.
        layout: How rows lie.

    Attributes:
        address: Of the bottom left pixel.
        row_bytes: From a row to that above it; negative if rows lie from the top down.
    """

    def __init__(self, width: int, height: int, components: Components, depth: Depth, layout: RowLayout) -> None:
        kind = sample_type(depth)
        packed = width * CHANNELS[components] * kind.itemsize
        step = packed + layout.padding
        self.depth = depth
        self.components = components
        self.width, self.height = width, height
        memory = np.empty(step * height + 3 * _GUARD, np.uint8)
        start = _GUARD + -(memory.ctypes.data + _GUARD) % _GUARD
        self._before = memory[start - _GUARD : start]
        self._after = memory[start + step * height :]
        self._before[:] = self._after[:] = _PATTERN
        self._rows = memory[start : start + step * height].reshape(height, step)[:, :packed]
        self._top_down = layout.negative
        self.row_bytes = -step if layout.negative else step
        self.address = memory.ctypes.data + start + (step * (height - 1) if layout.negative else 0)

    def clear(self) -> None:
        """Makes all pixels 0."""
        self._rows[:] = 0

    @classmethod
    def of(cls, pixels: Pixels, layout: RowLayout) -> "ImageMemory":
        """Memory with these pixels in it; theirs, if the layout allows."""
        height, width = pixels.shape[:2]
        components, depth = components_of(pixels), depth_of(pixels)
        if layout.negative and not layout.padding and pixels.flags.c_contiguous:
            memory = cls(0, 0, components, depth, RowLayout())
            step = pixels.strides[0]
            memory._rows = pixels.view(np.uint8).reshape(height, step)  # keeps it alive
            memory._top_down, memory.row_bytes = True, -step
            memory.width, memory.height = width, height
            memory.address = pixels.ctypes.data + step * (height - 1)
            return memory
        memory = cls(width, height, components, depth, layout)
        memory._array()[:] = pixels
        return memory

    def _array(self) -> Pixels:
        """The pixels, top row first, in place."""
        shape = (self.height, self.width, CHANNELS[self.components])
        rows = self._rows.view(sample_type(self.depth)).reshape(shape)
        return rows if self._top_down else rows[::-1]

    def pixels(self) -> Pixels:
        """The pixels as a new array, top row first."""
        return np.ascontiguousarray(self._array())

    def overrun(self) -> bool:
        """Whether somebody wrote just before or just after it."""
        return bool((self._before != _PATTERN).any() or (self._after != _PATTERN).any())


class Image:
    """One fetched image.

    Args:
        title: For people: ``Source at 12``.
        memory: Its pixels.
        bounds: Where they lie, pixels.
        whole: Where the whole frame lies, pixels.
        scale: Render scale.
        pixel_aspect: Width of a pixel by its height.
        premultiplication: ``OfxImageAlphaPremultiplied`` or another of OpenFX.
        identifier: Unique among images.

    Attributes:
        handle: The plug-in's; that of its property set.
    """

    def __init__(
        self,
        title: str,
        memory: ImageMemory,
        bounds: Bounds,
        whole: Bounds,
        *,
        scale: tuple[float, float],
        pixel_aspect: float,
        premultiplication: str,
        identifier: str,
    ) -> None:
        self.title = title
        self.memory = memory
        self.properties = PropertySet("image", IMAGE)
        self.handle = self.properties.handle
        facts: dict[str, tuple[int | float | str, ...]] = {
            "OfxImageEffectPropPixelDepth": (DEPTHS[memory.depth],),
            "OfxImageEffectPropComponents": (COMPONENTS[memory.components],),
            "OfxImageEffectPropPreMultiplication": (premultiplication,),
            "OfxImageEffectPropRenderScale": scale,
            "OfxImagePropPixelAspectRatio": (pixel_aspect,),
            "OfxImagePropData": (memory.address,),
            "OfxImagePropBounds": bounds,
            "OfxImagePropRegionOfDefinition": whole,
            "OfxImagePropRowBytes": (memory.row_bytes,),
            "OfxImagePropUniqueIdentifier": (identifier,),
        }
        for name, values in facts.items():
            self.properties.put(name, *values)

    def close(self) -> None:
        """Makes its handle bad."""
        HANDLES.drop(self.handle)
