# SPDX-License-Identifier: Apache-2.0
"""The start-up self-test: does this config, with this library, do what results depend on?"""

import numpy as np

from understudy.color.config import ColorConfig
from understudy.color.encoder import Encoder
from understudy.color.policy import policy
from understudy.contracts.errors import UnderstudyError
from understudy.contracts.manifest import Encoding
from understudy.contracts.plate import FloatImage

ROLES = ("scene_linear", "compositing_log", "texture_paint", "data", "aces_interchange")
"""Roles that commands and docs name."""

_ROUND_TRIP = 2e-5
"""Error allowed of a round trip, over the pixel's largest channel."""


def self_test(config: ColorConfig) -> tuple[str, ...]:
    """Checks roles, known values, round trips, displays and the pinned config's content.

    Returns:
        Sentences about what is wrong; empty when all is well.
    """
    problems = [f"{config.label} has no role {role}" for role in ROLES if role not in config.roles()]
    if config.name == policy().pinned.config and config.cache_id != policy().pinned.cache_id:
        problems.append(
            f"{config.label} has cache id {config.cache_id}, not {policy().pinned.cache_id}: "
            "this OpenColorIO holds another config under that name"
        )
    for check in (_known_values, _round_trips, _views):
        try:
            problems += check(config)
        except UnderstudyError as error:
            problems.append(str(error))
    return tuple(problems)


def _known_values(config: ColorConfig) -> list[str]:
    problems = []
    for known in policy().known:
        source, target = config.find(known.source), config.find(known.target)
        if not source or not target:
            problems.append(f"{config.label} has no {known.target if source else known.source}")
            continue
        got = config.convert(np.full((1, 1, 3), known.value, np.float32), source, target)
        if not np.allclose(got, known.expected, rtol=0, atol=known.tolerance):
            problems.append(
                f"{config.label}: gray {known.value} from {source} to {target} is {got[0, 0].tolist()}, "
                f"not {known.expected}"
            )
    return problems


def _samples() -> FloatImage:
    light = np.float32(2.0) ** np.arange(-12, 16, dtype=np.float32)
    colors = np.array([[1, 1, 1], [1, 0.5, 0.25], [0.2, 1, 0.4], [0.1, 0.3, 1], [-0.05, 0.4, 1]], np.float32)
    return np.ascontiguousarray(light[:, None, None] * colors[None])


def _round_trips(config: ColorConfig) -> list[str]:
    problems = []
    x = _samples()
    for encoding in (Encoding.SCENE_LINEAR, Encoding.ACESCCT, Encoding.DISPLAY_LOG):
        for colorspace in dict.fromkeys((config.find("lin_ap0_scene"), config.scene_linear)):
            if not colorspace:
                continue
            encoder = Encoder(config, colorspace, encoding, (0.0, 1.0))
            # An unbounded encoder: the clip is not what is tested here.
            free = Encoder(config, colorspace, encoding, None)
            back = free.decode(free.encode(x))
            error = float((np.abs(back - x).max(axis=2) / np.abs(x).max(axis=2)).max())
            if not error <= _ROUND_TRIP:
                problems.append(f"{config.label}: {colorspace} to {encoding} and back is off by {error:.2g}")
            if not np.isfinite(encoder.encode(x)).all():
                problems.append(f"{config.label}: {colorspace} to {encoding} gives values that are not finite")
    return problems


def _views(config: ColorConfig) -> list[str]:
    gray = np.full((1, 1, 3), 0.18, np.float32)
    picture = config.to_display(gray, config.scene_linear)
    if not (np.isfinite(picture).all() and float(picture.min()) > 0 and float(picture.max()) < 1):
        return [f"{config.label}: the default view turns mid gray into {picture[0, 0].tolist()}"]
    return []
