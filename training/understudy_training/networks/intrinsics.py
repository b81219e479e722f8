# SPDX-License-Identifier: Apache-2.0
"""Normals, shading and confidence of one picture: a U-Net that looks at the whole of it.

The network sees stops over the picture's own level, so that twice the exposure is the same picture to it.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 32
"""Sides of what the network takes must be multiples of this, pixels."""

CHANNELS = 6
"""Three of color in stops, how lit a pixel is, and its place across and down."""

_PLACE = 4
_LUMA = (0.25, 0.6, 0.15)
_BLACK = 1 / 64
_BRIGHT = 256.0
_STOPS = 3.0
_KAPPA_LOW, _KAPPA_HIGH = 0.2, 400.0


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """What the network says, over the picture.

    Attributes:
        normal: ``(n, 3, h, w)``, unit, camera space.
        shading: ``(n, 3, h, w)``: natural logarithm of the radiance of a matte white surface there, the picture's level
            being 1. The picture over its exponential is albedo, up to a factor.
        kappa: ``(n, 1, h, w)``: concentration of a von Mises-Fisher distribution about the normal.
    """

    normal: Tensor
    shading: Tensor
    kappa: Tensor

    def cropped(self, height: int, width: int) -> "Intrinsics":
        """The upper left part."""
        parts = (self.normal, self.shading, self.kappa)
        return Intrinsics(*(part[:, :, :height, :width] for part in parts))


def luma(image: Tensor) -> Tensor:
    """Weighted mean of ``(n, 3, h, w)``, never below 0: ``(n, 1, h, w)``."""
    weights = torch.tensor(_LUMA, device=image.device, dtype=image.dtype).reshape(1, 3, 1, 1)
    return (image.clamp_min(0) * weights).sum(dim=1, keepdim=True)


def level_of(image: Tensor) -> Tensor:
    """The picture's level ``(n, 1, 1, 1)``: the geometric mean of what is lit; twice as much for twice the picture."""
    light = luma(image)
    # A mean of fourth roots: neither black surroundings nor a few lamps count for much.
    rough = light.clamp_min(1e-30).sqrt().sqrt().mean(dim=(2, 3), keepdim=True) ** 4
    ratio = light / rough.clamp_min(1e-20)
    lit = ratio / (ratio + 0.05)
    stops = (lit * torch.log(ratio + 1e-3)).sum(dim=(2, 3), keepdim=True) / lit.sum(dim=(2, 3), keepdim=True).clamp_min(
        1e-6
    )
    return (rough * torch.exp(stops)).clamp_min(1e-20)


def encoded(image: Tensor, level: Tensor) -> Tensor:
    """What the network sees of a linear picture ``(n, 3, h, w)``: ``(n, CHANNELS, h, w)``."""
    ratio = (image / level).clamp(0, _BRIGHT)
    stops = torch.log2(ratio + _BLACK) / _STOPS
    light = luma(ratio)
    lit = light / (light + 0.05)
    ones = torch.ones_like(lit)
    across, down = ones.cumsum(dim=3), ones.cumsum(dim=2)
    place = [2 * across / across[..., -1:] - 1, 2 * down / down[..., -1:, :] - 1]
    return torch.cat([stops, lit, *place], dim=1)


class Block(nn.Module):
    """A residual of two convolutions; it starts as nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight)
        nn.init.zeros_(self.first.bias)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape."""
        return x + self.second(functional.relu(self.first(functional.relu(x))))


class Surroundings(nn.Module):
    """Tells every place what is in its row, its column and the whole picture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3 * width, width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape."""
        row, column = x.mean(dim=3, keepdim=True), x.mean(dim=2, keepdim=True)
        whole = row.mean(dim=2, keepdim=True)
        seen = torch.cat([row.expand_as(x), column.expand_as(x), whole.expand_as(x)], dim=1)
        return x + self.out(functional.relu(self.mix(seen)))


class IntrinsicsNet(nn.Module):
    """The U-Net: a stem at half size, then levels at 1/4 to 1/32.

    Args:
        widths: Channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size.
        blocks: Residual blocks on each level, each way.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 48, 64, 96, 96), blocks: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(CHANNELS, widths[0], 5, stride=2, padding=2)
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.encode = nn.ModuleList(_blocks(width, blocks if at else 1) for at, width in enumerate(widths))
        self.surroundings = Surroundings(widths[-1])
        self.after = _blocks(widths[-1], 1)
        self.grow = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.join = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in widths[:-1])
        self.decode = nn.ModuleList(_blocks(width, blocks if at else 1) for at, width in enumerate(widths[:-1]))
        self.last = nn.Conv2d(widths[0], 4 * 16, 3, padding=1)
        self.fine = nn.Conv2d(16 + CHANNELS, 24, 3, padding=1)
        self.head = nn.Conv2d(24, 7, 3, padding=1)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.head.bias.copy_(torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]))

    def forward(self, seen: Tensor) -> Tensor:
        """Raw answers ``(n, 7, h, w)``: normal, shading, confidence; sides must be multiples of ``STRIDE``."""
        x = self.encode[0](self.stem(seen))
        skips = []
        for shrink, encode in zip(self.shrink, self.encode[1:], strict=True):
            skips.append(x)
            x = encode(shrink(functional.relu(x)))
        x = self.after(self.surroundings(x))
        for grow, join, decode in zip(reversed(self.grow), reversed(self.join), reversed(self.decode), strict=True):
            x = functional.pixel_shuffle(grow(functional.relu(x)), 2)
            x = decode(join(torch.cat([x, skips.pop()], dim=1)))
        x = functional.pixel_shuffle(self.last(functional.relu(x)), 2)
        return self.head(functional.relu(self.fine(torch.cat([x, seen], dim=1))))


def read(raw: Tensor) -> Intrinsics:
    """Answers in float32 from raw ones."""
    raw = raw.float()
    normal = raw[:, :3]
    normal = normal / (normal.square().sum(dim=1, keepdim=True) + 1e-8).sqrt()
    kappa = _KAPPA_LOW + (_KAPPA_HIGH - _KAPPA_LOW) * torch.sigmoid(raw[:, 6:] - 4.0)
    return Intrinsics(normal, 3.0 * raw[:, 3:6], kappa)


def looked_at_twice(network: nn.Module, seen: Tensor) -> Intrinsics:
    """The mean of what the network says of a picture, as ``encoded`` gives it, and of its mirror image."""
    mirrored = torch.cat([seen[:, :_PLACE].flip(3), seen[:, _PLACE:]], dim=1)
    one, other = read(network(seen)), read(network(mirrored))
    turned = other.normal.flip(3)
    normal = one.normal + torch.cat([-turned[:, :1], turned[:, 1:]], dim=1)
    normal = normal / (normal.square().sum(dim=1, keepdim=True) + 1e-8).sqrt()
    kappa = (one.kappa * other.kappa.flip(3)).sqrt()
    return Intrinsics(normal, (one.shading + other.shading.flip(3)) / 2, kappa)


def trusted(kappa: Tensor, trust: Tensor) -> Tensor:
    """Confidence of a concentration: a logistic curve over its logarithm; ``trust`` is its offset and slope."""
    return torch.sigmoid(trust[0] + trust[1] * torch.log(kappa))


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(count)))
