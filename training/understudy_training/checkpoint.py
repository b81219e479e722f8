# SPDX-License-Identifier: Apache-2.0
"""A run's state on disk: written whole or not at all, so that a kill at any moment loses at most some seconds."""

import os
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from understudy_training.errors import TrainingError
from understudy_training.schedule import Schedule

CHECKPOINT = "checkpoint.pt"


@dataclass(slots=True)
class Progress:
    """Where a run is.

    Attributes:
        step: Steps done.
        seconds: Seconds spent, over all its starts.
        schedule: The schedule, changed if its end was brought forward.
        ending: Whether it was.
        best_score: The best validation score so far; None before the first.
        best_step: The step it was reached at.
        best_figures: All figures of that validation.
        rollbacks: How often the loss was not finite.
    """

    step: int
    seconds: float
    schedule: Schedule
    ending: bool = False
    best_score: float | None = None
    best_step: int = 0
    best_figures: dict[str, float] | None = None
    rollbacks: int = 0


def write_checkpoint(folder: Path, recipe_sha256: str, progress: Progress, state: dict[str, Any]) -> None:
    """Writes ``checkpoint.pt``.

    Args:
        folder: The run's folder.
        recipe_sha256: Which recipe it is a state of.
        progress: Where the run is.
        state: State dictionaries of network, averaged network and optimizer.
    """
    path = folder / CHECKPOINT
    temporary = folder / f".{CHECKPOINT}.{os.getpid()}"
    try:
        with temporary.open("wb") as stream:
            torch.save({"recipe": recipe_sha256, "progress": asdict(progress), "state": state}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(folder: Path, recipe_sha256: str, device: torch.device) -> tuple[Progress, dict[str, Any]] | None:
    """The state a run stopped in; None when it has none.

    Raises:
        TrainingError: It is another recipe's, or can't be read.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        found = torch.load(path, map_location=device, weights_only=True)
        progress = found["progress"]
        restored = Progress(**{**progress, "schedule": Schedule(**progress["schedule"])})
        recipe, state = found["recipe"], found["state"]
    except (OSError, RuntimeError, pickle.UnpicklingError, KeyError, TypeError, EOFError) as error:
        fix = "delete it to start again"
        raise TrainingError(f"can't be read: {type(error).__name__}", where=str(path), fix=fix, exit_code=3) from None
    if recipe != recipe_sha256:
        fix = "give another --out, or delete the folder"
        raise TrainingError("was made by another recipe, or by this one before it changed", where=str(path), fix=fix)
    return restored, state
