# SPDX-License-Identifier: Apache-2.0
"""Color multiplied by alpha (associated, premultiplied) and divided by it again, in every layer that has an alpha."""

import numpy as np

from understudy.contracts.channels import alpha_of, classify, color_groups
from understudy.contracts.plate import Plate


def associate(plate: Plate) -> Plate:
    """The plate with color times alpha; itself when it is premultiplied already."""
    return plate if plate.premultiplied else _by_alpha(plate, divide=False)


def dissociate(plate: Plate) -> Plate:
    """The plate with color over alpha; where alpha is not over 0, color stays as it is."""
    return _by_alpha(plate, divide=True) if plate.premultiplied else plate


def _by_alpha(plate: Plate, *, divide: bool) -> Plate:
    groups = classify(plate.channels, plate.sample_types)
    pixels = plate.pixels
    for group in color_groups(groups):
        name = alpha_of(group, groups)
        alpha = None if name is None else plate.pixels[..., plate.index(name)]
        if alpha is None or bool((alpha == 1).all()):
            continue
        if pixels is plate.pixels:
            pixels = plate.pixels.copy()
        for channel in group.names:
            column = pixels[..., plate.index(channel)]
            if divide:
                np.divide(column, alpha, out=column, where=alpha > 0)
            else:
                np.multiply(column, alpha, out=column)
    return plate.with_pixels(pixels, premultiplied=not divide)
