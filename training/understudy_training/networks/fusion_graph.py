# SPDX-License-Identifier: Apache-2.0
"""The fusion head as a graph: one direction's candidates in, vectors and confidence out."""

import torch
from torch import Tensor, nn

from understudy_training.networks.flow_graph import looked_up


class FusionGraph(nn.Module):
    """``here`` and ``there`` ``(1, 1, h, w)``, ``flows`` and ``backs`` ``(k, 2, h, w)`` to vectors and confidence.

    Args:
        head: The trained :class:`~understudy_training.networks.fusion.FusionHead`.
        table: Confidence by log doubt, ``(2, k)``: rising doubts, and the probability to be within a pixel at each.
    """

    def __init__(self, head: nn.Module, table: Tensor | None = None) -> None:
        super().__init__()
        self.head = head
        doubts = torch.linspace(-4, 6, 41)
        self.register_buffer("table", torch.stack([doubts, torch.sigmoid(-1.5 * doubts)]) if table is None else table)

    def forward(self, here: Tensor, there: Tensor, flows: Tensor, backs: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors ``(1, 2, h, w)`` and their confidence ``(1, 1, h, w)``."""
        flow, doubt = self.head(here, there, flows[None], backs[None])
        return flow, looked_up(self.table, doubt)
