# SPDX-License-Identifier: Apache-2.0
"""The interpolation role: the picture at any time between two frames, from the original pixels of both."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from understudy.contracts.channels import ChannelKind, classify
from understudy.contracts.engine import Control
from understudy.contracts.errors import PlateError, UsageError
from understudy.contracts.jobs import InterpolateParams, PackPin, RoleRequest, RoleResult
from understudy.contracts.manifest import Role
from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage, Plate, Window
from understudy.packs.pins import parse_pin
from understudy.roles.confidence import Mask
from understudy.roles.cuts import is_cut
from understudy.roles.mixing import Course, mix
from understudy.roles.motion_field import MotionField, Views, checked, estimate, given, padded
from understudy.roles.tools import RoleTools
from understudy.roles.warp import enlarge, inside, warp

CONFIDENCE = "confidence.Y"
_HALF = Fraction(1, 2)


def run(request: RoleRequest, tools: RoleTools, control: Control) -> RoleResult:
    """Pictures at the asked times; see ``InterpolateParams``.

    Original pixels are warped, never encoded ones; ``roles.mixing`` has the rule of each kind of channel. Results lie
    over the union of both data windows; metadata and display window are the nearer plate's. An output that is a source
    frame (a whole time, or any time at a cut) is that plate, and says so in ``report["held"]`` where it stands in for
    another time.

    Raises:
        UsageError: Plates, times or parameters are not those of this role.
        PlateError: The plates do not belong together, or given vectors can't be read.
        PackError: A pack fails.
    """
    params = request.params
    if not isinstance(params, InterpolateParams):
        raise UsageError(f"the interpolate role got parameters of {params.role.value}")
    for times in params.outputs:
        _check(times)
    work = _Between(request, params, tools, control)
    plates: dict[str, Plate] = {}
    confidences: list[float] = []
    for index, times in enumerate(params.outputs):
        control.check()
        plate = work.source(times) or work.mean(times)
        if plate.has(CONFIDENCE) and plate not in (work.a, work.b):
            confidences.append(float(plate.pixels[..., plate.index(CONFIDENCE)].mean(dtype=np.float64)))
        plates[str(index)] = plate
        control.progress(index + 1, len(params.outputs))
    held = [work.cut and not _whole(times) for times in params.outputs]
    report = {"device": work.model.device, "held": held, **work.report}
    confidence = float(np.mean(confidences)) if confidences else None
    return RoleResult(plates=plates, pack=work.model.pin, confidence=confidence, report=report)


def _check(times: Sequence[Fraction]) -> None:
    if not times:
        raise UsageError("an output needs at least one time", where="outputs")
    for time in times:
        if not 0 <= time <= 1:
            raise UsageError(f"time {time} is not between 0 (a) and 1 (b)", where="outputs")


def _whole(times: Sequence[Fraction]) -> bool:
    return len(times) == 1 and times[0] in (0, 1)


class _Between:
    """The work between one a and one b; motion is found once, when it is first needed."""

    def __init__(self, request: RoleRequest, params: InterpolateParams, tools: RoleTools, control: Control) -> None:
        self.a, self.b = _pair(request)
        self.model = tools.load(request.pack, Role.INTERPOLATE)
        self.report: dict[str, Any] = {}
        self._request = request
        self._params = params
        looks = params.find_cut and not all(map(_whole, params.outputs))
        self.cut = params.cut or (looks and is_cut(self.a, self.b, tools.color).cut)
        self._tools = tools
        self._control = control
        self._window = self.a.data_window.union(self.b.data_window)
        kept = [(n, t) for n, t in zip(self.a.channels, self.a.sample_types, strict=True) if n != CONFIDENCE]
        self._names, self._types = (tuple(column) for column in zip(*kept, strict=True))
        self._groups = classify(self._names, self._types, params.kinds)
        self._same = _same(self.a, self.b, self._names)
        self._field: MotionField | None = None
        self._tensors: dict[str, FloatImage] = {}

    def source(self, times: Sequence[Fraction]) -> Plate | None:
        """The source plate itself, where the output is one: a whole time, or the nearer side of a cut."""
        if _whole(times) or self.cut:
            return self.b if _middle(times) > _HALF else self.a
        return None

    def mean(self, times: Sequence[Fraction]) -> Plate:
        """The mean of the pictures at ``times``, in their order; identifiers come from the middle one."""
        ids = {name for group in self._groups if group.kind is ChannelKind.ID for name in group.names}
        averaged = [i for i, name in enumerate((*self._names, CONFIDENCE)) if name not in ids]
        result = self._picture(times[0])
        for count, time in enumerate(times[1:], 2):
            self._control.check()
            layers = self._picture(time)
            mean = result[..., averaged]
            mean += (layers[..., averaged] - mean) / np.float32(count)
            if count - 1 == len(times) // 2:
                result = layers
            result[..., averaged] = mean
        near = self.b if _middle(times) > _HALF else self.a
        return replace(
            near,
            pixels=result,
            channels=(*self._names, CONFIDENCE),
            sample_types=(*self._types, "half"),
            data_window=self._window,
            frame=None,
        )

    def _picture(self, time: Fraction) -> FloatImage:
        if self._same:
            self.report["same"] = True
            ones = np.ones((self._window.height, self._window.width, 1), np.float32)
            return np.concatenate([self.a.take(self._names), ones], axis=2)
        course, confidence = self._end(time) if time in (0, 1) else self._course(time)
        if course.void is not None:
            confidence[course.void] = 0
        layers = np.empty((self._window.height, self._window.width, len(self._names) + 1), np.float32)
        layers[..., -1:] = confidence
        mix(self.a, self.b, self._groups, self._names, course, layers)
        return layers

    def _end(self, time: Fraction) -> tuple[Course, FloatImage]:
        height, width = self._window.height, self._window.width
        still = np.zeros((height, width, 2), np.float32)
        share = np.full((height, width, 1), time, np.float32)
        own = (self.b if time else self.a).data_window
        void = None if own == self._window else ~inside(own, self._window, still)
        return Course(self._window, still, still, share, void), np.ones((height, width, 1), np.float32)

    def _course(self, time: Fraction) -> tuple[Course, FloatImage]:
        field = self._motion()
        ground = field.ground
        call = Call(time=float(time), draft=self._params.draft, options=self.model.settle(self._params.options))
        answer = self.model.run(self._tensors, call)
        to_a, to_b = (checked(answer, name, ground, 2, self.model) for name in ("to_a", "to_b"))
        share = np.clip(checked(answer, "weight", ground, 1, self.model), 0, 1)
        confidence = self._confidence(field, answer, to_a, to_b, share)
        height, width, factor = self._window.height, self._window.width, ground.scale
        to_a, to_b = (enlarge(flow * np.float32(factor), factor, height, width) for flow in (to_a, to_b))
        share, confidence = (enlarge(layer, factor, height, width) for layer in (share, confidence))
        in_a = inside(self.a.data_window, self._window, to_a)
        in_b = inside(self.b.data_window, self._window, to_b)
        share[in_a & ~in_b] = 0
        share[in_b & ~in_a] = 1
        return Course(self._window, to_a, to_b, share, self._void(in_a | in_b, time)), confidence

    def _confidence(
        self, field: MotionField, answer: Tensors, to_a: FloatImage, to_b: FloatImage, share: FloatImage
    ) -> FloatImage:
        """The pack's own, which has seen the picture; else that of the vectors. What the user gave always counts."""
        own = "confidence" in answer
        given = [self._request.plates.get(name) for name in ("vectors_a", "vectors_b")]
        vouched = any(plate is not None and plate.has(CONFIDENCE) for plate in given)
        if own and not vouched:
            return np.clip(checked(answer, "confidence", field.ground, 1, self.model), 0, 1)
        confidence = _carried(field, to_a, to_b, share)
        if own:
            confidence *= np.clip(checked(answer, "confidence", field.ground, 1, self.model), 0, 1)
        return confidence

    def _void(self, seen: Mask, time: Fraction) -> Mask | None:
        """Pixels that neither plate shows, outside the window between theirs: EXR has nothing there."""
        a, b, whole = self.a.data_window, self.b.data_window, self._window
        if a == b:
            return None
        left, top, right, bottom = (
            from_a + time * (from_b - from_a)
            for from_a, from_b in ((a.x, b.x), (a.y, b.y), (a.right, b.right), (a.bottom, b.bottom))
        )
        void = ~seen
        rows = slice(int(top // 1) - whole.y, int(-(-bottom // 1)) - whole.y)
        void[rows, int(left // 1) - whole.x : int(-(-right // 1)) - whole.x] = False
        return void

    def _motion(self) -> MotionField:
        if self._field is not None:
            return self._field
        params, plates = self._params, self._request.plates
        views = Views(self.a, self.b, self._tools.color, params.kinds)
        vectors_a, vectors_b = plates.get("vectors_a"), plates.get("vectors_b")
        if vectors_a or vectors_b:
            field = given(views, vectors_a, vectors_b)
            derived = "" if vectors_a and vectors_b else (" forward derived" if vectors_b else " backward derived")
            self.report["vectors"] = f"given{derived}"
        else:
            model = self._tools.load(_motion_pin(params), Role.MOTION)
            field = estimate(views, model, options=params.motion_options, draft=params.draft)
            self.report |= {"vectors": "estimated", "motion_pack": str(model.pin)}
        self.report["field_scale"] = field.ground.scale
        self._tensors = views.tensors(self.model)
        self._tensors |= {name: padded(getattr(field, name), self.model) for name in ("forward", "backward")}
        self._field = field
        return field


def _pair(request: RoleRequest) -> tuple[Plate, Plate]:
    missing = [name for name in ("a", "b") if name not in request.plates]
    if missing:
        raise UsageError(f"interpolation needs plates a and b; {' and '.join(missing)} is missing")
    a, b = request.plates["a"], request.plates["b"]
    absent = [name for name in a.channels if name not in b.channels and name != CONFIDENCE]
    if absent:
        raise PlateError(
            f"it lacks {', '.join(absent)}, which {a.label} has",
            where=b.label,
            fix="give both frames the same channels",
        )
    if (a.colorspace, a.premultiplied) != (b.colorspace, b.premultiplied):
        raise PlateError(
            f"it is {_state(b)} while {a.label} is {_state(a)}", where=b.label, fix="declare both frames alike"
        )
    return a, b


def _state(plate: Plate) -> str:
    return f"{plate.colorspace}, {'premultiplied' if plate.premultiplied else 'not premultiplied'}"


def _same(a: Plate, b: Plate, names: Sequence[str]) -> bool:
    return a.data_window == b.data_window and all(
        np.array_equal(
            np.ascontiguousarray(a.pixels[..., a.index(name)]).view(np.uint32),
            np.ascontiguousarray(b.pixels[..., b.index(name)]).view(np.uint32),
        )
        for name in names
    )


def _middle(times: Sequence[Fraction]) -> Fraction:
    return times[len(times) // 2]


def _motion_pin(params: InterpolateParams) -> PackPin:
    if not params.motion_pack:
        raise UsageError(
            "interpolation needs motion: no vectors came in and no motion pack is named",
            where="motion_pack",
            fix="name one, or give vectors_a or vectors_b",
        )
    return parse_pin(params.motion_pack)


def _carried(field: MotionField, to_a: FloatImage, to_b: FloatImage, share: FloatImage) -> FloatImage:
    whole: Window = field.ground.field
    from_a = warp(field.trust_a.confidence[..., None], whole, whole, to_a, "linear")
    from_b = warp(field.trust_b.confidence[..., None], whole, whole, to_b, "linear")
    return from_a + share * (from_b - from_a)
