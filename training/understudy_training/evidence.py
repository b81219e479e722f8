# SPDX-License-Identifier: Apache-2.0
"""What a refinement sees of two frames that are already carried to a time: the role makes the same, by the same names.

``src/understudy/roles/refinement.py`` is its twin on arrays; a test compares both.
"""

import torch
from torch import Tensor
from torch.nn import functional

from understudy_training.warping import Course, round_trip, warp

NEIGHBORS = ((5, 0), (-5, 0), (0, 5), (0, -5), (10, 10), (10, -10), (-10, 10), (-10, -10))
"""Right and down: where else vectors are tried, as a vector beside an edge often belongs to the other side of it."""

CHANNELS = {"a": 3, "b": 3, "to_a": 2, "to_b": 2, "weight": 1, "unlike": 1 + len(NEIGHBORS), "miss": 2, "shown": 2}
"""Tensors of the evidence, by name, with their channels."""


def shifted(image: Tensor, right: int, down: int) -> Tensor:
    """``image`` at ``p + (right, down)``; beyond the frame its edge goes on."""
    height, width = image.shape[-2:]
    reach = max(abs(right), abs(down))
    padded = functional.pad(image, (reach, reach, reach, reach), mode="replicate")
    return padded[..., reach + down : reach + down + height, reach + right : reach + right + width]


def inside(flow: Tensor) -> Tensor:
    """1 where ``p + flow(p)`` lies in the frame, give or take half a pixel; ``(n, 1, h, w)``."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    within = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return within.to(flow)[:, None]


@torch.no_grad()
def gather(a: Tensor, b: Tensor, forward: Tensor, backward: Tensor, course: Course) -> dict[str, Tensor]:
    """The evidence.

    Args:
        a: ``(n, 3, h, w)`` in ``display_log``.
        b: The next frame.
        forward: ``(n, 2, h, w)``: vectors from a to b, pixels.
        backward: From b to a.
        course: Where a simpler method says that the picture comes from.

    Returns:
        Tensors over the picture at the time, as ``CHANNELS`` lists them: both frames carried there; the course;
        ``unlike``: how far both frames differ along it, and along the course of each neighbor; ``miss``: pixels by
        which the vectors used do not come back; ``shown``: 1 where a frame has the point within its borders.
    """
    unlike = []
    for right, down in ((0, 0), *NEIGHBORS):
        to_a, to_b = (shifted(flow, right, down) for flow in (course.to_a, course.to_b))
        unlike.append((warp(a, to_a) - warp(b, to_b)).abs().mean(dim=1, keepdim=True))
    miss_a = warp(round_trip(forward, backward), course.to_a)
    miss_b = warp(round_trip(backward, forward), course.to_b)
    return {
        "a": warp(a, course.to_a),
        "b": warp(b, course.to_b),
        "to_a": course.to_a,
        "to_b": course.to_b,
        "weight": course.weight,
        "unlike": torch.cat(unlike, dim=1),
        "miss": torch.cat([miss_a, miss_b], dim=1),
        "shown": torch.cat([inside(course.to_a), inside(course.to_b)], dim=1),
    }
