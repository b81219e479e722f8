# SPDX-License-Identifier: Apache-2.0
"""The intrinsics network around which a plate of any size and exposure fits, as one graph.

The picture is averaged over whole blocks of pixels until its longer side is at most ``WORK_SIDE``, the network answers
for that, and its answers are enlarged along the plate's own edges. So the network costs an 8K plate what it costs HD.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy_training.networks.intrinsics import STRIDE, IntrinsicsNet, encoded, level_of, luma, read, within

WORK_SIDE = 384
"""Longer side of what the network sees, pixels, at most; it learned from pictures of about this size."""

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
        temper: ``(scale, power)``: calibrated concentration is ``scale * kappa ** power``.
        work_side: Longer side of what the network sees, pixels, at most.
    """

    def __init__(
        self, network: IntrinsicsNet, temper: tuple[float, float] = (1.0, 1.0), work_side: int = WORK_SIDE
    ) -> None:
        super().__init__()
        self.network = network
        self.work_side = work_side
        self.register_buffer("temper", torch.tensor(temper))
        self.register_buffer("cosine", torch.cos(torch.deg2rad(torch.tensor(SURE_DEGREES))))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Answers for a plate.

        Args:
            image: ``(1, 3, h, w)``, linear light of any range; any size.

        Returns:
            Unit normals ``(1, 3, h, w)`` in camera space, albedo ``(1, 3, h, w)`` (0.18 for the middle of the
            picture's range) and confidence ``(1, 1, h, w)`` in 0-1.
        """
        image = image.clamp(-_LARGEST, _LARGEST)
        size = torch._shape_as_tensor(image)[2:]  # noqa: SLF001 - keeps the size free in a traced graph
        block = (size.max() + self.work_side - 1).div(self.work_side, rounding_mode="floor")
        small = _averaged(image, size, block)
        level = level_of(small)
        low = torch._shape_as_tensor(small)[2:]  # noqa: SLF001 - as above
        rest = (-low) % STRIDE
        seen = encoded(small, level)
        padded = functional.pad(seen, (0, rest[1], 0, rest[0]), mode="replicate")
        answer = read(self.network(padded)[:, :, : small.shape[2], : small.shape[3]])
        kappa = self.temper[0] * answer.kappa ** self.temper[1]
        sure = within(kappa, self.cosine)
        values = torch.cat([answer.normal, answer.shading, sure], dim=1)
        values = _enlarged(values, _guide(small, level), image, level, low * block)
        normal = values[:, :3]
        normal = normal / (normal.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()
        albedo = (image / level).clamp_min(0) * torch.exp(-values[:, 3:6].clamp(-12, 12)) * _GRAY
        return normal, albedo.clamp_max(_LARGEST), values[:, 6:].clamp(0, 1)


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


def _enlarged(values: Tensor, guide: Tensor, image: Tensor, level: Tensor, size: Tensor) -> Tensor:
    """Enlarges along edges: what the plate shows beyond its small copy moves the values as it does nearby.

    That is a guided filter (He, Sun and Tang 2010) of what enlarging leaves out only: a picture that was not made
    small keeps its values.
    """
    mean, level_here = _around(values), _around(guide)
    together = _around(values * guide) - mean * level_here
    slope = together / (_around(guide * guide) - level_here * level_here + _EVEN)
    height, width = image.shape[2:]

    def enlarged(part: Tensor) -> Tensor:
        return functional.interpolate(part, size=(size[0], size[1]), mode="bilinear", align_corners=False)[
            :, :, :height, :width
        ]

    return enlarged(values) + enlarged(slope) * (_guide(image, level) - enlarged(guide))


def _around(values: Tensor) -> Tensor:
    return functional.avg_pool2d(values, 2 * _REACH + 1, stride=1, padding=_REACH, count_include_pad=False)
