# SPDX-License-Identifier: Apache-2.0
"""What cameras and files do to a picture: blur, noise, and JPEG's loss, in torch, each picture by its own amount.

JPEG is ITU-T T.81's arithmetic without the entropy coder, which loses nothing: YCbCr of JFIF, chroma at half size, an
8x8 cosine transform, the example quantization tables of annex K scaled by quality as the IJG's library does.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from understudy_training.generators.dice import Dice

_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def noisy(dice: Dice, pictures: Tensor, most: float) -> Tensor:
    """Adds noise of sensors: a constant part and one that grows with the root of the light, a little smoothed in some.

    Args:
        dice: The stream.
        pictures: [n, c, h, w] in 0-1.
        most: The largest deviation.
    """
    count = len(pictures)
    amount = dice.uniform(count, 1, 1, 1) ** 2 * most
    share = dice.uniform(count, 1, 1, 1)
    grain = dice.normal(*pictures.shape)
    soft = functional.avg_pool2d(functional.pad(grain, (1, 1, 1, 1), mode="replicate"), 3, 1) * 2.2
    grain = torch.where(dice.happens(count, 1, 1, 1, chance=0.25), soft, grain)
    level = share + (1 - share) * pictures.clamp(min=0).sqrt() * 1.4
    return pictures + amount * level * grain


def compressed(dice: Dice, pictures: Tensor, low: float, high: float) -> Tensor:
    """JPEG's loss on color pictures.

    Args:
        dice: The stream.
        pictures: [n, 3, h, w] in 0-1, sides multiples of 16.
        low: The lowest quality, 1-100.
        high: The highest.
    """
    count = len(pictures)
    quality = dice.uniform(count, low=low, high=high)
    to_ycc = torch.tensor(_TO_YCC, device=pictures.device)
    ycc = torch.einsum("kc,nchw->nkhw", to_ycc, pictures * 255 - 128)
    back = torch.linalg.inv(torch.tensor(_TO_YCC)).to(pictures.device)
    # JFIF's 128 is a gray of 0 here, for luma and for chroma.
    luma = _quantized(ycc[:, :1], _scaled(_LUMA, quality))
    half = functional.avg_pool2d(ycc[:, 1:], 2)
    coarse = functional.interpolate(
        _quantized(half, _scaled(_CHROMA, quality)), scale_factor=2, mode="bilinear", align_corners=False
    )
    fine = _quantized(ycc[:, 1:], _scaled(_CHROMA, quality))
    chroma = torch.where(dice.happens(count, 1, 1, 1, chance=0.7), coarse, fine)
    rgb = torch.einsum("ck,nkhw->nchw", back, torch.cat([luma, chroma], 1))
    return ((rgb + 128).round() / 255).clamp(0, 1)


def _scaled(table: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None]
    steps = torch.floor((torch.tensor(table, device=quality.device) * percent + 50) / 100)
    return steps.clamp(1, 255)


def _quantized(planes: Tensor, steps: Tensor) -> Tensor:
    count, channels, height, width = planes.shape
    places = torch.arange(8, device=planes.device, dtype=torch.float32)
    basis = torch.cos((2 * places[None] + 1) * places[:, None] * math.pi / 16) / 2
    basis = torch.cat([basis[:1] / math.sqrt(2), basis[1:]])
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8)
    waves = torch.einsum("ky,nciyjx,lx->ncikjl", basis, blocks, basis)
    steps = steps[:, None, None, :, None]
    waves = (waves / steps).round() * steps
    return torch.einsum("ky,ncikjl,lx->nciyjx", basis, waves, basis).reshape(planes.shape)
