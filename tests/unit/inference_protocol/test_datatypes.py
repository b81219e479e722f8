# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest

from understudy.inference_protocol.datatypes import (
    DTYPES,
    byte_size,
    config_type,
    datatype_name,
    tensor_from_buffer,
    tensor_from_contents,
)
from understudy.inference_protocol.messages import DataType, InferTensorContents


@pytest.mark.parametrize("name", DTYPES)
def test_every_type_has_its_names_and_its_size(name: str) -> None:
    assert datatype_name(DTYPES[name]) == name
    assert DataType.Name(config_type(name)) == f"TYPE_{name}"
    assert byte_size(name, [2, 0, 3]) == 0
    assert byte_size(name, [2, 3]) == np.empty((2, 3), DTYPES[name]).nbytes


def test_a_buffer_becomes_a_view() -> None:
    samples = np.arange(6, dtype=np.float16).reshape(1, 2, 3)
    data = samples.tobytes()
    tensor = tensor_from_buffer(memoryview(data), "FP16", [1, 2, 3])
    assert np.array_equal(tensor, samples)
    assert not tensor.flags.owndata
    assert not tensor.flags.writeable


@pytest.mark.parametrize(
    ("datatype", "shape", "problem"),
    [
        ("FP16", [1, 2, 4], "12 bytes came.*takes 16"),
        ("FP32", [-1, -3], "shape"),
        ("FP32", [1] * 9, "shape"),
        ("FP32", [1 << 40, 1 << 40], "no memory"),
        ("BYTES", [1], "none of"),
        ("BF16", [6], "none of"),
        ("", [6], "none of"),
    ],
)
def test_a_buffer_that_does_not_fit_is_refused(datatype: str, shape: list[int], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        tensor_from_buffer(bytes(12), datatype, shape)


def test_typed_contents_become_tensors() -> None:
    floats = InferTensorContents(fp32_contents=[1.5, -2.0])
    assert tensor_from_contents(floats, "FP32", [2, 1]).tolist() == [[1.5], [-2.0]]
    assert tensor_from_contents(InferTensorContents(bool_contents=[True]), "BOOL", [1]).dtype == np.bool_
    assert tensor_from_contents(InferTensorContents(int_contents=[-128]), "INT8", []).item() == -128


@pytest.mark.parametrize(
    ("contents", "datatype", "problem"),
    [
        ({"fp32_contents": [1.0]}, "FP32", "1 samples"),
        ({"fp64_contents": [1.0, 2.0]}, "FP32", "fp64_contents"),
        ({"fp32_contents": [1.0, 2.0], "int_contents": [1]}, "FP32", "int_contents"),
        ({"int_contents": [1, 128]}, "INT8", "no INT8"),
        ({"fp32_contents": [1.0, 2.0]}, "FP16", "raw_input_contents"),
    ],
)
def test_typed_contents_that_do_not_fit_are_refused(contents: dict[str, Any], datatype: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        tensor_from_contents(InferTensorContents(**contents), datatype, [2])
