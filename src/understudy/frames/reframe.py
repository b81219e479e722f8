# SPDX-License-Identifier: Apache-2.0
"""Puts a plate's pixels onto another window."""

from dataclasses import replace

import numpy as np

from understudy.contracts.plate import Plate, Window


def reframe(plate: Plate, window: Window) -> Plate:
    """The same picture over another data window: pixels outside it are cut, new ones are 0.

    Args:
        plate: The plate; returned as it is when the window is its own.
        window: The new data window.
    """
    if window == plate.data_window:
        return plate
    pixels = np.zeros((window.height, window.width, len(plate.channels)), np.float32)
    common = plate.data_window.intersection(window)
    if common:
        pixels[common.slices(window)] = plate.pixels[common.slices(plate.data_window)]
    return replace(plate, pixels=pixels, data_window=window)
