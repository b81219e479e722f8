# SPDX-License-Identifier: Apache-2.0
"""Deep parts: their samples are composited front to back, once, on read."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813

from understudy.contracts.errors import UnsupportedFileError
from understudy.contracts.plate import FloatImage
from understudy.frames.library import last_error


def flatten(path: Path, part: int) -> FloatImage:
    """Flattens one deep part.

    Args:
        path: The file.
        part: Number of the part.

    Returns:
        float32 ``(height, width, channels)`` in the part's channel order; Z is the nearest sample's.

    Raises:
        UnsupportedFileError: It can't be flattened (no alpha or depth to composite by).
    """
    deep = oiio.ImageBuf(str(path), part, 0)
    if not deep.read(part, 0, True):
        raise UnsupportedFileError(
            f"its deep part can't be read ({last_error() or deep.geterror()})", where=str(path), fix="flatten it first"
        )
    flat = oiio.ImageBufAlgo.flatten(deep, nthreads=1)
    if flat.has_error:
        raise UnsupportedFileError(
            f"is deep and can't be flattened ({flat.geterror()})", where=str(path), fix="flatten it first"
        )
    pixels = flat.get_pixels("float")
    return np.ascontiguousarray(pixels, np.float32)
