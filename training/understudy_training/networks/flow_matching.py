# SPDX-License-Identifier: Apache-2.0
"""Matching of features: everywhere at once, and around where a first answer points.

Coordinates, similarities and their softmax are float32 whatever the features are: half precision loses a whole pixel
past column 1024.
"""

import torch
from torch import Tensor
from torch.nn import functional


def grid_like(flow: Tensor) -> Tensor:
    """Pixel coordinates ``(1, 2, h, w)``, x first."""
    # Sums of ones, not arange: traced, they stay right for any size.
    ones = torch.ones_like(flow[:1, :1], dtype=torch.float32)
    return torch.cat([ones.cumsum(3) - 1, ones.cumsum(2) - 1], dim=1)


def warped(image: Tensor, flow: Tensor) -> Tensor:
    """``image`` at where the vectors of ``flow`` (pixels of this size) end; zero outside."""
    places = grid_like(flow) + flow
    height, width = image.shape[2], image.shape[3]
    x, y = places[:, 0] * (2 / (width - 1)) - 1, places[:, 1] * (2 / (height - 1)) - 1
    grid = torch.stack([x, y], dim=3)
    return functional.grid_sample(image.float(), grid, padding_mode="zeros", align_corners=True)


def swapped(both: Tensor) -> Tensor:
    """The other direction's half of a batch in which forward comes before backward."""
    half = both.shape[0] // 2
    return torch.cat([both[half:], both[:half]])


def unit(features: Tensor) -> Tensor:
    """Features of length 1 at each place, float32, told from their mean: what all places share says nothing."""
    features = features.float()
    features = features - features.mean(dim=(2, 3), keepdim=True)
    return features * torch.rsqrt((features * features).sum(dim=1, keepdim=True) + 1e-6)


def match_everywhere(here: Tensor, there: Tensor, sharpness: Tensor, nearness: Tensor) -> tuple[Tensor, Tensor]:
    """Motion of each place to where the other frame looks most alike, among all places.

    The expectation of the place under a softmax of similarities, as in GMFlow (Xu et al., CVPR 2022). Nearer places
    have an advantage, so that where all looks the same the answer is no motion and not the middle of the picture.

    Args:
        here: Unit features ``(n, c, h, w)``.
        there: The other frames', in the same order.
        sharpness: By what similarities are multiplied before the softmax.
        nearness: What it costs to be as far apart as the picture is large (the root of its area).

    Returns:
        Motion ``(n, 2, h, w)`` in pixels of this size, and ``(n, 1, h, w)`` the share of the best match.
    """
    count, _, height, width = here.shape
    with torch.autocast(here.device.type, enabled=False):
        grid = grid_like(here)
        # The square of a distance is a product too, but for a part that all places share: no second table of all pairs.
        cost = nearness / (height * width)
        wide = (count, -1, -1, -1)
        here = torch.cat([here * sharpness, (2 * cost * grid).expand(*wide), torch.ones_like(here[:, :1])], dim=1)
        there = torch.cat(
            [there, grid.expand(*wide), (-cost * (grid * grid).sum(dim=1, keepdim=True)).expand(*wide)], dim=1
        )
        share = torch.softmax(torch.matmul(here.flatten(2).transpose(1, 2), there.flatten(2)), dim=2)
        places = torch.matmul(share, grid.flatten(2).transpose(1, 2).expand(count, -1, -1))
        flow = places.transpose(1, 2).reshape(count, 2, height, width) - grid
        return flow, share.amax(dim=2).reshape(count, 1, height, width)


def match_around(here: Tensor, there: Tensor, radius: int) -> Tensor:
    """Similarity ``(n, (2 radius + 1)^2, h, w)`` to the places around, of features already warped."""
    count, channels, height, width = here.shape
    side = 2 * radius + 1
    if torch.onnx.is_in_onnx_export():  # little memory, many operators
        around = functional.pad(there, (radius, radius, radius, radius))
        products = [
            (here * around[:, :, dy : dy + height, dx : dx + width]).sum(dim=1, keepdim=True)
            for dy in range(side)
            for dx in range(side)
        ]
        return torch.cat(products, dim=1)
    around = functional.unfold(there, side, padding=radius).view(count, channels, side * side, height, width)
    return (here[:, :, None] * around).sum(dim=1)
