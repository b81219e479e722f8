# SPDX-License-Identifier: Apache-2.0
"""Relighting a plate: its pixels times new light over present light, so that its detail, grain and range survive."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from understudy.contracts.engine import Control
from understudy.contracts.plate import FloatImage
from understudy.roles.relight.aovs import Aovs, Rows, as_slice
from understudy.roles.relight.bands import each_band
from understudy.roles.relight.fit import FittedLight, fit_light
from understudy.roles.relight.lights import Lighting
from understudy.roles.relight.passes import Canvas
from understudy.roles.relight.shading import Planes, dot

PASSES = ("ratio", "normal", "albedo", "confidence")

_SAMPLES = 100_000
_DARKEST, _BRIGHTEST = 0.002, 4.0
_FLOOR = 0.02
"""The constant in the ratio, as a share of the mean present light: it keeps shadows from exploding."""

_LARGEST = np.finfo(np.float32).max

Light = Lighting | FittedLight


@dataclass(frozen=True, slots=True)
class Samples:
    """Pixels on a regular grid, about a hundred thousand."""

    rgb: FloatImage
    normal: Planes
    position: Planes | None
    albedo: FloatImage | None
    weight: FloatImage


def sample(aovs: Aovs) -> Samples:
    """A grid of a plate's pixels with its normals and, where known, albedo and position."""
    plate = aovs.plate
    step = max(1, int(np.ceil(np.sqrt(plate.width * plate.height / _SAMPLES))))
    columns = range(min(step // 2, plate.width - 1), plate.width, step)
    lines = range(min(step // 2, plate.height - 1), plate.height, step)
    rows = aovs.grid(lines, columns)
    assert rows.normal is not None
    rgb = _color(aovs, lines, columns)
    rgb = rgb if len(rgb) == 3 else np.repeat(rgb, 3, axis=0)
    albedo = None if rows.albedo is None else np.stack(rows.albedo)
    cover = rows.cover
    weight = np.broadcast_to(rows.confidence, cover.shape)
    # Half-covered pixels show two surfaces; their color is not that of one under light.
    weight = np.where(cover > 0.5, np.maximum(weight, 0), np.float32(0))
    if albedo is None and plate.premultiplied:
        rgb = np.divide(rgb, cover, out=np.zeros_like(rgb), where=cover > 0)
    elif albedo is not None:
        # Beyond these it is no surface that reflects: a lamp, a highlight, a hole.
        plausible = (albedo.min(axis=0) > _DARKEST) & (albedo.max(axis=0) < _BRIGHTEST)
        weight = np.where(plausible, weight, np.float32(0))
    return Samples(rgb, rows.normal, rows.position, albedo, weight)


def estimate_light(aovs: Aovs) -> FittedLight:
    """The light in a plate, from its pixels, its normals and its albedo (0.18 where that is not known)."""
    seen = sample(aovs)
    return fit_light(seen.rgb, seen.normal, seen.albedo, seen.weight)


def multiply(
    aovs: Aovs, present: Light, new: Light, limit_stops: float, canvas: Canvas, control: Control
) -> tuple[float | None, dict[str, Any]]:
    """Multiplies the plate by ``(new + e) / (present + e)``, within the limit and where normals are trusted.

    Args:
        aovs: With normals.
        present: The light in the plate.
        new: The light to be; the same object as ``present`` for no change.
        limit_stops: The ratio stays within two to plus and minus this.
        canvas: Gets color and passes.
        control: Progress and cancel per band.

    Returns:
        Mean confidence over covered pixels (None if there are none), and facts for the report.
    """
    floor = _floor(aovs, present)
    limit = np.float32(2.0**limit_stops)

    def band(top: int, bottom: int) -> tuple[int, float, int, float, float]:
        rows = aovs.rows(top, bottom)
        assert rows.normal is not None
        before = _light(present, rows)
        after = before if new is present else _light(new, rows)
        ratio = (after + floor) / (before + floor)
        covered = rows.cover > 0
        known = (dot(rows.normal, rows.normal) > 0) & covered
        trust = np.where(known, np.clip(rows.confidence, 0, 1), np.float32(0))
        limited = known & ((ratio < 1 / limit) | (ratio > limit)).any(axis=0)
        ratio = _trusted(np.clip(ratio, 1 / limit, limit, out=ratio), trust)
        color = _color(aovs, range(top, bottom), range(aovs.plate.width))
        with np.errstate(over="ignore"):
            scaled = color * (ratio if len(color) == 3 else ratio.mean(axis=0, keepdims=True))
            relit = np.clip(scaled, -_LARGEST, _LARGEST)
        layers: dict[str, FloatImage | Planes] = {"ratio": ratio, "normal": rows.normal, "confidence": trust}
        if rows.albedo is not None:
            layers["albedo"] = rows.albedo
        canvas.write(top, bottom, relit, layers)
        total = float(trust.sum(dtype=np.float64))
        return int(covered.sum()), total, int(limited.sum()), float(ratio.min()), float(ratio.max())

    parts = each_band(aovs.plate.data_window, band, control)
    covered = sum(part[0] for part in parts)
    facts = {
        "limited_share": round(sum(part[2] for part in parts) / covered, 6) if covered else 0.0,
        "ratio_range": [min(part[3] for part in parts), max(part[4] for part in parts)],
    }
    return (sum(part[1] for part in parts) / covered if covered else None), facts


def _trusted(ratio: FloatImage, trust: FloatImage) -> FloatImage:
    """``ratio`` to the power of ``trust``, and exactly itself or 1 where that is 1 or 0."""
    if ((trust > 0) & (trust < 1)).any():
        power = np.exp2(np.log2(ratio) * trust)
        return np.where(trust == 1, ratio, power)
    return np.where(trust > 0, ratio, np.float32(1))


def _light(light: Light, rows: Rows) -> FloatImage:
    assert rows.normal is not None
    return np.maximum(light.matte(rows.normal, rows.position), 0)


def _floor(aovs: Aovs, present: Light) -> np.float32:
    seen = sample(aovs)
    level = np.maximum(present.matte(seen.normal, seen.position), 0).mean(axis=0)
    total = float(seen.weight.sum(dtype=np.float64))
    mean = float((level * seen.weight).sum(dtype=np.float64)) / total if total > 0 else 0.0
    return np.float32(max(_FLOOR * mean, 1e-6))


def _color(aovs: Aovs, lines: range, columns: range) -> FloatImage:
    names = aovs.group.names
    part = aovs.plate.pixels[as_slice(lines), as_slice(columns)]
    return np.stack([part[..., aovs.plate.index(name)].ravel() for name in names])
