# SPDX-License-Identifier: Apache-2.0
"""What the card of an intrinsics pack shows: pictures of held-out scenes, and whether confidence holds its promise."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from understudy_training.calibration import calibration_figures, reliability, sparsification
from understudy_training.charts import reliability_chart, sparsification_chart
from understudy_training.contact_sheet import tiled
from understudy_training.networks.intrinsics import Intrinsics
from understudy_training.networks.intrinsics_whole import SURE_DEGREES
from understudy_training.png import png_bytes
from understudy_training.task import Extras

_COLUMNS, _SIDE = 5, 72
_STEP = 8

Row = tuple[dict[str, Tensor], Intrinsics, Tensor]
"""A batch, what the network says of it, and its confidence ``(n, 1, h, w)``."""


def make_extras(rows: Sequence[Row]) -> Extras:
    """Pictures, curves and figures.

    Args:
        rows: Batches that neither trained nor calibrated the network.
    """
    sure, angle = [], []
    for batch, said, confidence in rows:
        mask = batch["mask"].bool()
        cosine = (said.normal * batch["normal"]).sum(dim=1, keepdim=True)[mask].clamp(-1, 1)
        angle.append(cosine.acos().rad2deg())
        sure.append(confidence[mask])
    promised, error = torch.cat(sure)[::5].numpy(), torch.cat(angle)[::5].numpy()
    name = "confidence"
    sparse = sparsification_chart("Angle that remains", {name: sparsification(promised, error)})
    reliable = reliability_chart("Promised and held", {name: reliability(promised, error <= SURE_DEGREES)})
    files = {
        "pictures.png": png_bytes(_pictures(*rows[0]).numpy()),
        "sparsification.svg": sparse.encode(),
        "reliability.svg": reliable.encode(),
    }
    flat = torch.cat([batch["normal"][:, 2:][batch["mask"].bool()] for batch, _, _ in rows]).clamp(-1, 1)
    figures = {"mean_angle_of_pack": float(error.mean()), "flat_angle_of_pack": float(flat.acos().rad2deg().mean())}
    figures |= calibration_figures(promised, error, (SURE_DEGREES, 11.25))
    return Extras(_CARD, files, figures)


def _pictures(batch: dict[str, Tensor], said: Intrinsics, confidence: Tensor) -> Tensor:
    seen, mask = batch["seen"][:_COLUMNS], batch["mask"][:_COLUMNS]
    # Back from the network's stops to light.
    light = (2 ** (seen[:, :3] * 3) - 1 / 64).clamp_min(0)
    albedo = light * torch.exp(-said.shading[:_COLUMNS])
    shown = [
        _display(light),
        batch["normal"][:_COLUMNS] * 0.5 + 0.5,
        said.normal[:_COLUMNS] * 0.5 + 0.5,
        confidence[:_COLUMNS].expand(-1, 3, -1, -1),
        _display(albedo),
    ]
    rows = []
    for number, part in enumerate(shown):
        part = part * mask if 0 < number < 4 else part
        rows += list(functional.interpolate(part, size=(_SIDE, _SIDE), mode="area"))
    # Few levels, so that the file is small.
    return (tiled(rows, _COLUMNS) // _STEP) * _STEP


def _display(linear: Tensor) -> Tensor:
    level = linear.mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
    return (linear / level * 0.3).clamp(0, 1) ** (1 / 2.2)


_CARD = """![Held-out scenes](pictures.png)

Held-out scenes of our own generator. From the top: what is seen, true normals, estimated normals, confidence,
estimated albedo.

![Angle that remains when the least confident pixels are dropped](sparsification.svg)

![What confidence promises and holds](reliability.svg)
"""
