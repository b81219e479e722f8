# SPDX-License-Identifier: Apache-2.0
"""A cut becomes graphs: exact frames, handles, dissolves, time codes, and refusals that say why."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest
from typer.testing import CliRunner

from understudy.cli.main import app
from understudy.contracts.errors import InputError, UsageError
from understudy.contracts.plate import Plate, Window
from understudy.editorial.conform import Conformed, Wishes, conform
from understudy.editorial.cut import Shot, read_cut
from understudy.frames.read import read_plate
from understudy.frames.write import write_plate
from understudy.graph.document import InterpolateNode
from understudy.graph.parsing import load_graph
from understudy.graph.render import render_graph
from understudy.roles.engine import LocalEngine

F = Fraction
WINDOW = Window(0, 0, 16, 8)


def _plates(folder: Path, frames: range, **metadata: Any) -> Path:
    for frame in frames:
        plate = Plate(
            pixels=np.full((8, 16, 3), frame, np.float32),
            channels=("R", "G", "B"),
            sample_types=("float",) * 3,
            data_window=WINDOW,
            display_window=WINDOW,
            frame=frame,
            colorspace="ACEScg",
            metadata=metadata,
        )
        write_plate(plate, folder / f"plate.{frame:04d}.exr")
    return folder


def _range(start: float, count: float) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(otio.opentime.RationalTime(start, 24), otio.opentime.RationalTime(count, 24))


def _clip(name: str, folder: Path | None, start: int, count: int, *effects: otio.schema.Effect) -> otio.schema.Clip:
    media = None
    if folder is not None:
        media = otio.schema.ImageSequenceReference(
            target_url_base=folder.as_uri(), name_prefix="plate.", name_suffix=".exr", start_frame=1001, rate=24,
            frame_zero_padding=4, available_range=_range(1001, 20),
        )  # fmt: skip
    return otio.schema.Clip(name, media, _range(start, count), effects=list(effects))


def _cut(path: Path, *children: otio.core.Composable) -> Path:
    track = otio.schema.Track(kind=otio.schema.TrackKind.Video, children=list(children))
    otio.adapters.write_to_file(otio.schema.Timeline(path.stem, tracks=[track]), str(path))
    return path


def _times(one: Conformed) -> dict[int, Fraction]:
    """Source time of each output frame, as the graph says."""
    assert one.graph is not None
    retime = load_graph(one.graph).nodes["retime"]
    assert isinstance(retime, InterpolateNode)
    (a, at_a), (b, at_b) = ((key.frame, key.source or F(0)) for key in (retime.curve[0], retime.curve[-1]))
    step = (at_b - at_a) / (b - a)
    return {frame: at_a + (frame - a) * step for frame in range(one.first, one.last + 1)}


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (otio.schema.LinearTimeWarp(time_scalar=0.5), [F(1005), F(2011, 2), F(1006), F(2013, 2)]),
        (otio.schema.LinearTimeWarp(time_scalar=-2), [F(1011), F(1009), F(1007), F(1005)]),
        (otio.schema.FreezeFrame(), [F(1005)] * 4),
        (otio.schema.LinearTimeWarp(time_scalar=0), [F(1005)] * 4),
    ],
)
def test_a_retimed_shot_gets_its_graph(tmp_path: Path, effect: otio.schema.Effect, expected: list[Fraction]) -> None:
    folder = _plates(tmp_path / "a", range(1001, 1021))
    cut = _cut(tmp_path / "cut.otio", _clip("still", folder, 1001, 3), _clip("sh 010", folder, 1005, 4, effect))
    done, refused, _ = conform(cut, tmp_path / "out", Wishes())
    assert (len(done), refused) == (2, [])
    assert done[0].graph is None, "it is not retimed"
    assert done[1].graph == tmp_path / "out" / "002_sh_010.yaml"
    assert list(_times(done[1]).values()) == expected
    assert (done[1].first, done[1].last) == (1005, 1008)
    everything, _, _ = conform(cut, tmp_path / "all", Wishes(everything=True))
    assert list(_times(everything[0])) == [1001, 1002, 1003]


def test_handles_go_as_far_as_the_media_and_a_dissolve_takes_its_own(tmp_path: Path) -> None:
    folder = _plates(tmp_path / "a", range(1001, 1021))
    slow = otio.schema.LinearTimeWarp(time_scalar=0.5)
    time = otio.opentime.RationalTime
    dissolve = otio.schema.Transition(in_offset=time(2, 24), out_offset=time(3, 24))
    cut = _cut(tmp_path / "cut.otio", _clip("a", folder, 1003, 6, slow), dissolve, _clip("b", folder, 1010, 4))
    done, _, _ = conform(cut, tmp_path / "out", Wishes(handles=8))
    first = done[0]
    assert (first.head, first.tail) == (4, 11), "1001 is the first picture; 8 and 3 of the dissolve"
    assert _times(first)[1003] == 1003
    assert min(_times(first).values()) == 1001
    assert max(_times(first).values()) == 1003 + F(5 + 11, 2)


def test_the_new_cut_shows_what_the_graphs_make(tmp_path: Path) -> None:
    folder = _plates(tmp_path / "a", range(1001, 1021))
    slow = otio.schema.LinearTimeWarp(time_scalar=0.5)
    cut = _cut(tmp_path / "cut.otio", _clip("a", folder, 1005, 4, slow), _clip("b", folder, 1010, 4))
    done, _, relinked = conform(cut, tmp_path / "out", Wishes(handles=2, colorspace="ACEScg"))
    engine = LocalEngine(device="cpu")
    assert done[0].graph
    graph = load_graph(done[0].graph)
    render_graph(graph.model_copy(update={"record": False}), engine)
    engine.close()
    made = read_plate(tmp_path / "out/001_a/001_a.1007.exr", frame=1007, colorspace="")
    assert np.all(made.take(("R", "G", "B")) == 1006)
    timeline, shots = read_cut(relinked)
    first = shots[0]
    assert isinstance(first, Shot)
    assert (float(first.speed), first.count, first.start) == (1, 4, 1005)
    again, _, _ = conform(relinked, tmp_path / "again", Wishes(everything=True, colorspace="ACEScg"))
    assert again[0].first == 1005, "its pictures are found again"
    assert [clip.duration().value for clip in timeline.find_clips()] == [4, 4], "the cut is as long as it was"


def test_an_edl_by_time_code(tmp_path: Path) -> None:
    pytest.importorskip("otio_cmx3600_adapter")
    (tmp_path / "cut.edl").write_text(
        "TITLE: cut\nFCM: NON-DROP FRAME\n\n"
        "001  A001     V     C        01:00:00:02 01:00:00:04 00:00:00:00 00:00:00:04\n"
        "M2   A001     012.0                01:00:00:02\n* FROM CLIP NAME: sh010\n"
        "002  A001     V     C        01:00:00:06 01:00:00:08 00:00:00:04 00:00:00:06\n* FROM CLIP NAME: sh020\n"
        "003  A001     V     C        01:00:00:05 01:00:00:06 00:00:00:06 00:00:00:08\n"
        "M2   A001     000.0                01:00:00:05\n* FROM CLIP NAME: sh030\n"
    )
    code = (1 << 24, 0)  # 01:00:00:00
    folder = _plates(tmp_path / "A001", range(11, 31), **{"smpte:TimeCode": code})
    wishes = Wishes(media=str(tmp_path / "{reel}" / "plate.%04d.exr"))
    done, _, _ = conform(tmp_path / "cut.edl", tmp_path / "out", wishes)
    assert [one.graph is None for one in done] == [False, True, False]
    assert list(_times(done[0]).values()) == [13, F(27, 2), 14, F(29, 2)]
    assert set(_times(done[2]).values()) == {16}
    for path in folder.iterdir():
        path.unlink()
    _plates(folder, range(11, 31))
    with pytest.raises(UsageError, match="no time code"):
        conform(tmp_path / "cut.edl", tmp_path / "out2", wishes)
    assert not (tmp_path / "out2").exists()
    said = Wishes(media=wishes.media, media_start="00:59:59:23")
    done, _, _ = conform(tmp_path / "cut.edl", tmp_path / "out2", said)
    assert _times(done[0])[done[0].first] == 14


def test_what_cant_be_done_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    folder = _plates(tmp_path / "a", range(1001, 1011))
    slow = otio.schema.LinearTimeWarp(time_scalar=0.5)
    odd = otio.schema.TimeEffect(effect_name="Ramp")
    late = _clip("late", folder, 1009, 20, otio.schema.LinearTimeWarp(time_scalar=2))
    cut = _cut(
        tmp_path / "cut.otio", _clip("a", folder, 1002, 4, slow), _clip("ramp", folder, 1002, 4, odd), late,
        _clip("lost", tmp_path / "none", 1002, 4, slow), _clip("bare", None, 1002, 4, slow),
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"event 2 \(ramp\).*not a linear retime"):
        conform(cut, tmp_path / "out", Wishes())
    assert not (tmp_path / "out").exists()
    done, refused, _ = conform(cut, tmp_path / "out", Wishes(), leave_out_refused=True)
    assert [one.shot.name for one in done] == ["a"]
    told = [str(error) for error in refused]
    assert "shows the frames 1009 to 1047" in told[1]
    assert isinstance(refused[2], InputError)
    assert "names no media" in told[3]
    nested = otio.schema.Stack(children=[otio.schema.Track(children=[_clip("in", folder, 1002, 4)])])
    nested.effects.append(slow.deepcopy())
    with pytest.raises(UsageError, match="retimed as a whole"):
        conform(_cut(tmp_path / "nest.otio", nested), tmp_path / "out3", Wishes())
    (tmp_path / "cut.xml").write_text("<xmeml/>")
    with pytest.raises(UsageError, match="FCP XML and AAF lose retimes"):
        conform(tmp_path / "cut.xml", tmp_path / "out3", Wishes())


def test_the_command_tells_each_shot(tmp_path: Path) -> None:
    folder = _plates(tmp_path / "a", range(1001, 1011))
    slow = otio.schema.LinearTimeWarp(time_scalar=0.5)
    cut = _cut(tmp_path / "cut.otio", _clip("a", folder, 1002, 4, slow), _clip("b", folder, 1002, 4))
    options = ["conform", str(cut), "--out", str(tmp_path / "out"), "--handles", "4"]
    result = CliRunner().invoke(app, [*options, "--json"])
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in events] == ["shot", "shot", "conformed"]
    assert (events[0]["frames"], events[0]["speed"], events[0]["head"]) == ("1000-1009", "1/2", 2)
    assert events[2]["graphs"] == 1
    told = CliRunner().invoke(app, options)
    assert "handles 2 and 4 of 4 and 4: there is no more media" in told.stderr
