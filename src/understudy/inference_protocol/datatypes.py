# SPDX-License-Identifier: Apache-2.0
"""Tensor types by their names in the protocol ("Tensor Data Types"), and tensors from its messages. Little-endian."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.inference_protocol.messages import DataType, InferTensorContents

DTYPES: dict[str, "np.dtype[Any]"] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""NumPy's type for each; BYTES and BF16 have none."""

MAX_RANK = 8

_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_CONTENTS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}


def datatype_name(dtype: "np.dtype[Any]") -> str:
    """The protocol's name of a NumPy type, such as ``FP32``."""
    return _NAMES[dtype.newbyteorder("<")]


def config_type(datatype: str) -> int:
    """The same type as a model's configuration names it, such as ``TYPE_FP32``."""
    return DataType.Value(f"TYPE_{datatype}")


def byte_size(datatype: str, shape: Sequence[int]) -> int:
    """Bytes of a tensor.

    Raises:
        ValueError: There is no such type, or no such shape.
    """
    if datatype not in DTYPES:
        raise ValueError(f"its type is {datatype[:20]!r}, which is none of {', '.join(DTYPES)}")
    if len(shape) > MAX_RANK or any(side < 0 for side in shape):
        raise ValueError(f"its shape is {list(shape[:MAX_RANK])}")
    size = prod(shape) * DTYPES[datatype].itemsize
    if size >= 1 << 62:
        raise ValueError(f"its shape is {list(shape)}, which no memory holds")
    return size


def tensor_from_buffer(buffer: Any, datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    """A view of a buffer as a tensor; nothing is copied.

    Args:
        buffer: Bytes in row-major order.
        datatype: The protocol's name.
        shape: Its sides.

    Raises:
        ValueError: The buffer has another size than type and shape say.
    """
    size, given = byte_size(datatype, shape), memoryview(buffer).nbytes
    if size != given:
        raise ValueError(f"{given} bytes came, and {datatype} of shape {list(shape)} takes {size}")
    return np.frombuffer(buffer, DTYPES[datatype]).reshape(shape)


def tensor_from_contents(contents: InferTensorContents, datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    """A tensor from the typed lists of a message.

    Raises:
        ValueError: They hold another type, another number of samples, or a number that the type has not.
    """
    byte_size(datatype, shape)
    if datatype not in _CONTENTS:
        raise ValueError(f"{datatype} has no typed contents; send it in raw_input_contents")
    samples = getattr(contents, _CONTENTS[datatype])
    if others := [field.name for field, _ in contents.ListFields() if field.name != _CONTENTS[datatype]]:
        raise ValueError(f"it has {others[0]}, and {datatype} goes in {_CONTENTS[datatype]}")
    if len(samples) != prod(shape):
        raise ValueError(f"{len(samples)} samples came, and the shape {list(shape)} takes {prod(shape)}")
    dtype = DTYPES[datatype]
    if (
        dtype.kind in "iu"
        and len(samples)
        and not np.iinfo(dtype).min <= min(samples) <= max(samples) <= np.iinfo(dtype).max
    ):
        raise ValueError(f"a sample is no {datatype}")
    return np.array(samples, dtype).reshape(shape)
