# SPDX-License-Identifier: Apache-2.0
"""Confidence of motion from what a network says of its own error: a table of chances, and what it is worth."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from understudy_training.calibration import calibration_figures, fit_table, reliability, sparsification
from understudy_training.charts import reliability_chart, sparsification_chart
from understudy_training.task import Extras

GOOD = 1.0
"""Pixels up to which a vector counts as right; confidence is the chance of it."""

THRESHOLDS = (1.0, 3.0)
SPREADS = (1.5, 4.0, 10.0, 20.0)
"""Spreads of shifts, pixels, of the scenes that tables are fitted on and confidence is judged on."""

_EVERY = 7  # pixels from one sample to the next: neighbors say the same
_RIMS = (-6.0, 8.0)


@dataclass(frozen=True, slots=True)
class Judged:
    """Samples of many scenes, flat.

    Attributes:
        doubt: Logarithm of the error that the network expects.
        error: The true error, pixels.
    """

    doubt: NDArray[np.float64]
    error: NDArray[np.float64]


def judged(doubt: Tensor, error: Tensor) -> Judged:
    """Every seventh pixel of ``(n, 1, h, w)`` doubts and errors."""
    flat = [each.detach().float().cpu().flatten()[::_EVERY].double().numpy() for each in (doubt, error)]
    return Judged(flat[0], flat[1])


def joined(parts: list[Judged]) -> Judged:
    """All samples of several."""
    return Judged(np.concatenate([part.doubt for part in parts]), np.concatenate([part.error for part in parts]))


def table_of(samples: Judged) -> Tensor:
    """The table of a graph, ``(2, k)``: rising doubts, and the chance that a vector is right at each."""
    fitted = fit_table(-samples.doubt, samples.error <= GOOD, knots=24)
    doubts, chances = -np.array(fitted.scores)[::-1], np.array(fitted.chances)[::-1]
    # Ends beyond all that was met, so that a table never ends on a step.
    doubts = np.concatenate([[min(_RIMS[0], doubts[0] - 1)], doubts, [max(_RIMS[1], doubts[-1] + 1)]])
    chances = np.concatenate([[chances[0]], chances, [chances[-1]]])
    return torch.tensor(np.stack([doubts, chances]), dtype=torch.float32)


def chances(table: Tensor, samples: Judged) -> NDArray[np.float64]:
    """The confidence of samples by a table."""
    return np.interp(samples.doubt, table[0].double().numpy(), table[1].double().numpy())


def extras_of(table: Tensor, samples: Judged, title: str, prefix: str = "") -> Extras:
    """Curves and figures for a card, from scenes that the table was not fitted on."""
    confidence = chances(table, samples)
    figures = calibration_figures(confidence, samples.error, THRESHOLDS)
    figures["mean_error_without_least_confident_fifth"] = _without(confidence, samples.error, 0.2)
    curves = sparsification(confidence, samples.error)
    held = reliability(confidence, samples.error <= GOOD)
    files = {
        f"{prefix}sparsification.svg": sparsification_chart(f"{title}: error left", {"confidence": curves}).encode(),
        f"{prefix}reliability.svg": reliability_chart(f"{title}: promised and held", {"confidence": held}).encode(),
    }
    card = (
        "\nConfidence is the chance that a vector is within a pixel of the truth, by a table fitted on its own scenes;"
        "\nthe curves are of other scenes.\n\n"
        f"![Error left as the least confident are dropped]({prefix}sparsification.svg)\n"
        f"![Chance promised and held]({prefix}reliability.svg)\n"
    )
    return Extras(card, files, {name: value for name, value in figures.items() if math.isfinite(value)})


def _without(confidence: NDArray[np.float64], error: NDArray[np.float64], share: float) -> float:
    kept = np.argsort(confidence, kind="stable")[int(share * len(confidence)) :]
    return float(error[kept].mean())
