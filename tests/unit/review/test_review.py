# SPDX-License-Identifier: Apache-2.0
"""Review pictures: exact color through the view, whole ranges, words that are there, movies that decode."""

import importlib.util
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from understudy.color.config import ColorConfig
from understudy.contracts.errors import UnreadableFileError, UsageError
from understudy.contracts.plate import Plate, SampleType, Window
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate
from understudy.review import movie as movie_module
from understudy.review.drawing import bar_height, burn_in, slate
from understudy.review.labels import Labels
from understudy.review.make import Shot, make_review
from understudy.review.of_record import is_draft, marked_draft
from understudy.review.proxy import Screen, proxy, vector_colors
from understudy.review.sheet import chosen

needs_av = pytest.mark.skipif(not importlib.util.find_spec("av"), reason="needs PyAV")

_WORDS = {"name": "sh010", "version": "v003", "badge": "amber", "mark": "DRAFT", "color": "ACEScg to sRGB"}
_LABELS = Labels(**_WORDS, facts=(("use", "final"),))


def _write(
    path: Path,
    pixels: Any,
    channels: tuple[str, ...] = ("R", "G", "B"),
    *,
    colorspace: str = "ACEScg",
    data: Window | None = None,
    display: Window | None = None,
    aspect: float = 1.0,
    sample_type: SampleType = "float",
) -> Path:
    height, width = pixels.shape[:2]
    window = data or Window(0, 0, width, height)
    plate = Plate(
        pixels=np.ascontiguousarray(pixels, np.float32),
        channels=channels,
        sample_types=(sample_type,) * len(channels),
        data_window=window,
        display_window=display or window,
        pixel_aspect=aspect,
        colorspace=colorspace,
    )
    write_plate(plate, path)
    return path


@pytest.fixture(scope="module")
def config() -> ColorConfig:
    return ColorConfig.load("ocio://studio-config-v4.0.0_aces-v2.0_ocio-v2.5")


def test_a_draft_is_marked_whatever_its_record_says(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.exr", np.zeros((4, 4, 3)))
    assert not is_draft(path)
    write_plate(
        read_plate(path, frame=None, colorspace="ACEScg"), path, WriteOptions(metadata={"understudy:draft": "1"})
    )
    assert is_draft(path)
    assert not is_draft(tmp_path / "missing.exr")
    assert marked_draft(Labels(name="x", mark="TEMPORARY")).mark == "DRAFT TEMPORARY"
    assert marked_draft(_LABELS) is _LABELS


def test_a_proxy_is_the_view_of_the_average_in_linear_light(tmp_path: Path, config: ColorConfig) -> None:
    pixels = np.zeros((64, 96, 3), np.float32)
    pixels[::2] = 2.0  # lines of 2 and 0, whose average in light is 1
    shown = proxy(_write(tmp_path / "a.exr", pixels), Screen(config=config, height=32))
    assert shown.shape == (32, 48, 3)
    want = config.to_display(np.ones((1, 1, 3), np.float32), "ACEScg")[0, 0]
    np.testing.assert_allclose(shown.reshape(-1, 3), np.broadcast_to(np.clip(want, 0, 1), (32 * 48, 3)), atol=1e-4)


def test_a_proxy_shows_the_display_window(tmp_path: Path, config: ColorConfig) -> None:
    pixels = np.zeros((60, 80, 3), np.float32)
    pixels[10:50, 10:70] = 0.18
    path = _write(tmp_path / "a.exr", pixels, data=Window(-10, -10, 80, 60), display=Window(0, 0, 100, 40))
    shown = proxy(path, Screen(config=config, height=540))
    assert shown.shape == (40, 100, 3)
    assert shown[:, :60].min() > 0.3
    assert shown[:, 62:].max() == 0, "no pixel there"


def test_squeezed_pixels_are_shown_square(tmp_path: Path, config: ColorConfig) -> None:
    path = _write(tmp_path / "a.exr", np.full((50, 60, 3), 0.2), aspect=2.0)
    assert proxy(path, Screen(config=config, height=50)).shape == (50, 120, 3)


def test_what_was_made_for_a_screen_goes_there_unchanged(tmp_path: Path, config: ColorConfig) -> None:
    path = _write(
        tmp_path / "a.png", np.full((8, 8, 3), 100 / 255), colorspace="sRGB Encoded Rec.709 (sRGB)", sample_type="uint8"
    )
    np.testing.assert_allclose(proxy(path, Screen(config=config)), 100 / 255, atol=1e-6)


def test_vectors_are_shown_as_colors(tmp_path: Path, config: ColorConfig) -> None:
    vectors = np.zeros((20, 40, 2), np.float32)
    vectors[:, 20:, 0] = 4
    path = _write(tmp_path / "a.exr", vectors, ("forward.u", "forward.v"), colorspace="Raw")
    shown = proxy(path, Screen(config=config))
    assert np.ptp(shown[:, :18], axis=2).max() < 1e-6, "gray where nothing moves"
    red, green, blue = shown[10, 30]
    assert red > green
    assert red > blue
    assert vector_colors(np.zeros((1, 1, 2), np.float32), 1.0).shape == (1, 1, 3)


def test_a_single_channel_is_shown_gray(tmp_path: Path, config: ColorConfig) -> None:
    path = _write(tmp_path / "a.exr", np.full((8, 8, 1), 0.25), ("confidence.Y",), colorspace="Raw")
    np.testing.assert_array_equal(proxy(path, Screen(config=config)), np.full((8, 8, 3), 0.25, np.float32))


def test_words_cover_no_pixel() -> None:
    picture = np.random.default_rng(3).random((120, 200, 3)).astype(np.float32)
    bar = bar_height(120)
    out = burn_in(picture, _LABELS, 1001)
    np.testing.assert_array_equal(out[bar:-bar], picture)
    blank = burn_in(picture, Labels(name=""), None)
    for words in (out[:bar], out[-bar:]):
        assert np.ptp(words) > 0.3
    assert np.ptp(blank[:bar]) == 0


@pytest.mark.parametrize(
    ("change", "rows", "columns"),
    [
        ({"name": "other"}, "top", slice(0, 80)),
        ({"mark": "TEMPORARY"}, "top", slice(78, 122)),
        ({"version": "v004"}, "top", slice(160, 200)),
        ({"color": "Raw"}, "bottom", slice(0, 88)),
        ({"badge": "red"}, "bottom", slice(88, 112)),
        ({}, "bottom", slice(160, 200)),
    ],
)
def test_each_word_has_its_place(change: dict[str, Any], rows: str, columns: slice) -> None:
    picture = np.zeros((120, 200, 3), np.float32)
    before = burn_in(picture, _LABELS, 1001)
    after = burn_in(picture, Labels(**_WORDS | change), 1001 if change else 1002)
    changed = np.any(before != after, axis=2)
    bar = bar_height(120)
    place = np.zeros_like(changed)
    place[slice(0, bar) if rows == "top" else slice(-bar, None), columns] = True
    assert changed.any()
    assert not (changed & ~place).any()


def test_a_name_too_long_gets_smaller_and_one_in_another_script_is_drawn() -> None:
    picture = np.zeros((120, 200, 3), np.float32)
    for name in ("x" * 300, "Aufnahme für 試験"):
        out = burn_in(picture, Labels(name=name), 1)
        assert out[: bar_height(120), :80].max() > 0.3
        assert np.ptp(out[: bar_height(120), 90:]) == 0


def test_the_slate_says_everything() -> None:
    empty, full = slate((480, 270), Labels(name="sh010")), slate((480, 270), _LABELS)
    assert full.shape == (270, 480, 3)
    assert np.count_nonzero(np.any(full != empty, axis=2)) > 200


def test_frames_of_a_sheet_are_spread_over_the_range() -> None:
    assert chosen([1, 2, 3], 5) == (1, 2, 3)
    assert chosen(list(range(1001, 1102)), 5) == (1001, 1026, 1051, 1076, 1101)


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    frames = []
    for index in range(5):
        pixels = np.full((64, 96, 3), 0.02, np.float32)
        pixels[20:44, 10 * index : 10 * index + 24] = (0.6, 0.2, 0.1)
        frames.append((1001 + index, _write(tmp_path / f"comp.{1001 + index}.exr", pixels)))
    return Shot(tuple(frames), Fraction(24000, 1001), _LABELS, frozenset({1003}))


@needs_av
@pytest.mark.parametrize(
    ("kind", "codec", "pixels"), [("h264", "h264", "yuv420p"), ("prores", "prores", "yuv422p10le")]
)
def test_a_movie_shows_the_slate_and_every_frame(
    shot: Shot, tmp_path: Path, config: ColorConfig, kind: Any, codec: str, pixels: str
) -> None:
    import av

    files = {file.name: file for file in make_review(shot, tmp_path / "review", Screen(config=config), (kind,))}
    with av.open(str(files[kind].path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == (codec, pixels)
        assert stream.average_rate == Fraction(24000, 1001)
        assert (stream.codec_context.color_primaries, stream.codec_context.colorspace) == (1, 1)
        assert stream.codec_context.color_trc == 13, "the default display is sRGB"
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == 1 + len(shot.frames)
    bar = bar_height(64)
    for (_, path), got in zip(shot.frames, decoded[1:], strict=True):
        want = proxy(path, Screen(config=config)) * 255
        error = np.abs(got[bar:-bar].astype(np.float32) - want)
        assert np.median(error) <= 2, "the color goes there and back through video range"
        assert np.mean(error) < 4


@needs_av
def test_a_movie_has_the_same_bytes_each_time(shot: Shot, tmp_path: Path, config: ColorConfig) -> None:
    made = [make_review(shot, tmp_path / name, Screen(config=config), ("h264",))[0].path for name in "ab"]
    assert made[0].read_bytes() == made[1].read_bytes()


@needs_av
@pytest.mark.parametrize("kind", ["h264", "prores"])
def test_a_frame_is_converted_alike_each_time(kind: movie_module.Kind) -> None:
    random = np.random.default_rng(1)
    for width in range(80, 150, 2):  # several threads differed at the edges of their slices, a few times in a hundred
        picture = random.random((20, width, 3), np.float32)
        made = {movie_module._frame(picture, movie_module._FORMATS[kind]).to_ndarray().tobytes() for _ in range(60)}
        assert len(made) == 1, width


@needs_av
def test_an_unreadable_frame_leaves_no_movie(shot: Shot, tmp_path: Path, config: ColorConfig) -> None:
    shot.frames[3][1].write_bytes(b"no picture")
    with pytest.raises(UnreadableFileError):
        make_review(shot, tmp_path / "review", Screen(config=config))
    assert list((tmp_path / "review").iterdir()) == []


@needs_av
def test_a_frame_of_another_size_fits_into_the_movie(shot: Shot, tmp_path: Path, config: ColorConfig) -> None:
    _write(shot.frames[2][1], np.full((128, 64, 3), 0.2))
    assert {file.name for file in make_review(shot, tmp_path / "review", Screen(config=config))} == {
        "h264", "prores", "thumbnail", "contactsheet",
    }  # fmt: skip


def test_without_pyav_pictures_are_made_and_movies_refused(
    shot: Shot, tmp_path: Path, config: ColorConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movie_module, "can_make_movies", lambda: False)
    with pytest.raises(UsageError, match=r'pip install "understudy\[publish\]"'):
        make_review(shot, tmp_path / "review", Screen(config=config))
    files = make_review(shot, tmp_path / "review", Screen(config=config), ())
    assert [file.path.name for file in files] == ["sh010.thumbnail.jpg", "sh010.contactsheet.png"]
    sheet = cv2.imread(str(files[1].path))
    assert sheet is not None
    assert sheet.shape[1] > 96
    thumbnail = cv2.imread(str(files[0].path))
    assert thumbnail.shape == (64, 96, 3)


@needs_av
def test_without_h264_the_next_encoder_is_taken(
    shot: Shot, tmp_path: Path, config: ColorConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    import av

    whole = av.Codec

    def lacks(name: str, mode: Any) -> Any:
        if name == "libx264":
            raise ValueError(name)
        return whole(name, mode)

    monkeypatch.setattr(av, "Codec", lacks)
    (made, *_) = make_review(shot, tmp_path / "review", Screen(config=config), ("h264",))
    assert made.encoder in ("libopenh264", "mpeg4")
    with av.open(str(made.path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 6
