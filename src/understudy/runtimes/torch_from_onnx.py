# SPDX-License-Identifier: Apache-2.0
"""An ONNX graph as a torch module, to be written for programs that run TorchScript.

For networks that make a picture of a picture: convolutions, activations, resampling, arithmetic. What is constant is
computed once; the rest runs in the order of the graph. A graph with any other operator is refused by its name.

Half floats: weights follow the module when a host makes it half. Convolutions then run in half; powers, logarithms,
divisions and comparisons run in float32 and results are half again only where a convolution takes them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.contracts.errors import PackError
from understudy.runtimes.onnx_fold import FOLDED, folded
from understudy.runtimes.onnx_graph import GraphNode, PlainGraph
from understudy.runtimes.torch_device import import_torch

Operator = Callable[[Any, GraphNode, Sequence[Any]], Any]
"""Torch, the operator, its inputs (tensors, or arrays for constants, None for those left out) to its output."""


def module_of(graph: PlainGraph, image: str, constants: Mapping[str, NDArray[Any]], where: str) -> Any:
    """A module that takes a picture ``(n, c, h, w)`` and returns the graph's first output.

    Args:
        graph: The graph.
        image: The input that is the picture.
        constants: Values of its other inputs, which become part of the module.
        where: How messages name it.

    Raises:
        PackError: It has an operator, or a way to use one, that is not known here, or an input without a value.
    """
    torch = import_torch()
    if missing := [name for name in graph.inputs if name != image and name not in constants]:
        raise PackError(f'its input "{missing[0]}" has no value', where=where, fix="export a pack of one picture")
    if unknown := sorted({node.kind for node in graph.nodes} - set(OPERATORS) - set(FOLDED)):
        fix = "only networks of convolutions, activations, resampling and arithmetic can be written for other hosts"
        raise PackError(f"has the operator {', '.join(unknown)[:120]}", where=where, fix=fix)
    known: dict[str, NDArray[Any]] = {**graph.weights, **constants}
    live = [node for node in graph.nodes if not _folded(node, known, where)]
    heavy = {name for node in live if node.kind in _WEIGHTED for name in node.inputs[1:]}

    class OnnxModule(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch has no types here
        """The graph."""

        def __init__(self) -> None:
            super().__init__()
            self.places: dict[str, str] = {}
            used = {name for node in live for name in _held(node) if name in known}
            for number, name in enumerate(sorted(used)):
                self.places[name] = f"weight{number}"
                if known[name].size == 1 and name not in heavy:
                    del self.places[name]  # a plain number
                    continue
                tensor = torch.from_numpy(np.ascontiguousarray(known[name], np.float32).copy())
                self.register_buffer(self.places[name], tensor)

        def forward(self, x: Any) -> Any:
            """The graph's first output."""
            values: dict[str, Any] = {image: x}

            def value(name: str) -> Any:
                if not name:
                    return None
                if name in values:
                    return values[name]
                return getattr(self, self.places[name]) if name in self.places else known[name]

            for node in live:
                inputs = [value(name) for name in node.inputs]
                try:
                    found = OPERATORS[node.kind](torch, node, inputs)
                except PackError as error:
                    raise PackError(f"{node.kind}: {error.problem}", where=where, fix=error.fix) from None
                values.update(zip(node.outputs, found if isinstance(found, tuple) else (found,), strict=False))
            return values[graph.outputs[0]]

    return OnnxModule().eval()


def _folded(node: GraphNode, known: dict[str, NDArray[Any]], where: str) -> bool:
    """Computes an operator whose inputs are all constant; whether it did."""
    if node.kind != "Constant" and any(name and name not in known for name in node.inputs):
        if node.kind in OPERATORS:
            return False
        fix = "export it so that no size is computed from the picture"
        raise PackError(f"computes with {node.kind} on the picture", where=where, fix=fix)
    if node.kind not in FOLDED:
        return False
    known[node.outputs[0]] = folded(node, [known.get(name) for name in node.inputs], where)
    return True


def _attr(node: GraphNode, name: str, default: Any) -> Any:
    return node.attributes.get(name, default)


def _numbers(value: Any) -> list[Any]:
    """A constant as plain numbers."""
    if value is None or not isinstance(value, np.ndarray):
        raise PackError("takes a setting from the picture", fix="export it with constant settings")
    return [item.item() for item in value.reshape(-1)]


def _held(node: GraphNode) -> Sequence[str]:
    """Inputs that become the module's own where they are constant; settings such as pads stay numbers."""
    if node.kind in _WEIGHTED:
        return node.inputs[1:]
    return node.inputs if node.kind in _ARITHMETIC else ()


def _plain(value: Any) -> Any:
    """A constant of one value as a number, which has no device and no type of its own."""
    return value.reshape(-1)[0].item() if isinstance(value, np.ndarray) else value


def _float(value: Any) -> Any:
    return value.float() if hasattr(value, "float") and not isinstance(value, np.ndarray) else value


def _binary(name: str, *, exact: bool = True) -> Operator:
    def run(torch: Any, _node: GraphNode, inputs: Sequence[Any]) -> Any:
        a, b = (_plain(value) for value in inputs)
        if exact:
            a, b = _float(a), _float(b)
        return getattr(torch, name)(a, b) if hasattr(a, "device") else _swapped(torch, name, a, b)

    return run


def _swapped(torch: Any, name: str, number: float, tensor: Any) -> Any:
    """A number and a tensor, in this order."""
    return getattr(torch, name)(torch.full_like(tensor, number), tensor)


def _unary(function: Callable[[Any, Any], Any]) -> Operator:
    return lambda torch, _node, inputs: function(torch, _float(inputs[0]))


def _conv(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    x, weight, bias = (*inputs, None)[:3]
    pads, strides = _attr(node, "pads", (0, 0, 0, 0)), tuple(_attr(node, "strides", (1, 1)))
    if _attr(node, "auto_pad", "NOTSET") not in {"NOTSET", "VALID"} or len(weight.shape) != 4:
        raise PackError("pads by itself, or is not of two dimensions", fix="export it with explicit pads")
    top, left, bottom, right = pads
    x = x.type_as(weight)
    if (top, left) != (bottom, right):
        x = torch.nn.functional.pad(x, (left, right, top, bottom))
        top = left = 0
    dilations, group = tuple(_attr(node, "dilations", (1, 1))), int(_attr(node, "group", 1))
    return torch.nn.functional.conv2d(x, weight, bias, strides, (top, left), dilations, group)


def _conv_transpose(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    x, weight, bias = (*inputs, None)[:3]
    top, left, bottom, right = _attr(node, "pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right) or "output_shape" in node.attributes:
        raise PackError("pads unevenly", fix="export it with even pads")
    return torch.nn.functional.conv_transpose2d(
        x.type_as(weight), weight, bias, tuple(_attr(node, "strides", (1, 1))), (top, left),
        tuple(_attr(node, "output_padding", (0, 0))), int(_attr(node, "group", 1)),
        tuple(_attr(node, "dilations", (1, 1))),
    )  # fmt: skip


def _prelu(torch: Any, _node: GraphNode, inputs: Sequence[Any]) -> Any:
    x, slope = inputs
    if int(slope.numel()) not in {1, int(x.shape[1])}:
        raise PackError("has a slope for each pixel", fix="export it with one slope a channel")
    return torch.nn.functional.prelu(x, slope.reshape(-1).type_as(x))


def _leaky(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    return torch.nn.functional.leaky_relu(inputs[0], float(_attr(node, "alpha", 0.01)))


def _clip(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    low, high = (
        _numbers(inputs[at])[0] if len(inputs) > at and inputs[at] is not None else _attr(node, name, None)
        for at, name in ((1, "min"), (2, "max"))
    )
    return torch.clamp(inputs[0], min=low, max=high)


def _pad(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    pads = _numbers(inputs[1]) if len(inputs) > 1 else list(_attr(node, "pads", ()))
    mode = {"edge": "replicate", "reflect": "reflect", "constant": "constant"}.get(_attr(node, "mode", "constant"))
    if mode is None or len(pads) != 8 or any(pads[:2]) or any(pads[4:6]) or (len(inputs) > 3 and inputs[3] is not None):
        raise PackError("pads other axes than height and width", fix="export it so that it pads height and width alone")
    x, sides = inputs[0], (pads[3], pads[7], pads[2], pads[6])
    if mode != "constant":
        return torch.nn.functional.pad(x, sides, mode=mode)
    fill = _numbers(inputs[2])[0] if len(inputs) > 2 and inputs[2] is not None else _attr(node, "value", 0.0)
    return torch.nn.functional.pad(x, sides, value=float(fill))


def _slice(_torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    if len(inputs) > 1:
        starts, ends = _numbers(inputs[1]), _numbers(inputs[2])
        axes = _numbers(inputs[3]) if len(inputs) > 3 and inputs[3] is not None else list(range(len(starts)))
        steps = _numbers(inputs[4]) if len(inputs) > 4 and inputs[4] is not None else [1] * len(starts)
    else:
        starts, ends = (list(_attr(node, name, ())) for name in ("starts", "ends"))
        axes, steps = list(_attr(node, "axes", range(len(starts)))), [1] * len(starts)
    index = [slice(None)] * 4
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise PackError("runs backward", fix="export it without reversed slices")
        index[axis % 4] = slice(start, None if end >= 1 << 31 else end, step)
    return inputs[0][tuple(index)]


def _resize(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    scales = _numbers(inputs[2]) if len(inputs) > 2 and inputs[2] is not None and inputs[2].size else []
    if node.kind == "Upsample":
        scales = _numbers(inputs[1]) if len(inputs) > 1 else list(_attr(node, "scales", ()))
    if len(scales) != 4 or scales[:2] != [1, 1] or (len(inputs) > 3 and inputs[3] is not None):
        raise PackError("resizes to a size, not by a factor", fix="export it with constant factors")
    mode = str(_attr(node, "mode", "nearest"))
    place = str(_attr(node, "coordinate_transformation_mode", "half_pixel"))
    factor = (float(scales[2]), float(scales[3]))
    x = inputs[0]
    if mode == "nearest":
        whole = all(side == int(side) for side in factor)
        floored = place == "asymmetric" and _attr(node, "nearest_mode", "round_prefer_floor") == "floor"
        if not whole or not (floored or (place == "half_pixel" and node.kind == "Resize") or node.kind == "Upsample"):
            raise PackError(f"takes the nearest sample by {place}", fix="export it with whole factors")
        tall, wide = (int(side) for side in factor)
        return x.repeat_interleave(tall, dim=2).repeat_interleave(wide, dim=3)
    if place not in {"half_pixel", "pytorch_half_pixel"} or _attr(node, "antialias", 0):
        raise PackError(f"resizes by {place}", fix="export it with half_pixel")
    if mode == "cubic" and not math.isclose(float(_attr(node, "cubic_coeff_a", -0.75)), -0.75):
        raise PackError("has a cubic of another coefficient than -0.75", fix="export it with -0.75, as torch has it")
    names = {"linear": "bilinear", "cubic": "bicubic"}
    if mode not in names:
        raise PackError(f"resizes by {mode}", fix="export it with linear or cubic")
    return torch.nn.functional.interpolate(_float(x), scale_factor=factor, mode=names[mode], align_corners=False)


def _depth_to_space(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    x, block = inputs[0], int(node.attributes["blocksize"])  # type: ignore[arg-type]  # an integer by the schema
    if _attr(node, "mode", "DCR") == "DCR" and x.shape[1] != block * block:
        n, c, h, w = x.shape
        x = x.reshape(n, block * block, c // (block * block), h, w).transpose(1, 2).reshape(n, c, h, w)
    return torch.nn.functional.pixel_shuffle(x, block)


def _space_to_depth(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    x, block = inputs[0], int(node.attributes["blocksize"])  # type: ignore[arg-type]  # an integer by the schema
    x = torch.nn.functional.pixel_unshuffle(x, block)
    n, c, h, w = x.shape
    return x.reshape(n, c // (block * block), block * block, h, w).transpose(1, 2).reshape(n, c, h, w)


def _concat(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    if any(isinstance(value, np.ndarray) for value in inputs):
        raise PackError("joins a constant to the picture", fix="export it without")
    return torch.cat(list(inputs), dim=int(_attr(node, "axis", 1)))


def _pool(name: str) -> Operator:
    def run(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
        if any(_attr(node, "pads", (0, 0, 0, 0))) or _attr(node, "ceil_mode", 0):
            raise PackError("pads", fix="export it without padding")
        kernel = tuple(_attr(node, "kernel_shape", (1, 1)))
        strides = tuple(_attr(node, "strides", (1, 1)))
        return getattr(torch.nn.functional, name)(inputs[0], kernel, strides)

    return run


def _mean(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    axes = _numbers(inputs[1]) if len(inputs) > 1 and inputs[1] is not None else list(_attr(node, "axes", (2, 3)))
    return torch.mean(_float(inputs[0]), dim=axes, keepdim=bool(_attr(node, "keepdims", 1)))


def _where(torch: Any, _node: GraphNode, inputs: Sequence[Any]) -> Any:
    condition, a, b = inputs
    return torch.where(condition, _float(_plain(a)), _float(_plain(b)))


def _cast(torch: Any, node: GraphNode, inputs: Sequence[Any]) -> Any:
    kinds = {1: "float", 10: "float", 11: "float", 9: "bool"}
    wanted = kinds.get(int(_attr(node, "to", 1)))
    if wanted is None:
        raise PackError("makes whole numbers of the picture", fix="export it without")
    del torch
    return getattr(inputs[0], wanted)()


def _same(_torch: Any, _node: GraphNode, inputs: Sequence[Any]) -> Any:
    return inputs[0]


_WEIGHTED = frozenset({"Conv", "ConvTranspose", "PRelu"})
_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Where", "Greater", "Less"})

OPERATORS: Mapping[str, Operator] = {
    "Conv": _conv, "ConvTranspose": _conv_transpose, "PRelu": _prelu, "LeakyRelu": _leaky,
    "Relu": lambda torch, _node, inputs: torch.relu(inputs[0]),
    "Sigmoid": _unary(lambda torch, x: torch.sigmoid(x)), "Tanh": _unary(lambda torch, x: torch.tanh(x)),
    "Abs": lambda torch, _node, inputs: torch.abs(inputs[0]), "Neg": lambda torch, _node, inputs: torch.neg(inputs[0]),
    "Sign": lambda torch, _node, inputs: torch.sign(inputs[0]), "Exp": _unary(lambda torch, x: torch.exp(x)),
    "Log": _unary(lambda torch, x: torch.log(x)), "Sqrt": _unary(lambda torch, x: torch.sqrt(x)),
    "Floor": _unary(lambda torch, x: torch.floor(x)), "Reciprocal": _unary(lambda torch, x: torch.reciprocal(x)),
    "Erf": _unary(lambda torch, x: torch.erf(x)), "Softplus": _unary(lambda torch, x: torch.nn.functional.softplus(x)),
    "Not": lambda torch, _node, inputs: torch.logical_not(inputs[0]),
    "Add": _binary("add", exact=False), "Sub": _binary("sub"), "Mul": _binary("mul", exact=False),
    "Div": _binary("div"), "Pow": _binary("pow"), "Greater": _binary("gt"), "Less": _binary("lt"),
    "GreaterOrEqual": _binary("ge"), "LessOrEqual": _binary("le"), "And": _binary("logical_and", exact=False),
    "Max": _binary("maximum"), "Min": _binary("minimum"), "Where": _where, "Clip": _clip, "Pad": _pad,
    "Slice": _slice, "Resize": _resize, "Upsample": _resize, "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth, "Concat": _concat, "AveragePool": _pool("avg_pool2d"),
    "MaxPool": _pool("max_pool2d"), "ReduceMean": _mean, "Cast": _cast, "Identity": _same, "Dropout": _same,
    "GlobalAveragePool": lambda torch, _node, inputs: torch.mean(inputs[0], dim=(2, 3), keepdim=True),
}  # fmt: skip
"""What is known of ONNX's operators."""
