# SPDX-License-Identifier: Apache-2.0
"""Relighting from AOVs: the surfaces are known, so the new light is computed and the old picture is not looked at."""

from typing import Any

import numpy as np

from understudy.contracts.engine import Control
from understudy.roles.relight.aovs import Aovs
from understudy.roles.relight.bands import each_band
from understudy.roles.relight.fit import FittedLight
from understudy.roles.relight.lights import Lighting
from understudy.roles.relight.passes import Canvas
from understudy.roles.relight.shading import Surface, dot

PASSES = ("normal", "albedo", "diffuse", "specular", "confidence")


def shade(
    aovs: Aovs, light: Lighting | FittedLight, canvas: Canvas, control: Control
) -> tuple[float | None, dict[str, Any]]:
    """Shades every pixel into the canvas. Where there is no normal or no alpha, the result is black.

    Args:
        aovs: With an albedo and a normal.
        light: The new light.
        canvas: Gets color and passes.
        control: Progress and cancel per band.

    Returns:
        Mean confidence over covered pixels (None if there are none), and facts for the report.
    """

    def band(top: int, bottom: int) -> tuple[int, float]:
        rows = aovs.rows(top, bottom)
        assert rows.normal is not None
        assert rows.albedo is not None
        surface = Surface(rows.normal, rows.view, rows.roughness, rows.metallic)
        light.shine(surface, rows.position)
        diffuse, specular = surface.outgoing(rows.albedo, rows.cover)
        known = (dot(rows.normal, rows.normal) > 0) & (rows.cover > 0)
        confidence = np.where(known, rows.confidence, np.float32(0))
        diffuse, specular = np.where(known, diffuse, 0), np.where(known, specular, 0)
        layers = {
            "normal": np.stack(rows.normal),
            "albedo": np.stack(rows.albedo),
            "diffuse": diffuse,
            "specular": specular,
            "confidence": confidence,
        }
        color = diffuse + specular
        # A plate of luminance alone gets the mean of what red, green and blue would be.
        color = color if len(canvas.color) == 3 else color.mean(axis=0, keepdims=True)
        canvas.write(top, bottom, color, layers)
        return int(known.sum()), float(confidence.sum(dtype=np.float64))

    parts = each_band(aovs.plate.data_window, band, control)
    covered = sum(count for count, _ in parts)
    share = covered / (aovs.plate.width * aovs.plate.height)
    mean = sum(total for _, total in parts) / covered if covered else None
    return mean, {"lit_share": round(share, 6)}
