# SPDX-License-Identifier: Apache-2.0
"""The relight role: which way to relight, with what light, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from understudy.contracts.engine import Control
from understudy.contracts.errors import PackError, PlateError, UsageError
from understudy.contracts.jobs import RelightParams, RoleRequest, RoleResult
from understudy.contracts.lights import EnvironmentLight, LightRig
from understudy.contracts.manifest import Role
from understudy.contracts.model import Call
from understudy.contracts.plate import FloatImage, Plate
from understudy.roles.encoded import EncodedModel, run_same_size
from understudy.roles.relight.aovs import Aovs, color_group, in_space, main_plate, rgb_of
from understudy.roles.relight.fit import FittedLight
from understudy.roles.relight.lights import Lighting
from understudy.roles.relight.passes import Canvas
from understudy.roles.relight.ratio import PASSES as RATIO_PASSES
from understudy.roles.relight.ratio import Light, estimate_light, multiply
from understudy.roles.relight.shade import PASSES as AOV_PASSES
from understudy.roles.relight.shade import shade
from understudy.roles.tools import PackedModel, RoleTools


def run(request: RoleRequest, tools: RoleTools, control: Control) -> RoleResult:
    """New light on a plate.

    With ``aov`` the surfaces are shaded under the new lights. With ``ratio`` the plate is multiplied by new light over
    present light; without new lights, or with those it has, the plate comes back bit for bit. A pack that returns a
    picture (and no normals) is taken at its word. A plate ``reference`` gives the light of another picture; a plate
    ``present`` gives the light that is fitted as the present one (one frame's light for a whole shot).

    Raises:
        UsageError: Parameters contradict each other.
        PlateError: An AOV that the method needs is missing or does not fit.
        PackError: The pack fails, or estimates nothing that the method can use.
    """
    params = request.params
    if not isinstance(params, RelightParams):
        raise UsageError(f"the relight role got parameters of {params.role.value}")
    model = tools.load(request.pack, Role.RELIGHT)
    encoded = _encoded(model, tools, main_plate(request.plates), params)
    aovs = Aovs(request.plates, params, tools.color)
    if params.lights.lights and "reference" in request.plates:
        raise UsageError("both lights and a reference were given", where="lights", fix="give one of them")
    changes = bool(params.lights.lights) or "reference" in request.plates
    if params.method != "aov" and _returns_picture(model, params):
        return _picture(request, params, model, tools, control)
    method = params.method
    if method == "auto":
        method = "aov" if changes and aovs.has("albedo", "normal") else "ratio"
    job = _Job(request, params, model, encoded, tools, aovs, control)
    return job.shaded() if method == "aov" else job.multiplied()


@dataclass(frozen=True, slots=True)
class _Job:
    request: RoleRequest
    params: RelightParams
    model: PackedModel
    encoded: EncodedModel
    tools: RoleTools
    aovs: Aovs
    control: Control

    def shaded(self) -> RoleResult:
        missing = [name for name in ("albedo", "normal") if not self.aovs.has(name)]
        if missing:
            raise PlateError(
                f"method aov needs {' and '.join(missing)}; the plate has {', '.join(self.aovs.plate.channels)}",
                where=self.aovs.plate.label,
                fix="give it as a plate or a layer of that name, or use method ratio",
            )
        _check_passes(self.params.passes, AOV_PASSES, "aov")
        light = self._new()
        if light is None:
            raise UsageError(
                "method aov needs new light and there is none", where="lights", fix="give lights or a reference"
            )
        self._check_position(light)
        canvas = Canvas(self.aovs, self.params.passes)
        confidence, facts = shade(self.aovs, light, canvas, self.control)
        return self._result("aov", canvas, confidence, {**facts, "light": _facts(light)})

    def multiplied(self) -> RoleResult:
        if not self.aovs.has("normal"):
            _estimate(self.aovs, self.encoded, self.control, self.params.tile)
        passes = RATIO_PASSES if self.aovs.has("albedo") else tuple(name for name in RATIO_PASSES if name != "albedo")
        _check_passes(self.params.passes, passes, "ratio")
        present = self._present()
        self._check_position(present)
        new = self._new() or present
        self._check_position(new)
        canvas = Canvas(self.aovs, self.params.passes)
        confidence, facts = multiply(self.aovs, present, new, self.params.limit_stops, canvas, self.control)
        facts |= {"present_light": _facts(present), "light": "present" if new is present else _facts(new)}
        return self._result("ratio", canvas, confidence, facts)

    def _new(self) -> Light | None:
        if "reference" in self.request.plates:
            return self._fitted(self.request.plates["reference"])
        rig = self.params.lights
        return Lighting(rig, self._pictures(rig)) if rig.lights else None

    def _present(self) -> Light:
        rig = self.params.present
        if rig is not None:
            return Lighting(rig, self._pictures(rig))
        if "present" in self.request.plates:
            return self._fitted(self.request.plates["present"])
        return estimate_light(self.aovs)

    def _fitted(self, plate: Plate) -> FittedLight:
        """The light of another picture, by its own normals."""
        aovs = Aovs({"plate": plate}, self.params, self.tools.color)
        if not aovs.has("normal"):
            encoded = _encoded(self.model, self.tools, plate, self.params)
            _estimate(aovs, encoded, self.control, self.params.tile)
        fitted = estimate_light(aovs)
        # The harmonics are linear in light, so their coefficients convert as colors do.
        rows = np.ascontiguousarray(fitted.coefficients[None])
        rows = in_space(rows, self.tools.color, plate.colorspace, self.aovs.plate.colorspace)
        return replace(fitted, coefficients=rows[0])

    def _pictures(self, rig: LightRig) -> Mapping[str, FloatImage]:
        pictures = {}
        for number, light in enumerate(rig.lights):
            if isinstance(light, EnvironmentLight):
                where, name = f"lights[{number}].file", f"environment:{light.file}"
                if name not in self.request.plates:
                    raise PlateError(f"no plate {name!r} came along", where=where, fix="send the picture so named")
                plate = self.request.plates[name]
                if plate.width != 2 * plate.height:
                    raise PlateError(
                        f"a latitude-longitude picture is twice as wide as high, this is {plate.width}x{plate.height}",
                        where=where,
                        fix="unwrap the environment to latitude-longitude first",
                    )
                pictures[light.file] = rgb_of(plate, self.tools.color, self.aovs.plate.colorspace)
        return pictures

    def _check_position(self, light: Light) -> None:
        if light.needs_position and not self.aovs.has_position:
            raise PlateError(
                "point, spot and area lights need to know where the surfaces are, and there is no position or depth",
                where=self.aovs.plate.label,
                fix="give a position or a depth AOV, or use directional and environment lights",
            )

    def _result(self, method: str, canvas: Canvas, confidence: float | None, facts: dict[str, Any]) -> RoleResult:
        sources = {name: source.label for name, source in self.aovs.sources.items()}
        report = {"method": method, "device": self.model.device, "aovs": sources, **facts}
        return RoleResult(plates={"plate": canvas.relit()}, pack=self.model.pin, confidence=confidence, report=report)


def _encoded(model: PackedModel, tools: RoleTools, plate: Plate, params: RelightParams) -> EncodedModel:
    return EncodedModel(model, tools.color, plate.colorspace, options=params.options, draft=params.draft)


def _estimate(aovs: Aovs, encoded: EncodedModel, control: Control, tile: int) -> None:
    """Normals, and what else the pack tells, of a plate that brings none."""
    plate = aovs.plate
    rgb = plate.take(aovs.group.names if len(aovs.group.names) == 3 else aovs.group.names * 3)
    # The bands report progress; a pack's few tiles before them would only make it run backward.
    quiet = Control(cancelled=control.cancelled)
    tensors = run_same_size(encoded, rgb, plate.data_window, quiet, tile=tile)
    for name, count in (("normal", 3), ("albedo", 3), ("confidence", 1)):
        if name in tensors and tensors[name].shape[2] != count:
            raise PackError(
                f"tensor {name!r} has {tensors[name].shape[2]} channels, wanted {count}", where=str(encoded.model.pin)
            )
    if "normal" not in tensors:
        raise PackError(
            f"the pack returns {', '.join(tensors)} and no normals, which method ratio needs",
            where=str(encoded.model.pin),
            fix="give a normal AOV, or use method auto",
        )
    aovs.add(tensors)


def _returns_picture(model: PackedModel, params: RelightParams) -> bool:
    """Whether the pack relights by itself: asked with a small gray picture."""
    contract = model.manifest.contract
    side = -(-max(32, contract.minimum_size) // contract.multiple_of) * contract.multiple_of
    low, high = contract.domain or (0.0, 1.0)
    gray = np.full((side, side, 3), (low + high) / 2, np.float32)
    return "image" in model.run({"image": gray}, Call(draft=params.draft, options=model.settle(params.options)))


def _picture(
    request: RoleRequest, params: RelightParams, model: PackedModel, tools: RoleTools, control: Control
) -> RoleResult:
    if params.method == "ratio" or params.passes:
        asked = "method ratio" if params.method == "ratio" else f"passes {', '.join(params.passes)}"
        raise UsageError(
            f"{model.pin} returns a relit picture and nothing else, and {asked} was asked for",
            fix="choose a pack that estimates normals",
        )
    plate = main_plate(request.plates)
    names = color_group(plate, params.kinds).names
    encoded = _encoded(model, tools, plate, params)
    image = run_same_size(encoded, plate.take(names), plate.data_window, control, tile=params.tile)["image"]
    pixels = plate.pixels.copy()
    pixels[..., [plate.index(name) for name in names]] = image
    report = {"method": "picture", "device": model.device}
    return RoleResult(plates={"plate": plate.with_pixels(pixels)}, pack=model.pin, report=report)


def _check_passes(asked: tuple[str, ...], offered: tuple[str, ...], method: str) -> None:
    wrong = [name for name in asked if name not in offered]
    if wrong:
        raise UsageError(
            f"there is no {' or '.join(wrong)} pass here",
            where="passes",
            fix=f"method {method} has {', '.join(offered)}",
        )


def _facts(light: Light) -> dict[str, Any]:
    if isinstance(light, FittedLight):
        return light.facts()
    kinds = [each.type for each in light.rig.lights]
    return {"kind": "given", "lights": {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}}
