# SPDX-License-Identifier: Apache-2.0
"""What a run came to: ``result.toml``, from which a recipe is corrected and a pack is written."""

import hashlib
import os
import platform
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from understudy_training.checkpoint import Progress
from understudy_training.errors import TrainingError
from understudy_training.recipe import Recipe, parse_recipe
from understudy_training.safetensors_file import read_safetensors
from understudy_training.toml_text import toml_text

RESULT = "result.toml"
RECIPE = "recipe.toml"


def weights_of(network: nn.Module) -> dict[str, NDArray[Any]]:
    """The weights and buffers of a network as arrays, by name."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in network.state_dict().items()}


def write_result(
    folder: Path,
    recipe: Recipe,
    progress: Progress,
    *,
    generator: str,
    device: str,
    weights: Path,
    parameters: int,
    init: str,
) -> Path:
    """Writes ``result.toml``.

    Args:
        folder: The run's folder.
        recipe: What was run.
        progress: How far it came.
        generator: The generator version that drew the data.
        device: What it ran on.
        weights: The file of the best weights.
        parameters: How many numbers the network has.
        init: SHA-256 of the weights it started from; empty for none.
    """
    schedule = progress.schedule
    document = {
        "recipe": recipe.name,
        "recipe_sha256": recipe.sha256,
        "generator": generator,
        "seed": recipe.seed,
        "steps": schedule.steps,
        "warmup_steps": schedule.warmup_steps,
        "cooldown_steps": schedule.cooldown_steps,
        "steps_done": progress.step,
        "best_step": progress.best_step,
        "rollbacks": progress.rollbacks,
        "seconds": round(progress.seconds, 1),
        "parameters": parameters,
        "weights": weights.name,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "init_sha256": init,
        "precision": recipe.run.precision,
        "device": device,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "validation": {name: float(f"{value:.6g}") for name, value in (progress.best_figures or {}).items()},
    }
    path = folder / RESULT
    temporary = folder / f".{RESULT}.{os.getpid()}"
    temporary.write_text(toml_text(document), encoding="utf-8")
    temporary.replace(path)
    return path


def read_result(folder: Path) -> dict[str, Any]:
    """The result of a finished run.

    Raises:
        TrainingError: The folder holds none.
    """
    path = folder / RESULT
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        fix = "give the folder of a run that ended; `train` goes on with one that did not"
        raise TrainingError("holds no result.toml", where=str(folder), fix=fix, exit_code=3) from None
    except (OSError, ValueError) as error:
        raise TrainingError(f"can't be read: {error}", where=str(path), exit_code=3) from None


def reproduction(recipe: Recipe, result: Mapping[str, Any]) -> tuple[float, bool] | None:
    """How far a run's score lies from that of the shipped weights, and whether that is within the recipe's tolerance.

    None where the recipe names no shipped score, or the run was another one: other steps, seed or generators.
    """
    shipped = recipe.made.get("score")
    settings = recipe.run.schedule
    same = (result["steps"], result["cooldown_steps"], result["seed"]) == (
        settings.steps,
        settings.cooldown_steps,
        recipe.seed,
    )
    if not isinstance(shipped, int | float) or not same or result["generator"] != recipe.generator:
        return None
    difference = float(result["validation"]["score"]) - shipped
    return difference, abs(difference) <= recipe.tolerance.score


def run_recipe(folder: Path) -> Recipe:
    """The recipe that a run's folder holds: the one that was run.

    Raises:
        TrainingError: There is none.
    """
    path = folder / RECIPE
    try:
        return parse_recipe(tomllib.loads(path.read_text(encoding="utf-8")), path)
    except (OSError, ValueError) as error:
        raise TrainingError(f"can't be read: {error}", where=str(path), exit_code=3) from None


def trained_network(network: nn.Module, weights: Path) -> nn.Module:
    """A network with the weights of a file, in evaluation mode.

    Raises:
        TrainingError: The file is not there, or holds another network's weights.
    """
    tensors, _ = read_safetensors(weights)
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    except RuntimeError as error:
        problem = f"holds other weights than the task's network: {str(error).splitlines()[-1].strip()}"
        raise TrainingError(problem, where=str(weights), exit_code=3) from None
    return network.eval()
