# SPDX-License-Identifier: Apache-2.0
"""Drafts of whole graphs and of single nodes: over the final's windows, in its place, marked, never taken for it."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from understudy.contracts.engine import Engine
from understudy.contracts.errors import UsageError
from understudy.contracts.plate import FloatImage, Plate, Window, blank_plate
from understudy.demo.alignment import displacement
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.write import write_plate
from understudy.graph.parsing import parse_graph
from understudy.graph.prepare import survey_graph
from understudy.graph.render import render_graph
from understudy.graph.standing import State
from understudy.provenance.record import Record
from understudy.provenance.record_file import read_record
from understudy.provenance.recorder import Recorder
from understudy.publish.checks.catalog import run_checks
from understudy.publish.sources import find_subjects
from understudy.roles.engine import LocalEngine
from understudy.roles.proxy import PROXY_OF, Proxy

DISPLAY = Window(0, 0, 151, 101)
WINDOWS = {1001: Window(-9, -7, 171, 117), 1002: Window(-8, -7, 169, 118), 1003: Window(-5, -3, 160, 113)}
LIGHTS = {"lights": [{"name": "sun", "type": "directional", "direction": [-0.6, 0.5, 0.6], "intensity": 2}]}


def _texture(shift: int) -> FloatImage:
    """A drawn picture over (-32, -32) and on, moved to the right by so many pixels."""
    noise = np.random.default_rng(1).random((192, 300, 3)).astype(np.float32)
    rgb = np.roll(cv2.GaussianBlur(noise, (0, 0), 1.5) * 2 - 0.5, shift, axis=1)[:, :252]
    y, x = np.mgrid[-32:160, -32:220]
    rgb[((x - 60 - shift) ** 2 + (y - 40) ** 2) < 200] = (30, 8, -0.2)
    return rgb


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shot")
    for frame, window in WINDOWS.items():
        rgb = _texture(2 * (frame - 1001))[window.slices(Window(-32, -32, 252, 192))]
        normals = np.zeros_like(rgb)
        normals[..., 0], normals[..., 2] = 0.6, 0.8
        ids = (rgb[..., :1] > 1) * np.float32(7)
        pixels = np.concatenate([rgb, np.ones_like(ids), ids, normals], axis=-1)
        channels = ("R", "G", "B", "A", "id.X", "normal.X", "normal.Y", "normal.Z")
        plate = blank_plate(pixels, channels, colorspace="ACEScg", frame=frame)
        write_plate(plate.with_pixels(pixels, data_window=window, display_window=DISPLAY), folder / f"p.{frame}.exr")
    return folder


@pytest.fixture(scope="module")
def engine() -> Engine:
    return LocalEngine(device="cpu")


def _document(shot: Path, out: Path, **quality: str) -> dict[str, Any]:
    nodes: dict[str, dict[str, Any]] = {
        "plate": {"type": "read", "file": f"{shot}/p.%04d.exr", "colorspace": "ACEScg"},
        "same": {"type": "upscale", "input": "plate", "pack": "identity-upscale", "scale": 1},
        "vectors": {"type": "motion", "input": "plate"},
        "slow": {"type": "interpolate", "input": "plate", "vectors": "vectors", "speed": "1/2", "cuts": "none"},
        "own": {"type": "interpolate", "input": "plate", "list": ["1001.5", "1002"], "cuts": "none"},
        "shutter": {
            "type": "interpolate", "input": "plate", "list": ["1002"], "cuts": "none",
            "shutter": {"angle": 360, "samples": 4},
        },
        "big": {"type": "upscale", "input": "plate", "scale": "3/2", "pack": "bicubic-back-projection"},
        "relit": {
            "type": "relight", "input": "plate", "lights": LIGHTS, "present": LIGHTS | {
                "lights": [LIGHTS["lights"][0] | {"intensity": 1}]
            },
        },
        "blur": {"type": "vector_blur", "input": "plate", "vectors": "vectors", "shutter": {"samples": 4}},
        "color": {"type": "color", "input": "plate", "to": "ACES2065-1"},
    }  # fmt: skip
    for name, said in quality.items():
        nodes[name]["quality"] = said
    names = [name for name in nodes if name != "plate"]
    nodes |= {f"w_{name}": {"type": "write", "input": name, "file": f"{out}/{name}.%04d.exr"} for name in names}
    return {"schema": "understudy.graph/1", "record": False, "nodes": nodes}


def _only(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """The document with some nodes, what they need, and their writes."""
    keep = {"plate", "vectors", *names, *(f"w_{name}" for name in names)}
    return document | {"nodes": {name: node for name, node in document["nodes"].items() if name in keep}}


def _render(document: dict[str, Any], engine: Engine, **how: Any) -> int:
    return render_graph(parse_graph(document, source="test"), engine, **how).frames


def _read(path: Path) -> Plate:
    return read_plate(path, frame=None, colorspace="ACEScg")


def _shift(a: Plate, b: Plate) -> float:
    """How far ``b``'s picture lies from ``a``'s beside the bright disc, whose edge a draft spreads; pixels."""
    disc = cv2.dilate((a.take(("id.X",)) > 0).astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    seen = (np.where(disc, np.float32(0.5), plate.take(("G",))[..., 0]) for plate in (a, b))
    return float(np.hypot(*displacement(*seen)))


@pytest.fixture(scope="module")
def finals(shot: Path, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("final")
    _render(_document(shot, out), engine)
    return out


@pytest.fixture(scope="module", params=["1/2", "1/3"])
def drafts(
    request: pytest.FixtureRequest, shot: Path, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("draft")
    _render(_document(shot, out) | {"draft": {"scale": request.param}}, engine, draft=True)
    return out


def test_a_draft_overlays_the_final(finals: Path, drafts: Path) -> None:
    names = {path.name for path in finals.iterdir()}
    assert {path.name.replace(".draft.", ".") for path in drafts.iterdir()} == names
    for name in sorted(names):
        stem, number, suffix = name.split(".")
        final, draft = _read(finals / name), _read(drafts / f"{stem}.draft.{number}.{suffix}")
        assert (draft.data_window, draft.display_window) == (final.data_window, final.display_window), name
        assert (draft.channels, draft.sample_types) == (final.channels, final.sample_types), name
        assert draft.metadata["understudy:draft"] == "1"
        assert PROXY_OF not in draft.metadata
        assert "understudy:draft" not in final.metadata
        if final.has("G"):
            assert _shift(final, draft) < 0.5, name
            highest = [float(plate.take(("R",)).max()) for plate in (final, draft)]
            assert highest[1] == pytest.approx(highest[0], rel=0.1), name  # no clamp
            assert set(np.unique(draft.take(("id.X",)))) <= {0, 7}


def test_vectors_of_a_draft_are_in_pixels_of_the_final(drafts: Path) -> None:
    vectors = _read(drafts / "vectors.draft.1002.exr")
    for name, wanted in (("forward.u", 2.0), ("backward.u", -2.0), ("forward.v", 0.0)):
        assert np.median(vectors.take((name,))) == pytest.approx(wanted, abs=0.3)


def test_an_identity_graph_is_the_plate_made_smaller_and_large_again(shot: Path, drafts: Path) -> None:
    for frame in WINDOWS:
        draft, plate = _read(drafts / f"same.draft.{frame}.exr"), _read(shot / f"p.{frame}.exr")
        found = [factor for factor in (2, 3) if _close(draft, Proxy(factor=factor), plate)]
        assert len(found) == 1


def _close(draft: Plate, proxy: Proxy, plate: Plate) -> bool:
    return np.allclose(draft.pixels, proxy.grow(proxy.shrink(plate)).pixels, rtol=1e-3, atol=1e-3)


NODES = ("same", "vectors", "slow", "own", "shutter", "big", "relit")


@pytest.mark.parametrize("node", NODES)
def test_a_draft_node_in_a_final_graph_gives_the_finals_windows(
    node: str, shot: Path, engine: Engine, finals: Path, tmp_path: Path
) -> None:
    document = _only(_document(shot, tmp_path, **{node: "draft"}), node, "color")
    heard: list[dict[str, Any]] = []
    _render(document, engine, on_event=heard.append)
    written = {path.name for path in tmp_path.iterdir()}
    assert {name for name in written if ".draft." in name} == {name for name in written if name.startswith(f"{node}.")}
    for path in tmp_path.glob("*.draft.*"):
        final, draft = _read(finals / path.name.replace(".draft.", ".")), _read(path)
        assert (draft.data_window, draft.display_window) == (final.data_window, final.display_window)
        assert draft.channels == final.channels
        assert draft.metadata["understudy:draft"] == "1"
        if final.has("G"):
            assert _shift(final, draft) < 0.5
    for path in tmp_path.glob("color.*"):
        assert np.array_equal(_read(path).pixels, _read(finals / path.name).pixels)
    frames = [event for event in heard if event["event"] == "frame" and event["node"] == f"w_{node}"]
    assert all(event["report"] for event in frames)


def test_a_draft_node_and_its_final_neighbor_share_no_vectors(
    shot: Path, engine: Engine, finals: Path, tmp_path: Path
) -> None:
    document = _only(_document(shot, tmp_path, slow="draft"), "slow", "vectors", "blur")
    _render(document, engine)
    assert {path.name.split(".")[1] for path in tmp_path.glob("slow.*")} == {"draft"}
    for path in (*tmp_path.glob("vectors.*"), *tmp_path.glob("blur.*")):
        assert np.array_equal(_read(path).pixels, _read(finals / path.name).pixels)


def test_a_draft_and_a_final_are_never_taken_for_each_other(shot: Path, engine: Engine, tmp_path: Path) -> None:
    document = _only(_document(shot, tmp_path), "same")
    final, draft = tmp_path / "same.1002.exr", tmp_path / "same.draft.1002.exr"
    assert _render(document, engine) == 3
    whole = final.read_bytes()
    assert _render(document, engine, draft=True) == 3
    assert _render(document, engine) == 0
    assert _render(document, engine, draft=True) == 0
    assert final.read_bytes() == whole
    states = {
        (d, s): _standing(document | {"draft": {"scale": s}}, engine, draft=d)
        for d in (True, False)
        for s in ("1/2", "1/4")
    }
    assert states == {
        (True, "1/2"): State.DONE, (True, "1/4"): State.STALE, (False, "1/2"): State.DONE, (False, "1/4"): State.DONE,
    }  # fmt: skip
    draft.replace(final)
    assert _standing(document, engine) is State.STALE
    assert _render(document, engine) == 1
    assert final.read_bytes() == whole
    draft.write_bytes(whole)
    assert _standing(document, engine, draft=True) is State.STALE
    assert _render(document, engine, draft=True) == 1
    assert read_header(draft).metadata["understudy:draft"] == "1"


def _standing(document: dict[str, Any], engine: Engine, **how: Any) -> State:
    return survey_graph(parse_graph(document, source="test"), engine, **how)["w_same", 1002].state


def test_a_final_may_not_be_named_as_a_draft(shot: Path, engine: Engine, tmp_path: Path) -> None:
    document = _only(_document(shot, tmp_path), "same")
    document["nodes"]["w_same"]["file"] = f"{tmp_path}/x.draft.%04d.exr"
    with pytest.raises(UsageError, match="a draft goes by that name"):
        _render(document, engine)
    assert _render(document, engine, draft=True, frames="1001") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.draft.1001.exr"]


def test_the_record_says_draft_and_so_does_what_is_made_of_drafts(shot: Path, engine: Engine, tmp_path: Path) -> None:
    document = _only(_document(shot, tmp_path), "same") | {"record": True, "frames": "1002"}
    _render(document, engine, draft=True, witness=Recorder())
    _render(document, engine, witness=Recorder())
    _render(
        _reading(document, f"{tmp_path}/same.draft.%04d.exr", f"{tmp_path}/again.%04d.exr"), engine, witness=Recorder()
    )
    made = {name: _record(tmp_path / f"{name}.provenance.json") for name in ("same", "same.draft", "again")}
    assert {name: record.draft for name, record in made.items()} == {"same": False, "same.draft": True, "again": True}
    scales = {name: next(iter(record.jobs.values())).draft_scale for name, record in made.items()}
    assert scales == {"same": "", "same.draft": "1/2", "again": ""}


def test_a_draft_under_the_name_of_a_final_is_not_published_as_one(shot: Path, engine: Engine, tmp_path: Path) -> None:
    document = _only(_document(shot, tmp_path), "same") | {"record": True}
    del document["nodes"]["vectors"]
    _render(document, engine, witness=Recorder())
    assert _drafts_found(tmp_path / "same.%04d.exr") == []
    _render(document, engine, draft=True, frames="1002")
    assert _drafts_found(tmp_path / "same.draft.%04d.exr") == [1002]
    (tmp_path / "same.draft.1002.exr").replace(tmp_path / "same.1002.exr")
    assert _drafts_found(tmp_path / "same.%04d.exr") == [1002]
    (tmp_path / "same.provenance.json").unlink()
    assert _drafts_found(tmp_path / "same.%04d.exr") == [1002]


def _drafts_found(pattern: Path) -> list[int | None]:
    (subject,) = find_subjects(str(pattern), final=True)
    return [frame for found in run_checks(subject) if found.check == "draft-in-final" for frame in found.frames]


def _reading(document: dict[str, Any], file: str, out: str) -> dict[str, Any]:
    nodes = json.loads(json.dumps(document["nodes"]))
    nodes["plate"]["file"], nodes["w_same"]["file"] = file, out
    del nodes["vectors"]
    return document | {"nodes": nodes}


def _record(path: Path) -> Record:
    return read_record(path)
