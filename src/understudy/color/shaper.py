# SPDX-License-Identifier: Apache-2.0
r"""The ``display_log`` curve: the sRGB curve up to a knee, a logarithm with the same slope above it.

Networks trained on display pictures see mid-tones as they know them, and highlights up to the peak have a place below
1. With linear light :math:`x`, exponent :math:`\gamma`, offset :math:`a`, knee :math:`k` and peak :math:`p`::

    g(x) = s x                          x < x0          s and x0: the tangent through the origin (C1)
           (1+a) x^(1/γ) - a            x0 <= x <= k    IEC 61966-2-1
           g(k) + k g'(k) ln(x / k)     x > k           value and slope meet at the knee (C1)
    S(x) = g(x) / g(p)

``S`` is strictly increasing and has no bounds: negatives follow the line ``s x``, and 65504 has a code value too.
The toe differs from the standard's two-piece one by under 2e-5, which has a small step in slope.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from understudy.color.apply import BAND
from understudy.color.policy import DisplayLog
from understudy.contracts.plate import FloatImage

_Flat = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HybridCurve:
    """The curve and its inverse, pointwise on float32 of any shape.

    Attributes:
        knee: Linear light where the logarithm takes over.
        peak: Linear light of code value 1.
        gamma: Exponent below the knee.
        offset: Offset below the knee.
    """

    knee: float
    peak: float
    gamma: float
    offset: float

    @classmethod
    def of(cls, policy: DisplayLog) -> "HybridCurve":
        """The curve that the policy file describes."""
        return cls(policy.knee, policy.peak, policy.gamma, policy.offset)

    @property
    def toe(self) -> tuple[float, float]:
        """Where the straight toe ends: linear light, and ``g`` there."""
        root = self.offset * self.gamma / ((self.gamma - 1) * (1 + self.offset))
        return root**self.gamma, (1 + self.offset) * root - self.offset

    @property
    def shoulder(self) -> tuple[float, float]:
        """``g`` at the knee, and how much ``g`` grows there when light grows by a factor e."""
        root = self.knee ** (1 / self.gamma)
        return (1 + self.offset) * root - self.offset, (1 + self.offset) * root / self.gamma

    @property
    def scale(self) -> float:
        """``g`` at the peak, which all code values are divided by."""
        height, growth = self.shoulder
        return height + growth * math.log(self.peak / self.knee)

    def encode(self, light: FloatImage) -> FloatImage:
        """Code values of linear light; a new array, all finite."""
        (toe, toe_height), (_, growth) = self.toe, self.shoulder
        low, bend, at_bend = np.float32(toe), _log(toe), _exp(_log(toe) / np.float32(self.gamma))
        knee = _log(self.knee)

        # Three terms, each constant outside its own part, so that no value needs a branch and the toe stays exact.
        def band(x: _Flat, out: _Flat) -> None:
            line = np.minimum(x, low)
            line *= np.float32(toe_height / toe)
            log = np.log(np.maximum(x, low, out=out), out=out)
            middle = np.clip(log, bend, knee)
            log -= middle
            log *= np.float32(growth)
            middle /= np.float32(self.gamma)
            root = np.exp(middle, out=middle)
            root -= at_bend
            root *= np.float32(1 + self.offset)
            out += root
            out += line
            out /= np.float32(self.scale)

        return _in_bands(band, light)

    def decode(self, code: FloatImage) -> FloatImage:
        """Linear light of code values; a new array, all finite: what float32 can't hold becomes its largest value."""
        (toe, toe_height), (height, growth) = self.toe, self.shoulder
        low, high, one = np.float32(toe_height), np.float32(height), np.float32(1 + self.offset)
        offset, gamma = np.float32(self.offset), np.float32(self.gamma)
        at_bend = _exp(_log((low + offset) / one) * gamma)

        def band(y: _Flat, out: _Flat) -> None:
            g = y * np.float32(self.scale)
            line = np.minimum(g, low)
            line *= np.float32(toe / toe_height)
            middle = np.clip(g, low, high, out=out)
            g -= high
            np.maximum(g, np.float32(0), out=g)
            g /= np.float32(growth)
            middle += offset
            middle /= one
            exponent = np.log(middle, out=middle)
            exponent *= gamma
            exponent += g
            np.exp(exponent, out=out)
            out -= at_bend
            out += line

        return _in_bands(band, code)


def _log(value: float | np.float32) -> np.float32:
    return np.float32(np.log(np.full(1, value, np.float32))[0])


def _exp(value: np.float32) -> np.float32:
    return np.float32(np.exp(np.full(1, value, np.float32))[0])


def _in_bands(function: Callable[[_Flat, _Flat], None], image: FloatImage) -> FloatImage:
    out = np.empty(image.shape, np.float32)
    source, target = np.ascontiguousarray(image).reshape(-1), out.reshape(-1)
    with np.errstate(over="ignore"):
        for start in range(0, len(source), 4 * BAND):
            part = target[start : start + 4 * BAND]
            function(source[start : start + 4 * BAND], part)
            if not np.isfinite(part).all():
                np.nan_to_num(part, copy=False)
    return out
