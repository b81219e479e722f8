# SPDX-License-Identifier: Apache-2.0
"""What a task is: a network, the data it learns from, its loss, and how it is judged and exported.

A recipe names a task by its module: ``task = "upscale"`` is ``understudy_training.tasks.upscale``, which holds the
class as ``TASK``. The class is made with the recipe's ``[options]`` table, which ``options.read_options`` reads into a
dataclass.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from understudy_training.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Export:
    """One graph of a trained network, for ONNX (opset 17, float32).

    Attributes:
        file: Its file name in the pack, ``model.onnx``.
        module: What is exported, in evaluation mode, on the CPU.
        inputs: Example inputs by name, in the order of ``forward``.
        outputs: Names of the outputs, in order.
        dynamic_axes: For each input or output name, the axes that may have any size, by number, with a name each.
        checks: Further inputs, of other sizes, on which the exported graph must agree with torch too.
        tolerance: The largest absolute difference that is agreement; None takes the recipe's.
    """

    file: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    dynamic_axes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    checks: tuple[Mapping[str, Tensor], ...] = ()
    tolerance: float | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """What a task adds to its pack beside the graphs.

    Attributes:
        card: Markdown for the card, below the figures: curves, pictures, what they show.
        files: Files of the pack's folder, such as ``sparsification.svg`` or a calibration table, by name. One that the
            model needs must be listed in ``pack.toml`` under ``[[weights]]``.
        figures: Figures for the card's table, beside those of the validation.
    """

    card: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)


class Task(Protocol):
    """What a recipe trains.

    A task may also have ``extras(network) -> Extras``, called once with the trained network on the CPU when a pack is
    written, without gradients; and ``vary(batch, rng) -> batch``, another view (mirrored, turned) of a batch that
    several steps are taken from.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Takes the recipe's ``[options]`` table; raises ``TrainingError`` naming the field that is wrong."""

    def network(self) -> nn.Module:
        """The network, freshly initialized; torch's global generator was seeded by the recipe just before."""

    def batch(self, rng: torch.Generator, device: torch.device) -> dict[str, Tensor]:
        """One batch, drawn on the generator's device; a pure function of ``rng``. Runs without gradients."""

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar loss, and further scalars for the log. ``progress`` goes from 0 to 1 over the run.

        Runs under bfloat16 autocast when the recipe says so.
        """

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Figures on a fixed procedural held-out set.

        ``score`` is what the best weights are chosen by: higher is better. Figures of the classical baseline on the
        same set belong in it, named ``baseline_...``. The network is in evaluation mode, with averaged weights; runs
        without gradients, in float32.
        """

    def deploy(self, network: nn.Module) -> nn.Module:
        """The trained network, on the CPU, folded for use."""

    def exports(self, deployed: nn.Module) -> list[Export]:
        """The graphs a pack holds."""

    def sheet(self, rng: torch.Generator, device: torch.device) -> Tensor:
        """What the generator draws, to look at: uint8 ``(height, width, 3)``."""


def task_names() -> tuple[str, ...]:
    """The tasks there are."""
    folder = Path(__file__).parent / "tasks"
    modules = (path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_"))
    return tuple(path.stem for path in modules if "\nTASK" in path.read_text(encoding="utf-8"))


def load_task(name: str, options: Mapping[str, Any], *, where: str = "recipe") -> Task:
    """The task of a name, with its options.

    Args:
        name: The module's name in ``tasks/``.
        options: The recipe's ``[options]`` table.
        where: The recipe's file, for messages.

    Raises:
        TrainingError: There is no such task, or an option is wrong.
    """
    names = task_names()
    if name not in names:
        close = get_close_matches(name, names, n=1)
        fix = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(names)}"
        raise TrainingError(f'there is no task "{name}"', where=f"{where}: task", fix=fix)
    kind = importlib.import_module(f"understudy_training.tasks.{name}").TASK
    try:
        task: Task = kind(options)
    except TrainingError as error:
        place = f"{where}: {error.where}" if error.where else where
        raise TrainingError(error.problem, where=place, fix=error.fix, exit_code=error.exit_code) from None
    return task
