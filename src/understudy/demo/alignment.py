# SPDX-License-Identifier: Apache-2.0
"""How far one picture lies from another, by phase correlation."""

import numpy as np

from understudy.contracts.plate import FloatImage

_FINEST = 0.125
"""Highest frequency that counts, cycles a pixel: a draft at a quarter of the size still shows it."""
_STEP = 0.01
_REACH = 3.0


def displacement(a: FloatImage, b: FloatImage) -> tuple[float, float]:
    """Where ``b`` shows what ``a`` shows at its place: x to the right and y down, pixels, to a hundredth.

    Phase correlation of coarse detail alone (below an eighth of a cycle a pixel), so that a sharp and a soft picture
    compare. The peak is found to a pixel, and then finer by an upsampled inverse transform around it (Guizar-Sicairos,
    Thurman and Fienup, Optics Letters 33, 2008).

    Args:
        a: ``(height, width)``, code values of a display or log encoding: one bright point must not outweigh the rest.
        b: The same shape.
    """
    height, width = a.shape
    taper = np.hanning(height)[:, None] * np.hanning(width)[None, :]
    spectra = [np.fft.fft2((image - image.mean()) * taper) for image in (a, b)]
    cross = np.conj(spectra[0]) * spectra[1]
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]
    size = np.abs(cross)
    counts = (np.hypot(rows, columns) < _FINEST) & (size > 1e-6 * size.max())
    if not counts.any():
        return 0.0, 0.0
    phase = np.where(counts, cross / np.where(counts, size, 1), 0)
    surface = np.fft.ifft2(phase).real
    y, x = np.unravel_index(int(surface.argmax()), surface.shape)
    y, x = (int(at) - side * (at > side // 2) for at, side in ((y, height), (x, width)))
    around = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    low, left = (np.flatnonzero(np.abs(axis) < _FINEST) for axis in (rows[:, 0], columns[0]))
    down = np.exp(2j * np.pi * (y + around)[:, None] * rows[low].T)
    across = np.exp(2j * np.pi * columns[:, left].T * (x + around)[None, :])
    fine = (down @ phase[np.ix_(low, left)] @ across).real
    at_y, at_x = np.unravel_index(int(fine.argmax()), fine.shape)
    return round(float(x + around[at_x]), 2) + 0.0, round(float(y + around[at_y]), 2) + 0.0
