# SPDX-License-Identifier: Apache-2.0
"""Folders and pictures of public data sets, and what is said of damaged ones."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from measures import Image
from understudy.contracts.errors import MissingFileError, PlateError, UnreadableFileError
from understudy.frames.read import read_plate

PICTURES = frozenset({".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff", ".ppm", ".pgm"})


def need_folder(path: Path, layout: str) -> Path:
    """The folder, which must be there.

    Args:
        path: The folder.
        layout: How the set is laid out, for the message.

    Raises:
        MissingFileError: There is none.
    """
    if not path.is_dir():
        raise MissingFileError("there is no such folder", where=path.as_posix(), fix=f"the layout is {layout}")
    return path


def need_some(found: list[Path], where: Path, layout: str) -> list[Path]:
    """What was found, which must not be nothing.

    Raises:
        MissingFileError: It is.
    """
    if not found:
        raise MissingFileError("holds nothing of this set", where=where.as_posix(), fix=f"the layout is {layout}")
    return found


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.name[0] != ".")


def picture(path: Path) -> Image:
    """The codes of a picture, RGB, 0-255, float32 ``(h, w, 3)``; gray is repeated, alpha left out, 16 bits over 257.

    Raises:
        InputError: It is missing, damaged or no picture.
    """
    plate = read_plate(path, frame=None, colorspace="Raw")
    names = ("R", "G", "B") if plate.has("R") else (plate.channels[0],) * 3
    return np.ascontiguousarray(plate.take(names) * np.float32(255))


def need_size(image: Image, like: Image, path: Path) -> Image:
    """The image, which must be as large as another.

    Raises:
        PlateError: It is not.
    """
    if image.shape[:2] != like.shape[:2]:
        size, wanted = (f"{shape[1]}x{shape[0]}" for shape in (image.shape, like.shape))
        raise PlateError(f"it is {size}, and what belongs to it is {wanted}", where=path.as_posix())
    return image


def numbers(path: Path, columns: int) -> Image:
    """A table of numbers, one row a line.

    Raises:
        MissingFileError: There is no such file.
        UnreadableFileError: It is no table of so many columns.
    """
    try:
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        table = np.array([[float(cell) for cell in row] for row in rows], np.float32)
    except FileNotFoundError:
        raise MissingFileError("there is no such file", where=path.as_posix()) from None
    except (OSError, ValueError):
        raise UnreadableFileError("is no table of numbers", where=path.as_posix()) from None
    if table.ndim != 2 or table.shape[1] != columns or not np.isfinite(table).all():
        raise UnreadableFileError(f"is no table of {columns} numbers a line", where=path.as_posix())
    return table


def names_in(path: Path) -> Iterator[str]:
    """The lines of a list file; empty ones are passed over.

    Raises:
        UnreadableFileError: It is no text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UnreadableFileError("is no readable list", where=path.as_posix()) from None
    yield from (line.strip() for line in text.splitlines() if line.strip())
