# SPDX-License-Identifier: Apache-2.0
"""Motion as color: direction is hue, length is saturation."""

import math

import torch
from torch import Tensor


def flow_color(flow: Tensor, most: Tensor | float | None = None) -> Tensor:
    """Colors 0-1 ``(n, 3, h, w)`` of motion ``(n, 2, h, w)``; no motion is white.

    Args:
        flow: Pixels, x right and y down.
        most: Length of full saturation, one or ``(n, 1, 1)``; the 99th percentile of each picture if left out.
    """
    length = flow.norm(dim=1)
    if most is None:
        most = length.flatten(1)[:, ::7].quantile(0.99, dim=1)[:, None, None]
    saturation = (length / torch.as_tensor(most, device=flow.device).clamp(min=1e-3)).clamp(0, 1)
    hue = torch.atan2(flow[:, 1], flow[:, 0]) / math.tau * 6
    channels = [((hue + shift) % 6 - 3).abs() - 1 for shift in (0, 4, 2)]
    return torch.stack([1 - saturation * (1 - each.clamp(0, 1)) for each in channels], dim=1)
