# SPDX-License-Identifier: Apache-2.0
"""A light head over classical motion, learned from layered scenes: which candidate to trust, and how far."""

import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from understudy_training.classical_flow import SEARCHES, Floats, candidates, refined
from understudy_training.contact_sheet import tiled
from understudy_training.errors import TrainingError
from understudy_training.flow_confidence import SPREADS as CONFIDENCE_SPREADS
from understudy_training.flow_confidence import Judged, extras_of, joined, judged, table_of
from understudy_training.generators.flow_color import flow_color
from understudy_training.generators.layers import draw_layers
from understudy_training.generators.swatches import swatches
from understudy_training.networks.flow import FlowNetwork
from understudy_training.networks.fusion import FusionHead
from understudy_training.networks.fusion_graph import FusionGraph
from understudy_training.options import read_options
from understudy_training.safetensors_file import read_safetensors
from understudy_training.task import Export, Extras
from understudy_training.tasks.flow import SPREADS, truth_of

_HELD_OUT, _CALIBRATION, _REPORT = 91_000, 93_000, 95_000
_LUMA = (0.2126, 0.7152, 0.0722)
_PART = 16


@dataclass(frozen=True, slots=True)
class FusionOptions:
    """The recipe's options.

    Attributes:
        batch: Crops in a batch.
        height: Rows of a crop, a multiple of 4.
        width: Columns.
        scene_height: Rows of the pairs that crops are taken from.
        scene_width: Columns.
        pool: Pairs whose candidates are computed at the start; crops are taken from them.
        motion: Least and most spread of layers' shifts, pixels.
        pictures: Pictures in the stock that scenes are cut from.
        picture_size: Pixels along their sides.
        shapes: Shapes in the stock.
        hidden: Weight of points that the other frame hides.
        held_out: Validation pairs for each spread.
        flow_weights: Weights of the flow recipe (``best.safetensors`` of its run): what that network finds, refined, is
            a fourth candidate. Empty for none.
        workers: Threads that compute candidates; 0 for one a core.
    """

    batch: int = 16
    height: int = 160
    width: int = 192
    scene_height: int = 256
    scene_width: int = 320
    pool: int = 640
    motion: tuple[float, float] = (0.7, 30.0)
    pictures: int = 160
    picture_size: int = 384
    shapes: int = 200
    hidden: float = 0.5
    held_out: int = 6
    flow_weights: str = ""
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            if getattr(self, name) % 4:
                raise ValueError(f"{name}: must be a multiple of 4")
        if self.pool < 1:
            raise ValueError("pool: must be at least 1")


class FusionTask:
    """Trains ``networks.fusion``."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = read_options(FusionOptions, options)
        self._pool: dict[str, Tensor] = {}
        self._held_out: dict[float, dict[str, Tensor]] = {}
        self._samples: dict[int, Judged] = {}
        self._matcher = _matcher(self._options.flow_weights) if self._options.flow_weights else None
        self._kinds = len(SEARCHES) + (self._matcher is not None)

    def network(self) -> nn.Module:
        """A fresh head."""
        return FusionHead()

    def batch(self, rng: torch.Generator, device: torch.device) -> dict[str, Tensor]:
        """Crops of the pool, one place in all pictures of a batch; see ``_pooled`` for what they hold."""
        options = self._options
        if not self._pool:
            self._pool = self._drawn_pool(device)
        pool = self._pool
        pick = torch.randint(len(pool["here"]), (options.batch,), generator=rng, device=rng.device).to(device)
        height, width = pool["here"].shape[2:]
        room = torch.tensor([height - options.height + 1, width - options.width + 1], device=rng.device)
        top, left = (torch.rand(2, generator=rng, device=rng.device) * room).long().tolist()
        window = (..., slice(top, top + options.height), slice(left, left + options.width))
        return {name: tensor[pick][window] for name, tensor in pool.items()}

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Distance of the fused vectors to the truth, and the fit of doubt."""
        del progress
        flow, doubt = network(batch["here"], batch["there"], batch["flows"], batch["backs"])
        seen = batch["seen"].float()
        fast = batch["flow"].norm(dim=1).mean(dim=(1, 2))
        weight = (seen + (1 - seen) * self._options.hidden) * (4 / (1 + fast / 4))[:, None, None, None]
        distance = torch.sqrt(((flow - batch["flow"]) ** 2).sum(dim=1, keepdim=True) + 1e-4)
        unsure = (distance.detach() * torch.exp(-doubt) + doubt).mean()
        terms = {"epe": distance.detach().mean(), "doubt": unsure.detach()}
        return (distance * weight).mean() + 0.2 * unsure, terms

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Endpoint errors on held-out scenes, of the head and of each candidate; the score is against the first one."""
        figures: dict[str, float] = {}
        gains = []
        for spread in SPREADS:
            held = self._held(spread, device)
            flow, _ = network(held["here"], held["there"], held["flows"], held["backs"])
            error = (flow - held["flow"]).norm(dim=1).mean()
            each = (held["flows"] - held["flow"][:, None]).norm(dim=2)
            figures[f"epe_{spread:g}"] = float(error)
            for kind in range(self._kinds):
                figures[f"baseline_{kind}_{spread:g}"] = float(each[:, kind].mean())
            figures[f"baseline_oracle_{spread:g}"] = float(each.amin(dim=1).mean())
            gains.append(math.log(float(each[:, 0].mean()) / float(error)))
        figures["score"] = sum(gains) / len(gains)
        return figures

    def deploy(self, network: nn.Module) -> nn.Module:
        """The head as the pack calls it, with a table of confidence fitted on scenes of its own."""
        network.eval()
        return FusionGraph(network, table_of(self._judged(network, _CALIBRATION)))

    def extras(self, network: nn.Module) -> Extras:
        """What confidence is worth, on further scenes."""
        table = table_of(self._judged(network, _CALIBRATION))
        prefix = "" if self._matcher is None else "pick-"
        return extras_of(table, self._judged(network, _REPORT), "Picked motion", prefix)

    def exports(self, deployed: nn.Module) -> list[Export]:
        """One graph for pictures of any size, a multiple of 4."""
        rng = torch.Generator().manual_seed(5)

        def inputs(height: int, width: int) -> dict[str, Tensor]:
            gray = {name: torch.rand((1, 1, height, width), generator=rng) for name in ("here", "there")}
            shape = (self._kinds, 2, height, width)
            flow = {name: torch.randn(shape, generator=rng) * 3 for name in ("flows", "backs")}
            return gray | flow

        names = ("here", "there", "flows", "backs", "flow", "confidence")
        axes = {name: {2: "height", 3: "width"} for name in names}
        checks = (inputs(32, 48), inputs(40, 28))
        file = "model.onnx" if self._matcher is None else "pick.onnx"  # beside the flow recipe's graph
        return [Export(file, deployed, inputs(24, 32), ("flow", "confidence"), axes, checks, tolerance=1e-3)]

    def sheet(self, rng: torch.Generator, device: torch.device) -> Tensor:
        """A frame, its motion, and each candidate's, as color."""
        stock = swatches(str(device), 32, 192, 40)
        scenes = draw_layers(rng, 4, 192, 256, device, motion=(2.0, 20.0), stock=stock)
        pool = self._pooled(truth_of(scenes))
        pictures: list[Tensor] = []
        for index in range(4):
            most = pool["flow"][index].norm(dim=0).quantile(0.99)
            pictures += [scenes.frames[index, 0], *flow_color(pool["flow"][index : index + 1], most)]
            pictures += list(flow_color(pool["flows"][index], most))
        return tiled(pictures, columns=2 + self._kinds)

    def _pooled(self, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the head learns from, both directions as samples of their own.

        Args:
            truth: As of ``truth_of``.

        Returns:
            ``here there`` ``(2n, 1, h, w)`` gray, ``flows backs`` ``(2n, k, 2, h, w)``, ``flow seen`` as in ``truth``.
        """
        import cv2

        device = truth["a"].device
        luma = torch.tensor(_LUMA, device=device)[:, None, None]
        a, b = ((truth[name] * luma).sum(dim=1, keepdim=True) for name in ("a", "b"))
        firsts, seconds = ((gray[:, 0] * 255).cpu().numpy() for gray in (a, b))
        jobs = [*zip(firsts, seconds, strict=True), *zip(seconds, firsts, strict=True)]
        before = cv2.getNumThreads()
        cv2.setNumThreads(1)  # a pair to a thread is quicker than threads inside one
        try:
            with ThreadPoolExecutor(self._options.workers or os.cpu_count()) as threads:
                flows = np.stack(list(threads.map(lambda pair: candidates(*pair), jobs)))
                if self._matcher is not None:
                    matched = self._matched(truth).transpose(0, 2, 3, 1)
                    more = threads.map(
                        lambda job: refined(job[0][0], job[0][1], job[1]), zip(jobs, matched, strict=True)
                    )
                    flows = np.concatenate([flows, np.stack(list(more)).transpose(0, 3, 1, 2)[:, None]], axis=1)
        finally:
            cv2.setNumThreads(before)
        found, half = torch.from_numpy(flows).to(device), len(firsts)
        return {
            "here": torch.cat([a, b]),
            "there": torch.cat([b, a]),
            "flows": found,
            "backs": torch.cat([found[half:], found[:half]]),
            "flow": truth["flow"],
            "seen": truth["seen"],
        }

    def _matched(self, truth: Mapping[str, Tensor]) -> Floats:
        """What the flow network finds, ``(2n, 2, h, w)``."""
        assert self._matcher is not None
        network, found = self._matcher.to(truth["a"].device), []
        with torch.no_grad():
            for start in range(0, len(truth["a"]), 4):
                part = slice(start, start + 4)
                found.append(network(truth["a"][part], truth["b"][part]).flow.cpu().chunk(2))
        return torch.cat([pair[way] for way in (0, 1) for pair in found]).numpy()

    def _drawn_pool(self, device: torch.device) -> dict[str, Tensor]:
        """Scenes drawn on the device from fixed seeds, candidates computed on all cores."""
        options = self._options
        stock = swatches(str(device), options.pictures, options.picture_size, options.shapes)
        truths = []
        for start in range(0, options.pool, _PART):
            rng = torch.Generator(device).manual_seed(7_000 + start)
            count = min(_PART, options.pool - start)
            size = max(options.scene_height, options.height), max(options.scene_width, options.width)
            truths.append(truth_of(draw_layers(rng, count, *size, device, motion=options.motion, stock=stock)))
        halves = [{name: truth[name].chunk(2) for name in ("flow", "seen")} for truth in truths]
        whole = {name: torch.cat([truth[name] for truth in truths]) for name in ("a", "b")}
        for name in ("flow", "seen"):
            whole[name] = torch.cat([half[name][way] for way in (0, 1) for half in halves])
        return self._pooled(whole)

    def _judged(self, network: nn.Module, seed: int) -> Judged:
        """Samples of doubt and true error, drawn and estimated once; a weight's change needs a new task."""
        if seed not in self._samples:
            self._samples[seed] = self._sampled(network, seed)
        return self._samples[seed]

    def _sampled(self, network: nn.Module, seed: int) -> Judged:
        """Doubt and true error of the head on scenes of all speeds."""
        stock = swatches("cpu", 24, 192, 40, seed=seed)
        parts = []
        with torch.no_grad():
            for spread in CONFIDENCE_SPREADS:
                rng = torch.Generator().manual_seed(seed + int(spread * 10))
                count = self._options.held_out
                truth = truth_of(draw_layers(rng, count, 256, 320, "cpu", motion=(spread, spread), stock=stock))
                held = self._pooled(truth)
                flow, doubt = network(held["here"], held["there"], held["flows"], held["backs"])
                parts.append(judged(doubt, (flow - held["flow"]).norm(dim=1, keepdim=True)))
        return joined(parts)

    def _held(self, spread: float, device: torch.device) -> dict[str, Tensor]:
        if spread not in self._held_out:
            rng = torch.Generator().manual_seed(_HELD_OUT + int(spread * 10))
            stock = swatches("cpu", 24, 192, 40, seed=_HELD_OUT)
            truth = truth_of(
                draw_layers(rng, self._options.held_out, 256, 320, "cpu", motion=(spread, spread), stock=stock)
            )
            held = self._pooled(truth)
            self._held_out[spread] = {name: tensor.to(device) for name, tensor in held.items()}
        return self._held_out[spread]


def _matcher(path: str) -> FlowNetwork:
    """The flow network with the weights of a file."""
    try:
        tensors, _ = read_safetensors(Path(path))
    except OSError as error:
        fix = "run the flow recipe first, or set options.flow_weights to its best.safetensors"
        raise TrainingError(f"can't be read: {error.strerror}", where=path, fix=fix, exit_code=3) from None
    network = FlowNetwork()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return network.eval().requires_grad_(False)


TASK = FusionTask
