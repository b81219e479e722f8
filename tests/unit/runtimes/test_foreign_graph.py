# SPDX-License-Identifier: Apache-2.0
"""What the manifest says of a graph's habits is undone on both sides."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.contracts.errors import PackError
from understudy.contracts.manifest import PackManifest, Role, TensorsSpec
from understudy.runtimes.foreign_graph import ForeignGraph, Node
from unit.packs.pack_folders import make_pack

Array = np.ndarray[Any, Any]


class Recorder:
    """A graph that keeps what it was fed and answers with what it is told to."""

    def __init__(self, inputs: Sequence[Node], outputs: Mapping[str, Array]) -> None:
        self.inputs, self.answers, self.fed = inputs, outputs, dict[str, Array]()

    def get_inputs(self) -> Sequence[Node]:
        return self.inputs

    def get_outputs(self) -> Sequence[Node]:
        return [Node(name, "tensor(float)", answer.shape) for name, answer in self.answers.items()]

    def run(self, names: Sequence[str], feeds: Mapping[str, Array], draft: bool) -> list[Array]:  # noqa: FBT001 - the protocol's
        del draft
        self.fed = dict(feeds)
        return [self.answers[name] for name in names]


def _manifest(tmp_path: Path, role: Role) -> PackManifest:
    from understudy.packs import open_pack

    return open_pack(make_pack(tmp_path / "pack")).manifest.model_copy(update={"role": role})


def _picture(name: str, channels: int = 3) -> Node:
    return Node(name, "tensor(float)", ("n", channels, "h", "w"))


def _noise(*shape: int) -> Array:
    return np.random.default_rng(5).uniform(0, 1, shape).astype(np.float32)


def test_range_and_order(tmp_path: Path) -> None:
    graph = Recorder([_picture("x")], {"y": _noise(1, 3, 8, 8) * 255})
    spec = TensorsSpec(order="BGR", input_gain=255, output_gain=1 / 255)
    foreign = ForeignGraph(graph, _manifest(tmp_path, Role.UPSCALE), spec, "m")
    image = _noise(1, 3, 4, 4)
    (out,) = foreign.run(["image"], {"image": image}, False)
    assert [node.name for node in (*foreign.get_inputs(), *foreign.get_outputs())] == ["image", "image"]
    assert np.allclose(graph.fed["x"], image[:, ::-1] * 255)
    assert np.allclose(out, graph.answers["y"][:, ::-1] / 255)


def test_two_pictures_in_one_input_and_small_vectors(tmp_path: Path) -> None:
    flow = np.zeros((1, 2, 4, 6), np.float32)
    flow[:, 0], flow[:, 1] = 0.5, -0.25
    graph = Recorder([_picture("pair", 6)], {"f": flow})
    spec = TensorsSpec(inputs={"a": "pair", "b": "pair"}, outputs={"forward": "f"}, vectors_gain=8, vectors_step=2)
    foreign = ForeignGraph(graph, _manifest(tmp_path, Role.MOTION), spec, "m")
    a, b = _noise(1, 3, 8, 12), _noise(1, 3, 8, 12) + 1
    assert [list(node.shape) for node in foreign.get_inputs()] == [["n", 3, "h", "w"]] * 2
    (out,) = foreign.run(["forward"], {"a": a, "b": b}, False)
    assert np.array_equal(graph.fed["pair"], np.concatenate([a, b], axis=1))
    assert out.shape == (1, 2, 8, 12)
    assert np.allclose(out[:, 0], 4)
    assert np.allclose(out[:, 1], -2)


def test_a_time_that_is_a_picture(tmp_path: Path) -> None:
    answers = {name: _noise(1, depth, 4, 4) for name, depth in (("to_a", 2), ("to_b", 2), ("weight", 1))}
    inputs = [_picture("a"), _picture("b"), _picture("forward", 2), _picture("backward", 2), _picture("time", 1)]
    foreign = ForeignGraph(Recorder(inputs, answers), _manifest(tmp_path, Role.INTERPOLATE), TensorsSpec(), "m")
    feeds = {name: _noise(1, 3, 4, 4) for name in ("a", "b", "forward", "backward")}
    assert list(foreign.get_inputs()[-1].shape) == []
    foreign.run(["weight"], {**feeds, "time": np.full((), 0.25, np.float32)}, False)
    graph = foreign._graph
    assert isinstance(graph, Recorder)
    assert np.array_equal(graph.fed["time"], np.full((1, 1, 4, 4), 0.25, np.float32))


def test_names_that_are_not_there_are_told(tmp_path: Path) -> None:
    graph = Recorder([_picture("x")], {"y": _noise(1, 3, 8, 8)})
    manifest = _manifest(tmp_path, Role.UPSCALE)
    with pytest.raises(PackError, match='no input "z"; it has x'):
        ForeignGraph(graph, manifest, TensorsSpec(inputs={"image": "z"}), "m")
    with pytest.raises(PackError, match='role upscale has no tensor "picture"'):
        ForeignGraph(graph, manifest, TensorsSpec(inputs={"picture": "x"}), "m")
    spec = TensorsSpec(inputs={"a": "pair", "b": "pair"}, outputs={"forward": "f"})
    seven = Recorder([_picture("pair", 7)], {"f": _noise(1, 2, 8, 8)})
    with pytest.raises(PackError, match="7 channels for 2 pictures"):
        ForeignGraph(seven, _manifest(tmp_path / "m", Role.MOTION), spec, "m").get_inputs()


def test_a_model_between_frames_that_finds_its_motion_itself(tmp_path: Path) -> None:
    both = _noise(1, 4, 4, 4)
    answers = {"flow": both, "mask": _noise(1, 1, 4, 4)}
    inputs = [_picture("img0"), _picture("img1"), Node("timestep", "tensor(float)", ("n", 1, "h", "w"))]
    graph = Recorder(inputs, answers)
    spec = TensorsSpec(
        inputs={"a": "img0", "b": "img1", "time": "timestep"},
        outputs={"to_a": "flow", "to_b": "flow", "weight": "mask"},
    )
    foreign = ForeignGraph(graph, _manifest(tmp_path, Role.INTERPOLATE), spec, "m")
    assert [node.name for node in foreign.get_inputs()] == ["a", "b", "forward", "backward", "time"]
    pictures = {name: _noise(1, 3, 4, 4) for name in ("a", "b")}
    still = {name: np.zeros((1, 2, 4, 4), np.float32) for name in ("forward", "backward")}
    feeds = {**pictures, **still, "time": np.full((), 0.5, np.float32)}
    to_a, to_b, weight = foreign.run(["to_a", "to_b", "weight"], feeds, False)
    assert set(graph.fed) == {"img0", "img1", "timestep"}
    assert np.array_equal(to_a, both[:, :2])
    assert np.array_equal(to_b, both[:, 2:])
    assert np.array_equal(weight, answers["mask"])


def test_an_input_that_nothing_feeds_is_told(tmp_path: Path) -> None:
    graph = Recorder([_picture("image"), _picture("mask", 1)], {"y": _noise(1, 3, 8, 8)})
    with pytest.raises(PackError, match='nothing feeds its input "mask"'):
        ForeignGraph(graph, _manifest(tmp_path, Role.UPSCALE), TensorsSpec(), "m")
