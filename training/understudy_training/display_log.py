# SPDX-License-Identifier: Apache-2.0
"""The ``display_log`` encoding on tensors: the sRGB curve up to a knee, a logarithm with the same slope above it.

The constants are those of ``ocio/shaper_policy.toml``; a test compares both implementations.
"""

import math

import torch
from torch import Tensor

_KNEE, _PEAK, _GAMMA, _OFFSET = 0.5, 16.0, 2.4, 0.055
_ROOT = _OFFSET * _GAMMA / ((_GAMMA - 1) * (1 + _OFFSET))
_TOE, _TOE_HEIGHT = _ROOT**_GAMMA, (1 + _OFFSET) * _ROOT - _OFFSET
_HEIGHT = (1 + _OFFSET) * _KNEE ** (1 / _GAMMA) - _OFFSET
_GROWTH = (1 + _OFFSET) * _KNEE ** (1 / _GAMMA) / _GAMMA
_SCALE = _HEIGHT + _GROWTH * math.log(_PEAK / _KNEE)

WHITE = (_HEIGHT + _GROWTH * math.log(1 / _KNEE)) / _SCALE
"""Code value of linear light 1."""


def encode(light: Tensor) -> Tensor:
    """Code values of linear light; any finite value."""
    line = light.clamp(max=_TOE) * (_TOE_HEIGHT / _TOE)
    root = (1 + _OFFSET) * (light.clamp(_TOE, _KNEE) ** (1 / _GAMMA) - _TOE ** (1 / _GAMMA))
    log = _GROWTH * torch.log(light.clamp(min=_KNEE) / _KNEE)
    return (line + root + log) / _SCALE


def decode(code: Tensor) -> Tensor:
    """Linear light of code values."""
    g = code * _SCALE
    line = g.clamp(max=_TOE_HEIGHT) * (_TOE / _TOE_HEIGHT)
    power = ((g.clamp(_TOE_HEIGHT, _HEIGHT) + _OFFSET) / (1 + _OFFSET)) ** _GAMMA
    return line + power * torch.exp((g - _HEIGHT).clamp(min=0) / _GROWTH) - _TOE


def display_to_light(picture: Tensor) -> Tensor:
    """Linear light of an sRGB display picture in 0-1."""
    return decode(picture / _SCALE)
