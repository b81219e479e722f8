# SPDX-License-Identifier: Apache-2.0
"""Requests to an engine and their results: one role, one pack, named plates in, named plates out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

from understudy.contracts.channels import ChannelKind
from understudy.contracts.lights import LightRig
from understudy.contracts.manifest import OptionValue, Role
from understudy.contracts.plate import Plate

_LONGEST_NUMBER = 64
_HUGE_EXPONENT = re.compile(r"[eE][+-]?\d{3,}")  # 1e999999999 would be computed digit by digit


def _fraction(value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, (Fraction, int, float, str)):
        raise ValueError("not a number")
    text = str(value)
    if len(text) > _LONGEST_NUMBER or _HUGE_EXPONENT.search(text):
        raise ValueError(f"{text[:_LONGEST_NUMBER]!r} is out of any useful range")
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is not a number or a fraction such as 24000/1001") from None


def _positive(value: Any) -> Fraction:
    number = _fraction(value)
    if number <= 0:
        raise ValueError(f"{value} is not over 0")
    return number


Rational = Annotated[Fraction, PlainValidator(_fraction), PlainSerializer(str, return_type=str)]
"""An exact number; written as ``"3/2"``."""


def _scale(value: Any) -> Fraction:
    number = _positive(value)
    if not SCALES[0] <= number <= SCALES[1]:
        raise ValueError(f"{value} is not between {SCALES[0]} and {SCALES[1]}")
    return number


PositiveRational = Annotated[Fraction, PlainValidator(_positive), PlainSerializer(str, return_type=str)]
"""An exact number over 0."""

SCALES = (Fraction(1, 32), Fraction(32))
"""The smallest and the largest factor of an upscale."""

Scale = Annotated[Fraction, PlainValidator(_scale), PlainSerializer(str, return_type=str)]
"""An exact factor within ``SCALES``."""


class _Params(BaseModel):
    """Attributes that every role takes.

    Attributes:
        kinds: Channel-name patterns to kinds, over the built-in rules.
        options: The pack's own knobs.
        draft: Prefer speed.
        tile: Tile side in input pixels; 0 lets the engine choose.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kinds: dict[str, ChannelKind] = {}
    options: dict[str, OptionValue] = {}
    draft: bool = False
    tile: int = Field(0, ge=0)


class MotionParams(_Params):
    """Plates in: ``a`` (frame n), ``b`` (frame n+1). Plates out: ``a``, ``b``.

    ``a`` has ``forward.u forward.v confidence.Y occlusion.Y``, ``b`` has ``backward.u backward.v confidence.Y
    occlusion.Y``: pixels of the image, u right, v up; each over its own plate's data window. A plate ``matte`` (its
    alpha, or its only channel) may be given: motion is then sought only where it is over 0.
    """

    role: Literal[Role.MOTION] = Role.MOTION


class InterpolateParams(_Params):
    """Plates in: ``a``, ``b``; ``vectors_a`` and ``vectors_b`` (forward of a, backward of b) when the user gives them.

    Plates out: ``0``, ``1``, ... one per output. Each has the channels of ``a`` and ``confidence.Y`` (sample type
    half).

    Attributes:
        outputs: For each output the times whose pictures are averaged (shutter); 0 is a, 1 is b, all within [0, 1].
            A single time of exactly 0 or 1 returns that source plate bit for bit.
        cut: There is a cut between a and b: the nearer one is held (ties hold a), never blended.
        find_cut: Look whether there is one; for callers that can't, such as a compositing host.
        motion_pack: ``id`` or ``id@version`` of the motion pack, when no vectors come in.
        motion_options: Its knobs.
    """

    role: Literal[Role.INTERPOLATE] = Role.INTERPOLATE
    outputs: tuple[tuple[Rational, ...], ...] = Field(min_length=1)
    cut: bool = False
    find_cut: bool = False
    motion_pack: str = ""
    motion_options: dict[str, OptionValue] = {}


class UpscaleParams(_Params):
    """Plate in: ``plate``. Plate out: ``plate``, both windows scaled.

    Attributes:
        scale: Factor on both axes, over 0.
        confidence: Add ``confidence.Y`` (sample type half), 0-1: ``1 / (1 + 10 d)`` with d the expected error relative
            to the local level, from back-projection and local detail (``understudy.roles.back_projection`` defines it).
            Only when enlarging, and only for plates with color.
    """

    role: Literal[Role.UPSCALE] = Role.UPSCALE
    scale: Scale = Fraction(2)
    confidence: bool = False


class RelightParams(_Params):
    """Plates in: ``plate`` and what is known of it.

    That is: AOVs ``albedo normal position depth roughness metallic`` (own plates, or layers of ``plate``);
    ``environment:<file>`` for each environment light; ``reference`` for an image whose light is the target;
    ``present`` for another frame of the shot, whose light is fitted as the present one, so that one fit holds for all.

    Plates out: ``plate`` and, when asked for, passes as layers of it: ``ratio.RGB normal.XYZ albedo.RGB diffuse.RGB
    specular.RGB confidence.Y``.

    Attributes:
        method: ``aov`` shades the AOVs and needs an albedo and a normal; ``ratio`` multiplies the plate by new light
            over present light and needs a normal or a pack that estimates one; ``auto`` takes ``aov`` when albedo and
            normal are given, else ``ratio``.
        lights: The new lights. Empty with ``ratio`` means: the light estimated from the plate (which returns the
            plate).
        present: The light in the plate now, when known; estimated when None.
        normal_space: ``camera`` or ``world``; world normals need ``camera_to_world``.
        camera_to_world: Row-major 3x3 rotation.
        camera_position: Where the camera stands in the world. Given, the position AOV holds world-space points, and
            ``camera_to_world`` is needed; without it they are in camera space.
        field_of_view: Horizontal, degrees; turns depth into positions.
        limit_stops: The ratio stays within two to plus and minus this.
        passes: Layers to add.
    """

    role: Literal[Role.RELIGHT] = Role.RELIGHT
    method: Literal["auto", "aov", "ratio"] = "auto"
    lights: LightRig = LightRig()
    present: LightRig | None = None
    normal_space: Literal["camera", "world"] = "camera"
    camera_to_world: tuple[float, float, float, float, float, float, float, float, float] | None = None
    camera_position: tuple[float, float, float] | None = None
    field_of_view: float = Field(45.0, gt=0, lt=180)
    limit_stops: float = Field(3.0, gt=0, le=16)
    passes: tuple[Literal["ratio", "normal", "albedo", "diffuse", "specular", "confidence"], ...] = ()


RoleParams = Annotated[MotionParams | InterpolateParams | UpscaleParams | RelightParams, Field(discriminator="role")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackPin:
    """A pack by name, and exactly when a version and a digest are given.

    Attributes:
        id: Pack id.
        version: Empty takes the highest one there.
        sha256: The pack's digest; empty accepts any bytes of that id and version.
    """

    id: str
    version: str = ""
    sha256: str = ""

    def __str__(self) -> str:
        return self.id + (f"@{self.version}" if self.version else "") + (f"#{self.sha256[:12]}" if self.sha256 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRequest:
    """One piece of work for an engine.

    Attributes:
        pack: The pack that plays the role.
        params: Its parameters, which name the role.
        plates: Inputs by name; scene-linear.
        ocio_config: Name or path of the OCIO config that the plates' color spaces belong to; empty for the default.
        request_id: Names the request in logs.
    """

    pack: PackPin
    params: RoleParams
    plates: Mapping[str, Plate]
    ocio_config: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleResult:
    """What came of a request.

    Attributes:
        plates: Outputs by name.
        pack: The pack that played, fully pinned.
        confidence: Mean confidence in 0-1, or None where the role has none.
        report: Facts worth keeping with the frame, JSON types only (device, seconds, held, method ...).
        load_s: Seconds of the run that went into loading models: a fact of the process, not of the frame.
    """

    plates: Mapping[str, Plate]
    pack: PackPin
    confidence: float | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    load_s: float = 0.0
