# SPDX-License-Identifier: Apache-2.0
"""Computes what is constant in an ONNX graph: sizes, factors and pads that exporters write as little programs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.contracts.errors import PackError
from understudy.runtimes.onnx_graph import GraphNode


def folded(node: GraphNode, inputs: Sequence[Any], where: str) -> NDArray[Any]:
    """The constant that an operator of constants gives.

    Args:
        node: Of a kind in `FOLDED`.
        inputs: Its inputs; None for those left out.
        where: How messages name the model.

    Raises:
        PackError: Its inputs do not fit.
    """
    try:
        return np.asarray(FOLDED[node.kind](node, inputs))
    except (KeyError, ValueError, TypeError, IndexError):
        raise PackError(f"has a constant {node.kind} that can't be computed", where=where) from None


def _attr(node: GraphNode, name: str, default: Any) -> Any:
    return node.attributes.get(name, default)


def _constant(node: GraphNode, _inputs: Sequence[Any]) -> Any:
    for name, value in node.attributes.items():
        kind = {"value_int": np.int64, "value_ints": np.int64}.get(name)
        return np.asarray(value, kind) if kind else np.asarray(value, None if name == "value" else np.float32)
    raise ValueError("a constant without a value")


def _unsqueezed(node: GraphNode, inputs: Sequence[Any]) -> Any:
    axes = [int(axis) for axis in inputs[1]] if len(inputs) > 1 else list(_attr(node, "axes", ()))
    return np.expand_dims(inputs[0], tuple(axes))


def _sliced(node: GraphNode, inputs: Sequence[Any]) -> Any:
    starts, ends = (list(map(int, part)) for part in inputs[1:3])
    axes = list(map(int, inputs[3])) if len(inputs) > 3 and inputs[3] is not None else list(range(len(starts)))
    steps = list(map(int, inputs[4])) if len(inputs) > 4 and inputs[4] is not None else [1] * len(starts)
    del node
    index = [slice(None)] * inputs[0].ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        last = None if (step < 0 and end < -(1 << 30)) or end >= 1 << 31 else end
        index[axis] = slice(start, last, step)
    return inputs[0][tuple(index)]


FOLDED: Mapping[str, Callable[[GraphNode, Sequence[Any]], Any]] = {
    "Constant": _constant,
    "Concat": lambda node, inputs: np.concatenate(inputs, axis=int(_attr(node, "axis", 0))),
    "Cast": lambda _node, inputs: inputs[0],
    "Identity": lambda _node, inputs: inputs[0],
    "Unsqueeze": _unsqueezed,
    "Squeeze": lambda _node, inputs: np.squeeze(inputs[0]),
    "Reshape": lambda _node, inputs: inputs[0].reshape([int(side) for side in inputs[1]]),
    "Gather": lambda node, inputs: np.take(inputs[0], inputs[1], axis=int(_attr(node, "axis", 0))),
    "Transpose": lambda node, inputs: np.transpose(inputs[0], _attr(node, "perm", None)),
    "Slice": _sliced,
    "ConstantOfShape": lambda node, inputs: np.full(
        [int(side) for side in inputs[0]], np.asarray(_attr(node, "value", np.float32(0))).reshape(-1)[0]
    ),
    "Add": lambda _node, inputs: inputs[0] + inputs[1],
    "Sub": lambda _node, inputs: inputs[0] - inputs[1],
    "Mul": lambda _node, inputs: inputs[0] * inputs[1],
    "Div": lambda _node, inputs: inputs[0] / inputs[1],
}
"""What is computed, by operator."""
