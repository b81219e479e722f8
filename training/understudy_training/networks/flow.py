# SPDX-License-Identifier: Apache-2.0
"""A small network for motion: one match over the whole picture, then refinement at an eighth and at a quarter of it.

After GMFlow (Xu et al., CVPR 2022: global matching), RAFT (Teed and Deng, ECCV 2020: repeated refinement by one block,
convex upsampling) and PWC-Net (Sun et al., CVPR 2018: warp, then look around). Both directions are found at once; each
refinement sees how far its vectors come back by the other direction's. No normalization layers, so a picture's answer
does not depend on what it was batched with.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy_training.networks.flow_matching import match_around, match_everywhere, swapped, unit, warped

STRIDE = 16
"""Sides of pictures must be multiples of this."""


@dataclass(frozen=True, slots=True)
class Guess:
    """Motion at one stage.

    Attributes:
        flow: ``(2n, 2, h / scale, w / scale)``, forward first then backward, in pixels of the whole picture.
        scale: Picture pixels per pixel of this stage.
    """

    flow: Tensor
    scale: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network says.

    Attributes:
        flow: ``(2n, 2, h, w)``: forward of each pair, then backward, pixels, x right, y down.
        doubt: ``(2n, 1, h, w)``: logarithm of the expected error in pixels.
        hidden: ``(2n, 1, h, w)``: logit that the other frame does not show the point.
        guesses: Earlier stages, for training.
    """

    flow: Tensor
    doubt: Tensor
    hidden: Tensor
    guesses: tuple[Guess, ...]


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.normal_(self.second.weight, std=0.2 / (channels * 9) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x + self.second(functional.leaky_relu(self.first(x), 0.1)), 0.1)


class _Down(nn.Sequential):
    def __init__(self, into: int, out: int, blocks: int) -> None:
        super().__init__(
            nn.Conv2d(into, out, 3, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            *(_Residual(out) for _ in range(blocks)),
        )


class _Update(nn.Module):
    """One refinement: looks around where vectors point, and moves them."""

    def __init__(self, features: int, width: int, radius: int, dilation: int) -> None:
        super().__init__()
        self.radius = radius
        seen = (2 * radius + 1) ** 2 + 2 + 1 + 1
        self.look = nn.Conv2d(seen + features + width, width, 3, padding=1)
        self.mix = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.state = nn.Conv2d(width, width, 3, padding=1)
        self.move = nn.Conv2d(width, 2, 3, padding=1)
        nn.init.normal_(self.state.weight, std=0.3 / (width * 9) ** 0.5)
        nn.init.normal_(self.move.weight, std=0.02 / (width * 9) ** 0.5)

    def forward(
        self, flow: Tensor, state: Tensor, context: Tensor, keys: tuple[Tensor, Tensor], sure: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Flow in pixels of this stage, and the state, both refined."""
        here, there = keys
        alike = match_around(here, _cast(warped(there, flow), here), self.radius)
        back = flow + warped(swapped(flow), flow)
        returned = torch.log1p((back * back).sum(dim=1, keepdim=True))
        known = torch.cat([alike * 4, _squashed(flow), returned, sure], dim=1)
        x = functional.leaky_relu(self.look(torch.cat([_cast(known, state), context, state], dim=1)), 0.1)
        x = functional.leaky_relu(self.mix(x), 0.1)
        state = functional.leaky_relu(state + self.state(x), 0.1)
        return flow + self.move(state).float(), state


def _cast(tensor: Tensor, like: Tensor) -> Tensor:
    return tensor.to(like.dtype)


def _squashed(flow: Tensor) -> Tensor:
    """Vectors of any length as numbers of a few units."""
    return flow * torch.rsqrt(1 + flow.abs())


class FlowNetwork(nn.Module):
    """Pictures ``a`` and ``b``, ``(n, 3, h, w)`` in 0-1, to motion both ways.

    Args:
        most_places: Places that are matched with each other at most; larger pictures are matched coarser.
        coarse: Refinements at an eighth.
        fine: Refinements at a quarter.
    """

    def __init__(self, most_places: int = 8192, coarse: int = 3, fine: int = 2) -> None:
        super().__init__()
        self.most_places, self.coarse, self.fine = most_places, coarse, fine
        self.stem = _Down(3, 32, 0)
        self.stem_mix = nn.Conv2d(32, 32, 3, padding=1)
        self.quarter = _Down(32, 48, 2)
        self.eighth = _Down(48, 96, 2)
        self.sixteenth = _Down(96, 128, 1)
        self.match_key = nn.Conv2d(128, 128, 1)
        self.sharpness = nn.Parameter(torch.tensor(20.0))
        self.nearness = nn.Parameter(torch.tensor(12.0))
        self.key8, self.context8 = nn.Conv2d(96, 64, 1), nn.Conv2d(96, 64, 1)
        self.wide8, self.state8 = nn.Conv2d(128, 64, 1), nn.Conv2d(96, 96, 1)
        self.update8 = _Update(128, 96, radius=3, dilation=2)
        self.key4, self.context4 = nn.Conv2d(48, 32, 1), nn.Conv2d(48, 32, 1)
        self.state4 = nn.Conv2d(96, 64, 1)
        self.update4 = _Update(32, 64, radius=2, dilation=1)
        self.spread = nn.Conv2d(64, 9 * 16, 1)
        self.judge = nn.Conv2d(64 + 32, 2 * 4, 3, padding=1)

    def forward(self, a: Tensor, b: Tensor, most_places: int | None = None) -> Answer:
        """Motion of each pair; ``most_places`` overrides how finely the whole picture is matched."""
        pictures = _normalized(a, b)
        f2 = functional.leaky_relu(self.stem_mix(self.stem(pictures)), 0.1)
        f4 = self.quarter(f2)
        f8 = self.eighth(f4)
        f16 = self.sixteenth(f8)
        flow16, sure16 = self._everywhere(self.match_key(f16), most_places or self.most_places)
        guesses = [Guess(flow16 * 16, 16)]
        flow, sure = _twice(flow16) * 2, _twice(sure16)
        context = torch.cat([self.context8(f8), _cast(_twice(self.wide8(f16)), f8)], dim=1)
        state = torch.tanh(self.state8(f8))
        keys = _keys(self.key8(f8))
        for _ in range(self.coarse):
            flow, state = self.update8(flow.detach(), state, context, keys, sure)
            guesses.append(Guess(flow * 8, 8))
        flow, sure = _twice(flow) * 2, _twice(sure)
        context, keys = self.context4(f4), _keys(self.key4(f4))
        state = torch.tanh(_cast(_twice(self.state4(state)), f4))
        for _ in range(self.fine):
            flow, state = self.update4(flow.detach(), state, context, keys, sure)
            guesses.append(Guess(flow * 4, 4))
        count, _, height, width = state.shape
        share = torch.softmax(self.spread(state).float().reshape(count, 9, 16, height, width), dim=1)
        # The judge looks at what the last refinement left: how it looks alike and how far vectors come back.
        judged = functional.pixel_shuffle(self.judge(torch.cat([state, context], dim=1)).float(), 2)
        doubt, hidden = _twice(judged).split(1, dim=1)
        return Answer(_spread(flow * 4, share), doubt, hidden, tuple(guesses))

    def _everywhere(self, features: Tensor, most_places: int) -> tuple[Tensor, Tensor]:
        """Motion at a sixteenth, in pixels of it, and how sure it is."""
        size = features.shape[2:]
        places = features.shape[2] * features.shape[3]
        share = torch.clamp(torch.sqrt(torch.as_tensor(most_places / places)), max=1.0)
        coarse = [torch.ceil(side * share - 1e-3).long() for side in size]
        small = functional.interpolate(features.float(), size=coarse, mode="bilinear", align_corners=True)
        here = unit(small)
        flow, sure = match_everywhere(here, swapped(here), self.sharpness, functional.relu(self.nearness))
        both = functional.interpolate(torch.cat([flow, sure], dim=1), size=size, mode="bilinear", align_corners=True)
        factors = [(full - 1) / (part - 1).clamp(min=1) for full, part in zip(size, coarse, strict=True)]
        return torch.cat([both[:, :1] * factors[1], both[:, 1:2] * factors[0]], dim=1), both[:, 2:]


def _normalized(a: Tensor, b: Tensor) -> Tensor:
    """Both pictures in one batch, ``a`` first, pairs to mean 0 and deviation 1: dark looks like bright."""
    pair = torch.cat([a, b], dim=3)
    mean = pair.mean(dim=(1, 2, 3), keepdim=True)
    square = ((pair - mean) ** 2).mean(dim=(1, 2, 3), keepdim=True)
    scale = torch.rsqrt(square + 1e-5)
    return torch.cat([(a - mean) * scale, (b - mean) * scale])


def _keys(features: Tensor) -> tuple[Tensor, Tensor]:
    """Unit features of each frame and of its other, in the type of the features."""
    here = _cast(unit(features), features)
    return here, swapped(here)


def _twice(x: Tensor) -> Tensor:
    """Twice the size, bilinear, float32."""
    return functional.interpolate(x.float(), scale_factor=2.0, mode="bilinear", align_corners=False)


def _spread(flow: Tensor, share: Tensor) -> Tensor:
    """Four times the size: each pixel a mean of the 3x3 vectors around, weighed by ``share`` ``(n, 9, 16, h, w)``."""
    height, width = flow.shape[2], flow.shape[3]
    around = functional.pad(flow, (1, 1, 1, 1), mode="replicate")
    total = torch.zeros_like(share[:, 0, None])
    for index in range(9):
        dy, dx = index // 3, index % 3
        window = around[:, :, dy : dy + height, dx : dx + width]
        total = total + window[:, :, None] * share[:, index, None]
    return functional.pixel_shuffle(total.flatten(1, 2), 4)
