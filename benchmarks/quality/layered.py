# SPDX-License-Identifier: Apache-2.0
"""Pairs of the training generator that no recipe has seen: layers with textures, blur, exposure, haze and noise."""

from collections.abc import Iterator

import numpy as np

from measures import linear_light
from scenes import Scene

SPREADS = (3.0, 8.0, 20.0)
"""Spread of layers' shifts, pixels; mean motion is a little over it for the fast ones."""

_SEED = 97_000
_PICTURES = 24


def layered(spread: float, count: int) -> Iterator[Scene]:
    """Scenes of 256x320, the same for the same numbers. Needs torch."""
    import torch

    from understudy_training.generators.layers import draw_layers
    from understudy_training.generators.swatches import swatches

    stock = swatches("cpu", _PICTURES, 192, 40, seed=_SEED)
    for index in range(count):
        rng = torch.Generator().manual_seed(_SEED + 100 * index + int(spread))
        drawn = draw_layers(rng, 2, 256, 320, "cpu", motion=(spread, spread), stock=stock)
        # The second of two: the first of each batch is the one with motion blur.
        which = index % 2
        a, b = (linear_light(drawn.frames[which, i].permute(1, 2, 0).numpy() * np.float32(255)) for i in (0, 1))
        flow = np.ascontiguousarray(drawn.flow(0, 1)[which].permute(1, 2, 0).numpy(), np.float32)
        yield Scene(a, b, flow, ~drawn.visible(0, 1)[which, 0].numpy())
