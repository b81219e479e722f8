# SPDX-License-Identifier: Apache-2.0
"""Motion between two frames, learned from layered scenes."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy_training.contact_sheet import tiled
from understudy_training.flow_confidence import SPREADS as CONFIDENCE_SPREADS
from understudy_training.flow_confidence import Judged, extras_of, joined, judged, table_of
from understudy_training.generators.flow_color import flow_color
from understudy_training.generators.layers import Layers, Look, draw_layers
from understudy_training.generators.swatches import swatches
from understudy_training.networks.flow import Answer, FlowNetwork
from understudy_training.networks.flow_graph import FlowGraph
from understudy_training.networks.flow_matching import grid_like
from understudy_training.options import read_options
from understudy_training.task import Export, Extras

SPREADS = (3.0, 8.0, 20.0)
"""Spread of shifts, pixels, in the three parts of the validation set."""

_FADE = 0.8
_LEAST_DOUBT, _MOST_DOUBT = math.log(0.02), math.log(300.0)
_HELD_OUT, _CALIBRATION, _REPORT = 90_000, 92_000, 94_000


@dataclass(frozen=True, slots=True)
class FlowOptions:
    """The recipe's options.

    Attributes:
        batch: Pairs in a batch; each is learned from both ways.
        height: Rows of a picture, a multiple of 16.
        width: Columns.
        room: Rows and columns more that are drawn where steps share a batch: each learns from another part.
        motion: Least and most spread of layers' shifts, pixels.
        pictures: Pictures in the stock that scenes are cut from.
        picture_size: Pixels along their sides.
        shapes: Shapes in the stock.
        layers: Most layers of a scene beside its background.
        blur: Share of scenes with motion blur.
        hidden: Weight of points that the other frame hides, against 1 for those it shows.
        held_out: Validation pairs for each spread.
    """

    batch: int = 16
    height: int = 256
    width: int = 320
    room: int = 0
    motion: tuple[float, float] = (0.7, 50.0)
    pictures: int = 320
    picture_size: int = 384
    shapes: int = 300
    layers: int = 5
    blur: float = 0.13
    hidden: float = 0.4
    held_out: int = 10

    def __post_init__(self) -> None:
        for name in ("height", "width", "room"):
            if getattr(self, name) % 16:
                raise ValueError(f"{name}: must be a multiple of 16")
        if not 0 < self.motion[0] <= self.motion[1]:
            raise ValueError("motion: must be least and most, over 0")


class FlowTask:
    """Trains ``networks.flow``."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = read_options(FlowOptions, options)
        self._held_out: dict[float, dict[str, Tensor]] = {}
        self._samples: dict[int, Judged] = {}

    def network(self) -> nn.Module:
        """A fresh network."""
        return FlowNetwork()

    def batch(self, rng: torch.Generator, device: torch.device) -> dict[str, Tensor]:
        """``a b`` ``(n, 3, h, w)``; ``flow`` ``(2n, 2, h, w)``, ``seen`` ``(2n, 1, h, w)``: forward, then backward."""
        options = self._options
        stock = swatches(str(device), options.pictures, options.picture_size, options.shapes)
        scenes = draw_layers(
            rng,
            options.batch,
            options.height + options.room,
            options.width + options.room,
            device,
            motion=options.motion,
            look=Look(layers=options.layers, blur=options.blur),
            stock=stock,
        )
        return truth_of(scenes)

    def vary(self, batch: dict[str, Tensor], rng: torch.Generator) -> dict[str, Tensor]:
        """A part of the pictures, mirrored or not, with colors exchanged: another batch of the same scenes."""
        height, width = self._options.height, self._options.width
        dice = torch.rand(6, generator=rng, device=rng.device).tolist()
        rows, columns = batch["a"].shape[2:]
        top, left = int(dice[0] * (rows - height + 1)), int(dice[1] * (columns - width + 1))
        varied = {name: each[..., top : top + height, left : left + width] for name, each in batch.items()}
        order = list(itertools.permutations(range(3)))[int(dice[2] * 6)]
        flow, seen = varied["flow"], varied["seen"]
        grid = grid_like(flow) + flow
        most = torch.tensor([width - 1.0, height - 1.0], device=flow.device)[:, None, None]
        seen = seen & ((grid >= 0) & (grid <= most)).all(dim=1, keepdim=True)
        axes = [axis for axis, chance in ((3, dice[3]), (2, dice[4])) if chance < 0.5]
        signs = torch.tensor([-1.0 if axis in axes else 1.0 for axis in (3, 2)], device=flow.device)[:, None, None]
        return {
            "a": varied["a"][:, order].flip(axes),
            "b": varied["b"][:, order].flip(axes),
            "flow": flow.flip(axes) * signs,
            "seen": seen.flip(axes),
        }

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Distance of every stage's vectors to the truth, the later the more, and the fit of doubt and occlusion."""
        del progress
        places = batch["a"].shape[2] * batch["a"].shape[3] // 256
        # Large pictures are matched coarser than at a sixteenth; a third of the steps learn that.
        share = max(1.0, float(torch.rand(()) * 1.5)) if torch.rand(()) < 0.6 else 1.0
        answer: Answer = network(batch["a"], batch["b"], most_places=int(places / share**2))
        truth, seen = batch["flow"], batch["seen"].float()
        weight = seen + (1 - seen) * self._options.hidden
        # Fast scenes would drown slow ones, whose hundredths of pixels matter.
        fast = truth.norm(dim=1).mean(dim=(1, 2))
        weight = weight * (4 / (1 + fast / 4))[:, None, None, None]
        total = torch.zeros((), device=truth.device)
        stages = len(answer.guesses)
        terms: dict[str, Tensor] = {}
        for index, guess in enumerate(answer.guesses):
            here, target = _sampled(weight, guess.scale), _sampled(truth, guess.scale)
            if index == 0:
                here = here * (_sampled(seen, guess.scale) > 0.5)
            error = _distance(guess.flow, target)
            total = total + _FADE ** (stages - index) * (error * here).mean()
            terms[f"epe{index}"] = (guess.flow.detach() - target).norm(dim=1).mean()
        error = _distance(answer.flow, truth)
        total = total + (error * weight).mean()
        distance = (answer.flow.detach() - truth).norm(dim=1, keepdim=True)
        doubt = answer.doubt.clamp(_LEAST_DOUBT, _MOST_DOUBT)
        unsure = (distance * torch.exp(-doubt) + doubt).mean()
        occlusion = functional.binary_cross_entropy_with_logits(answer.hidden, 1 - seen)
        terms.update(epe=distance.mean(), doubt=unsure, occlusion=occlusion)
        return total + 0.1 * unsure + 0.2 * occlusion, {name: value.detach() for name, value in terms.items()}

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Mean endpoint error on held-out scenes of three speeds; the score is minus the mean of its logarithms."""
        figures: dict[str, float] = {}
        for spread in SPREADS:
            held = self._held(spread, device)
            still, errors = held["flow"].norm(dim=1), []
            for start in range(0, len(held["a"]), 4):
                part = slice(start, start + 4)
                errors.append((network(held["a"][part], held["b"][part]).flow, part))
            half = len(held["a"])
            distance = torch.cat([_both(held["flow"], part, half).sub(flow).norm(dim=1) for flow, part in errors])
            shown = torch.cat([_both(held["seen"], part, half)[:, 0] for _, part in errors])
            figures[f"epe_{spread:g}"] = float(distance.mean())
            figures[f"seen_{spread:g}"] = float(distance[shown].mean())
            figures[f"baseline_still_{spread:g}"] = float(still.mean())
        figures["score"] = -sum(math.log(figures[f"epe_{spread:g}"]) for spread in SPREADS) / len(SPREADS)
        return figures

    def deploy(self, network: nn.Module) -> nn.Module:
        """The network as the role calls it, with a table of confidence fitted on scenes of its own."""
        network.eval()
        return FlowGraph(network, table_of(self._judged(network, _CALIBRATION)))

    def extras(self, network: nn.Module) -> Extras:
        """What confidence is worth, on further scenes."""
        table = table_of(self._judged(network, _CALIBRATION))
        return extras_of(table, self._judged(network, _REPORT), "Learned motion")

    def exports(self, deployed: nn.Module) -> list[Export]:
        """One graph for pictures of any size, a multiple of 16."""
        return [graph_export("model.onnx", deployed)]

    def sheet(self, rng: torch.Generator, device: torch.device) -> Tensor:
        """Pairs, their motion as color, and what stays in sight."""
        stock = swatches(str(device), 48, 256, 60)
        scenes = draw_layers(rng, 8, self._options.height, self._options.width, device, motion=(2.0, 40.0), stock=stock)
        color, seen = flow_color(scenes.flow(0, 1)), scenes.visible(0, 1)
        pictures: list[Tensor] = []
        for index in range(8):
            pictures += [scenes.frames[index, 0], scenes.frames[index, 1], color[index], seen[index].float()]
        return tiled(pictures, columns=4)

    def _judged(self, network: nn.Module, seed: int) -> Judged:
        """Samples of doubt and true error, drawn and estimated once; a weight's change needs a new task."""
        if seed not in self._samples:
            self._samples[seed] = self._sampled(network, seed)
        return self._samples[seed]

    def _sampled(self, network: nn.Module, seed: int) -> Judged:
        """Doubt and true error of the network on scenes of all speeds."""
        stock = swatches("cpu", 24, 192, 40, seed=seed)
        parts = []
        with torch.no_grad():
            for spread in CONFIDENCE_SPREADS:
                rng = torch.Generator().manual_seed(seed + int(spread * 10))
                for _ in range(-(-self._options.held_out // 5)):
                    held = truth_of(draw_layers(rng, 2, 192, 256, "cpu", motion=(spread, spread), stock=stock))
                    answer = network(held["a"], held["b"])
                    parts.append(judged(answer.doubt, (answer.flow - held["flow"]).norm(dim=1, keepdim=True)))
        return joined(parts)

    def _held(self, spread: float, device: torch.device) -> dict[str, Tensor]:
        if spread not in self._held_out:
            # Drawn on the CPU, so that every machine is judged by the same scenes.
            rng = torch.Generator().manual_seed(_HELD_OUT + int(spread * 10))
            stock = swatches("cpu", 24, 192, 40, seed=_HELD_OUT)
            held = truth_of(
                draw_layers(rng, self._options.held_out, 256, 320, "cpu", motion=(spread, spread), stock=stock)
            )
            self._held_out[spread] = {name: tensor.to(device) for name, tensor in held.items()}
        return self._held_out[spread]


def graph_export(file: str, graph: nn.Module) -> Export:
    """The export of a :class:`~understudy_training.networks.flow_graph.FlowGraph`."""
    rng = torch.Generator().manual_seed(5)
    pairs = [
        {name: torch.rand((1, 3, height, width), generator=rng) for name in ("a", "b")}
        for height, width in ((64, 96), (96, 64), (192, 256))
    ]
    outputs = ("forward", "backward", "forward_confidence", "backward_confidence")
    axes = {name: {2: "height", 3: "width"} for name in ("a", "b", *outputs)}
    return Export(file, graph, pairs[0], outputs, axes, tuple(pairs[1:]), tolerance=2e-2)


def truth_of(scenes: Layers) -> dict[str, Tensor]:
    """The first two frames, and motion and visibility of both directions."""
    return {
        "a": scenes.frames[:, 0].contiguous(),
        "b": scenes.frames[:, 1].contiguous(),
        "flow": torch.cat([scenes.flow(0, 1), scenes.flow(1, 0)]),
        "seen": torch.cat([scenes.visible(0, 1), scenes.visible(1, 0)]),
    }


def _both(held: Tensor, part: slice, half: int) -> Tensor:
    """Both directions of some pairs, as the network orders them."""
    return torch.cat([held[:half][part], held[half:][part]])


def _sampled(full: Tensor, scale: int) -> Tensor:
    """A picture's values in the middle of each cell of ``scale`` pixels."""
    low, high = (scale - 1) // 2, scale // 2
    return 0.5 * (full[:, :, low::scale, low::scale] + full[:, :, high::scale, high::scale])


def _distance(flow: Tensor, truth: Tensor) -> Tensor:
    """Sum of absolute differences, a little rounded at zero, ``(n, 1, h, w)``."""
    return torch.sqrt((flow - truth) ** 2 + 1e-4).sum(dim=1, keepdim=True)


TASK = FlowTask
