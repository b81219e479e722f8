# SPDX-License-Identifier: Apache-2.0
"""The ACES container: what SMPTE ST 2065-4 wants is written, anything else is refused with the reason."""

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest

from understudy.contracts.errors import OutputError, UnderstudyError, UsageError
from understudy.contracts.plate import Window
from understudy.contracts.primaries import AP0
from understudy.frames.aces import check_aces_file
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate
from unit.frames.makers import MakePlate

ACES = WriteOptions(container="aces")


@pytest.mark.parametrize("channels", ["RGB", "RGBA", ["R", "G", "B", "left.R", "left.G", "left.B"]])
def test_container_is_what_the_standard_wants(channels: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    metadata = {"comments": "a comment", "owner": "us", "nuke/version": "16", "smpte:TimeCode": (0x01020304, 0)}
    plate = make_plate(
        channels, "float", Window(-4, 3, 53, 37), Window(0, 0, 48, 40), colorspace="ACES2065-1", metadata=metadata
    )
    path = tmp_path / "a.exr"
    report = write_plate(plate, path, ACES)
    assert report.compression == "none"
    raw = path.read_bytes()
    assert raw[:8] == b"\x76\x2f\x31\x01\x02\x00\x00\x00"
    header = OpenEXR.File(str(path)).header()
    assert header["acesImageContainerFlag"] == 1
    assert header["chromaticities"] == pytest.approx(AP0)
    assert header["compression"] == OpenEXR.NO_COMPRESSION
    assert header["type"] == OpenEXR.scanlineimage
    assert header["lineOrder"] == OpenEXR.INCREASING_Y
    assert "nuke/version" not in header
    assert header["timeCode"].hours == 1
    back = read_plate(path, frame=None, colorspace="ACES2065-1")
    assert set(back.sample_types) == {"half"}
    assert back.take(plate.channels).tobytes() == plate.pixels.tobytes()
    assert back.storage.aces_container
    assert read_header(path).color.aces_container
    assert back.data_window == plate.data_window
    # As a plain file again it makes no claim to be one.
    write_plate(back, tmp_path / "b.exr")
    assert not read_header(tmp_path / "b.exr").color.aces_container


@pytest.mark.parametrize(
    ("fields", "options", "reason"),
    [
        ({"colorspace": "ACEScg"}, {}, "ACEScg"),
        ({"channels": ["R", "G", "B", "Z"]}, {}, "Z"),
        ({"channels": ["Y"]}, {}, "R, G and B|can't hold Y"),
        ({"channels": ["R", "G", "B", "left.R"]}, {}, "with or without A"),
        ({}, {"compression": "zip"}, "not compressed"),
        ({}, {"sample_type": "float"}, "half"),
    ],
)
def test_anything_else_is_refused(
    fields: Any, options: Any, reason: Any, tmp_path: Path, make_plate: MakePlate
) -> None:
    plate = make_plate(**{"channels": "RGB", "colorspace": "ACES2065-1", **fields})
    with pytest.raises(UsageError, match=reason):
        write_plate(plate, tmp_path / "a.exr", WriteOptions(container="aces", **options))
    assert not list(tmp_path.iterdir())


def test_not_into_other_formats(tmp_path: Path, make_plate: MakePlate) -> None:
    with pytest.raises(UnderstudyError, match="EXR"):
        write_plate(make_plate("RGB", colorspace="ACES2065-1"), tmp_path / "a.tif", ACES)


def test_tiles_that_the_library_lets_pass_are_found(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(32, 32, 3, "half")
    spec.tile_width = spec.tile_height = 16
    spec.attribute("compression", "none")
    spec.attribute("openexr:ACESContainerPolicy", "strict")
    path = tmp_path / "a.exr"
    output = oiio.ImageOutput.create(str(path))
    assert output is not None
    assert output.open(str(path), spec)
    assert output.write_image(np.zeros((32, 32, 3), np.float16))
    output.close()
    with pytest.raises(OutputError, match=r"version field 0x202.*scan-lines"):
        check_aces_file(path, path)
