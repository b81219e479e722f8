# SPDX-License-Identifier: Apache-2.0
"""Pictures read at displaced points, and the vectors of two frames carried to a time between them.

``project`` is the pack ``flow-projection`` on tensors (Baker et al., A Database and Evaluation Methodology for Optical
Flow, IJCV 92, 2011, section 3.3.3), so that a network is trained on what that pack will give it. Pictures are
``(n, c, h, w)``, vectors ``(n, 2, h, w)`` in pixels, x right and y down.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_DIFFERENCE_SCALE = 12.0
_LEAST_COVER = 0.05
_FINE = 4
_TAPS = 8


def shift_grid(flow: Tensor, fine: int = 1) -> Tensor:
    """Where ``p + flow(p)`` lies, as ``grid_sample`` wants it for a picture that is ``fine`` times as dense."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    x = x.clamp(0, width - 1) * (2 * fine / (fine * width - 1)) - 1
    y = y.clamp(0, height - 1) * (2 * fine / (fine * height - 1)) - 1
    return torch.stack([x, y], dim=-1)


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """``image`` at ``p + flow(p)``, bilinear; beyond the frame its edge goes on."""
    return functional.grid_sample(image, shift_grid(flow), "bilinear", "border", align_corners=True)


def densify(image: Tensor) -> Tensor:
    """Four times as dense by Lanczos over 8x8 samples, for :func:`sharp_warp`; sample 4i is pixel i."""
    for axis in (2, 3):
        image = _denser(image, axis)
    return image


def _denser(image: Tensor, axis: int) -> Tensor:
    count, channels, height, width = image.shape
    at = torch.arange(_TAPS, dtype=torch.float64) - (_TAPS // 2 - 1)
    offset = at[None] - torch.arange(_FINE, dtype=torch.float64)[:, None] / _FINE
    taps = torch.sinc(offset) * torch.sinc(offset / (_TAPS // 2))
    taps = (taps / taps.sum(dim=1, keepdim=True)).to(image)
    before, after = _TAPS // 2 - 1, _TAPS // 2
    pads, kernel = ((0, 0, before, after), (_TAPS, 1)) if axis == 2 else ((before, after, 0, 0), (1, _TAPS))
    flat = functional.pad(image.reshape(count * channels, 1, height, width), pads, mode="replicate")
    phases = functional.conv2d(flat, taps.reshape(_FINE, 1, *kernel))
    order = (0, 2, 1, 3) if axis == 2 else (0, 2, 3, 1)
    dense = phases.permute(order).reshape(count * channels, *((height * _FINE, width) if axis == 2 else (height, -1)))
    return dense.reshape(count, channels, *dense.shape[-2:])


def sharp_warp(dense: Tensor, flow: Tensor) -> Tensor:
    """A picture at ``p + flow(p)`` as the role's sharp kernel has it, from its :func:`densify`."""
    return functional.grid_sample(dense, shift_grid(flow, _FINE), "bilinear", "border", align_corners=True)


def blur(image: Tensor, sigma: float = 1.0) -> Tensor:
    """Gaussian, over as many samples as OpenCV takes for float pictures, edges mirrored."""
    reach = round(4 * sigma)
    at = torch.arange(-reach, reach + 1, dtype=torch.float64)
    taps = torch.exp(-at * at / (2 * sigma * sigma))
    taps = (taps / taps.sum()).to(image)
    count, channels, height, width = image.shape
    flat = image.reshape(count * channels, 1, height, width)
    flat = functional.conv2d(functional.pad(flat, (reach, reach, 0, 0), mode="reflect"), taps.reshape(1, 1, 1, -1))
    flat = functional.conv2d(functional.pad(flat, (0, 0, reach, reach), mode="reflect"), taps.reshape(1, 1, -1, 1))
    return flat.reshape(image.shape)


def round_trip(flow: Tensor, back: Tensor) -> Tensor:
    """By how much each vector misses where it started once the way back is taken, ``(n, 1, h, w)`` pixels."""
    missed: Tensor = (flow + warp(back, flow)).square().sum(dim=1, keepdim=True).sqrt()
    return missed


@dataclass(frozen=True, slots=True)
class Course:
    """Where the picture at a time comes from.

    Attributes:
        to_a: ``(n, 2, h, w)``: displacement into the first frame.
        to_b: Into the second.
        weight: ``(n, 1, h, w)``: the second's share.
    """

    to_a: Tensor
    to_b: Tensor
    weight: Tensor


@torch.no_grad()
def project(a: Tensor, b: Tensor, forward: Tensor, backward: Tensor, time: Tensor) -> Course:
    """Straight motion at constant speed between two frames.

    Args:
        a: ``(n, 3, h, w)`` in ``display_log``.
        b: The next frame.
        forward: Vectors from a to b.
        backward: Vectors from b to a.
        time: ``(n, 1, 1, 1)``, strictly between 0 and 1.
    """
    sums, occluded_a = _carried(a, b, forward, backward, time)
    sums_b, occluded_b = _carried(b, a, backward, forward, 1 - time)
    motion = _filled(torch.cat([sums[:, :2] - sums_b[:, :2], sums[:, 2:] + sums_b[:, 2:]], dim=1))
    to_a, to_b = motion * -time, motion * (1 - time)
    alone_a, alone_b = (warp(hidden, to) > 0.5 for hidden, to in ((occluded_a, to_a), (occluded_b, to_b)))
    share_a = (1 - time) * (1 - _softened(alone_b & ~alone_a))
    share_b = time * (1 - _softened(alone_a & ~alone_b))
    return Course(to_a, to_b, share_b / (share_a + share_b).clamp(min=1e-6))


def _carried(here: Tensor, there: Tensor, flow: Tensor, back: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    difference = blur((warp(there, flow) - here).abs().sum(dim=1, keepdim=True))
    returned = warp(back, flow)
    allowed = 0.01 * (flow.square() + returned.square()).sum(dim=1, keepdim=True) + 0.5
    missed = (returned + flow).square().sum(dim=1, keepdim=True)
    return _splat(flow, share, torch.exp(difference * (-_DIFFERENCE_SCALE / 3))), (missed > allowed).to(flow)


def _softened(mask: Tensor) -> Tensor:
    near = functional.avg_pool2d(functional.pad(mask.float(), (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    return blur((near > 0.5).float())


def _splat(flow: Tensor, share: Tensor, importance: Tensor) -> Tensor:
    count, _, height, width = flow.shape
    wide, tall = width + 3, height + 3
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0] * share[:, 0]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1] * share[:, 0]
    x, y = (x + 1).clamp(0, width + 1), (y + 1).clamp(0, height + 1)
    column, row = x.floor(), y.floor()
    right, lower = x - column, y - row
    first = torch.arange(count, device=flow.device)[:, None, None] * (wide * tall)
    place = (first + row.long() * wide + column.long()).reshape(-1)
    values = torch.cat([flow, torch.ones_like(importance)], dim=1) * importance
    values = values.permute(0, 2, 3, 1).reshape(-1, 3)
    sums = torch.zeros(count * wide * tall, 3, device=flow.device, dtype=flow.dtype)
    for step, part in (
        (0, (1 - lower) * (1 - right)),
        (1, (1 - lower) * right),
        (wide, lower * (1 - right)),
        (wide + 1, lower * right),
    ):
        sums.index_add_(0, place + step, values * part.reshape(-1, 1))
    return sums.reshape(count, tall, wide, 3)[:, 1 : height + 1, 1 : width + 1].permute(0, 3, 1, 2).contiguous()


def _filled(sums: Tensor) -> Tensor:
    levels = [sums]
    while min(levels[-1].shape[-2:]) > 1:
        level = levels[-1]
        padded = functional.pad(level, (0, level.shape[3] % 2, 0, level.shape[2] % 2), mode="replicate")
        levels.append(functional.avg_pool2d(padded, 2))
    vectors = levels[-1][:, :2] / levels[-1][:, 2:].clamp(min=1e-12)
    for level in reversed(levels[:-1]):
        cover = level[:, 2:].clamp(min=1e-12)
        coarse = functional.interpolate(vectors, scale_factor=2.0, mode="bilinear", align_corners=False)
        coarse = coarse[..., : level.shape[2], : level.shape[3]]
        vectors = coarse + (cover / _LEAST_COVER).clamp(max=1) * (level[:, :2] / cover - coarse)
    return vectors


def fill(flow: Tensor, known: Tensor) -> Tensor:
    """Vectors where ``known`` is 1; elsewhere the mean of a growing neighborhood of those."""
    return _filled(torch.cat([flow * known, known], dim=1))


def area_noise(rng: torch.Generator, count: int, channels: int, size: tuple[int, int], cell: float) -> Tensor:
    """Smooth noise with unit spread whose features are about ``cell`` pixels wide, on the generator's device."""
    height, width = (max(2, math.ceil(side / cell) + 1) for side in size)
    seeds = torch.randn(count, channels, height, width, generator=rng, device=rng.device)
    smooth = functional.interpolate(seeds, size=size, mode="bicubic", align_corners=True)
    return smooth * 1.35
