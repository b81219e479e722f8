# SPDX-License-Identifier: Apache-2.0
"""The pack under test, run the way users run it: plates through an engine; and the pictures that checks show it."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from understudy.contracts.engine import Engine
from understudy.contracts.jobs import (
    InterpolateParams,
    MotionParams,
    RelightParams,
    RoleParams,
    RoleRequest,
    RoleResult,
    UpscaleParams,
)
from understudy.contracts.lights import DirectionalLight, LightRig
from understudy.contracts.manifest import OptionValue, Role
from understudy.contracts.model import BatchModel, Call, Region, Tensors
from understudy.contracts.plate import FloatImage, Plate, blank_plate
from understudy.packs import Pack, settle_options
from understudy.runtimes import load_model
from understudy.runtimes.outputs import input_names

COLORSPACE = "ACEScg"
DARK = 0.01
HIGHLIGHT = 1000.0

_LIGHTS = LightRig(
    lights=(DirectionalLight(type="directional", direction=(-0.4, 0.6, 1.0), color=(1.0, 0.9, 0.7), intensity=2.0),)
)
# Given, because an estimate would look at the whole picture, and so hide how far the pack itself looks.
_PRESENT = LightRig(lights=(DirectionalLight(type="directional", direction=(0.2, 0.3, 1.0)),))


class Subject:
    """A pack and the engine that plays it.

    Args:
        pack: The pack under test.
        engine: Has this very pack on its search path.
    """

    def __init__(self, pack: Pack, engine: Engine) -> None:
        self.pack = pack
        self.engine = engine
        self.contract = pack.manifest.contract

    @property
    def scale(self) -> Fraction:
        """The factor that an upscaler is tested at: 2 where it offers it, else its smallest."""
        offered = self.contract.scales
        if self.pack.role is not Role.UPSCALE:
            return Fraction(1)
        return Fraction(2) if not offered or 2.0 in offered else Fraction(str(min(offered)))

    def alters(
        self, pixels: FloatImage, *, tile: int = 0, options: Mapping[str, OptionValue] | None = None
    ) -> FloatImage:
        """RGB that an upscale or relight pack makes of RGB.

        Args:
            pixels: float32 ``(h, w, 3)``, scene-linear ACEScg.
            tile: Tile side in input pixels; 0 is the engine's choice.
            options: The pack's knobs.
        """
        return (
            self.run({"plate": rgb_plate(pixels)}, self.params(tile=tile, options=options)).plates["plate"].take("RGB")
        )

    def enlarges(self, pixels: FloatImage, scale: Fraction) -> FloatImage:
        """RGB that an upscale pack makes of RGB at any scale."""
        return self.run({"plate": rgb_plate(pixels)}, UpscaleParams(scale=scale)).plates["plate"].take("RGB")

    def moves(
        self, a: FloatImage, b: FloatImage, *, options: Mapping[str, OptionValue] | None = None
    ) -> tuple[FloatImage, FloatImage]:
        """Forward and backward vectors ``(h, w, 2)``, pixels, v up, of a motion pack."""
        params = MotionParams(options=dict(options or {}))
        plates = self.run({"a": rgb_plate(a, frame=1), "b": rgb_plate(b, frame=2)}, params).plates
        return plates["a"].take(("forward.u", "forward.v")), plates["b"].take(("backward.u", "backward.v"))

    def between(
        self,
        a: FloatImage,
        b: FloatImage,
        time: Fraction,
        *,
        shift: tuple[float, float] = (0.0, 0.0),
        options: Mapping[str, OptionValue] | None = None,
    ) -> FloatImage:
        """RGB that an interpolation pack makes at ``time`` from given, constant vectors (u, v up)."""
        params = InterpolateParams(outputs=((time,),), options=dict(options or {}))
        plates = {"a": rgb_plate(a, frame=1), "b": rgb_plate(b, frame=2)}
        for name, direction, sign in (("vectors_a", "forward", 1.0), ("vectors_b", "backward", -1.0)):
            field = np.broadcast_to(np.float32(sign) * np.asarray(shift, np.float32), (*a.shape[:2], 2))
            channels = (f"{direction}.u", f"{direction}.v")
            plates[name] = blank_plate(np.ascontiguousarray(field), channels, colorspace="Raw", frame=1)
        return self.run(plates, params).plates["0"].take("RGB")

    def result(
        self, a: FloatImage, b: FloatImage, options: Mapping[str, OptionValue] | None = None
    ) -> tuple[FloatImage, ...]:
        """Whatever the pack's role makes of one or two pictures, as arrays to compare."""
        if self.pack.role is Role.MOTION:
            return self.moves(a, b, options=options)
        if self.pack.role is Role.INTERPOLATE:
            return (self.between(a, b, Fraction(1, 2), shift=(1.5, -0.5), options=options),)
        return (self.alters(a, options=options),)

    def params(self, *, tile: int = 0, options: Mapping[str, OptionValue] | None = None) -> RoleParams:
        """Parameters for an upscale or relight pack."""
        given = dict(options or {})
        if self.pack.role is Role.UPSCALE:
            return UpscaleParams(scale=self.scale, tile=tile, options=given)
        return RelightParams(lights=_LIGHTS, present=_PRESENT, tile=tile, options=given)

    def tensor_names(self) -> tuple[str, ...]:
        """The tensors that the model itself returns, asked without a role in between."""
        ((given, call),) = self._calls(1)
        model = load_model(self.pack).model
        try:
            return tuple(model.run(given, call))
        finally:
            model.close()

    def batched(self, count: int) -> tuple[list[Tensors], list[Tensors]]:
        """What the model itself returns for pictures one by one, and for the same pictures in one call.

        Args:
            count: How many.
        """
        pictures, calls = zip(*self._calls(count), strict=True)
        model = load_model(self.pack).model
        try:
            alone = [model.run(*each) for each in zip(pictures, calls, strict=True)]
            assert isinstance(model, BatchModel)
            return alone, list(model.run_batch(pictures, calls))
        finally:
            model.close()

    def _calls(self, count: int) -> list[tuple[Tensors, Call]]:
        """Calls of one size: a flat gray, and then noise around it."""
        side = max(64, self.contract.minimum_size)
        side = -(-side // self.contract.multiple_of) * self.contract.multiple_of
        low, high = self.contract.domain or (0.0, 1.0)
        shape = (side, side, self.contract.channels or 3)
        still = np.zeros((side, side, 2), np.float32)
        # A margin of a radius, as a tile has.
        margin = min(max(self.contract.radius, 0) + 1, side // 2 - 1)
        size = int((side - 2 * margin) * self.scale)
        region = Region(-margin, -margin, 0, 0, size, size) if self.pack.role is Role.UPSCALE else None
        call = Call(scale=self.scale, region=region, time=0.5, options=settle_options(self.pack.manifest, {}))
        noise = np.random.default_rng(7)
        calls = []
        for number in range(count):
            spread = 0.0 if number == 0 else 0.5
            image = ((low + high) / 2 + (high - low) * spread * noise.uniform(-1, 1, shape)).astype(np.float32)
            given = {"image": image, "a": image, "b": image, "forward": still, "backward": still}
            calls.append(({name: given[name] for name in input_names(self.pack.role)}, call))
        return calls

    def run(self, plates: Mapping[str, Plate], params: RoleParams) -> RoleResult:
        """One request, pinned to the bytes under test."""
        return self.engine.run(RoleRequest(pack=self.pack.pin, params=params, plates=plates, request_id="conformance"))


def rgb_plate(pixels: FloatImage, *, frame: int | None = None) -> Plate:
    """A float plate of RGB in ACEScg."""
    return blank_plate(pixels.copy(), ("R", "G", "B"), colorspace=COLORSPACE, frame=frame)


def flat(height: int, width: int, color: Sequence[float] = (DARK, DARK, DARK)) -> FloatImage:
    """One color everywhere, float32 ``(height, width, 3)``."""
    return np.ascontiguousarray(np.broadcast_to(np.asarray(color, np.float32), (height, width, 3)))


def texture(height: int, width: int, *, seed: int = 7, right: int = 0, down: int = 0) -> FloatImage:
    """Smooth random detail between about 0.02 and 2, moved by whole pixels; float32 ``(height, width, 3)``.

    Args:
        height: Rows.
        width: Columns.
        seed: Which pattern.
        right: Pixels that the pattern has moved right.
        down: Pixels that it has moved down.
    """
    margin = 32
    noise = np.random.default_rng(seed).standard_normal((height + 2 * margin, width + 2 * margin, 3))
    for axis in (0, 1):  # a binomial filter run three times leaves detail of a few pixels
        for _ in range(3):
            noise = 0.25 * np.roll(noise, 1, axis) + 0.5 * noise + 0.25 * np.roll(noise, -1, axis)
    noise /= noise.std()
    picture = 0.2 * np.exp2(np.clip(noise, -3, 3))
    part = picture[margin - down : margin - down + height, margin - right : margin - right + width]
    return np.ascontiguousarray(part, np.float32)


def wide_range(height: int, width: int) -> FloatImage:
    """Texture with highlights to 1000, negatives to -0.5 and a saturated patch: what nothing may clamp."""
    picture = texture(height, width, seed=11)
    picture[height // 4, width // 4] = HIGHLIGHT
    picture[height // 2 : height // 2 + 3, width // 3 : width // 3 + 3] = (40.0, 300.0, 5.0)
    picture[height // 3 : height // 3 + 2, 2 * width // 3] = (-0.5, 0.3, -0.01)
    return picture
