# SPDX-License-Identifier: Apache-2.0
"""Writes trained networks as ONNX, opset 17, float32.

The exporter that traces is used, not the newer one: it is in every torch from 2.4 on and needs no further package.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from understudy_training.recipe import Recipe
from understudy_training.result import trained_network
from understudy_training.task import Export, Extras, load_task

OPSET = 17


@dataclass(frozen=True, slots=True)
class Parity:
    """What torch answers, for another runtime to compare with.

    Attributes:
        inputs: Arrays by name.
        outputs: Torch's answers by name.
    """

    inputs: Mapping[str, NDArray[Any]]
    outputs: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Exported:
    """A graph that was written.

    Attributes:
        path: The ONNX file.
        tolerance: The largest absolute difference that is agreement.
        parity: Inputs and torch's answers.
        gflop_per_megapixel: Floating-point operations of convolutions and matrix products, 10^9 for each 10^6 pixels of
            the first input; 0 where it is no picture. A multiplication with its addition counts as two.
    """

    path: Path
    tolerance: float
    gflop_per_megapixel: float
    parity: tuple[Parity, ...]


def export_weights(recipe: Recipe, weights: Path, out: Path) -> tuple[list[Exported], Extras]:
    """Writes the graphs of trained weights, and what the task adds.

    Args:
        recipe: What trained them.
        weights: The file.
        out: Where the files go.

    Raises:
        TrainingError: The file is missing, or holds another network's weights.
    """
    task = load_task(recipe.task, recipe.options, where=recipe.source.name)
    torch.manual_seed(recipe.seed)
    network = trained_network(task.network(), weights)
    make = getattr(task, "extras", None)
    with torch.no_grad():
        extras: Extras = make(network) if make else Extras()
    for name, data in extras.files.items():
        (out / name).write_bytes(data)
    deployed = task.deploy(network.to(memory_format=torch.contiguous_format)).eval()
    return [_written(export, out, recipe.tolerance.parity) for export in task.exports(deployed)], extras


def _written(export: Export, out: Path, tolerance: float) -> Exported:
    path = out / export.file
    module = export.module.eval()
    with torch.no_grad(), warnings.catch_warnings():
        # tracing warns of Python values that become constants; parity on inputs of other sizes finds those that matter
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(export.inputs.values()),
            str(path),
            input_names=list(export.inputs),
            output_names=list(export.outputs),
            dynamic_axes={name: dict(axes) for name, axes in export.dynamic_axes.items()},
            opset_version=OPSET,
            dynamo=False,
        )
        parity = tuple(_answered(module, inputs, export.outputs) for inputs in (export.inputs, *export.checks))
    settled = tolerance if export.tolerance is None else export.tolerance
    return Exported(path, settled, _cost(module, export.inputs), parity)


def _cost(module: torch.nn.Module, inputs: Mapping[str, torch.Tensor]) -> float:
    first = next(iter(inputs.values()))
    if first.ndim != 4:
        return 0.0
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs.values())
    pixels = first.shape[0] * first.shape[2] * first.shape[3]
    return float(counter.get_total_flops()) / 1e9 / (pixels / 1e6)


def _answered(module: torch.nn.Module, inputs: Mapping[str, torch.Tensor], names: tuple[str, ...]) -> Parity:
    answer = module(*inputs.values())
    answers = answer if isinstance(answer, tuple | list) else (answer,)
    return Parity(
        {name: tensor.numpy() for name, tensor in inputs.items()},
        {name: tensor.numpy() for name, tensor in zip(names, answers, strict=True)},
    )
