# SPDX-License-Identifier: Apache-2.0
"""How far a motion vector can be trusted, measured: it must come back, look alike, and land inside the picture."""

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

    def score(self) -> FloatImage:
        """Log odds that a vector is within a pixel of the truth."""
        return np.asarray(
            _BIAS
            + _ROUND_TRIP * np.log(self.round_trip + np.float32(0.05))
            + _RESIDUAL * np.log(self.residual + np.float32(0.5))
            + _DETAIL * np.log(self.detail + np.float32(0.5)),
            np.float32,
        )


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
    returned = warp(back, source, source, flow, "linear")
    error = _squared(flow + returned)
    size = _squared(flow) + _squared(returned)
    seen = inside(target, source, flow)
    levels = np.float32(255)
    residual = np.abs(here - warp(there[..., None], source, source, flow, "linear")[..., 0]) * levels
    detail = np.hypot(cv2.Sobel(here, -1, 1, 0, scale=levels / 8), cv2.Sobel(here, -1, 0, 1, scale=levels / 8))
    return Cues(
        np.sqrt(error), _around(residual), _around(detail), seen, (error > 0.01 * size + np.float32(0.5)) | ~seen
    )


def measure(
    here: FloatImage, there: FloatImage, flow: FloatImage, back: FloatImage, source: Window, target: Window
) -> Trust:
    """Confidence and occlusion of one direction's vectors; arguments as for :func:`cues`."""
    found = cues(here, there, flow, back, source, target)
    confidence = (1 / (1 + np.exp(-found.score()))).astype(np.float32)
    confidence[~found.seen] *= _OUTSIDE
    return Trust(confidence, found.occluded)


def _squared(flow: FloatImage) -> FloatImage:
    """Squared lengths; numpy's own sum over so short an axis takes many times as long."""
    u, v = flow[..., 0], flow[..., 1]
    return u * u + v * v


def _around(image: FloatImage) -> FloatImage:
    return cv2.GaussianBlur(image, (0, 0), _SIGMA, borderType=cv2.BORDER_REPLICATE)
