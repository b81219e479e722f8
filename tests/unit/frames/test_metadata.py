# SPDX-License-Identifier: Apache-2.0
"""Header attributes survive, labels of color are true, and nothing of the clock gets in."""

import time
from pathlib import Path
from typing import Any

import OpenEXR
import pytest

from understudy.contracts.plate import Window
from understudy.contracts.primaries import AP0, AP1, REC709
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate
from unit.frames.makers import MakePlate

METADATA = {
    "Copyright": "us",
    "DateTime": "2020:02:03 04:05:06",
    "FramesPerSecond": (24000, 1001),
    "ImageDescription": "a comment",
    "cameraModel": "a camera",
    "expTime": 0.5,
    "isoSpeed": 800.0,
    "nuke/input/frame": 12,
    "pair": (1, 2),
    "shot": "ab_010",
    "smpte:KeyCode": (1, 2, 3, 4, 5, 6, 64),
    "smpte:TimeCode": (0x01020304, 0x87654321),
    "triple": (1.0, 2.0, 3.5),
    "understudy:pack": "dis-best",
    "view": "left",
    "worldToCamera": tuple(float(v) for v in range(16)),
}


@pytest.mark.parametrize("types", ["half", ("half", "float", "uint")], ids=["half", "with uint"])
def test_attributes_survive(types: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    plate = make_plate(["R", "G", "id"], types, metadata=METADATA, colorspace="x")
    write_plate(plate, tmp_path / "a.exr")
    back = read_plate(tmp_path / "a.exr", frame=None, colorspace="x")
    kept = {name: value for name, value in METADATA.items() if name != "expTime"} | {"ExposureTime": 0.5}
    assert {name: back.metadata.get(name) for name in kept} == kept
    write_plate(back, tmp_path / "b.exr")
    assert read_plate(tmp_path / "b.exr", frame=None, colorspace="x").metadata == back.metadata
    stored = OpenEXR.File(str(tmp_path / "a.exr")).header()
    assert float(stored["framesPerSecond"]) == pytest.approx(23.976, abs=1e-3)
    assert (stored["timeCode"].hours, stored["timeCode"].frame) == (1, 4)
    assert stored["capDate"] == METADATA["DateTime"]


def test_the_clock_stays_out(tmp_path: Path, make_plate: MakePlate) -> None:
    plate = make_plate("RGB", "half")
    write_plate(plate, tmp_path / "a.exr")
    time.sleep(1.1)
    write_plate(plate, tmp_path / "b.exr")
    assert (tmp_path / "a.exr").read_bytes() == (tmp_path / "b.exr").read_bytes()
    assert "capDate" not in OpenEXR.File(str(tmp_path / "a.exr")).header()


def test_options_add_and_remove(tmp_path: Path, make_plate: MakePlate) -> None:
    plate = make_plate("RGB", metadata={"shot": "a", "owner": "us", "take": 3})
    options = WriteOptions(metadata={"shot": "", "take": 4, "understudy:job": "x"})
    write_plate(plate, tmp_path / "a.exr", options)
    found = read_plate(tmp_path / "a.exr", frame=None, colorspace="x").metadata
    assert "shot" not in found
    assert found["take"] == 4
    assert found["understudy:job"] == "x"


def test_structure_never_leaks(tmp_path: Path, make_plate: MakePlate) -> None:
    lies = {"compression": "dwaa", "dataWindow": "x", "acesImageContainerFlag": 1, "oiio:ColorSpace": "lin_ap0_scene"}
    write_plate(make_plate("RGB", metadata=lies, colorspace="x"), tmp_path / "a.exr")
    header = read_header(tmp_path / "a.exr")
    assert header.compression == "zip"
    assert not header.color.aces_container
    assert header.color.interop_id == ""


def test_other_containers_get_the_allowed_ones(tmp_path: Path, make_plate: MakePlate) -> None:
    metadata = {"shot": "secret", "Copyright": "us", "understudy:pack": "p"}
    write_plate(make_plate("RGB", "uint8", metadata=metadata), tmp_path / "a.png")
    found = read_plate(tmp_path / "a.png", frame=None, colorspace="x").metadata
    assert found.get("Copyright") == "us"
    assert "shot" not in found


@pytest.mark.parametrize(
    ("space", "primaries", "identifier"),
    [
        ("ACES2065-1", AP0, "lin_ap0_scene"),
        ("ACEScg", AP1, "lin_ap1_scene"),
        ("Linear Rec.709 (sRGB)", REC709, "lin_rec709_scene"),
    ],
)
def test_labels_of_known_spaces(
    space: Any, primaries: Any, identifier: Any, tmp_path: Path, make_plate: MakePlate
) -> None:
    write_plate(make_plate("RGB", colorspace=space), tmp_path / "a.exr")
    color = read_header(tmp_path / "a.exr").color
    assert color.chromaticities == pytest.approx(primaries)
    assert color.interop_id == identifier


def test_labels_follow_the_pixels(tmp_path: Path, make_plate: MakePlate) -> None:
    write_plate(make_plate("RGB", colorspace="ACEScg"), tmp_path / "a.exr")
    # Still in the file's space, which has no table entry: the file's own statements stay.
    same = read_plate(tmp_path / "a.exr", frame=None, colorspace="a studio space")
    write_plate(same, tmp_path / "b.exr")
    assert read_header(tmp_path / "b.exr").color.interop_id == "lin_ap1_scene"
    # Converted to a space without an entry: a label that no longer holds is dropped.
    write_plate(same.with_pixels(same.pixels, colorspace="ACEScct"), tmp_path / "c.exr")
    color = read_header(tmp_path / "c.exr").color
    assert color.interop_id == ""
    assert color.chromaticities is None


def test_pixel_aspect_and_screen_window(tmp_path: Path, make_plate: MakePlate) -> None:
    metadata = {"screenWindowCenter": (0.5, -0.25), "screenWindowWidth": 2.0}
    plate = make_plate("RGB", "half", Window(-3, 2, 30, 20), Window(0, 0, 25, 25), metadata=metadata, pixel_aspect=1.9)
    write_plate(plate, tmp_path / "a.exr")
    stored = OpenEXR.File(str(tmp_path / "a.exr")).header()
    assert stored["pixelAspectRatio"] == pytest.approx(1.9)
    assert tuple(stored["screenWindowCenter"]) == (0.5, -0.25)
    assert stored["screenWindowWidth"] == 2
    back = read_plate(tmp_path / "a.exr", frame=None, colorspace="x")
    assert back.pixel_aspect == pytest.approx(1.9)
    assert back.metadata["screenWindowWidth"] == 2


def test_bytes_that_are_no_utf8_become_readable(tmp_path: Path, make_plate: MakePlate) -> None:
    write_plate(make_plate(["R", "Zq"], metadata={"note": "cafe", "also": "Zürich"}), tmp_path / "a.exr")
    data = (tmp_path / "a.exr").read_bytes()
    (tmp_path / "a.exr").write_bytes(data.replace(b"cafe", b"caf\xe9").replace(b"Zq\0", b"\xe9q\0"))
    back = read_plate(tmp_path / "a.exr", frame=None, colorspace="x")
    assert back.metadata["note"] == "café"
    assert back.metadata["also"] == "Zürich"
    assert set(back.channels) == {"R", "éq"}


def test_numbers_that_no_header_holds_become_text(tmp_path: Path, make_plate: MakePlate) -> None:
    big = WriteOptions(metadata={"frames": 2**31, "less": -(2**31) - 1, "most": 2**31 - 1})
    write_plate(make_plate(), tmp_path / "a.exr", big)
    found = read_header(tmp_path / "a.exr").metadata
    assert (found["frames"], found["less"], found["most"]) == ("2147483648", "-2147483649", 2147483647)
