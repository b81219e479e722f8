# SPDX-License-Identifier: Apache-2.0
"""Contact sheets of what a recipe's generator draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from understudy_training.recipe import Recipe
from understudy_training.seeds import seeded
from understudy_training.task import load_task


def contact_sheet(recipe: Recipe, seed: int = 0) -> NDArray[np.uint8]:
    """What a recipe's generator draws, as uint8 ``(height, width, 3)``, drawn on the CPU.

    Args:
        recipe: Whose task draws it.
        seed: Which draw.
    """
    task = load_task(recipe.task, recipe.options, where=recipe.source.name)
    device = torch.device("cpu")
    with torch.no_grad():
        sheet = task.sheet(seeded(seed, "sheet", device), device)
    pixels: NDArray[Any] = sheet.cpu().numpy()
    return pixels


def tiled(pictures: Sequence[Tensor], columns: int, gap: int = 4) -> Tensor:
    """Pictures side by side, for a task's ``sheet``.

    Args:
        pictures: Each float ``(3 or 1, height, width)`` for 0 to 1, all of one size.
        columns: How many in a row.
        gap: Gray pixels between them.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    height, width = pictures[0].shape[-2:]
    rows = -(-len(pictures) // columns)
    sheet = torch.full((3, rows * (height + gap) - gap, columns * (width + gap) - gap), 0.5)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[:, top : top + height, left : left + width] = picture.detach().float().cpu().expand(3, -1, -1)
    return (sheet.clamp(0, 1) * 255 + 0.5).to(torch.uint8).permute(1, 2, 0).contiguous()
