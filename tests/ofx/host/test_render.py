# SPDX-License-Identifier: Apache-2.0
"""Effects render what they should: depths, components, times, sizes, proxies."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from understudy.contracts.errors import EffectError, JobCancelledError, PlateError, UsageError
from understudy.ofx_host import Effect, Footage, Host, Project, RowLayout

Load = Callable[..., Effect]

LAYOUTS = [RowLayout(), RowLayout(padding=48), RowLayout(negative=True), RowLayout(padding=16, negative=True)]


def picture(seed: int, height: int = 7, width: int = 5, channels: int = 4) -> np.ndarray[Any, Any]:
    """HDR and negatives."""
    return np.random.default_rng(seed).normal(0.5, 40.0, (height, width, channels)).astype(np.float32)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_float_goes_through_bit_for_bit(load: Load, layout: RowLayout) -> None:
    effect = load("gain", Host(rows=layout))
    source = picture(1)
    source[0, 0] = (65504.0, -1e-30, np.float32(3e38), np.inf)
    with effect.create("Filter") as instance:
        result = instance.render(1, {"Source": source}, ask_identity=False)
    assert result.array.tobytes() == source.tobytes()
    assert result.identity is None
    assert result.bounds == (0, 0, 5, 7)
    assert result.rod == (0.0, 0.0, 5.0, 7.0)
    assert (result.components, result.depth, result.leaked, result.complaints) == ("RGBA", "float", 0, ())
    assert result.frames_requested == {"Source": (1.0,)}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_part_of_a_frame(load: Load, layout: RowLayout) -> None:
    source = picture(1, 20, 30)
    with load("gain", Host(rows=layout)).create(values={"gain": 2.0}) as instance:
        result = instance.render(1, {"Source": source}, window=(-5, 3, 12, 9))
        assert (result.bounds, result.rod) == ((0, 3, 12, 9), (0.0, 0.0, 30.0, 20.0))
        np.testing.assert_array_equal(result.array, source[11:17, :12] * 2)
        assert result.regions_of_interest == {"Source": (0.0, 3.0, 12.0, 9.0)}
        assert result.complaints == ()
        with pytest.raises(UsageError, match="has no pixels of the frame"):
            instance.render(1, {"Source": source}, window=(40, 0, 50, 9))
    with load("mean").create() as instance, pytest.raises(UsageError, match="renders whole frames only"):
        instance.render(1, {"Source": source}, window=(0, 0, 5, 5))


def test_an_identity_is_the_input_unrendered(load: Load) -> None:
    source = picture(1)
    with load("gain").create("Filter") as instance:
        result = instance.render(1, {"Source": source})
    assert result.identity == ("Source", 1.0)
    assert result.frames_requested == {"Source": ()}
    np.testing.assert_array_equal(result.array, source)


@pytest.mark.parametrize(("depth", "kind", "white"), [("byte", np.uint8, 255), ("short", np.uint16, 65535)])
def test_integer_depths(load: Load, depth: Any, kind: Any, white: int) -> None:
    source = np.array([[[0.0, 0.25, 1.0, 2.0], [-1.0, 0.5, 0.1, np.nan]]], np.float32)
    with load("gain").create("General") as instance:
        instance.params["gain"] = 0.5
        result = instance.render(1, {"Source": source}, depth=depth)
    assert (result.array.dtype, result.depth) == (kind, depth)
    handed_over = np.rint(np.clip(np.nan_to_num(source), 0, 1) * white)
    np.testing.assert_array_equal(result.array, np.floor(handed_over * 0.5 + 0.5))


def test_half(load: Load) -> None:
    source = picture(2).astype(np.float16)
    with load("gain").create("General") as instance:
        instance.params["gain"] = 2.0
        result = instance.render(1, {"Source": source}, depth="half")
    assert result.array.dtype == np.float16
    np.testing.assert_array_equal(result.array, source * np.float16(2.0))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("components", ["Alpha", "RGB", "RGBA"])
def test_components(load: Load, channels: int, components: Any) -> None:
    """The input keeps its own components, so the effect sees channels of its output that the input may not have."""
    source = picture(3, channels=channels)
    with load("gain").create("General") as instance:
        instance.params["gain"] = 2.0
        result = instance.render(1, {"Source": source}, components=components)
    assert result.components == components
    if result.array.shape[2] == channels:
        np.testing.assert_array_equal(result.array, source * 2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_mean_of_three_frames_fetches_each_once(load: Load, layout: RowLayout) -> None:
    frames = {float(time): picture(time) for time in range(1, 6)}
    with load("mean", Host(rows=layout)).create("General", Project(first=1, last=5)) as instance:
        result = instance.render(3, {"Source": frames.get})
        edge = instance.render(1, {"Source": Footage(frames.get, first=1, last=5)})
    exact = (frames[2.0].astype(np.float64) + 2.0 * frames[3.0] + 4.0 * frames[4.0]) / 7
    np.testing.assert_array_equal(result.array, exact.astype(np.float32))
    assert result.frames_requested == {"Source": (2.0, 3.0, 4.0)}
    assert result.frames_needed == {"Source": ((2.0, 4.0),)}
    assert (result.leaked, result.complaints, edge.leaked) == (0, (), 0)
    exact = (3.0 * frames[1.0].astype(np.float64) + 4.0 * frames[2.0]) / 7
    np.testing.assert_allclose(edge.array, exact, rtol=1e-6)


@pytest.mark.parametrize("origin", [(0, 0), (-3, 11)])
def test_the_region_of_definition_is_the_size(load: Load, origin: tuple[int, int]) -> None:
    source = picture(4)
    with load("scale").create("General") as instance:
        instance.params["factor"] = 3.0
        result = instance.render(1, {"Source": Footage(lambda _: source, origin=origin)})
    x, y = origin
    assert result.rod == (3.0 * x, 3.0 * y, 3.0 * (x + 5), 3.0 * (y + 7))
    assert result.bounds == (3 * x, 3 * y, 3 * (x + 5), 3 * (y + 7))
    np.testing.assert_array_equal(result.array, source.repeat(3, 0).repeat(3, 1))
    assert result.regions_of_interest == {"Source": pytest.approx((x, y, x + 5, y + 7))}


def test_a_data_window_may_move(load: Load) -> None:
    frames = {float(time): picture(time, 7, 4 + time) for time in range(1, 4)}
    footage = Footage(frames.get, first=1, last=3, origin=lambda time: (int(time) * 10, -5))
    with load("gain").create(project=Project(first=1, last=3), values={"gain": 2.0}) as instance:
        for time in (1, 2, 3):
            result = instance.render(time, {"Source": footage})
            assert result.bounds == (10 * time, -5, 14 + 11 * time - 10, 2)
            np.testing.assert_array_equal(result.array, frames[time] * 2)


@pytest.mark.parametrize("scale", [0.5, 0.25, 1 / 3])
def test_a_proxy_has_its_size_in_pixels_and_the_full_one_canonically(load: Load, scale: float) -> None:
    source = picture(5)
    with load("scale").create("General") as instance:
        result = instance.render(1, {"Source": source}, render_scale=(scale, scale))
    assert result.rod == pytest.approx((0, 0, 10 / scale, 14 / scale))
    assert result.bounds == (0, 0, 10, 14)
    np.testing.assert_array_equal(result.array, source.repeat(2, 0).repeat(2, 1))


def test_a_host_of_one_size_crops_to_the_project(load: Load) -> None:
    source = picture(5)
    effect = load("scale", Host(multi_resolution=False))
    with effect.create("Filter", Project(width=5, height=7)) as instance:
        result = instance.render(1, {"Source": source})
    np.testing.assert_array_equal(result.array, source.repeat(2, 0).repeat(2, 1)[7:, :5])  # the bottom left corner


def test_wide_pixels(load: Load) -> None:
    source = picture(6)
    with load("gain").create("Filter") as instance:
        instance.params["gain"] = 2.0
        result = instance.render(1, {"Source": Footage(lambda _: source, pixel_aspect=2.0)})
    assert (result.rod, result.bounds, result.pixel_aspect) == ((0.0, 0.0, 10.0, 7.0), (0, 0, 5, 7), 2.0)
    np.testing.assert_array_equal(result.array, source * 2)


def test_the_retimer_context(load: Load) -> None:
    frames = {float(time): picture(time) for time in range(10, 14)}
    with load("retimer").create("Retimer", Project(first=1, last=9)) as instance:
        instance.connect("Source", Footage(frames.get, first=10, last=13))
        instance.params["SourceTime"] = lambda time: 10.0 + time / 2
        between, whole = instance.render(3), instance.render(4)
    exact = frames[11.0].astype(np.float64) * 0.5 + frames[12.0].astype(np.float64) * 0.5
    np.testing.assert_array_equal(between.array, exact.astype(np.float32))
    assert between.frames_requested == {"Source": (11.0, 12.0)}
    assert between.complaints == ()
    assert whole.identity == ("Source", 12.0)
    np.testing.assert_array_equal(whole.array, frames[12.0])


def test_an_abort_comes_back_as_a_cancelled_job(load: Load) -> None:
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 3

    with load("abort").create() as instance:
        with pytest.raises(JobCancelledError):
            instance.render(1, {"Source": picture(1)}, abort=stop)
        assert len(asked) == 4
        with pytest.raises(JobCancelledError):
            instance.render(1, {"Source": picture(1)}, abort=lambda: True)


def test_what_an_input_raises_reaches_the_caller(load: Load) -> None:
    class TornFileError(Exception):
        pass

    def torn(time: float) -> np.ndarray[Any, Any]:
        if time == 4:
            raise TornFileError
        return picture(1)

    with load("mean").create() as instance:
        with pytest.raises(TornFileError):
            instance.render(3, {"Source": torn})
        assert instance.render(1, {"Source": torn}).leaked == 0


def test_inputs_that_do_not_fit(load: Load) -> None:
    with load("gain").create() as instance:
        cases: list[tuple[Any, type[Exception], str]] = [
            ({}, UsageError, "the input Source is not connected"),
            ({"Sauce": picture(1)}, UsageError, "it has Source"),
            ({"Source": lambda _: None}, PlateError, "has no picture at frame 1"),
            ({"Source": lambda _: [1, 2]}, PlateError, "is list, not a numpy array"),
            ({"Source": np.zeros((2, 2, 7), np.float32)}, PlateError, r"has the shape \(2, 2, 7\)"),
            ({"Source": np.zeros((2, 2, 4))}, PlateError, "float64"),
        ]
        for inputs, kind, words in cases:
            with pytest.raises(kind, match=words):
                instance.render(1, inputs)
        with pytest.raises(UsageError, match="scale"):
            instance.render(1, {"Source": picture(1)}, render_scale=(0.0, 1.0))
        with pytest.raises(UsageError, match="no MotionVectors output"):
            instance.render(1, {"Source": picture(1)}, components="MotionVectors")
    with pytest.raises(UsageError, match="closed"):
        instance.render(1, {"Source": picture(1)})


def test_a_depth_that_the_host_lacks_becomes_the_deepest(load: Load) -> None:
    with load("gain", Host(depths=("byte", "short"))).create() as instance:
        result = instance.render(1, {"Source": picture(1)}, depth="float")
    assert result.depth == "short"


def test_a_region_without_pixels_is_a_sentence(load: Load) -> None:
    with load("scale").create() as instance:
        instance.params["factor"] = 0.0
        with pytest.raises(EffectError, match="region of definition is 0 x 0 pixels"):
            instance.render(1, {"Source": picture(1)})
        instance.params["factor"] = 1e6
        with pytest.raises(EffectError, match="region of definition"):
            instance.render(1, {"Source": picture(1)})
