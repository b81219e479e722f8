# SPDX-License-Identifier: Apache-2.0
"""Convolutions that are trained with several linear branches and used as one plain 3x3.

After ECBSR (Zhang, Zeng, Zhang, ACM MM 2021) and RepVGG (Ding et al., CVPR 2021): a 3x3, a 1x1 followed by a 3x3, 1x1s
followed by edge filters, and the identity. All of it is linear and is folded into one 3x3 at every step, because the
weights are tiny beside the pictures; training costs what the plain network costs. No layer has a bias.
"""

import math

import torch
from torch import Tensor, nn

_EDGES = (
    ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0)),
    ((1.0, 2.0, 1.0), (0.0, 0.0, 0.0), (-1.0, -2.0, -1.0)),
    ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0)),
)
"""Sobel across, Sobel down, Laplace."""


class RepConvs(nn.Module):
    """Some 3x3 convolutions of one shape, kept stacked so that all are folded in a few operations.

    Args:
        layers: How many.
        inputs: Channels in.
        outputs: Channels out; the identity is a branch where both are the same.
        gain: Size of the initial weights; 0 makes every output 0 at first.
        balanced: Each filter sums to zero over its window, so that a constant added to the input changes nothing.
    """

    def __init__(self, layers: int, inputs: int, outputs: int, *, gain: float = 1.0, balanced: bool = False) -> None:
        super().__init__()
        self._same = inputs == outputs
        self._balanced = balanced
        middle = 2 * inputs
        scale = gain / math.sqrt(9 * inputs)
        self.direct = nn.Parameter(torch.randn(layers, outputs, inputs, 3, 3) * scale)
        self.widened = nn.Parameter(torch.randn(layers, middle, inputs) / math.sqrt(inputs))
        self.narrowed = nn.Parameter(torch.randn(layers, outputs, middle, 3, 3) * (gain * 0.3 / math.sqrt(9 * middle)))
        self.edges = nn.Parameter(torch.randn(layers, 3, outputs, inputs) * (scale * 0.3))
        self.register_buffer("filters", torch.tensor(_EDGES) / 4, persistent=False)
        center = torch.zeros(outputs, inputs, 3, 3)
        if self._same:
            center[:, :, 1, 1] = torch.eye(inputs)
        self.register_buffer("center", center, persistent=False)

    def folded(self) -> Tensor:
        """The plain kernels: [layers, outputs, inputs, 3, 3], in float32."""
        with torch.autocast(self.direct.device.type, enabled=False):
            return self._folded()

    def _folded(self) -> Tensor:
        weights = self.direct + torch.einsum("lomyx,lmi->loiyx", self.narrowed, self.widened)
        weights = weights + torch.einsum("lkoi,kyx->loiyx", self.edges, self.filters)
        if self._same:
            weights = weights + self.center
        return weights - weights.mean(dim=(3, 4), keepdim=True) if self._balanced else weights
