# SPDX-License-Identifier: Apache-2.0
"""Frames with true ones between them: Middlebury, Vimeo-90K, X4K1000FPS, plain sequences, exact triplets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from measures import Image
from sets.files import names_in, need_folder, need_size, need_some, picture, pictures_in
from understudy.contracts.errors import MissingFileError

MIDDLEBURY = "other-data/NAME/frame10.png and frame11.png, other-gt-interp/NAME/frame10i11.png"
TRIPLET = "sequences/00001/0001/im1.png to im3.png, tri_testlist.txt"
SEPTUPLET = "sequences/00001/0001/im1.png to im7.png, sep_testlist.txt"
X4K = "TYPE/SCENE/0000.png to 0032.png, as in X-TEST/test"
SEQUENCE = "the frames of a sequence, of which every other one is left out and made again"
EXACT = "NAME/frame0.png, frame0i1.png and frame1.png"

_HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Between:
    """Two frames and true ones between them; pictures are read when they are asked for.

    Attributes:
        name: Of the scene.
        a: The file of the first.
        b: The file of the second.
        truths: Times between 0 and 1, and the file of each.
    """

    name: str
    a: Path
    b: Path
    truths: tuple[tuple[Fraction, Path], ...]

    def load(self) -> tuple[Image, Image, list[Image]]:
        """Both frames and the true ones, codes 0-255, of one size.

        Raises:
            InputError: One is missing or damaged, or their sizes differ.
        """
        a = picture(self.a)
        b = need_size(picture(self.b), a, self.b)
        return a, b, [need_size(picture(path), a, path) for _, path in self.truths]


def middlebury(folder: Path) -> list[Between]:
    """The scenes with a public middle frame."""
    folder = need_folder(folder, MIDDLEBURY)
    middles = need_some(sorted(folder.glob("other-gt-interp/*/frame10i11.png")), folder, MIDDLEBURY)

    def scene(middle: Path) -> Between:
        places = [folder / name / middle.parent.name for name in ("other-data", "other-color-allframes")]
        frames = next((place for place in places if (place / "frame10.png").is_file()), places[0])
        return Between(middle.parent.name, frames / "frame10.png", frames / "frame11.png", ((_HALF, middle),))

    return [scene(middle) for middle in middles]


def vimeo_triplet(folder: Path) -> list[Between]:
    """The triplets of the test list."""
    return [
        Between(name, place / "im1.png", place / "im3.png", ((_HALF, place / "im2.png"),))
        for name, place in _listed(folder, "tri_testlist.txt", TRIPLET)
    ]


def vimeo_septuplet(folder: Path) -> list[Between]:
    """From the first and the last of seven frames of the test list, the five between."""
    return [
        Between(
            name,
            place / "im1.png",
            place / "im7.png",
            tuple((Fraction(n, 6), place / f"im{n + 1}.png") for n in range(1, 6)),
        )
        for name, place in _listed(folder, "sep_testlist.txt", SEPTUPLET)
    ]


def _listed(folder: Path, file: str, layout: str) -> Iterator[tuple[str, Path]]:
    folder = need_folder(folder, layout)
    if not (folder / file).is_file():
        raise MissingFileError(f"has no {file}", where=folder.as_posix(), fix=f"the layout is {layout}")
    for name in names_in(folder / file):
        place = folder / "sequences" / name
        if ".." in Path(name).parts or not place.is_dir():
            problem = f'lists "{name[:60]}", which is not under sequences'
            raise MissingFileError(problem, where=(folder / file).as_posix())
        yield name, place


def x_test(folder: Path) -> list[Between]:
    """X4K1000FPS X-TEST, 8 times: from frames 0 and 32 those at 4, 8 ... 28."""
    folder = need_folder(folder, X4K)
    ends = sorted(folder.glob("**/0032.png"))

    def scene(end: Path) -> Between:
        place = end.parent
        truths = tuple((Fraction(n, 32), place / f"{n:04d}.png") for n in range(4, 32, 4))
        return Between(f"{place.parent.name}/{place.name}", place / "0000.png", end, truths)

    return [scene(end) for end in need_some(ends, folder, X4K)]


def sequence(folder: Path) -> list[Between]:
    """Every fourth frame starts a triplet n, n+1, n+2, so that none shares an input with its neighbor."""
    files = pictures_in(need_folder(folder, SEQUENCE))
    need_some(files if len(files) > 2 else [], folder, SEQUENCE)
    return [
        Between(files[n + 1].stem, files[n], files[n + 2], ((_HALF, files[n + 1]),))
        for n in range(0, len(files) - 2, 4)
    ]


def exact(folder: Path) -> list[Between]:
    """Triplets whose middle frame was warped by a known law."""
    folder = need_folder(folder, EXACT)
    middles = need_some(sorted(folder.glob("*/frame0i1.png")), folder, EXACT)
    return [
        Between(path.parent.name, path.with_name("frame0.png"), path.with_name("frame1.png"), ((_HALF, path),))
        for path in middles
    ]


def readers() -> Iterator[tuple[str, Callable[[Path], list[Between]]]]:
    """Every set of frames by its name on the command line."""
    yield "middlebury-interpolation", middlebury
    yield "vimeo-triplet", vimeo_triplet
    yield "vimeo-septuplet", vimeo_septuplet
    yield "x4k", x_test
    yield "sequence", sequence
    yield "triplets-exact", exact
