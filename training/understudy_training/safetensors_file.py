# SPDX-License-Identifier: Apache-2.0
"""Weights as safetensors files, float32 only: a JSON header and the bytes, no code that a reader could run.

Format: https://github.com/huggingface/safetensors (8 bytes of header length, little-endian; JSON; data).
"""

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy_training.errors import TrainingError

_DTYPES: dict[str, type[np.generic]] = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "I64": np.int64}
_NAMES = {np.dtype(kind): name for name, kind in _DTYPES.items()}


def write_safetensors(
    path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes tensors, whole or not at all; the same tensors and metadata give the same bytes.

    Args:
        path: The file.
        tensors: Arrays by name.
        metadata: Texts for its header.
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    offset = 0
    arrays = []
    for name in sorted(tensors):
        array = np.array(tensors[name], order="C", copy=None)
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
        arrays.append(array)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            stream.write(struct.pack("<Q", len(text)) + text)
            for array in arrays:
                stream.write(array.tobytes())
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_safetensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Tensors by name, and the header's metadata.

    Raises:
        TrainingError: The file is missing or is no such file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"can't be read: {error.strerror}", where=str(path), exit_code=3) from None
    try:
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + length])
        body = memoryview(data)[8 + length :]
        metadata = header.pop("__metadata__", {})
        tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(body[begin:end], _DTYPES[entry["dtype"]]).reshape(entry["shape"]).copy()
    except (struct.error, ValueError, KeyError, TypeError, AttributeError):
        raise TrainingError("is no safetensors file", where=str(path), exit_code=3) from None
    return tensors, metadata
