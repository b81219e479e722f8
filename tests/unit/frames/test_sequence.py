# SPDX-License-Identifier: Apache-2.0
"""Ranges, patterns, what is on disk, and where results go."""

import os
from pathlib import Path
from typing import Any

import pytest

from understudy.contracts.errors import (
    MissingFileError,
    SequenceError,
    UnreadableFileError,
    UnsupportedFileError,
    UsageError,
)
from understudy.frames.sequence import OutputPattern, format_frames, open_sequence, parse_frames


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    folder = tmp_path / "my shot"
    touch(folder, *(f"plate.{n}.exr" for n in (1001, 1002, 1003, 1005, 1008)), "notes.txt", ".hidden.1001.exr")
    return folder


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("1001", (1001,)),
        ("1001-1004", (1001, 1002, 1003, 1004)),
        ("1001-1010x2,1020", (1001, 1003, 1005, 1007, 1009, 1020)),
        ("5,3,3-4", (3, 4, 5)),
        ("-3--1", (-3, -2, -1)),
        ("-2-1", (-2, -1, 0, 1)),
        (" 1 , 2 ", (1, 2)),
    ],
)
def test_ranges(text: Any, frames: Any) -> None:
    assert parse_frames(text) == frames
    assert parse_frames(format_frames(frames)) == frames


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no frame range"),
        ("abc", "no frame range"),
        ("1-", "no frame range"),
        ("1,,2", "no frame range"),
        ("1.5", "no frame range"),
        ("10-1", "backward; write 1-10"),
        ("1-5x0", "step of 0"),
        ("1-99999999999", "99999999999 frames"),
    ],
)
def test_nonsense_ranges(text: Any, reason: Any) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_frames(text)


def test_format() -> None:
    assert format_frames([]) == ""
    assert format_frames([1003, 1001, 1002, 1004, 1006]) == "1001-1004,1006"


@pytest.mark.parametrize(
    "name", ["plate.%04d.exr", "plate.####.exr", "plate.#.exr", "plate.@@@@.exr", "plate.$F4.exr", "plate.%d.exr", ""]
)
def test_patterns(shot: Path, name: Any) -> None:
    found = open_sequence(str(shot / name))
    assert found.frames == (1001, 1002, 1003, 1005, 1008)
    assert not found.still
    assert found.path(1001) == shot / "plate.1001.exr"
    assert found.missing(1001, 1008) == (1004, 1006, 1007)


def test_ranges_narrow_what_is_found(shot: Path) -> None:
    assert open_sequence(str(shot / "plate.1002-1005#.exr")).frames == (1002, 1003, 1005)
    assert open_sequence(str(shot), frames="1001-1004").frames == (1001, 1002, 1003)
    assert open_sequence(str(shot / "plate.1001-1003#.exr"), frames="1003-1008").frames == (1003,)
    with pytest.raises(SequenceError, match=r"none of the frames 1100-1200 is there; on disk are 1001"):
        open_sequence(str(shot), frames="1100-1200")
    with pytest.raises(UsageError, match="backward"):
        open_sequence(str(shot), frames="9-1")


def test_one_file_of_a_sequence_is_that_frame(shot: Path) -> None:
    found = open_sequence(str(shot / "plate.1003.exr"))
    assert found.frames == (1003,)
    assert not found.still
    assert found.path(1003) == shot / "plate.1003.exr"
    assert found.path(7) == shot / "plate.0007.exr"


@pytest.mark.parametrize("name", ["kodim01.png", "shot_v002.exr", "plain.tif"])
def test_stills(tmp_path: Path, name: Any) -> None:
    touch(tmp_path, name)
    for text in (tmp_path / name, tmp_path):
        found = open_sequence(str(text))
        assert found.still
        assert found.frames == ()
        assert found.path(None) == tmp_path / name


def test_numbers_without_letters_are_frames(tmp_path: Path) -> None:
    touch(tmp_path, "00040.jpg", "00041.jpg")
    found = open_sequence(str(tmp_path))
    assert found.frames == (40, 41)
    assert found.path(41) == tmp_path / "00041.jpg"
    assert open_sequence(str(tmp_path / "%05d.jpg")).frames == (40, 41)


def test_negative_and_growing_numbers(tmp_path: Path) -> None:
    touch(tmp_path, "a.-002.exr", "a.-001.exr", "a.0000.exr", "a.0001.exr", "a.12345.exr")
    found = open_sequence(str(tmp_path / "a.%04d.exr"))
    assert found.frames == (-2, -1, 0, 1, 12345)
    assert all(found.path(frame).is_file() for frame in found.frames)


def test_wrong_padding_names_the_right_one(tmp_path: Path) -> None:
    touch(tmp_path, "plate.1.exr", "plate.2.exr", "plate.10.exr")
    with pytest.raises(SequenceError, match=r"padded differently, such as plate.1.exr; ask for .*plate.%d.exr"):
        open_sequence(str(tmp_path / "plate.%04d.exr"))
    assert open_sequence(str(tmp_path / "plate.%d.exr")).frames == (1, 2, 10)
    assert open_sequence(str(tmp_path)).frames == (1, 2, 10)


def test_nothing_found_names_what_is_there(shot: Path) -> None:
    with pytest.raises(
        SequenceError, match=r"no file fits the pattern; in that folder are: plate.%04d.exr \(1001-1003"
    ):
        open_sequence(str(shot / "plates.%04d.exr"))
    with pytest.raises(MissingFileError, match=r"in that folder are: plate.%04d.exr"):
        open_sequence(str(shot / "plate.exr"))
    with pytest.raises(MissingFileError, match="no such folder"):
        open_sequence(str(shot / "x" / "plate.%04d.exr"))
    with pytest.raises(UsageError, match="no file was named"):
        open_sequence("")


def test_folders_with_several_or_none(shot: Path, tmp_path: Path) -> None:
    touch(shot, "matte.1001.exr", "ref.png")
    with pytest.raises(SequenceError, match=r"several sequences.*matte.%04d.exr.*plate.%04d.exr.*ref.png"):
        open_sequence(str(shot))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SequenceError, match="holds no pictures"):
        open_sequence(str(tmp_path / "empty"))


def test_unreadable_folder(shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UnreadableFileError, match="Permission denied"):
        open_sequence(str(shot / "plate.%04d.exr"))


def test_movies_and_strangers_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.mov", "a.blend")
    with pytest.raises(UnsupportedFileError, match=r"movies.*convert it to an EXR sequence"):
        open_sequence(str(tmp_path / "a.mov"))
    with pytest.raises(UnsupportedFileError, match=r"\.blend is no format of ours"):
        open_sequence(str(tmp_path / "a.blend"))
    with pytest.raises(UnsupportedFileError, match="no format"):
        open_sequence(str(tmp_path / "a.%04d.blend"))


@pytest.mark.parametrize("text", ["a.%04d.####.exr", "a.%04d/b.%04d.exr"])
def test_two_places_for_the_number(text: Any) -> None:
    with pytest.raises(UsageError):
        open_sequence(text)


def test_output_patterns(tmp_path: Path) -> None:
    out = OutputPattern(f"{tmp_path}/out.####.exr", still=False)
    assert out.path(12) == tmp_path / "out.0012.exr"
    assert OutputPattern("x.exr", still=True).path(None) == Path("x.exr")
    assert OutputPattern("x.exr", still=True).path(1003) == Path("x.exr")
    with pytest.raises(UsageError, match=r"many frames can't go into one file; .*x\.%04d\.exr"):
        OutputPattern("x.exr", still=False)
    with pytest.raises(UsageError, match="no frame number"):
        out.path(None)
    with pytest.raises(UnsupportedFileError, match="movies"):
        OutputPattern("x.%04d.mp4", still=False)
    with pytest.raises(UsageError, match="no output"):
        OutputPattern("", still=True)


def test_a_link_to_itself_does_not_hide_its_neighbors(tmp_path: Path) -> None:
    (tmp_path / "a.1001.exr").write_bytes(b"x")
    (tmp_path / "loop.exr").symlink_to("loop.exr")
    assert open_sequence(str(tmp_path / "a.%04d.exr")).frames == (1001,)
    with pytest.raises(MissingFileError):
        open_sequence(str(tmp_path / "loop.exr"))


def test_paths_that_no_system_looks_up(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="can't be reached"):
        open_sequence(str(tmp_path / ("x" * 5000 + ".exr")))
    with pytest.raises(UsageError, match="NUL"):
        open_sequence("a\0b.exr")
    with pytest.raises(UsageError, match="NUL"):
        OutputPattern("a\0b.exr", still=True)
