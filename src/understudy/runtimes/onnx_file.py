# SPDX-License-Identifier: Apache-2.0
"""Looks into an ``.onnx`` file before a runtime does: whether it is only what it seems, and how large it gets.

A runtime would open whatever path a tensor names, and reserve whatever memory a shape declares, so this is asked first.
The file is a protobuf message; field numbers are those of onnx.proto (IR version 3 and later). Every graph in it is
walked: the main one, those of branches and loops, functions, training graphs. Weights are viewed, never copied.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from understudy.contracts.errors import PackError
from understudy.runtimes.protobuf_fields import fields, integers, text

BUILT_IN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operator domains that every ONNX Runtime build has."""

OPSETS = range(7, 100)
"""Versions of ONNX's own operators: ONNX Runtime reads 7 and later, and says itself which is too new for it."""

MOST_FILE_BYTES = (1 << 31) - 1
"""The largest protobuf message; more weights lie in files of their own."""

MOST_TENSOR_BYTES = 64 << 30
"""The most that all tensors of a model may come to."""

_MOST_SPARSE_BYTES = 256 << 20  # runtimes make a sparse tensor a dense one
_MOST_NODES = 200_000
_MOST_PARTS = 5_000_000  # fields that are looked at, which bounds the time
_MOST_DIMENSIONS = 64
_MOST_DEPTH = 32

# Operators that open a file of their own when they are told to.
_READS_FILES = frozenset({("com.microsoft", "EPContext")})

# Message name -> field number -> message name of that field.
_WALK: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}

# TensorProto.DataType -> bits of an element; text has none that can be told.
_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2, 27: 6, 28: 6,
}  # fmt: skip
_TEXT = 8


@dataclass(frozen=True, slots=True)
class ExternalData:
    """Where a tensor lies outside the model file.

    Attributes:
        location: The file, as the tensor names it.
        offset: Bytes before it.
        length: Bytes of it.
    """

    location: str
    offset: int
    length: int


@dataclass(slots=True)
class OnnxFacts:
    """What a model file is.

    Attributes:
        domains: Operator domains it uses; empty text is ONNX's own. Those of its own functions are not among them.
        outside: Tensors in other files.
        nodes: Operators in all graphs.
        tensor_bytes: What all tensors come to in memory.
    """

    domains: frozenset[str] = frozenset()
    outside: list[ExternalData] = field(default_factory=list)
    nodes: int = 0
    tensor_bytes: int = 0

    @property
    def external(self) -> frozenset[str]:
        """The other files, as the file names them."""
        return frozenset(part.location for part in self.outside)


def onnx_facts(data: bytes, *, where: str) -> OnnxFacts:
    """Walks a model file.

    Args:
        data: The whole file.
        where: How messages name it.

    Raises:
        PackError: It is not an ONNX file, a tensor is not what it declares, a path leads out of the pack, an operator
            reads files, or the model is larger than any may be.
    """
    if len(data) > MOST_FILE_BYTES:
        fix = "keep the weights in a file of their own"
        raise PackError("is over 2 GiB, which no ONNX file may be", where=where, fix=fix)
    walk = _Walk()
    try:
        walk.model(memoryview(data))
    except _RefusedError as refused:
        raise PackError(refused.problem, where=where, fix=refused.fix) from None
    except (ValueError, IndexError):
        raise PackError("is not a readable ONNX file", where=where, fix="export the model again") from None
    return walk.facts


class _RefusedError(Exception):
    """A file that can be read and is not wanted."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


class _Walk:
    """One walk over a file."""

    def __init__(self) -> None:
        self.facts = OnnxFacts()
        self._parts = 0
        self._domains: set[str] = set()
        self._own: set[str] = set()

    def model(self, view: memoryview) -> None:
        """The whole file."""
        has_graph = False
        for number, value in self._fields(view):
            has_graph = has_graph or number == 7
            if number == 8 and isinstance(value, memoryview):  # opset_import
                self._opset(value)
            elif number == 25 and isinstance(value, memoryview):
                self._own.add(self._named(value, 10))
        if not has_graph or not self._domains:
            raise _RefusedError("is not an ONNX file: it holds no graph", "export the model again")
        self._walk(view, "Model", 0)
        self.facts.domains = frozenset(self._domains - self._own)

    def _walk(self, view: memoryview, message: str, depth: int) -> None:
        if depth > _MOST_DEPTH:
            raise ValueError("nested too deeply")
        if message == "Tensor":
            self._tensor(view)
            return
        if message == "SparseTensor":
            self._sparse(view)
        elif message == "Node":
            self._node(view)
        nested = _WALK[message]
        for number, value in self._fields(view):
            if isinstance(value, memoryview) and number in nested:
                self._walk(value, nested[number], depth + 1)

    def _node(self, view: memoryview) -> None:
        self.facts.nodes += 1
        if self.facts.nodes > _MOST_NODES:
            raise _RefusedError(f"has over {_MOST_NODES} operators", "use a smaller model")
        domain, kind = self._named(view, 7), self._named(view, 4)
        self._domains.add(domain)
        if (domain, kind) in _READS_FILES:
            raise _RefusedError(f"has an operator {kind}, which reads files", "export the model without it")

    def _tensor(self, view: memoryview) -> None:
        dims: list[int] = []
        kind, outside, holds, raw = 0, False, 0, -1
        entries: dict[str, str] = {}
        for number, value in self._fields(view):
            if number == 1:
                dims.extend(integers(value, _MOST_DIMENSIONS))
            elif number == 2 and isinstance(value, int):
                kind = value
            elif number == 14:
                outside = value == 1
            elif number == 13 and isinstance(value, memoryview):
                key = self._named(value, 1)
                if key in entries:  # which one holds is left to each reader
                    raise ValueError("a key that stands twice")
                entries[key] = self._named(value, 2)
            elif number == 9 and isinstance(value, memoryview):
                raw = len(value)
            else:
                holds += self._elements(number, value)
        name = _quoted(self._named(view, 8))
        count = _count(dims, name)
        if kind == _TEXT:
            if count > holds:
                raise _RefusedError(f"has a tensor {name} that declares more than it holds", "export the model again")
            return
        if kind not in _BITS:
            raise _RefusedError(f"has a tensor {name} of an unknown type", "export the model again")
        size = -(-count * _BITS[kind] // 8)
        self._count_bytes(size)
        if outside or entries:
            self._outside(entries, size, name)
        elif raw >= 0 and raw != size:
            problem = f"has a tensor {name} of {raw} bytes that declares {size}"
            raise _RefusedError(problem, "export the model again")
        elif raw < 0 and count > holds * max(1, 32 // _BITS[kind] if _BITS[kind] < 8 else 1):
            raise _RefusedError(f"has a tensor {name} that declares more than it holds", "export the model again")

    def _elements(self, number: int, value: memoryview | int) -> int:
        """How many elements a field of a tensor can hold at most."""
        if number in {5, 7, 11}:  # int32_data, int64_data, uint64_data: at least one byte each
            return 1 if isinstance(value, int) else len(value)
        if number == 4 and isinstance(value, memoryview):  # float_data
            return len(value) // 4
        if number == 10 and isinstance(value, memoryview):  # double_data
            return len(value) // 8
        return int(number == 6)  # string_data

    def _sparse(self, view: memoryview) -> None:
        dims: list[int] = []
        for number, value in self._fields(view):
            if number == 3:
                dims.extend(integers(value, _MOST_DIMENSIONS))
        size = _count(dims, "that is sparse") * 8
        if size > _MOST_SPARSE_BYTES:
            raise _RefusedError("has a sparse tensor of over 32 million elements", "store it as a dense one")
        self._count_bytes(size)

    def _count_bytes(self, size: int) -> None:
        self.facts.tensor_bytes += size
        if self.facts.tensor_bytes > MOST_TENSOR_BYTES:
            most = MOST_TENSOR_BYTES >> 30
            raise _RefusedError(f"declares tensors of over {most} GiB", "use a smaller model")

    def _outside(self, entries: dict[str, str], size: int, name: str) -> None:
        location = entries.get("location", "")
        path = PurePosixPath(location)
        if not location or "\\" in location or "\0" in location or path.is_absolute() or ".." in path.parts:
            fix = "keep the data beside the model, and name it by a relative path"
            raise _RefusedError(f"reads the file {_quoted(location)} outside its pack", fix)
        offset, length = _whole(entries.get("offset", "0")), _whole(entries.get("length", str(size)))
        if length != size:
            problem = f"has a tensor {name} of {length} bytes in {_quoted(location)} that declares {size}"
            raise _RefusedError(problem, "export the model again")
        self.facts.outside.append(ExternalData(location, offset, length))

    def _opset(self, view: memoryview) -> None:
        domain, version = self._named(view, 1), 0
        for number, value in self._fields(view):
            if number == 2 and isinstance(value, int):
                version = value
        if domain in {"", "ai.onnx"} and version not in OPSETS:
            fix = f"export it for a version from {OPSETS.start} on that your ONNX Runtime knows"
            raise _RefusedError(f"uses version {version} of ONNX's operators", fix)
        self._domains.add(domain)

    def _named(self, view: memoryview, wanted: int) -> str:
        """The text of a field; the last one holds, as in every protobuf reader."""
        found = ""
        for number, value in self._fields(view):
            if number == wanted:
                found = text(value)
        return found

    def _fields(self, view: memoryview) -> Iterator[tuple[int, memoryview | int]]:
        for found in fields(view):
            self._parts += 1
            if self._parts > _MOST_PARTS:
                raise _RefusedError("has more parts than a model needs", "export the model again")
            yield found


def _count(dims: list[int], name: str) -> int:
    if len(dims) > _MOST_DIMENSIONS or any(side < 0 for side in dims):
        raise _RefusedError(f"has a tensor {name} of an impossible shape", "export the model again")
    count = math.prod(dims)
    if count > MOST_TENSOR_BYTES * 8:
        raise _RefusedError(f"declares a tensor {name} of {'x'.join(map(str, dims))}"[:200], "use a smaller model")
    return count


def _whole(written: str) -> int:
    if not (written.isascii() and written.isdigit() and len(written) < 20):
        raise ValueError("not a number of bytes")
    return int(written)


def _quoted(name: str) -> str:
    shown = name if len(name) <= 60 else name[:57] + "..."
    return f'"{shown}"' if shown.isprintable() else ascii(shown)
