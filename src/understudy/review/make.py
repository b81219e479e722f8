# SPDX-License-Identifier: Apache-2.0
"""Makes the review files of one sequence: movies with a slate, a thumbnail, a contact sheet."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from understudy.contracts.plate import FloatImage
from understudy.review.drawing import burn_in, slate
from understudy.review.labels import Labels
from understudy.review.movie import Kind, Movie, suffix_of
from understudy.review.proxy import Screen, proxies
from understudy.review.sheet import chosen, contact_sheet, write_picture

_THUMBNAIL_WIDTH = 480
_CELL_WIDTH = 240


@dataclass(frozen=True, slots=True)
class Shot:
    """The frames to review.

    Attributes:
        frames: Each frame's number (None for a still) and file, in order; at least one.
        fps: Frames per second.
        labels: The words over them.
        doubts: Frames that a check found doubtful; the sheet shows them in amber.
    """

    frames: tuple[tuple[int | None, Path], ...]
    fps: Fraction
    labels: Labels
    doubts: frozenset[int | None] = frozenset()


@dataclass(frozen=True, slots=True)
class ReviewFile:
    """A file that was made.

    Attributes:
        name: ``h264``, ``prores``, ``thumbnail`` or ``contactsheet``.
        path: Where it is.
        encoder: Of a movie, what encoded it.
    """

    name: str
    path: Path
    encoder: str = ""


def make_review(
    shot: Shot,
    folder: Path,
    screen: Screen,
    movies: Sequence[Kind] = ("h264", "prores"),
    on_frame: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[ReviewFile, ...]:
    """Makes the files ``<name>.mp4``, ``<name>.mov``, ``<name>.thumbnail.jpg``, ``<name>.contactsheet.png``.

    Each frame is read once; its small picture, in memory, serves all of them.

    Args:
        shot: The frames.
        folder: Where the files go.
        screen: How the frames are shown.
        movies: Which movies.
        on_frame: Hears how many frames of how many are read.

    Raises:
        InputError: A frame can't be read.
        UsageError: Movies need PyAV, which is not installed.
        OutputError: A file can't be written.
    """
    shown = set(chosen([number for number, _ in shot.frames]))
    middle = shot.frames[len(shot.frames) // 2][0]
    kept: dict[int | None, FloatImage] = {}
    first: FloatImage | None = None
    stem = folder / shot.labels.name
    space = screen.colorspace or screen.config.scene_linear
    display, _ = screen.config.display_view(space, screen.display, screen.view)
    with ExitStack() as stack:
        open_movies = {
            kind: stack.enter_context(
                Movie(stem.with_name(stem.name + suffix_of(kind)), shot.fps, kind, display=display)
            )
            for kind in movies
        }
        pictures = proxies([path for _, path in shot.frames], screen)
        for done, ((number, _), picture) in enumerate(zip(shot.frames, pictures, strict=True), 1):
            if first is None:
                first = picture
                opening = slate((first.shape[1], burn_in(first, shot.labels, number).shape[0]), shot.labels)
                for movie in open_movies.values():
                    movie.add(opening)
            picture = _of_size(picture, first)
            if number == middle or number in shown:
                kept[number] = _narrow(picture, _THUMBNAIL_WIDTH if number == middle else _CELL_WIDTH)
            labeled = burn_in(picture, shot.labels, number) if open_movies else picture
            for movie in open_movies.values():
                movie.add(labeled)
            on_frame(done, len(shot.frames))
    files = [ReviewFile(kind, _named(stem, suffix_of(kind)), movie.encoder) for kind, movie in open_movies.items()]
    thumbnail = _named(stem, ".thumbnail.jpg")
    write_picture(kept[middle], thumbnail)
    cells = [
        (_narrow(kept[number], _CELL_WIDTH), "still" if number is None else str(number), number in shot.doubts)
        for number, _ in shot.frames
        if number in shown
    ]
    sheet = _named(stem, ".contactsheet.png")
    write_picture(contact_sheet(cells), sheet)
    return (*files, ReviewFile("thumbnail", thumbnail), ReviewFile("contactsheet", sheet))


def _named(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)  # with_suffix would cut a name with dots


def _of_size(picture: FloatImage, like: FloatImage) -> FloatImage:
    """A picture of another size in the middle of one of the first's size, for a movie has one size."""
    if picture.shape == like.shape:
        return picture
    height, width = like.shape[:2]
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    out = np.zeros_like(like)
    y, x = (height - size[1]) // 2, (width - size[0]) // 2
    out[y : y + size[1], x : x + size[0]] = small
    return out


def _narrow(picture: FloatImage, width: int) -> FloatImage:
    scale = min(1.0, width / picture.shape[1])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
