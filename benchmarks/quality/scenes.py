# SPDX-License-Identifier: Apache-2.0
"""Procedural moving scenes with exact vectors: textured layers under affine motion, no photograph anywhere."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

HEIGHT, WIDTH = 256, 320
_MARGIN = 96


@dataclass(frozen=True, slots=True)
class Scene:
    """Two frames, scene-linear in 0-1, with the truth of the first.

    Attributes:
        a: float32 ``(h, w, 3)``.
        b: The next frame.
        flow: float32 ``(h, w, 2)``: from a to b, pixels, v down.
        hidden: bool ``(h, w)``: a's point is covered in b, or outside it.
    """

    a: Image
    b: Image
    flow: Image
    hidden: Mask


@dataclass(frozen=True, slots=True)
class _Layer:
    texture: Image  # (h + 2 margin, w + 2 margin, 3)
    center: Image  # (2,)
    radii: Image  # (2,); infinite for the background
    motion: Image  # (2, 3): a's point to b's


def scene(seed: int, speed: float) -> Scene:
    """A background and two to six ellipses, back to front; ``speed`` is the spread of their shifts in pixels."""
    rng = np.random.default_rng(seed)
    layers = [_layer(rng, speed, background=index == 0) for index in range(int(rng.integers(3, 8)))]
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    at_a = np.stack([x, y], axis=-1)
    a, b = np.zeros((HEIGHT, WIDTH, 3), np.float32), np.zeros((HEIGHT, WIDTH, 3), np.float32)
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    top_a, top_b = np.zeros((HEIGHT, WIDTH), int), np.zeros((HEIGHT, WIDTH), int)
    for index, layer in enumerate(layers):
        matrix, shift = layer.motion[:, :2], layer.motion[:, 2]
        before = (at_a - shift) @ np.linalg.inv(matrix).T.astype(np.float32)
        for picture, top, place in ((a, top_a, at_a), (b, top_b, before)):
            inside = (((place - layer.center) / layer.radii) ** 2).sum(axis=-1) <= 1
            picture[inside] = _looked_up(layer.texture, place)[inside]
            top[inside] = index
        mine = top_a == index
        flow[mine] = (at_a @ matrix.T + shift - at_a)[mine]
    landing = at_a + flow
    outside = ((landing < 0) | (landing > [WIDTH - 1, HEIGHT - 1])).any(axis=-1)
    rows = np.clip(np.rint(landing[..., 1]), 0, HEIGHT - 1).astype(int)
    columns = np.clip(np.rint(landing[..., 0]), 0, WIDTH - 1).astype(int)
    hidden = (top_b[rows, columns] != top_a) | outside
    b *= np.float32(rng.uniform(0.95, 1.05))
    noisy = [np.clip(p + rng.normal(0, 0.004, p.shape), 0, 1).astype(np.float32) for p in (a, b)]
    return Scene(noisy[0], noisy[1], flow, hidden)


def _layer(rng: np.random.Generator, speed: float, *, background: bool) -> _Layer:
    size = np.array([WIDTH, HEIGHT], np.float32)
    center = (rng.uniform(0.1, 0.9, 2) * size).astype(np.float32)
    radii = np.full(2, np.inf) if background else np.asarray(rng.uniform(15, 80, 2))
    angle, zoom = rng.normal(0, 0.03), np.exp(rng.normal(0, 0.02))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = rng.normal(0, speed * (0.5 if background else 1), 2) + center - turn @ center
    motion = np.concatenate([turn, shift[:, None]], axis=1).astype(np.float32)
    return _Layer(_texture(rng), center, radii.astype(np.float32), motion)


def _texture(rng: np.random.Generator) -> Image:
    """Noise over octaves around a color, some of it with hard steps, some nearly flat."""
    height, width = HEIGHT + 2 * _MARGIN, WIDTH + 2 * _MARGIN
    total = np.zeros((height, width, 3), np.float32)
    slope = rng.uniform(0.4, 1.1)
    for octave in range(1, 8):
        cells = rng.random((2**octave + 1, 2**octave + 1, 3)).astype(np.float32) - np.float32(0.5)
        total += cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(2 ** (-slope * octave))
    if rng.random() < 0.4:
        total = np.asarray(np.round(total * 6) / 6, np.float32)
    contrast = rng.choice([0.02, 0.3, 0.8])
    color = rng.uniform(0.05, 0.6, 3)
    return np.clip(color * (1 + contrast * 2 * total / total.std()), 0, 1).astype(np.float32)


def _looked_up(texture: Image, place: Image) -> Any:
    at = place + np.float32(_MARGIN)
    return cv2.remap(texture, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
