# SPDX-License-Identifier: Apache-2.0
"""A network that corrects where the picture between two frames comes from; it makes no picture.

A small U-net (Ronneberger et al., 2015) of residual blocks at a half, a quarter and an eighth of the size. Its heads
start at zero, and the corrections are written so that zero changes nothing: untrained, it returns the course it was
given, bit for bit. Trained, it does so wherever both frames agree along that course: there is nothing to mend.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy_training.evidence import CHANNELS, NEIGHBORS, shifted

_STEPS = 8.0
_PIXELS = 6.0
_AGREEMENT = 0.003  # code values of difference at which a pixel may be corrected fully
_HEADS = {"choice": len(NEIGHBORS), "move": 4, "turn": 1, "confidence": 1}


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.normal_(self.second.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(functional.relu(self.first(functional.relu(x))))
        return out


class Refiner(nn.Module):
    """See the module. Sides must be multiples of 8.

    Args:
        widths: Channels at a half, a quarter and an eighth of the size.
        blocks: Residual blocks on the way down at each of these, and on the way up at the first two.

    Attributes:
        moves: How much of its free moves of vectors count, 0-1; the rest of its corrections count whole.
    """

    def __init__(self, widths: Sequence[int] = (32, 56, 96), blocks: Sequence[int] = (1, 1, 2)) -> None:
        super().__init__()
        half, quarter, eighth = widths
        self.moves = 1.0
        seen = sum(CHANNELS.values()) + 1  # one motion for two vectors; time, lead of a side, difference beside
        self.enter = nn.Conv2d(4 * seen, half, 3, padding=1)
        self.down_half = nn.Sequential(*(_Block(half) for _ in range(blocks[0])))
        self.to_quarter = nn.Conv2d(half, quarter, 3, stride=2, padding=1)
        self.down_quarter = nn.Sequential(*(_Block(quarter) for _ in range(blocks[1])))
        self.to_eighth = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.deep = nn.Sequential(*(_Block(eighth) for _ in range(blocks[2])))
        self.from_eighth = nn.Conv2d(eighth, quarter, 1)
        self.up_quarter = nn.Sequential(*(_Block(quarter) for _ in range(blocks[1])))
        self.from_quarter = nn.Conv2d(quarter, half, 1)
        self.up_half = nn.Sequential(*(_Block(half) for _ in range(blocks[0])))
        self.head = nn.Conv2d(half, 4 * sum(_HEADS.values()), 3, padding=1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(
        self,
        a: Tensor,
        b: Tensor,
        to_a: Tensor,
        to_b: Tensor,
        weight: Tensor,
        unlike: Tensor,
        miss: Tensor,
        shown: Tensor,
        time: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Better vectors and weights.

        Args:
            a: The evidence, tensor by tensor; see ``understudy_training.evidence``.
            b: As above.
            to_a: As above.
            to_b: As above.
            weight: As above.
            unlike: As above.
            miss: As above.
            shown: As above.
            time: ``(1,)`` or ``(n,)``: between 0 and 1.

        Returns:
            ``to_a``, ``to_b``, ``weight`` as they came in; and ``confidence`` ``(n, 1, h, w)``, log odds while training
            and 0-1 otherwise: that the picture is right.
        """
        when = time.reshape(-1, 1, 1, 1)
        flat = torch.ones_like(weight) * when
        features = torch.cat(
            [
                *(2 * (picture - 0.4) for picture in (a, b)),
                (to_b - to_a).clamp(-256, 256) / 32,
                (unlike * _STEPS).clamp(max=2),
                miss.clamp(max=_PIXELS) / _PIXELS,
                shown,
                weight,
                weight - flat,
                flat,
                ((a - b) * _STEPS).clamp(-2, 2).mean(dim=1, keepdim=True),
            ],
            dim=1,
        )
        # Autocast: half precision for the trunk, whole pixels of a vector would be lost in it.
        choice, move, turn, doubt = (part.float() for part in self._heads(features))
        apart = functional.max_pool2d(unlike[:, :1], 3, stride=1, padding=1)
        gate = (apart / _AGREEMENT).clamp(max=1)
        share = choice.clamp(0, 1)
        share = share / share.sum(dim=1, keepdim=True).clamp(min=1) * gate
        new_a, new_b = to_a, to_b
        for index, offset in enumerate(NEIGHBORS):
            part = share[:, index : index + 1]
            new_a = new_a + part * (shifted(to_a, *offset) - to_a)
            new_b = new_b + part * (shifted(to_b, *offset) - to_b)
        move = 8 * torch.tanh(move / 8) * (gate * self.moves)
        turn = turn * gate
        new_weight = weight + turn.clamp(0, 1) * (1 - weight) - (-turn).clamp(0, 1) * weight
        return new_a + move[:, :2], new_b + move[:, 2:], new_weight, doubt if self.training else torch.sigmoid(doubt)

    def _heads(self, features: Tensor) -> Sequence[Tensor]:
        half = self.down_half(self.enter(functional.pixel_unshuffle(features, 2)))
        quarter = self.down_quarter(self.to_quarter(functional.relu(half)))
        eighth = self.deep(self.to_eighth(functional.relu(quarter)))
        quarter = self.up_quarter(quarter + _doubled(self.from_eighth(functional.relu(eighth))))
        half = self.up_half(half + _doubled(self.from_quarter(functional.relu(quarter))))
        return functional.pixel_shuffle(self.head(functional.relu(half)), 2).split(list(_HEADS.values()), dim=1)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
