# SPDX-License-Identifier: Apache-2.0
"""Retimes are exact: integers stay integers, nothing drifts."""

from fractions import Fraction as F
from pathlib import Path

import opentimelineio as otio
import pytest

from understudy.contracts.errors import MissingFileError, UnreadableFileError, UsageError
from understudy.graph.retime import (
    ShutterTimes,
    SourceRange,
    plan_at,
    plan_fps,
    plan_list,
    plan_source_curve,
    plan_speed,
    plan_speed_curve,
)
from understudy.graph.timeline import plan_timeline

SOURCE = SourceRange(1001, 1010)


def _times(plan: object) -> dict[int, F]:
    return {output.frame: output.times[0] for output in plan.outputs}  # type: ignore[attr-defined]


def _clip(start: float, count: float, speed: float | None = None) -> otio.schema.Clip:
    span = otio.opentime.TimeRange(otio.opentime.RationalTime(start, 24), otio.opentime.RationalTime(count, 24))
    effects = [] if speed is None else [otio.schema.LinearTimeWarp(time_scalar=speed)]
    return otio.schema.Clip(name="a", source_range=span, effects=effects)


def test_half_speed_doubles_the_frames_and_keeps_both_ends() -> None:
    times = _times(plan_speed(SOURCE, F(1, 2)))
    assert list(times) == list(range(1001, 1020))
    assert times[1001] == 1001
    assert times[1002] == F(2003, 2)
    assert times[1019] == 1010


def test_double_speed_shows_every_other_frame() -> None:
    assert list(_times(plan_speed(SOURCE, F(2))).values()) == [1001, 1003, 1005, 1007, 1009]


def test_negative_speed_runs_backward_from_the_last_frame() -> None:
    times = _times(plan_speed(SOURCE, F(-1)))
    assert times[1001] == 1010
    assert times[1010] == 1001


def test_frame_rates_stay_exact() -> None:
    source = SourceRange(0, 24 * 60)
    times = _times(plan_fps(source, F(24000, 1001), F(24)))
    assert times[1001] == 1000
    assert times[1441] == 1441 * F(1000, 1001)
    assert list(times) == list(range(1442))  # 1441.44 is the last


def test_one_time_makes_one_picture() -> None:
    (output,) = plan_at(SOURCE, F(20071, 20)).outputs
    assert output.times == (F(20071, 20),)


def test_a_list_is_taken_as_it_stands() -> None:
    times = _times(plan_list(SOURCE, [F(1005), F(1005), F("1001.25")]))
    assert times == {1001: 1005, 1002: 1005, 1003: F(4005, 4)}


def test_a_source_curve_is_linear_between_keys() -> None:
    times = _times(plan_source_curve(SOURCE, [(F(1), F(1001)), (F(5), F(1009))]))
    assert times == {1: 1001, 2: 1003, 3: 1005, 4: 1007, 5: 1009}


def test_a_speed_ramp_is_integrated_exactly() -> None:
    # speed 0 to 1 over 4 frames: position is k^2 / 8
    times = _times(plan_speed_curve(SOURCE, [(F(1001), F(0)), (F(1005), F(1))]))
    assert [times[1001 + k] - 1001 for k in range(5)] == [F(k * k, 8) for k in range(5)]
    assert times[1006] - times[1005] == 1


def test_the_shutter_samples_the_output_frame_and_holds_the_ends() -> None:
    shutter = ShutterTimes.of(180, 4, None)
    assert shutter.offsets() == (F(-3, 16), F(-1, 16), F(1, 16), F(3, 16))
    plan = plan_speed(SourceRange(1001, 1010, "error", shutter), F(2))
    assert plan.outputs[0].times == (F(1001), F(1001), F(1001) + F(1, 8), F(1001) + F(3, 8))
    assert plan.outputs[1].times[0] == 1003 - F(3, 8)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda: plan_speed(SOURCE, F(0)), "speed of 0", id="speed zero"),
        pytest.param(lambda: plan_at(SOURCE, F(1011)), "source is 1001-1010", id="beyond the end"),
        pytest.param(lambda: plan_at(SOURCE, F("1000.5")), "source time 1000.5", id="before the start"),
        pytest.param(lambda: plan_source_curve(SOURCE, [(F(1), F(1001)), (F(1), F(2))]), "two keys", id="twin keys"),
        pytest.param(lambda: plan_speed(SOURCE, F(1, 10**9)), "1000001 output frames", id="endless"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(make: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make()  # type: ignore[operator]


def test_hold_keeps_the_ends() -> None:
    source = SourceRange(1001, 1010, "hold")
    assert _times(plan_list(source, [F(990), F(1020)])) == {1001: 1001, 1002: 1010}


def test_a_speed_curve_that_would_take_forever_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="9000000001 output frames; check its speed"):
        plan_speed_curve(SOURCE, [(F(1001), F(1, 10**9))])


@pytest.mark.parametrize("speed", [F(1, 3), F(1), F(5, 2)])
def test_a_speed_curve_runs_to_the_end_of_the_source(speed: F) -> None:
    times = _times(plan_speed_curve(SOURCE, [(F(1001), speed)]))
    assert times == _times(plan_speed(SOURCE, speed))


def test_a_speed_curve_that_ends_at_rest_ends_with_its_keys() -> None:
    assert list(_times(plan_speed_curve(SOURCE, [(F(1001), F(1)), (F(1005), F(0))]))) == [1001, 1002, 1003, 1004, 1005]


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (otio.schema.Clip("a"), "does not say which frames"),
        (_clip(float("nan"), 3), "between frames"),
        (_clip(1001, float("inf")), "between frames"),
        (_clip(1001, 3, float("nan")), "retimed by nan"),
        (_clip(1001, 3, float("inf")), "retimed by inf"),
    ],
)
def test_a_clip_without_sense_is_refused(tmp_path: Path, clip: otio.schema.Clip, message: str) -> None:
    path = tmp_path / "cut.otio"
    otio.adapters.write_to_file(clip, str(path))
    with pytest.raises(UsageError, match=message):
        plan_timeline(SOURCE, path)


def _timeline(path: Path, *effects: object, start: int = 1001, count: int = 5) -> Path:
    span = otio.opentime.TimeRange(otio.opentime.RationalTime(start, 24), otio.opentime.RationalTime(count, 24))
    clip = otio.schema.Clip(name="sh010", source_range=span, effects=list(effects))
    track = otio.schema.Track(kind=otio.schema.TrackKind.Video)
    track.append(clip)
    timeline = otio.schema.Timeline("cut")
    timeline.tracks.append(track)
    otio.adapters.write_to_file(timeline, str(path))
    return path


def test_a_timeline_gives_warp_freeze_and_scalar_zero(tmp_path: Path) -> None:
    warp = _timeline(tmp_path / "warp.otio", otio.schema.LinearTimeWarp(time_scalar=0.5))
    assert list(_times(plan_timeline(SOURCE, warp)).values()) == [1001, F(2003, 2), 1002, F(2005, 2), 1003]
    for effect in (otio.schema.FreezeFrame(), otio.schema.LinearTimeWarp(time_scalar=0.0)):
        freeze = _timeline(tmp_path / "freeze.otio", effect, start=1004)
        assert set(_times(plan_timeline(SOURCE, freeze)).values()) == {F(1004)}


def test_a_negative_warp_plays_the_same_stretch_backward(tmp_path: Path) -> None:
    back = _timeline(tmp_path / "back.otio", otio.schema.LinearTimeWarp(time_scalar=-1.0), start=1003)
    assert list(_times(plan_timeline(SOURCE, back)).values()) == [1007, 1006, 1005, 1004, 1003]


def test_media_times_become_frame_numbers(tmp_path: Path) -> None:
    available = otio.opentime.TimeRange(otio.opentime.RationalTime(0, 24), otio.opentime.RationalTime(100, 24))
    numbered = otio.schema.ImageSequenceReference(name_prefix="p.", start_frame=1000, available_range=available)
    for media in (numbered, otio.schema.ExternalReference("p.mov", available_range=available)):
        path = _timeline(tmp_path / "media.otio", start=2, count=2)
        timeline = otio.adapters.read_from_file(str(path))
        timeline.tracks[0][0].media_reference = media
        otio.adapters.write_to_file(timeline, str(path))
        first = 1002 if media is numbered else 1003
        assert list(_times(plan_timeline(SOURCE, path)).items()) == [(first, F(first)), (first + 1, F(first + 1))]


def test_other_effects_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a linear retime"):
        plan_timeline(SOURCE, _timeline(tmp_path / "a.otio", otio.schema.Effect(effect_name="Remap")))
    with pytest.raises(UsageError, match="has no clip 'b'"):
        plan_timeline(SOURCE, _timeline(tmp_path / "b.otio"), "b")
    with pytest.raises(MissingFileError):
        plan_timeline(SOURCE, tmp_path / "none.otio")
    (tmp_path / "c.otio").write_text("not json")
    with pytest.raises(UnreadableFileError):
        plan_timeline(SOURCE, tmp_path / "c.otio")
    (tmp_path / "d.xml").write_text("<xmeml/>")
    with pytest.raises(UsageError, match=r"\.otio and \.edl only"):
        plan_timeline(SOURCE, tmp_path / "d.xml")
