# SPDX-License-Identifier: Apache-2.0
"""Motion packs against exact vectors: endpoint error, and whether the confidence knows.

Run: ``python benchmarks/quality/motion.py [--data ../shared/data] [--packs dis-best,flow-match] [--fit]``. ``--fit``
prints the constants of ``understudy.roles.confidence``, fitted on procedural scenes alone; ``--layered 8`` adds
pairs of the training generator (with torch). ``--cue`` judges the role's measured confidence instead of the pack's own.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from layered import SPREADS, layered
from measures import Image, linear_light
from scenes import Scene, scene
from sets import pairs
from understudy.color.config import ColorConfig
from understudy.color.encoder import Encoder
from understudy.contracts.jobs import MotionParams, PackPin, RoleRequest
from understudy.contracts.manifest import Encoding
from understudy.contracts.plate import Window, blank_plate
from understudy.roles.confidence import cues, measure
from understudy.roles.engine import LocalEngine
from understudy_training.calibration import auroc, expected_calibration_error, sparsification

PACKS = ("dis-draft", "dis-good", "dis-best")
SPEEDS = (3.0, 8.0, 16.0)
FLOW_EXACT = ("translate", "rotzoom", "layers")
COLORSPACE = "lin_rec709_scene"
LUMA = np.array([0.2722287, 0.6740818, 0.0536895], np.float32)


def flow_exact(folder: Path) -> Scene:
    """One of the exact pairs; sRGB pictures become linear light."""
    (pair,) = [pair for pair in pairs.exact(folder.parent) if pair.name == folder.name]
    truth = pair.load()
    return Scene(linear_light(truth.a), linear_light(truth.b), truth.flow, ~truth.visible)


def measured(engine: LocalEngine, pack: str, truth: Scene) -> tuple[npt.NDArray[np.float32], ...]:
    """Endpoint error, confidence and the vectors (v down) of a."""
    plates = {
        name: blank_plate(picture, ["R", "G", "B"], colorspace=COLORSPACE, frame=number)
        for number, (name, picture) in enumerate((("a", truth.a), ("b", truth.b)))
    }
    result = engine.run(RoleRequest(pack=PackPin(id=pack), params=MotionParams(), plates=plates))
    flow, back = (result.plates[name].pixels[..., :2] * np.array([1, -1], np.float32) for name in ("a", "b"))
    error = np.linalg.norm(flow - truth.flow, axis=2)
    return error, result.plates["a"].pixels[..., 2], flow, back


def measured_trust(truth: Scene, flow: npt.NDArray[np.float32], back: npt.NDArray[np.float32]) -> Image:
    """The role's own confidence of vectors, whatever the pack says of itself."""
    encoder = Encoder(ColorConfig.load(), COLORSPACE, Encoding.DISPLAY_LOG, (0.0, 1.0))
    a, b = (encoder.encode(picture) @ LUMA for picture in (truth.a, truth.b))
    window = Window(0, 0, a.shape[1], a.shape[0])
    return measure(a, b, flow, back, window, window).confidence


def report(engine: LocalEngine, name: str, truths: list[Scene], packs: Sequence[str], *, cue: bool) -> None:
    """One line per pack: error where the point stays visible, error everywhere, and what confidence is worth."""
    for pack in packs:
        visible, everywhere, scores, goods, kept, errors = [], [], [], [], [], []
        for truth in truths:
            error, confidence, flow, back = measured(engine, pack, truth)
            if cue:
                confidence = measured_trust(truth, flow, back)
            visible.append(error[~truth.hidden].mean())
            everywhere.append(error.mean())
            scores.append(confidence.ravel())
            goods.append(error.ravel() < 1)
            errors.append(error.ravel())
            kept.append(error[confidence >= np.quantile(confidence, 0.2)].mean())
        score, good = np.concatenate(scores), np.concatenate(goods)
        print(
            f"{name:12} {pack:10} epe {np.mean(visible):7.3f}  with hidden {np.mean(everywhere):7.3f}"
            f"  less worst fifth {np.mean(kept):7.3f}  within 1 px {good.mean():.3f}"
            f"  confidence {score.mean():.3f}  AUROC {auroc(score, good):.3f}"
            f"  AUSE {sparsification(score, np.concatenate(errors)).ause:.3f}"
            f"  ECE {expected_calibration_error(score, np.concatenate(errors), 1):.3f}"
        )


def fit(engine: LocalEngine, seeds: range) -> None:
    """Logistic regression by Newton steps on every 17th pixel of procedural scenes."""
    encoder = Encoder(ColorConfig.load(), COLORSPACE, Encoding.DISPLAY_LOG, (0.0, 1.0))
    rows, goods = [], []
    for speed in SPEEDS:
        for seed in seeds:
            truth = scene(seed, speed)
            error, _, flow, back = measured(engine, "dis-good", truth)
            a, b = (encoder.encode(picture) @ LUMA for picture in (truth.a, truth.b))
            window = Window(0, 0, a.shape[1], a.shape[0])
            found = cues(a, b, flow, back, window, window)
            columns = [
                np.ones_like(found.round_trip),
                np.log(found.round_trip + 0.05),
                np.log(found.residual + 0.5),
                np.log(found.detail + 0.5),
            ]
            seen = found.seen.ravel()
            rows.append(np.stack([column.ravel()[seen][::17] for column in columns], axis=1))
            goods.append(error.ravel()[seen][::17] < 1)
    x, y = np.concatenate(rows).astype(np.float64), np.concatenate(goods).astype(np.float64)
    weights = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ weights))
        weights += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x, x.T @ (y - p))
    print("bias, round trip, residual, detail:", ", ".join(f"{weight:.3f}" for weight in weights))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--layered", type=int, default=0)
    parser.add_argument("--packs", default=",".join(PACKS))
    parser.add_argument("--cue", action="store_true")
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args()
    engine = LocalEngine(device="cpu")
    if given.fit:
        fit(engine, range(1000, 1000 + given.scenes))  # other scenes than those of the report
        return
    packs = given.packs.split(",")
    for name in FLOW_EXACT:
        folder = given.data / "flow_exact" / name
        if folder.is_dir():
            report(engine, name, [flow_exact(folder)], packs, cue=given.cue)
    for speed in SPEEDS if given.scenes else ():
        truths = [scene(seed, speed) for seed in range(given.scenes)]
        report(engine, f"scenes {speed:g} px", truths, packs, cue=given.cue)
    for spread in SPREADS if given.layered else ():
        report(engine, f"layers {spread:g} px", list(layered(spread, given.layered)), packs, cue=given.cue)


if __name__ == "__main__":
    main()
