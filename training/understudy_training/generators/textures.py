# SPDX-License-Identifier: Apache-2.0
"""Procedural textures, batched: noise, gradients, gratings, lattices in perspective, cells, hair, text-like strokes.

Everything is drawn by formula from a seed; no picture is read. Edges are softened by about a pixel, so that textures
are sampled without aliasing, and what is finer than a pixel fades to its mean.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from understudy_training.generators.dice import Dice

Family = Callable[[Dice, int, int, int], Tensor]
"""Draws n textures of a height and width as [n, height, width], in 0-1."""


def draw_textures(
    rng: torch.Generator,
    count: int,
    height: int,
    width: int,
    channels: int = 1,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Draws textures of mixed families.

    Args:
        rng: Stream that all randomness comes from, on ``device``.
        count: How many.
        height: In pixels.
        width: In pixels.
        channels: 1 for gray, 3 for color between two or three random colors.
        device: Where to draw.

    Returns:
        Display-like values in 0-1, as [count, channels, height, width].
    """
    dice = Dice(rng, torch.device(device))
    tallies = dice.shares(count, [weight for weight, _ in FAMILIES])
    drawn = [family(dice, tally, height, width) for tally, (_, family) in zip(tallies, FAMILIES, strict=True) if tally]
    return colored(dice, dice.shuffled(torch.cat(drawn)), channels)


def colored(dice: Dice, gray: Tensor, channels: int) -> Tensor:
    """Gives gray textures [n, h, w] color: a ramp between random colors. One channel stays as it is."""
    gray = gray[:, None]
    if channels == 1:
        return gray
    count = len(gray)
    lightness = dice.uniform(count, 2, 1)
    chroma = dice.normal(count, 2, channels, deviation=0.12) * dice.uniform(count, 1, 1, high=1.5)
    ends = (lightness + chroma).clamp(0, 1)[..., None, None]
    return torch.lerp(ends[:, 0], ends[:, 1], gray)


def perspective(
    dice: Dice, count: int, height: int, width: int, *, low: float = 4.0, high: float = 60.0, tilt: float = 1.2
) -> tuple[Tensor, Tensor, Tensor]:
    """Coordinates on a plane that is turned, scaled, stretched and seen in perspective.

    Args:
        dice: The stream.
        count: How many planes.
        height: In pixels.
        width: In pixels.
        low: Pixels to a unit in the middle of the picture, at least.
        high: The same, at most.
        tilt: How strong the perspective gets; 0 for none.

    Returns:
        u and v, each [n, h, w] in units of the plane, and the units that a pixel spans there.
    """
    y, x = grid(dice, height, width)
    size = max(height, width)
    angle = dice.uniform(count, 1, 1, high=2 * math.pi)
    # Much of what people build stands level.
    level = dice.happens(count, 1, 1, chance=0.35)
    angle = torch.where(level, dice.normal(count, 1, 1, deviation=0.05), angle)
    unit = dice.log_uniform(count, 1, 1, low=low, high=high)
    stretch = dice.log_uniform(count, 1, 1, low=0.5, high=2.0)
    lean = dice.uniform(count, 2, 1, 1, low=-tilt, high=tilt) * dice.happens(count, 1, 1, 1, chance=0.6)
    depth = (1 + (lean[:, 0] * x + lean[:, 1] * y) / size).clamp(min=0.25)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    u = (cosine * x + sine * y) / (unit * depth) + dice.uniform(count, 1, 1, high=64)
    v = (cosine * y - sine * x) / (unit * stretch * depth) + dice.uniform(count, 1, 1, high=64)
    return u, v, footprint(u, v)


def grid(dice: Dice, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Pixel positions from the middle of the picture: y as [h, 1], x as [1, w]."""
    y = torch.arange(height, device=dice.device, dtype=torch.float32) - (height - 1) / 2
    x = torch.arange(width, device=dice.device, dtype=torch.float32) - (width - 1) / 2
    return y[:, None], x[None]


def footprint(u: Tensor, v: Tensor) -> Tensor:
    """How far a step of one pixel moves on the plane, the longer of the two, for each pixel."""
    along = [torch.gradient(coordinate, dim=axis)[0] for coordinate in (u, v) for axis in (-1, -2)]
    longest: Tensor = torch.maximum(torch.hypot(along[0], along[1]), torch.hypot(along[2], along[3]))
    return longest.clamp(min=1e-4)


def filled(distance: Tensor, pixel: Tensor | float) -> Tensor:
    """Coverage of a shape: 1 inside (a distance under 0), 0 outside, linear over one pixel at the edge."""
    return (0.5 - distance / pixel).clamp(0, 1)


def fractal(dice: Dice, count: int, height: int, width: int, *, low: float = 0.8, high: float = 2.0) -> Tensor:
    """Noise whose amplitude falls as 1/f^b, b between ``low`` and ``high``, often stretched along one direction.

    Returns:
        [n, h, w] with mean 0 and deviation 1.
    """
    fy = torch.fft.fftfreq(height, device=dice.device)[:, None]
    fx = torch.fft.rfftfreq(width, device=dice.device)[None]
    angle = dice.uniform(count, 1, 1, high=math.pi)
    stretch = 1 + dice.log_uniform(count, 1, 1, low=0.5, high=6) * dice.happens(count, 1, 1, chance=0.4)
    along = torch.cos(angle) * fx + torch.sin(angle) * fy
    across = torch.cos(angle) * fy - torch.sin(angle) * fx
    square = (along * stretch) ** 2 + across**2 + 1e-5
    power = dice.uniform(count, 1, 1, low=low, high=high)
    spectrum = torch.fft.rfft2(dice.normal(count, height, width)) * square ** (-power / 2)
    spectrum[:, 0, 0] = 0
    noise = torch.fft.irfft2(spectrum, s=(height, width))
    return noise / noise.std(dim=(1, 2), keepdim=True).clamp(min=1e-6)


def _noise(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Clouds, marble, stains: 1/f noise as it is, folded, or thresholded softly."""
    noise = fractal(dice, count, height, width, low=0.6, high=1.7)
    kind = dice.uniform(count, 1, 1)
    folded = (noise.abs() * 1.2 - 1).clamp(-2, 2)
    hard = torch.tanh(noise * dice.log_uniform(count, 1, 1, low=1.5, high=8)) * 1.5
    noise = torch.where(kind < 0.55, noise, torch.where(kind < 0.75, folded, hard))
    return torch.sigmoid(noise * 1.2)


def _gradient(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Smooth shading: a ramp, a bowl, or both, with the faintest clouds."""
    y, x = grid(dice, height, width)
    size = max(height, width)
    slope = dice.normal(count, 2, 1, 1, deviation=1.2)
    center = dice.uniform(count, 2, 1, 1, low=-0.6, high=0.6) * size
    bowl = ((x - center[:, 0]) ** 2 + (y - center[:, 1]) ** 2) / size**2 * dice.normal(count, 1, 1, deviation=2)
    ramp = (slope[:, 0] * x + slope[:, 1] * y) / size
    clouds = fractal(dice, count, height, width, low=1.6, high=2.4) * dice.uniform(count, 1, 1, high=0.15)
    return torch.sigmoid(ramp + bowl + clouds)


def _grating(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Stripes: sines and bars, in perspective, bent by noise, one or two sets of them."""
    u, v, pixel = perspective(dice, count, height, width, low=3, high=40)
    bend = fractal(dice, count, height, width, low=1.6, high=2.4) * dice.log_uniform(count, 1, 1, low=0.01, high=0.6)
    bend = bend * dice.happens(count, 1, 1, chance=0.5)
    wave = torch.sin(2 * math.pi * (u + bend))
    other = torch.sin(2 * math.pi * v)
    wave = torch.where(dice.happens(count, 1, 1, chance=0.25), wave * other, wave)
    # A bar's edge: the sine crosses 0 with a slope of 2 pi.
    duty = dice.uniform(count, 1, 1, low=-0.8, high=0.8)
    bars = 2 * filled(duty - wave, 2 * math.pi * pixel) - 1
    wave = torch.where(dice.happens(count, 1, 1, chance=0.5), bars, wave)
    return 0.5 + 0.5 * wave * seen(pixel)


def seen(pixel: Tensor) -> Tensor:
    """Contrast that is left of a pattern of one unit where a pixel spans this many units: none beyond Nyquist."""
    return (1.6 - 3.2 * pixel).clamp(0, 1)


def scattered(dice: Dice, count: int, column: Tensor, row: Tensor, facts: int = 1) -> list[Tensor]:
    """Random numbers that belong to whole cells of a plane: the same for each pixel of a cell.

    Args:
        dice: The stream.
        count: Textures.
        column: Whole numbers, [n, h, w].
        row: Whole numbers, [n, h, w].
        facts: How many numbers for each cell.

    Returns:
        ``facts`` tensors [n, h, w], uniform in 0-1.
    """
    table = dice.uniform(count, 1021, facts)
    place = torch.remainder(column.long() * 127 + row.long() * 311, 1021).flatten(1)
    rows = torch.arange(count, device=dice.device)[:, None]
    return [fact.reshape(column.shape) for fact in table[rows, place].unbind(-1)]


def _lattice(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Tiles, bricks, windows, checkers, fences and dots on a plane in perspective; each cell has its own gray."""
    u, v, pixel = perspective(dice, count, height, width, low=6, high=80)
    row = torch.floor(v)
    shift = dice.uniform(count, 1, 1) * dice.happens(count, 1, 1, chance=0.35)
    u = u + shift * torch.remainder(row, 2)
    column = torch.floor(u)
    own, lit = scattered(dice, count, column, row, 2)
    x, y = (u - column - 0.5).abs(), (v - row - 0.5).abs()
    half = dice.uniform(count, 2, 1, 1, low=0.2, high=0.49)
    joint = dice.uniform(count, 1, 1, low=0.44, high=0.49)
    narrow = dice.happens(count, 1, 1, chance=0.5)
    x, y = x - torch.where(narrow, joint, half[:, 0]), y - torch.where(narrow, joint, half[:, 1])
    corner = dice.uniform(count, 1, 1, high=0.25) * dice.happens(count, 1, 1, chance=0.3)
    outside = torch.hypot((x + corner).clamp(min=0), (y + corner).clamp(min=0)) - corner
    box = torch.where(dice.happens(count, 1, 1, chance=0.75), torch.maximum(x, y), outside)
    cover = filled(box, pixel)
    checker = torch.remainder(column + row, 2)
    variety = dice.uniform(count, 1, 1, high=0.5)
    alike = dice.uniform(count, 1, 1, low=0.3)
    face = torch.where(dice.happens(count, 1, 1, chance=0.3), checker, alike + (own - 0.5) * variety)
    face = torch.where((lit < 0.12) & dice.happens(count, 1, 1, chance=0.4), 1 - face, face)
    ground = dice.uniform(count, 1, 1)
    contrast = seen(pixel)
    return torch.lerp(torch.lerp(ground, alike, 0.5), torch.lerp(ground, face, cover), contrast).clamp(0, 1)


def _cells(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Pebbles, scales, cracked mud: Worley cells with their own gray, their distance, or their borders."""
    u, v, pixel = perspective(dice, count, height, width, low=5, high=50, tilt=0.8)
    wander = dice.uniform(count, 1, 1, low=0.4, high=1.0)
    first = torch.full_like(u, 9.0)
    second = torch.full_like(u, 9.0)
    gray = torch.zeros_like(u)
    column, row = torch.floor(u), torch.floor(v)
    table = dice.uniform(count, 1021, 3)
    rows = torch.arange(count, device=dice.device)[:, None]
    for across in (-1, 0, 1):
        for down in (-1, 0, 1):
            place = torch.remainder((column + across).long() * 127 + (row + down).long() * 311, 1021).flatten(1)
            at_x, at_y, own = (fact.reshape(u.shape) for fact in table[rows, place].unbind(-1))
            dx = column + across + 0.5 + (at_x - 0.5) * wander - u
            dy = row + down + 0.5 + (at_y - 0.5) * wander - v
            distance = torch.hypot(dx, dy)
            nearer = distance < first
            second = torch.minimum(second, torch.where(nearer, first, distance))
            gray = torch.where(nearer, own, gray)
            first = torch.minimum(first, distance)
    crack = filled(dice.log_uniform(count, 1, 1, low=0.04, high=0.3) - (second - first), pixel)
    crack = torch.where(dice.happens(count, 1, 1, chance=0.6), crack, torch.ones_like(crack))
    kind = dice.uniform(count, 1, 1)
    face = torch.where(kind < 0.4, gray, torch.where(kind < 0.75, 1 - first, 0.6 + 0.3 * (gray - 0.5)))
    return (0.5 + (crack * face - 0.5) * seen(pixel)).clamp(0, 1)


def _hair(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Hair, grass, wood: thin lines that follow a bent direction, with their own strength."""
    u, v, pixel = perspective(dice, count, height, width, low=3, high=16, tilt=0.5)
    bend = fractal(dice, count, height, width, low=1.8, high=2.6) * dice.log_uniform(count, 1, 1, low=0.3, high=6)
    u = u + bend
    pixel = footprint(u, v)
    column = torch.floor(u)
    own, place, length = scattered(dice, count, column, torch.floor(v * 0.15 + column * 0.37), 3)
    across = (u - column - 0.3 - 0.4 * place).abs()
    strand = filled(across - 0.05 - 0.3 * length * dice.uniform(count, 1, 1), pixel)
    ground = dice.uniform(count, 1, 1, low=0.2, high=0.8)
    return (ground + (own - ground) * strand * seen(pixel)).clamp(0, 1)


def _glyphs(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Lines of text-like strokes: each cell holds a few, between points of a small grid; some cells are blank."""
    u, v, pixel = perspective(dice, count, height, width, low=6, high=40, tilt=0.6)
    v = v * dice.uniform(count, 1, 1, low=0.5, high=0.9)
    column, row = torch.floor(u), torch.floor(v)
    x, y = u - column, v - row
    # Few letters make a line look like writing: the letter is drawn first, then its strokes.
    letters = 24
    (letter,) = scattered(dice, count, column, row)
    letter = (letter * letters * 1.25).long().clamp(max=letters)
    strokes = 4
    ends = dice.whole(count, letters + 1, strokes, 4, low=0, high=3).float() / 3
    ends = ends * torch.tensor([0.6, 0.7, 0.6, 0.7], device=dice.device) + torch.tensor(
        [0.2, 0.15, 0.2, 0.15], device=dice.device
    )
    rows = torch.arange(count, device=dice.device)[:, None]
    nearest = torch.full_like(u, 9.0)
    for stroke in range(strokes):
        ax, ay, bx, by = (fact.reshape(u.shape) for fact in ends[rows, letter.flatten(1), stroke].unbind(-1))
        along_x, along_y = bx - ax, by - ay
        # Every other letter's strokes are level or upright, as in most scripts.
        upright = (letter + stroke) % 3
        along_x = torch.where(upright == 0, torch.zeros_like(along_x), along_x)
        along_y = torch.where(upright == 1, torch.zeros_like(along_y), along_y)
        part = ((x - ax) * along_x + (y - ay) * along_y) / (along_x**2 + along_y**2).clamp(min=1e-3)
        part = part.clamp(0, 1)
        nearest = torch.minimum(nearest, torch.hypot(x - ax - part * along_x, y - ay - part * along_y))
    weight = dice.log_uniform(count, 1, 1, low=0.03, high=0.11)
    ink = filled(nearest - weight, pixel) * (letter < letters)
    paper = dice.uniform(count, 1, 1)
    tone = torch.where(
        paper > 0.5, paper - dice.uniform(count, 1, 1, low=0.3), paper + dice.uniform(count, 1, 1, low=0.3)
    )
    return torch.lerp(paper, tone, ink * seen(pixel)).clamp(0, 1)


FAMILIES: tuple[tuple[float, Family], ...] = (
    (0.24, _noise),
    (0.14, _gradient),
    (0.14, _grating),
    (0.18, _lattice),
    (0.10, _cells),
    (0.08, _hair),
    (0.12, _glyphs),
)
"""What the textures are mixed of, with the share of each."""
