# SPDX-License-Identifier: Apache-2.0
"""Backward warping of original pixels: a sharp kernel for light, a linear one for data, none for identifiers.

Everything here works on windows in absolute pixels and in row bands, so that memory stays bounded by the band. A zero
or whole-pixel displacement returns source samples bit for bit.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.plate import FloatImage, Window
from understudy.roles.tiling import as_index

Kernel = Literal["sharp", "bounded", "linear", "nearest"]

_BAND_ROWS = 256
_BAND_COLUMNS = 8192  # OpenCV's remap holds coordinates in 16 bits
_NEIGHBORS = np.ones((4, 4), np.uint8)
_OVERSHOOT = np.float32(0.5)
_CONTRAST = np.float32(16)


def warp(
    image: FloatImage,
    source: Window,
    target: Window,
    flow: FloatImage,
    kernel: Kernel,
    channels: Sequence[int] | None = None,
    held: Sequence[int] = (),
) -> FloatImage:
    """Samples ``image`` at ``p + flow(p)`` for every pixel ``p`` of ``target``; outside ``source`` its edge goes on.

    ``sharp`` and ``bounded`` are Lanczos over 8x8 samples (Lanczos-4, Duchon, J. Appl. Meteor. 18, 1979). ``bounded``
    then holds the result within the 4x4 samples around it. ``sharp`` lets it leave them as far as photographs do: by
    half of the smaller of their spread and their darkest magnitude, and less the more their contrast exceeds four
    stops, so that a sun of 500 leaves no ring.

    Args:
        image: float32 ``(source.height, source.width, channels)``; any finite value.
        source: Where ``image`` lies, absolute pixels.
        target: Where the result lies, absolute pixels.
        flow: float32 ``(target.height, target.width, 2)``: displacement in pixels, u right, v down.
        kernel: ``sharp``, ``bounded``, ``linear`` or ``nearest``; nearest copies the 32 bits of a sample whatever they
            mean.
        channels: Positions on ``image``'s last axis to take, in this order; None for all.
        held: Those of them that a ``sharp`` kernel treats as ``bounded`` (alpha beside its color).

    Returns:
        float32 ``(target.height, target.width, len(channels))``.
    """
    taken = list(range(image.shape[2]) if channels is None else channels)
    out = np.empty((target.height, target.width, len(taken)), np.float32)
    for rows, columns in _bands(target):
        x, y = _coordinates(source, target, flow, rows, columns)
        if kernel == "nearest":
            at_y, at_x = np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)
            for position, channel in enumerate(taken):
                out[rows, columns, position] = image[at_y, at_x, channel]
            continue
        top, bottom, left, right = _reach(x, y, source)
        piece = image[top:bottom, left:right]
        x -= np.float32(left)
        y -= np.float32(top)
        for first in range(0, len(taken), 4):
            few = taken[first : first + 4]
            part = piece if few == list(range(image.shape[2])) else np.ascontiguousarray(piece[..., as_index(few)])
            bounded = (
                range(len(few)) if kernel == "bounded" else [few.index(channel) for channel in held if channel in few]
            )
            out[rows, columns, first : first + 4] = _remap(part, x, y, kernel, bounded)
    return out


def inside(source: Window, target: Window, flow: FloatImage) -> npt.NDArray[np.bool_]:
    """Where ``p + flow(p)`` lies within the pixel centers of ``source``, give or take half a pixel.

    Returns:
        bool ``(target.height, target.width)``.
    """
    x = np.arange(target.width, dtype=np.float32) + np.float32(target.x - source.x)
    y = (np.arange(target.height, dtype=np.float32) + np.float32(target.y - source.y))[:, None]
    at_x, at_y = flow[..., 0] + x, flow[..., 1] + y
    result: npt.NDArray[np.bool_] = (
        (at_x >= -0.5) & (at_x <= source.width - 0.5) & (at_y >= -0.5) & (at_y <= source.height - 0.5)
    )
    return result


def extend(image: FloatImage, source: Window, target: Window) -> FloatImage:
    """``image`` over ``target``, which holds ``source``; beyond its edge the edge sample goes on."""
    if source == target:
        return image
    top, left = source.y - target.y, source.x - target.x
    bottom, right = target.bottom - source.bottom, target.right - source.right
    return np.pad(image, ((top, bottom), (left, right), (0, 0)), mode="edge")


def crop(image: FloatImage, source: Window, target: Window) -> FloatImage:
    """The part of ``image`` over ``target``, which lies within ``source``, as an array of its own."""
    top, left = target.y - source.y, target.x - source.x
    return np.ascontiguousarray(image[top : top + target.height, left : left + target.width])


def reduce(image: FloatImage, factor: int) -> FloatImage:
    """Box mean over ``factor`` x ``factor`` pixels; ragged sides are padded with their edge first."""
    if factor == 1:
        return image
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, -height % factor), (0, -width % factor), (0, 0)), mode="edge")
    size = (padded.shape[1] // factor, padded.shape[0] // factor)
    return cv2.resize(padded, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)


def enlarge(image: FloatImage, factor: int, height: int, width: int) -> FloatImage:
    """Bilinear enlargement, pixel centers aligned as ``reduce`` has them, cut to ``height`` x ``width``."""
    if factor == 1:
        return image
    size = (image.shape[1] * factor, image.shape[0] * factor)
    large = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR).reshape(size[1], size[0], -1)
    return np.ascontiguousarray(large[:height, :width])


def _bands(target: Window) -> Iterator[tuple[slice, slice]]:
    for top in range(0, target.height, _BAND_ROWS):
        rows = slice(top, min(top + _BAND_ROWS, target.height))
        for left in range(0, target.width, _BAND_COLUMNS):
            yield rows, slice(left, min(left + _BAND_COLUMNS, target.width))


def _coordinates(
    source: Window, target: Window, flow: FloatImage, rows: slice, columns: slice
) -> tuple[FloatImage, FloatImage]:
    across = np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(target.x - source.x)
    down = np.arange(rows.start, rows.stop, dtype=np.float32) + np.float32(target.y - source.y)
    x = np.clip(flow[rows, columns, 0] + across, 0, source.width - 1)
    y = np.clip(flow[rows, columns, 1] + down[:, None], 0, source.height - 1)
    return x, y


def _reach(x: FloatImage, y: FloatImage, source: Window) -> tuple[int, int, int, int]:
    top, left = max(int(y.min()) - 4, 0), max(int(x.min()) - 4, 0)
    bottom, right = min(int(y.max()) + 6, source.height), min(int(x.max()) + 6, source.width)
    return top, bottom, left, right


def _remap(part: FloatImage, x: FloatImage, y: FloatImage, kernel: Kernel, bounded: Sequence[int]) -> FloatImage:
    shape = (*x.shape, part.shape[2])
    if kernel == "linear":
        return cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(shape)
    sharp = cv2.remap(part, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE).reshape(shape)
    floor_x, floor_y = np.floor(x), np.floor(y)
    low, high = (
        cv2.remap(
            extreme(part, _NEIGHBORS, anchor=(1, 1)),
            floor_x,
            floor_y,
            cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_REPLICATE,
        ).reshape(shape)
        for extreme in (cv2.erode, cv2.dilate)
    )
    if len(bounded) == shape[2]:
        np.minimum(np.maximum(sharp, low, out=sharp), high, out=sharp)
        return sharp
    leaves = np.flatnonzero((sharp < low) | (sharp > high))
    low, high = low.reshape(-1)[leaves], high.reshape(-1)[leaves]
    slack = _slack(low, high)
    for channel in bounded:
        slack[leaves % shape[2] == channel] = 0
    flat = sharp.reshape(-1)
    flat[leaves] = np.clip(flat[leaves], low - slack, high + slack)
    return sharp


def _slack(low: FloatImage, high: FloatImage) -> FloatImage:
    """How far a sharp result may leave its bounds, as :func:`warp` says."""
    small, large = np.abs(low), np.abs(high)
    small, large = np.minimum(small, large), np.maximum(small, large)
    slack = _OVERSHOOT * np.minimum(high - low, small)
    slack *= np.minimum(1, _CONTRAST * small / np.maximum(large, np.float32(1e-30)))
    return slack
