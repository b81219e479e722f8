# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from understudy.color.config import ColorConfig
from understudy.color.encoder import Encoder
from understudy.contracts.errors import ColorspaceError, PlateError, UsageError
from understudy.contracts.manifest import Encoding
from understudy.contracts.plate import FloatImage

SPACES = ("ACEScg", "ACES2065-1", "lin_rec709", "Raw", "ARRI LogC4")
CASES = [(encoding, domain) for encoding in Encoding for domain in ((0.0, 1.0), None)]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("encoding", "domain"), CASES)
def test_tiles_equal_the_whole_bit_for_bit(
    config: ColorConfig, colors: FloatImage, space: str, encoding: Encoding, domain: tuple[float, float] | None
) -> None:
    encoder = Encoder(config, space, encoding, domain, exposure=0 if encoding is Encoding.PLATE else 0.7)
    image = np.tile(colors, (3, 4, 1))
    whole = encoder.encode(image)
    back = encoder.decode(whole)
    for height, width, top, left in ((13, 17, 5, 3), (1, 33, 0, 1), (111, 7, 0, 9)):
        part = (slice(top, top + height), slice(left, left + width))
        tile = encoder.encode(np.ascontiguousarray(image[part]))
        assert tile.tobytes() == whole[part].tobytes()
        assert encoder.decode(tile).tobytes() == back[part].tobytes()
    if domain:
        assert whole.min() >= domain[0]
        assert whole.max() <= domain[1]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("encoding", list(Encoding))
def test_round_trip_without_a_clip(config: ColorConfig, colors: FloatImage, space: str, encoding: Encoding) -> None:
    encoder = Encoder(config, space, encoding, None)
    x = np.clip(colors, 0.05, 0.8) if space == "ARRI LogC4" else colors
    back = encoder.decode(encoder.encode(x))
    # Errors are those of float32 light: in a log space, light of 500 stands beside light of 0 in one pixel.
    floor, allowed = (1.0, 1e-4) if space == "ARRI LogC4" else (1e-3, 1e-5)
    largest = np.maximum(np.abs(x).max(axis=2, keepdims=True), floor)
    assert (np.abs(back - x) <= allowed * largest).all()


def test_plate_is_the_identity(config: ColorConfig, colors: FloatImage) -> None:
    encoder = Encoder(config, "ACES2065-1", Encoding.PLATE, None)
    assert encoder.encode(colors) is colors
    assert encoder.decode(colors) is colors
    assert encoder.inside(colors).min() == 1


def test_what_each_encoding_means(config: ColorConfig, colors: FloatImage) -> None:
    linear = Encoder(config, "ACES2065-1", Encoding.SCENE_LINEAR, None)
    assert np.array_equal(linear.encode(colors), config.convert(colors, "ACES2065-1", "ACEScg"))
    log = Encoder(config, "ACES2065-1", Encoding.ACESCCT, None)
    assert np.array_equal(log.encode(colors), config.convert(colors, "ACES2065-1", "ACEScct"))
    display = Encoder(config, "ACES2065-1", Encoding.DISPLAY_LOG, None)
    gray = config.convert(np.full((1, 1, 3), 16.0, np.float32), "lin_rec709", "ACES2065-1")
    assert np.allclose(display.encode(gray), 1, atol=1e-6)


def test_data_gets_the_curve_alone(config: ColorConfig) -> None:
    x = np.array([[[0.18, 0.0, 1.0]]], np.float32)
    log = Encoder(config, "Raw", Encoding.ACESCCT, None)
    assert log.data
    assert np.allclose(log.encode(x)[0, 0], [0.4135884, 0.0729055, 0.5547945], atol=1e-6)
    display = Encoder(config, "Raw", Encoding.DISPLAY_LOG, None)
    assert display.encode(x)[0, 0, 1] == 0
    assert Encoder(config, "Raw", Encoding.SCENE_LINEAR, None).encode(x) is x


@pytest.mark.parametrize("encoding", [Encoding.SCENE_LINEAR, Encoding.ACESCCT, Encoding.DISPLAY_LOG])
def test_exposure_shifts_what_the_model_sees(config: ColorConfig, colors: FloatImage, encoding: Encoding) -> None:
    plain = Encoder(config, "ACEScg", encoding, None)
    raised = Encoder(config, "ACEScg", encoding, None, exposure=2)
    assert np.allclose(raised.encode(colors), plain.encode(colors * 4), rtol=1e-5, atol=1e-5)
    assert np.allclose(raised.decode(raised.encode(colors)), colors, rtol=1e-5, atol=0.5)
    alpha = np.full((2, 2, 1), 0.5, np.float32)
    assert np.array_equal(raised.encode_gray(alpha), plain.encode_gray(alpha))


def test_exposure_must_make_sense(config: ColorConfig) -> None:
    for bad in (math.nan, math.inf, 33):
        with pytest.raises(UsageError, match="stops"):
            Encoder(config, "ACEScg", Encoding.ACESCCT, (0, 1), exposure=bad)
    with pytest.raises(UsageError, match="no meaning"):
        Encoder(config, "ACEScg", Encoding.PLATE, None, exposure=1)


def test_inside_counts_each_channel(config: ColorConfig) -> None:
    encoder = Encoder(config, "ACEScg", Encoding.ACESCCT, (0.0, 1.0))
    # Code 1 is 222.86 in linear light, code 0 is -0.00692.
    x = np.array([[[0, 0, 0], [1, 222, 0.5], [1, 223, 0.5], [1, 1, -0.0068], [1, 1, -0.0071]]], np.float32)
    assert encoder.inside(x)[0, :, 0].tolist() == [1, 1, 0, 1, 0]
    seen, inside = encoder.encode_with_inside(x)
    assert np.array_equal(seen, encoder.encode(x))
    assert np.array_equal(inside, encoder.inside(x))
    assert inside.dtype == np.float32
    assert inside.shape == (1, 5, 1)


@pytest.mark.parametrize("encoding", list(Encoding))
def test_gray_is_the_curve_alone(config: ColorConfig, encoding: Encoding) -> None:
    encoder = Encoder(config, "ACES2065-1", encoding, None)
    alpha = np.linspace(-0.5, 300, 1001, dtype=np.float32).reshape(7, 143, 1)
    code = encoder.encode_gray(alpha)
    assert np.allclose(encoder.decode_gray(code), alpha, rtol=1e-5, atol=1e-6)
    for width in (1, 2, 5):
        part = np.ascontiguousarray(alpha[2:5, 3 : 3 + width])
        assert encoder.encode_gray(part).tobytes() == code[2:5, 3 : 3 + width].tobytes()
    neutral = Encoder(config, "ACEScg", encoding, None).encode(np.repeat(alpha, 3, axis=2))
    assert np.allclose(neutral, code, rtol=1e-5, atol=1e-5)


def test_wrong_shapes_and_spaces_are_refused(config: ColorConfig, colors: FloatImage) -> None:
    encoder = Encoder(config, "ACEScg", Encoding.ACESCCT, (0.0, 1.0))
    with pytest.raises(PlateError):
        encoder.encode(colors[..., :1])
    with pytest.raises(PlateError):
        encoder.encode_gray(colors)
    with pytest.raises(ColorspaceError):
        Encoder(config, "nowhere", Encoding.ACESCCT, (0.0, 1.0))
