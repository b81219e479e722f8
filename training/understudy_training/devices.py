# SPDX-License-Identifier: Apache-2.0
"""The device of a run, and how torch is set up for it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from understudy_training.errors import TrainingError


def choose_device(name: str) -> torch.device:
    """The device of a name, or the best there is.

    Raises:
        TrainingError: It is not there.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise TrainingError("there is no CUDA device that torch can use", where="--device", fix="give --device cpu")
    if name not in {"", "cpu", "cuda"}:
        raise TrainingError(f'there is no device "{name}"', where="--device", fix="give cpu or cuda")
    return torch.device(name or ("cuda" if there else "cpu"))


def device_name(device: torch.device) -> str:
    """The GPU's name, or how many CPU threads there are."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"


@contextmanager
def torch_set_up(device: torch.device, threads: int) -> Iterator[None]:
    """Torch's global settings for a run, for as long as it lasts: quick on CUDA, repeatable on the CPU.

    Args:
        device: Where the run is.
        threads: CPU threads; 0 leaves torch's own choice.
    """
    cuda = device.type == "cuda"
    before = (
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.benchmark,
        torch.are_deterministic_algorithms_enabled(),
    )
    _set_torch(threads or before[0], "high" if cuda else before[1], cuda or before[2], not cuda or before[3])
    try:
        yield
    finally:
        _set_torch(*before)


def _set_torch(threads: int, precision: str, benchmark: bool, deterministic: bool) -> None:  # noqa: FBT001 - four settings
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.benchmark = benchmark
    torch.use_deterministic_algorithms(deterministic)
