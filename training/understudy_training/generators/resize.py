# SPDX-License-Identifier: Apache-2.0
"""Bicubic reduction by a whole factor, as MATLAB's ``imresize`` does it: the convention of super-resolution benchmarks.

The kernel is Keys' cubic with a = -0.5 (IEEE Trans. ASSP 1981), stretched by the factor against aliasing; pixels are
areas, so the first output pixel lies in the middle of the first ``factor`` input pixels; borders are mirrored with the
edge repeated. MATLAB rounds to 8 bits afterward; this does not.
"""

import torch
from torch import Tensor
from torch.nn import functional


def cubic(offset: Tensor) -> Tensor:
    """Keys' kernel, a = -0.5, at distances in samples."""
    x = offset.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def reduced(pictures: Tensor, factor: int) -> Tensor:
    """Makes pictures smaller.

    Args:
        pictures: [n, c, h, w]; h and w are multiples of ``factor``.
        factor: A whole number, 2 or more.

    Returns:
        [n, c, h / factor, w / factor], float32, not clamped.
    """
    taps = 4 * factor + factor % 2
    before = (taps - factor) // 2
    offsets = torch.arange(taps, device=pictures.device, dtype=torch.float32) - before - (factor - 1) / 2
    kernel = cubic(offsets / factor)
    kernel = kernel / kernel.sum()
    count, channels, height, width = pictures.shape
    flat = pictures.reshape(count * channels, 1, height, width).float()
    flat = functional.conv2d(_mirrored(flat, before, 2), kernel[None, None, :, None], stride=(factor, 1))
    flat = functional.conv2d(_mirrored(flat, before, 3), kernel[None, None, None, :], stride=(1, factor))
    return flat.reshape(count, channels, height // factor, width // factor)


def _mirrored(picture: Tensor, margin: int, axis: int) -> Tensor:
    """Repeats a border mirrored, its edge included."""
    length = picture.shape[axis]
    places = torch.arange(-margin, length + margin, device=picture.device)
    places = torch.where(places < 0, -1 - places, places)
    places = torch.where(places >= length, 2 * length - 1 - places, places).clamp(0, length - 1)
    return picture.index_select(axis, places)
