# SPDX-License-Identifier: Apache-2.0
"""The intrinsics network around which a plate of any size and exposure fits, as one graph.

The picture is averaged over whole blocks of pixels until its longer side is at most ``WORK_SIDE``, the network answers
for that, and its answers are enlarged along the plate's own edges. So the network costs an 8K plate what it costs HD.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy_training.networks.intrinsics import (
    STRIDE,
    IntrinsicsNet,
    encoded,
    level_of,
    looked_at_twice,
    luma,
    trusted,
)

WORK_SIDE = 160
"""Longer side of what the network sees, pixels, at most: held-out scenes of 384 are told better so than whole."""

SURE_DEGREES = 25.0
"""Confidence is the probability that the normal is less than this from the truth."""

_GRAY = 0.18
_REACH = 2
_EVEN = 0.05
_LARGEST = 3e37


class WholePicture(nn.Module):
    """From a plate to normals, albedo and confidence.

    Args:
        network: Trained.
        trust: Offset and slope of ``trusted``.
        work_side: Longer side of what the network sees, pixels, at most.
    """

    def __init__(
        self, network: IntrinsicsNet, trust: tuple[float, float] = (0.0, 1.0), work_side: int = WORK_SIDE
    ) -> None:
        super().__init__()
        self.network = network
        self.work_side = work_side
        self.register_buffer("trust", torch.tensor(trust))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Answers for a plate.

        Args:
            image: ``(1, 3, h, w)``, linear light of any range; any size.

        Returns:
            Unit normals ``(1, 3, h, w)`` in camera space, albedo ``(1, 3, h, w)`` (0.18 for the middle of the
            picture's range) and confidence ``(1, 1, h, w)`` in 0-1.
        """
        size = torch._shape_as_tensor(image)[2:]  # noqa: SLF001 - keeps the size free in a traced graph
        block = (size.max() + self.work_side - 1).div(self.work_side, rounding_mode="floor")
        small = _averaged(image.clamp(-_LARGEST, _LARGEST), size, block)
        level = level_of(small)
        low = torch._shape_as_tensor(small)[2:]  # noqa: SLF001 - as above
        rest = (-low) % STRIDE
        seen = encoded(small, level)
        padded = functional.pad(seen, (0, rest[1], 0, rest[0]), mode="replicate")
        answer = looked_at_twice(self.network, padded).cropped(small.shape[2], small.shape[3])
        guide = _guide(small, level)
        large = _Large(low * block, (image.shape[2], image.shape[3]))
        # One result after the other: each step of an 8K plate takes hundreds of megabytes.
        detail = _guide(image, level) - large(guide)
        normal = large(answer.normal) + large(_slope(answer.normal, guide)) * detail
        normal = normal / (normal.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()
        shading = large(answer.shading) + large(_slope(answer.shading, guide)) * detail
        albedo = (image / level).clamp_min(0) * (_GRAY * torch.exp(-shading.clamp(-12, 12)))
        return normal, albedo.clamp_max(_LARGEST), large(trusted(answer.kappa, self.trust)).clamp(0, 1)


def _averaged(image: Tensor, size: Tensor, block: Tensor) -> Tensor:
    """Means over blocks; a block that reaches over the border repeats the border's pixels."""
    rest = (-size) % block
    whole = functional.pad(image, (0, rest[1], 0, rest[0]), mode="replicate")
    low = (size + rest).div(block, rounding_mode="floor")
    parts = whole.reshape(1, 3, low[0], block, low[1], block)
    return parts.mean(dim=(3, 5))


def _guide(image: Tensor, level: Tensor) -> Tensor:
    """Stops of a picture's light over its level."""
    return torch.log2((luma(image) / level).clamp_max(256.0) + 1 / 16)


def _slope(values: Tensor, guide: Tensor) -> Tensor:
    """By how much values change with the guide nearby.

    Times what enlarging leaves out of the guide it is what it leaves out of the values: a guided filter (He, Sun and
    Tang 2010) of that alone, so that a picture that was not made small keeps its values.
    """
    mean, level = _around(values), _around(guide)
    together = _around(values * guide) - mean * level
    return together / (_around(guide * guide) - level * level + _EVEN)


@dataclass(frozen=True, slots=True)
class _Large:
    """Enlarges bilinearly to ``size`` and takes the plate's part of it."""

    size: Tensor
    plate: tuple[int, int]

    def __call__(self, part: Tensor) -> Tensor:
        size = (self.size[0], self.size[1])
        whole = functional.interpolate(part, size=size, mode="bilinear", align_corners=False)
        return whole[:, :, : self.plate[0], : self.plate[1]]


def _around(values: Tensor) -> Tensor:
    return functional.avg_pool2d(values, 2 * _REACH + 1, stride=1, padding=_REACH, count_include_pad=False)
