# SPDX-License-Identifier: Apache-2.0
"""The upscale role on the shipped packs: windows, phase, tiles, kinds of channels, alpha and highlights."""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from understudy.contracts.engine import Control
from understudy.contracts.errors import JobCancelledError, UsageError
from understudy.contracts.jobs import PackPin, RoleRequest, RoleResult, UpscaleParams
from understudy.contracts.model import Region
from understudy.contracts.plate import FloatImage, Plate, SampleType, Window, blank_plate
from understudy.roles.engine import LocalEngine
from understudy.roles.resample import clamp_to_neighbors

FILTERS = ["lanczos", "bicubic-back-projection"]
SCALES = ["2", "3", "4", "3/2", "1.37"]


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(device="cpu")


def plate(
    pixels: npt.NDArray[Any],
    channels: str = "R G B",
    at: tuple[int, int] = (0, 0),
    types: tuple[SampleType, ...] = (),
    **fields: Any,
) -> Plate:
    names = tuple(channels.split())
    floats: list[SampleType] = ["float" for _ in names]
    height, width = pixels.shape[:2]
    data = {"data_window": Window(*at, width, height), "display_window": Window(0, 0, width, height), **fields}
    return Plate(
        pixels=np.ascontiguousarray(pixels, np.float32),
        channels=names,
        sample_types=types or tuple(floats),
        colorspace="ACEScg",
        **data,
    )


def upscale(
    engine: LocalEngine, source: Plate, scale: str | Fraction = "2", pack: str = "lanczos", **more: Any
) -> RoleResult:
    params = UpscaleParams(scale=Fraction(scale), **more)
    return engine.run(RoleRequest(pack=PackPin(id=pack), params=params, plates={"plate": source}))


def result(
    engine: LocalEngine, source: Plate, scale: str | Fraction = "2", pack: str = "lanczos", **more: Any
) -> Plate:
    return upscale(engine, source, scale, pack, **more).plates["plate"]


def noise(height: int, width: int, channels: int = 3, low: float = -0.5, high: float = 4.0) -> FloatImage:
    return np.random.default_rng(7).uniform(low, high, (height, width, channels)).astype(np.float32)


@pytest.mark.parametrize("pack", ["identity-upscale", "identity-onnx-upscale", *FILTERS])
def test_scale_one_returns_every_bit(engine: LocalEngine, pack: str) -> None:
    pixels = noise(37, 41, 5) * 1000
    pixels[0, 0], pixels[1, 1] = -0.0, 65504
    pixels.view(np.uint32)[..., 4] = np.random.default_rng(1).integers(0, 2**32, (37, 41), np.uint32)
    source = plate(pixels, "A B G R id", (-5, 3), ("half", "half", "half", "half", "uint"), pixel_aspect=2.0, frame=7)
    for tile in (0, 16):
        out = result(engine, source, "1", pack, tile=tile)
        np.testing.assert_array_equal(out.pixels.view(np.uint32), source.pixels.view(np.uint32))
        assert (out.data_window, out.display_window) == (source.data_window, source.display_window)
        assert (out.frame, out.pixel_aspect, out.sample_types) == (7, 2.0, source.sample_types)


@pytest.mark.parametrize("pack", FILTERS)
@pytest.mark.parametrize("scale", SCALES)
def test_tiles_equal_the_whole(engine: LocalEngine, pack: str, scale: str) -> None:
    source = plate(noise(75, 91, 4), at=(-17, 5), channels="R G B A")
    whole = result(engine, source, scale, pack, tile=4096).pixels
    for tile in (16, 33, 64) if pack == "lanczos" else (40,):
        tiled = upscale(engine, source, scale, pack, tile=tile)
        assert tiled.report["tiles"] > 1
        np.testing.assert_allclose(tiled.plates["plate"].pixels, whole, rtol=1e-6, atol=4e-6)


@pytest.mark.parametrize("scale", ["1/2", "2/3", "0.73"])
def test_shrinking_in_tiles(engine: LocalEngine, scale: str) -> None:
    source = plate(noise(75, 91, 4), at=(-17, 5), channels="R G B A")
    whole = result(engine, source, scale, tile=4096)
    np.testing.assert_allclose(result(engine, source, scale, tile=20).pixels, whole.pixels, rtol=1e-6, atol=4e-6)
    assert whole.data_window == source.data_window.scaled(Fraction(scale))


@pytest.mark.parametrize("pack", FILTERS)
@pytest.mark.parametrize("scale", [*SCALES, "1/2"])
def test_ramps_stay_ramps_at_absolute_positions(engine: LocalEngine, pack: str, scale: str) -> None:
    if pack != "lanczos" and Fraction(scale) < 1:
        pytest.skip("back-projection only enlarges")
    x0, y0 = -11, 23
    rows, columns = np.mgrid[y0 : y0 + 90, x0 : x0 + 110]
    source = plate(np.stack([columns / 4 + 7, rows / 2, rows + columns], axis=2), at=(x0, y0))
    out = result(engine, source, scale, pack)
    window, factor = out.data_window, float(Fraction(scale))
    u = (np.arange(window.x, window.right) + 0.5) / factor - 0.5
    v = (np.arange(window.y, window.bottom) + 0.5) / factor - 0.5
    inner = (slice(round(25 * factor), -round(25 * factor)),) * 2
    expected = np.stack(np.broadcast_arrays(u / 4 + 7, v[:, None] / 2, v[:, None] + u), axis=2)
    np.testing.assert_allclose(out.pixels[inner], expected[inner], atol=3e-4)


@pytest.mark.parametrize("pack", FILTERS)
@pytest.mark.parametrize("scale", SCALES)
def test_a_constant_stays_exactly(engine: LocalEngine, pack: str, scale: str) -> None:
    value = np.array([0.1, -3.7, 65504.0, 0.3], np.float32)
    out = result(engine, plate(np.broadcast_to(value, (20, 30, 4)), "R G B A"), scale, pack)
    assert (out.pixels == value).all()


def test_windows_scale_and_grow_outward(engine: LocalEngine) -> None:
    source = plate(noise(21, 33), at=(-7, 5), display_window=Window(-1, -1, 20, 10))
    exact = result(engine, source, "2")
    assert exact.data_window == Window(-14, 10, 66, 42)
    assert exact.display_window == Window(-2, -2, 40, 20)
    grown = result(engine, source, "3/2")
    assert grown.data_window == Window(-11, 7, 50, 32)
    assert grown.pixel_aspect == source.pixel_aspect
    # Shifting the plate by whole output pixels shifts the result, and changes nothing else.
    moved = plate(source.pixels, at=(-7 + 40, 5 - 20))
    np.testing.assert_allclose(result(engine, moved, "3/2").pixels, grown.pixels, atol=2e-6)


@pytest.mark.parametrize("pack", FILTERS)
def test_a_highlight_leaves_no_halo(engine: LocalEngine, pack: str) -> None:
    pixels = np.full((81, 81, 4), 0.02, np.float32)
    pixels[40, 40, :3] = 1000
    source = plate(pixels, "R G B A")
    out = result(engine, source, "2", pack).pixels
    assert out.min() >= np.float32(0.02)
    assert 500 < out.max() <= 1000
    far = np.ones((162, 162), bool)
    far[80 - 4 : 82 + 4, 80 - 4 : 82 + 4] = False
    assert (out[far] == np.float32(0.02)).all()
    radius = 2 * (3 if pack == "lanczos" else 64)
    off = result(engine, source, "2", pack, options={"antiringing": "off"}).pixels
    ring = np.abs(off - np.float32(0.02)).max(axis=2) > 1e-6
    rows, columns = np.nonzero(ring)
    assert max(abs(rows - 80.5).max(), abs(columns - 80.5).max()) <= radius + 0.5


@pytest.mark.parametrize("pack", FILTERS)
def test_negatives_and_the_largest_floats_survive(engine: LocalEngine, pack: str) -> None:
    pixels = np.full((40, 40, 3), -2.5, np.float32)
    pixels[20:, :, 1] = 3.3e38
    pixels[:, 20:, 2] = -3.3e38
    out = result(engine, plate(pixels), "2", pack).pixels
    assert np.isfinite(out).all()
    assert (out[..., 0] == np.float32(-2.5)).all()
    assert out[..., 1].max() == pytest.approx(3.3e38, rel=1e-5)


def soft_disc(size: int = 48) -> npt.NDArray[np.float64]:
    rows, columns = np.mgrid[:size, :size]
    return np.clip((14 - np.hypot(rows - size / 2 + 0.3, columns - size / 2)) / 3 + 0.5, 0, 1)[..., None]


@pytest.mark.parametrize("antiringing", ["hard", "soft", "off"])
def test_alpha_stays_within_its_neighbors_whatever_the_option(engine: LocalEngine, antiringing: str) -> None:
    source = plate(np.repeat(soft_disc() > 0.5, 4, axis=2), "R G B A")
    out = result(engine, source, "2", "lanczos", options={"antiringing": antiringing}).pixels
    held = out[..., 3:].copy()
    clamp_to_neighbors(held, source.pixels[..., 3:], Region(0, 0, 0, 0, out.shape[1], out.shape[0]), Fraction(2))
    assert np.array_equal(held, out[..., 3:])
    # Color that is its alpha's alone stays so; without one it may pass.
    np.testing.assert_allclose(out[..., :3], np.repeat(out[..., 3:], 3, axis=2), atol=1e-6)
    alone = result(engine, plate(source.pixels[..., :3]), "2", "lanczos", options={"antiringing": antiringing}).pixels
    assert (alone.max() > 1) == (antiringing != "hard")


@pytest.mark.parametrize("pack", FILTERS)
@pytest.mark.parametrize("scale", ["2", "3/2"])
def test_premultiplied_edges_have_no_fringe(engine: LocalEngine, pack: str, scale: str) -> None:
    """A disc of one color over a plate of that color stays that color, before and after."""
    alpha, color = soft_disc(), np.array([0.8, 0.3, 0.1])
    source = plate(np.concatenate([alpha * color, alpha], axis=2), "R G B A")
    out = result(engine, source, scale, pack).pixels
    assert out[..., 3].min() >= 0
    assert out[..., 3].max() <= 1
    over = out[..., :3] + (1 - out[..., 3:]) * color
    np.testing.assert_allclose(over, np.broadcast_to(color, over.shape), atol=2e-6)
    # Compositing and enlarging commute, but for the limits at the edge.
    white = source.pixels[..., :3] + (1 - source.pixels[..., 3:])
    first = result(engine, plate(white), scale, pack).pixels
    assert np.abs(first - (out[..., :3] + 1 - out[..., 3:])).max() < 0.02


@pytest.mark.parametrize("pack", [*FILTERS, "identity-upscale"])
def test_straight_color_is_weighted_by_alpha(engine: LocalEngine, pack: str) -> None:
    alpha, color = soft_disc(), np.array([0.8, 0.3, 0.1])
    junk = np.where(alpha > 0, color, [50.0, -3.0, 9.0])
    source = plate(np.concatenate([junk, alpha], axis=2), "R G B A", premultiplied=False)
    out = result(engine, source, "2", pack)
    assert not out.premultiplied
    solid = out.pixels[..., 3] > (0.001 if pack != "identity-upscale" else 0.2)
    tolerance = 1e-4 if pack != "identity-upscale" else 1.0
    np.testing.assert_allclose(out.pixels[solid][:, :3], np.broadcast_to(color, (solid.sum(), 3)), atol=tolerance)
    np.testing.assert_array_equal(out.pixels[:8, :8, :3], np.broadcast_to(np.array([50, -3, 9], np.float32), (8, 8, 3)))


@pytest.mark.parametrize("pack", [*FILTERS, "identity-upscale"])
@pytest.mark.parametrize("tile", [0, 16])
def test_every_kind_keeps_its_rule(engine: LocalEngine, pack: str, tile: int) -> None:
    height, width = 30, 40
    rng = np.random.default_rng(3)
    color = rng.random((height, width, 3))
    normals = rng.normal(size=(height, width, 3))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    rest = rng.random((height, width, 4)) * 10
    ids = rng.integers(0, 2**32, (height, width, 1), np.uint32).view(np.float32)
    pixels = np.concatenate([color, normals, rest], axis=2, dtype=np.float32)
    pixels = np.concatenate([pixels, ids], axis=2)
    names = "R G B N.X N.Y N.Z Z forward.u objectid weird uintthing"
    source = plate(pixels, names, (3, -4), ("float",) * 10 + ("uint",))
    kinds = {"uintthing": "color"} if pack == "lanczos" else {}
    out = result(engine, source, "2", pack, tile=tile, kinds=kinds)
    assert out.channels == source.channels

    near = source.pixels.view(np.uint32)[np.arange(60) // 2][:, np.arange(80) // 2]
    for name in ("objectid", "uintthing"):
        at = source.index(name)
        np.testing.assert_array_equal(out.pixels.view(np.uint32)[..., at], near[..., at])
    np.testing.assert_allclose(np.linalg.norm(out.take(["N.X", "N.Y", "N.Z"]), axis=2), 1, atol=1e-6)
    u = np.clip((np.arange(80) + 0.5) / 2 - 0.5, 0, width - 1)
    v = np.clip((np.arange(60) + 0.5) / 2 - 0.5, 0, height - 1)
    for name, gain in (("Z", 1), ("weird", 1), ("forward.u", 2)):
        plane = source.take([name])[..., 0].astype(np.float64)
        across = np.stack([np.interp(u, np.arange(width), row) for row in plane])
        both = np.stack([np.interp(v, np.arange(height), column) for column in across.T]).T
        np.testing.assert_allclose(out.take([name])[..., 0], both * gain, rtol=2e-6)


def test_luminance_and_layers_go_through_the_pack(engine: LocalEngine) -> None:
    pixels = noise(24, 26, 8, low=0)
    for pack in ("lanczos", "identity-upscale"):
        source = plate(pixels, "Y left.R left.G left.B left.A x.B x.G x.R")
        out = result(engine, source, "2", pack)
        for names in (["Y"], ["left.R", "left.G", "left.B"], ["x.R", "x.G", "x.B"]):
            alone = plate(source.take(names), " ".join(name.rpartition(".")[2] for name in names))
            expected = result(engine, alone, "2", pack).pixels
            np.testing.assert_allclose(out.take(names), expected, rtol=1e-6, atol=1e-6)


def test_confidence_only_when_asked(engine: LocalEngine) -> None:
    pixels = np.full((60, 80, 3), 0.5, np.float32)
    pixels[:, 40:] = noise(60, 40, 3, 0, 1)
    plain, asked = (
        upscale(engine, plate(pixels), pack="bicubic-back-projection", confidence=on) for on in (False, True)
    )
    out = asked.plates["plate"]
    assert plain.plates["plate"].channels == ("R", "G", "B")
    assert out.channels == ("R", "G", "B", "confidence.Y")
    assert out.sample_types[-1] == "half"
    np.testing.assert_array_equal(out.pixels[..., :3], plain.plates["plate"].pixels)
    doubt = out.pixels[..., 3]
    assert doubt.min() >= 0
    assert doubt[:, :30].min() > 0.9999
    assert doubt[:, 100:].mean() < 0.6
    assert asked.confidence == pytest.approx(float(doubt.mean()), abs=0.02)
    assert plain.confidence is not None
    assert asked.report["back_projection_share"] == 1


def test_back_projection_gives_the_input_back(engine: LocalEngine) -> None:
    source = plate(noise(64, 64, 3, 0.2, 1))

    def score(pack: str, **options: str | int) -> float:
        report = upscale(engine, source, pack=pack, confidence=True, options={"antiringing": "off", **options}).report
        return float(report["back_projection_db"])

    plain, along_edges = (score("bicubic-back-projection", passes=passes) for passes in (0, 3))
    assert plain > 45
    assert along_edges > 35
    assert score("lanczos") < 30


def test_refusals_are_sentences(engine: LocalEngine) -> None:
    source = plate(noise(8, 8))
    with pytest.raises(UsageError, match=r"does not scale by 3/2.*it offers 1, 2"):
        upscale(engine, source, "3/2", "identity-upscale")
    with pytest.raises(UsageError, match="back-projection enlarges"):
        upscale(engine, source, "1/2", "bicubic-back-projection")
    with pytest.raises(UsageError, match="needs an input named plate"):
        engine.run(RoleRequest(pack=PackPin(id="lanczos"), params=UpscaleParams(), plates={"other": source}))
    with pytest.raises(UsageError):
        upscale(engine, source, options={"antiringing": "much"})


def test_cancel_between_tiles(engine: LocalEngine) -> None:
    steps: list[int] = []
    control = Control(progress=lambda done, _total: steps.append(done), cancelled=lambda: len(steps) == 2)
    request = RoleRequest(
        pack=PackPin(id="lanczos"), params=UpscaleParams(tile=8), plates={"plate": plate(noise(40, 40))}
    )
    with pytest.raises(JobCancelledError):
        engine.run(request, control)
    assert steps == [1, 2]


def test_same_bytes_twice(engine: LocalEngine) -> None:
    source = plate(noise(300, 300, 4), "R G B A")
    for pack in FILTERS:
        first, second = (result(engine, source, "2", pack).pixels.tobytes() for _ in range(2))
        assert first == second


@pytest.mark.parametrize("pack", ["lanczos", "bicubic-back-projection"])
def test_hundreds_of_layers_go_through(engine: LocalEngine, pack: str) -> None:
    names = tuple(f"l{layer:03d}.{part}" for layer in range(180) for part in "RGB")
    pixels = np.random.default_rng(4).random((6, 7, len(names)), dtype=np.float32)
    request = RoleRequest(
        pack=PackPin(id=pack),
        params=UpscaleParams(scale=2, confidence=True),
        plates={"plate": blank_plate(pixels, names, colorspace="ACEScg")},
    )
    out = engine.run(request).plates["plate"]
    assert out.channels == (*names, "confidence.Y")
    assert out.pixels.shape == (12, 14, len(names) + 1)
