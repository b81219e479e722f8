# SPDX-License-Identifier: Apache-2.0
"""Procedural textures for the demo shot: smooth, band-limited, a pure function of a point and a seed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
"""Floats of any shape and precision."""


_STROKES: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "U": ((0, 1, 0, 0.25), (0, 0.25, 0.25, 0), (0.25, 0, 0.45, 0), (0.45, 0, 0.7, 0.25), (0.7, 0.25, 0.7, 1)),
    "N": ((0, 0, 0, 1), (0, 1, 0.7, 0), (0.7, 0, 0.7, 1)),
    "D": (
        (0, 0, 0, 1),
        (0, 1, 0.4, 1),
        (0.4, 1, 0.7, 0.72),
        (0.7, 0.72, 0.7, 0.28),
        (0.7, 0.28, 0.4, 0),
        (0.4, 0, 0, 0),
    ),
    "E": ((0, 0, 0, 1), (0, 1, 0.65, 1), (0, 0.5, 0.5, 0.5), (0, 0, 0.65, 0)),
    "R": (
        (0, 0, 0, 1),
        (0, 1, 0.5, 1),
        (0.5, 1, 0.7, 0.8),
        (0.7, 0.8, 0.5, 0.5),
        (0.5, 0.5, 0, 0.5),
        (0.35, 0.5, 0.7, 0),
    ),
    "S": (
        (0.7, 0.85, 0.45, 1),
        (0.45, 1, 0.2, 1),
        (0.2, 1, 0, 0.78),
        (0, 0.78, 0.7, 0.24),
        (0.7, 0.24, 0.5, 0),
        (0.5, 0, 0, 0.12),
    ),
    "T": ((0, 1, 0.7, 1), (0.35, 1, 0.35, 0)),
    "Y": ((0, 1, 0.35, 0.5), (0.7, 1, 0.35, 0.5), (0.35, 0.5, 0.35, 0)),
}
_ADVANCE = 1.0

FILTER = 0.6
"""Standard deviation of the renderer's pixel filter, pixels."""


@dataclass(frozen=True, slots=True)
class Noise:
    """A sum of sine waves with random directions, phases and frequencies: smooth, endless and exactly band-limited.

    Attributes:
        waves: float32 ``(count, dimensions)`` angular frequencies, radians per unit.
        phases: float32 ``(count,)``.
        gains: float32 ``(count,)``; their squares add up to 2, so that the noise has unit variance.
    """

    waves: Values
    phases: Values
    gains: Values

    def at(self, *axes: Values, footprint: tuple[Values, ...] | None = None) -> Values:
        """The noise at points.

        Args:
            axes: One array per dimension, all of one shape.
            footprint: Size of a pixel along each axis, in the axes' units; waves too fine for it fade out.

        Returns:
            float32 of the axes' shape, mean 0, variance about 1.
        """
        total = np.zeros_like(axes[0])
        for wave, phase, gain in zip(self.waves, self.phases, self.gains, strict=True):
            value = np.sin(sum((k * axis for k, axis in zip(wave, axes, strict=True)), start=phase))
            if footprint is not None:
                spread = sum(
                    (np.square(k * size) for k, size in zip(wave, footprint, strict=True)), start=np.float32(0)
                )
                value *= np.exp(np.float32(-0.5 * FILTER**2) * spread)
            total += gain * value
        return total


def make_noise(seed: int, dimensions: int, low: float, high: float, count: int = 12) -> Noise:
    """Noise between two frequencies, amplitudes falling with frequency.

    Args:
        seed: Same seed, same noise.
        dimensions: Of its points.
        low: Lowest frequency, cycles per unit.
        high: Highest frequency, cycles per unit.
        count: How many waves.
    """
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, dimensions))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    frequencies = np.geomspace(low, high, count)
    gains = frequencies**-0.55
    gains *= np.sqrt(2.0 / np.sum(gains**2))
    waves = 2 * np.pi * frequencies[:, None] * directions
    phases = rng.uniform(0, 2 * np.pi, count)
    return Noise(waves.astype(np.float32), phases.astype(np.float32), gains.astype(np.float32))


def smoothstep(low: float, high: float, value: Values) -> Values:
    """Zero below ``low``, one above ``high``, a quintic with two flat derivatives between (Perlin 2002)."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    step: Values = t * t * t * (t * (6 * t - 15) + 10)
    return step


def cover(distance: Values) -> Values:
    """Coverage of a pixel whose center is ``distance`` pixels inside an edge, under the pixel filter."""
    t = np.clip(0.5 + distance / np.float32(2.4), 0, 1)
    covered: Values = t * t * (3 - 2 * t)
    return covered


def mix(a: Values, b: Values, share: Values) -> Values:
    """``a`` and ``b`` (..., 3) blended by ``share`` (...) of b."""
    return a + (b - a) * share[..., None]


def square_wave(phase: Values, footprint: Values) -> Values:
    """A square wave of period 2, from -1 to 1, under the pixel filter.

    Args:
        phase: Where.
        footprint: Size of a pixel, in the units of ``phase``.
    """
    total = np.zeros_like(phase)
    for harmonic in (1, 3, 5, 7, 9):
        # The last factors soften the steps themselves, so that they do not ring.
        fade = np.exp(np.float32(-0.5 * (FILTER * np.pi * harmonic) ** 2) * np.square(footprint))
        gain = np.float32(4 / np.pi / harmonic * np.sinc(harmonic / 11))
        total += gain * fade * np.sin(np.float32(np.pi * harmonic) * phase)
    return total


def lettering(text: str, x: Values, y: Values, height: float) -> Values:
    """Distance to the strokes of a line of capitals, centered on the origin.

    Args:
        text: Letters out of ``DENRSTUY``.
        x: Points, right.
        y: Points, up; same shape.
        height: Letter height in the same units.

    Returns:
        float32 distances to the nearest stroke's middle line, in the same units, of the shape of ``x``.
    """
    width = (len(text) * _ADVANCE - 0.3) * height
    nearest = np.full(x.shape, np.float32(1e6))
    for place, letter in enumerate(text):
        left = place * _ADVANCE * height - width / 2
        columns = (x > left - 0.4 * height) & (x < left + 1.1 * height) & (np.abs(y) < height)
        if not columns.any():
            continue
        px, py = (x[columns] - left) / height, y[columns] / height + 0.5
        best = np.full(px.shape, np.float32(1e6))
        for x0, y0, x1, y1 in _STROKES[letter]:
            dx, dy = x1 - x0, y1 - y0
            along = np.clip(((px - x0) * dx + (py - y0) * dy) / (dx * dx + dy * dy), 0, 1)
            best = np.minimum(best, np.hypot(px - x0 - along * dx, py - y0 - along * dy))
        nearest[columns] = np.minimum(nearest[columns], best * np.float32(height))
    return nearest
