# SPDX-License-Identifier: Apache-2.0
"""The commands as a user runs them: real processes and files, exit codes, the same bytes with and without a server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.contracts.plate import Plate, Window
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.write import write_plate

pytestmark = pytest.mark.e2e

COLORSPACE = "ACEScg"


def understudy(*arguments: str, **extra: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "understudy", *arguments], capture_output=True, text=True, timeout=120, **extra
    )


def events(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames of a texture that moves 3 px right and 2 px up a frame, with alpha, an id, overscan and a sun."""
    folder = tmp_path_factory.mktemp("shot")
    random = np.random.default_rng(7)
    coarse = random.random((40, 48, 3)).astype(np.float32)
    texture = np.kron(coarse, np.ones((6, 6, 1), np.float32))
    for _ in range(3):
        texture = (texture + np.roll(texture, 1, 0) + np.roll(texture, 1, 1)) / 3
    texture[100:104, 100:104] = 500.0
    for index in range(6):
        window = np.roll(texture, (-2 * index, 3 * index), (0, 1))[40:136, 60:188]
        alpha = np.ones((96, 128, 1), np.float32)
        ident = (np.arange(128, dtype=np.float32) // 32)[None, :, None].repeat(96, 0)
        plate = Plate(
            pixels=np.concatenate([window, alpha, ident], axis=2),
            channels=("R", "G", "B", "A", "id.X"),
            sample_types=("half", "half", "half", "half", "float"),
            data_window=Window(-4, -4, 128, 96),
            display_window=Window(0, 0, 120, 88),
            colorspace=COLORSPACE,
            frame=1001 + index,
            metadata={"reelName": "A001", "shot": "sh010"},
        )
        write_plate(plate, folder / f"plate.{1001 + index}.exr")
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "understudy", "serve", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["address"]
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()


ROLES = {
    "motion": ("--frames", "1002-1003"),
    "interpolate": ("--speed", "1/2", "--frames", "1001-1004", "--shutter", "90", "--shutter-samples", "3"),
    "upscale": ("--scale", "3/2", "--frames", "1003", "--confidence"),
    "relight": ("--passes", "ratio,confidence", "--frames", "1003"),
}


@pytest.mark.parametrize("role", ROLES)
def test_a_server_gives_the_same_bytes(role: str, shot: Path, server: str, tmp_path: Path) -> None:
    for name, extra in (("here", ()), ("there", ("--server", server))):
        out = tmp_path / name / "out.%04d.exr"
        done = understudy(
            role, str(shot / "plate.%04d.exr"), str(out), "--colorspace", COLORSPACE, *ROLES[role], *extra
        )
        assert done.returncode == 0, done.stderr
    here = sorted((tmp_path / "here").iterdir())
    assert here
    told = {path.name for path in here if path.suffix == ".json" or path.is_dir()}
    assert told == {"ascmhl", *(f"{path.name}" for path in (tmp_path / "here").glob("out.provenance.json"))}
    assert [path.name for path in here] == [path.name for path in sorted((tmp_path / "there").iterdir())]
    for path in here:
        if path.name in told:  # the record tells times, and who computed
            continue
        assert path.read_bytes() == (tmp_path / "there" / path.name).read_bytes(), path.name


def test_events_tell_color_pack_frames_and_the_range(shot: Path, tmp_path: Path) -> None:
    done = understudy(
        "upscale", str(shot / "plate.####.exr"), str(tmp_path / "o.####.exr"), "--colorspace", COLORSPACE,
        "--pack", "lanczos", "--frames", "1001-1003x2", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = events(done)
    kinds = [event["event"] for event in told]
    assert kinds[0] == "color"
    assert told[0]["rule"] == "user"
    assert {"pack", "start", "frame", "done"} <= set(kinds)
    frames = [event for event in told if event["event"] == "frame"]
    assert [(event["frame"], event["done"], event["total"]) for event in frames] == [(1001, 1, 2), (1003, 2, 2)]
    assert told[-1]["max_in"] == 500.0
    assert told[-1]["max_out"] >= 495.0
    assert told[-1]["clamped"] == 0
    header = read_header(tmp_path / "o.1001.exr")
    assert (header.metadata["reelName"], header.metadata["shot"]) == ("A001", "sh010")
    assert str(header.metadata["understudy:packs"]).startswith("lanczos@")
    assert header.display_window == Window(0, 0, 240, 176)
    assert header.parts[0].data_window == Window(-8, -8, 256, 192)


def test_whole_frames_of_a_retime_are_the_source(shot: Path, tmp_path: Path) -> None:
    done = understudy(
        "interpolate", str(shot / "plate.%04d.exr"), str(tmp_path / "o.%04d.exr"), "--colorspace", COLORSPACE,
        "--speed", "0.5", "--frames", "1001,1002,1003",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for output, source in ((1001, 1001), (1003, 1002)):
        ours = read_plate(tmp_path / f"o.{output}.exr", frame=output, colorspace=COLORSPACE)
        theirs = read_plate(shot / f"plate.{source}.exr", frame=source, colorspace=COLORSPACE)
        assert ours.data_window == theirs.data_window
        np.testing.assert_array_equal(ours.take(theirs.channels), theirs.pixels)
    between = read_plate(tmp_path / "o.1002.exr", frame=None, colorspace=COLORSPACE)
    assert set(np.unique(between.take(["id.X"]))) <= {0.0, 1.0, 2.0, 3.0}


def test_a_second_render_leaves_what_is_right_and_makes_what_is_missing_or_stale(shot: Path, tmp_path: Path) -> None:
    command = (
        "upscale", str(shot / "plate.%04d.exr"), str(tmp_path / "o.%04d.exr"), "--colorspace", COLORSPACE,
        "--pack", "lanczos", "--frames", "1001-1003", "--json",
    )  # fmt: skip
    assert events(understudy(*command))[-1]["frames"] == 3
    before = (tmp_path / "o.1001.exr").stat().st_mtime_ns
    (tmp_path / "o.1002.exr").unlink()
    last = events(understudy(*command))[-1]
    assert (last["frames"], last["skipped"]) == (1, 2)
    assert (tmp_path / "o.1001.exr").stat().st_mtime_ns == before
    assert events(understudy(*command, "--redo"))[-1]["frames"] == 3
    assert events(understudy(*command, "--scale", "3"))[-1]["frames"] == 3


def test_a_graph_renders_two_outputs_with_handles(shot: Path, tmp_path: Path) -> None:
    graph = tmp_path / "shot.yaml"
    graph.write_text(
        f"""
schema: understudy.graph/1
frames: 1003-1004
handles: 1
nodes:
  plate: {{type: read, file: "{shot}/plate.%04d.exr", colorspace: {COLORSPACE}}}
  vectors: {{type: motion, input: plate, pack: dis-draft}}
  blur: {{type: vector_blur, input: plate, vectors: vectors, shutter: {{angle: 180, samples: 4}}}}
  slow: {{type: interpolate, input: plate, vectors: vectors, at: 1003.5}}
  blurred: {{type: write, input: blur, file: blur/b.%04d.exr}}
  between: {{type: write, input: slow, file: between.exr, sample_type: float}}
"""
    )
    done = understudy("render", str(graph))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "blur").iterdir()) == [
        "ascmhl", *(f"b.{n}.exr" for n in range(1002, 1006)), "b.provenance.json",
    ]  # fmt: skip
    assert (tmp_path / "between.provenance.json").is_file()
    plate = read_plate(tmp_path / "between.exr", frame=None, colorspace=COLORSPACE)
    assert plate.sample_types[plate.index("R")] == "float"


def test_a_draft_is_marked_and_never_taken_for_final(shot: Path, tmp_path: Path) -> None:
    command = (
        "motion", str(shot / "plate.%04d.exr"), str(tmp_path / "v.%04d.exr"), "--colorspace", COLORSPACE,
        "--frames", "1002", "--json",
    )  # fmt: skip
    draft = events(understudy(*command, "--draft"))
    assert [event["id"] for event in draft if event["event"] == "pack"] == ["dis-draft"]
    header = read_header(tmp_path / "v.draft.1002.exr")
    assert header.metadata["understudy:draft"] == "1"
    assert events(understudy(*command))[-1]["skipped"] == 0
    final = read_header(tmp_path / "v.1002.exr")
    assert "understudy:draft" not in final.metadata
    assert final.parts[0].data_window == header.parts[0].data_window
    coarser = events(understudy(*command, "--draft", "--draft-scale", "1/4"))[-1]
    assert (coarser["frames"], coarser["skipped"]) == (1, 0)
    assert "nothing is a draft" in understudy(*command, "--draft-scale", "1/4").stderr
    assert "none of 1, 1/2, 1/3" in understudy(*command, "--draft", "--draft-scale", "0.7").stderr


@pytest.mark.parametrize(
    ("policy", "code"), [pytest.param(p, c, id=p) for p, c in (("error", 3), ("hold", 0), ("black", 0))]
)
def test_a_gap_follows_its_policy(policy: str, code: int, shot: Path, tmp_path: Path) -> None:
    for path in shot.iterdir():
        if "1003" not in path.name:
            (tmp_path / path.name).symlink_to(path)
    done = understudy(
        "upscale", str(tmp_path / "plate.%04d.exr"), str(tmp_path / "out" / "o.%04d.exr"), "--colorspace", COLORSPACE,
        "--scale", "1", "--pack", "identity-upscale", "--missing", policy, "--frames", "1002-1004",
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    if policy == "error":
        assert "frames 1003 are missing" in done.stderr
        assert not (tmp_path / "out").exists()
        return
    gap = read_plate(tmp_path / "out" / "o.1003.exr", frame=None, colorspace=COLORSPACE).take(["R"])
    held = read_plate(shot / "plate.1002.exr", frame=None, colorspace=COLORSPACE).take(["R"])
    np.testing.assert_array_equal(gap, held if policy == "hold" else np.zeros_like(held))


def test_another_size_within_a_sequence_is_refused(shot: Path, tmp_path: Path) -> None:
    for number in (1001, 1002):
        (tmp_path / f"plate.{number}.exr").symlink_to(shot / f"plate.{number}.exr")
    odd = Plate(
        pixels=np.zeros((10, 10, 3), np.float32),
        channels=("R", "G", "B"),
        sample_types=("half",) * 3,
        data_window=Window(0, 0, 10, 10),
        display_window=Window(0, 0, 10, 10),
        colorspace=COLORSPACE,
    )
    write_plate(odd, tmp_path / "plate.1003.exr")
    done = understudy(
        "upscale", str(tmp_path / "plate.%04d.exr"), str(tmp_path / "o" / "o.%04d.exr"), "--colorspace", COLORSPACE
    )
    assert done.returncode == 3
    assert "10x10" in done.stderr
    assert "120x88" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(("--colorspace", "nonsense"), 2, "no color space", id="unknown space"),
        pytest.param((), 2, "--colorspace", id="undeclared space"),
        pytest.param(("--colorspace", COLORSPACE, "--scale", "0"), 2, "scale", id="scale zero"),
        pytest.param(("--colorspace", COLORSPACE, "--pack", "nobody"), 6, "nobody", id="unknown pack"),
        pytest.param(("--colorspace", COLORSPACE, "--pack", "dis-good"), 6, "is a pack for motion", id="other role"),
        pytest.param(("--colorspace", COLORSPACE, "--pack", "lanczos#000000000000"), 6, "pinned", id="other bytes"),
        pytest.param(("--colorspace", COLORSPACE, "--pack", "lanczos#0000"), 2, "12 to 64 digits", id="short digest"),
        pytest.param(("--colorspace", COLORSPACE, "-o", "sharpness=9"), 2, "sharpness", id="unknown option"),
        pytest.param(("--colorspace", COLORSPACE, "--frames", "2000"), 2, "1001-1006", id="frames elsewhere"),
        pytest.param(("--colorspace", COLORSPACE, "--compression", "best"), 2, "best", id="compression"),
        pytest.param(("--colorspace", COLORSPACE, "--server", "127.0.0.1:9"), 75, "understudy serve", id="no server"),
    ],
)
def test_each_mistake_has_its_sentence_and_exit_code(
    arguments: tuple[str, ...], code: int, says: str, shot: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare.0001.exr"
    plate = read_plate(shot / "plate.1001.exr", frame=None, colorspace="Raw")
    write_plate(replace(plate, metadata={}), bare)
    source = str(bare) if not arguments else str(shot / "plate.%04d.exr")
    done = understudy("upscale", source, str(tmp_path / "o.%04d.exr"), *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("o.*"))


def test_a_terminated_render_leaves_whole_frames_only(shot: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "understudy", "interpolate", str(shot / "plate.%04d.exr"), str(tmp_path / "o.%05d.exr"),
        "--colorspace", COLORSPACE, "--speed", "1/64", "--json",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "frame":
            break
    os.kill(process.pid, signal.SIGTERM)
    started = time.monotonic()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert time.monotonic() - started < 30
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert len(list(tmp_path.glob("o.provenance.json"))) == 1
    written = sorted(tmp_path.glob("o.*.exr"))
    assert 0 < len(written) < 321
    for path in written:
        read_plate(path, frame=None, colorspace=COLORSPACE)


def test_a_display_picture_needs_and_takes_an_output_space(shot: Path, tmp_path: Path) -> None:
    source, out = str(shot / "plate.1001.exr"), tmp_path / "o.png"
    refused = understudy("upscale", source, str(out), "--colorspace", COLORSPACE)
    assert refused.returncode == 2
    assert "--out-colorspace" in refused.stderr
    taken = understudy("upscale", source, str(out), "--colorspace", COLORSPACE, "--out-colorspace", "texture_paint")
    assert taken.returncode == 0, taken.stderr
    assert read_header(out).container == "png"
    assert set(read_header(tmp_path / "o.layers.exr").parts[0].channels) == {"id.X"}


def test_an_aces_container_holds_ap0_half_and_its_layers_go_beside(shot: Path, tmp_path: Path) -> None:
    done = understudy(
        "interpolate", str(shot / "plate.%04d.exr"), str(tmp_path / "o.%04d.exr"), "--colorspace", COLORSPACE,
        "--speed", "1/2", "--frames", "1002", "--container", "aces",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    header = read_header(tmp_path / "o.1002.exr")
    assert header.color.aces_container
    assert header.compression == "none"
    assert set(header.parts[0].channels) == {"R", "G", "B", "A"}
    assert set(read_header(tmp_path / "o.layers.1002.exr").parts[0].channels) == {"id.X", "confidence.Y"}
