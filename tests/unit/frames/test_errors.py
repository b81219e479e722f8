# SPDX-License-Identifier: Apache-2.0
"""Whatever is wrong with a file ends in one of our errors with a sentence, and exit code 3."""

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from understudy.contracts.errors import InputError, MissingFileError, UnreadableFileError, UnsupportedFileError
from understudy.frames import library
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate
from unit.frames.makers import MakePlate


def both(path: Path) -> InputError:
    """The error of the pixels, after that of the header (where there is one) proved to be of the same kind."""
    with pytest.raises(InputError) as caught:
        read_plate(path, frame=None, colorspace="x")
    error = caught.value
    assert error.exit_code == 3
    assert str(path) in str(error)
    assert "Traceback" not in str(error)
    assert "\n" not in str(error)
    return error


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.exr").touch()
    (tmp_path / "text.exr").write_text("this is not a picture\n" * 40)
    (tmp_path / "text.png").write_text("this is not a picture\n" * 40)
    (tmp_path / "folder.exr").mkdir()
    (tmp_path / "a.mov").write_bytes(b"x")
    (tmp_path / "loop.exr").symlink_to(tmp_path / "loop.exr")
    os.mkfifo(tmp_path / "pipe.exr")
    cases = {
        "missing.exr": (MissingFileError, "no such file"),
        "empty.exr": (UnreadableFileError, "empty"),
        "text.exr": (UnreadableFileError, "not an EXR file"),
        "text.png": (UnreadableFileError, "can't be decoded"),
        "folder.exr": (UnreadableFileError, "folder"),
        "pipe.exr": (UnreadableFileError, "is a pipe"),
        "a.mov": (UnsupportedFileError, "movies"),
    }
    sentences = set()
    for name, (kind, words) in cases.items():
        error = both(tmp_path / name)
        assert type(error) is kind, name
        assert words in str(error)
        sentences.add(error.problem)
        with pytest.raises(kind):
            read_header(tmp_path / name)
    assert len(sentences) == len(cases)
    both(tmp_path / "loop.exr")


def test_no_permission(tmp_path: Path, make_plate: MakePlate, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plate(make_plate(), tmp_path / "a.exr")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "may not be read" in str(both(tmp_path / "a.exr"))


def test_damaged_files(shared_data: Path) -> None:
    damaged = sorted((shared_data / "exr_damaged").glob("*.exr"))
    assert len(damaged) == 3
    for path in damaged:
        assert type(both(path)) is UnreadableFileError


def test_undecodable_message() -> None:
    class Source:
        def geterror(self) -> str:
            return b"\xff".decode("utf-8")

    assert library.last_error(Source()) == "the header holds undecodable bytes"  # type: ignore[arg-type]


@pytest.mark.parametrize("compression", ["none", "zips", "zip", "piz", "dwaa"])
@pytest.mark.parametrize("kept", [0.999, 0.7, 0.3])
def test_truncated_exr(compression: Any, kept: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    path = tmp_path / "a.exr"
    write_plate(make_plate("RGB"), path, WriteOptions(compression=compression))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert "cut short or damaged" in str(both(path)) or "can't be decoded" in str(both(path))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.dpx", "a.hdr"])
def test_other_truncated_files(name: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    path = tmp_path / name
    write_plate(make_plate("RGB", "uint8"), path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    both(path)


def test_truncated_integers_and_chroma_print_nothing(
    tmp_path: Path, make_plate: MakePlate, shared_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_plate(make_plate(["R", "id"], ("half", "uint")), tmp_path / "a.exr")
    sources = (tmp_path / "a.exr", shared_data / "exr" / "LuminanceChroma_Flowers.exr")
    for source in sources:
        data = source.read_bytes()
        path = tmp_path / f"cut_{source.name}"
        path.write_bytes(data[: len(data) // 2])
        both(path)
    assert capfd.readouterr().out == ""


def test_absurd_sizes_are_refused_before_memory_is_asked_for(tmp_path: Path, make_plate: MakePlate) -> None:
    write_plate(make_plate("RGB"), tmp_path / "a.exr")
    data = (tmp_path / "a.exr").read_bytes()
    for right, bottom in ((99_999, 9_999), (2**30, 0), (49_999, 49_999), (2**31 - 2, 2**31 - 2)):
        changed = bytearray(data)
        for name in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
            at = data.index(name) + len(name) + 4
            changed[at : at + 16] = struct.pack("<4i", 0, 0, right, bottom)
        (tmp_path / "b.exr").write_bytes(changed)
        assert isinstance(both(tmp_path / "b.exr"), UnreadableFileError)
    with pytest.raises(UnreadableFileError, match="claims 40000x30000 pixels"):
        library.check_size(tmp_path, 40_000, 30_000, 1)


def test_every_cut_of_a_small_file_is_survived(tmp_path: Path, make_plate: MakePlate) -> None:
    write_plate(make_plate("RGB"), tmp_path / "a.exr", WriteOptions(compression="zip"))
    data = (tmp_path / "a.exr").read_bytes()
    path = tmp_path / "b.exr"
    for length in range(1, 700, 7):
        path.write_bytes(data[:length])
        both(path)


def test_flipped_header_bytes_never_raise_anything_else(tmp_path: Path, make_plate: MakePlate) -> None:
    write_plate(make_plate("RGB"), tmp_path / "a.exr", WriteOptions(compression="zip"))
    data = (tmp_path / "a.exr").read_bytes()
    path = tmp_path / "b.exr"
    for at in range(4, 420, 5):
        changed = bytearray(data)
        changed[at] ^= 0xFF
        path.write_bytes(changed)
        with suppress(InputError):  # some bytes, such as those of names, may be anything
            assert read_plate(path, frame=None, colorspace="x").pixels.size
