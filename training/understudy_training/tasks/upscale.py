# SPDX-License-Identifier: Apache-2.0
"""Upscaling: pictures of the leaves generator, made small, and large again.

Networks for several factors learn side by side from the same pictures, since drawing them costs the most. They share no
weight. Each sees one channel at a time, in display-like values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy_training.contact_sheet import tiled
from understudy_training.errors import TrainingError
from understudy_training.generators.blur import gaussian_blur
from understudy_training.generators.degrade import compressed, noisy
from understudy_training.generators.dice import Dice
from understudy_training.generators.held_out import draw_held_out
from understudy_training.generators.leaves import Leaves, draw_leaves
from understudy_training.generators.resize import reduced
from understudy_training.networks.upscale import Shape, UpscaleNet, bicubic_phases
from understudy_training.networks.upscale_graph import UpscaleGraph, display, linear
from understudy_training.options import read_options
from understudy_training.png import png_bytes
from understudy_training.task import Export, Extras

_HELD_OUT_SEED = 20_011
_HELD_OUT = 18
_HELD_OUT_SIDE = 192
_CARD_SEED = 30_011
_CARD_SIDE = 64


@dataclass(frozen=True, slots=True)
class Options:
    """The recipe's ``[options]``.

    Attributes:
        factors: Factors to learn, 2 to 4.
        width: Channels of the feature maps.
        layers: Convolutions between head and tail.
        block: Convolutions that a skip goes around; 0 for one skip around all.
        batch: Pictures in a batch.
        size: Their side, pixels, before they are made small.
        source: ``clean``, or ``degraded`` by blur, noise and compression.
        layers_of_leaves: Layers in each picture.
        chunk: Layers drawn in one tensor operation.
        spectrum: Weight of the error of the Fourier transform.
        finish: Share of the run at its end that minimizes the squared error.
    """

    factors: tuple[int, ...] = (2, 3, 4)
    width: int = 32
    layers: int = 6
    block: int = 0
    batch: int = 16
    size: int = 96
    source: Literal["clean", "degraded"] = "clean"
    layers_of_leaves: int = 28
    chunk: int = 4
    spectrum: float = 0.02
    finish: float = 0.3

    def __post_init__(self) -> None:
        if not self.factors or any(factor not in (2, 3, 4) for factor in self.factors):
            raise ValueError("factors: must be some of 2, 3, 4")
        if any(self.size % (16 * factor if self.source == "degraded" else factor) for factor in self.factors):
            raise ValueError("size: must be a multiple of each factor, and of 16 times each for degraded pictures")


class UpscaleTask:
    """Learns to undo a bicubic reduction, and with ``source = "degraded"`` what else happened to the picture.

    Args:
        options: The recipe's ``[options]`` table.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = read_options(Options, options)
        self._held_out: dict[str, Tensor] = {}

    def network(self) -> nn.Module:
        """A network for each factor, by its name ``x2``, ``x3``, ``x4``."""
        o = self._options
        return nn.ModuleDict({f"x{f}": UpscaleNet(Shape(f, o.width, o.layers, o.block)) for f in o.factors})

    def batch(self, rng: torch.Generator, device: torch.device) -> dict[str, Tensor]:
        """Pictures ``sharp`` [n, 1, h, w], and ``x2`` and so on, made smaller."""
        o = self._options
        channels = 1 if o.source == "clean" else 3
        leaves = Leaves(layers=o.layers_of_leaves, chunk=o.chunk)
        sharp = draw_leaves(rng, o.batch, o.size, o.size, channels, device, leaves)
        dice = Dice(rng, device)
        # A few pictures of lamps and glints: nearly all is dark beside them. Such contrast is only in plates that hold
        # light as it is, so they are made small in linear light; the network learns to keep the light of highlights.
        lit = dice.happens(o.batch, 1, 1, 1, chance=0.12)
        glints = (sharp / sharp.amax(dim=(1, 2, 3), keepdim=True).clamp(min=0.1)) ** dice.uniform(
            o.batch, 1, 1, 1, low=2, high=5
        )
        sharp = torch.where(lit, glints, sharp)
        made = {f"x{factor}": self._small(dice, sharp, factor, lit) for factor in o.factors}
        return {name: x.reshape(-1, 1, *x.shape[2:]) for name, x in {"sharp": sharp, **made}.items()}

    def _small(self, dice: Dice, sharp: Tensor, factor: int, lit: Tensor | None = None) -> Tensor:
        """Pictures made smaller; more than half of them as 8 bits keep them, since most files do."""
        if self._options.source == "degraded":
            sharp = blurred(dice, sharp)
        small = reduced(sharp, factor)
        if lit is not None:
            small = torch.where(lit, display(reduced(linear(sharp), factor).clamp(min=0)), small)
        if self._options.source == "degraded":
            small = degraded(dice, small)
        coarse = (small.clamp(0, 1) * 255).round() / 255
        return torch.where(dice.happens(len(small), 1, 1, 1, chance=0.6), coarse, small)

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Charbonnier's, with a little of the spectrum's; the squared error at the end."""
        assert isinstance(network, nn.ModuleDict)
        o = self._options
        terms = {}
        for name, net in network.items():
            error = net(batch[name]) - batch["sharp"]
            if progress < 1 - o.finish:
                term = torch.sqrt(error**2 + 1e-6).mean()
                if o.spectrum:
                    term = term + o.spectrum * torch.fft.rfft2(error, norm="ortho").abs().mean()
            else:
                # About as steep as the other, so that the optimizer's memory stays of use.
                term = (error**2).mean() * 25
            terms[name] = term
        total = torch.stack(list(terms.values())).sum()
        return total, terms

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """PSNR in dB on held-out families, by factor, beside the bicubic's; the score is the mean gain over that."""
        assert isinstance(network, nn.ModuleDict)
        held_out = self._held_out = self._held_out or self._drawn_held_out()
        large = held_out["sharp"].to(device)
        figures: dict[str, float] = {}
        gains = []
        for name, net in network.items():
            factor = int(name[1:])
            small = held_out[name].to(device)
            psnr, baseline = (psnr_of(x, large, 2 * factor) for x in (net(small), bicubic(small, factor)))
            figures |= {f"psnr_{name}": psnr, f"baseline_{name}": baseline}
            gains.append(psnr - baseline)
        return {"score": sum(gains) / len(gains), **figures}

    def _drawn_held_out(self) -> dict[str, Tensor]:
        """The held-out pictures, drawn on the CPU so that they are the same everywhere."""
        cpu = torch.device("cpu")
        rng = torch.Generator(cpu).manual_seed(_HELD_OUT_SEED)
        channels = 1 if self._options.source == "clean" else 3
        sharp = draw_held_out(rng, _HELD_OUT, _HELD_OUT_SIDE, _HELD_OUT_SIDE, channels, cpu)
        made = {f"x{factor}": self._small(Dice(rng, cpu), sharp, factor) for factor in self._options.factors}
        return {name: x.reshape(-1, 1, *x.shape[2:]) for name, x in {"sharp": sharp, **made}.items()}

    def deploy(self, network: nn.Module) -> nn.Module:
        """Folded networks, between plate values and plate values."""
        assert isinstance(network, nn.ModuleDict)
        nets = {name: net for name, net in network.items() if isinstance(net, UpscaleNet)}
        return nn.ModuleDict({name: UpscaleGraph(net.plain()) for name, net in nets.items()}).eval()

    def exports(self, deployed: nn.Module) -> list[Export]:
        """A graph for each factor."""
        if not isinstance(deployed, nn.ModuleDict):
            raise TrainingError("is no network of this task")
        axes = {name: {0: "n", 2: f"{name}_height", 3: f"{name}_width"} for name in ("image", "image_out")}
        rng = torch.Generator().manual_seed(1)
        example, other = (draw_held_out(rng, n, 40, 56) for n in (1, 2))
        return [
            Export(f"{name}.onnx", graph, {"image": example}, ("image_out",), axes, ({"image": other * 20 - 1},))
            for name, graph in deployed.items()
        ]

    def extras(self, network: nn.Module) -> Extras:
        """A picture for the card: a row for each factor with what the network sees, a bicubic, its own, the truth."""
        assert isinstance(network, nn.ModuleDict)
        rng, cpu = torch.Generator().manual_seed(_CARD_SEED), torch.device("cpu")
        rows: list[Tensor] = []
        for draw, (name, net) in zip(cycle((draw_held_out, draw_leaves)), network.items(), strict=False):
            factor = int(name[1:])
            sharp = draw(rng, 1, _HELD_OUT_SIDE, _HELD_OUT_SIDE, 3, cpu)
            small = self._small(Dice(rng, cpu), sharp, factor)
            planes = small.reshape(-1, 1, *small.shape[2:])
            seen = functional.interpolate(small, scale_factor=factor, mode="nearest")
            large = [x.reshape(sharp.shape) for x in (bicubic(planes, factor), net(planes))]
            middle = slice((_HELD_OUT_SIDE - _CARD_SIDE) // 2, (_HELD_OUT_SIDE + _CARD_SIDE) // 2)
            rows += [image[0, :, middle, middle] for image in (seen, *large, sharp)]
        text = "What is seen, a bicubic, the network, the truth; a row for each factor. All drawn by the generators."
        return Extras(f"![{text}](examples.png)\n\n{text}", {"examples.png": png_bytes(tiled(rows, 4).numpy())})

    def sheet(self, rng: torch.Generator, device: torch.device) -> Tensor:
        """Pictures in color; below each, what the network sees."""
        o = self._options
        side = max(o.size, 192)
        sharp = draw_leaves(rng, 15, side, side, 3, device, Leaves(layers=o.layers_of_leaves, chunk=o.chunk))
        factor = o.factors[0]
        small = self._small(Dice(rng, device), sharp, factor).clamp(0, 1)
        small = functional.interpolate(small, scale_factor=factor, mode="nearest")
        rows = [picture for at in range(0, 15, 5) for picture in (*sharp[at : at + 5], *small[at : at + 5])]
        return tiled(rows, 5)


def blurred(dice: Dice, sharp: Tensor) -> Tensor:
    """Pictures as lenses give them: most with some blur."""
    count, channels = sharp.shape[:2]
    blur = dice.uniform(count, 1, high=1.5) * dice.happens(count, 1, chance=0.7)
    return gaussian_blur(sharp, blur.expand(-1, channels))


def degraded(dice: Dice, small: Tensor) -> Tensor:
    """Small pictures as sensors and files give them: most with some noise, some compressed."""
    count = len(small)
    small = torch.where(dice.happens(count, 1, 1, 1, chance=0.75), noisy(dice, small, 10 / 255), small)
    lossy = compressed(dice, small.clamp(0, 1), 40, 95)
    return torch.where(dice.happens(count, 1, 1, 1, chance=0.6), lossy, small)


def bicubic(small: Tensor, factor: int) -> Tensor:
    """The classical twin: Keys' bicubic, [n, 1, h, w] to a size ``factor`` times as large."""
    padded = functional.pad(small, (2, 2, 2, 2), mode="replicate")
    return functional.pixel_shuffle(functional.conv2d(padded, bicubic_phases(factor).to(small)), factor)


def psnr_of(large: Tensor, sharp: Tensor, border: int) -> float:
    """Mean over pictures of the PSNR in dB, a border left out."""
    inside = (..., slice(border, -border), slice(border, -border))
    square = ((large.clamp(0, 1) - sharp)[inside] ** 2).mean(dim=(1, 2, 3)).clamp(min=1e-10)
    return float((-10 * torch.log10(square)).mean())


TASK = UpscaleTask
