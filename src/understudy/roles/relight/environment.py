# SPDX-License-Identifier: Apache-2.0
"""A latitude-longitude sky, averaged to a grid and filtered for diffuse and glossy surfaces.

The picture's center looks along -z, its top is +y and its right half lies toward +x. Averaging weighs every texel by
its solid angle, so no energy is lost. Cells that hold much of the sky's energy become directional lights, so the sun
keeps its exact energy and its sharp terminator. Both lobes are symmetric about an axis, so filtering is a convolution
along each pair of rows, done with an FFT.

Sources: Ramamoorthi and Hanrahan 2001; Karis 2013 (split sum); Lagarde and de Rousiers 2014 (dominant direction of a
glossy lobe).
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt

from understudy.contracts.plate import FloatImage
from understudy.roles.relight.energy import Values, coefficients, energy_tables, polynomial, through_coat
from understudy.roles.relight.shading import Planes

Doubles = npt.NDArray[np.float64]

Lobe = Callable[[Doubles], Doubles]
"""Weight of a direction by its cosine with the lobe's axis."""

LEVELS = 11
"""Filtered skies for roughness 0, 0.1 ... 1."""

_DIFFUSE_ROWS = 32
_SUN_SHARE = 0.01
_SUN_CONTRAST = 8.0
_MOST_SUNS = 32
_KEPT = 4


@dataclass(frozen=True, slots=True)
class Sun:
    """A bright cell of the sky as a directional light.

    Attributes:
        direction: Unit vector to it, before the light's rotation.
        irradiance: RGB, on a surface that faces it.
        spread: Angular radius, radians.
    """

    direction: tuple[float, float, float]
    irradiance: tuple[float, float, float]
    spread: float


@dataclass(frozen=True, slots=True)
class Sky:
    """A filtered sky; lookups take directions before rotation.

    Attributes:
        suns: The bright cells, taken out of the maps.
        glossy: ``(11, rows + 2, 2 rows + 2, 3)``: mean radiance under the GGX lobe about a
            direction; with a border of one texel.
        diffuse: ``(11, 34, 66, 3)``: mean radiance under the diffuse lobe.
    """

    suns: tuple[Sun, ...]
    glossy: npt.NDArray[np.float32]
    diffuse: npt.NDArray[np.float32]


def grid_directions(rows: int) -> Doubles:
    """Unit directions of a grid's cell centers, ``(rows, 2 rows, 3)``."""
    theta = (np.arange(rows) + 0.5) / rows * np.pi
    phi = ((np.arange(2 * rows) + 0.5) / (2 * rows) - 0.5) * 2 * np.pi
    sine = np.sin(theta)[:, None]
    across, toward = sine * np.sin(phi), -sine * np.cos(phi)
    return np.stack([across, np.broadcast_to(np.cos(theta)[:, None], across.shape), toward], axis=-1)


def solid_angles(rows: int) -> Doubles:
    """Solid angle of one cell of each row, ``(rows,)``; over the whole grid they sum to 4 pi."""
    edges = np.cos(np.arange(rows + 1) / rows * np.pi)
    return (edges[:-1] - edges[1:]) * (np.pi / rows)


def average(picture: FloatImage, rows: int) -> Doubles:
    """Means over the cells of a grid, weighted by solid angle.

    Args:
        picture: ``(height, 2 height, 3)``.
        rows: Rows of the grid; the picture's own height if it has fewer.

    Returns:
        ``(rows, 2 rows, 3)``.
    """
    height, width = picture.shape[:2]
    rows = min(rows, height)
    # A strip of latitude weighs as much as the sphere's area between its edges: its height along y.
    weights = _overlaps(np.cos(np.arange(height + 1) / height * np.pi), np.cos(np.arange(rows + 1) / rows * np.pi))
    horizontal = _overlaps(np.arange(width + 1) / width, np.arange(2 * rows + 1) / (2 * rows))
    image = picture.astype(np.float64)
    return np.stack([weights @ image[..., c] @ horizontal.T for c in range(3)], axis=-1)


def filter_sky(picture: FloatImage, rows: int) -> Sky:
    """The sky of a picture, filtered; the last four are kept in memory.

    Args:
        picture: ``(height, 2 height, 3)``, linear light.
        rows: Rows of the grid (8-512).
    """
    key = (hashlib.sha256(picture.tobytes()).hexdigest(), picture.shape, rows)
    with _lock:
        found = _cache.get(key)
        if found is None:
            found = _cache[key] = _filter(picture, rows)
            while len(_cache) > _KEPT:
                _cache.popitem(last=False)
        _cache.move_to_end(key)
        return found


_lock = Lock()
_cache: OrderedDict[tuple[str, tuple[int, ...], int], Sky] = OrderedDict()


def look_up(maps: npt.NDArray[np.float32], direction: Planes, roughness: Values) -> FloatImage:
    """Radiance of filtered maps, linear in direction and in roughness.

    Args:
        maps: ``glossy`` or ``diffuse`` of a :class:`Sky`.
        direction: Unit vectors, planes ``(n,)``.
        roughness: ``(n,)``, 0-1.

    Returns:
        ``(3, n)``.
    """
    levels, high, wide = maps.shape[:3]
    rows, columns = high - 2, wide - 2
    x, y, z = direction
    row = np.arccos(np.clip(y, -1, 1)) * np.float32(rows / np.pi) + np.float32(0.5)
    column = np.arctan2(x, -z) * np.float32(columns / (2 * np.pi)) + np.float32(columns / 2 + 0.5)
    r0 = np.clip(row.astype(np.int32), 0, high - 2)
    c0 = np.clip(column.astype(np.int32), 0, wide - 2)
    fr, fc = row - r0, column - c0
    at = roughness * np.float32(levels - 1)
    l0 = np.clip(at.astype(np.int32), 0, levels - 2)
    fl = at - l0
    flat = maps.reshape(-1, 3)
    base = (l0 * high + r0) * wide + c0
    total = np.zeros((*base.shape, 3), np.float32)
    for level, by_level in ((0, 1 - fl), (1, fl)):
        for down, by_row in ((0, 1 - fr), (1, fr)):
            for right, by_column in ((0, 1 - fc), (1, fc)):
                weight = by_level * by_row * by_column
                total += flat[base + ((level * high + down) * wide + right)] * weight[..., None]
    return np.moveaxis(total, -1, 0)


def dominant_direction(normal: Planes, view: Planes, roughness: Values) -> Planes:
    """Where a glossy lobe points: the mirrored view, drawn toward the normal as roughness grows; not normalized."""
    cosine = 2 * (normal[0] * view[0] + normal[1] * view[1] + normal[2] * view[2])
    alpha = roughness * roughness
    share = (1 - alpha) * (np.sqrt(1 - alpha) + alpha)
    x, y, z = (n + ((cosine * n - v) - n) * share for n, v in zip(normal, view, strict=True))
    return x, y, z


def _filter(picture: FloatImage, rows: int) -> Sky:
    grid = average(picture, rows)
    grid, suns = _take_suns(picture, grid)
    rows = grid.shape[0]
    diffuse_grid = average(grid.astype(np.float32), _DIFFUSE_ROWS)
    diffuse, glossy = [], []
    for level in range(LEVELS):
        roughness = level / (LEVELS - 1)
        diffuse.append(_bordered(_convolve(diffuse_grid, _diffuse_lobe(roughness))))
        if level == 0:
            glossy.append(_bordered(grid))
            continue
        # Four cells across the lobe's half width are enough; wider lobes see nothing of a finer grid.
        needed = max(32, int(np.ceil(2 * np.pi / roughness**2 / 8)) * 8)
        coarse = average(grid.astype(np.float32), needed)
        glossy.append(_bordered(_enlarged(_convolve(coarse, _glossy_lobe(roughness**2)), rows)))
    return Sky(suns, np.stack(glossy).astype(np.float32), np.stack(diffuse).astype(np.float32))


def _overlaps(fine: Doubles, coarse: Doubles) -> Doubles:
    """Share of each coarse cell that each fine cell covers, ``(coarse, fine)``, from their edges, in either order."""
    fine_low, fine_high = np.minimum(fine[:-1], fine[1:]), np.maximum(fine[:-1], fine[1:])
    low, high = np.minimum(coarse[:-1], coarse[1:])[:, None], np.maximum(coarse[:-1], coarse[1:])[:, None]
    overlap = np.maximum(np.minimum(high, fine_high) - np.maximum(low, fine_low), 0.0)
    shares: Doubles = overlap / overlap.sum(axis=1, keepdims=True)
    return shares


def _take_suns(picture: FloatImage, grid: Doubles) -> tuple[Doubles, tuple[Sun, ...]]:
    rows = grid.shape[0]
    angles = solid_angles(rows)
    brightness = grid.mean(axis=-1)
    energy = brightness * angles[:, None]
    total = np.abs(energy).sum()
    mean = total / (4 * np.pi)
    bright = (energy > _SUN_SHARE * total) & (brightness > _SUN_CONTRAST * mean)
    order = np.argsort(np.where(bright, -energy, 0.0), axis=None, kind="stable")[: min(_MOST_SUNS, int(bright.sum()))]
    chosen = np.zeros_like(bright)
    chosen.flat[order] = True
    rest = grid.copy()
    suns = []
    fine = grid_directions(picture.shape[0])
    for index in order:
        row, column = divmod(int(index), 2 * rows)
        base = _surroundings(grid, chosen, row, column)
        rest[row, column] = base
        light = (grid[row, column] - base) * angles[row]
        direction, spread = _center(picture, fine, rows, row, column, float(brightness[row, column]))
        suns.append(Sun(direction, (float(light[0]), float(light[1]), float(light[2])), spread))
    return rest, tuple(suns)


def _surroundings(grid: Doubles, chosen: npt.NDArray[np.bool_], row: int, column: int) -> Doubles:
    """Mean of the neighboring cells that are not suns; zero where there are none."""
    rows, columns = chosen.shape
    cells = [
        grid[r, c % columns]
        for r in range(max(0, row - 1), min(rows, row + 2))
        for c in range(column - 1, column + 2)
        if not chosen[r, c % columns]
    ]
    return np.mean(cells, axis=0) if cells else np.zeros(3)


def _center(
    picture: FloatImage, fine: Doubles, rows: int, row: int, column: int, floor: float
) -> tuple[tuple[float, float, float], float]:
    """Where in a cell the bright texels lie, and how far apart."""
    height = picture.shape[0]
    top, bottom = row * height // rows, -(-(row + 1) * height // rows)
    left, right = column * height // rows, -(-(column + 1) * height // rows)
    part = fine[top:bottom, left:right].reshape(-1, 3)
    bright = picture[top:bottom, left:right].astype(np.float64).mean(axis=-1).ravel()
    weight = np.where(bright >= floor, bright, 0.0) * np.repeat(solid_angles(height)[top:bottom], right - left)
    center = (part * weight[:, None]).sum(axis=0)
    center /= np.linalg.norm(center)
    angle = np.arccos(np.clip(part @ center, -1, 1))
    # A disk's radius is the root of twice its mean square distance; a texel is at least as wide as itself.
    spread = np.sqrt(2 * (angle**2 * weight).sum() / weight.sum() + (np.pi / height) ** 2 / np.pi)
    return (float(center[0]), float(center[1]), float(center[2])), float(spread)


def _diffuse_lobe(roughness: float) -> Lobe:
    tables = energy_tables()
    at = np.full(1, roughness, np.float32)
    lost, fresnel = coefficients(tables.lost, at), coefficients(tables.fresnel, at)
    through = through_coat(lost, fresnel, coefficients(tables.dielectric_bounce, at)[0])

    def weight(cosine: Doubles) -> Doubles:
        nl = np.clip(cosine, 0, 1)
        return np.asarray(nl * polynomial(through, nl.astype(np.float32)), np.float64)

    return weight


def _glossy_lobe(alpha: float) -> Lobe:
    """D V nl for a surface that faces both the camera and the lobe's axis."""
    a2 = alpha * alpha

    def weight(cosine: Doubles) -> Doubles:
        nl = np.clip(cosine, 0, 1)
        width = (1 + nl) * 0.5 * (a2 - 1) + 1
        result: Doubles = nl * a2 / (width * width) / (nl + np.sqrt(a2 + (1 - a2) * nl * nl))
        return result

    return weight


def _convolve(grid: Doubles, lobe: Lobe) -> Doubles:
    """Means of the grid under a lobe about each of its cells."""
    rows, columns = grid.shape[:2]
    theta = (np.arange(rows) + 0.5) / rows * np.pi
    turn = np.cos(np.arange(columns) / columns * 2 * np.pi)
    angles = solid_angles(rows)
    sky = np.fft.rfft(grid, axis=1)
    result = np.empty_like(grid)
    for row in range(rows):
        flat = np.sin(theta[row]) * np.sin(theta)
        weights = lobe(flat[:, None] * turn + (np.cos(theta[row]) * np.cos(theta))[:, None]) * angles[:, None]
        weights /= weights.sum()
        kernel = np.fft.rfft(weights, axis=1)
        result[row] = np.fft.irfft((kernel[..., None] * sky).sum(axis=0), n=columns, axis=0)
    return result


def _bordered(grid: Doubles) -> Doubles:
    """One more texel on every side: around the horizon, and over the poles to the other side."""
    columns = grid.shape[1]
    over = np.roll(grid, columns // 2, axis=1)
    tall = np.concatenate([over[:1], grid, over[-1:]])
    return np.concatenate([tall[:, -1:], tall, tall[:, :1]], axis=1)


def _enlarged(grid: Doubles, rows: int) -> Doubles:
    if grid.shape[0] == rows:
        return grid
    x, y, z = np.moveaxis(grid_directions(rows).astype(np.float32), -1, 0)
    maps = np.repeat(_bordered(grid)[None], 2, axis=0).astype(np.float32)
    return np.moveaxis(look_up(maps, (x, y, z), np.zeros_like(x)), 0, -1).astype(np.float64)
