# SPDX-License-Identifier: Apache-2.0
"""Stills for upscaling: any folder of pictures, and the layouts in which Set5, Set14 and Urban100 are handed around.

``Set5/*.png``, ``Set5/HR/*.png`` (beside ``LR_bicubic``), ``Set5/GTmod12/*.png`` (beside ``LRbicx2``) and
``Set5/image_SRF_2/img_001_SRF_2_HR.png``. Only the large pictures are read: the small ones are made here, so that
every table has the same ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from measures import Image, eight_bit
from sets.files import need_folder, need_some, picture, pictures_in
from understudy.contracts.errors import PlateError
from understudy.roles.resample import CUBIC, apply, axis

LAYOUT = "a folder of pictures, or one with HR, GTmod12, GT, original or image_SRF_N in it"

_LARGE = ("HR", "GTmod12", "GT", "original")


@dataclass(frozen=True, slots=True)
class Still:
    """A picture to be made smaller and enlarged again.

    Attributes:
        name: Of the file.
        load: Reads it: codes 0-255, ``(h, w, 3)``.
    """

    name: str
    load: Callable[[], Image]

    def pair(self, scale: int) -> tuple[Image, Image]:
        """The small picture and the truth, cut to a multiple of the factor.

        Raises:
            PlateError: The picture is too small.
        """
        whole = self.load()
        height, width = (side // scale * scale for side in whole.shape[:2])
        if min(height, width) < 8 * scale:
            raise PlateError(f"is too small for a factor of {scale}", where=self.name)
        truth = np.ascontiguousarray(whole[:height, :width])
        return eight_bit(resized(truth, Fraction(1, scale))), truth


def stills(folder: Path, scale: int) -> list[Still]:
    """The pictures of a set.

    Args:
        folder: The set's.
        scale: Which of several ``image_SRF_N`` is read.

    Raises:
        MissingFileError: There are none.
    """
    folder = need_folder(folder, LAYOUT)
    files = pictures_in(folder)
    for name in _LARGE:
        if not files and (folder / name).is_dir():
            files = pictures_in(folder / name)
    if not files and (folder / f"image_SRF_{scale}").is_dir():
        files = [path for path in pictures_in(folder / f"image_SRF_{scale}") if path.stem.endswith("_HR")]
    return [Still(path.stem, partial(picture, path)) for path in need_some(files, folder, LAYOUT)]


def resized(image: Image, scale: Fraction) -> Image:
    """A picture at another size, by an antialiased bicubic (Keys, a = -1/2), as MATLAB's ``imresize``."""
    height, width = (int(side * scale) for side in image.shape[:2])
    return apply(image, axis(CUBIC, scale, 0, height), axis(CUBIC, scale, 0, width), in_x=0, in_y=0)
