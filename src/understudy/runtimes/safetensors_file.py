# SPDX-License-Identifier: Apache-2.0
"""Checks the header of a ``.safetensors`` file, whose format is told at github.com/huggingface/safetensors.

Eight bytes hold the header's length, then comes a JSON object from tensor names to type, shape and place, then the
tensors' bytes, which they cover without a gap or an overlap. Only the header is read.
"""

import json
import math
from pathlib import Path
from typing import Any

from understudy.contracts.errors import PackError

MOST_HEADER_BYTES = 100_000_000
"""The format's own bound."""

_MOST_TENSORS = 1_000_000
_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8,
}  # fmt: skip


def check_safetensors(path: Path) -> None:
    """Makes sure that every tensor lies within the file, alone, and is as large as it says.

    Raises:
        PackError: It is no sound safetensors file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(MOST_HEADER_BYTES, size - 8):
                raise _bad(path, f"its header would be {length} bytes long")
            header = stream.read(length)
    except OSError as error:
        raise PackError(f"can't be read: {error.strerror}", where=path.as_posix()) from None
    _check(path, _parsed(path, header), size - 8 - length)


def _parsed(path: Path, header: bytes) -> dict[str, Any]:
    try:
        found = json.loads(header.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise _bad(path, "its header is no JSON object with unique names") from None
    if not header.startswith(b"{") or not isinstance(found, dict):
        raise _bad(path, "its header is no JSON object")
    return found


def _check(path: Path, header: dict[str, Any], held: int) -> None:
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _bad(path, "its __metadata__ is not made of texts")
    if len(header) > _MOST_TENSORS:
        raise _bad(path, f"it has over {_MOST_TENSORS} tensors")
    places = sorted(_place(path, name, entry) for name, entry in header.items())
    position = 0
    for begin, end, name in places:
        if begin != position:
            raise _bad(path, f'its tensor "{name[:60]}" overlaps another, or leaves a gap')
        position = end
    if position != held:
        raise _bad(path, f"its tensors take {position} bytes, and it holds {held}")


def _place(path: Path, name: str, entry: Any) -> tuple[int, int, str]:
    """Begin and end of a tensor, and its name."""
    if isinstance(entry, dict) and set(entry) == {"dtype", "shape", "data_offsets"}:
        kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if isinstance(kind, str) and kind in _BYTES and _whole(shape) and _whole(offsets) and len(offsets) == 2:
            begin, end = offsets
            if len(shape) <= 64 and end - begin == math.prod(shape) * _BYTES[kind]:
                return begin, end, name
    raise _bad(path, f'its tensor "{name[:60]}" is not as large as it says')


def _whole(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(n) is int and 0 <= n < 1 << 63 for n in numbers)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that stands twice")
    return found


def _bad(path: Path, why: str) -> PackError:
    return PackError(f"is no sound safetensors file: {why}", where=path.as_posix(), fix="export the weights again")
