# SPDX-License-Identifier: Apache-2.0
"""The flow network as a motion pack's graph: pictures as the role encodes them in, vectors and confidence out."""

import torch
from torch import Tensor, nn
from torch.nn import functional

WHITE = 0.5134719
"""The ``display_log`` code of linear 1.0."""

_GAIN = 1.85
_STIR = 0.15  # pixels that the network may see in a still
_NOTICED = 2000.0  # a change of one in this many of the range is no stillness any more
_SHOULDER = (1 - _GAIN * WHITE) / (1 - WHITE)


def toned(code: Tensor) -> Tensor:
    """Codes of ``display_log`` as the network has seen pictures: black to white over 95 % of 0-1."""
    return torch.where(code < WHITE, code * _GAIN, _GAIN * WHITE + (code - WHITE) * _SHOULDER)


class FlowGraph(nn.Module):
    """``a`` and ``b`` ``(1, 3, h, w)``, display_log, to both directions and the confidence of each.

    Args:
        network: The trained :class:`~understudy_training.networks.flow.FlowNetwork`.
        table: Confidence by log doubt, ``(2, k)``: rising doubts, and the probability to be within a pixel at each.
    """

    def __init__(self, network: nn.Module, table: Tensor | None = None) -> None:
        super().__init__()
        self.network = network
        doubts = torch.linspace(-4, 6, 41)
        self.register_buffer("table", torch.stack([doubts, torch.sigmoid(-1.5 * doubts)]) if table is None else table)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Vectors forward and backward, ``(1, 2, h, w)``, and their confidence, ``(1, 1, h, w)``."""
        a, b = toned(a), toned(b)
        answer = self.network(a, b)
        sure = looked_up(self.table, answer.doubt)
        flow = settled(answer.flow, a, b)
        return flow[:1], flow[1:], sure[:1], sure[1:]


def settled(flow: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """``flow`` less what is under 0.15 px where both frames are equal all around: a still picture stands still."""
    change = functional.max_pool2d((a - b).abs().amax(dim=1, keepdim=True), 9, stride=1, padding=4)
    return flow - flow.clamp(min=-_STIR, max=_STIR) * (1 - change * _NOTICED).clamp(min=0)


def looked_up(table: Tensor, value: Tensor) -> Tensor:
    """A piecewise linear function: its value at the first point, and what each next slope adds."""
    points, values = table[0], table[1]
    slopes = (values[1:] - values[:-1]) / (points[1:] - points[:-1])
    total = values[0] + torch.zeros_like(value)
    for index in range(len(slopes)):
        rise = (value - points[index]).clamp(min=0).clamp(max=float(points[index + 1] - points[index]))
        total = total + rise * slopes[index]
    return total
