# SPDX-License-Identifier: Apache-2.0
"""One view under many lights: DiLiGenT, and photometric-stereo folders such as PSBox's cat."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from measures import Image, Mask
from sets.files import names_in, need_folder, need_size, need_some, numbers, picture, pictures_in
from understudy.contracts.errors import UnreadableFileError, UsageError
from understudy.roles.relight import fit_normals

DILIGENT = "OBJECT/filenames.txt, light_directions.txt, light_intensities.txt, mask.png and normal.txt"
FOLDER = "Image_01.png and so on, light_directions.txt, optionally light_strength*.txt and mask.png"

_LIT = 0.02
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class LitScene:
    """An object under one distant light a picture.

    Attributes:
        images: Linear light ``(h, w, 3)``, 1 being the file's white, divided by what colors the light.
        directions: ``(n, 3)``: toward each light, x right, y up, z to the camera.
        strengths: Irradiance of each on a surface that faces it.
        mask: Where the object is.
        normals: True normals ``(h, w, 3)``.
        measured: The truth comes with the set; else it was fitted to all lights (Woodham 1980).
    """

    images: list[Image]
    directions: Image
    strengths: Image
    mask: Mask
    normals: Image
    measured: bool


@dataclass(frozen=True, slots=True)
class Lit:
    """A scene, not yet read.

    Attributes:
        name: Of the object.
        load: Reads it.
    """

    name: str
    load: Callable[[], LitScene]


def diligent(folder: Path) -> list[Lit]:
    """DiLiGenT's objects: 96 lights, true normals."""
    folder = need_folder(folder, DILIGENT)
    lists = sorted({*folder.glob("filenames.txt"), *folder.glob("**/*PNG/filenames.txt")})
    return [
        Lit(path.parent.name.removesuffix("PNG"), partial(_diligent, path))
        for path in need_some(lists, folder, DILIGENT)
    ]


def _diligent(listed: Path) -> LitScene:
    place = listed.parent
    files = [place / name for name in names_in(listed)]
    directions = _directions(place / "light_directions.txt", len(files))
    intensities = numbers(place / "light_intensities.txt", 3)
    if len(intensities) != len(files) or not (intensities > 0).all():
        where = (place / "light_intensities.txt").as_posix()
        raise UnreadableFileError(f"needs three numbers over 0 for each of {len(files)} pictures", where=where)
    images = [picture(file) / 255 / light for file, light in zip(files, intensities, strict=True)]
    mask = need_size(picture(place / "mask.png"), images[0], place / "mask.png")[..., 0] > 127
    table = numbers(place / "normal.txt", 3)
    if len(table) != mask.size:
        where = (place / "normal.txt").as_posix()
        raise UnreadableFileError(f"has {len(table)} lines for {mask.size} pixels", where=where)
    brightest = max(float(image[mask].max()) for image in images)
    images = [(image / brightest).astype(np.float32) for image in images]
    strengths = np.full(len(files), np.pi, np.float32)
    return LitScene(images, directions, strengths, mask, table.reshape(*mask.shape, 3), measured=True)


def photometric(folder: Path) -> list[Lit]:
    """A folder of pictures under known lights; without true normals, those that fit all of them."""
    folder = need_folder(folder, FOLDER)
    need_some(sorted(folder.glob("light_directions.txt")), folder, FOLDER)
    return [Lit(folder.name, partial(_photometric, folder))]


def _photometric(folder: Path) -> LitScene:
    files = [path for path in pictures_in(folder) if re.fullmatch(r"\D*\d+", path.stem) and "mask" not in path.stem]
    need_some(files, folder, FOLDER)
    images = [picture(files[0]) / np.float32(255)]
    images += [need_size(picture(path) / np.float32(255), images[0], path) for path in files[1:]]
    directions = _directions(folder / "light_directions.txt", len(files))
    strengths = np.full(len(files), np.pi, np.float32)
    for path in sorted(folder.glob("light_strength*.txt"))[:1]:
        strengths = numbers(path, 1)[:, 0] * np.float32(np.pi)
        if len(strengths) != len(files):
            raise UnreadableFileError(f"has {len(strengths)} lines for {len(files)} pictures", where=path.as_posix())
    mask = np.mean(images, axis=0)[..., 0] > _LIT
    if (folder / "mask.png").is_file():
        mask = need_size(picture(folder / "mask.png"), images[0], folder / "mask.png")[..., 0] > 127
    try:
        normals, _ = fit_normals(images, directions, strengths)
    except UsageError as error:
        raise UnreadableFileError(error.problem, where=folder.as_posix(), fix=error.fix) from None
    return LitScene(images, directions, strengths, mask & (np.abs(normals).sum(axis=2) > 0), normals, measured=False)


def _directions(path: Path, count: int) -> Image:
    """One direction a line, or x, y and z a line each."""
    across = len(list(names_in(path))) == _FEWEST and count != _FEWEST
    table = numbers(path, count if across else 3)
    table = table.T if across else table
    if table.shape != (count, 3) or not (np.linalg.norm(table, axis=1) > 0).all():
        raise UnreadableFileError(f"needs a direction for each of {count} pictures", where=path.as_posix())
    return np.ascontiguousarray(table)


def readers() -> Iterator[tuple[str, Callable[[Path], list[Lit]]]]:
    """Every set of lights by its name on the command line."""
    yield "diligent", diligent
    yield "photometric", photometric
