# SPDX-License-Identifier: Apache-2.0
"""The vector-blur step: motion blur along the vectors of the same frame.

Each pixel gathers the picture along its own vector: the mean of ``I(p - s v(p))`` over the open shutter, with the
forward vector for times after the frame and the backward one before it. Identifiers stay as they are.
"""

from collections.abc import Sequence

import numpy as np

from understudy.contracts.channels import ChannelKind, classify
from understudy.contracts.errors import GraphError
from understudy.contracts.outline import Outline
from understudy.contracts.plate import FloatImage, Plate
from understudy.graph.document import VectorBlurNode
from understudy.graph.retime import ShutterTimes
from understudy.graph.steps.step import Ask, Cause, Fetch, Frame, Key, Outcome, Setting, Step, at
from understudy.roles.warp import warp


class VectorBlurStep:
    """A blurred picture of each frame."""

    def __init__(self, name: str, node: VectorBlurNode, setting: Setting, source: Step, vectors: Step) -> None:
        self.name = name
        self.kind = f"vector_blur {node.shutter.samples}"
        self._node = node
        self._control = setting.control
        self._source = source
        self._vectors = vectors
        shutter = ShutterTimes.of(node.shutter.angle, node.shutter.samples, node.shutter.phase)
        self._offsets = tuple(float(offset) for offset in shutter.offsets())

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Those of the input."""
        return self._source.frames

    @property
    def outline(self) -> Outline:
        """That of the input."""
        return self._source.outline

    def asks(self, frame: Frame) -> tuple[Ask, ...]:
        """Nothing of the engine."""
        del frame
        return ()

    def needs(self, frame: Frame) -> tuple[Key, ...]:
        """The same frame of the input and of the vectors."""
        return (at(self._source, frame), at(self._vectors, frame))

    def cause(self, frame: Frame) -> Cause:
        """The shutter, and which channels are of which kind."""
        del frame
        return Cause(facts=self._node.model_dump(mode="json", exclude={"input", "vectors"}))

    def compute(self, frame: Frame, fetch: Fetch) -> Outcome:
        """One blurred picture."""
        plate, vectors = fetch(*at(self._source, frame)), fetch(*at(self._vectors, frame))
        if vectors.data_window != plate.data_window:
            raise GraphError(
                f"vectors cover {vectors.data_window}, the picture {plate.data_window}",
                where=f"nodes.{self.name}.vectors",
                fix="make the vectors from this very input",
            )
        moving = [
            plate.index(name)
            for group in classify(plate.channels, plate.sample_types, self._node.kinds)
            if group.kind is not ChannelKind.ID
            for name in group.names
        ]
        pixels = plate.pixels.copy()
        pixels[..., moving] = self._blur(np.ascontiguousarray(plate.pixels[..., moving]), vectors)
        return Outcome(plate=plate.with_pixels(pixels))

    def _blur(self, pixels: FloatImage, vectors: Plate) -> FloatImage:
        flows = {1: _flow(vectors, "forward"), -1: _flow(vectors, "backward")}
        total = np.zeros_like(pixels)
        for offset in self._offsets:
            self._control.check()
            flow, other = flows[1 if offset >= 0 else -1], flows[-1 if offset >= 0 else 1]
            if flow is not None:
                shift = flow * np.float32(-abs(offset))
            elif other is not None:
                shift = other * np.float32(abs(offset))
            else:
                raise GraphError("there are neither forward nor backward vectors", where=f"nodes.{self.name}.vectors")
            total += warp(pixels, vectors.data_window, vectors.data_window, shift, "linear")
        return total / np.float32(len(self._offsets))


def _flow(vectors: Plate, side: str) -> FloatImage | None:
    names: Sequence[str] = (f"{side}.u", f"{side}.v")
    if not vectors.has(*names):
        return None
    flow = vectors.take(names)
    flow[..., 1] *= -1  # plates have v up, rows run down
    return flow
