# SPDX-License-Identifier: Apache-2.0
"""Draws batches ahead in processes of their own.

A generator gives a device thousands of small pieces of work, and one processor core can't hand them over as fast as the
device does them. Batches depend on the seed and their number alone, so it does not matter who draws them.
"""

import os
import queue
import signal
from typing import Any

import torch
import torch.multiprocessing as mp
from torch import Tensor

from understudy_training.errors import TrainingError
from understudy_training.recipe import Recipe
from understudy_training.seeds import seeded
from understudy_training.task import load_task

_AHEAD = 2
"""Batches that each process has ready."""
_LOOK_S = 2.0


class Drawers:
    """Processes that draw the batches of a recipe in turns.

    Args:
        recipe: The recipe.
        device: Where they draw; batches travel through the computer's memory.
        first: Number of the first batch.
        count: Processes.
    """

    def __init__(self, recipe: Recipe, device: torch.device, first: int, count: int) -> None:
        context = mp.get_context("spawn")
        self._device = device
        self._next = first
        self._queues: list[Any] = [context.Queue(_AHEAD) for _ in range(count)]
        self._processes = [
            context.Process(target=_draw, args=(recipe, str(device), first + at, count, self._queues[at], os.getpid()))
            for at in range(count)
        ]
        self._first = first
        for process in self._processes:
            process.start()

    def batch(self, number: int) -> dict[str, Tensor]:
        """A batch, on the device; each is given once, in order.

        Raises:
            TrainingError: A process ended.
        """
        if number != self._next:
            raise ValueError(f"batch {number} was asked for, {self._next} comes next")
        at = (number - self._first) % len(self._processes)
        while True:
            try:
                drawn: dict[str, Tensor] = self._queues[at].get(timeout=_LOOK_S)
                break
            except queue.Empty:
                if not self._processes[at].is_alive():
                    raise TrainingError(
                        "a process that draws batches ended", fix="give --workers 0 to see why", exit_code=1
                    ) from None
        self._next = number + 1
        return {name: tensor.to(self._device) for name, tensor in drawn.items()}

    def close(self) -> None:
        """Ends the processes."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(10)


def _draw(recipe: Recipe, device_name: str, first: int, stride: int, out: Any, parent: int) -> None:
    """A process: draws every ``stride``-th batch until its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the parent ends this process
    torch.set_num_threads(1)
    device = torch.device(device_name)
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
    task = load_task(recipe.task, recipe.options, where=recipe.source.name)
    number = first
    while os.getppid() == parent:
        with torch.no_grad():
            batch = task.batch(seeded(recipe.seed, f"step {number}", device), device)
        drawn = {name: tensor.cpu() for name, tensor in batch.items()}
        while os.getppid() == parent:
            try:
                out.put(drawn, timeout=_LOOK_S)
                break
            except queue.Full:
                continue
        number += stride
