# SPDX-License-Identifier: Apache-2.0
"""Looks into an ``.onnx`` file without loading it: its operator domains, and the outside files it reads.

ONNX Runtime would open whatever path a tensor names, so this is asked first. The file is a protobuf message; field
numbers are those of onnx.proto (IR version 3 and later). Only the fields on the way to tensors are walked.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from understudy.contracts.errors import PackError

BUILT_IN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operator domains that every ONNX Runtime build has."""

_MAX_DEPTH = 32

# Message name -> field number -> message name of that field.
_WALK: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}


@dataclass(frozen=True, slots=True)
class OnnxFacts:
    """What a model file needs beside itself.

    Attributes:
        domains: Operator domains it imports; empty text is ONNX's own.
        external: Files its tensors lie in, as the file names them.
    """

    domains: frozenset[str]
    external: frozenset[str]


def onnx_facts(data: bytes, *, where: str) -> OnnxFacts:
    """Walks a model file.

    Args:
        data: The whole file.
        where: How messages name it.

    Raises:
        PackError: It is not an ONNX file.
    """
    view = memoryview(data)
    domains: set[str] = set()
    external: set[str] = set()
    try:
        has_graph = False
        for number, value in _fields(view):
            has_graph = has_graph or number == 7
            if number == 8 and isinstance(value, memoryview):  # opset_import
                domains.add(_text(value, 1))
        _walk(view, "Model", external, 0)
    except (ValueError, IndexError):
        raise PackError("is not a readable ONNX file", where=where, fix="export the model again") from None
    if not has_graph or not domains:
        raise PackError("is not an ONNX file: it holds no graph", where=where, fix="export the model again")
    return OnnxFacts(frozenset(domains), frozenset(external))


def _walk(view: memoryview, message: str, external: set[str], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    for number, value in _fields(view):
        if not isinstance(value, memoryview):
            continue
        if inner := _WALK[message].get(number):
            _walk(value, inner, external, depth + 1)
        elif message == "Tensor" and number == 13 and _text(value, 1) == "location":  # external_data
            external.add(_text(value, 2))


def _text(view: memoryview, wanted: int) -> str:
    for number, value in _fields(view):
        if number == wanted and isinstance(value, memoryview):
            return bytes(value).decode()
    return ""


def _fields(view: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Field numbers and values of one protobuf message (encoding: protobuf.dev, "Encoding")."""
    position = 0
    while position < len(view):
        tag, position = _varint(view, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, position = _varint(view, position)
            yield number, value
            continue
        if wire_type == 2:
            length, position = _varint(view, position)
        elif wire_type in {1, 5}:
            length = 8 if wire_type == 1 else 4
        else:
            raise ValueError("a wire type that ONNX does not use")
        if position + length > len(view):
            raise ValueError("cut short")
        yield number, view[position : position + length]
        position += length


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = view[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
        if shift > 63:
            raise ValueError("a number longer than 64 bits")
