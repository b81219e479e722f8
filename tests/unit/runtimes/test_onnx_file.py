# SPDX-License-Identifier: Apache-2.0
"""What is refused of a model file before a runtime sees it; and that no bytes at all harm who looks."""

import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from understudy.contracts.errors import PackError
from understudy.runtimes.onnx_file import OnnxFacts, onnx_facts
from unit.runtimes.onnx_models import double, model, value

_SHAPE = (1, 3, "h", "w")


def _tensor(name: str = "t", *, dims: tuple[int, ...] = (4,), outside: str = "", raw: bytes = b"") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dims)
    if outside:
        tensor.raw_data = raw or bytes(16)
        set_external_data(tensor, outside, offset=0, length=16)
        tensor.ClearField("raw_data")
    else:
        tensor.raw_data = raw or bytes(16)
    return tensor


def _in_branch(tensor: TensorProto) -> ModelProto:
    """A tensor in the branch of a branch."""
    inner = helper.make_graph([], "inner", [], [value("t", (4,))], [tensor])
    node = helper.make_node("If", ["c"], ["t"], then_branch=inner, else_branch=inner)
    outer = helper.make_graph([node], "outer", [], [value("t", (4,))])
    branch = helper.make_node("If", ["c"], ["y"], then_branch=outer, else_branch=outer)
    return model([branch], [value("c", (), TensorProto.BOOL)], [value("y", (4,))])


def _in_attribute(tensor: TensorProto) -> ModelProto:
    return model([helper.make_node("Constant", [], ["y"], value=tensor)], [], [value("y", (4,))])


def _in_function(tensor: TensorProto) -> ModelProto:
    made = model([helper.make_node("F", [], ["y"], domain="own")], [], [value("y", (4,))], domains=("", "own"))
    body = [helper.make_node("Constant", [], ["y"], value=tensor)]
    made.functions.append(helper.make_function("own", "F", [], ["y"], body, [helper.make_opsetid("", 13)]))
    return made


def _in_function_default(tensor: TensorProto) -> ModelProto:
    made = _in_function(_tensor())
    made.functions[0].attribute_proto.append(helper.make_attribute("a", tensor))
    return made


def _in_training(tensor: TensorProto) -> ModelProto:
    made = double()
    made.training_info.add().algorithm.initializer.append(tensor)
    return made


def _sparse(tensor: TensorProto, dims: tuple[int, ...] = (8,)) -> ModelProto:
    made = double()
    indices = numpy_helper.from_array(np.arange(4, dtype=np.int64), "i")
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(tensor, indices, dims))
    return made


def _initializer(tensor: TensorProto) -> ModelProto:
    made = double()
    made.graph.initializer.append(tensor)
    return made


PLACES: dict[str, Callable[[TensorProto], ModelProto]] = {
    "initializer": _initializer,
    "branch": _in_branch,
    "attribute": _in_attribute,
    "function": _in_function,
    "function default": _in_function_default,
    "training graph": _in_training,
    "sparse": _sparse,
}


def _refusal(made: ModelProto) -> str:
    with pytest.raises(PackError) as caught:
        onnx_facts(made.SerializeToString(), where="x.onnx")
    return str(caught.value)


@pytest.mark.parametrize("place", PLACES)
def test_outside_files_are_found_wherever_they_are_named(place: str) -> None:
    facts = onnx_facts(PLACES[place](_tensor(outside="sub/w.bin")).SerializeToString(), where="x.onnx")
    assert facts.external == {"sub/w.bin"}
    assert facts.domains <= {"", "own"} - ({"own"} if "function" in place else set())
    assert "outside its pack" in _refusal(PLACES[place](_tensor(outside="../w.bin")))


@pytest.mark.parametrize("place", PLACES)
def test_tensors_that_declare_more_than_they_hold(place: str) -> None:
    assert 't" of 16 bytes that declares 20' in _refusal(PLACES[place](_tensor(dims=(5,))))
    empty = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=(1 << 30,))
    assert "declares more than it holds" in _refusal(PLACES[place](empty))
    assert "impossible shape" in _refusal(PLACES[place](_tensor(dims=(-4,))))
    assert "use a smaller model" in _refusal(PLACES[place](_tensor(dims=(1 << 40, 1 << 40))))
    assert "of an unknown type" in _refusal(PLACES[place](TensorProto(name="t", data_type=99, raw_data=b"1")))


def test_what_lies_outside_must_be_as_large_as_it_says() -> None:
    tensor = _tensor(dims=(5,), outside="w.bin")
    assert 'of 16 bytes in "w.bin" that declares 20' in _refusal(_initializer(tensor))
    for key, text in (("offset", "-1"), ("offset", "1e9"), ("length", "²"), ("length", "9" * 30), ("location", "x")):
        tensor = _tensor(outside="w.bin")
        tensor.external_data.add(key=key, value=text)  # a second time: readers differ in which one holds
        assert "not a readable ONNX file" in _refusal(_initializer(tensor))


def test_sparse_tensors_are_counted_as_large_as_they_become() -> None:
    assert "sparse tensor of over 32 million" in _refusal(_sparse(_tensor(), (1 << 16, 1 << 16)))


def test_kinds_of_numbers_hold_what_they_hold() -> None:
    """What the onnx package itself writes is taken, of every type and in both forms."""
    for name, kind in TensorProto.DataType.items():
        if name == "UNDEFINED":
            continue
        count = 8
        text = kind == TensorProto.STRING
        values: list[Any] = [b"x"] * count if text else [0] * count
        typed = helper.make_tensor("t", kind, (2, 4), values)
        assert onnx_facts(_initializer(typed).SerializeToString(), where=name).nodes == 1, name


def test_domains_of_own_functions_are_no_custom_operators() -> None:
    assert onnx_facts(_in_function(_tensor()).SerializeToString(), where="x").domains == {""}


def test_operators_that_are_not_imported_are_found_too() -> None:
    made = double()
    made.graph.node[0].domain = "my.ops"
    assert "my.ops" in onnx_facts(made.SerializeToString(), where="x").domains


def test_operators_that_read_files_are_refused() -> None:
    made = double()
    made.graph.node[0].domain, made.graph.node[0].op_type = "com.microsoft", "EPContext"
    assert "has an operator EPContext, which reads files" in _refusal(made)


@pytest.mark.parametrize("version", [0, 6, 100, -1])
def test_versions_of_operators_out_of_range(version: int) -> None:
    made = double()
    made.opset_import[0].version = version
    assert "of ONNX's operators; export it for a version from 7" in _refusal(made)


def test_depth_and_number_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = b""
    for _ in range(40):
        for field in (6, 5, 1):  # an attribute's graph, a node's attribute, a graph's node
            graph = _varint(field << 3 | 2) + _varint(len(graph)) + graph
    deep = double().SerializeToString() + _varint(7 << 3 | 2) + _varint(len(graph)) + graph
    with pytest.raises(PackError, match="not a readable ONNX file"):
        onnx_facts(deep, where="x.onnx")
    monkeypatch.setattr("understudy.runtimes.onnx_file._MOST_NODES", 3)
    many = model([helper.make_node("Neg", ["x"], ["y"])] * 4, [value("x", _SHAPE)], [value("y", _SHAPE)])
    assert "has over 3 operators" in _refusal(many)
    monkeypatch.setattr("understudy.runtimes.onnx_file._MOST_PARTS", 20)
    assert "more parts than a model needs" in _refusal(double())


SEEDS = [place(_tensor(outside="w.bin")).SerializeToString() for place in PLACES.values()]
SEEDS += [place(_tensor()).SerializeToString() for place in PLACES.values()]
_EDGES = (0, 1, 127, 128, 255, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _mutated(dice: random.Random) -> bytes:
    """A seed with a few changes: of bytes, of lengths, of pieces, of fields and of whole messages."""
    data = bytearray(dice.choice(SEEDS))
    for _ in range(dice.randint(1, 4)):
        if not data:
            break
        at = dice.randrange(len(data))
        change = dice.randrange(8)
        if change == 0:
            data[at] = dice.randrange(256)
        elif change == 1:
            data[at] ^= 1 << dice.randrange(8)
        elif change == 2:
            del data[at : at + dice.randint(1, 16)]
        elif change == 3:
            data[at:at] = data[at : at + dice.randint(1, 64)]
        elif change == 4:
            data[at : at + 1] = _varint(dice.choice(_EDGES))
        elif change == 5:
            other = dice.choice(SEEDS)
            data[at:] = other[dice.randrange(len(other)) :]
        elif change == 6:
            payload = bytes(data[at : at + dice.randint(0, 40)])
            data[at:at] = bytes([dice.randrange(1, 26) << 3 & 0x7F | 2]) + _varint(len(payload)) + payload
        else:
            data = bytearray(_varint(7 << 3 | 2) + _varint(len(data)) + data)
    return bytes(data)


def _outside(message: object) -> set[str]:
    """Every outside file that the onnx package's own reader sees, wherever it stands."""
    found: set[str] = set()
    stack = [message]
    while stack:
        here = stack.pop()
        if isinstance(here, TensorProto) and here.data_location == TensorProto.EXTERNAL:
            found |= {entry.value for entry in here.external_data if entry.key == "location"}
        for descriptor, content in here.ListFields():  # type: ignore[attr-defined]
            if descriptor.message_type is not None:
                stack += list(content) if descriptor.is_repeated else [content]
    return found


def _facts_or_sentence(data: bytes) -> OnnxFacts | str:
    try:
        return onnx_facts(data, where="x.onnx")
    except PackError as error:
        return str(error)


def test_no_bytes_harm_who_looks() -> None:
    """Refused with a sentence or understood, in little memory, and never understood otherwise than by a runtime."""
    dice = random.Random(20260101)
    taken = 0
    tracemalloc.start()
    try:
        for case in range(6000):
            data = _mutated(dice)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            found = _facts_or_sentence(data)
            assert tracemalloc.get_traced_memory()[1] - before < 1_000_000, case
            if isinstance(found, str):
                assert len(found) < 500, case
                assert found.isprintable(), case
                continue
            taken += 1
            message = ModelProto()
            try:
                message.ParseFromString(data)
            except DecodeError:  # stricter than we are, and so is every runtime that reads by protobuf
                continue
            assert _outside(message) <= found.external, case
    finally:
        tracemalloc.stop()
    assert taken > 300
