# SPDX-License-Identifier: Apache-2.0
"""EXR in and out is bit-exact, whatever the compression, types and windows."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from understudy.contracts.errors import PlateError, UsageError
from understudy.contracts.plate import Plate, Window
from understudy.frames.compression import is_lossy, offered
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate
from unit.frames.makers import MakePlate

WINDOWS = {
    "equal": (Window(0, 0, 53, 37), Window(0, 0, 53, 37)),
    "inside": (Window(10, 12, 53, 37), Window(0, 0, 200, 100)),
    "overscan": (Window(-8, -5, 53, 37), Window(0, 0, 37, 27)),
    "across": (Window(-20, 30, 53, 37), Window(0, 0, 60, 50)),
    "outside": (Window(500, -400, 53, 37), Window(0, 0, 60, 50)),
    "offset display": (Window(101, 103, 53, 37), Window(100, 100, 60, 50)),
    "one pixel": (Window(-3, 7, 1, 1), Window(0, 0, 60, 50)),
}
TYPES = {
    "half": ("half",) * 4,
    "float": ("float",) * 4,
    "mixed": ("half", "half", "float", "half"),
    "with uint": ("half", "float", "half", "uint"),
}


def assert_same(first: Plate, second: Plate) -> None:
    """Same in everything that identity promises."""
    assert second.channels == first.channels
    assert second.sample_types == first.sample_types
    assert second.data_window == first.data_window
    assert second.display_window == first.display_window
    assert second.pixel_aspect == first.pixel_aspect
    assert second.pixels.tobytes() == first.pixels.tobytes()


@pytest.mark.parametrize("compression", offered())
@pytest.mark.parametrize("types", TYPES.values(), ids=TYPES)
def test_every_compression_and_type(compression: Any, types: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    plate = make_plate(("R", "G", "B", "tag.id"), types, *WINDOWS["across"])
    path = tmp_path / "a.exr"
    options = WriteOptions(compression=compression)
    report = write_plate(plate, path, options)
    back = read_plate(path, frame=None, colorspace="ACEScg")
    header = read_header(path)
    if report.notes:  # a lossy wish on a plate with an ID channel
        assert is_lossy(compression, types)
        assert report.compression == "zip"
    assert header.compression.partition(":")[0] == report.compression
    assert not report.lossy
    assert report.bytes == path.stat().st_size
    assert_same(plate, back)


@pytest.mark.parametrize("windows", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("compression", ["none", "zips", "zip", "piz"])
@pytest.mark.parametrize("types", TYPES.values(), ids=TYPES)
def test_every_window(windows: Any, compression: Any, types: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    plate = make_plate(("R", "G", "B", "tag.id"), types, *windows, pixel_aspect=2.0, frame=1001)
    write_plate(plate, tmp_path / "a.exr", WriteOptions(compression=compression))
    back = read_plate(tmp_path / "a.exr", frame=1001, colorspace="ACEScg")
    assert_same(plate, back)
    assert back.frame == 1001


def test_b44_loses_halves(tmp_path: Path, make_plate: MakePlate) -> None:
    plate = make_plate("RGB", "half")
    assert write_plate(plate, tmp_path / "a.exr", WriteOptions(compression="b44")).lossy
    assert read_plate(tmp_path / "a.exr", frame=None, colorspace="x").pixels.tobytes() != plate.pixels.tobytes()


@pytest.mark.parametrize("compression", ["b44", "b44a", "dwaa", "dwab", "dwaa:200", "pxr24"])
def test_lossy_when_asked_and_reported(compression: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    smooth = np.random.default_rng(1).normal(0.5, 1, (37, 53, 3)).astype(np.float32)
    plate = make_plate("RGB", "float", pixels=smooth)
    report = write_plate(plate, tmp_path / "a.exr", WriteOptions(compression=compression))
    back = read_plate(tmp_path / "a.exr", frame=None, colorspace="ACEScg")
    assert report.compression == compression
    assert report.lossy == (back.pixels.tobytes() != plate.pixels.tobytes())
    assert back.sample_types == plate.sample_types
    again = write_plate(back, tmp_path / "b.exr")
    assert not again.lossy
    assert again.compression == ("zip" if report.lossy else compression)
    assert_same(back, read_plate(tmp_path / "b.exr", frame=None, colorspace="ACEScg"))


def test_lossless_input_compression_is_kept(tmp_path: Path, make_plate: MakePlate) -> None:
    for compression in ("none", "rle", "zips", "zip", "piz"):
        write_plate(make_plate(), tmp_path / "a.exr", WriteOptions(compression=compression))
        plate = read_plate(tmp_path / "a.exr", frame=None, colorspace="ACEScg")
        assert write_plate(plate, tmp_path / "b.exr").compression == compression


@pytest.mark.parametrize("wish", ["htj3k", "zip:9", "dwaa:-1", "dwaa:x", "jpeg"])
def test_unknown_compression_is_refused(wish: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    with pytest.raises(UsageError, match="compression"):
        write_plate(make_plate(), tmp_path / "a.exr", WriteOptions(compression=wish))
    assert not list(tmp_path.iterdir())


def test_uint_bits_survive_even_as_signaling_nan(tmp_path: Path, make_plate: MakePlate) -> None:
    integers = np.array([0x7F800001, 0x7FC00000, 0xFF800000, 0, 0xFFFFFFFF, 1], np.uint32).reshape(2, 3)
    plate = make_plate(["id"], "uint", Window(0, 0, 3, 2), pixels=integers.view(np.float32)[..., None].copy())
    write_plate(plate, tmp_path / "a.exr")
    stored = OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True).channels()["id"].pixels
    assert stored.dtype == np.uint32
    np.testing.assert_array_equal(stored, integers)
    back = read_plate(tmp_path / "a.exr", frame=None, colorspace="Raw")
    np.testing.assert_array_equal(back.pixels[..., 0].view(np.uint32), integers)
    assert not back.sanitized


@pytest.mark.parametrize("types", [("half", "half", "half"), ("half", "float", "half"), ("half", "half", "uint")])
def test_half_is_clamped_and_counted(types: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    pixels = np.zeros((4, 5, 3), np.float32)
    pixels[0, 0, 0], pixels[1, 1, 0], pixels[2, 2, 0] = 70000, -1e30, 65504
    path = tmp_path / "a.exr"
    report = write_plate(make_plate(("R", "G", "x"), types, Window(0, 0, 5, 4), pixels=pixels), path)
    back = read_plate(path, frame=None, colorspace="ACEScg")
    assert report.clamped == 2
    assert back.pixels[0, 0, 0] == 65504
    assert back.pixels[1, 1, 0] == -65504
    assert not back.sanitized


def test_mixed_files_round_to_half_as_numpy_does(tmp_path: Path, make_plate: MakePlate) -> None:
    pixels = np.random.default_rng(3).normal(0, 1, (64, 64, 2)).astype(np.float32)
    pixels[:8] *= np.float32(2e-7)  # denormal halves
    pixels[8:16] *= 20000
    plate = make_plate(("R", "Z"), ("half", "float"), Window(0, 0, 64, 64), pixels=pixels)
    write_plate(plate, tmp_path / "a.exr")
    back = read_plate(tmp_path / "a.exr", frame=None, colorspace="ACEScg")
    expected = np.clip(pixels[..., 0], -65504, 65504).astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(back.pixels[..., 0], expected)


@pytest.mark.parametrize("types", ["half", "float", ("half", "float", "half")])
def test_nan_is_never_written(types: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    pixels = np.zeros((2, 2, 3), np.float32)
    pixels[0, 0, 1] = np.nan
    with pytest.raises(PlateError, match="NaN"):
        write_plate(make_plate("RGB", types, Window(0, 0, 2, 2), pixels=pixels), tmp_path / "a.exr")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.exr", "a.png", "a.tif", "a.dpx"])
def test_two_writes_give_the_same_bytes(name: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    plate = make_plate("RGB", "uint8", pixels=np.linspace(0, 1, 37 * 53 * 3, dtype=np.float32).reshape(37, 53, 3))
    write_plate(plate, tmp_path / "one" / name)
    write_plate(plate, tmp_path / "two" / name)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_frames_in_threads_equal_frames_alone(tmp_path: Path, make_plate: MakePlate) -> None:
    plates = [make_plate("RGBA", "half", Window(0, 0, 200, 300 + n)) for n in range(8)]

    def both(n: int) -> bytes:
        write_plate(plates[n], tmp_path / f"t{n}.exr")
        return read_plate(tmp_path / f"t{n}.exr", frame=n, colorspace="ACEScg").pixels.tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(both, range(8))) == [plate.pixels.tobytes() for plate in plates]


def test_bands_equal_the_whole(tmp_path: Path, make_plate: MakePlate) -> None:
    # Wide and tall enough for several bands.
    plate = make_plate("RGBA", "half", Window(-7, -9, 4096, 600))
    write_plate(plate, tmp_path / "a.exr")
    assert_same(plate, read_plate(tmp_path / "a.exr", frame=None, colorspace="ACEScg"))


def test_identity_on_every_readable_file(shared_data: Path, tmp_path: Path) -> None:
    count = 0
    for path in sorted((shared_data / "exr").glob("*.exr")):
        plate = read_plate(path, frame=None, colorspace="x")
        report = write_plate(plate, tmp_path / path.name)
        back = read_plate(tmp_path / path.name, frame=None, colorspace="x")
        assert not report.clamped, path.name
        assert not report.lossy, path.name
        assert set(back.channels) == set(plate.channels), path.name
        assert back.take(plate.channels).tobytes() == plate.pixels.tobytes(), path.name
        assert back.data_window == plate.data_window, path.name
        assert back.display_window == plate.display_window, path.name
        assert back.metadata == plate.metadata, path.name
        write_plate(plate, tmp_path / "again" / path.name)
        assert (tmp_path / path.name).read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name
        count += 1
    assert count == 31
