# SPDX-License-Identifier: Apache-2.0
"""Torch: imported when it is needed, set so that the same input gives the same bytes, its failures told as ours."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import DeviceUnavailableError, MemoryBudgetError, PackError, UnderstudyError

_settled = threading.Event()


def import_torch() -> Any:
    """The module, with settings under which results repeat.

    Raises:
        PackError: It is not installed, or does not import.
    """
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library of CUDA that is not there
        text = " ".join(str(error).split())
        fix = "pip install 'understudy[torch]'"
        raise PackError(f"torch does not import: {text}"[:400], where="torch", fix=fix) from None
    if not _settled.is_set():
        torch.set_num_threads(available_cores())
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        _settled.set()
    return torch


def torch_device(torch: Any, device: str) -> tuple[str, str]:
    """Where a model goes, and what to say of it.

    Args:
        torch: The module.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``openvino``.

    Returns:
        ``cpu`` or ``cuda:N``, and a note; empty if there is nothing to say.

    Raises:
        DeviceUnavailableError: CUDA was asked for by name and is not there.
    """
    if device == "openvino":
        return "cpu", "a torch model does not run through OpenVINO; it runs on the CPU"
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return "cpu", ""
    number = int(device.partition(":")[2] or 0)
    if not torch.cuda.is_available() or number >= torch.cuda.device_count():
        fix = "choose the device cpu, or install a torch and a driver with CUDA"
        raise DeviceUnavailableError("torch has no such GPU", where=f"device {device}", fix=fix)
    return f"cuda:{number}", ""


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps torch's notices of what will be removed some day from people who can't change it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def torch_failure(error: Exception, where: str, what: str) -> UnderstudyError:
    """What torch raised, as our error."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    text = next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else type(error).__name__)
    whole = str(error)
    if isinstance(error, MemoryError) or "out of memory" in whole.lower() or "can't allocate memory" in whole:
        return MemoryBudgetError("torch ran out of memory", where=where, fix="use smaller tiles, or unload other packs")
    return PackError(f"{what}: {text}"[:500], where=where)
