# SPDX-License-Identifier: Apache-2.0
"""How far a motion vector can be trusted, measured: it must come back, look alike, and land inside the picture."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.plate import FloatImage, Window
from understudy.roles.warp import inside, warp

Mask = npt.NDArray[np.bool_]

# Logistic fit of P(endpoint error < 1 px) on procedural scenes only: see benchmarks/quality/motion.py, --fit.
_BIAS, _ROUND_TRIP, _RESIDUAL = 1.5, -1.6, -0.03
_OUTSIDE = np.float32(0.25)
_RESIDUAL_SIGMA = 2.0


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of one direction's vectors.

    Attributes:
        confidence: float32 ``(h, w)`` in 0-1: probability that the vector is within a pixel of the truth.
        occluded: bool ``(h, w)``: the point is hidden in the other frame, or outside it.
    """

    confidence: FloatImage
    occluded: Mask


def measure(
    here: FloatImage, there: FloatImage, flow: FloatImage, back: FloatImage, source: Window, target: Window
) -> Trust:
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
    round_trip = flow + returned
    error = np.sum(round_trip * round_trip, axis=2)
    size = np.sum(flow * flow, axis=2) + np.sum(returned * returned, axis=2)
    seen = inside(target, source, flow)
    occluded = (error > 0.01 * size + 0.5) | ~seen
    residual = np.abs(here - warp(there[..., None], source, source, flow, "linear")[..., 0]) * np.float32(255)
    residual = cv2.GaussianBlur(residual, (0, 0), _RESIDUAL_SIGMA, borderType=cv2.BORDER_REPLICATE)
    score = _BIAS + _ROUND_TRIP * np.log(np.sqrt(error) + np.float32(0.1)) + _RESIDUAL * residual
    confidence = (1 / (1 + np.exp(-score))).astype(np.float32)
    confidence[~seen] *= _OUTSIDE
    return Trust(confidence, occluded)
