# SPDX-License-Identifier: Apache-2.0
"""A hash of what a picture shows its reader: samples, channel names and types, data window, and nothing else.

It stays the same when a file is compressed another way, stored in tiles, or given other header attributes. By the
definition ``understudy.pixels/1``, it is the BLAKE3 (256 bits) of, one after the other:

1. the line ``understudy.pixels/1``;
2. a line of JSON without spaces: ``channels`` (pairs of name and type, in their order), ``inf`` and ``nan`` (how many
   samples were not finite; they count as ±65504 and 0) and ``window`` (x, y, width, height of the data window);
3. the BLAKE3 (32 bytes) of all samples, row by row from the top, pixel by pixel, channel by channel, little-endian:
   as 16 bits where every channel is ``half``, as codes where every one is ``uint8`` or every one is ``uint16``, else
   with 32 bits each: ``uint`` as integers, all others as IEEE 754.

Channels are in the order of layer, then R, G, B, A, then name: a plate's own order nearly always, so that its memory is
hashed as it is.

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
"""What has to be put in order first is done so block by block, each small enough for a core's cache."""

_RANKS = {"R": 0, "G": 1, "B": 2, "A": 3}


class PixelHash:
    """Hashes a picture band by band.

    Args:
        channels: Names, in the order of the bands' last axis.
        types: Their storage types.
        window: The data window.
    """

    def __init__(self, channels: tuple[str, ...], types: tuple[SampleType, ...], window: Window) -> None:
        self._order = sorted(range(len(channels)), key=lambda index: _place(channels[index]))
        self._channels = [[channels[index], types[index]] for index in self._order]
        self._types = types
        self._window = window
        self._samples = blake3()

    def add(self, band: Any) -> None:
        """Takes the next rows.

        Args:
            band: ``(rows, width, channels)``: float16 where all channels are half, codes, or float32 whose values the
                storage types hold exactly once rounded (``uint`` channels: their bits).
        """
        in_order = self._order == list(range(len(self._order)))
        if in_order and band.flags.c_contiguous and self._is_stored(band):
            self._samples.update(_bytes(band))
            return
        rows = max(1, _BLOCK_BYTES // max(1, band[:1].nbytes))
        for top in range(0, len(band), rows):
            block = band[top : top + rows]
            if not in_order:
                block = np.take(block, self._order, axis=2)
            block = self._stored(block)
            self._samples.update(_bytes(np.ascontiguousarray(block)))

    def hexdigest(self, *, nan: int = 0, inf: int = 0) -> str:
        """The hash, once every row was taken.

        Args:
            nan: NaN that were replaced by 0 in the rows.
            inf: Infinite values that were replaced by ±65504.
        """
        window = self._window
        head = {
            "channels": self._channels,
            "inf": inf,
            "nan": nan,
            "window": [window.x, window.y, window.width, window.height],
        }
        whole = blake3(f"{SCHEMA}\n{json.dumps(head, separators=(',', ':'))}\n".encode())
        whole.update(self._samples.digest())
        return whole.hexdigest()

    def _is_stored(self, band: Any) -> bool:
        """Whether the band's memory is what is hashed."""
        return band.dtype != np.float32 or not {"half", "uint8", "uint16"} & set(self._types)

    def _stored(self, block: Any) -> Any:
        """Samples in order, as they are hashed."""
        if self._is_stored(block):
            return block
        kinds = [kind for _, kind in self._channels]
        if set(kinds) == {"half"}:
            return block.astype("<f2")
        if set(kinds) in ({"uint8"}, {"uint16"}):
            top, code = (255, "<u1") if kinds[0] == "uint8" else (65535, "<u2")
            return np.rint(block * np.float32(top)).astype(code)
        rounded = block.copy()
        halves = [index for index, kind in enumerate(kinds) if kind == "half"]
        rounded[..., halves] = rounded[..., halves].astype("<f2")
        return rounded


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


def _bytes(block: Any) -> Any:
    return block.reshape(-1).view(np.uint8)


def _place(name: str) -> tuple[str, int, str]:
    """Where a channel stands among others."""
    layer, _, short = name.rpartition(".")
    return layer, _RANKS.get(short, len(_RANKS)), name
