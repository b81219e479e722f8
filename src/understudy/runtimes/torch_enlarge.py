# SPDX-License-Identifier: Apache-2.0
"""In torch, what ``roles.network_upscaler`` does around its networks: ringing held, the light of lamps kept.

Tensors are ``(n, 1, h, w)`` in float32, edges of the picture repeated far enough around it that what is cropped away
later takes the errors of these borders along.
"""

from typing import Any

_FROM_STOPS, _OVER_STOPS = 9.0, 2.0
_ALONE_FROM, _ALONE_OVER = 2.6, 0.7
_TINY = 1e-30
_MOST_GAIN = 8.0


def kept_light(torch: Any, large: Any, seen: Any, factor: int) -> Any:
    """Each pixel's share multiplied so that its mean is the pixel, where contrast is beyond a display's.

    Args:
        torch: The module torch.
        large: The network's answer.
        seen: What it saw.
        factor: Output pixels per input pixel.
    """
    functional = torch.nn.functional
    mean = functional.avg_pool2d(large, factor)
    around = functional.pad(seen, (2, 2, 2, 2), mode="replicate")
    brightest = torch.log2(torch.clamp(functional.max_pool2d(around, 5, 1), min=_TINY))
    # Black is no level to compare with.
    levels = torch.where(around > 0, around, torch.full_like(around, 3e38))
    darkest = torch.log2(-functional.max_pool2d(-levels, 5, 1))
    near = torch.log2(torch.clamp(functional.avg_pool2d(around, 5, 1), min=_TINY))
    contrast, alone = brightest - darkest - _FROM_STOPS, brightest - near - _ALONE_FROM
    share = torch.clamp(torch.maximum(contrast / _OVER_STOPS, alone / _ALONE_OVER), 0.0, 1.0)
    sound = (mean > 0) & (seen > 0)
    ones = torch.ones_like(mean)
    ratio = torch.where(sound, seen / torch.where(sound, mean, ones), ones)
    gain = 1 + (torch.clamp(ratio, 0.0, _MOST_GAIN) - 1) * share
    return large * _repeated(gain, factor)


def held(torch: Any, large: Any, seen: Any, factor: int, overshoot: float) -> Any:
    """A result within its 4x4 neighbors, or past them by a share of the extreme, as ``roles.resample`` holds it.

    Args:
        torch: The module torch.
        large: The result.
        seen: What it was made of.
        factor: Output pixels per input pixel.
        overshoot: The share; 0 allows none.
    """
    functional = torch.nn.functional
    around = functional.pad(seen, (2, 2, 2, 2), mode="replicate")
    # Windows of 4 from two samples before the picture on: the first belongs to the sample before it.
    high, low = functional.max_pool2d(around, 4, 1), -functional.max_pool2d(-around, 4, 1)
    span = high - low
    high = high + overshoot * torch.minimum(high.abs(), span)
    low = low - overshoot * torch.minimum(low.abs(), span)
    first, last = factor - factor // 2, -(factor // 2)
    inside = (..., slice(first, last), slice(first, last))
    return torch.minimum(torch.maximum(large, _repeated(low, factor)[inside]), _repeated(high, factor)[inside])


def _repeated(x: Any, factor: int) -> Any:
    return x.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
