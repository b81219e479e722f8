# SPDX-License-Identifier: Apache-2.0
"""Random numbers for the generators: every draw comes from one seeded stream, on the device the picture is drawn on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Dice:
    """A seeded stream of random tensors.

    Attributes:
        rng: The stream; it lives on ``device``.
        device: Where tensors are made.
    """

    rng: torch.Generator
    device: torch.device

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Numbers between ``low`` and ``high``, all equally likely."""
        return torch.rand(shape, generator=self.rng, device=self.device) * (high - low) + low

    def log_uniform(self, *shape: int, low: float, high: float) -> Tensor:
        """Numbers between ``low`` and ``high``, all ratios equally likely."""
        return torch.exp(self.uniform(*shape, low=math.log(low), high=math.log(high)))

    def normal(self, *shape: int, mean: float = 0.0, deviation: float = 1.0) -> Tensor:
        """Numbers of a normal distribution."""
        return torch.randn(shape, generator=self.rng, device=self.device) * deviation + mean

    def happens(self, *shape: int, chance: float) -> Tensor:
        """True with the given chance."""
        return torch.rand(shape, generator=self.rng, device=self.device) < chance

    def whole(self, *shape: int, low: int, high: int) -> Tensor:
        """Whole numbers from ``low`` to ``high``, both included."""
        return torch.randint(low, high + 1, shape, generator=self.rng, device=self.device)

    def shares(self, count: int, weights: Sequence[float]) -> list[int]:
        """How many of ``count`` items fall to each of some kinds, drawn with these weights."""
        drawn = torch.multinomial(
            torch.tensor(list(weights), device=self.device), count, replacement=True, generator=self.rng
        )
        tallies: list[int] = torch.bincount(drawn, minlength=len(weights)).tolist()
        return tallies

    def shuffled(self, items: Tensor) -> Tensor:
        """The items along the first axis in another order."""
        return items[torch.randperm(len(items), generator=self.rng, device=self.device)]
