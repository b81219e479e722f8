# SPDX-License-Identifier: Apache-2.0
"""Measures the demo's results: against truth, and whether what must survive did. Everything is read back from files."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from understudy.color.config import ColorConfig
from understudy.contracts.plate import FloatImage, Plate

Mask = npt.NDArray[np.bool_]

RGB = ("R", "G", "B")
_TOLERANCE = 0.05
_JUDGED_PIXELS = 250_000


@dataclass(frozen=True, slots=True)
class Probe:
    """Did the range of values survive?

    Attributes:
        max_in: Largest color value that went in.
        max_out: Largest that came out.
        min_in: Smallest color value that went in.
        min_out: Smallest that came out.
        clamped: Input pixels with a value beyond everything that came out, by over 5 % of it; for a picture that was
            multiplied, pixels that fall short of plate times ratio.
    """

    max_in: float
    max_out: float
    min_in: float
    min_out: float
    clamped: int

    @property
    def holds(self) -> bool:
        """The largest value came out as it went in, negatives are there, and nothing was clamped."""
        return f"{self.max_in:.1f}" == f"{self.max_out:.1f}" and self.clamped == 0 and self.negatives

    @property
    def negatives(self) -> bool:
        """Negative colors went in and came out."""
        return self.min_out < 0 if self.min_in < 0 else True

    @property
    def line(self) -> str:
        """One line for people."""
        return f"in max {self.max_in:.1f} → out max {self.max_out:.1f} · clamped {self.clamped} px"


def probe(before: Iterable[Plate], after: Iterable[Plate]) -> Probe:
    """Compares the values that went into a role with those that came out.

    Args:
        before: The plates that went in; each has ``R G B``.
        after: Those that came out.
    """
    colors = [plate.take(RGB) for plate in before]
    ranges = [(float(color.min()), float(color.max())) for color in (plate.take(RGB) for plate in after)]
    low, high = min(bottom for bottom, _ in ranges), max(top for _, top in ranges)
    # A dip or a peak of one pixel may be filtered a little; a clamp takes away far more than this.
    above, below = high + _TOLERANCE * abs(high), low - _TOLERANCE * abs(low)
    clamped = sum(int(np.any((color > above) | (color < below), axis=-1).sum()) for color in colors)
    return Probe(
        max_in=max(float(color.max()) for color in colors),
        max_out=high,
        min_in=min(float(color.min()) for color in colors),
        min_out=low,
        clamped=clamped,
    )


def probe_ratio(before: Iterable[Plate], after: Iterable[Plate]) -> Probe:
    """The same for a picture that was multiplied: clamped is what falls short of its plate times its ratio.

    Args:
        before: The plates that went in.
        after: What came out, in the same order; each has ``ratio.R ratio.G ratio.B``.
    """
    before, after = list(before), list(after)
    measured = probe(before, after)
    clamped = 0
    for plate, result in zip(before, after, strict=True):
        expected = np.abs(plate.take(RGB) * result.take(tuple(f"ratio.{name}" for name in RGB)))
        # Half floats round the ratio and the result by up to 0.1 % in all.
        clamped += int(
            np.any(np.abs(result.take(RGB)) < expected * np.float32(0.995) - np.float32(1e-3), axis=-1).sum()
        )
    return replace(measured, clamped=clamped)


def identical_bits(a: Plate, b: Plate, names: Iterable[str]) -> bool:
    """Whether two plates hold the same bits in these channels."""
    names = tuple(names)
    return a.data_window == b.data_window and np.array_equal(
        a.take(names).view(np.uint32), b.take(names).view(np.uint32)
    )


def ids_of(plate: Plate, channel: str = "id.X") -> set[float]:
    """The IDs of a plate."""
    return {float(value) for value in np.unique(plate.take((channel,)))}


def foreign_ids(plate: Plate, known: Iterable[float], channel: str = "id.X") -> int:
    """How many pixels carry an ID that no input has: each would be a blend of two."""
    return int((~np.isin(plate.take((channel,)), np.array(sorted(known), dtype=np.float32))).sum())


def psnr(a: FloatImage, b: FloatImage, where: Mask | None = None) -> float:
    """Peak signal-to-noise ratio, dB, of pictures whose range is 0 to 1; values beyond count as they are.

    Args:
        a: ``(height, width, channels)``.
        b: The same shape.
        where: ``(height, width)``: pixels that count; all when None.
    """
    error = np.square(a.astype(np.float64) - b)
    mean = float(error.mean() if where is None else error[where].mean())
    return float("inf") if mean == 0 else -10 * float(np.log10(mean))


class Judge:
    """Pictures as they are compared: through the display view, and in a log encoding that sees shadows and highlights.

    Args:
        color: The OCIO config.
        space: What the pictures are in.
    """

    def __init__(self, color: ColorConfig, space: str) -> None:
        self._color = color
        self._space = space
        self._truth: tuple[bytes, FloatImage, FloatImage] | None = None

    def display(self, rgb: FloatImage) -> FloatImage:
        """Display code values, cut to what a screen shows."""
        return np.clip(self._color.to_display(np.ascontiguousarray(rgb), self._space), 0, 1)

    def log(self, rgb: FloatImage) -> FloatImage:
        """ACEScct code values; below zero, where the curve is a steep line and no longer a log, they count as zero."""
        return np.maximum(self._color.convert(np.ascontiguousarray(rgb), self._space, "ACEScct"), 0)

    def compare(self, result: FloatImage, truth: FloatImage, where: Mask | None = None) -> tuple[float, float]:
        """PSNR in dB, on the display and in log, over every so many rows (a display view is slow).

        Args:
            result: RGB, ``(height, width, 3)``.
            truth: The same shape.
            where: ``(height, width)``: pixels that count; all when None.
        """
        step = max(1, round(truth.shape[0] * truth.shape[1] / _JUDGED_PIXELS))
        result, truth = result[::step], truth[::step]
        where = None if where is None else where[::step]
        key = hashlib.sha256(truth.tobytes()).digest()
        if self._truth is None or self._truth[0] != key:
            self._truth = (key, self.display(truth), self.log(truth))
        _, seen, log = self._truth
        return psnr(self.display(result), seen, where), psnr(self.log(result), log, where)


@dataclass(frozen=True, slots=True)
class MotionScore:
    """Vectors against truth, both directions.

    Attributes:
        mean: Mean endpoint error, px.
        visible: The same where the target stays visible.
        within: Share of visible pixels off by less than one pixel.
        auroc: How well low confidence finds errors over one pixel: 1 is perfect, 0.5 is chance; None if there are none.
    """

    mean: float
    visible: float
    within: float
    auroc: float | None


def score_motion(pairs: Iterable[tuple[Plate, Plate]], stride: int = 3) -> MotionScore:
    """Scores vectors.

    Args:
        pairs: Result and truth of each frame; both have ``forward`` and ``backward`` vectors.
        stride: Every so many pixels count, on both axes.
    """
    errors, hidden, doubt = [], [], []
    for result, truth in pairs:
        for side in ("forward", "backward"):
            confidence = result.take((f"{side}.confidence",))[::stride, ::stride, 0]
            found, true = (plate.take((f"{side}.u", f"{side}.v"))[::stride, ::stride] for plate in (result, truth))
            if not found.any():
                continue  # the first and the last frame have one direction only
            errors.append(np.hypot(*np.moveaxis(found - true, -1, 0)).ravel())
            hidden.append(truth.take((f"occlusion.{side}",))[::stride, ::stride, 0].ravel() > 0)
            doubt.append(1 - confidence.ravel())
    error, covered = np.concatenate(errors), np.concatenate(hidden)
    return MotionScore(
        mean=float(error.mean()),
        visible=float(error[~covered].mean()),
        within=float((error[~covered] < 1).mean()),
        auroc=auroc(np.concatenate(doubt), error > 1),
    )


def auroc(score: FloatImage, positive: Mask) -> float | None:
    """Area under the ROC curve (Mann-Whitney, ties count half); None when one class is empty."""
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not ups or not downs:
        return None
    values, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    del values
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[inverse][positive].sum() - ups * (ups + 1) / 2) / (ups * downs))
