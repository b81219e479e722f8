# SPDX-License-Identifier: Apache-2.0
"""Makes small ONNX packs for tests."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from understudy.packs import Pack, open_pack, write_hashes
from unit.packs.pack_folders import make_pack

Axis = int | str


def value(name: str, shape: Sequence[Axis], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """A graph input or output."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Sequence[onnx.TensorProto] = (),
    domains: Sequence[str] = ("",),
) -> onnx.ModelProto:
    """A model of operator set 13."""
    graph = helper.make_graph(list(nodes), "test", list(inputs), list(outputs), list(weights))
    opsets = [helper.make_opsetid(domain, 13 if domain == "" else 1) for domain in domains]
    made = helper.make_model(graph, opset_imports=opsets)
    made.ir_version = 8
    return made


def double(channels: Axis = 3, height: Axis = "h", width: Axis = "w") -> onnx.ModelProto:
    """``image`` times two at the same size, its names its own."""
    two = numpy_helper.from_array(np.array(2, np.float32), "two")
    shape = (1, channels, height, width)
    return model([helper.make_node("Mul", ["x", "two"], ["y"])], [value("x", shape)], [value("y", shape)], [two])


def blur(height: Axis = "h", width: Axis = "w") -> onnx.ModelProto:
    """A 3x3 box over each of 3 channels, zeros beyond the edge: radius 1."""
    kernel = numpy_helper.from_array(np.full((3, 1, 3, 3), 1 / 9, np.float32), "kernel")
    shape = (1, 3, height, width)
    node = helper.make_node("Conv", ["x", "kernel"], ["y"], group=3, pads=[1, 1, 1, 1])
    return model([node], [value("x", shape)], [value("y", shape)], [kernel])


def onnx_pack(folder: Path, graph: onnx.ModelProto, edit: tuple[tuple[str, str], ...] = ()) -> Pack:
    """An upscale pack of scale 1 around a graph; ``edit`` changes its manifest as in ``make_pack``."""
    first = (('kind = "python"', 'kind = "onnx"'), ('"adapter.py"', '"model.onnx"'), ("[1, 2]", "[1]"))
    make_pack(folder, edit=first + edit, pin=False)
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    write_hashes(folder)
    return open_pack(folder)


def network(scale: int = 2, batch: Axis = "n") -> onnx.ModelProto:
    """A small upscaler of five convolutions, radius 5, with fixed random weights."""
    noise = np.random.default_rng(11)
    weights, nodes, depths = [], [], [3, 12, 12, 12, 12, 3 * scale * scale]
    for at, (before, after) in enumerate(pairwise(depths)):
        taps = noise.normal(0, 0.1, (after, before, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(taps, f"w{at}"))
        nodes.append(helper.make_node("Conv", [f"x{at}", f"w{at}"], [f"y{at}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("LeakyRelu", [f"y{at}"], [f"x{at + 1}"], alpha=0.2))
    nodes.append(helper.make_node("DepthToSpace", ["x5"], ["out"], blocksize=scale, mode="CRD"))
    shapes = (batch, 3, "h", "w"), (batch, 3, "H", "W")
    return model(nodes, [value("x0", shapes[0])], [value("out", shapes[1])], weights)
