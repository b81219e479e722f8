# SPDX-License-Identifier: Apache-2.0
"""A light head that picks among several motion estimates, pixel by pixel, and says how far to trust the pick.

Each candidate is judged by the same weights from what can be measured of it: whether what it joins looks alike, whether
it comes back, how it differs from the others. A selector by any one of these loses to the better candidate.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy_training.networks.flow_matching import warped

KINDS = 4
"""Kinds of candidates that the head tells apart."""

_SEEN = 10
_LEAST, _MOST = -4.5, 6.0


class FusionHead(nn.Module):
    """Candidates of one direction to one flow.

    Args:
        width: Channels inside.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        deep = width * 4 // 3
        self.halve = nn.Conv2d(_SEEN + KINDS, width, 3, stride=2, padding=1)
        self.quarter = nn.Conv2d(width, deep, 3, stride=2, padding=1)
        self.around = nn.ModuleList(
            nn.Conv2d(deep, deep, 3, padding=dilation, dilation=dilation) for dilation in (1, 2, 4)
        )
        self.join = nn.Conv2d(width + deep, width, 3, padding=1)
        self.say = nn.Conv2d(width, 4, 3, padding=1)
        nn.init.zeros_(self.say.weight)

    def forward(self, here: Tensor, there: Tensor, flows: Tensor, backs: Tensor) -> tuple[Tensor, Tensor]:
        """The fused flow and the logarithm of its expected error.

        Args:
            here: ``(n, 1, h, w)``: gray, 0-1, sides multiples of 4.
            there: The other frame.
            flows: ``(n, k, 2, h, w)``: candidates, pixels; kinds in a fixed order.
            backs: ``(n, k, 2, h, w)``: the same candidates of the other direction.

        Returns:
            ``(n, 2, h, w)`` and ``(n, 1, h, w)``.
        """
        kinds = flows.shape[1]
        middle = flows.mean(dim=1)
        looks = _look(here), _look(there)
        said = [
            self._judged(measured(looks[0], looks[1], flows[:, kind], backs[:, kind], middle), kind)
            for kind in range(kinds)
        ]
        share = torch.softmax(torch.cat([each[:, :1] for each in said], dim=1), dim=1)
        flow = torch.zeros_like(middle)
        doubt = torch.zeros_like(share[:, :1])
        for kind, each in enumerate(said):
            flow = flow + share[:, kind : kind + 1] * (flows[:, kind] + torch.tanh(each[:, 2:]) * 0.5)
            doubt = doubt + share[:, kind : kind + 1] * each[:, 1:2]
        return flow, doubt.clamp(_LEAST, _MOST)

    def _judged(self, seen: Tensor, kind: int) -> Tensor:
        """Score, log error and a small move of one candidate, ``(n, 4, h, w)``."""
        label = torch.zeros_like(seen[:, :1])
        labels = [label + 1 if index == kind else label for index in range(KINDS)]
        half = functional.leaky_relu(self.halve(torch.cat([seen, *labels], dim=1)), 0.1)
        deep = functional.leaky_relu(self.quarter(half), 0.1)
        for around in self.around:
            deep = functional.leaky_relu(deep + around(deep), 0.1)
        deep = functional.interpolate(deep, scale_factor=2.0, mode="bilinear", align_corners=False)
        joined = functional.leaky_relu(self.join(torch.cat([half, deep], dim=1)), 0.1)
        return functional.interpolate(self.say(joined).float(), scale_factor=2.0, mode="bilinear", align_corners=False)


def _look(gray: Tensor) -> Tensor:
    """What matching points share whatever the exposure, ``(n, 3, h, w)``: detail over the local mean, both slopes."""
    levels = gray * 255
    near = functional.pad(levels, (4, 4, 4, 4), mode="replicate")
    detail = levels - functional.avg_pool2d(near, 9, stride=1)
    beside = functional.pad(levels, (1, 1, 1, 1), mode="replicate")
    across = (beside[:, :, 1:-1, 2:] - beside[:, :, 1:-1, :-2]) * 0.5
    down = (beside[:, :, 2:, 1:-1] - beside[:, :, :-2, 1:-1]) * 0.5
    return torch.cat([detail, across, down], dim=1)


def measured(here: Tensor, there: Tensor, flow: Tensor, back: Tensor, middle: Tensor) -> Tensor:
    """What is known of a candidate without the truth, ``(n, 10, h, w)`` of a few units each."""
    height, width = flow.shape[2], flow.shape[3]
    ones = torch.ones_like(here[:, :1])
    found = warped(torch.cat([there, back, ones], dim=1), flow)
    unlike = torch.log1p((here - found[:, :3]).abs())
    gap = flow + found[:, 3:5]
    returned = torch.log((gap * gap).sum(dim=1, keepdim=True) + 1e-3)
    detail = torch.log1p(here[:, 1:].abs().sum(dim=1, keepdim=True))
    apart = flow - middle
    apart = apart * torch.rsqrt(1 + apart.abs())
    bent = functional.pad(flow, (0, 1, 0, 1), mode="replicate")
    steps = (bent[:, :, :height, 1:] - flow).abs() + (bent[:, :, 1:, :width] - flow).abs()
    steep = torch.log(steps.sum(dim=1, keepdim=True) + 1e-2)
    size = torch.log1p((flow * flow).sum(dim=1, keepdim=True))
    return torch.cat([unlike, returned * 0.5, found[:, 5:], detail, apart, steep * 0.5, size * 0.3], dim=1)
