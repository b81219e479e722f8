# SPDX-License-Identifier: Apache-2.0
"""Whether the confidence of an upscale pack means something, on procedural pictures whose truth is known.

Half of the pictures are dead leaves, half of the held-out families, with seeds that no training draws. They are made
small as the benchmarks do, enlarged by the pack in linear light, and compared with what they were: the error of an
input pixel is the root mean square over its output pixels, over the largest value within 9x9. ``--fit`` prints the
``contract.doubt`` that makes the expected error's size right; figures are always of other seeds than those fitted on.

Run as ``python benchmarks/quality/upscale_confidence.py PACK [--fit] [--charts FOLDER]``; needs torch.
"""

import argparse
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import FloatImage, Plate, Window, blank_plate
from understudy.roles import back_projection
from understudy.roles.engine import LocalEngine
from understudy_training.calibration import error_auroc, sparsification, spearman
from understudy_training.charts import line_chart, sparsification_chart
from understudy_training.generators.dice import Dice
from understudy_training.generators.held_out import draw_held_out
from understudy_training.generators.leaves import draw_leaves
from understudy_training.generators.resize import reduced
from understudy_training.networks.upscale_graph import linear
from understudy_training.tasks.upscale import blurred, degraded

Pairs = list[tuple[FloatImage, FloatImage]]
"""Small pictures and what they were, of one channel, in linear light."""

SIDE = 192
BORDER = 6
GOOD = 0.05
"""An error of a twentieth of the local level."""


def main() -> int:
    """Prints figures for each factor as JSON."""
    parser = argparse.ArgumentParser(description="Whether the confidence of an upscale pack means something.")
    parser.add_argument("pack")
    parser.add_argument("--factor", type=int, action="append", help="2, 3 or 4; all when left out")
    parser.add_argument("--count", type=int, default=12, help="pictures of each kind")
    parser.add_argument("--fit", action="store_true", help="print contract.doubt, from seeds of its own")
    parser.add_argument("--degrade", action="store_true", help="with blur, noise and compression")
    parser.add_argument("--charts", type=Path, help="write sparsification.svg and reliability.svg there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    engine = LocalEngine(device="cpu")
    factors = options.factor or [2, 3, 4]
    if options.fit:
        doubts = [
            _fitted(engine, options.pack, _pictures(factor, options.count, 7000, degrade=options.degrade), factor)
            for factor in factors
        ]
        print(json.dumps({"doubt": [round(doubt, 2) for doubt in doubts]}))
        return 0
    curves, lines = {}, {}
    for factor in factors:
        pictures = _pictures(factor, options.count, 9000, degrade=options.degrade)
        judged = _judged(engine, options.pack, pictures, factor)
        said, by_detail, errors = (np.concatenate(part) for part in zip(*judged, strict=True))
        curve = sparsification(said, errors)
        promised, held = _expected_and_true(said, errors)
        curves[f"x{factor}"], lines[f"x{factor}"] = curve, (promised, held)
        figures = {
            "factor": factor,
            "mean_error": float(errors.mean()),
            f"auroc_error_over_{GOOD}": error_auroc(said, errors, GOOD),
            "auroc_error_over_0.1": error_auroc(said, errors, 0.1),
            "auroc_by_the_rule_for_filters": error_auroc(by_detail, errors, GOOD),
            "spearman": spearman(-said, errors),
            "ause": curve.ause,
            "error_left_without_least_confident_fifth": float(np.interp(0.2, curve.dropped, curve.by_confidence)),
            "expected_calibration_error": _calibration_error(said, errors),
        }
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
    if options.charts:
        title = f"{options.pack}: error left"
        (options.charts / "sparsification.svg").write_text(sparsification_chart(title, curves))
        chart = line_chart(
            f"{options.pack}: confidence said and earned",
            {**lines, "what is said": ([0, 1], [0, 1])},
            "confidence",
            "confidence that the true error is worth",
            x_range=(0, 1),
            y_range=(0, 1),
            dashed=("what is said",),
        )
        (options.charts / "reliability.svg").write_text(chart)
    return 0


def _judged(engine: LocalEngine, pack: str, pictures: Pairs, factor: int) -> list[tuple[NDArray[np.float64], ...]]:
    """Confidence, what the rule for filters would say, and true relative error of the inner pixels of each picture."""
    found: list[tuple[NDArray[np.float64], ...]] = []
    for small, truth in pictures:
        out, confidence = _enlarged(engine, pack, small, factor)
        by_detail = _confidence(small, out, factor, ())
        found.append((_inner(confidence), _inner(by_detail), _inner(_error(out, truth, small, factor))))
    return found


def _fitted(engine: LocalEngine, pack: str, pictures: Pairs, factor: int) -> float:
    """The doubt at which the mean square of the expected error is that of the true one."""
    errors, expected = [], []
    for small, truth in pictures:
        out, _ = _enlarged(engine, pack, small, factor)
        errors.append(_inner(_error(out, truth, small, factor)))
        expected.append(_inner(1 / _confidence(small, out, factor, (1.0,) * 3) - 1) / 10)
    true, said = (float(np.square(np.concatenate(part)).mean()) for part in (errors, expected))
    return float(np.sqrt(true / said))


def _pictures(factor: int, count: int, seed: int, *, degrade: bool) -> Pairs:
    pairs = []
    for draw, offset in ((draw_leaves, 1), (draw_held_out, 2)):
        sharp = draw(torch.Generator().manual_seed(seed + offset), count, SIDE, SIDE, 3 if degrade else 1)
        small = reduced(sharp, factor).clamp(0, 1)
        if degrade:
            dice = Dice(torch.Generator().manual_seed(seed), torch.device("cpu"))
            small = degraded(dice, reduced(blurred(dice, sharp), factor)).clamp(0, 1)
            # The network is blind to which channel it sees; one stands for all.
            small, sharp = small[:, 1:2], sharp[:, 1:2]
        pairs += [(linear(s)[0].numpy(), linear(t)[0].numpy()) for s, t in zip(small, sharp, strict=True)]
    return pairs


def _enlarged(engine: LocalEngine, pack: str, small: FloatImage, factor: int) -> tuple[FloatImage, FloatImage]:
    """The result, and the confidence of input pixels."""
    params = UpscaleParams(scale=Fraction(factor), confidence=True)
    result = engine.run(RoleRequest(pack=PackPin(id=pack), params=params, plates={"plate": _plate(small)}))
    pixels = result.plates["plate"].pixels
    with engine.lease(PackPin(id=pack)) as model:
        doubt = model.manifest.contract.doubt
    return pixels[..., 0], _confidence(small, pixels[..., 0], factor, doubt)


def _confidence(small: FloatImage, out: FloatImage, factor: int, doubt: tuple[float, ...]) -> FloatImage:
    window = Window(0, 0, out.shape[1], out.shape[0])
    score = back_projection.measure(
        _plate(small), np.ascontiguousarray(out[..., None]), window, [0], Fraction(factor), whole=True, doubt=doubt
    )
    assert score.map is not None
    return score.map[..., 0]


def _plate(small: FloatImage) -> Plate:
    return blank_plate(np.repeat(small[..., None], 3, axis=2), ("R", "G", "B"), colorspace="ACEScg")


def _error(out: FloatImage, truth: FloatImage, small: FloatImage, factor: int) -> FloatImage:
    height, width = small.shape
    square = np.square(out - truth).reshape(height, factor, width, factor).mean(axis=(1, 3))
    padded = np.pad(np.abs(small), 4, mode="edge")
    level = np.lib.stride_tricks.sliding_window_view(padded, (9, 9)).max(axis=(2, 3))
    error: FloatImage = np.sqrt(square) / np.maximum(level, 1e-6)
    return error


def _inner(image: NDArray[Any]) -> NDArray[np.float64]:
    return image[BORDER:-BORDER, BORDER:-BORDER].astype(np.float64).ravel()


def _expected_and_true(
    said: NDArray[np.float64], errors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """In bins of confidence: what is said, and the confidence of the bin's true root mean square error."""
    order = np.argsort(said)
    groups = np.array_split(order, 15)
    promised = np.array([said[group].mean() for group in groups])
    held = np.array([1 / (1 + 10 * np.sqrt(np.square(errors[group]).mean())) for group in groups])
    return promised, held


def _calibration_error(said: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    promised, held = _expected_and_true(said, errors)
    return float(np.abs(promised - held).mean())


if __name__ == "__main__":
    raise SystemExit(main())
