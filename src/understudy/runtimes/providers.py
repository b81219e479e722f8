# SPDX-License-Identifier: Apache-2.0
"""Which ONNX Runtime is installed, what it offers, and the device that a session gets."""

import contextlib
import io
from importlib import metadata
from types import ModuleType

from understudy.contracts.errors import DeviceUnavailableError, PackError
from understudy.runtimes.machine import gpu_name

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu")


def installed_runtimes() -> tuple[str, ...]:
    """Names and versions of the ONNX Runtime packages that are installed, such as ``onnxruntime 1.31.1``."""
    found = []
    for name in _DISTRIBUTIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return tuple(found)


def import_onnxruntime() -> ModuleType:
    """The module, quiet: what it has to say comes back as our errors and notes.

    Raises:
        PackError: Neither package is installed, both are, or the one that is there does not import.
    """
    installed = installed_runtimes()
    if len(installed) > 1:
        problem = f"{' and '.join(installed)} are both installed and overwrite each other"
        fix = "uninstall both, then pip install 'understudy[gpu]' or 'understudy[cpu]'"
        raise PackError(problem, where="onnxruntime", fix=fix)
    if not installed:
        fix = "pip install 'understudy[cpu]', or 'understudy[gpu]' for CUDA"
        raise PackError("ONNX Runtime is not installed", where="onnxruntime", fix=fix)
    try:
        import onnxruntime
    except ImportError as error:
        text = " ".join(str(error).split())
        raise PackError(f"{installed[0]} does not import: {text}", where="onnxruntime", fix="reinstall it") from None
    onnxruntime.set_default_logger_severity(4)  # 4: fatal only; a failed provider prints to stderr otherwise
    return onnxruntime


def onnx_providers() -> tuple[str, ...]:
    """The execution providers that ONNX Runtime was built with, best first; empty when it can't be used."""
    try:
        return tuple(import_onnxruntime().get_available_providers())
    except PackError:
        return ()


def wanted_providers(ort: ModuleType, device: str, *, vram_bytes: int = 0) -> list[str | tuple[str, dict[str, str]]]:
    """The providers to ask a session for.

    Args:
        ort: The onnxruntime module.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        vram_bytes: The most that the session may take of a GPU's memory; 0 sets no bound.

    Raises:
        DeviceUnavailableError: CUDA was asked for by name and this build has none.
    """
    if device == "cpu":
        return [CPU]
    if CUDA not in ort.get_available_providers():
        if device == "auto":
            return [CPU]
        raise DeviceUnavailableError(
            f"{' '.join(installed_runtimes())} was built without CUDA",
            where=f"device {device}",
            fix="pip uninstall onnxruntime and pip install 'understudy[gpu]', or choose the device cpu",
        )
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it can't find; the session tells us anyway
            ort.preload_dlls()
    options = {
        "device_id": device.partition(":")[2] or "0",
        "use_tf32": "0",  # it rounds to 10 bits, too few for film
        "cudnn_conv_algo_search": "HEURISTIC",  # a search by time would choose, and round, differently each run
        "arena_extend_strategy": "kSameAsRequested",  # several models share a GPU: take no more than is needed
    }
    if vram_bytes:
        options["gpu_mem_limit"] = str(vram_bytes)
    return [(CUDA, options), CPU]


# What CUDA, cuDNN and cuBLAS write when a GPU can't run a model at all, and what that means.
_CUDA_PROBLEMS = (
    ("no kernel image", "the installed ONNX Runtime has no kernels for this GPU"),
    ("cudaerrornokernelimage", "the installed ONNX Runtime has no kernels for this GPU"),
    ("cuda failure 209", "the installed ONNX Runtime has no kernels for this GPU"),
    ("status_arch_mismatch", "the installed cuDNN or cuBLAS has no kernels for this GPU"),
    ("unsupported toolchain", "the GPU's driver is too old for the installed ONNX Runtime"),
    ("driver version is insufficient", "the GPU's driver is too old for the installed CUDA"),
    ("cuda failure 35:", "the GPU's driver is too old for the installed CUDA"),
    ("no cuda-capable device", "there is no GPU"),
    ("cuda failure 100:", "there is no GPU"),
    ("invalid device ordinal", "there is no GPU of that number"),
    ("cuda failure 101:", "there is no GPU of that number"),
)


def cuda_problem(text: str) -> str:
    """Why a GPU can't run any model, told from what ONNX Runtime wrote; empty when it wrote of something else."""
    written = " ".join(text.split()).lower()
    return next((problem for sign, problem in _CUDA_PROBLEMS if sign in written), "")


def settled_device(device: str, got: tuple[str, ...], *, has_cuda: bool) -> tuple[str, str]:
    """Where a session really runs, and the note that says so when it is not what was asked for.

    A machine without a GPU and a build without CUDA are made for each other: with ``auto`` that is no news.

    Args:
        device: What was asked for.
        got: The session's own answer.
        has_cuda: The build offers CUDA.

    Raises:
        DeviceUnavailableError: CUDA was asked for by name and the session fell back.
    """
    if CUDA in got:
        return f"cuda:{device.partition(':')[2] or '0'}", ""
    reason = "CUDA, cuDNN or the driver did not load" if has_cuda else f"{' '.join(installed_runtimes())} has no CUDA"
    if device.startswith("cuda"):
        fix = "check nvidia-smi and pip install 'understudy[gpu]', or choose the device cpu"
        raise DeviceUnavailableError(reason, where=f"device {device}", fix=fix)
    missed = device == "auto" and (has_cuda or gpu_name(0) != "")
    return "cpu", f"runs on the CPU: {reason}" if missed else ""
