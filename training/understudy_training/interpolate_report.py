# SPDX-License-Identifier: Apache-2.0
"""What the card of an interpolation pack shows: what its confidence is worth, and pictures before and after."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from understudy_training.calibration import calibration_figures, fit_table, reliability, sparsification
from understudy_training.charts import reliability_chart, sparsification_chart
from understudy_training.contact_sheet import tiled
from understudy_training.png import png_bytes
from understudy_training.task import Extras

_SAMPLES = 400_000
_CROP = 80


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of some scenes, a value for each pixel.

    Attributes:
        score: The network's own, 0-1.
        error: Mean error of the three code values.
        difference: How far both frames differ along the given course: the classical sign of an error.
        rows: For some scenes: the true picture, the error before and the error after, each ``(3, h, w)`` in 0-1.
    """

    score: Tensor
    error: Tensor
    difference: Tensor
    rows: tuple[tuple[Tensor, Tensor, Tensor], ...] = ()


def report(fit: Outcome, held_out: Outcome, good: float) -> Extras:
    """The calibration table, its figures, curves and pictures.

    Args:
        fit: Scenes that the table is fitted on.
        held_out: Scenes that it is judged on.
        good: Error under which a pixel counts as right.
    """
    table = fit_table(_numbers(fit.score), _numbers(fit.error) < good)
    confidence, error = table(_numbers(held_out.score)), _numbers(held_out.error)
    figures = calibration_figures(confidence, error, (good, 2 * good))
    difference = -_numbers(held_out.difference)
    figures |= {f"difference_{name}": value for name, value in calibration_figures(
        fit_table(-_numbers(fit.difference), _numbers(fit.error) < good)(difference), error, (good, 2 * good)
    ).items()}  # fmt: skip
    curves = {"confidence": sparsification(confidence, error), "difference": sparsification(difference, error)}
    files = {
        "calibration.json": (json.dumps(table.as_json()) + "\n").encode(),
        "sparsification.svg": sparsification_chart("Error left when doubtful pixels are dropped", curves).encode(),
        "reliability.svg": reliability_chart(
            "What a confidence holds", {"confidence": reliability(confidence, error < good)}
        ).encode(),
    }
    card = "![Sparsification](sparsification.svg)\n\n![Reliability](reliability.svg)"
    if held_out.rows:
        files["before-after.png"] = _png([part for row in held_out.rows for part in row])
        card = (
            "Held-out scenes: the true picture, eight times the error of flow projection, and that of this pack.\n\n"
            "![Before and after](before-after.png)\n\n" + card
        )
    return Extras(card, files, figures)


def _numbers(values: Tensor) -> NDArray[np.float64]:
    flat = values.flatten().double().numpy()
    return flat[:: max(1, flat.size // _SAMPLES)]


def _png(pictures: list[Tensor]) -> bytes:
    """The middle of each, in 32 steps a channel, so that a card stays light."""
    top, left = ((side - _CROP) // 2 if side > _CROP else 0 for side in pictures[0].shape[1:])
    small = [(picture[:, top : top + _CROP, left : left + _CROP].clamp(0, 1) * 31).round() / 31 for picture in pictures]
    return png_bytes(tiled(small, 3).numpy())
