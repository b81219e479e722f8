# SPDX-License-Identifier: Apache-2.0
"""The motion role: vectors, confidence and occlusion between two frames."""

import numpy as np

from understudy.contracts.channels import ChannelKind, classify
from understudy.contracts.engine import Control
from understudy.contracts.errors import PlateError, UsageError
from understudy.contracts.jobs import MotionParams, RoleRequest, RoleResult
from understudy.contracts.manifest import Role
from understudy.contracts.plate import FloatImage, Plate, SampleType, Window
from understudy.roles.confidence import Mask, Trust
from understudy.roles.motion_field import Ground, MotionField, Views, estimate
from understudy.roles.tools import RoleTools
from understudy.roles.warp import crop, enlarge, reduce, warp

_TYPES: tuple[SampleType, ...] = ("float", "float", "half", "half")


def run(request: RoleRequest, tools: RoleTools, control: Control) -> RoleResult:
    """Vectors between plates ``a`` and ``b``, each over its own data window.

    Vectors are in pixels of the plate, u right, v up. ``confidence.Y`` is the probability that a vector is within a
    pixel of the truth; ``occlusion.Y`` is 1 where the other frame does not show the point. Where a ``matte`` is 0,
    vectors and confidence are 0 (b's matte is a's, carried along).

    Raises:
        UsageError: Plates or parameters are not those of this role.
        PlateError: A plate has no color, or the matte can't be read.
        PackError: The pack fails.
    """
    params = request.params
    if not isinstance(params, MotionParams):
        raise UsageError(f"the motion role got parameters of {params.role.value}")
    a, b = _pair(request)
    model = tools.load(request.pack, Role.MOTION)
    control.progress(0, 1)
    control.check()
    views = Views(a, b, tools.color, params.kinds)
    field = estimate(views, model, options=params.options, draft=params.draft)
    sought_a, sought_b = _sought(request.plates.get("matte"), field)
    plates = {
        "a": _vectors(a, "forward", field.forward, field.trust_a, sought_a, field.ground),
        "b": _vectors(b, "backward", field.backward, field.trust_b, sought_b, field.ground),
    }
    control.progress(1, 1)
    confidence = float(np.mean([plate.pixels[..., 2].mean(dtype=np.float64) for plate in plates.values()]))
    report = {"device": model.device, "field_scale": field.ground.scale, "matte": "matte" in request.plates}
    return RoleResult(plates=plates, pack=model.pin, confidence=confidence, report=report)


def _pair(request: RoleRequest) -> tuple[Plate, Plate]:
    missing = [name for name in ("a", "b") if name not in request.plates]
    if missing:
        raise UsageError(f"{request.params.role.value} needs plates a and b; {' and '.join(missing)} is missing")
    return request.plates["a"], request.plates["b"]


def _vectors(
    plate: Plate, direction: str, flow: FloatImage, trust: Trust, sought: Mask | None, ground: Ground
) -> Plate:
    window, factor = ground.window, ground.scale
    layers = np.empty((ground.height, ground.width, len(_TYPES)), np.float32)
    np.multiply(flow[..., 0], np.float32(factor), out=layers[..., 0])
    np.multiply(flow[..., 1], np.float32(-factor), out=layers[..., 1])
    layers[..., 1] += 0  # turns -0 into 0
    layers[..., 2], layers[..., 3] = trust.confidence, trust.occluded
    if sought is not None:
        layers[~sought] = 0
    layers = crop(enlarge(layers, factor, window.height, window.width), window, plate.data_window)
    return Plate(
        pixels=layers,
        channels=(f"{direction}.u", f"{direction}.v", "confidence.Y", "occlusion.Y"),
        sample_types=_TYPES,
        data_window=plate.data_window,
        display_window=plate.display_window,
        pixel_aspect=plate.pixel_aspect,
        frame=plate.frame,
        colorspace="Raw",
        metadata=plate.metadata,
    )


def _sought(matte: Plate | None, field: MotionField) -> tuple[Mask | None, Mask | None]:
    if matte is None:
        return None, None
    ground = field.ground
    over_a = reduce(_over(_coverage(matte), matte.data_window, ground.window), ground.scale)
    over_b = warp(over_a, ground.field, ground.field, field.backward, "linear")
    return over_a[..., 0] > 0, over_b[..., 0] > 0


def _coverage(matte: Plate) -> FloatImage:
    groups = classify(matte.channels, matte.sample_types)
    alphas = [group.names[0] for group in groups if group.kind is ChannelKind.ALPHA]
    if not alphas and len(matte.channels) > 1:
        raise PlateError(
            f"a matte needs an alpha channel or a single channel; there are {', '.join(matte.channels)}", where="matte"
        )
    return matte.take(alphas[:1] or matte.channels)


def _over(coverage: FloatImage, source: Window, target: Window) -> FloatImage:
    both = source.union(target)
    top, left = source.y - both.y, source.x - both.x
    whole = np.zeros((both.height, both.width, 1), np.float32)
    whole[top : top + source.height, left : left + source.width] = coverage
    return crop(whole, both, target)
