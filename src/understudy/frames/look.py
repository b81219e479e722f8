# SPDX-License-Identifier: Apache-2.0
"""What a publish must know of one frame's pixels, in one read: whether they are sound, and numbers to compare by."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from blake3 import blake3

from understudy.contracts.channels import alpha_of, classify, color_groups
from understudy.contracts.errors import InputError, MemoryBudgetError
from understudy.contracts.header import FileHeader
from understudy.contracts.plate import FloatImage, Plate
from understudy.frames.header import read_header
from understudy.frames.read import read_plate

BLOCKS = (9, 16)
"""Rows and columns of the blocks whose light is compared over time."""

_FLOOR = 2.0**-6
"""Added to light before its logarithm: flicker in the dark is not seen."""
_FEWEST = 32
_DARK = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLook:
    """One frame.

    Attributes:
        path: The file.
        header: Its header; None where it can't be read.
        problem: Why the file or its pixels can't be read; None where they can.
        nan: Samples that are no number.
        inf: Samples that are infinite.
        alpha: It has an alpha beside its main color.
        association: How bright soft edges (alpha 0.02 to 0.98) are beside solid pixels, over their alpha. About the
            same for a picture and what was made of it, 1.5 to 2 times that once it was unpremultiplied, and as much
            less once it was premultiplied twice. None where there are too few of either.
        light: float32 ``BLOCKS``, log2 of the mean main color of each block; None where there is no color.
        picture: BLAKE3 of the main color and its alpha, as float32, and of their windows; empty without color.
    """

    path: Path
    header: FileHeader | None = None
    problem: InputError | None = None
    nan: int = 0
    inf: int = 0
    alpha: bool = False
    association: float | None = None
    light: npt.NDArray[np.float32] | None = None
    picture: str = ""


def look_at(path: Path) -> FrameLook:
    """Reads one frame.

    Args:
        path: The file; anything may be wrong with it.

    Raises:
        MemoryBudgetError: It does not fit in memory.
    """
    header: FileHeader | None = None
    try:
        header = read_header(path)
        plate = read_plate(path, frame=None, colorspace="", header=header)
    except MemoryBudgetError:
        raise
    except InputError as error:
        return FrameLook(path=path, header=header, problem=error)
    groups = classify(plate.channels, plate.sample_types)
    bad = plate.sanitized
    for group in color_groups(groups):
        color = plate.take(group.names)
        alpha_name = alpha_of(group, groups)
        alpha = plate.take((alpha_name,)) if alpha_name else None
        return FrameLook(
            path=path,
            header=header,
            nan=bad.nan,
            inf=bad.inf,
            alpha=alpha is not None,
            association=None if alpha is None else _association(color, alpha[..., 0]),
            light=_light(color),
            picture=_digest(plate, color, alpha),
        )
    return FrameLook(path=path, header=header, nan=bad.nan, inf=bad.inf)


def flicker(lights: list[npt.NDArray[np.float32]]) -> float:
    """How much the light of a sequence jumps back and forth, in stops.

    The second difference over time of each block's log2 light: what brightens or moves steadily has none. Of its size
    the mean over time is taken, and of that the median over blocks, so that one bright object that passes is not called
    flicker. Grain averages out within a block.

    Args:
        lights: ``FrameLook.light`` of consecutive frames; 0 comes out for fewer than three.
    """
    if len(lights) < 3:
        return 0.0
    series = np.stack(lights)
    jumps = np.abs(series[2:] - 2 * series[1:-1] + series[:-2])
    return float(np.median(jumps.mean(axis=0)))


def _light(color: FloatImage) -> npt.NDArray[np.float32]:
    rows, columns = BLOCKS
    mean = np.maximum(color, 0).mean(axis=2, dtype=np.float32)
    height, width = max(rows, mean.shape[0] // rows * rows), max(columns, mean.shape[1] // columns * columns)
    if mean.shape != (height, width):
        mean = np.asarray(cv2.resize(mean, (width, height), interpolation=cv2.INTER_AREA), dtype=np.float32)
    blocks = mean.reshape(rows, height // rows, columns, width // columns).mean(axis=(1, 3), dtype=np.float32)
    return np.log2(blocks + np.float32(_FLOOR)).astype(np.float32)


def _association(color: FloatImage, alpha: FloatImage) -> float | None:
    light = np.maximum(color, 0).mean(axis=2, dtype=np.float32)
    soft, solid = (alpha > 0.02) & (alpha < 0.98), alpha >= 0.98
    if min(np.count_nonzero(soft), np.count_nonzero(solid)) < _FEWEST:
        return None
    bright = float(light[solid].mean(dtype=np.float64))
    if bright < _DARK:
        return None
    return float(light[soft].mean(dtype=np.float64)) / (float(alpha[soft].mean(dtype=np.float64)) * bright)


def _digest(plate: Plate, color: FloatImage, alpha: FloatImage | None) -> str:
    state = blake3(f"{plate.data_window} {plate.display_window}".encode())
    state.update(color.tobytes())
    if alpha is not None:
        state.update(alpha.tobytes())
    return state.hexdigest()
