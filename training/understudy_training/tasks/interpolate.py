# SPDX-License-Identifier: Apache-2.0
"""Learns to correct where the picture between two frames comes from; see ``networks.interpolate``.

Scenes come from ``generators.layers`` with the truth at any time. Drawing them costs many times what a step does, so a
stock of them is used over and over: mirrored, turned, with colors and frames exchanged. The vectors that the network is
given are true ones, roughened anew each time, or those that OpenCV's search estimated.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy_training.classical_motion import estimate
from understudy_training.display_log import decode, display_to_light, encode
from understudy_training.evidence import CHANNELS, gather
from understudy_training.generators.layers import Look, draw_layers
from understudy_training.generators.swatches import swatches
from understudy_training.interpolate_report import Outcome, report
from understudy_training.networks.interpolate import Refiner
from understudy_training.options import read_options
from understudy_training.rough_motion import roughen
from understudy_training.task import Export, Extras
from understudy_training.warping import Course, densify, project, sharp_warp

GOOD = 0.02
"""Mean error of the three code values of ``display_log`` under which a pixel counts as right: ten 8-bit levels."""

_LOOK = Look(exposure=0.0, noise=0.0)
_STOCK, _HELD_OUT, _JUDGED = 51, 4, (6, 7)
_SMALL_STOCK = (48, 256, 60)
_TRUE = ("picture", "forward", "seen", "backward", "seen_back")
_OF_MOMENTS = ("time", "truth", "true_a", "true_b", "shows_a", "shows_b")
_VECTORS = {"forward", "backward", "estimated_forward", "estimated_backward", "true_a", "true_b"}
_EXCHANGED = {
    "picture": "next",
    "forward": "backward",
    "estimated_forward": "estimated_backward",
    "seen": "seen_back",
    "true_a": "true_b",
    "shows_a": "shows_b",
}


@dataclass(frozen=True, slots=True)
class Options:
    """The recipe's ``[options]``.

    Attributes:
        scenes: Scenes of a part of the stock.
        parts: Parts that a batch takes, each at one of its moments.
        moments: Times at which the truth of a scene is known.
        side: Pixels along a crop's side; a multiple of 8.
        motion: Least and most spread of layers' shifts, pixels.
        widths: Channels of the network at a half, a quarter and an eighth of the size.
        blocks: Its residual blocks there.
        estimated: Scenes of the whole stock, whose motion OpenCV estimates once for the run.
        estimated_share: Share of parts that are given with estimated vectors; 0 needs no OpenCV.
        held_out: Scenes of the validation.
        stock: Pictures that layers are cut from, pixels along their sides, and shapes that they are cut out by.
    """

    scenes: int = 16
    parts: int = 2
    moments: int = 2
    side: int = 192
    motion: tuple[float, float] = (0.5, 24.0)
    widths: tuple[int, int, int] = (32, 56, 96)
    blocks: tuple[int, int, int] = (1, 1, 2)
    estimated: int = 2560
    estimated_share: float = 0.5
    held_out: int = 16
    stock: tuple[int, int, int] = (256, 384, 240)

    def __post_init__(self) -> None:
        if self.side % 8:
            raise ValueError("side: must be a multiple of 8")
        for name in ("scenes", "parts", "moments", "estimated", "held_out"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1")


class InterpolateTask:
    """See the module.

    Args:
        options: The recipe's ``[options]``.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = read_options(Options, options)
        self._stock: dict[int, dict[str, Tensor]] = {}
        self._held_out: dict[int, dict[str, dict[str, Tensor]]] = {}

    def network(self) -> nn.Module:
        """An untrained network: it corrects nothing."""
        options = self._options
        return Refiner(options.widths, options.blocks)

    def batch(self, rng: torch.Generator, device: torch.device) -> dict[str, Tensor]:
        """Evidence and truth, from roughened or from estimated vectors."""
        options, dice = self._options, np.random.default_rng(rng.initial_seed())
        parts = []
        for _ in range(options.parts):
            scenes = self._part(int(dice.integers(-(-options.estimated // options.scenes))), device)
            scenes = _varied(_at_moment(scenes, int(dice.integers(options.moments))), dice)
            if dice.random() < options.estimated_share:
                scenes |= {name: scenes[f"estimated_{name}"] for name in ("forward", "backward")}
            else:
                rough = roughen(rng, dice, *(scenes[name] for name in _TRUE))
                scenes |= dict(zip(("forward", "backward"), rough, strict=True))
            parts.append(_samples(scenes))
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Distance of the picture, its detail, vectors and shares; and how well the confidence foresees the error."""
        del progress
        course, doubt = _refined(network, batch)
        with torch.autocast(doubt.device.type, enabled=False):  # pictures need more than eight bits
            return _distance(batch, course, doubt)

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """PSNR over the course that was given, on estimated vectors; the same on roughened ones."""
        found: dict[str, float] = {}
        for kind, samples in self._validation(device).items():
            before, after, rights, doubts = [], [], [], []
            for part in _split(samples, 8):
                course, doubt = _refined(network, part)
                given, made = (
                    compose(part, one) for one in (Course(part["to_a"], part["to_b"], part["weight"]), course)
                )
                before.append(_psnr(given, part["truth"]))
                after.append(_psnr(made, part["truth"]))
                rights.append(_right(made, part["truth"]).flatten())
                doubts.append(doubt.flatten())
            base, gained = torch.cat(before), torch.cat(after)
            found[f"{kind}_psnr"] = float(gained.mean())
            found[f"{kind}_gain"] = float((gained - base).mean())
            found[f"{kind}_losers"] = float((gained < base - 0.05).float().mean())
            found[f"baseline_{kind}_psnr"] = float(base.mean())
            found[f"{kind}_auroc"] = _auroc(torch.cat(doubts), torch.cat(rights))
        first = "estimated" if "estimated_gain" in found else "rough"
        return {"score": found[f"{first}_psnr"], "baseline_score": found[f"baseline_{first}_psnr"], **found}

    def deploy(self, network: nn.Module) -> nn.Module:
        """The network without its free moves, which gain more on drawn scenes left out than left in.

        They are what takes longest to learn; taking neighbors' vectors and shifting shares is learned soon.
        """
        assert isinstance(network, Refiner)
        network.moves = 0.0
        return network.cpu().float().eval()

    def exports(self, deployed: nn.Module) -> list[Export]:
        """One graph, any size that is a multiple of 8."""
        names = ("refined_to_a", "refined_to_b", "refined_weight", "confidence")
        axes = {name: {2: "height", 3: "width"} for name in (*CHANNELS, *names)}
        checks = (_example(48, 80), _example(96, 64))
        return [Export("refine.onnx", deployed, _example(64, 64), names, axes, checks)]

    def extras(self, network: nn.Module) -> Extras:
        """The calibration of its confidence, fitted on scenes of their own and judged on the validation's."""
        network = self.deploy(network)
        pictures, size, shapes = (min(pair) for pair in zip(self._options.stock, _SMALL_STOCK, strict=True))
        small = dataclasses.replace(self._options, stock=(pictures, size, shapes))  # minutes less on a CPU
        task = InterpolateTask(dataclasses.asdict(small))
        kind = "estimated" if small.estimated_share else "rough"
        fit, held_out = (_outcome(network, task._validation(torch.device("cpu"), seed)[kind]) for seed in _JUDGED)
        return report(fit, held_out, GOOD)

    def sheet(self, rng: torch.Generator, device: torch.device) -> Tensor:
        """Rows of: first frame, classical middle, true middle, second frame, error of the classical one."""
        samples = self.batch(rng, device)
        given = Course(samples["to_a"], samples["to_b"], samples["weight"])
        made = compose(samples, given)
        columns = [samples["first"], made, samples["truth"], samples["second"], (made - samples["truth"]).abs() * 4]
        rows = torch.cat([picture[:6] for picture in columns], dim=3)
        sheet = torch.cat(list(rows), dim=1).clamp(0, 1)
        return (sheet.permute(1, 2, 0) * 255).round().to(torch.uint8).cpu()

    def _scenes(
        self, rng: torch.Generator, dice: np.random.Generator, device: torch.device, count: int
    ) -> dict[str, Tensor]:
        """Frames, what is true of them, and the truth at each moment, which lies along the batch."""
        options = self._options
        moments = [dice.uniform(0.02, 0.98) for _ in range(options.moments)]
        if dice.random() < 0.25:
            moments[0] = 0.5
        stock = swatches(str(device), *options.stock)
        times = (0.0, *moments, 1.0)
        layers = draw_layers(
            rng, count, options.side, options.side, device, times, motion=options.motion, look=_LOOK, stock=stock
        )
        last = len(moments) + 1
        gain = torch.exp2(torch.rand(count, 1, 1, 1, 1, generator=rng, device=rng.device) * 4.5 - 2.5)
        clean = encode(display_to_light(layers.frames.clamp(0, 1)) * gain)
        spread = 0.008 * torch.rand(count, 1, 1, 1, 1, generator=rng, device=rng.device) ** 2
        ends = clean[:, [0, last]]
        ends = ends + spread * torch.randn(ends.shape, generator=rng, device=rng.device)

        def each(values: list[Tensor]) -> Tensor:
            return torch.cat(values).float().contiguous()

        inner = range(1, last)
        when = torch.tensor(moments, device=device).repeat_interleave(count)[:, None, None, None]
        return {
            "picture": ends[:, 0].contiguous(),
            "next": ends[:, 1].contiguous(),
            "forward": layers.flow(0, last),
            "backward": layers.flow(last, 0),
            "seen": layers.visible(0, last).float(),
            "seen_back": layers.visible(last, 0).float(),
            "time": when,
            "truth": each([clean[:, index] for index in inner]),
            "true_a": each([layers.flow(index, 0) for index in inner]),
            "true_b": each([layers.flow(index, last) for index in inner]),
            "shows_a": each([layers.visible(index, 0) for index in inner]),
            "shows_b": each([layers.visible(index, last) for index in inner]),
        }

    def _part(self, index: int, device: torch.device) -> dict[str, Tensor]:
        """Scenes of the stock, and the vectors that OpenCV sees in them; made when they are first asked for."""
        if index not in self._stock:
            seed = (_STOCK << 20) + index
            rng, dice = torch.Generator(device).manual_seed(seed), np.random.default_rng(seed)
            scenes = self._scenes(rng, dice, device, self._options.scenes)
            if self._options.estimated_share:
                flows = estimate(scenes["picture"], scenes["next"], workers=os.cpu_count() or 1)
                scenes |= dict(zip(("estimated_forward", "estimated_backward"), flows, strict=True))
            self._stock[index] = {name: values if name == "time" else values.half() for name, values in scenes.items()}
        return {name: values.float() for name, values in self._stock[index].items()}

    def _validation(self, device: torch.device, seed: int = _HELD_OUT) -> dict[str, dict[str, Tensor]]:
        if seed not in self._held_out:
            rng, dice = torch.Generator(device).manual_seed(seed), np.random.default_rng(seed)
            scenes = self._scenes(rng, dice, device, self._options.held_out)
            rough = dict(
                zip(("forward", "backward"), roughen(rng, dice, *(scenes[name] for name in _TRUE)), strict=True)
            )
            found = {"rough": _samples(scenes | rough)}
            if self._options.estimated_share:
                workers = os.cpu_count() or 1
                flows = estimate(scenes["picture"], scenes["next"], workers=workers)
                found["estimated"] = _samples(scenes | dict(zip(("forward", "backward"), flows, strict=True)))
            self._held_out[seed] = found
        return self._held_out[seed]


TASK = InterpolateTask


def _at_moment(scenes: dict[str, Tensor], moment: int) -> dict[str, Tensor]:
    """Scenes with the truth of one of their moments alone."""
    count = len(scenes["picture"])
    rows = slice(moment * count, (moment + 1) * count)
    return scenes | {name: scenes[name][rows] for name in _OF_MOMENTS}


def _varied(scenes: dict[str, Tensor], dice: np.random.Generator) -> dict[str, Tensor]:
    """The same scenes mirrored, turned, with other colors, and run backward, at random."""
    across, down, turned, backward = (dice.random() < 0.5 for _ in range(4))
    colors = dice.permutation(3).tolist()
    varied = {}
    for name, values in scenes.items():
        if name != "time":
            vectors = name in _VECTORS
            if name in {"picture", "next", "truth"}:
                values = values[:, colors]
            if across:
                values = values.flip(3) * (_mirror(values, 0) if vectors else 1)
            if down:
                values = values.flip(2) * (_mirror(values, 1) if vectors else 1)
            if turned:
                values = values.transpose(2, 3)
                values = values.flip(1) if vectors else values
        varied[name] = values.contiguous()
    if backward:
        pairs = [(one, other) for one, other in _EXCHANGED.items() if one in varied]
        varied |= {one: varied[other] for one, other in pairs} | {other: varied[one] for one, other in pairs}
        varied["time"] = 1 - varied["time"]
    return varied


def _samples(scenes: dict[str, Tensor]) -> dict[str, Tensor]:
    """The evidence of each scene at each of its moments."""
    count = len(scenes["time"]) // len(scenes["picture"])
    first, second, forward, backward = (
        scenes[name].repeat(count, 1, 1, 1) for name in ("picture", "next", "forward", "backward")
    )
    course = project(first, second, forward, backward, scenes["time"])
    samples = gather(first, second, forward, backward, course)
    return samples | {name: scenes[name] for name in _OF_MOMENTS} | {"first": first, "second": second}


def compose(samples: dict[str, Tensor], course: Course) -> Tensor:
    """The picture along a course, as the role makes it: light of both frames, sharp, in their shares; encoded."""
    sides = [
        sharp_warp(densify(decode(samples[name])), flow)
        for name, flow in (("first", course.to_a), ("second", course.to_b))
    ]
    shown_a, shown_b = samples["shown"][:, :1], samples["shown"][:, 1:]
    share = course.weight * torch.maximum(shown_b, 1 - shown_a)
    share = torch.maximum(share, shown_b * (1 - shown_a))
    return encode(torch.lerp(sides[0], sides[1], share))


def _right(made: Tensor, truth: Tensor) -> Tensor:
    return (made - truth).abs().mean(dim=1, keepdim=True) < GOOD


def _refined(network: nn.Module, samples: dict[str, Tensor]) -> tuple[Course, Tensor]:
    evidence = {name: samples[name] for name in CHANNELS}
    to_a, to_b, weight, doubt = network(**evidence, time=samples["time"].flatten())
    return Course(to_a, to_b, weight), doubt


def _distance(batch: dict[str, Tensor], course: Course, doubt: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    made, truth = compose(batch, course), batch["truth"]
    picture = 2 * (made - truth).square().add(1e-6).sqrt().mean()
    squared = 2 * (made - truth).square().mean()
    detail = _detail_loss(made, truth)
    vectors = sum(
        (batch[f"shows_{side}"] * (flow - batch[f"true_{side}"]).abs().clamp(max=10)).mean()
        for side, flow in (("a", course.to_a), ("b", course.to_b))
    )
    only_a = batch["shows_a"] * (1 - batch["shows_b"])
    only_b = batch["shows_b"] * (1 - batch["shows_a"])
    side = (only_a * course.weight + only_b * (1 - course.weight)).mean()
    right = _right(made.detach(), truth).float()
    foreseen = functional.binary_cross_entropy_with_logits(doubt, right)
    total = picture + 4 * squared + 0.5 * detail + 0.01 * vectors + 0.1 * side + 0.02 * foreseen
    return total, {"picture": picture, "squared": squared, "vectors": vectors, "side": side, "doubt": foreseen}


def _outcome(network: nn.Module, samples: dict[str, Tensor]) -> Outcome:
    scores, errors, differences, rows = [], [], [], []
    for part in _split(samples, 4):
        course, score = _refined(network, part)
        truth = part["truth"]
        before, after = (
            compose(part, one) - truth for one in (Course(part["to_a"], part["to_b"], part["weight"]), course)
        )
        scores.append(score)
        errors.append(after.abs().mean(dim=1, keepdim=True))
        differences.append(part["unlike"][:, :1])
        rows.append((2 * truth[0], 8 * before[0].abs(), 8 * after[0].abs()))
    worst = sorted(rows, key=lambda row: -float(row[1].square().mean()))
    return Outcome(torch.cat(scores), torch.cat(errors), torch.cat(differences), tuple(worst[:3]))


def _detail_loss(made: Tensor, truth: Tensor) -> Tensor:
    """Mean difference of three band-pass levels, the coarse ones counting more."""
    total = made.new_zeros(())
    difference = made - truth
    for level in range(3):
        coarse = functional.avg_pool2d(difference, 2)
        band = difference - functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        total = total + 2.0**level * band.abs().mean()
        difference = coarse
    return total


def _psnr(made: Tensor, truth: Tensor) -> Tensor:
    """Of code values, diffuse white as the peak, for each sample; ``(n,)`` decibels."""
    squared = (made - truth).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(0.5135**2 / squared.clamp(min=1e-10))


def _auroc(score: Tensor, positive: Tensor) -> float:
    """Probability that a right pixel scores above a wrong one."""
    order = score.double().argsort()
    ranks = torch.empty_like(order, dtype=torch.float64)
    ranks[order] = torch.arange(1, len(order) + 1, dtype=torch.float64, device=order.device)
    good = float(positive.sum())
    bad = len(order) - good
    if not good or not bad:
        return 0.5
    return (float(ranks[positive].sum()) - good * (good + 1) / 2) / (good * bad)


def _split(samples: dict[str, Tensor], size: int) -> list[dict[str, Tensor]]:
    total = len(samples["truth"])
    return [{name: values[at : at + size] for name, values in samples.items()} for at in range(0, total, size)]


def _mirror(values: Tensor, axis: int) -> Tensor:
    sign = values.new_ones(1, 2, 1, 1)
    sign[0, axis] = -1
    return sign


def _example(height: int, width: int) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(height)
    made = {name: torch.rand(1, count, height, width, generator=rng) for name, count in CHANNELS.items()}
    for name in ("to_a", "to_b", "miss"):
        made[name] = made[name] * 4
    return made | {"time": torch.tensor([0.4])}
