# SPDX-License-Identifier: Apache-2.0
"""Writes 8-bit RGB pictures as PNG (ISO/IEC 15948) with the standard library; contact sheets need no more."""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Writes a picture, uint8 ``(height, width, 3)``."""
    path.write_bytes(png_bytes(pixels))


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """A picture, uint8 ``(height, width, 3)``, as the bytes of a PNG file; the same pixels give the same bytes."""
    height, width, _ = pixels.shape
    # Each row starts with its filter type; 1 (Sub) stores differences to the pixel on the left, which pack better.
    left = np.zeros_like(pixels)
    left[:, 1:] = pixels[:, :-1]
    rows = np.concatenate([np.ones((height, 1), np.uint8), (pixels - left).reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
