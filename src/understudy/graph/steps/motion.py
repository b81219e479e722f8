# SPDX-License-Identifier: Apache-2.0
"""The motion step: vectors to the next and the previous frame, each pair of frames computed once."""

from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from understudy.contracts.errors import GraphError
from understudy.contracts.jobs import MotionParams, RoleResult
from understudy.contracts.outline import Outline
from understudy.contracts.plate import FloatImage, Plate, Storage, blank_plate
from understudy.graph.document import MotionNode
from understudy.graph.steps.step import Ask, Cause, Fetch, Frame, Key, Outcome, Setting, Step, at, only_frames

VECTOR_CHANNELS = (
    "backward.confidence", "backward.occlusion", "backward.u", "backward.v",
    "confidence.Y",
    "forward.confidence", "forward.occlusion", "forward.u", "forward.v",
)  # fmt: skip
"""Channels of a vectors plate, in the order of ``frames.pixel_hash``. ``confidence.Y`` is the lower of the two; at the
ends of the sequence a direction that has no other frame is zero with confidence 0, and does not count."""

VECTOR_SPACE = "Raw"


class MotionStep:
    """Vectors of a sequence."""

    kind = "motion"

    def __init__(self, name: str, node: MotionNode, setting: Setting, source: Step, matte: Step | None) -> None:
        self.name = name
        self._node = node
        self._setting = setting
        self._source = source
        self._matte = matte
        self._pairs: dict[int, RoleResult] = {}
        frames = only_frames(source, name)
        if len(frames) > 1 and not any(after - before == 1 for before, after in pairwise(frames)):
            raise GraphError(
                "motion is sought between neighbors, and no two frames of the input are",
                where=f"nodes.{name}.input",
                fix="read every frame, and choose outputs with --frames",
            )

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Those of the input."""
        return self._source.frames

    @cached_property
    def outline(self) -> Outline:
        """Vectors over the input's windows."""
        bare = replace(self._source.outline, channels=(), sample_types=(), storage=Storage())
        return bare.plus(VECTOR_CHANNELS, "float")

    def asks(self, frame: Frame) -> tuple[Ask, ...]:
        """The pair that begins at the frame, and the one that ends there."""
        assert frame is not None
        frames = self._source.frames
        return tuple(self.pair_ask(n) for n in (frame - 1, frame) if n in frames and n + 1 in frames)

    def pair_ask(self, first: int) -> Ask:
        """The request for a frame and the next."""
        given = self._source.outline
        plates = {"a": given, "b": given} | ({"matte": self._matte.outline} if self._matte else {})
        return Ask(node=self.name, name=(first,), params=self._params, plates=plates)

    @property
    def _params(self) -> MotionParams:
        return MotionParams(**self._setting.shared_params(self._node))

    def needs(self, frame: Frame) -> tuple[Key, ...]:
        """The frame and its neighbors, and their mattes."""
        steps = [self._source] + ([self._matte] if self._matte else [])
        return tuple(at(step, other) for step in steps for other in self._around(frame))

    def cause(self, frame: Frame) -> Cause:
        """The node and its pack; at the ends of the sequence a direction is missing."""
        assert frame is not None
        around = [other - frame for other in self._around(frame)]
        return Cause(facts={**self.pair_facts(), "around": around})

    def pair_needs(self, first: int) -> tuple[Key, ...]:
        """What ``pair`` reads of other nodes."""
        keys = (at(self._source, first), at(self._source, first + 1))
        return keys if self._matte is None else (*keys, at(self._matte, first))

    def pair_facts(self) -> dict[str, Any]:
        """What the node says that decides a pair."""
        return {**self._setting.facts(self._node, self.name), "matte": self._matte is not None}

    def compute(self, frame: Frame, fetch: Fetch) -> Outcome:
        """Both directions at one frame."""
        assert frame is not None
        here = fetch(*at(self._source, frame))
        height, width = here.pixels.shape[:2]
        pixels = np.zeros((height, width, len(VECTOR_CHANNELS)), np.float32)
        confidences: list[FloatImage] = []
        report: dict[str, object] = {}
        for side, first, name in (("forward", frame, "a"), ("backward", frame - 1, "b")):
            if first not in self._source.frames or first + 1 not in self._source.frames:
                continue
            result = self.pair(first, fetch)
            plate = result.plates[name]
            for channel, source in (
                (f"{side}.u", f"{side}.u"),
                (f"{side}.v", f"{side}.v"),
                (f"{side}.confidence", "confidence.Y"),
                (f"{side}.occlusion", "occlusion.Y"),
            ):
                pixels[..., VECTOR_CHANNELS.index(channel)] = plate.pixels[..., plate.index(source)]
            confidences.append(plate.pixels[..., plate.index("confidence.Y")])
            report |= result.report
        if confidences:
            pixels[..., VECTOR_CHANNELS.index("confidence.Y")] = np.minimum.reduce(confidences)
        mean = float(np.mean(pixels[..., VECTOR_CHANNELS.index("confidence.Y")]))
        plate = blank_plate(pixels, VECTOR_CHANNELS, colorspace=VECTOR_SPACE, frame=frame, like=here)
        return Outcome(plate=plate, confidence=mean, report=report)

    def _around(self, frame: Frame) -> tuple[int, ...]:
        assert frame is not None
        return tuple(other for other in (frame - 1, frame, frame + 1) if other in self._source.frames)

    def pair(self, first: int, fetch: Fetch) -> RoleResult:
        """The motion result between a frame and the next, kept while its neighbors are computed."""
        if first not in self._pairs:
            for old in [known for known in self._pairs if abs(known - first) > 1]:
                del self._pairs[old]
            self._pairs[first] = self._run(first, fetch)
        return self._pairs[first]

    def _run(self, first: int, fetch: Fetch) -> RoleResult:
        plates = {"a": fetch(*at(self._source, first)), "b": fetch(*at(self._source, first + 1))}
        if self._matte is not None:
            plates["matte"] = fetch(*at(self._matte, first))
        return self._setting.ask(self.name, first, self._params, plates)


def vectors_for_pair(vectors: Plate, side: str) -> Plate:
    """The part of a vectors plate that an interpolation takes: ``forward`` of a, or ``backward`` of b.

    Args:
        vectors: Has ``<side>.u <side>.v``; confidence and occlusion where known.
        side: ``forward`` or ``backward``.
    """
    names = [f"{side}.u", f"{side}.v"]
    extra = {f"{side}.confidence": "confidence.Y", f"{side}.occlusion": "occlusion.Y"}
    have = [name for name in extra if name in vectors.channels]
    return blank_plate(
        vectors.take(names + have),
        names + [extra[name] for name in have],
        colorspace=vectors.colorspace,
        like=vectors,
    )
