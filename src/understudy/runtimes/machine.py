# SPDX-License-Identifier: Apache-2.0
"""What decides, beside pack and input, which bytes a model computes: processor, instruction set, GPU."""

import ctypes
import platform
from functools import cache
from pathlib import Path

_X86 = (
    ("amx_tile", "amx"), ("avx512_bf16", "avx512_bf16"), ("avx512_vnni", "avx512_vnni"), ("avx512f", "avx512"),
    ("avx_vnni", "avx_vnni"), ("avx2", "avx2"), ("avx", "avx"), ("sse4_2", "sse4.2"),
)  # fmt: skip
_ARM = (("sve2", "sve2"), ("sve", "sve"), ("asimd", "neon"))
_COMPUTE_MAJOR, _COMPUTE_MINOR = 75, 76  # CUdevice_attribute, cuda.h
_NAME_BYTES = 128


@cache
def processor() -> str:
    """The processor's name, as its maker has it; the architecture where the system does not tell."""
    return _cpu_facts().get("model name", "") or platform.processor() or platform.machine()


@cache
def instructions() -> str:
    """Its widest vector instructions, by which numeric libraries choose their code: ``avx2``, ``amx`` ..."""
    facts = _cpu_facts()
    flags = set((facts.get("flags", "") or facts.get("Features", "")).split())
    return next((name for flag, name in (*_X86, *_ARM) if flag in flags), platform.machine())


@cache
def gpu_name(index: int) -> str:
    """A GPU's name and compute capability, ``NVIDIA L4 (8.9)``; empty where the driver does not say.

    Args:
        index: The GPU, numbered as in ``cuda:N``.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ""
    device, name = ctypes.c_int(), ctypes.create_string_buffer(_NAME_BYTES)
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), index):
        return ""
    if driver.cuDeviceGetName(name, _NAME_BYTES, device):
        return ""
    parts = []
    for attribute in (_COMPUTE_MAJOR, _COMPUTE_MINOR):
        value = ctypes.c_int()
        if driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device):
            return name.value.decode("ascii", "replace")
        parts.append(str(value.value))
    return f"{name.value.decode('ascii', 'replace')} ({'.'.join(parts)})"


@cache
def _cpu_facts() -> dict[str, str]:
    """The first processor in ``/proc/cpuinfo``; empty where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
