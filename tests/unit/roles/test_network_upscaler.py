# SPDX-License-Identifier: Apache-2.0
"""Networks of whole factors as an upscaler of any factor, on graphs that are written out here."""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest

from understudy.contracts.errors import UsageError
from understudy.contracts.model import Call, Region, Tensor
from understudy.contracts.plate import FloatImage
from understudy.roles.network_upscaler import NetworkUpscaler

RADIUS = 3


class Repeated:
    """A graph that repeats pixels, times a gain, and looks ``RADIUS`` pixels around itself."""

    def __init__(self, factor: int, gain: float = 1.0) -> None:
        self.factor, self.gain, self.calls = factor, np.float32(gain), 0

    def run(self, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        self.calls += 1
        seen = np.asarray(inputs["image"], np.float32)
        ring = seen + 0.25 * (np.roll(seen, RADIUS, 2) + np.roll(seen, -RADIUS, 3) - 2 * seen)
        return {"image_out": self.gain * ring.repeat(self.factor, 2).repeat(self.factor, 3)}


def upscaler(*factors: int, gain: float = 1.0) -> tuple[NetworkUpscaler, dict[int, Repeated]]:
    graphs = {factor: Repeated(factor, gain) for factor in factors}
    return NetworkUpscaler({f"x{factor}": graph for factor, graph in graphs.items()}, RADIUS, "test"), graphs


def noise(height: int, width: int, channels: int = 2, high: float = 1.0) -> FloatImage:
    return np.random.default_rng(3).uniform(0, high, (height, width, channels)).astype(np.float32)


def call(image: FloatImage, scale: str, **options: str) -> Call:
    factor = Fraction(scale)
    region = Region(0, 0, 0, 0, int(image.shape[1] * factor), int(image.shape[0] * factor))
    return Call(scale=factor, region=region, options={"antiringing": "off", **options})


@pytest.mark.parametrize(
    ("scale", "used"), [("2", 2), ("3", 3), ("3/2", 2), ("5/2", 3), ("7/2", 4), ("4", 4), ("6", 4)]
)
def test_the_smallest_network_at_or_above_a_factor_is_taken(scale: str, used: int) -> None:
    model, graphs = upscaler(2, 3, 4)
    image = np.ascontiguousarray(np.broadcast_to(np.linspace(0, 1, 24, dtype=np.float32)[None, :, None], (20, 24, 1)))
    out = model.run({"image": image}, call(image, scale))["image"]
    assert [factor for factor, graph in graphs.items() if graph.calls] == [used]
    assert out.shape[:2] == (int(20 * Fraction(scale)), int(24 * Fraction(scale)))
    middle = out[out.shape[0] // 2, out.shape[1] // 4 : -out.shape[1] // 4, 0]
    assert np.abs(np.diff(middle, 2)).max() < 0.06


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    image = noise(41, 53)
    whole = upscaler(2)[0].run({"image": image}, call(image, "2"))["image"]
    monkeypatch.setattr("understudy.roles.network_upscaler._BLOCK", 16)
    model, graphs = upscaler(2)
    np.testing.assert_array_equal(model.run({"image": image}, call(image, "2"))["image"], whole)
    assert graphs[2].calls == 2 * 3 * 4


def test_a_region_is_a_part_of_the_whole_and_goes_where_it_is_wanted() -> None:
    image = noise(30, 34)
    whole = upscaler(3)[0].run({"image": image}, call(image, "3"))["image"]
    frame = np.zeros((60, 70, 4), np.float32)
    out = frame[7 : 7 + 41, 5 : 5 + 50, :2]
    part = Call(scale=Fraction(3), region=Region(0, 0, 10, 13, 50, 41), options={"antiringing": "off"}, out=out)
    assert upscaler(3)[0].run({"image": image}, part)["image"] is out
    np.testing.assert_array_equal(out, whole[13 : 13 + 41, 10 : 10 + 50])
    assert frame.any(axis=2).sum() <= 41 * 50


def test_lamps_keep_their_energy_and_display_pictures_are_left_alone() -> None:
    model, _ = upscaler(2, gain=1.1)
    dim = noise(24, 24, 1) + 0.01
    plain = model.run({"image": dim}, call(dim, "2"))["image"]
    assert plain.mean() == pytest.approx(1.1 * dim.mean(), rel=0.02)
    lamps = np.full((24, 24, 1), 0.1, np.float32)
    lamps[2::9, 2::9] = 1000
    for exposure in (1, 8):
        kept = model.run({"image": lamps * exposure}, call(lamps, "2"))["image"]
        blocks = kept.reshape(24, 2, 24, 2).mean(axis=(1, 3))
        near = np.s_[2::9, 2::9]
        np.testing.assert_allclose(blocks[near], 1000 * exposure, rtol=1e-5)


@pytest.mark.parametrize("antiringing", ["hard", "soft"])
def test_results_are_held_near_their_neighbors(antiringing: str) -> None:
    image = noise(20, 20, 1)
    out = upscaler(2, gain=5)[0].run({"image": image}, call(image, "2", antiringing=antiringing))["image"]
    most = image.max() + (0.25 * (image.max() - image.min()) if antiringing == "soft" else 0)
    assert out.max() <= most + 1e-6
    assert (out.max() > image.max()) == (antiringing == "soft")


def test_constants_and_huge_values_pass_and_shrinking_is_refused() -> None:
    model, graphs = upscaler(2)
    image = np.full((12, 14, 2), -3.5, np.float32)
    image[..., 1] = 3.3e38
    image[4:, :, 1] = -3.3e38
    out = model.run({"image": image}, call(image, "2", antiringing="soft"))["image"]
    assert (out[..., 0] == np.float32(-3.5)).all()
    assert np.isfinite(out).all()
    assert np.abs(out[..., 1]).max() == pytest.approx(3.3e38, rel=1e-5)
    assert graphs[2].calls == 1
    with pytest.raises(UsageError, match="under 1"):
        model.run({"image": image}, call(image, "1/2"))
    np.testing.assert_array_equal(model.run({"image": image}, call(image, "1"))["image"], image)
