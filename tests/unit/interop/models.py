# SPDX-License-Identifier: Apache-2.0
"""Small models that do something sensible, as other people would export them."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from unit.runtimes.onnx_models import Axis, model, value


def const(name: str, values: object, kind: type = np.float32) -> onnx.TensorProto:
    """A weight."""
    return numpy_helper.from_array(np.array(values, kind), name)


def doubler(
    channels: Axis = 3,
    *,
    steps: bool = False,
    padded: int = 1,
    size: tuple[Axis, Axis] = ("h", "w"),
    half: bool = False,
) -> onnx.ModelProto:
    """Twice the size, bilinear, in the names of nobody's role.

    Args:
        channels: Of its input.
        steps: Rounds to whole numbers, as a model of 0-255 may; of 0-1 nothing is left then.
        padded: Shrinks and repeats by this first, so that sides must be a multiple of it.
        size: Height and width that it takes.
        half: Takes and gives half floats.
    """
    nodes, last = [], "input"
    if padded > 1:
        nodes += [
            helper.make_node("SpaceToDepth", [last], ["deep"], blocksize=padded),
            helper.make_node("DepthToSpace", ["deep"], ["same"], blocksize=padded),
        ]
        last = "same"
    if steps:
        nodes += [helper.make_node("Add", [last, "half"], ["more"]), helper.make_node("Floor", ["more"], ["whole"])]
        last = "whole"
    nodes.append(
        helper.make_node(
            "Resize", [last, "", "scales"], ["output"], mode="linear", coordinate_transformation_mode="half_pixel"
        )
    )
    weights = [const("scales", [1, 1, 2, 2]), const("half", 0.5)]
    shapes = ("n", channels, *size), ("n", channels, "H", "W")
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    return model(nodes, [value("input", shapes[0], kind)], [value("output", shapes[1], kind)], weights)


def drift(*, stacked: bool = False, step: int = 1, unit: float = 1.0) -> onnx.ModelProto:
    """Vectors of (3, -2) pixels everywhere, at a fraction of the size and in any unit."""
    first = "pair" if stacked else "img0"
    weights = [const("zero", np.zeros((2, 6 if stacked else 3, 1, 1))), const("shift", [[[[3.0]], [[-2.0]]]])]
    weights[1] = const("shift", np.array([3.0, -2.0]).reshape(1, 2, 1, 1) * unit)
    nodes = [
        helper.make_node("AveragePool", [first], ["small"], kernel_shape=[step, step], strides=[step, step]),
        helper.make_node("Conv", ["small", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "shift"], ["flow"]),
    ]
    depth = 6 if stacked else 3
    inputs = [value(first, ("n", depth, "h", "w"))]
    if not stacked:
        inputs.append(value("img1", ("n", 3, "h", "w")))
        weights.append(const("none", 0.0))
        nodes[2:] = [
            helper.make_node("ReduceMean", ["img1"], ["mean"], axes=[1, 2, 3], keepdims=1),
            helper.make_node("Mul", ["mean", "none"], ["gone"]),
            helper.make_node("Add", ["nothing", "gone"], ["still"]),
            helper.make_node("Add", ["still", "shift"], ["flow"]),
        ]
    return model(nodes, inputs, [value("flow", ("n", 2, "y", "x"))], weights)


def write(path: Path, graph: onnx.ModelProto) -> Path:
    """The graph as a file."""
    path.write_bytes(graph.SerializeToString())
    return path


def whole_frame() -> onnx.ModelProto:
    """Each pixel less the mean of all, plus it: every pixel reaches everywhere a little."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "tenth"], ["part"]),
        helper.make_node("Add", ["x", "part"], ["y"]),
    ]
    shape = ("n", 3, "h", "w")
    return model(nodes, [value("x", shape)], [value("y", shape)], [const("tenth", 0.1)])


def custom() -> onnx.ModelProto:
    """Uses an operator of nobody."""
    shape = (1, 3, "h", "w")
    node = helper.make_node("Sharpen", ["x"], ["y"], domain="studio.ops")
    return model([node], [value("x", shape)], [value("y", shape)], domains=("", "studio.ops"))


def outside(location: str, length: int = 36) -> onnx.ModelProto:
    """Keeps its weight in another file."""
    shape = (1, 3, "h", "w")
    weight = onnx.TensorProto(name="k", data_type=TensorProto.FLOAT, dims=[3, 3, 1, 1])
    weight.data_location = TensorProto.EXTERNAL
    for key, text in (("location", location), ("offset", "0"), ("length", str(length))):
        weight.external_data.add(key=key, value=text)
    return model([helper.make_node("Conv", ["x", "k"], ["y"])], [value("x", shape)], [value("y", shape)], [weight])


def between() -> onnx.ModelProto:
    """Still frames mixed by a time that is a picture, in somebody's own names."""
    nodes = [
        helper.make_node("Conv", ["img0", "zero"], ["to_a"]),
        helper.make_node("Conv", ["img1", "zero"], ["to_b"]),
        helper.make_node("Identity", ["timestep"], ["weight"]),
    ]
    inputs = [value(name, ("n", depth, "h", "w")) for name, depth in (("img0", 3), ("img1", 3), ("timestep", 1))]
    outputs = [value(name, ("n", depth, "h", "w")) for name, depth in (("to_a", 2), ("to_b", 2), ("weight", 1))]
    return model(nodes, inputs, outputs, [const("zero", np.zeros((2, 3, 1, 1)))])


def facing() -> onnx.ModelProto:
    """Normals that face the camera, whatever the picture."""
    nodes = [
        helper.make_node("Conv", ["x", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "front"], ["normal"]),
    ]
    shape = ("n", 3, "h", "w")
    weights = [const("zero", np.zeros((3, 3, 1, 1))), const("front", [[[0.0]], [[0.0]], [[1.0]]])]
    return model(nodes, [value("x", shape)], [value("normal", shape)], weights)
