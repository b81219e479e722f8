# SPDX-License-Identifier: Apache-2.0
"""Normals, albedo and confidence of one picture, learned from shaded solids."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy_training.calibration import error_auroc
from understudy_training.contact_sheet import tiled
from understudy_training.generators.dice import Dice
from understudy_training.generators.directions import along_z, around
from understudy_training.generators.recording import record
from understudy_training.generators.shaded import draw_shaded
from understudy_training.networks.intrinsics import (
    Intrinsics,
    IntrinsicsNet,
    encoded,
    level_of,
    looked_at_twice,
    luma,
    read,
    trusted,
)
from understudy_training.networks.intrinsics_whole import SURE_DEGREES, WORK_SIDE, WholePicture
from understudy_training.options import read_options
from understudy_training.task import Export, Extras
from understudy_training.tasks.intrinsics_card import make_extras

_HELD_OUT = 7_770_000
_CALIBRATION = 8_880_000
_REPORT = 9_990_000
_CHECKED = 32
"""Pictures that calibrate confidence, and as many others that the card reports on; a CPU draws them."""
_DARK = 0.03
_RELIGHTS = 4


@dataclass(frozen=True, slots=True)
class Options:
    """The recipe's ``[options]``.

    Attributes:
        batch: Pictures in a batch.
        size: Their side, pixels; a multiple of 32.
        lightings: Pictures of one scene, each with light and materials of its own.
        grid: Side of the generator's table of distances.
        widths: Channels at 1/2 to 1/32 of the size.
        blocks: Residual blocks on each level, each way.
        held_out: Pictures that are validated on.
        held_out_size: Their side, pixels.
    """

    batch: int = 32
    size: int = 256
    lightings: int = 2
    grid: int = 64
    widths: tuple[int, ...] = (32, 48, 64, 96, 96)
    blocks: int = 2
    held_out: int = 64
    held_out_size: int = 256

    def __post_init__(self) -> None:
        for name in ("size", "held_out_size"):
            if getattr(self, name) % 32 or getattr(self, name) < 32:
                raise ValueError(f"{name}: must be a multiple of 32")
        for name in ("batch", "lightings", "blocks", "held_out"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1")
        if self.grid < 8:
            raise ValueError("grid: must be at least 8")
        if len(self.widths) != 5 or min(self.widths) < 1:
            raise ValueError("widths: must be five numbers over 0")


class IntrinsicsTask:
    """Learns what of a picture is shape, what is light and what is color.

    Args:
        options: The recipe's ``[options]`` table.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = read_options(Options, options)
        self._trusted: tuple[nn.Module, tuple[float, float]] | None = None
        self._held_out: dict[tuple[str, int], list[dict[str, Tensor]]] = {}

    def network(self) -> IntrinsicsNet:
        """The U-Net."""
        return IntrinsicsNet(self._options.widths, self._options.blocks)

    def batch(self, rng: torch.Generator, device: torch.device) -> dict[str, Tensor]:
        """Pictures as recorded, with their truth and random lights to compare under."""
        some = self._options
        return _draw(rng, some.batch, some.size, device, some.lightings, some.grid)

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002 - the contract's
        """Angle, likelihood of the normals, difference when relit, and albedo up to a factor with its edges."""
        said = read(network(batch["seen"]))
        # Angles and logarithms stay in float32, whatever the network computed in.
        with torch.autocast(said.normal.device.type, enabled=False):
            return _loss(said, batch)

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Mean angle in degrees on held-out scenes, that of a flat guess, the relit and the albedo error, and AUROC.

        ``score`` is the negative mean angle.
        """
        found = self._answers(network, device, _HELD_OUT)
        angle, flat = torch.cat([part[0] for part in found]), torch.cat([part[1] for part in found])
        sure = torch.cat([part[2] for part in found])
        relit, color = (sum(part[k] for part in found) / len(found) for k in (3, 4))
        return {
            "score": -float(angle.mean()),
            "mean_angle": float(angle.mean()),
            "median_angle": float(angle.median()),
            "baseline_angle": float(flat.mean()),
            "within_11_degrees": float((angle < 11.25).float().mean()),
            "relit": float(relit),
            "albedo": float(color),
            "auroc": error_auroc(sure[::7].cpu(), angle[::7].cpu(), SURE_DEGREES),
        }

    def deploy(self, network: nn.Module) -> nn.Module:
        """The network with its level, its working size and calibrated confidence around it."""
        if not isinstance(network, IntrinsicsNet):
            raise TypeError(f"{type(network).__name__} is no IntrinsicsNet")
        network = network.cpu().eval()
        return WholePicture(network, self._trust(network))

    def exports(self, deployed: nn.Module) -> list[Export]:
        """One graph, from a plate of any size to normal, albedo and confidence."""
        rng = torch.Generator().manual_seed(1)
        names = ("normal", "albedo", "confidence")
        axes = {name: {2: "height", 3: "width"} for name in ("image", *names)}
        shapes = [(96, 128), (75, 131), (420, 500), (1, 1)]
        example, *others = ({"image": 2 * torch.rand(1, 3, *shape, generator=rng)} for shape in shapes)
        return [Export("model.onnx", deployed, example, names, axes, tuple(others), 2e-3)]

    def sheet(self, rng: torch.Generator, device: torch.device) -> Tensor:
        """Rows of pictures as recorded, with normals, albedo and shading below."""
        size = self._options.size
        shaded = draw_shaded(rng, 24, size, size, device, lightings=self._options.lightings, grid=self._options.grid)
        seen, _ = record(Dice(rng, device), shaded.image)
        mask = shaded.mask.float()
        rows = []
        for first in range(0, 24, 8):
            part = slice(first, first + 8)
            rows += [*_shown(seen[part]), *((shaded.normal[part] * 0.5 + 0.5) * mask[part])]
            rows += [*(shaded.albedo[part] ** (1 / 2.2) * mask[part]), *_shown(shaded.shading[part] * mask[part])]
        return tiled(rows, 8)

    def extras(self, network: nn.Module) -> Extras:
        """Pictures, curves and figures of confidence on scenes that were neither trained, chosen nor calibrated on."""
        network = network.cpu().eval()
        trust = torch.tensor(self._trust(network))
        rows = []
        for batch in self._drawn(torch.device("cpu"), _REPORT, *self._checked):
            said = looked_at_twice(network, batch["seen"])
            rows.append((batch, said, trusted(said.kappa, trust)))
        return make_extras(rows)

    @property
    def _checked(self) -> tuple[int, int]:
        """How many pictures calibrate confidence, and their side: what the network sees of a plate at most."""
        return min(_CHECKED, self._options.held_out), min(WORK_SIDE, self._options.held_out_size)

    def _trust(self, network: nn.Module) -> tuple[float, float]:
        """What ``trusted`` needs, fitted to held-out scenes; kept for the last network."""
        if self._trusted is None or self._trusted[0] is not network:
            self._trusted = (network, self._fitted_trust(network))
        return self._trusted[1]

    def _fitted_trust(self, network: nn.Module) -> tuple[float, float]:
        logs, good = [], []
        limit = math.cos(math.radians(SURE_DEGREES))
        for batch in self._drawn(torch.device("cpu"), _CALIBRATION, *self._checked):
            with torch.no_grad():
                said = looked_at_twice(network, batch["seen"])
            mask = batch["mask"].bool()
            logs.append(said.kappa[mask].log())
            good.append((said.normal * batch["normal"]).sum(dim=1, keepdim=True)[mask] > limit)
        return logistic(torch.cat(logs), torch.cat(good))

    def _answers(
        self, network: nn.Module, device: torch.device, seed: int
    ) -> list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
        found = []
        for batch in self._drawn(device, seed, self._options.held_out, self._options.held_out_size):
            said = read(network(batch["seen"]))
            mask = batch["mask"].bool()
            cosine = (said.normal * batch["normal"]).sum(dim=1, keepdim=True)[mask].clamp(-1, 1)
            flat = batch["normal"][:, 2:][mask].clamp(-1, 1)
            relit = _relit(said.normal, batch["normal"], batch["lights"])[mask].mean()
            color, _ = _albedo_terms(said.shading - batch["shading"], batch["mask"] * batch["honest"])
            found.append((cosine.acos().rad2deg(), flat.acos().rad2deg(), said.kappa[mask], relit, color))
        return found

    def _drawn(self, device: torch.device, seed: int, total: int, size: int) -> list[dict[str, Tensor]]:
        """The held-out pictures of a seed, the same all through a run; the CPU draws others than a GPU."""
        key = (str(device), seed)
        if key not in self._held_out:
            some = self._options
            batches = []
            for first in range(0, total, 16):
                rng = torch.Generator(device).manual_seed(seed + first)
                count = min(16, total - first)
                with torch.no_grad():
                    batches.append(_draw(rng, count, size, device, 1, some.grid))
            self._held_out[key] = batches
        return self._held_out[key]


def _draw(
    rng: torch.Generator, count: int, size: int, device: torch.device, lightings: int, grid: int
) -> dict[str, Tensor]:
    dice = Dice(rng, device)
    shaded = draw_shaded(rng, count, size, size, device, lightings=lightings, grid=grid)
    seen, honest = record(dice, shaded.image)
    normal, albedo, mask = shaded.normal, shaded.albedo, shaded.mask
    # Mirror images of whole batches' halves: a picture and its mirror image are equally likely.
    flip = dice.happens(count, 1, 1, 1, chance=0.5)
    seen, normal, albedo, mask = (torch.where(flip, part.flip(3), part) for part in (seen, normal, albedo, mask))
    normal = torch.cat([torch.where(flip, -normal[:, :1], normal[:, :1]), normal[:, 1:]], dim=1)
    level = level_of(seen)
    bright = luma(seen) > _DARK * level
    shading = torch.log((seen / level).clamp_min(_DARK * 0.3) / albedo)
    toward = along_z(torch.ones(count, _RELIGHTS, device=device))
    lamps = around(dice, toward, dice.uniform(count, _RELIGHTS, high=1.6))
    return {
        "seen": encoded(seen, level),
        "normal": normal,
        "shading": shading,
        "mask": mask.float(),
        "honest": honest.reshape(-1, 1, 1, 1) * bright.float(),
        "lights": torch.cat([lamps, dice.log_uniform(count, _RELIGHTS, 1, low=0.05, high=0.6)], dim=-1),
    }


def _loss(said: Intrinsics, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    mask = batch["mask"]
    count = mask.sum().clamp_min(1)

    def over(values: Tensor) -> Tensor:
        return (values * mask).sum() / count

    apart = (said.normal - batch["normal"]).square().sum(dim=1, keepdim=True)
    angle = over((apart + 1e-6).sqrt())
    likelihood = over(_nll(said.kappa, apart / 2))
    relit = over(_relit(said.normal, batch["normal"], batch["lights"]))
    color, edges = _albedo_terms(said.shading - batch["shading"], mask * batch["honest"])
    total = angle + 0.15 * likelihood + 0.25 * relit + 0.3 * color + 0.3 * edges
    return total, {"angle": angle, "likelihood": likelihood, "relit": relit, "albedo": color, "edges": edges}


def logistic(scores: Tensor, good: Tensor) -> tuple[float, float]:
    """Offset and slope for which ``sigmoid(offset + slope * score)`` is the likeliest chance of good (by Newton)."""
    x = torch.stack([torch.ones_like(scores), scores], dim=1).double()
    y, found = good.double(), torch.zeros(2, dtype=torch.float64)
    for _ in range(20):
        chance = torch.sigmoid(x @ found)
        curve = (x * (chance * (1 - chance))[:, None]).T @ x + 1e-3 * torch.eye(2, dtype=torch.float64)
        found = found + torch.linalg.solve(curve, x.T @ (y - chance) - 1e-3 * found)
    return float(found[0]), float(found[1])


def _nll(kappa: Tensor, short: Tensor) -> Tensor:
    """Negative log-likelihood of von Mises-Fisher on the sphere; ``short`` is 1 minus the cosine to its mean."""
    return kappa * short - torch.log(kappa) + torch.log1p(-torch.exp(-2 * kappa)) + math.log(2 * math.pi)


def _relit(said: Tensor, truth: Tensor, lights: Tensor) -> Tensor:
    """Difference in stops under lamps ``(n, lamps, 4)``, direction and surrounding light: ``(n, 1, h, w)``."""
    count, lamps = lights.shape[:2]
    lamp, fill = lights[..., :3], lights[..., 3, None, None]

    def lit(normal: Tensor) -> Tensor:
        height, width = normal.shape[2:]
        facing = (lamp @ normal.reshape(count, 3, -1)).reshape(count, lamps, height, width)
        return torch.log2(facing.clamp_min(0) + fill)

    return (lit(said) - lit(truth)).abs().mean(dim=1, keepdim=True)


def _albedo_terms(error: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Error of log shading, so of log albedo: mostly up to one factor per picture, and of its steps on three scales."""
    total = weight.sum(dim=(2, 3), keepdim=True).clamp_min(1)
    mean = (error * weight).sum(dim=(2, 3), keepdim=True) / total
    mean = mean.mean(dim=1, keepdim=True)
    count = weight.sum().clamp_min(1) * 3
    level = ((error - 0.9 * mean).abs() * weight).sum() / count
    edges = torch.zeros_like(level)
    for _ in range(3):
        across = (error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:] * weight[..., :-1]
        down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :] * weight[..., :-1, :]
        edges = edges + (across.sum() + down.sum()) / (weight.sum().clamp_min(1) * 6)
        error, weight = functional.avg_pool2d(error, 2), -functional.max_pool2d(-weight, 2)
    return level, edges


def _shown(linear: Tensor) -> Tensor:
    level = linear.clamp_min(0).mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
    return (linear / level * 0.3).clamp(0, 1) ** (1 / 2.2)


TASK = IntrinsicsTask
