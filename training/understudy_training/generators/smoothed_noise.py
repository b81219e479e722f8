# SPDX-License-Identifier: Apache-2.0
"""Noise smoothed once: pictures for the smallest task."""

import torch
from torch import Tensor


def draw_smoothed_noise(rng: torch.Generator, count: int, size: int, device: torch.device) -> Tensor:
    """Noise from 0 to 1 at half size, enlarged by bilinear weights.

    Args:
        rng: Where the numbers come from, on the device.
        count: Pictures.
        size: Their edge, pixels; even.
        device: Where they are drawn.

    Returns:
        Float ``(count, 1, size, size)``.
    """
    coarse = torch.rand(count, 1, size // 2, size // 2, generator=rng, device=device)
    rows = torch.stack([coarse, (coarse + coarse.roll(-1, -2)) / 2], dim=3).flatten(2, 3)
    both: Tensor = torch.stack([rows, (rows + rows.roll(-1, -1)) / 2], dim=4).flatten(3, 4)
    return both
