# SPDX-License-Identifier: Apache-2.0
"""How far a motion vector can be trusted, measured: it must come back, look alike, and land inside the picture."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.plate import FloatImage, Window
from understudy.roles.warp import inside, warp

Mask = npt.NDArray[np.bool_]

# Logistic fit of P(endpoint error < 1 px), on procedural scenes only: benchmarks/quality/motion.py --fit prints these.
_BIAS, _ROUND_TRIP, _RESIDUAL, _DETAIL = -0.225, -1.136, -0.505, 0.735
_OUTSIDE = np.float32(0.25)  # a point that leaves the picture can't be checked
_SIGMA = 2.0
_BAND_ROWS = 64


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of one direction's vectors.

    Attributes:
        confidence: float32 ``(h, w)`` in 0-1: probability that the vector is within a pixel of the truth.
        occluded: bool ``(h, w)``: the point is hidden in the other frame, or outside it.
    """

    confidence: FloatImage
    occluded: Mask


@dataclass(frozen=True, slots=True)
class Cues:
    """What can be measured of one direction's vectors without the truth.

    Attributes:
        round_trip: float32 ``(h, w)``: pixels between where a vector starts and where the way back ends.
        residual: float32 ``(h, w)``: difference of what it joins, 8-bit levels, mean of the neighborhood.
        detail: float32 ``(h, w)``: slope of the picture, 8-bit levels a pixel, mean of the neighborhood.
        seen: bool ``(h, w)``: the vector ends where the other frame has pixels.
        occluded: bool ``(h, w)``: it does not come back, or ends outside.
    """

    round_trip: FloatImage
    residual: FloatImage
    detail: FloatImage
    seen: Mask
    occluded: Mask

    def score(self, rows: slice = slice(None)) -> FloatImage:
        """Log odds that a vector is within a pixel of the truth, of all rows or some."""
        total = np.full_like(self.round_trip[rows], _BIAS)
        for cue, least, weight in (
            (self.round_trip, 0.05, _ROUND_TRIP),
            (self.residual, 0.5, _RESIDUAL),
            (self.detail, 0.5, _DETAIL),
        ):
            known = cue[rows] + np.float32(least)
            total += np.multiply(np.log(known, out=known), np.float32(weight), out=known)
        return total


def cues(
    here: FloatImage, there: FloatImage, flow: FloatImage, back: FloatImage, source: Window, target: Window
) -> Cues:
    """Measures one direction's vectors against the other direction's and against the pictures.

    Occlusion is the round-trip test of Sundaram, Brox and Keutzer (ECCV 2010) with the constants that UnFlow uses
    (Meister, Hur and Roth, AAAI 2018): ``|F + B(x + F)|^2 > 0.01 (|F|^2 + |B(x + F)|^2) + 0.5``.

    Args:
        here: float32 ``(h, w)`` encoded luma of this frame in about 0-1.
        there: The other frame's, same size.
        flow: float32 ``(h, w, 2)`` from here to there, pixels, v down.
        back: float32 ``(h, w, 2)`` from there to here.
        source: Window of both pictures, in pixels of the vectors.
        target: The part of ``source`` in which the other frame has pixels of its own.
    """
    shape = flow.shape[:2]
    round_trip, residual = np.empty(shape, np.float32), np.empty(shape, np.float32)
    seen, occluded = np.empty(shape, np.bool_), np.empty(shape, np.bool_)
    levels = np.float32(255)
    for rows, band in _bands(source):
        ends = flow[rows]
        returned = warp(back, source, band, ends, "linear")
        allowed = _squared(ends)
        allowed += _squared(returned)
        allowed *= np.float32(0.01)
        allowed += np.float32(0.5)
        returned += ends
        error = _squared(returned)
        seen[rows] = inside(target, band, ends)
        occluded[rows] = (error > allowed) | ~seen[rows]
        np.sqrt(error, out=round_trip[rows])
        unlike = warp(there[..., None], source, band, ends, "linear")[..., 0]
        unlike -= here[rows]
        unlike *= levels
        np.abs(unlike, out=residual[rows])
    # Not cv2.magnitude: its last bit depends on where an array lies in memory.
    detail = cv2.Sobel(here, -1, 1, 0, scale=levels / 8)
    down = cv2.Sobel(here, -1, 0, 1, scale=levels / 8)
    for rows, _ in _bands(source):
        squares = down[rows] * down[rows]
        detail[rows] *= detail[rows]
        detail[rows] += squares
        np.sqrt(detail[rows], out=detail[rows])
    return Cues(round_trip, _around(residual), _around(detail), seen, occluded)


def measure(
    here: FloatImage, there: FloatImage, flow: FloatImage, back: FloatImage, source: Window, target: Window
) -> Trust:
    """Confidence and occlusion of one direction's vectors; arguments as for :func:`cues`."""
    found = cues(here, there, flow, back, source, target)
    confidence = np.empty_like(found.round_trip)
    for rows, _ in _bands(source):
        odds = np.exp(-found.score(rows))
        odds += 1
        np.divide(np.where(found.seen[rows], np.float32(1), _OUTSIDE), odds, out=confidence[rows])
    return Trust(confidence, found.occluded)


def _bands(window: Window) -> Iterator[tuple[slice, Window]]:
    """Rows of an array over ``window``, so few that what is made of them stays in the cache, and where they lie."""
    for top in range(0, window.height, _BAND_ROWS):
        rows = slice(top, min(top + _BAND_ROWS, window.height))
        yield rows, Window(window.x, window.y + top, window.width, rows.stop - top)


def _squared(flow: FloatImage) -> FloatImage:
    """Squared lengths; numpy's own sum over so short an axis takes many times as long."""
    u, v = flow[..., 0], flow[..., 1]
    return u * u + v * v


def _around(image: FloatImage) -> FloatImage:
    return cv2.GaussianBlur(image, (0, 0), _SIGMA, borderType=cv2.BORDER_REPLICATE)
