# SPDX-License-Identifier: Apache-2.0
"""How much of a GPU's memory is free, asked of the CUDA runtime that ONNX Runtime uses anyway."""

import ctypes
from functools import cache
from typing import Any

_LIBRARIES = ("libcudart.so.13", "libcudart.so.12")


def vram(index: int) -> tuple[int, int] | None:
    """Free bytes and all bytes of a GPU; None where CUDA does not say.

    Args:
        index: The GPU, numbered as in ``cuda:N``.
    """
    runtime = _runtime()
    if runtime is None:
        return None
    before, free, total = ctypes.c_int(), ctypes.c_size_t(), ctypes.c_size_t()
    if runtime.cudaGetDevice(ctypes.byref(before)) or runtime.cudaSetDevice(index):
        return None
    try:
        if runtime.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total)):
            return None
    finally:
        runtime.cudaSetDevice(before)
    return free.value, total.value


def gpu_index(device: str) -> int:
    """The GPU of ``cuda:N``; 0 where none is named."""
    return int(device.partition(":")[2] or 0)


@cache
def _runtime() -> Any:
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
