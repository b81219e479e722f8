# SPDX-License-Identifier: Apache-2.0
"""The interpolate step: a retime. Integer times are the source frame itself; nothing is blended across a cut."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from understudy.contracts.channels import ChannelKind, classify
from understudy.contracts.errors import GraphError, PlateError
from understudy.contracts.jobs import InterpolateParams, RoleResult
from understudy.contracts.outline import Outline
from understudy.contracts.plate import Plate
from understudy.graph.document import InterpolateNode
from understudy.graph.retime import RetimePlan
from understudy.graph.steps.motion import MotionStep, vectors_for_pair
from understudy.graph.steps.step import Ask, Cause, Fetch, Frame, Key, Outcome, Setting, Step, at, numbered, only_frames
from understudy.roles.cuts import is_cut
from understudy.roles.proxy import standing_for_all

CONFIDENCE = "confidence.Y"


class InterpolateStep:
    """A retimed sequence, or one picture at one time.

    Args:
        name: The node's name.
        node: The node.
        setting: What steps share.
        source: The plates.
        plan: Source times of every output frame.
        vectors: A step with vectors of the source, or the motion step that makes them.
        shared: A motion step may be asked for a pair of frames; else for the vectors that it gives everybody.
    """

    kind = "interpolate"

    def __init__(
        self,
        name: str,
        node: InterpolateNode,
        setting: Setting,
        source: Step,
        plan: RetimePlan,
        vectors: Step,
        *,
        shared: bool = True,
    ) -> None:
        self.name = name
        self._node = node
        self._setting = setting
        self._source = source
        self._vectors = vectors
        self._motion = vectors if shared and isinstance(vectors, MotionStep) else None
        self._range = only_frames(source, name)
        self._times: dict[Frame, tuple[Fraction, ...]] = {output.frame: output.times for output in plan.outputs}
        self._cuts: dict[int, bool] = {}
        if node.at is not None:
            self._times = {None: next(iter(self._times.values()))}
        self._frames = tuple(self._times)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The output frames."""
        return self._frames

    @cached_property
    def outline(self) -> Outline:
        """That of the input, with confidence where it is asked for."""
        given = self._source.outline
        if self._node.confidence:
            return given.plus((CONFIDENCE,), "half")
        return given.only(tuple(name for name in given.channels if name != CONFIDENCE))

    def asks(self, frame: Frame) -> tuple[Ask, ...]:
        """The pictures between source frames and the motion for them, taking it that there is no cut."""
        asks: list[Ask] = []
        for first, offsets in self._groups(self._times[frame]).items():
            given = self._source.outline
            plates = {"a": given, "b": given}
            if any(0 < offset < 1 for offset in offsets):
                vectors = replace(given, channels=(), sample_types=())
                vectors = vectors.plus(("u", "v", "confidence", "occlusion"), "float")
                plates |= {"vectors_a": vectors, "vectors_b": vectors}
                if self._motion is not None:
                    asks.append(self._motion.pair_ask(first))
            asks.append(Ask(node=self.name, name=(frame, first), params=self._params(offsets), plates=plates))
        return tuple(asks)

    def _params(self, offsets: tuple[Fraction, ...]) -> InterpolateParams:
        return InterpolateParams(**self._setting.shared_params(self._node), outputs=(offsets,))

    def _groups(self, times: tuple[Fraction, ...]) -> dict[int, tuple[Fraction, ...]]:
        """Times by the pair of source frames that they lie between, from its first; none for a source frame itself."""
        if len(set(times)) == 1 and times[0].denominator == 1:
            return {}
        groups: dict[int, list[Fraction]] = {}
        for time in times:
            first = min(time.__floor__(), self._range[-1] - 1)
            groups.setdefault(first, []).append(time - first)
        return {first: tuple(offsets) for first, offsets in groups.items()}

    def needs(self, frame: Frame) -> tuple[Key, ...]:
        """The source frames around each time, and their vectors where a node gives them."""
        times = self._times[frame]
        numbers = range(min(times).__floor__(), max(times).__ceil__() + 1)
        keys = [at(self._source, number) for number in numbers]
        if self._motion is not None:
            keys += [key for first in numbers[:-1] for key in self._motion.pair_needs(first)]
        elif len(numbers) > 1:
            keys += [at(self._vectors, number) for number in numbers]
        return tuple(dict.fromkeys(keys))

    def cause(self, frame: Frame) -> Cause:
        """Source times, packs and cuts; how the times came about does not matter."""
        times = self._times[frame]
        first = min(times).__floor__()
        ways = {"speed", "fps", "at", "list", "curve", "timeline", "shutter", "edge", "cuts"}
        facts = {name: fact for name, fact in self._setting.facts(self._node, self.name).items() if name not in ways}
        cuts = self._node.cuts
        inside = range(first + 1, max(times).__ceil__() + 1)
        facts["cuts"] = cuts if isinstance(cuts, str) else [cut - first for cut in cuts if cut in inside]
        others: dict[str, Mapping[str, Any]] = {}
        if self._node.vectors and self._motion is not None and any(t.denominator > 1 for t in times):
            others[self._motion.name] = self._motion.pair_facts()
        return Cause(facts={**facts, "times": [str(time - first) for time in times]}, others=others)

    def compute(self, frame: Frame, fetch: Fetch) -> Outcome:
        """One output frame."""
        times = self._within_shot(self._times[frame], fetch)
        held = times != self._times[frame]
        groups = self._groups(times)
        if not groups:
            plate = self._finished(fetch(*at(self._source, int(times[0]))), frame, confidence=0.0 if held else 1.0)
            facts = {"source_frame": int(times[0]), "origin": "held" if held else "source"}
            return Outcome(plate=plate, confidence=0.0 if held else 1.0, report=facts)
        results = {first: self._pair(first, group, fetch) for first, group in groups.items()}
        parts = {first: _with_confidence(result.plates["0"], 1.0) for first, result in results.items()}
        middle = min(times[len(times) // 2].__floor__(), self._range[-1] - 1)
        plate = self._mean([(parts[first], len(group)) for first, group in groups.items()], parts[middle])
        report: dict[str, Any] = {}
        for result in results.values():
            report |= result.report
        report |= {"origin": "synthesized", "times": [str(time) for time in times]}
        confidences = [result.confidence for result in results.values() if result.confidence is not None]
        return Outcome(
            plate=self._finished(plate, frame, confidence=1.0), confidence=min(confidences, default=1.0), report=report
        )

    def _within_shot(self, times: tuple[Fraction, ...], fetch: Fetch) -> tuple[Fraction, ...]:
        """The times, those beyond a cut brought back to the shot of the middle one: no picture spans a cut."""
        middle = times[len(times) // 2]
        for first in range(min(times).__floor__(), max(times).__ceil__()):
            a, b = fetch(*at(self._source, first)), fetch(*at(self._source, first + 1))
            if self._is_cut(first, a, b):
                before = middle - first <= Fraction(1, 2)
                limit = Fraction(first if before else first + 1)
                times = tuple(min(time, limit) if before else max(time, limit) for time in times)
        return times

    def _pair(self, first: int, offsets: tuple[Fraction, ...], fetch: Fetch) -> RoleResult:
        plates = {"a": fetch(*at(self._source, first)), "b": fetch(*at(self._source, first + 1))}
        if any(0 < offset < 1 for offset in offsets):
            plates |= self._vectors_of(first, fetch)
        result = self._setting.ask(self.name, first, self._params(offsets), plates)
        if len(offsets) == 1 and offsets[0].denominator == 1:
            return result  # a source frame
        made = standing_for_all(result.plates["0"], (plates["a"], plates["b"]))
        return replace(result, plates={**result.plates, "0": made})

    def _vectors_of(self, first: int, fetch: Fetch) -> Mapping[str, Plate]:
        if self._motion is not None:
            result = self._motion.pair(first, fetch)
            return {"vectors_a": result.plates["a"], "vectors_b": result.plates["b"]}
        plates: dict[str, Plate] = {}
        for name, number, side in (("vectors_a", first, "forward"), ("vectors_b", first + 1, "backward")):
            vectors = fetch(*at(self._vectors, number))
            if vectors.has(f"{side}.u", f"{side}.v"):
                plates[name] = vectors_for_pair(vectors, side)
        where = f"nodes.{self.name}.vectors"
        if not plates:
            fix = f"there are {', '.join(vectors.channels)}"
            raise GraphError("needs forward.u forward.v or backward.u backward.v", where=where, fix=fix)
        size, wanted = vectors.display_window, fetch(*at(self._source, first)).display_window
        if size != wanted:
            fix = "render the vectors at the plate's format"
            raise PlateError(f"the vectors are for a frame of {size}, the plate is {wanted}", where=where, fix=fix)
        return plates

    def _is_cut(self, first: int, a: Plate, b: Plate) -> bool:
        if first not in self._cuts:
            self._setting.control.check()
            if self._node.cuts == "auto":
                cut = is_cut(a, b, self._setting.color).cut
            else:
                cut = self._node.cuts != "none" and first + 1 in self._node.cuts
            if cut:
                message = f"cut between {first} and {first + 1}: frames between them hold the nearer one"
                self._setting.listener({"event": "warning", "node": self.name, "frame": first, "message": message})
            self._cuts[first] = cut
        return self._cuts[first]

    def _finished(self, plate: Plate, frame: Frame, *, confidence: float) -> Plate:
        plate = numbered(plate, frame)
        if self._node.confidence:
            return _with_confidence(plate, confidence)
        return plate.only([name for name in plate.channels if name != CONFIDENCE])

    def _mean(self, parts: list[tuple[Plate, int]], middle: Plate) -> Plate:
        if len(parts) == 1:
            return parts[0][0]
        window = middle.data_window
        total = sum(count for _, count in parts)
        mean = np.zeros_like(middle.pixels)
        for plate, count in parts:
            overlap = window.intersection(plate.data_window)
            if overlap is not None:
                theirs = plate.pixels[overlap.slices(plate.data_window)]
                mean[overlap.slices(window)] += theirs * np.float32(count / total)
        for group in classify(middle.channels, middle.sample_types, self._node.kinds):
            if group.kind is ChannelKind.ID:
                where = [middle.index(name) for name in group.names]
                mean[..., where] = middle.pixels[..., where]
        return middle.with_pixels(mean)


def _with_confidence(plate: Plate, value: float) -> Plate:
    if CONFIDENCE in plate.channels:
        return plate
    layer = np.full((plate.height, plate.width, 1), value, np.float32)
    return replace(
        plate,
        pixels=np.concatenate([plate.pixels, layer], axis=2),
        channels=(*plate.channels, CONFIDENCE),
        sample_types=(*plate.sample_types, "half"),
    )
