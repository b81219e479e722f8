# SPDX-License-Identifier: Apache-2.0
"""The upscaling network between plate values: scene-linear in, scene-linear out, of any size and sign."""

import torch
from torch import Tensor, nn

from understudy_training.networks.upscale import PlainUpscaleNet

_POWER = 2.4


class UpscaleGraph(nn.Module):
    """What a pack holds: a root that the eye finds even, mirrored below 0, the network, and the way back.

    The root is that of the sRGB curve. Above its toe (a code of 10 in 8 bits) the curve is a gain and an offset away
    from it, and the network commutes with both: so it sees what it was trained on. A root alone has no toe, and all of
    this commutes with gain: a plate of twice the light gives twice the result, and premultiplied color and alpha keep
    their quotient at edges of one color.

    Args:
        net: The folded network.
    """

    def __init__(self, net: PlainUpscaleNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        """Upscales [n, 1, h, w] of scene-linear values."""
        seen = torch.sign(image) * torch.pow(image.abs(), 1 / _POWER)
        large = self.net(seen)
        result: Tensor = torch.sign(large) * torch.pow(large.abs(), _POWER)
        return result


def display(light: Tensor) -> Tensor:
    """The curve of IEC 61966-2-1, continued beyond 1 and mirrored below 0."""
    size = light.abs()
    curved = 1.055 * torch.pow(size.clamp(min=0.0031308), 1 / _POWER) - 0.055
    return torch.where(size <= 0.0031308, light * 12.92, torch.sign(light) * curved)


def linear(value: Tensor) -> Tensor:
    """The inverse of :func:`display`."""
    size = value.abs()
    curved = torch.pow((size.clamp(min=0.04045) + 0.055) / 1.055, _POWER)
    return torch.where(size <= 0.04045, value / 12.92, torch.sign(value) * curved)
