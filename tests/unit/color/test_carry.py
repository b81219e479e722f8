# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import cv2
import numpy as np
import OpenImageIO as oiio
import pytest

from understudy.color import carry
from understudy.color.config import ColorConfig
from understudy.color.encoder import Encoder
from understudy.contracts.errors import PlateError
from understudy.contracts.manifest import Encoding
from understudy.contracts.plate import FloatImage

CASES = [(encoding, domain) for encoding in Encoding for domain in ((0.0, 1.0), None)]
LOG = (Encoding.ACESCCT, (0.0, 1.0))


def identity(image: FloatImage) -> FloatImage:
    return image.copy()


def double(image: FloatImage) -> FloatImage:
    return np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)


@pytest.mark.parametrize("space", ["ACEScg", "ACES2065-1", "lin_rec709", "Raw"])
@pytest.mark.parametrize(("encoding", "domain"), CASES)
def test_identity_is_bit_exact(
    config: ColorConfig, colors: FloatImage, space: str, encoding: Encoding, domain: tuple[float, float] | None
) -> None:
    encoder = Encoder(config, space, encoding, domain)
    out = carry.same_size(colors, encoder, identity)
    assert out.tobytes() == colors.tobytes()
    assert not np.shares_memory(out, colors)
    gray = np.ascontiguousarray(colors[..., :1])
    assert carry.same_size(gray, encoder, identity).tobytes() == gray.tobytes()


def test_the_delta_is_what_the_model_did(config: ColorConfig) -> None:
    encoder = Encoder(config, "ACES2065-1", *LOG)
    x = np.full((3, 4, 3), 0.18, np.float32)
    x[1, 1] = 500
    x[2, 2] = -3
    # One stop up in ACEScct is 1/17.52.
    out = carry.same_size(x, encoder, lambda y: y + np.float32(1 / 17.52))
    assert np.array_equal(out[1, 1], x[1, 1])
    assert np.array_equal(out[2, 2], x[2, 2])
    assert np.allclose(out[0], 0.36, rtol=1e-5)


def test_a_plate_pack_is_taken_at_its_word(config: ColorConfig, colors: FloatImage) -> None:
    encoder = Encoder(config, "ACEScg", Encoding.PLATE, None)
    wanted = np.random.default_rng(1).normal(size=colors.shape).astype(np.float32)
    assert np.array_equal(carry.same_size(colors, encoder, lambda _: wanted), wanted)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_answers_that_are_not_finite_leave_the_plate(config: ColorConfig, bad: float) -> None:
    encoder = Encoder(config, "ACEScg", *LOG)
    x = np.full((4, 4, 3), 0.5, np.float32)

    def model(y: FloatImage) -> FloatImage:
        out = y + np.float32(0.01)
        out[1, 2, 0] = bad
        out[3, 3, 1] = 3e38
        return out

    out = carry.same_size(x, encoder, model)
    assert np.isfinite(out).all()
    assert np.array_equal(out[1, 2], x[1, 2])
    assert out[0, 0, 0] > x[0, 0, 0]
    grown = carry.resized(x, encoder, lambda y: double(model(y)), double)
    assert np.isfinite(grown).all()
    assert np.array_equal(grown[2:4, 4:6], double(x)[2:4, 4:6])


@pytest.mark.parametrize(("encoding", "domain"), CASES)
def test_carried_light_is_zero_inside_and_whole_outside(
    config: ColorConfig, colors: FloatImage, encoding: Encoding, domain: tuple[float, float] | None
) -> None:
    encoder = Encoder(config, "ACES2065-1", encoding, domain)
    seen, inside = encoder.encode_with_inside(colors)
    carried = carry.excess(colors, seen, inside, encoder)
    if domain is None:
        assert carried is None
        return
    assert carried is not None
    within = inside[..., 0] == 1
    assert within.any()
    assert not within.all()
    assert not carried[within].any()
    whole = encoder.decode(seen) + carried
    largest = np.abs(colors).max(axis=2, keepdims=True)
    assert (np.abs(whole - colors) <= 2e-5 * np.maximum(largest, 1)).all()


def test_resized_keeps_the_energy_of_highlights(config: ColorConfig) -> None:
    encoder = Encoder(config, "ACES2065-1", Encoding.DISPLAY_LOG, (0.0, 1.0))
    x = np.full((24, 24, 3), 0.05, np.float32)
    x[10:12, 10:12] = [500, 400, 1000]
    x[5, 5] = [-2, 0.1, 0.1]

    def half_size(image: FloatImage) -> FloatImage:
        small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32)

    out = carry.resized(x, encoder, half_size, half_size)
    assert out.shape == (12, 12, 3)
    assert np.allclose(out.sum(axis=(0, 1)) * 4, x.sum(axis=(0, 1)), rtol=0.01)
    assert out.max() == pytest.approx(1000, rel=1e-5)
    assert out[2, 2, 0] < -0.3
    without_carry = encoder.decode(half_size(encoder.encode(x)))
    assert without_carry.max() < 20


def test_resized_tiles_equal_the_whole(config: ColorConfig, colors: FloatImage) -> None:
    encoder = Encoder(config, "ACES2065-1", *LOG)
    x = np.ascontiguousarray(colors)
    x[20:] = np.float32(-0.0)
    whole = carry.resized(x, encoder, double, double)
    for top, left, height, width in ((0, 0, 7, 11), (20, 5, 9, 13), (18, 3, 5, 5)):
        part = np.ascontiguousarray(x[top : top + height, left : left + width])
        tile = carry.resized(part, encoder, double, double)
        expected = whole[2 * top : 2 * (top + height), 2 * left : 2 * (left + width)]
        assert tile.tobytes() == expected.tobytes()


def test_same_size_tiles_equal_the_whole(config: ColorConfig, colors: FloatImage) -> None:
    encoder = Encoder(config, "ACES2065-1", Encoding.DISPLAY_LOG, (0.0, 1.0))

    def gain(y: FloatImage) -> FloatImage:
        return y * np.float32(0.9)

    whole = carry.same_size(colors, encoder, gain)
    for top, left, height, width in ((0, 0, 7, 11), (20, 5, 9, 13), (3, 1, 1, 1)):
        part = np.ascontiguousarray(colors[top : top + height, left : left + width])
        expected = whole[top : top + height, left : left + width]
        assert carry.same_size(part, encoder, gain).tobytes() == expected.tobytes()


def test_wrong_sizes_are_refused(config: ColorConfig, colors: FloatImage) -> None:
    encoder = Encoder(config, "ACEScg", *LOG)
    with pytest.raises(PlateError, match="keep the size"):
        carry.same_size(colors, encoder, double)
    with pytest.raises(PlateError, match="must agree"):
        carry.resized(colors, encoder, double, identity)


def _rgb(path: Path) -> list[FloatImage]:
    """RGB of every part that has it, sanitized as frames are on input."""
    found = []
    source = oiio.ImageInput.open(str(path))
    if source is None:
        oiio.geterror()
        return []
    part = 0
    while source.seek_subimage(part, 0):
        spec = source.spec()
        if not spec.deep and {"R", "G", "B"} <= set(spec.channelnames):
            pixels = np.asarray(source.read_image(part, 0, 0, spec.nchannels, "float"))
            picked = pixels[..., [spec.channelnames.index(name) for name in "RGB"]]
            found.append(np.ascontiguousarray(np.nan_to_num(picked, nan=0, posinf=65504, neginf=-65504)))
        part += 1
    source.geterror()
    source.close()
    return found


@pytest.mark.parametrize("space", ["ACES2065-1", "lin_rec709"])
@pytest.mark.parametrize("encoding", [Encoding.ACESCCT, Encoding.DISPLAY_LOG])
def test_identity_on_every_exr(config: ColorConfig, shared_data: Path, space: str, encoding: Encoding) -> None:
    files = sorted((shared_data / "exr").glob("*.exr")) + sorted((shared_data / "exr_seq_beachball").glob("*.exr"))[:1]
    encoder = Encoder(config, space, encoding, (0.0, 1.0))
    checked = outside = 0
    for path in files:
        for image in _rgb(path):
            for top in range(0, image.shape[0], 256):
                band = image[top : top + 256]
                assert carry.same_size(band, encoder, identity).tobytes() == band.tobytes(), path.name
                outside += int((encoder.inside(band) == 0).sum())
            checked += 1
    assert checked >= 20
    assert outside > 10_000
