# SPDX-License-Identifier: Apache-2.0
"""What a job would take, with made-up costs whose sums are known."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.contracts.engine import NO_CONTROL, Control, Engine, EngineInfo
from understudy.contracts.errors import UnderstudyError
from understudy.contracts.estimate import Estimate
from understudy.contracts.jobs import RoleRequest, RoleResult
from understudy.contracts.outline import Outline, outline_of
from understudy.contracts.plate import blank_plate
from understudy.frames.write import WriteOptions, write_plate
from understudy.graph.job_estimate import JobEstimate, NodeEstimate, estimate_graph
from understudy.graph.ledger import Ledger
from understudy.graph.parsing import parse_graph
from understudy.graph.pipeline import Pipeline
from understudy.graph.prepare import prepare
from understudy.graph.render import render_graph
from understudy.roles.costs import Costs
from understudy.roles.engine import LocalEngine

_FRAMES = range(1001, 1006)
_WIDTH, _HEIGHT = 64, 40


@pytest.fixture(scope="module")
def engine() -> Engine:
    return LocalEngine(device="cpu")


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    for frame in _FRAMES:
        pixels = np.random.default_rng(frame).uniform(0, 2, (_HEIGHT, _WIDTH, 3)).astype(np.float32)
        plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg", frame=frame, sample_type="half")
        write_plate(plate, tmp_path / f"p.{frame}.exr", WriteOptions(compression="none"))
    return tmp_path


def _document(shot: Path, nodes: dict[str, Any], **writes: str) -> dict[str, Any]:
    read = {"type": "read", "file": f"{shot}/p.%04d.exr", "colorspace": "ACEScg"}
    out = {
        f"write_{name}": {"type": "write", "input": name, "file": f"{shot}/out/{file}"} for name, file in writes.items()
    }
    return {"schema": "understudy.graph/1", "nodes": {"plate": read, **nodes, **out}}


def _estimate(document: dict[str, Any], engine: Engine, **how: Any) -> JobEstimate:
    return estimate_graph(parse_graph(document, source="test"), engine, **{"costs": Costs(), **how})


def _node(found: JobEstimate, name: str) -> NodeEstimate:
    (node,) = [node for node in found.nodes if node.node == name]
    return node


def _retime(**how: Any) -> dict[str, Any]:
    return {"slow": {"type": "interpolate", "input": "plate", "cuts": "none", **how}}


def test_a_retime_at_integer_frames_asks_nothing_of_the_engine(shot: Path, engine: Engine) -> None:
    found = _estimate(_document(shot, _retime(speed=2), slow="o.%04d.exr"), engine)
    assert [(node.node, node.pack) for node in found.nodes] == [("plate", ""), ("slow", ""), ("write_slow", "")]
    assert found.frames == 3
    assert _node(found, "plate").count == 3
    assert found.measured  # there is nothing to measure


def test_pictures_between_frames_are_counted_and_source_frames_are_not(shot: Path, engine: Engine) -> None:
    found = _estimate(_document(shot, _retime(speed="1/2"), slow="o.%04d.exr"), engine)
    counts = {node.node: node.count for node in found.nodes}
    assert counts == {"plate": 5, "slow.motion": 4, "slow": 4, "write_slow": 9}
    assert not found.measured


def test_motion_of_a_pair_counts_once_however_often_it_is_used(shot: Path, engine: Engine) -> None:
    nodes = {
        "vectors": {"type": "motion", "input": "plate"},
        **_retime(speed="1/4", vectors="vectors"),
    }
    found = _estimate(_document(shot, nodes, slow="o.%04d.exr", vectors="v.%04d.exr"), engine)
    counts = {node.node: node.count for node in found.nodes}
    assert counts["vectors"] == 4
    assert counts["slow"] == 12
    assert "slow.motion" not in counts
    alone = _estimate(_document(shot, nodes, vectors="v.%04d.exr"), engine, frames="1002-1003")
    assert _node(alone, "vectors").count == 3  # 1001 to 1004 in pairs
    assert _node(alone, "plate").count == 4


def test_uncompressed_files_are_as_large_as_was_said(shot: Path, engine: Engine) -> None:
    nodes = {"up": {"type": "upscale", "input": "plate", "pack": "lanczos", "scale": 2, "confidence": True}}
    document = _document(shot, nodes, up="o.%04d.exr") | {"record": False}
    found = _estimate(document, engine)
    graph = parse_graph(document, source="test")
    render_graph(graph, engine)
    sizes = [file.stat().st_size for file in (shot / "out").iterdir()]
    assert len(sizes) == found.frames == 5
    assert found.disk_bytes == pytest.approx(sum(sizes), rel=0.05)
    assert found.disk_bytes_per_frame * 5 == pytest.approx(found.disk_bytes, abs=5)
    pixels = 2 * _WIDTH * 2 * _HEIGHT * 4 * 2
    assert pixels < found.disk_bytes_per_frame < pixels + 6000


def test_the_sum_is_that_of_the_slowest_stage_and_the_ends(shot: Path, engine: Engine) -> None:
    found = _estimate(_document(shot, _retime(speed="1/2"), slow="o.%04d.exr"), engine)
    computed = [node.seconds.likely for node in found.nodes if node.kind not in ("read", "write")]
    ends = _node(found, "plate").seconds.likely / 5 + _node(found, "write_slow").seconds.likely / 9
    assert found.seconds.likely == pytest.approx(sum(computed) + ends)
    assert found.seconds_per_frame.likely * 9 == pytest.approx(found.seconds.likely)
    assert found.seconds.low < found.seconds.likely < found.seconds.high


def test_larger_plates_take_more_of_everything(shot: Path, engine: Engine) -> None:
    def up(scale: int) -> JobEstimate:
        nodes = {"up": {"type": "upscale", "input": "plate", "pack": "lanczos", "scale": scale}}
        return _estimate(_document(shot, nodes, up="o.%04d.exr"), engine)

    small, large = up(2), up(4)
    assert small.seconds.likely < large.seconds.likely
    assert small.ram_bytes < large.ram_bytes
    assert 3.5 < large.disk_bytes / small.disk_bytes < 4.0
    assert small.vram_bytes == 0


def test_what_is_done_can_be_left_out(shot: Path, engine: Engine) -> None:
    nodes = {"up": {"type": "upscale", "input": "plate", "pack": "lanczos"}}
    document = _document(shot, nodes, up="o.%04d.exr")
    graph = parse_graph(document, source="test")
    render_graph(graph, engine, frames="1001-1003")
    assert _estimate(document, engine).frames == 5
    rest = _estimate(document, engine, remaining=True)
    assert (rest.frames, rest.done, _node(rest, "plate").count) == (2, 3, 2)
    render_graph(graph, engine)
    nothing = _estimate(document, engine, remaining=True)
    assert (nothing.frames, nothing.done, nothing.seconds.high, nothing.disk_bytes) == (0, 5, 0.0, 0)


def test_nothing_is_written_and_bad_jobs_are_refused_as_a_render_would(shot: Path, engine: Engine) -> None:
    document = _document(shot, _retime(speed="1/2"), slow="o.%04d.exr")
    _estimate(document, engine)
    assert not (shot / "out").exists()
    with pytest.raises(UnderstudyError, match="can't be rendered"):
        _estimate(document, engine, frames="7")
    document["nodes"]["slow"]["pack"] = "nothing-of-the-kind"
    with pytest.raises(UnderstudyError, match="nothing-of-the-kind"):
        _estimate(document, engine)


def test_a_draft_takes_less(shot: Path, engine: Engine) -> None:
    nodes = {**_retime(speed="1/2"), "up": {"type": "upscale", "input": "slow"}}
    document = _document(shot, nodes, up="o.%04d.exr")
    final, draft = (_estimate(document, engine, draft=how) for how in (False, True))
    assert draft.seconds.likely < final.seconds.likely
    assert draft.ram_bytes < final.ram_bytes
    assert draft.frames == final.frames
    assert draft.disk_bytes == pytest.approx(final.disk_bytes, rel=0.01)  # the same windows


def test_what_a_render_took_is_what_the_next_is_said_to_take(
    shot: Path, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_COSTS", str(tmp_path / "costs.json"))
    nodes = {"up": {"type": "upscale", "input": "plate", "pack": "lanczos", "scale": 3}}
    document = _document(shot, nodes, up="o.%04d.exr")
    before = _estimate(document, engine, costs=None)
    assert (_node(before, "up").runs, before.measured) == (0, False)
    render_graph(parse_graph(document, source="test"), engine)
    after = _estimate(document, engine, costs=None)
    assert (_node(after, "up").runs, _node(after, "up").device, after.measured) == (5, "cpu", True)
    assert (_node(after, "plate").runs, _node(after, "write_up").runs) == (5, 5)
    assert after.seconds != before.seconds
    files = list((shot / "out").glob("*.exr"))
    assert after.disk_bytes == pytest.approx(sum(file.stat().st_size for file in files), rel=0.05)


def test_a_render_that_failed_taught_what_it_did(
    shot: Path, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_COSTS", str(tmp_path / "costs.json"))
    (shot / "p.1004.exr").write_bytes((shot / "p.1004.exr").read_bytes()[:-2000])
    document = _document(shot, {"up": {"type": "upscale", "input": "plate", "pack": "lanczos"}}, up="o.%04d.exr")
    with pytest.raises(UnderstudyError, match="cut short"):
        render_graph(parse_graph(document, source="test"), engine)
    assert _node(_estimate(document, engine, costs=None, frames="1001"), "up").runs == 3


def test_a_broken_costs_file_is_no_obstacle(
    shot: Path, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "costs.json").write_text("{")
    monkeypatch.setenv("UNDERSTUDY_COSTS", str(tmp_path / "costs.json"))
    document = _document(shot, {"up": {"type": "upscale", "input": "plate", "pack": "lanczos"}}, up="o.%04d.exr")
    assert _node(_estimate(document, engine, costs=None), "up").runs == 0
    render_graph(parse_graph(document, source="test"), engine)
    assert _node(_estimate(document, engine, costs=None), "up").runs == 5


class _Service:
    """Tells what each request costs, as a service does."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.asked: list[RoleRequest] = []

    def info(self) -> EngineInfo:
        return self._engine.info()

    def run(self, request: RoleRequest, control: Control = NO_CONTROL, /) -> RoleResult:
        raise AssertionError("nothing is to be computed")

    def estimate(self, request: RoleRequest) -> Estimate:
        self.asked.append(request)
        return Estimate(
            pack=request.pack,
            device="cuda:0",
            measured_runs=3,
            vram_bytes=7,
            seconds=2.0,
            seconds_low=1.0,
            seconds_high=4.0,
        )

    def close(self) -> None:
        return


def test_a_service_is_asked_once_for_each_kind_of_request(shot: Path, engine: Engine) -> None:
    service = _Service(engine)
    found = _estimate(_document(shot, _retime(speed="1/2"), slow="o.%04d.exr"), service)
    assert [request.params.role for request in service.asked] == ["motion", "interpolate"]
    assert {name: plate.pixels.shape for name, plate in service.asked[1].plates.items()} == {
        "a": (40, 64, 3), "b": (40, 64, 3), "vectors_a": (40, 64, 4), "vectors_b": (40, 64, 4),
    }  # fmt: skip
    assert _node(found, "slow.motion").seconds.likely == pytest.approx(8.0)
    assert (found.device, found.machine, found.vram_bytes, found.measured) == ("cuda:0", "", 7, True)


def test_the_outline_of_each_step_is_that_of_its_plates(shot: Path, engine: Engine, tmp_path: Path) -> None:
    sun = {"type": "directional", "direction": [0, 0, 1]}
    nodes = {
        "motion": {"type": "motion", "input": "plate"},
        "relit": {
            "type": "relight", "input": "plate", "passes": ["ratio", "confidence"],
            "lights": {"schema": "understudy.lights/1", "lights": [sun]},
        },
        "slow": {"type": "interpolate", "input": "relit", "vectors": "motion", "speed": "1/2", "cuts": "none"},
        "blur": {"type": "vector_blur", "input": "plate", "vectors": "motion"},
        "up": {"type": "upscale", "input": "slow", "pack": "lanczos", "scale": "3/2", "confidence": True},
        "other": {"type": "color", "input": "up", "to": "ACES2065-1"},
    }  # fmt: skip
    document = _document(shot, nodes)
    document["nodes"]["out"] = {"type": "write", "input": "other", "file": f"{shot}/out/o.%04d.exr"}
    document["nodes"]["vec"] = {"type": "write", "input": "motion", "file": f"{shot}/out/v.%04d.exr"}
    document["nodes"]["blurred"] = {"type": "write", "input": "blur", "file": f"{shot}/out/b.%04d.exr"}
    seen: dict[str, tuple[Outline, Outline]] = {}
    with closing(Ledger(None)) as ledger:
        job = prepare(
            parse_graph(document, source="test"), engine, ledger, lambda _event: None, NO_CONTROL, "", draft=False
        )
        pipeline = Pipeline(job.plan.steps, NO_CONTROL)
        outputs = tuple(output for output in job.plan.outputs if output[1] in (1002, 1003))
        for _, _, made_from in pipeline.run(job.plan.wanted(outputs)):
            for (name, _), outcome in made_from.items():
                seen[name] = job.plan.steps[name].outline, outline_of(outcome.plate)
    assert set(seen) == {"plate", *nodes}
    for told, made in seen.values():
        assert (told.channels, told.data_window, told.display_window) == (
            made.channels, made.data_window, made.display_window,
        )  # fmt: skip


def test_memory_is_what_a_process_that_grew_was_seen_to_take(
    shot: Path, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_COSTS", str(tmp_path / "costs.json"))
    document = _document(shot, {"up": {"type": "upscale", "input": "plate", "pack": "lanczos"}}, up="o.%04d.exr")
    computed = _estimate(document, engine, costs=None).ram_bytes
    peaks = iter((900_000_000, 1_000_000_000, 200_000_000, 700_000_000))
    monkeypatch.setattr("understudy.graph.job_memory.peak_so_far", lambda: next(peaks))
    monkeypatch.setattr("understudy.graph.render.peak_so_far", lambda: next(peaks))
    graph = parse_graph(document, source="test")
    render_graph(graph, engine, redo=True)  # as large before, by something else
    assert _estimate(document, engine, costs=None).ram_bytes == pytest.approx(computed, rel=0.05)  # and its pack
    render_graph(graph, engine, redo=True)
    assert _estimate(document, engine, costs=None).ram_bytes == pytest.approx(700_000_000)
