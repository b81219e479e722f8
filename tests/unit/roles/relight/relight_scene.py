# SPDX-License-Identifier: Apache-2.0
"""A small ball with all its AOVs, and an engine to relight it with."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from understudy.contracts.engine import Control
from understudy.contracts.jobs import PackPin, RelightParams, RoleRequest, RoleResult
from understudy.contracts.lights import LightRig
from understudy.contracts.plate import Plate, Window
from understudy.roles.engine import LocalEngine

SUN = {"type": "directional", "direction": (-0.5, 0.7, 0.6), "color": (1.0, 0.9, 0.7), "intensity": 4.0}
FILL = {"type": "point", "position": (2.0, 0.5, -2.0), "color": (0.3, 0.5, 1.0), "intensity": 6.0}
SKY = {"type": "ambient", "color": (0.2, 0.25, 0.3)}


@lru_cache(maxsize=1)
def engine() -> LocalEngine:
    return LocalEngine(device="cpu")


def relight(
    plates: Mapping[str, Plate], *lights: dict[str, Any], pack: str = "shape-from-shading", **params: Any
) -> RoleResult:
    """Runs the role on shipped packs, as the engine does."""
    control = params.pop("control", Control())
    params.setdefault("lights", LightRig.model_validate({"lights": lights}))
    request = RoleRequest(pack=PackPin(id=pack), params=RelightParams(**params), plates=plates)
    return engine().run(request, control)


def plate(pixels: Any, channels: str, **fields: Any) -> Plate:
    """A plate from ``(h, w, n)`` pixels and channel names parted by spaces."""
    pixels = np.ascontiguousarray(pixels, np.float32)
    window = Window(0, 0, pixels.shape[1], pixels.shape[0])
    names = tuple(channels.split())
    known: dict[str, Any] = {"data_window": window, "display_window": window, "colorspace": "ACEScg"}
    known["sample_types"] = ("half",) * len(names)
    return Plate(pixels=pixels, channels=names, **(known | fields))


def ball(width: int = 48, height: int = 40) -> dict[str, Plate]:
    """plate RGBA + an ID, albedo, normal, position, depth, roughness, metallic of a ball at distance 4."""
    y, x = np.mgrid[0:height, 0:width]
    x, y = (x + 0.5 - width / 2) / (0.45 * height), (height / 2 - y - 0.5) / (0.45 * height)
    inside = x * x + y * y < 1
    z = np.sqrt(np.maximum(0, 1 - x * x - y * y))
    mask = inside[..., None].astype(np.float32)
    normal = np.stack([x, y, z], axis=-1) * mask
    position = (normal + np.array([0, 0, -4])) * mask
    rng = np.random.default_rng(7)
    beauty = np.concatenate([rng.normal(0.4, 0.5, (height, width, 3)) * mask, mask, x[..., None]], axis=-1)
    albedo = np.array([0.7, 0.4, 0.2]) * mask
    half = "half"
    return {
        "plate": plate(beauty, "R G B A id", sample_types=(half, half, half, half, "float"), frame=1001),
        "albedo": plate(albedo, "R G B"),
        "normal": plate(normal, "X Y Z", colorspace="Raw"),
        "position": plate(position, "X Y Z", colorspace="Raw"),
        "roughness": plate(0.3 + 0.2 * x[..., None] * mask, "Y", colorspace="Raw"),
        "metallic": plate(mask * (y > 0)[..., None], "Y", colorspace="Raw"),
    }
