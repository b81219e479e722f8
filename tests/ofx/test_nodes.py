# SPDX-License-Identifier: Apache-2.0
"""The four nodes in a host, against a real service."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ofx.rig import FRAMES, HEIGHT, WIDTH, Service, moving, noise
from understudy.client.engine import RemoteEngine
from understudy.contracts.errors import EffectError
from understudy.contracts.jobs import MotionParams, PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import FloatImage, Plate, Window, blank_plate
from understudy.frames.read import read_plate
from understudy.frames.write import write_plate
from understudy.ofx_host import Effect, Footage, Host, Instance, Project

pytestmark = pytest.mark.ofx
PROJECT = Project(width=WIDTH, height=HEIGHT, first=FRAMES[0], last=FRAMES[1])
SOURCE = Footage(moving, first=FRAMES[0], last=FRAMES[1])
Load = Callable[..., Effect]


def plate(pixels: FloatImage, frame: int) -> Plate:
    return blank_plate(pixels, "RGBA", colorspace="ACEScg", frame=frame)


def create(effect: Effect, service: Service, context: Any = "General", **values: Any) -> Instance:
    return effect.create(context, PROJECT, values={"server": service.address, **values})


def interpolate(service: Service, source: Path, output: Path, at: str, space: str) -> None:
    """What the command line makes of files, by the same service."""
    command = [sys.executable, "-m", "understudy", "interpolate", str(source), str(output), "--at", at]
    options = ["--colorspace", space, "--server", service.address, "--no-record"]
    subprocess.run([*command, *options], check=True, capture_output=True)


def clean(result: Any, instance: Instance) -> bool:
    return not result.leaked and not result.complaints and instance.persistent_message is None


@pytest.mark.parametrize("transport", ["shared-memory", "stream"])
def test_pixels_come_back_bit_for_bit(
    load: Load, service: Service, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_OFX_TRANSPORT", transport)
    picture = noise(240, 320, seed=1)
    picture[0, 0] = np.array([-0.0, 65504, 1e-38, 3e38])
    with create(load("Upscale"), service, pack="identity-upscale", scale=1.0) as instance:
        result = instance.render(1001, {"Source": picture})
        assert np.array_equal(result.array.view(np.uint32), picture.view(np.uint32))
        assert clean(result, instance)
    run = service.events("run")[-1]
    assert run["bytes"] == picture.nbytes
    assert run["bytes_received"] == (picture.nbytes if transport == "stream" else 0)


def test_a_retime_is_the_command_lines_frame_bit_for_bit(load: Load, service: Service, tmp_path: Path) -> None:
    for frame in range(FRAMES[0], FRAMES[1] + 1):
        picture = moving(frame)
        assert picture is not None
        write_plate(plate(picture, frame), tmp_path / f"plate.{frame}.exr")
    interpolate(service, tmp_path / "plate.%04d.exr", tmp_path / "middle.exr", "1002.5", "ACEScg")
    expected = read_plate(tmp_path / "middle.exr", frame=None, colorspace="ACEScg")
    with create(load("Retime"), service, timing="Source frame", sourceFrame=1002.5) as instance:
        result = instance.render(1001, {"Source": SOURCE})
        assert np.array_equal(result.array, expected.take("RGBA"))
        assert result.frames_requested["Source"] == (1002.0, 1003.0)
        assert result.frames_needed["Source"] == ((1002.0, 1003.0),)
        assert clean(result, instance)
        instance.params["confidence"] = "As the picture"
        doubt = instance.render(1001, {"Source": SOURCE}).array
        assert np.array_equal(
            doubt[..., :1].astype(np.float16), expected.take(["confidence.Y"])
        )  # the file holds halves
        instance.params["confidence"] = "In alpha"
        both = instance.render(1001, {"Source": SOURCE}).array
        assert np.array_equal(both[..., :3], expected.take("RGB"))
        assert np.array_equal(both[..., 3], doubt[..., 0])


def test_real_frames_retime_as_the_command_line_does(
    load: Load, service: Service, shared_data: Path, tmp_path: Path
) -> None:
    space = "Linear Rec.709 (sRGB)"
    frames = {}
    for number in (3, 4):
        real = read_plate(
            shared_data / f"exr_seq_beachball/singlepart.{number:04d}.exr", frame=number, colorspace=space
        )
        canvas = np.zeros((real.display_window.height, real.display_window.width, 4), np.float32)
        canvas[real.data_window.slices(real.display_window)] = real.take("RGBA")
        frames[number] = np.ascontiguousarray(canvas[600:760, 900:1100])
        cropped = blank_plate(frames[number], "RGBA", colorspace=space, frame=number)
        write_plate(cropped, tmp_path / f"real.{number}.exr")
    interpolate(service, tmp_path / "real.%d.exr", tmp_path / "middle.exr", "3.5", space)
    expected = read_plate(tmp_path / "middle.exr", frame=None, colorspace=space)
    values: Any = {"server": service.address, "timing": "Source frame", "sourceFrame": 3.5, "colorspace": space}
    project = Project(width=200, height=160, first=3, last=4)
    with load("Retime").create("General", project, values=values) as instance:
        result = instance.render(3, {"Source": lambda time: frames.get(int(time))})
        assert np.array_equal(result.array, expected.take("RGBA"))
        assert clean(result, instance)


def test_motion_asks_for_three_frames_once_each(load: Load, service: Service, engine: RemoteEngine) -> None:
    pictures = {frame: moving(frame) for frame in (1002, 1003, 1004)}
    plates = {frame: plate(picture, frame) for frame, picture in pictures.items() if picture is not None}
    pairs = [
        engine.run(
            RoleRequest(pack=PackPin(id="dis-good"), params=MotionParams(), plates={"a": plates[a], "b": plates[a + 1]})
        )
        for a in (1002, 1003)
    ]
    forward, backward = pairs[1].plates["a"], pairs[0].plates["b"]
    with create(load("Motion"), service) as instance:
        result = instance.render(1003, {"Source": SOURCE})
        assert sorted(result.frames_requested["Source"]) == [1002, 1003, 1004]
        assert result.frames_needed["Source"] == ((1002.0, 1004.0),)
        assert np.array_equal(result.array[..., :2], forward.take(["forward.u", "forward.v"]))
        assert np.array_equal(result.array[..., 2:], backward.take(["backward.u", "backward.v"]))
        assert clean(result, instance)
        last = instance.render(FRAMES[1], {"Source": SOURCE})
        assert sorted(last.frames_requested["Source"]) == [FRAMES[1] - 1, FRAMES[1]]
        assert not last.array[..., :2].any()
        assert last.array[..., 2].any()
        instance.params["show"] = "Confidence"
        doubt = instance.render(1003, {"Source": SOURCE}).array
        lower = np.minimum(forward.take(["confidence.Y"]), backward.take(["confidence.Y"]))
        assert np.array_equal(doubt[..., :1], lower)
        instance.params["show"] = "Forward, confidence, occlusion"
        one_way = instance.render(1003, {"Source": SOURCE})
        assert sorted(one_way.frames_requested["Source"]) == [1003, 1004]
        names = ["forward.u", "forward.v", "confidence.Y", "occlusion.Y"]
        assert np.array_equal(one_way.array, forward.take(names))


@pytest.mark.parametrize("proxy", [1.0, 0.5])
def test_an_upscale_has_the_size_and_the_pixels(
    load: Load, service: Service, engine: RemoteEngine, proxy: float
) -> None:
    height, width = int(HEIGHT * proxy), int(WIDTH * proxy)
    picture = noise(height, width, seed=4)
    request = RoleRequest(
        pack=PackPin(id="lanczos"), params=UpscaleParams(scale=Fraction(3, 2)), plates={"plate": plate(picture, 1001)}
    )
    expected = engine.run(request).plates["plate"].pixels
    with create(load("Upscale"), service, pack="lanczos", scale=1.5) as instance:
        result = instance.render(1001, {"Source": picture}, render_scale=(proxy, proxy))
        assert result.rod == (0, 0, 1.5 * WIDTH, 1.5 * HEIGHT)
        assert result.bounds == (0, 0, 1.5 * width, 1.5 * height)
        assert np.array_equal(result.array, expected)
        assert result.regions_of_interest["Source"] == (0, 0, WIDTH, HEIGHT)
        assert clean(result, instance)
        instance.params["confidence"] = "In alpha"
        doubt = instance.render(1001, {"Source": picture}, render_scale=(proxy, proxy)).array
        assert np.array_equal(doubt[..., :3], expected[..., :3])
        assert 0 < doubt[..., 3].min() < doubt[..., 3].max() <= 1


def test_a_window_of_the_frame_stays_where_it_is(load: Load, service: Service, engine: RemoteEngine) -> None:
    picture = noise(20, 30)
    lies = replace(
        plate(picture, 1001),
        data_window=Window(-5, HEIGHT - 27, 30, 20),
        display_window=Window(0, 0, WIDTH, HEIGHT),
    )
    expected = engine.run(
        RoleRequest(pack=PackPin(id="lanczos"), params=UpscaleParams(scale=Fraction(2)), plates={"plate": lies})
    ).plates["plate"]
    assert expected.data_window == Window(-10, 2 * HEIGHT - 54, 60, 40)
    with create(load("Upscale"), service, pack="lanczos", scale=2.0) as instance:
        result = instance.render(1001, {"Source": Footage(lambda _: picture, origin=(-5, 7))})
        assert result.bounds == (-10, 14, 50, 54)
        assert np.array_equal(result.array, expected.pixels)


@pytest.mark.parametrize("components", ["RGBA", "RGB", "Alpha"])
@pytest.mark.parametrize("depth", ["half", "short", "byte"])
def test_every_depth_and_kind_of_pixels_comes_back(load: Load, service: Service, depth: Any, components: Any) -> None:
    channels = {"RGBA": 4, "RGB": 3, "Alpha": 1}[components]
    rng = np.random.default_rng(2)
    if depth == "half":
        picture: Any = noise(33, 47, channels).astype(np.float16)
        picture.flat[:4] = [65504, -65504, 6e-8, -0.0]
    else:
        kind = np.uint16 if depth == "short" else np.uint8
        picture = rng.integers(0, np.iinfo(kind).max, (33, 47, channels), kind, endpoint=True)
    host = Host(depths=(depth,))
    with create(load("Upscale", host), service, pack="lanczos", scale=1.0) as instance:
        result = instance.render(1001, {"Source": picture}, depth=depth, components=components)
        assert result.array.dtype == picture.dtype
        assert np.array_equal(result.array, picture)
        assert clean(result, instance)


def test_the_retimer_context_and_whole_frames(load: Load, service: Service) -> None:
    effect = load("Retime")
    with create(effect, service, "Retimer") as instance:
        instance.params["SourceTime"] = 1003.0
        whole = instance.render(1001, {"Source": SOURCE})
        assert whole.identity == ("Source", 1003.0)
        instance.params["SourceTime"] = 1002.5
        between = instance.render(1001, {"Source": SOURCE})
        assert between.identity is None
        assert between.frames_requested["Source"] == (1002.0, 1003.0)
    with create(effect, service, timing="Speed", speed=0.5) as instance:
        assert instance.render(1003, {"Source": SOURCE}).identity == ("Source", 1002.0)
        assert np.array_equal(instance.render(1002, {"Source": SOURCE}).array[..., 3].min(), np.float32(1))
        unasked = instance.render(1005, {"Source": SOURCE}, ask_identity=False)
        third = moving(1003)
        assert third is not None
        assert np.array_equal(unasked.array, third)
        late = instance.render(1099, {"Source": SOURCE})
        assert late.identity == ("Source", 1005.0)  # held at the end


def test_nothing_is_blended_across_a_cut(load: Load, service: Service) -> None:
    shots = {1001: noise(seed=1), 1002: noise(seed=2)}
    source = Footage(lambda time: shots.get(int(time)), first=1001, last=1002)
    with create(load("Retime"), service, timing="Source frame", sourceFrame=1001.75) as instance:
        assert np.array_equal(instance.render(1001, {"Source": source}).array, shots[1002])
        instance.params["confidence"] = "In alpha"
        assert not instance.render(1001, {"Source": source}).array[..., 3].any()
        instance.params["confidence"] = "Off"
        instance.params["cuts"] = "none"
        assert not np.array_equal(instance.render(1001, {"Source": source}).array, shots[1002])
        instance.params["cuts"] = "1002"
        instance.params["sourceFrame"] = 1001.25
        assert np.array_equal(instance.render(1001, {"Source": source}).array, shots[1001])


def test_relight_takes_aovs_and_a_lights_file(load: Load, service: Service, tmp_path: Path) -> None:
    picture = np.full((HEIGHT, WIDTH, 4), 0.5, np.float32)
    normal = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    normal[..., 2:] = 1  # toward the camera
    albedo = np.ones((HEIGHT, WIDTH, 4), np.float32) * 0.25
    with create(load("Relight"), service) as instance:
        inputs = {"Source": picture, "Normal": normal, "Albedo": albedo}
        instance.params["sunDirection"] = (0.0, 0.0, 1.0)
        instance.params["skyIntensity"] = 0.0
        once = instance.render(1001, inputs)
        instance.params["sunIntensity"] = 6.0
        twice = instance.render(1001, inputs)
        assert once.array[..., :3].min() > 0
        np.testing.assert_allclose(twice.array[..., :3], 2 * once.array[..., :3], rtol=1e-5)
        rig = tmp_path / "rig.json"
        rig.write_text(
            '{"schema":"understudy.lights/1","lights":[{"type":"directional","direction":[0,0,1],"intensity":3}]}'
        )
        instance.params["lightsFile"] = str(rig)
        assert np.array_equal(instance.render(1001, inputs).array, once.array)
        rig.write_text("[")
        with pytest.raises(EffectError, match="the lights file is no JSON object"):
            instance.render(1001, inputs)


def test_two_hundred_renders_from_eight_threads_are_right(load: Load, service: Service, engine: RemoteEngine) -> None:
    effect = load("Upscale")
    pictures = [noise(40, 50, seed=seed) for seed in range(20)]
    params = UpscaleParams(scale=Fraction(2))
    larger = [
        engine.run(RoleRequest(pack=PackPin(id="lanczos"), params=params, plates={"plate": plate(picture, 1)}))
        for picture in pictures
    ]
    source = Footage(lambda time: pictures[int(time) % 20], first=0, last=199)
    with (
        create(effect, service, pack="identity-upscale", scale=1.0) as same,
        create(effect, service, pack="lanczos", scale=2.0) as twice,
        ThreadPoolExecutor(8) as pool,
    ):
        assert effect.description.thread_safety == "full"
        instances = (same, twice, twice)
        results = list(pool.map(lambda frame: instances[frame % 3].render(frame, {"Source": source}), range(200)))
    for frame, result in enumerate(results):
        expected = larger[frame % 20].plates["plate"].pixels if frame % 3 else pictures[frame % 20]
        assert np.array_equal(result.array, expected)
        assert not result.leaked
        assert not result.complaints


def test_an_unknown_color_space_is_told(load: Load, service: Service) -> None:
    picture = noise(32, 32)
    with (
        create(load("Upscale"), service, pack="identity-upscale", scale=1.0, colorspace="no such space") as instance,
        pytest.raises(EffectError, match="no such space"),
    ):
        instance.render(1001, {"Source": picture})


def test_the_hosts_color_space_goes_before_the_declared_one(load: Load, service: Service) -> None:
    picture = noise(32, 32)
    host = Host(color_management="Full")
    with create(load("Upscale", host), service, pack="identity-upscale", scale=1.0, colorspace="wrong") as instance:
        footage = Footage(lambda _: picture, colorspace="ACES2065-1")
        result = instance.render(1001, {"Source": footage})
        assert np.array_equal(result.array, picture)
        assert result.colorspace == "ACES2065-1"


def test_what_is_not_finite_is_replaced(load: Load, service: Service) -> None:
    picture = noise(16, 16)
    picture[3, 4] = [np.nan, np.inf, -np.inf, 1]
    with create(load("Upscale"), service, pack="identity-upscale", scale=1.0) as instance:
        result = instance.render(1001, {"Source": picture}).array
    assert result[3, 4].tolist() == [0, 65504, -65504, 1]
    picture[3, 4] = result[3, 4]
    assert np.array_equal(result, picture)


def test_color_that_is_not_premultiplied_stays_so(load: Load, service: Service) -> None:
    def divided(time: float) -> Any:
        picture = moving(time)
        if picture is not None:
            picture[..., 3] = 0.5
        return picture

    def whole(time: float) -> Any:
        picture = divided(time)
        if picture is not None:
            picture[..., :3] *= np.float32(0.5)
        return picture

    with create(load("Retime"), service, timing="Source frame", sourceFrame=1002.5) as instance:
        first, last = FRAMES
        apart = instance.render(1001, {"Source": Footage(divided, first=first, last=last, alpha="unpremultiplied")})
        together = instance.render(1001, {"Source": Footage(whole, first=first, last=last)})
        assert apart.array[..., 3].max() <= 1
        np.testing.assert_allclose(apart.array[..., :3] * 0.5, together.array[..., :3], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["Motion", "Retime"])
def test_a_host_without_neighbors_is_told(load: Load, service: Service, name: str) -> None:
    values = {"timing": "Source frame", "sourceFrame": 1002.5} if name == "Retime" else {}
    with (
        create(load(name, Host(temporal_access=False)), service, **values) as instance,
        pytest.raises(EffectError, match="one frame at a time"),
    ):
        instance.render(1002, {"Source": SOURCE})
