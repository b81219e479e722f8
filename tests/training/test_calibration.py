# SPDX-License-Identifier: Apache-2.0
"""Figures of a confidence against hand-counted and closed-form truths; the module needs no torch."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from understudy_training.calibration import (
    CalibrationTable,
    auroc,
    calibration_figures,
    error_auroc,
    expected_calibration_error,
    fit_table,
    isotonic,
    reliability,
    sparsification,
    spearman,
)
from understudy_training.charts import reliability_chart, sparsification_chart


def test_auroc_counts_pairs() -> None:
    rng = np.random.default_rng(1)
    scores, truth = rng.integers(0, 6, 60), rng.random(60) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in scores[truth] for b in scores[~truth]]
    assert auroc(scores, truth) == pytest.approx(np.mean(pairs))
    assert math.isnan(auroc(scores, np.ones(60)))


def test_auroc_of_a_perfect_of_a_blind_and_of_a_wrong_confidence() -> None:
    error = np.linspace(0, 2, 101)
    assert error_auroc(-error, error, 0.5) == 1
    assert error_auroc(np.zeros(101), error, 0.5) == 0.5
    assert error_auroc(error, error, 0.5) == 0


def test_sparsification_of_even_errors_is_a_line() -> None:
    error = np.linspace(0, 1, 100_001)
    curve = sparsification(1 - error, error)
    assert curve.by_confidence == pytest.approx(1 - curve.dropped, abs=1e-4)  # mean of 0..1-f is (1-f)/2
    assert curve.ause == 0
    blind = sparsification(np.random.default_rng(1).random(error.size), error)
    assert blind.by_confidence == pytest.approx(np.ones(50), abs=0.05)
    assert blind.ause == pytest.approx(0.48, abs=0.02)  # 1 - (1 - f), from 0 to 0.98


def test_a_true_confidence_has_no_calibration_error_and_a_bold_one_has_its_excess() -> None:
    rng = np.random.default_rng(2)
    chance = rng.random(200_000)
    error = np.where(rng.random(chance.size) < chance, 0.1, 2.0)
    assert expected_calibration_error(chance, error, 1.0) < 0.01
    assert expected_calibration_error(np.ones(chance.size), error, 1.0) == pytest.approx(0.5, abs=0.01)


def test_isotonic_pools_neighbors() -> None:
    assert isotonic([1, 3, 2, 4, 0], [1, 1, 1, 1, 3]).tolist() == pytest.approx([1, 1.5, 1.5, 1.5, 1.5])
    assert isotonic([1, 2, 3], [1, 1, 1]).tolist() == [1, 2, 3]


def test_a_fitted_table_makes_a_raw_score_true() -> None:
    rng = np.random.default_rng(3)
    score = rng.normal(size=100_000)
    good = rng.random(score.size) < 1 / (1 + np.exp(-3 * score))
    table = fit_table(score, good)
    assert len(table.scores) <= 32
    assert list(table.chances) == sorted(table.chances)
    fresh = rng.normal(size=100_000)
    held = rng.random(fresh.size) < 1 / (1 + np.exp(-3 * fresh))
    assert reliability(table(fresh), held).expected_error < 0.01
    again = CalibrationTable.from_json(table.as_json())
    assert again(fresh) == pytest.approx(table(fresh), abs=1e-4)
    assert again(fresh).dtype == np.float32


def test_a_table_of_equal_scores_has_one_point() -> None:
    table = fit_table(np.zeros(100), np.arange(100) < 25)
    assert table.scores == (0,)
    assert table([-1, 0, 7]).tolist() == [0.25] * 3


@pytest.mark.parametrize("scores", [[], [0.0, float("nan")]])
def test_a_table_of_nothing_is_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        fit_table(scores, [True] * len(scores))


def test_spearman_sees_order_alone() -> None:
    x = np.linspace(-1, 1, 50)
    assert spearman(x, x**3) == pytest.approx(1)
    assert spearman(x, -np.exp(x)) == pytest.approx(-1)
    assert math.isnan(spearman(x, np.ones(50)))


def test_charts_are_well_formed_and_small() -> None:
    rng = np.random.default_rng(4)
    confidence = rng.random(1000)
    error = (1 - confidence) * rng.random(1000)
    figures = calibration_figures(confidence, error, (0.3, 0.6))
    assert figures["auroc_error_over_0.3"] > 0.7
    for chart in (
        sparsification_chart("<Flow> & doubt", {"confidence": sparsification(confidence, error)}),
        reliability_chart("Flow", {"confidence": reliability(confidence, error < 0.3)}),
    ):
        assert ET.fromstring(chart).tag.endswith("svg")
        assert "nan" not in chart
        assert len(chart) < 20_000
