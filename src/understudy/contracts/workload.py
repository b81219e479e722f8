# SPDX-License-Identifier: Apache-2.0
"""How much work and memory a request means, told from its description alone: sizes and parameters, no pixels."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from understudy.contracts.jobs import (
    InterpolateParams,
    PackPin,
    RelightParams,
    RoleParams,
    RoleRequest,
    UpscaleParams,
)
from understudy.contracts.manifest import Role

_SAMPLE = 4  # bytes
_CONFIDENCE = 1  # channel
_VECTORS = 4  # channels: u, v, confidence, occlusion

# Peak growth of a process over the plates it was given, measured on a 2-core machine with bundled packs at 960x540 and
# 1920x1080: motion 434-456 bytes a pixel (dis-good, dis-best; dis-draft 120, flow-match 1600), interpolation with
# motion 457, without 260 and its one output of 20, relighting 40-91; upscaling its output and 8-257 MB.
_MOTION_BYTES = 460
_INTERPOLATE_BYTES = 260
_RELIGHT_BYTES = 95
_UPSCALE_BYTES = 160_000_000


@dataclass(frozen=True, slots=True)
class PlateSize:
    """A plate without its pixels.

    Attributes:
        width: Of the data window, pixels.
        height: Of the data window, pixels.
        channels: How many.
    """

    width: int
    height: int
    channels: int

    @property
    def nbytes(self) -> int:
        """Bytes of its pixels in memory."""
        return self.width * self.height * self.channels * _SAMPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a request asks of an engine.

    Attributes:
        role: The job.
        pack: The pack, as the request names it.
        variant: A digest of what changes the cost of a pixel: draft, options, scale, passes, channels.
        megapixels: What the cost grows with, millions: pixels of the result for an upscale, of the frame otherwise.
        input_bytes: Bytes of the plates that come in.
        output_bytes: Bytes of the plates that go out, an upper bound.
        peak_bytes: Most memory that the run holds, plates included: computed from sizes and what the bundled packs were
            seen to take, not measured for the pack at hand.
    """

    role: Role
    pack: PackPin
    variant: str
    megapixels: float
    input_bytes: int
    output_bytes: int
    peak_bytes: int

    @property
    def held_bytes(self) -> int:
        """Bytes of plates that a service holds for the request until it is answered."""
        return self.input_bytes + self.output_bytes


def workload_of(params: RoleParams, pack: PackPin, sizes: Mapping[str, PlateSize]) -> Workload:
    """Measures a request by its description.

    Args:
        params: The role's parameters.
        pack: The pack that plays it.
        sizes: Of the plates, by name. The role's own names are looked for; unknown sets of plates count by their
            largest.
    """
    frame = next((sizes[name] for name in ("plate", "a") if name in sizes), None)
    frame = frame or max(sizes.values(), key=lambda size: size.nbytes, default=PlateSize(0, 0, 0))
    pixels, megapixels = frame.width * frame.height, frame.width * frame.height / 1e6
    facts: dict[str, Any] = {
        "draft": params.draft,
        "options": dict(params.options),
        "tile": params.tile,
        "channels": frame.channels,
    }
    if isinstance(params, UpscaleParams):
        out = PlateSize(
            math.ceil(frame.width * params.scale) + 1,  # windows off the grid grow by up to a pixel
            math.ceil(frame.height * params.scale) + 1,
            frame.channels + (_CONFIDENCE if params.confidence else 0),
        )
        megapixels = out.width * out.height / 1e6
        output = out.nbytes
        working = output // 10 + _UPSCALE_BYTES
        facts |= {"scale": str(params.scale), "confidence": params.confidence}
    elif isinstance(params, InterpolateParams):
        output = len(params.outputs) * pixels * (frame.channels + _CONFIDENCE) * _SAMPLE
        working = (_INTERPOLATE_BYTES if "vectors_a" in sizes else _MOTION_BYTES) * pixels
        made = sum(len(times) for times in params.outputs if len(times) != 1 or times[0] not in (0, 1))
        facts |= {
            "pictures": 0 if params.cut else made,
            "vectors": "vectors_a" in sizes,
            "motion_pack": params.motion_pack,
            "motion_options": dict(params.motion_options),
        }
    elif isinstance(params, RelightParams):
        output = frame.nbytes + 3 * len(params.passes) * pixels * _SAMPLE
        working = _RELIGHT_BYTES * pixels
        facts |= {"method": params.method, "lights": len(params.lights.lights), "passes": sorted(params.passes)}
    else:
        output = 2 * pixels * _VECTORS * _SAMPLE
        working = max(0, _MOTION_BYTES * pixels - output)
        facts |= {"matte": "matte" in sizes}
    given = sum(size.nbytes for size in sizes.values())
    return Workload(
        role=params.role,
        pack=pack,
        variant=_digest(facts),
        megapixels=megapixels,
        input_bytes=given,
        output_bytes=output,
        peak_bytes=given + output + working,
    )


def workload_of_tensors(
    role: Role, pack: PackPin, shapes: Mapping[str, tuple[int, ...]], input_bytes: int, facts: Mapping[str, Any]
) -> Workload:
    """Measures a call of a pack's model by its tensors alone.

    Args:
        role: Of the pack.
        pack: The pack.
        shapes: Of the input tensors, by name.
        input_bytes: Bytes that the request holds for them.
        facts: What else changes the cost, JSON types.
    """
    pixels = max((math.prod(sorted(shape)[-2:]) for shape in shapes.values() if len(shape) > 1), default=0)
    told = {"tensors": sorted((name, len(shape)) for name, shape in shapes.items()), **facts}
    return Workload(
        role=role,
        pack=pack,
        variant=_digest(told),
        megapixels=pixels / 1e6,
        input_bytes=input_bytes,
        output_bytes=0,
        peak_bytes=input_bytes,
    )


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.blake2s(json.dumps(facts, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()


def workload_of_request(request: RoleRequest) -> Workload:
    """Measures a request that has its plates."""
    sizes = {name: PlateSize(p.width, p.height, len(p.channels)) for name, p in request.plates.items()}
    return workload_of(request.params, request.pack, sizes)
