# SPDX-License-Identifier: Apache-2.0
"""Small pictures for a screen: what the display window shows, through the OCIO display and view, at proxy size.

Pictures are averaged to their size in scene-linear light and only then go through the view, which costs seconds at 4K.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from understudy.color.config import ColorConfig
from understudy.color.decide import decide
from understudy.contracts.channels import ChannelKind, classify, color_groups
from understudy.contracts.cores import available_cores
from understudy.contracts.errors import UnsupportedFileError
from understudy.contracts.header import FileHeader
from understudy.contracts.plate import FloatImage, Plate
from understudy.frames.header import read_header
from understudy.frames.read import read_plate

_FOR_SCREENS = "sdr-video"
_WHEEL_FULL = 0.02
"""Vectors this long, in picture widths, have full saturation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """How pictures are shown.

    Attributes:
        config: The OCIO config.
        height: Height of the picture in pixels; a smaller picture is not enlarged.
        display: A display of the config; empty for its default one.
        view: A view of it; empty for its default one.
        colorspace: Color space of the files; empty: told by each header.
    """

    config: ColorConfig
    height: int = 540
    display: str = ""
    view: str = ""
    colorspace: str = ""


def proxy(path: Path, screen: Screen) -> FloatImage:
    """One file as a small picture.

    Args:
        path: A picture file. Vectors are shown as colors: hue is direction, saturation length.
        screen: How it is shown.

    Returns:
        float32 ``(height, width, 3)``, display code values in 0-1; both sides even, square pixels.

    Raises:
        InputError: It can't be read, or there is nothing in it to show.
        ColorspaceError: Its color space is not known.
    """
    header = read_header(path)
    names, kind = _shown(header)
    plate = read_plate(path, frame=None, colorspace="", header=header, channels=names)
    pixels = _fitted(_cropped(plate.take(names), plate), screen.height, plate.pixel_aspect)
    if kind is ChannelKind.VECTOR:
        return vector_colors(pixels, _WHEEL_FULL * plate.display_window.width)
    if len(names) == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if kind is ChannelKind.COLOR:
        space = screen.colorspace or decide(header.color, user="", config=screen.config).colorspace
        if screen.config.encoding(space) != _FOR_SCREENS:  # what was made for a screen goes there as it is
            pixels = screen.config.to_display(pixels, space, view=screen.view, display=screen.display)
    shown: FloatImage = np.clip(pixels, 0, 1)
    return shown


def proxies(paths: Iterable[Path], screen: Screen) -> Iterator[FloatImage]:
    """The proxies of many files, in order; all cores at work, few pictures in memory."""
    workers = available_cores()
    waiting: deque[Future[FloatImage]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for path in paths:
            waiting.append(pool.submit(proxy, path, screen))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def vector_colors(vectors: FloatImage, full: float) -> FloatImage:
    """Vectors as colors.

    Args:
        vectors: ``(height, width, 2)``, u right, v up, pixels.
        full: Length of full saturation, pixels.

    Returns:
        Display code values ``(height, width, 3)``: gray where nothing moves.
    """
    angle = np.degrees(np.arctan2(vectors[..., 1], vectors[..., 0])) % 360
    length = np.clip(np.hypot(vectors[..., 0], vectors[..., 1]) / full, 0, 1)
    hsv = np.stack([angle, np.sqrt(length), 0.45 + 0.5 * np.sqrt(length)], axis=-1).astype(np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.float32)


def codes(picture: FloatImage) -> npt.NDArray[np.uint8]:
    """Display code values as 8-bit codes."""
    return np.round(picture * np.float32(255)).astype(np.uint8)


def _shown(header: FileHeader) -> tuple[tuple[str, ...], ChannelKind]:
    """The channels to show, and what they are: main color, else vectors, else the first channel."""
    names = [name for part in header.parts for name in part.channels]
    types = [kind for part in header.parts for kind in part.sample_types]
    groups = classify(names, types)
    for group in color_groups(groups):
        return group.names, ChannelKind.COLOR
    for name in names:
        if name.endswith(".u") and f"{name[:-1]}v" in names:
            return (name, f"{name[:-1]}v"), ChannelKind.VECTOR
    for group in groups:
        if group.kind is not ChannelKind.ID:
            return group.names[:1], ChannelKind.DATA
    raise UnsupportedFileError("holds nothing that a person could look at", where=header.path)


def _cropped(pixels: FloatImage, plate: Plate) -> FloatImage:
    """What the display window shows; black where there is no pixel."""
    data, display = plate.data_window, plate.display_window
    if data == display:
        return pixels
    out = np.zeros((display.height, display.width, pixels.shape[2]), np.float32)
    seen = display.intersection(data)
    if seen:
        out[seen.slices(display)] = pixels[seen.slices(data)]
    return out


def _fitted(pixels: FloatImage, height: int, aspect: float) -> FloatImage:
    """Averaged to at most a height, with square pixels and even sides, which video needs."""
    rows, columns = pixels.shape[:2]
    scale = min(1.0, height / rows)
    size = (max(2, round(columns * aspect * scale / 2) * 2), max(2, round(rows * scale / 2) * 2))
    shrinks = size[0] <= columns and size[1] <= rows
    out = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.ascontiguousarray(out.reshape(size[1], size[0], pixels.shape[2]))
