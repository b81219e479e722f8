# SPDX-License-Identifier: Apache-2.0
"""Whether a confidence means something: how well it tells good from bad, and whether its numbers are true.

All arrays are flat or are flattened: one value for each pixel, error 0 or more, lower is better; confidence from 0 to
1, higher is better. numpy only, so that benchmarks can use it without torch.

Sources: J. Hanley, B. McNeil, The Meaning and Use of the Area under a ROC Curve, 1982 (AUROC); E. Ilg et al.,
Uncertainty Estimates and Multi-Hypotheses Networks for Optical Flow, ECCV 2018 (sparsification, AUSE); C. Guo et al.,
On Calibration of Modern Neural Networks, ICML 2017 (expected calibration error); M. Ayer et al., An Empirical
Distribution Function for Sampling with Incomplete Information, 1955 (isotonic regression by pooling neighbors).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """The chance that a positive scores higher than a negative; equal scores count half.

    Args:
        scores: Higher should mean positive.
        positive: True for positives.

    Returns:
        0.5 for a score that tells nothing, 1 for one that tells all; NaN without positives or without negatives.
    """
    values, truth = _flat(scores), np.asarray(positive, bool).ravel()
    positives = int(truth.sum())
    negatives = truth.size - positives
    if not positives or not negatives:
        return float("nan")
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[where]  # equal values share the mean of their ranks
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def error_auroc(confidence: ArrayLike, error: ArrayLike, threshold: float) -> float:
    """AUROC of "a low confidence predicts an error above a threshold" (in the unit of the error)."""
    return auroc(-_flat(confidence), _flat(error) > threshold)


@dataclass(frozen=True, slots=True)
class Sparsification:
    """What is left of the mean error when the least confident pixels are dropped.

    Attributes:
        dropped: Shares of pixels that are dropped, from 0 up.
        by_confidence: Mean error of the rest, as a share of the mean error of all.
        by_oracle: The same, dropping the pixels of the largest true error: nothing can be lower.
    """

    dropped: Floats
    by_confidence: Floats
    by_oracle: Floats

    @property
    def ause(self) -> float:
        """Area between the two curves (AUSE); 0 is the best."""
        gap = self.by_confidence - self.by_oracle
        return float(((gap[1:] + gap[:-1]) / 2 * np.diff(self.dropped)).sum())


def sparsification(confidence: ArrayLike, error: ArrayLike, points: int = 50) -> Sparsification:
    """The sparsification curve.

    Args:
        confidence: Higher is better.
        error: The true error; its unit cancels.
        points: Points of the curve, from 0 to just under 1.
    """
    errors = _flat(error)
    dropped = np.arange(points) / points
    by_confidence = _means_of_rest(errors[np.argsort(_flat(confidence), kind="stable")], dropped)
    by_oracle = _means_of_rest(np.sort(errors)[::-1], dropped)
    whole = by_oracle[0] or 1.0
    return Sparsification(dropped, by_confidence / whole, by_oracle / whole)


@dataclass(frozen=True, slots=True)
class Reliability:
    """What a confidence promises beside what it holds, in bins of equal width.

    Attributes:
        promised: Mean confidence of each bin that holds pixels.
        held: The share of them that is good.
        share: The share of all pixels that each bin holds.
    """

    promised: Floats
    held: Floats
    share: Floats

    @property
    def expected_error(self) -> float:
        """The expected calibration error: the mean distance of promised and held."""
        return float((np.abs(self.promised - self.held) * self.share).sum())


def reliability(confidence: ArrayLike, good: ArrayLike, bins: int = 15) -> Reliability:
    """Compares a confidence, read as the chance that a pixel is good, with how many are.

    Args:
        confidence: From 0 to 1.
        good: True where the error is at or under the threshold.
        bins: Bins of equal width.
    """
    values, truth = _flat(confidence), np.asarray(good, bool).ravel()
    places = np.clip((values * bins).astype(int), 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    filled = counts > 0
    promised = np.bincount(places, values, bins)[filled] / counts[filled]
    held = np.bincount(places, truth.astype(float), bins)[filled] / counts[filled]
    return Reliability(promised, held, counts[filled] / max(1, values.size))


def expected_calibration_error(confidence: ArrayLike, error: ArrayLike, threshold: float, bins: int = 15) -> float:
    """The expected calibration error of a confidence that promises "the error is at most the threshold"."""
    return reliability(confidence, _flat(error) <= threshold, bins).expected_error


@dataclass(frozen=True, slots=True)
class CalibrationTable:
    """A rising piecewise linear curve from a raw score to the chance that a pixel is good; a pack can ship it.

    Attributes:
        scores: Raw scores, rising.
        chances: What each means, from 0 to 1, never falling.
    """

    scores: tuple[float, ...]
    chances: tuple[float, ...]

    def __call__(self, scores: ArrayLike) -> NDArray[np.float32]:
        """The chances of raw scores, of the same shape; beyond the ends the ends' chances."""
        return np.interp(np.asarray(scores, np.float64), self.scores, self.chances).astype(np.float32)

    def as_json(self) -> dict[str, list[float]]:
        """The table as JSON types, five digits."""
        return {
            "scores": [float(f"{value:.5g}") for value in self.scores],
            "chances": [float(f"{value:.5g}") for value in self.chances],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Sequence[float]]) -> "CalibrationTable":
        """The table that ``as_json`` gave."""
        return cls(tuple(document["scores"]), tuple(document["chances"]))


def fit_table(scores: ArrayLike, good: ArrayLike, knots: int = 32) -> CalibrationTable:
    """Fits a table by isotonic regression on groups of equally many pixels.

    Args:
        scores: Raw scores, higher is better.
        good: True where the error is at or under the threshold.
        knots: The most points of the table.

    Raises:
        ValueError: There is no pixel, or a score is not finite.
    """
    values, truth = _flat(scores), np.asarray(good, bool).ravel()
    if not values.size or not np.isfinite(values).all():
        raise ValueError("a table needs finite scores")
    order = np.argsort(values, kind="stable")
    ends = np.linspace(0, values.size, min(knots, values.size) + 1).astype(int)
    groups = [order[a:b] for a, b in pairwise(ends) if b > a]
    means = np.array([values[group].mean() for group in groups])
    chances = isotonic(np.array([truth[group].mean() for group in groups]), np.array([len(group) for group in groups]))
    # equal scores can fill several groups; a table needs rising ones
    distinct, where = np.unique(means, return_inverse=True)
    weights = np.bincount(where, [len(group) for group in groups])
    merged = np.bincount(where, chances * [len(group) for group in groups]) / weights
    return CalibrationTable(tuple(map(float, distinct)), tuple(map(float, merged)))


def isotonic(values: ArrayLike, weights: ArrayLike) -> Floats:
    """The never-falling sequence next to the given one by weighted least squares."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(_flat(values), _flat(weights), strict=True):
        mean, total, count = float(value), float(weight), 1
        while blocks and blocks[-1][0] > mean:
            last_mean, last_total, last_count = blocks.pop()
            mean = (mean * total + last_mean * last_total) / (total + last_total)
            total, count = total + last_total, count + last_count
        blocks.append((mean, total, count))
    return np.concatenate([np.full(count, mean) for mean, _, count in blocks])


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """The correlation of ranks, from -1 to 1; equal values share their mean rank."""
    first, second = _ranks(_flat(a)), _ranks(_flat(b))
    deviation = float(first.std() * second.std())
    if not deviation:
        return float("nan")
    return float(((first - first.mean()) * (second - second.mean())).mean() / deviation)


def calibration_figures(confidence: ArrayLike, error: ArrayLike, thresholds: Sequence[float]) -> dict[str, float]:
    """The figures a card gives of a confidence.

    Args:
        confidence: From 0 to 1, the chance that the error is at most the first threshold.
        error: The true error.
        thresholds: Errors to tell good from bad by, in the unit of the error.
    """
    figures = {f"auroc_error_over_{limit:g}": error_auroc(confidence, error, limit) for limit in thresholds}
    figures["ause"] = sparsification(confidence, error).ause
    figures["expected_calibration_error"] = expected_calibration_error(confidence, error, thresholds[0])
    figures["spearman_of_doubt_and_error"] = spearman(1 - _flat(confidence), error)
    return figures


def _means_of_rest(errors: Floats, dropped: Floats) -> Floats:
    """Mean of what is left when the first shares of a sequence are dropped."""
    sums = np.concatenate([np.cumsum(errors[::-1])[::-1], [0.0]])
    starts = np.minimum((dropped * errors.size).astype(int), max(0, errors.size - 1))
    return sums[starts] / np.maximum(1, errors.size - starts)


def _ranks(values: Floats) -> Floats:
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[where]


def _flat(values: Any) -> Floats:
    return np.asarray(values, np.float64).ravel()
