# SPDX-License-Identifier: Apache-2.0
"""A hash of what a picture shows its reader: samples, channel names and types, data window, and nothing else.

It stays the same when a file is compressed another way, stored in tiles, or given other header attributes. By the
definition ``understudy.pixels/1``, it is the BLAKE3 (256 bits) of, one after the other:

1. the line ``understudy.pixels/1``;
2. a line of JSON without spaces: ``channels`` (pairs of name and type, by name), ``inf`` and ``nan`` (how many samples
   were not finite; they count as ±65504 and 0) and ``window`` (x, y, width, height of the data window);
3. for each channel, by name: the BLAKE3 (32 bytes) of its samples, row by row from the top, little-endian, in its own
   type: ``half`` and ``float`` as IEEE 754, ``uint`` as 32 bits, ``uint8`` and ``uint16`` as codes.

Names, types and windows are those of a plate: parts and views of one file are put together over the union of their
windows, deep samples are composited.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from understudy.contracts.errors import InputError
from understudy.contracts.plate import SampleType, Window
from understudy.frames.read import read_plate

SCHEMA = "understudy.pixels/1"

_BLOCK_BYTES = 512 * 1024
"""Channels are taken apart block by block, each small enough for a core's cache; whole bands take up to three times as
long."""


class PixelHash:
    """Hashes a picture band by band.

    Args:
        channels: Names, in the order of the bands' last axis.
        types: Their storage types.
        window: The data window.
    """

    def __init__(self, channels: tuple[str, ...], types: tuple[SampleType, ...], window: Window) -> None:
        self._channels = channels
        self._types = types
        self._window = window
        self._hashers = [blake3() for _ in channels]

    def add(self, band: Any) -> None:
        """Takes the next rows.

        Args:
            band: ``(rows, width, channels)``: float16 where all channels are half, codes, or float32 whose values the
                storage types hold exactly once rounded (``uint`` channels: their bits).
        """
        rows = max(1, _BLOCK_BYTES // max(1, band[:1].nbytes))
        for top in range(0, len(band), rows):
            block = band[top : top + rows]
            for index, (hasher, kind) in enumerate(zip(self._hashers, self._types, strict=True)):
                hasher.update(_stored(block[..., index], kind))

    def hexdigest(self, *, nan: int = 0, inf: int = 0) -> str:
        """The hash, once every row was taken.

        Args:
            nan: NaN that were replaced by 0 in the rows.
            inf: Infinite values that were replaced by ±65504.
        """
        order = sorted(range(len(self._channels)), key=lambda index: self._channels[index])
        window = self._window
        head = {
            "channels": [[self._channels[index], self._types[index]] for index in order],
            "inf": inf,
            "nan": nan,
            "window": [window.x, window.y, window.width, window.height],
        }
        whole = blake3(f"{SCHEMA}\n{json.dumps(head, separators=(',', ':'))}\n".encode())
        for index in order:
            whole.update(self._hashers[index].digest())
        return whole.hexdigest()


def pixel_hash(path: Path) -> str:
    """The hash of a file's pixels.

    Raises:
        InputError: It is missing, damaged, cut short or refused.
    """
    plate = read_plate(path, frame=None, colorspace="")
    found = PixelHash(plate.channels, plate.sample_types, plate.data_window)
    found.add(plate.pixels)
    return found.hexdigest(nan=plate.sanitized.nan, inf=plate.sanitized.inf)


def pixel_hash_or_none(path: Path) -> str | None:
    """The hash of a file's pixels; None where they can't be read."""
    try:
        return pixel_hash(path)
    except InputError:
        return None


def _stored(column: Any, kind: SampleType) -> Any:
    """The bytes of one channel's samples, little-endian, in its storage type."""
    if column.dtype == np.float32 and kind == "half":
        column = column.astype("<f2")
    elif column.dtype == np.float32 and kind in ("uint8", "uint16"):
        top, code = (255, "<u1") if kind == "uint8" else (65535, "<u2")
        column = np.rint(column * np.float32(top)).astype(code)
    return np.ascontiguousarray(column).view(np.uint8).reshape(-1)
