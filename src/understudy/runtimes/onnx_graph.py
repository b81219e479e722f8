# SPDX-License-Identifier: Apache-2.0
"""Reads the graph of an ONNX file that was looked into: its operators in order, their attributes, its weights.

Only what a conversion needs, without the package ``onnx``. Field numbers are those of onnx.proto.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.contracts.errors import PackError
from understudy.runtimes.onnx_source import OnnxSource
from understudy.runtimes.protobuf_fields import fields, integers, signed, text

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | NDArray[Any]

_TYPES: Mapping[int, Any] = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_,
    10: np.float16, 11: np.float64,
}  # fmt: skip
_MOST_VALUES = 1 << 26


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One operator.

    Attributes:
        kind: Its name, of ONNX's own domain.
        inputs: Names; empty for one that is left out.
        outputs: Names.
        attributes: By name.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(slots=True)
class PlainGraph:
    """A main graph.

    Attributes:
        nodes: In the order they run in.
        weights: Constant tensors by name.
        inputs: Names of what is fed.
        ranks: Their axes, by name.
        outputs: Names of what comes out.
        opset: Version of ONNX's operators.
    """

    nodes: list[GraphNode] = field(default_factory=list)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    ranks: dict[str, int] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    opset: int = 0


def read_graph(source: OnnxSource) -> PlainGraph:
    """The main graph of a model.

    Raises:
        PackError: It has operators of another domain, functions of its own, or tensors of a type that is not read.
    """
    graph = PlainGraph()
    for number, value in fields(memoryview(source.data)):
        if number == 8 and isinstance(value, memoryview):
            domain, version = _opset(value)
            graph.opset = version if domain in {"", "ai.onnx"} else graph.opset
        elif number == 25:
            raise PackError("has functions of its own", where=source.where, fix="export it without them")
    for number, value in fields(memoryview(source.data)):
        if number == 7 and isinstance(value, memoryview):
            _graph(value, graph, source)
    graph.inputs = [name for name in graph.inputs if name not in graph.weights]
    return graph


def _graph(view: memoryview, graph: PlainGraph, source: OnnxSource) -> None:
    for number, value in fields(view):
        if not isinstance(value, memoryview):
            continue
        if number == 1:
            graph.nodes.append(_node(value, source))
        elif number == 5:
            name, array = _tensor(value, source)
            graph.weights[name] = array
        elif number in {11, 12}:
            name = _named(value, 1)
            (graph.inputs if number == 11 else graph.outputs).append(name)
            graph.ranks[name] = _rank(value)
        elif number == 15:
            raise PackError("has sparse weights", where=source.where, fix="store them as dense ones")


def _rank(view: memoryview) -> int:
    """Axes of an input: ValueInfo.type.tensor_type.shape.dim."""
    parts = [view]
    for number in (2, 1, 2):
        parts = [v for part in parts for n, v in fields(part) if n == number and isinstance(v, memoryview)]
    return sum(1 for part in parts for number, _ in fields(part) if number == 1)


def _node(view: memoryview, source: OnnxSource) -> GraphNode:
    inputs: list[str] = []
    outputs: list[str] = []
    attributes: dict[str, Attribute] = {}
    for number, value in fields(view):
        if number in {1, 2}:
            (inputs if number == 1 else outputs).append(text(value))
        elif number == 5 and isinstance(value, memoryview):
            name, found = _attribute(value, source)
            attributes[name] = found
    kind, domain = _named(view, 4), _named(view, 7)
    if domain not in {"", "ai.onnx"}:
        fix = "export it with ONNX's own operators"
        raise PackError(f"has the operator {kind} of the domain {domain}", where=source.where, fix=fix)
    return GraphNode(kind, tuple(inputs), tuple(outputs), attributes)


def _attribute(view: memoryview, source: OnnxSource) -> tuple[str, Attribute]:
    kind = 0
    single: dict[int, Any] = {}
    floats: list[float] = []
    whole: list[int] = []
    for number, value in fields(view):
        if number == 20 and isinstance(value, int):
            kind = value
        elif number == 7:
            floats.extend(_floats(value))
        elif number == 8:
            whole.extend(integers(value, _MOST_VALUES))
        else:
            single[number] = value
    name = text(single.get(1, b"")) if not isinstance(single.get(1), int) else ""
    if kind == 1:
        return name, float(_floats(single[2])[0])
    if kind == 2:
        return name, signed(int(single.get(3, 0)))
    if kind == 3:
        return name, text(single[4])
    if kind == 4:
        return name, _tensor(single[5], source)[1]
    if kind == 6:
        return name, tuple(floats)
    if kind == 7:
        return name, tuple(whole)
    fix = "export it without branches and loops"
    raise PackError(f'has an operator with the attribute "{name}", which is not read', where=source.where, fix=fix)


def _tensor(view: memoryview, source: OnnxSource) -> tuple[str, NDArray[Any]]:
    dims: list[int] = []
    kind, raw, outside = 0, None, False
    entries: dict[str, str] = {}
    values: list[float | int] = []
    for number, value in fields(view):
        if number == 1:
            dims.extend(integers(value, 64))
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 9 and isinstance(value, memoryview):
            raw = bytes(value)
        elif number == 13 and isinstance(value, memoryview):
            entries[_named(value, 1)] = _named(value, 2)
        elif number == 14:
            outside = value == 1
        elif number == 4:
            values.extend(_floats(value))
        elif number in {5, 7}:
            values.extend(integers(value, _MOST_VALUES))
        elif number == 10 and isinstance(value, memoryview):
            values.extend(struct.unpack(f"<{len(value) // 8}d", value))
    name = _named(view, 8)
    if kind not in _TYPES:
        fix = "export it in float32"
        raise PackError(f'has a weight "{name[:60]}" of a type that is not read', where=source.where, fix=fix)
    dtype = np.dtype(_TYPES[kind])
    if outside:
        offset = int(entries.get("offset", "0"))
        raw = source.files[entries["location"]][offset : offset + int(np.prod(dims, dtype=np.int64)) * dtype.itemsize]
    if raw is not None:
        return name, np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype).reshape(dims)
    if kind == 10:
        return name, np.array(values, np.uint16).view(np.float16).reshape(dims)
    return name, np.array(values, dtype).reshape(dims)


def _floats(value: memoryview | int | bytes) -> tuple[float, ...]:
    if isinstance(value, int):
        raise ValueError("a number in the place of floats")
    return struct.unpack(f"<{len(value) // 4}f", value)


def _opset(view: memoryview) -> tuple[str, int]:
    version = 0
    for number, value in fields(view):
        if number == 2 and isinstance(value, int):
            version = value
    return _named(view, 1), version


def _named(view: memoryview, wanted: int) -> str:
    found = ""
    for number, value in fields(view):
        if number == wanted:
            found = text(value)
    return found
