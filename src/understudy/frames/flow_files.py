# SPDX-License-Identifier: Apache-2.0
"""Motion files of the public benchmarks: Middlebury's ``.flo`` and KITTI's 16-bit ``.png``.

- ``.flo`` (Baker et al., "A Database and Evaluation Methodology for Optical Flow", 2011): the float 202021.25 (bytes
  ``PIEH``), width and height as int32, then ``u v`` as float32, rows from the top; little-endian. A component beyond
  1e9 marks a pixel whose motion nobody knows.
- ``.png`` (KITTI 2015 development kit): 16-bit RGB; ``u = (R - 2^15) / 64``, ``v = (G - 2^15) / 64``, and B is 0 where
  nothing is known.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.errors import MissingFileError, UnreadableFileError, UnsupportedFileError
from understudy.contracts.plate import FloatImage

_TAG = 202021.25
_UNKNOWN = 1e9
_MOST_SIDE = 1 << 16


@dataclass(frozen=True, slots=True)
class FlowField:
    """Motion from one frame to another.

    Attributes:
        vectors: float32 ``(h, w, 2)``, pixels, u right, v **down**; 0 where unknown.
        known: bool ``(h, w)``: the file says how the pixel moves.
    """

    vectors: FloatImage
    known: npt.NDArray[np.bool_]


def read_flow(path: Path) -> FlowField:
    """Reads a ``.flo`` or KITTI ``.png`` file.

    Raises:
        MissingFileError: There is none.
        UnreadableFileError: It is damaged or cut short.
        UnsupportedFileError: It is of another kind.
    """
    if not path.is_file():
        raise MissingFileError("there is no such motion file", where=path.as_posix())
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(f"can't be read: {error.strerror}", where=path.as_posix()) from None
    suffix = path.suffix.lower()
    if suffix == ".flo":
        return _flo(data, path)
    if suffix == ".png":
        return _kitti(data, path)
    raise UnsupportedFileError(f'"{suffix}" is no motion file', where=path.as_posix(), fix="give .flo or KITTI's .png")


def _flo(data: bytes, path: Path) -> FlowField:
    if len(data) < 12 or np.frombuffer(data, "<f4", 1)[0] != _TAG:
        raise _damaged(path, "it does not begin as a .flo file does")
    width, height = (int(side) for side in np.frombuffer(data, "<i4", 2, 4))
    if not (0 < width <= _MOST_SIDE and 0 < height <= _MOST_SIDE):
        raise _damaged(path, f"it says that it is {width}x{height}")
    wanted = 12 + 8 * width * height
    if len(data) != wanted:
        raise _damaged(path, f"{width}x{height} takes {wanted} bytes, and it has {len(data)}")
    vectors = np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2).astype(np.float32)
    known: npt.NDArray[np.bool_] = np.all(np.abs(vectors) <= _UNKNOWN, axis=2)  # false for NaN too
    vectors[~known] = 0
    return FlowField(vectors, known)


def _kitti(data: bytes, path: Path) -> FlowField:
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        raise _damaged(path, "it is no PNG")
    if data[24:26] != b"\x10\x02":
        raise _damaged(path, "a motion PNG has 16 bits in each of three channels")
    if b"IEND" not in data[-12:]:
        raise _damaged(path, "it is cut short")
    try:
        codes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        codes = None
    if codes is None or codes.dtype != np.uint16 or codes.ndim != 3:
        raise _damaged(path, "it can't be decoded")
    known = codes[..., 0] > 0  # OpenCV gives B, G, R
    vectors = (codes[..., 2:0:-1].astype(np.float32) - np.float32(32768)) / np.float32(64)
    vectors[~known] = 0
    return FlowField(np.ascontiguousarray(vectors), known)


def _damaged(path: Path, why: str) -> UnreadableFileError:
    return UnreadableFileError(f"is damaged: {why}", where=path.as_posix(), fix="fetch the file again")
