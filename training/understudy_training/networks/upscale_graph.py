# SPDX-License-Identifier: Apache-2.0
"""The upscaling network between plate values: scene-linear in, scene-linear out, of any size and sign."""

import torch
from torch import Tensor, nn

from understudy_training.networks.upscale import PlainUpscaleNet


class UpscaleGraph(nn.Module):
    """What a pack holds: the curve of sRGB, continued beyond 1 and mirrored below 0, the network, and the way back.

    Beyond its toe the curve is a gain and an offset away from a power, both of which the network commutes with: so a
    plate of twice the light gives twice the result, though the network works on values that the eye finds even.

    Args:
        net: The folded network.
    """

    def __init__(self, net: PlainUpscaleNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        """Upscales [n, 1, h, w] of scene-linear values."""
        return linear(self.net(display(image)))


def display(light: Tensor) -> Tensor:
    """The curve of IEC 61966-2-1, continued beyond 1 and mirrored below 0."""
    size = light.abs()
    curved = 1.055 * torch.pow(size.clamp(min=0.0031308), 1 / 2.4) - 0.055
    return torch.where(size <= 0.0031308, light * 12.92, torch.sign(light) * curved)


def linear(value: Tensor) -> Tensor:
    """The inverse of :func:`display`."""
    size = value.abs()
    curved = torch.pow((size.clamp(min=0.04045) + 0.055) / 1.055, 2.4)
    return torch.where(size <= 0.04045, value / 12.92, torch.sign(value) * curved)
