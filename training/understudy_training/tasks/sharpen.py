# SPDX-License-Identifier: Apache-2.0
"""The smallest task there is: it sharpens smoothed noise. The loop's tests run it, and it shows what a task is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy_training.calibration import error_auroc, sparsification
from understudy_training.charts import sparsification_chart
from understudy_training.contact_sheet import tiled
from understudy_training.generators.smoothed_noise import draw_smoothed_noise
from understudy_training.options import read_options
from understudy_training.task import Export, Extras


@dataclass(frozen=True, slots=True)
class Options:
    """The recipe's ``[options]``.

    Attributes:
        batch: Pictures in a batch.
        size: Their edge, pixels.
        width: Channels of the hidden layer.
    """

    batch: int = 4
    size: int = 16
    width: int = 4


class SharpenTask:
    """Learns to undo a 3x3 mean.

    Args:
        options: The recipe's ``[options]`` table.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = read_options(Options, options)

    def network(self) -> nn.Module:
        """Two convolutions around a ReLU, beside a skip."""
        return _Sharpen(self._options.width)

    def batch(self, rng: torch.Generator, device: torch.device) -> dict[str, Tensor]:
        """Sharp pictures and their 3x3 means."""
        sharp = draw_smoothed_noise(rng, self._options.batch, self._options.size, device)
        return {"sharp": sharp, "soft": _mean(sharp)}

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002 - the contract's
        """Mean absolute error."""
        error = (network(batch["soft"]) - batch["sharp"]).abs().mean()
        return error, {}

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """PSNR in dB of the sharpened and of the soft pictures."""
        sharp = draw_smoothed_noise(torch.Generator(device).manual_seed(1), 16, 32, device)
        soft = _mean(sharp)
        return {"score": _psnr(network(soft), sharp), "baseline_psnr": _psnr(soft, sharp)}

    def deploy(self, network: nn.Module) -> nn.Module:
        """The network as it is."""
        return network

    def exports(self, deployed: nn.Module) -> list[Export]:
        """One graph, for pictures of any size."""
        axes = {name: {0: "n", 2: "height", 3: "width"} for name in ("x", "y")}
        example, other = torch.rand(1, 1, 16, 16), torch.rand(2, 1, 24, 20)
        return [Export("model.onnx", deployed, {"x": example}, ("y",), axes, ({"x": other},))]

    def extras(self, network: nn.Module) -> Extras:
        """How well the size of the change tells where the soft picture is wrong."""
        sharp = draw_smoothed_noise(torch.Generator().manual_seed(2), 4, 32, torch.device("cpu"))
        soft = _mean(sharp)
        change, error = (network(soft) - soft).abs().numpy(), (soft - sharp).abs().numpy()
        chart = sparsification_chart("Error of the soft picture", {"change": sparsification(-change, error)})
        figures = {"auroc_of_change": error_auroc(-change, error, 0.1)}
        return Extras("![Sparsification](sparsification.svg)", {"sparsification.svg": chart.encode()}, figures)

    def sheet(self, rng: torch.Generator, device: torch.device) -> Tensor:
        """Sharp above soft."""
        batch = self.batch(rng, device)
        return tiled([*batch["sharp"], *batch["soft"]], self._options.batch)


class _Sharpen(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.second = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.second(functional.relu(self.first(x)))
        return result


def _mean(x: Tensor) -> Tensor:
    return functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)


def _psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10(((a - b) ** 2).mean()))


TASK = SharpenTask
