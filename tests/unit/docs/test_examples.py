# SPDX-License-Identifier: Apache-2.0
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from understudy.contracts.lights import LightRig
from understudy.contracts.plate import Plate, blank_plate
from understudy.frames.read import read_plate
from understudy.frames.write import write_plate
from understudy.graph.lights_file import load_lights
from understudy.graph.parsing import load_graph
from understudy.graph.pins import pin_packs
from understudy.graph.render import render_graph
from understudy.packs.policy import load_policy
from understudy.roles.engine import LocalEngine

_EXAMPLES = Path(__file__).parents[3] / "examples"
_GRAPHS = sorted(_EXAMPLES.glob("graphs/*.yaml"))
_LIGHTS = sorted(_EXAMPLES.glob("lights/*.json"))

if not _GRAPHS:
    pytest.skip("examples/ is not beside these tests", allow_module_level=True)


@pytest.mark.parametrize("path", _GRAPHS, ids=lambda path: path.stem)
def test_a_graph_is_valid_and_its_packs_ship(path: Path) -> None:
    graph = load_graph(path)
    assert graph.writes()
    with_packs = pin_packs(graph, LocalEngine(device="cpu").info(), draft=False)
    assert all(pack.pin.sha256 for pack in with_packs.values())


@pytest.mark.parametrize("path", _LIGHTS, ids=lambda path: path.stem)
def test_a_lights_document_is_valid(path: Path) -> None:
    rig = load_lights(path)
    assert isinstance(rig, LightRig)
    assert rig.lights


def test_the_policy_is_valid() -> None:
    policy = load_policy(_EXAMPLES / "policy.toml")
    assert policy.document.rules_for("upscale").minimum_badge == "green"
    assert policy.document.rules_for("motion").minimum_badge == "amber"


def _plate(frame: int) -> Plate:
    """A texture that moves 2 pixels a frame, with a light of 300 in it."""
    y, x = np.mgrid[:48, :64].astype(np.float32)
    moved = x - 2 * (frame - 1001)
    wave = 0.3 + 0.2 * np.sin(moved / 3) * np.cos(y / 4)
    pixels = np.stack([wave, wave * 0.8, wave * 0.5], axis=-1).astype(np.float32)
    pixels[20:24, 30:34] = 300
    return blank_plate(pixels, ("R", "G", "B"), colorspace="ACES2065-1", sample_type="half", frame=frame)


def test_slow_motion_renders_and_keeps_whole_frames_bit_for_bit(tmp_path: Path) -> None:
    (tmp_path / "shot").mkdir()
    for frame in (1001, 1002, 1003):
        write_plate(_plate(frame), tmp_path / "shot" / f"plate.{frame}.exr")
    graph = load_graph(Path(shutil.copy(_EXAMPLES / "graphs" / "slow-motion.yaml", tmp_path)))
    engine = LocalEngine(device="cpu")
    summary = render_graph(graph, engine)
    engine.close()
    assert summary.frames == 5 + 3
    assert summary.max_in == 300
    assert summary.max_out == pytest.approx(300, rel=1e-5)
    for step, source in ((0, 1001), (2, 1002), (4, 1003)):
        made = read_plate(tmp_path / "slow" / f"slow.{1001 + step}.exr", frame=1001 + step, colorspace="ACES2065-1")
        given = read_plate(tmp_path / "shot" / f"plate.{source}.exr", frame=source, colorspace="ACES2065-1")
        assert np.array_equal(made.take(["R", "G", "B"]), given.take(["R", "G", "B"]))
    vectors = read_plate(tmp_path / "vectors" / "vectors.1001.exr", frame=1001, colorspace="Raw")
    middle = vectors.take(["forward.u"])[30:44, 8:24]
    assert float(np.median(middle)) == pytest.approx(2, abs=0.25)


def test_the_speed_ramp_ends_at_a_quarter_of_the_speed() -> None:
    keys = load_graph(_EXAMPLES / "graphs" / "speed-ramp.yaml").nodes["ramp"].curve
    assert [key.speed for key in keys] == [1, 1, Fraction(1, 4)]


def test_the_alerts_ask_for_metrics_that_there_are() -> None:
    import re

    import yaml

    from understudy.service.metrics import STAGES, Metrics

    folder = _EXAMPLES / "prometheus"
    config = yaml.safe_load((folder / "prometheus.yml").read_text())
    assert config["rule_files"] == ["understudy.rules.yml"]
    rules = yaml.safe_load((folder / "understudy.rules.yml").read_text())
    guide = (_EXAMPLES.parent / "docs" / "guides" / "watch-the-service.md").read_text()
    queries = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    queries += re.findall(r"\| `(.*understudy_.*)` \|", guide)
    known = {name for name, *_ in Metrics().described}
    asked = {
        re.sub(r"_(sum|count|bucket)$", "", name) for query in queries for name in re.findall(r"understudy_\w+", query)
    }
    assert len(queries) >= 8
    assert asked <= known
    assert all(f"`{stage}`" in guide for stage in STAGES)
