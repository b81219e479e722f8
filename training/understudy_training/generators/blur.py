# SPDX-License-Identifier: Apache-2.0
"""Gaussian blur with a width of its own for each plane of a batch."""

import torch
from torch import Tensor
from torch.nn import functional


def gaussian_blur(planes: Tensor, deviation: Tensor, reach: float = 3.0) -> Tensor:
    """Blurs each plane by its own Gaussian; borders repeat the outermost pixels.

    Args:
        planes: [n, c, h, w].
        deviation: In pixels, [n, c]; 0 leaves a plane as it is.
        reach: Half-width of the kernel in the largest deviation.

    Returns:
        [n, c, h, w].
    """
    count, channels, height, width = planes.shape
    radius = max(1, min(int(float(deviation.max()) * reach + 0.999), min(height, width) - 1))
    offsets = torch.arange(-radius, radius + 1, device=planes.device, dtype=planes.dtype)
    kernel = torch.exp(-0.5 * (offsets / deviation.reshape(-1, 1).clamp(min=1e-3)) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    flat = planes.reshape(1, count * channels, height, width)
    flat = functional.pad(flat, (radius, radius, radius, radius), mode="replicate")
    flat = functional.conv2d(flat, kernel[:, None, None, :], groups=count * channels)
    flat = functional.conv2d(flat, kernel[:, None, :, None], groups=count * channels)
    return flat.reshape(planes.shape)
