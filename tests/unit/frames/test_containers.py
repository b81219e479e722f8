# SPDX-License-Identifier: Apache-2.0
"""PNG, TIFF, DPX, JPEG and HDR: codes come back as they were, what does not fit is refused or counted."""

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from understudy.contracts.errors import UnsupportedFileError, UsageError
from understudy.contracts.plate import Window
from understudy.frames.containers import storable
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate
from unit.frames.makers import MakePlate

ALL_CODES = {"uint8": (16, 16, 255), "uint16": (256, 256, 65535)}
SRGB = "sRGB Encoded Rec.709 (sRGB)"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.png", "uint8"), ("a.png", "uint16"), ("a.tif", "uint8"), ("a.tif", "uint16"), ("a.dpx", "uint8")],
)
def test_every_code_comes_back(name: Any, kind: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    height, width, top = ALL_CODES[kind]
    codes = np.arange(height * width).reshape(height, width, 1).repeat(3, axis=2)
    pixels = np.divide(codes, np.float32(top), dtype=np.float32)
    plate = make_plate("RGB", kind, Window(0, 0, width, height), pixels=pixels, colorspace=SRGB)
    report = write_plate(plate, tmp_path / name)
    back = read_plate(tmp_path / name, frame=None, colorspace=SRGB)
    assert report.clamped == 0
    assert not report.lossy
    assert back.sample_types == (kind,) * 3
    assert back.pixels.tobytes() == pixels.tobytes()


@pytest.mark.parametrize("depth", [10, 12])
def test_dpx_of_10_and_12_bits(depth: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    top = 2**depth - 1
    codes = np.arange(top + 1).reshape(-1, 64, 1).repeat(3, axis=2)
    pixels = np.divide(codes, np.float32(top), dtype=np.float32)
    window = Window(0, 0, 64, codes.shape[0])
    metadata = {"oiio:BitsPerSample": depth}
    write_plate(make_plate("RGB", "uint16", window, pixels=pixels, metadata=metadata), tmp_path / "a.dpx")
    raw = oiio.ImageInput.open(str(tmp_path / "a.dpx"))
    assert raw is not None
    assert raw.spec().get_int_attribute("oiio:BitsPerSample") == depth
    raw.close()
    back = read_plate(tmp_path / "a.dpx", frame=None, colorspace="x")
    assert back.pixels.tobytes() == pixels.tobytes()
    assert b"understudy-" not in (tmp_path / "a.dpx").read_bytes()[:2048]


def test_rounding_is_to_the_nearest_and_clamps_are_counted(tmp_path: Path, make_plate: MakePlate) -> None:
    values = np.array([-0.5, 0.0, 0.4999 / 255, 0.5001 / 255, 254.4999 / 255, 254.5001 / 255, 1.0, 7.0], np.float32)
    plate = make_plate("RGB", "half", Window(0, 0, 8, 1), pixels=values[None, :, None].repeat(3, axis=2))
    report = write_plate(plate, tmp_path / "a.png", WriteOptions(sample_type="uint8"))
    back = read_plate(tmp_path / "a.png", frame=None, colorspace="x")
    assert report.clamped == 6
    np.testing.assert_array_equal(np.rint(back.pixels[0, :, 0] * 255), [0, 0, 0, 1, 254, 255, 255, 255])


@pytest.mark.parametrize("kind", ["half", "float"])
def test_float_tiff_keeps_everything(kind: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    plate = make_plate("RGBA", kind)
    assert write_plate(plate, tmp_path / "a.tif").clamped == 0
    back = read_plate(tmp_path / "a.tif", frame=None, colorspace="x")
    assert back.pixels.tobytes() == plate.pixels.tobytes()
    assert back.premultiplied


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_unassociated_alpha_is_untouched(name: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (37, 53, 4))
    codes[:5, :, 3] = 0  # color under zero alpha stays
    pixels = np.divide(codes, np.float32(255), dtype=np.float32)
    plate = make_plate("RGBA", "uint8", pixels=pixels, premultiplied=False)
    write_plate(plate, tmp_path / name)
    back = read_plate(tmp_path / name, frame=None, colorspace="x")
    assert not back.premultiplied
    assert back.pixels.tobytes() == pixels.tobytes()


def test_association_follows_the_container(tmp_path: Path, make_plate: MakePlate) -> None:
    pixels = np.full((37, 53, 4), 0.5, np.float32)
    pixels[0, 0] = (0.25, 0.5, 0.75, 0)
    straight = make_plate("RGBA", "uint16", pixels=pixels, premultiplied=False)
    write_plate(straight, tmp_path / "a.exr")
    associated = read_plate(tmp_path / "a.exr", frame=None, colorspace="x")
    assert associated.premultiplied
    np.testing.assert_array_equal(associated.pixels[5, 5], (0.25, 0.25, 0.25, 0.5))
    np.testing.assert_array_equal(associated.pixels[0, 0], (0, 0, 0, 0))
    write_plate(associated, tmp_path / "b.png")
    again = read_plate(tmp_path / "b.png", frame=None, colorspace="x")
    np.testing.assert_allclose(again.pixels[5, 5], 0.5, atol=1e-5)


def test_one_window_only_is_said(tmp_path: Path, make_plate: MakePlate) -> None:
    inside = make_plate("RGB", "half", Window(2, 3, 10, 8), Window(0, 0, 20, 16))
    overscan = make_plate("RGB", "half", Window(-5, -5, 40, 40), Window(0, 0, 20, 16))
    for plate, word in ((inside, "the rest is 0"), (overscan, "are cut")):
        report = write_plate(plate, tmp_path / "a.tif")
        assert word in report.notes[0]
        back = read_plate(tmp_path / "a.tif", frame=None, colorspace="x")
        assert back.data_window == back.display_window == Window(0, 0, 20, 16)
        x, y = plate.data_window.x, plate.data_window.y
        np.testing.assert_array_equal(back.pixels[5, 6], plate.pixels[5 - y, 6 - x])


@pytest.mark.parametrize(
    ("name", "channels", "reason"),
    [
        ("a.jpg", "RGBA", "can't hold the channels A.*only R, G, B"),
        ("a.hdr", "RGBA", "can't hold the channels A"),
        ("a.png", ["R", "G", "B", "confidence.Y"], "confidence.Y"),
        ("a.dpx", ["Y"], "can't hold the channels Y"),
    ],
)
def test_channels_that_do_not_fit_are_named(
    name: Any, channels: Any, reason: Any, tmp_path: Path, make_plate: MakePlate
) -> None:
    with pytest.raises(UsageError, match=reason):
        write_plate(make_plate(channels), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_storable() -> None:
    assert storable("jpeg", ("R", "G", "B", "A", "Z")) == (("R", "G", "B"), ("A", "Z"))
    assert storable("png", ("Y", "right.Y")) == (("Y",), ("right.Y",))
    assert storable("hdr", ("Y",)) == ((), ("Y",))
    assert storable("exr", ("a", "b")) == (("a", "b"), ())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {"sample_type": "uint16"}),
        ("a.png", {"sample_type": "half"}),
        ("a.exr", {"sample_type": "uint8"}),
        ("a.jpg", {"compression": "zip"}),
        ("a.jpg", {"compression": "101"}),
        ("a.png", {"compression": "zip"}),
        ("a.tif", {"compression": "piz"}),
    ],
)
def test_options_that_do_not_fit(name: Any, options: Any, tmp_path: Path, make_plate: MakePlate) -> None:
    with pytest.raises(UsageError):
        write_plate(make_plate("RGB"), tmp_path / name, WriteOptions(**options))


def test_jpeg_is_close_and_lossy(tmp_path: Path, make_plate: MakePlate) -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None, :, None].repeat(48, 0).repeat(3, 2).copy()
    plate = make_plate("RGB", "half", Window(0, 0, 64, 48), pixels=ramp)
    report = write_plate(plate, tmp_path / "a.jpg")
    back = read_plate(tmp_path / "a.jpg", frame=None, colorspace="x")
    assert report.lossy
    assert np.abs(back.pixels - ramp).max() < 0.02
    small = write_plate(plate, tmp_path / "b.jpg", WriteOptions(compression="30"))
    assert small.bytes < report.bytes


def test_only_statements_of_the_file_are_hints(tmp_path: Path, make_plate: MakePlate, shared_data: Path) -> None:
    write_plate(make_plate("RGB", "uint8", colorspace=SRGB), tmp_path / "said.png")
    write_plate(make_plate("RGB", "uint8", colorspace="Raw"), tmp_path / "silent.png")
    assert read_header(tmp_path / "said.png").color.hint == "srgb_rec709_scene"
    assert read_header(tmp_path / "silent.png").color.hint == ""
    assert read_header(shared_data / "stills" / "kodim01.png").color.hint
    assert not read_header(shared_data / "stills" / "cvo9xd_keong_macan_grayscale.png").color.hint
    assert not read_header(shared_data / "seq_bedroom" / "00040.jpg").color.hint
    assert not read_header(shared_data / "hdri" / "venice_sunset_1k.hdr").color.hint


def test_every_still_comes_back(shared_data: Path, tmp_path: Path) -> None:
    stills = [*sorted((shared_data / "stills").glob("*_*.png")), shared_data / "hdri" / "venice_sunset_1k.hdr"]
    assert len(stills) > 3
    for path in stills:
        plate = read_plate(path, frame=None, colorspace="x")
        write_plate(plate, tmp_path / path.name)
        back = read_plate(tmp_path / path.name, frame=None, colorspace="x")
        assert back.pixels.tobytes() == plate.pixels.tobytes(), path.name
        assert back.metadata.get("ICCProfile") == plate.metadata.get("ICCProfile"), path.name
        assert not read_header(tmp_path / path.name).color.hint, "a space that nobody knows was claimed"


def test_inks_are_refused(tmp_path: Path) -> None:
    # One CMYK pixel: TIFF 6.0, section 16.
    entries = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 4, 134), (259, 3, 1, 1), (262, 3, 1, 5), (273, 4, 1, 142)]
    entries += [(277, 3, 1, 4), (278, 3, 1, 1), (279, 4, 1, 4)]
    body = b"II*\0\x08\0\0\0" + len(entries).to_bytes(2, "little")
    for tag, kind, count, value in entries:
        body += tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + count.to_bytes(4, "little")
        body += value.to_bytes(4, "little")
    body += (0).to_bytes(4, "little")
    body = body.ljust(134, b"\0") + (8).to_bytes(2, "little") * 4 + b"\x10\x20\x30\x40"
    (tmp_path / "a.tif").write_bytes(body)
    with pytest.raises(UnsupportedFileError, match="CMYK"):
        read_header(tmp_path / "a.tif")
