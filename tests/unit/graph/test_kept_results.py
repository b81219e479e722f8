# SPDX-License-Identifier: Apache-2.0
"""Results of roles are taken from earlier renders, and nobody can tell from what comes out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shots import Job, make_job
from understudy.contracts.engine import NO_CONTROL, Control, EngineInfo
from understudy.contracts.errors import OutputError
from understudy.contracts.jobs import RoleRequest, RoleResult
from understudy.contracts.plate import blank_plate
from understudy.frames.write import write_plate
from understudy.graph import kept_results
from understudy.graph.kept_results import nodes_to_keep, worth_keeping
from understudy.graph.parsing import load_graph, parse_graph
from understudy.graph.plate_cache import PlateCache
from understudy.graph.render import render_graph
from understudy.provenance.recorder import Recorder
from understudy.roles.engine import LocalEngine

_TIMES = {"seconds", "request_id", "created", "updated", "started", "finished", "cached"}


class _Counting:
    """The engine of this process, its requests counted by role; warns of each upscale."""

    def __init__(self) -> None:
        self._engine = LocalEngine(device="cpu")
        self.asked: Counter[str] = Counter()

    def info(self) -> EngineInfo:
        return self._engine.info()

    def run(self, request: RoleRequest, control: Control = NO_CONTROL, /) -> RoleResult:
        self.asked[request.params.role.value] += 1
        if request.params.role.value == "motion":
            control.warn("motion is only guessed")
        return self._engine.run(request, control)

    def close(self) -> None:
        self._engine.close()


@pytest.fixture
def engine() -> _Counting:
    return _Counting()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlateCache:
    """A cache that keeps what tests compute, quick as it is."""
    monkeypatch.setattr(kept_results, "worth_keeping", lambda _seconds, _nbytes: True)
    return PlateCache(tmp_path / "cache", 10**9)


def _changed(job: Job, **fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(job.graph.read_text())
    for field, value in fields.items():
        node, _, name = field.partition("__")
        document["nodes"][node][name] = value
    return document


def _render(
    document: dict[str, Any], engine: _Counting, cache: PlateCache | None, **how: Any
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """What the engine was asked, and the events."""
    engine.asked.clear()
    events: list[dict[str, Any]] = []
    render_graph(parse_graph(document), engine, on_event=events.append, witness=Recorder(), cache=cache, **how)
    return dict(engine.asked), events


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(part) for name, part in value.items() if name not in _TIMES}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def _told(events: list[dict[str, Any]], *kinds: str) -> list[Any]:
    return [_timeless(json.loads(json.dumps(event, default=str))) for event in events if event["event"] in kinds]


def _remove(job: Job) -> None:
    for path in job.out.rglob("*"):
        if path.is_file():
            path.unlink()


def _record(job: Job) -> Any:
    return _timeless(json.loads((job.out / "big.provenance.json").read_text()))


def test_a_changed_retime_computes_no_motion_and_nothing_shows(
    tmp_path: Path, engine: _Counting, cache: PlateCache
) -> None:
    job = make_job(tmp_path, frames=8)
    asked, events = _render(_changed(job), engine, cache)
    assert asked == {"motion": 4, "relight": 5, "interpolate": 4, "upscale": 8}
    assert events[-1]["cached"] == 0
    changed = _changed(job, slow__speed="1/3")
    _remove(job)
    asked, events = _render(changed, engine, cache)
    assert asked == {"interpolate": 5, "upscale": 8}
    assert events[-1]["cached"] == 3 + 4  # frames 1001 to 1008 show plates 1001 to 1003 1/3
    frames = [event for event in events if event["event"] == "frame"]
    assert [sorted(event["cached"]) for event in frames[:3]] == [["relit"], ["relit", "vectors"], []]
    with_cache, record = job.pictures(), _record(job)
    _remove(job)
    asked, plain = _render(changed, engine, None)
    assert asked["motion"] == 3
    assert job.pictures() == with_cache
    assert _record(job) == record
    for kinds in (("frame",), ("done",), ("warning",)):
        assert _told(plain, *kinds) == _told(events, *kinds)
    assert len(_told(plain, "warning")) == 3


def test_vectors_that_a_retime_makes_itself_are_kept_too(tmp_path: Path, engine: _Counting, cache: PlateCache) -> None:
    job = make_job(tmp_path, frames=4)
    document = _changed(job, slow__motion_pack="dis-draft")
    del document["nodes"]["slow"]["vectors"]
    assert _render(document, engine, cache)[0]["motion"] == 2
    document["nodes"]["slow"]["speed"] = "1/4"
    assert "motion" not in _render(document, engine, cache)[0]
    by_node = _changed(job, vectors__input="relit", slow__speed="1/5")
    assert "motion" not in _render(by_node, engine, cache)[0]


def test_a_changed_plate_or_pack_is_computed(tmp_path: Path, engine: _Counting, cache: PlateCache) -> None:
    job = make_job(tmp_path, frames=8)
    _render(_changed(job), engine, cache)
    pixels = np.random.default_rng(3).uniform(0, 1, (36, 64, 3)).astype(np.float32)
    plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg", sample_type="half", frame=1003)
    write_plate(plate, tmp_path / "plates" / "plate.1003.exr")
    assert _render(_changed(job), engine, cache)[0] == {"motion": 2, "relight": 1, "interpolate": 2, "upscale": 3}
    assert _render(_changed(job, vectors__pack="dis-good"), engine, cache)[0]["motion"] == 4
    assert _render(_changed(job, vectors__options={"smoothness": 30}), engine, cache)[0]["motion"] == 4


def test_damaged_entries_are_computed_again(tmp_path: Path, engine: _Counting, cache: PlateCache) -> None:
    job, again = make_job(tmp_path, frames=6), make_job(tmp_path, frames=6, out="again")
    _render(_changed(job), engine, cache)
    entries = sorted(cache.folder.iterdir())
    assert {path.name.partition("-")[0] for path in entries} == {"motion", "relight", "interpolate"}
    entries[0].write_bytes(b"")
    for path in entries[1:]:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    asked, events = _render(_changed(again), engine, cache)
    assert asked == {"motion": 3, "relight": 4, "interpolate": 3, "upscale": 6}
    assert events[-1]["cached"] == 0
    assert again.pictures() == job.pictures()
    _render(_changed(again), engine, cache, redo=True)
    assert engine.asked["motion"] == 3  # --redo takes nothing


def test_a_render_that_broke_off_resumes_without_computing_motion_again(
    tmp_path: Path, engine: _Counting, cache: PlateCache
) -> None:
    job = make_job(tmp_path, frames=8)
    made: list[int] = []

    def stop(event: dict[str, Any]) -> None:
        made.extend([event["frame"]] if event["event"] == "frame" else [])
        if len(made) == 3:
            raise OutputError("enough")

    with pytest.raises(OutputError):
        render_graph(load_graph(job.graph), engine, on_event=stop, cache=cache)
    first = dict(engine.asked)
    second, _ = _render(_changed(job), engine, cache)
    assert first["motion"] + second["motion"] <= 5  # of 4; what is being kept when the render breaks off may be lost
    assert len(job.pictures()) == 8


def test_what_is_quick_is_not_kept(tmp_path: Path, engine: _Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def quick(_seconds: float, nbytes: int) -> bool:
        asked.append(nbytes)
        return False

    monkeypatch.setattr(kept_results, "worth_keeping", quick)
    cache = PlateCache(tmp_path / "cache", 10**9)
    _, events = _render(_changed(make_job(tmp_path, frames=8)), engine, cache)
    assert cache.used() == (0, 0)
    assert len(asked) == 6  # motion, relight and interpolate: asked twice each, then no more
    assert events[-1]["frames"] == 8


def test_worth_keeping_is_what_computes_slower_than_disks() -> None:
    hd = 1920 * 1080 * 4
    assert worth_keeping(1.5, 8 * hd)  # dis-draft
    assert not worth_keeping(0.4, 4 * 3 * hd)  # lanczos to 4K
    assert not worth_keeping(0.004, 0)


def test_what_goes_to_one_write_alone_is_not_kept(tmp_path: Path) -> None:
    job = make_job(tmp_path, frames=2)
    assert nodes_to_keep(load_graph(job.graph)) == {"vectors", "relit", "slow"}
    document = _changed(job)
    document["nodes"]["also"] = {"type": "write", "input": "big", "file": str(job.out / "also.%04d.exr")}
    del document["nodes"]["slow"]["vectors"]
    document["nodes"]["seen"] = {"type": "write", "input": "vectors", "file": str(job.out / "v.%04d.exr")}
    assert nodes_to_keep(parse_graph(document)) == {"relit", "slow", "slow.motion", "big"}
