# SPDX-License-Identifier: Apache-2.0
"""Weights averaged over the steps (EMA): what is validated and kept."""

import copy

import torch
from torch import nn


class AveragedNetwork:
    """A copy of a network whose weights follow it slowly.

    Args:
        network: The network that is trained.
        decay: The share of the old average that stays at each step; it starts lower, so that the first weights,
            which are random, are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    def follow(self, network: nn.Module, step: int) -> None:
        """Takes in the weights after a step, counted from 0; buffers are copied."""
        decay = min(self._decay, (1 + step) / (10 + step))
        with torch.no_grad():
            mine, theirs = list(self.network.parameters()), list(network.parameters())
            torch._foreach_lerp_(mine, theirs, 1 - decay)
            for buffer, other in zip(self.network.buffers(), network.buffers(), strict=True):
                buffer.copy_(other)
