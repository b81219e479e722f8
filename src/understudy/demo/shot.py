# SPDX-License-Identifier: Apache-2.0
"""The demo shot: pictures, passes, vectors and truths of the scene, in ACES2065-1 with 48 pixels of overscan."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from understudy.contracts.lights import LightRig
from understudy.contracts.plate import FloatImage, Plate, SampleType, Window
from understudy.demo.geometry import FIRST, HEIGHT, LAST, WIDTH, Element, project, rays
from understudy.demo.light import DAY, shade
from understudy.demo.scene import make_scene

COLORSPACE = "ACES2065-1"
OVERSCAN = 48
FPS = (24, 1)
SEED = 20240
FRAMES = tuple(range(FIRST, LAST + 1))

Mask = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

PLATE_CHANNELS: tuple[str, ...] = ("R", "G", "B", "A", "id.X")
PASS_CHANNELS = (
    *("albedo.R", "albedo.G", "albedo.B", "normal.X", "normal.Y", "normal.Z"),
    *("roughness.Y", "position.X", "position.Y", "position.Z", "depth.Z"),
)
VECTOR_CHANNELS = ("forward.u", "forward.v", "backward.u", "backward.v", "occlusion.forward", "occlusion.backward")


@dataclass(frozen=True, slots=True)
class Rendered:
    """One rendered picture.

    Attributes:
        color: Premultiplied RGBA, ``(height, width, 4)``; the sky is light without alpha.
        ids: Number of the front element, uint32 ``(height, width)``.
        albedo: ``(height, width, 3)``, filtered like color.
        normal: ``(height, width, 3)``, camera space, unit length; zero in the sky.
        position: ``(height, width, 3)``, camera space, of the front element.
        depth: ``(height, width)``, along -z, of the front element.
        roughness: ``(height, width)``, filtered like color.
    """

    color: FloatImage
    ids: np.ndarray[tuple[int, ...], np.dtype[np.uint32]]
    albedo: FloatImage
    normal: FloatImage
    position: FloatImage
    depth: FloatImage
    roughness: FloatImage


class Shot:
    """Renders the shot at any time, size and light. The same seed gives the same bytes on one machine."""

    def __init__(self, seed: int = SEED) -> None:
        self._scene = make_scene(seed)

    @property
    def names(self) -> dict[int, str]:
        """The elements' names by their ID."""
        return {element.number: element.name for element in self._scene}

    def render(self, time: float, *, scale: int = 1, rig: LightRig = DAY) -> Rendered:
        """The picture at a frame time, fractional ones included.

        Args:
            time: Frame number.
            scale: Size over 960x540; edges and textures are filtered for it.
            rig: The lights.
        """
        x, y = _grid(scale)
        shape = x.shape
        ray = rays(x, y)
        color, albedo, normal = (
            np.zeros((*shape, 4), np.float32),
            np.zeros((*shape, 3), np.float32),
            np.zeros((*shape, 3), np.float32),
        )
        position, ids = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.uint32)
        roughness = np.zeros(shape, np.float32)
        left = np.ones(shape, np.float32)
        for element in reversed(self._scene):  # front to back, so that only what shows is shaded
            window = _window(element, time, x, y)
            if window is None:
                continue
            coverage, depth = element.trace(ray[window], time, 1 / scale)
            share = coverage * left[window]
            seen = share > 0
            part, points = share[seen][:, None], ray[window][seen] * depth[seen][:, None]
            look = element.surface(points, element.pose(time), 1 / scale)
            radiance = shade(look, points, rig) + look.emission
            color[window][seen] += np.concatenate([radiance * part, part * np.float32(element.solid)], axis=-1)
            albedo[window][seen] += look.albedo * part
            normal[window][seen] += look.normal * part
            roughness[window][seen] += np.float32(look.roughness) * part[:, 0]
            front = (coverage >= 0.5) & (ids[window] == 0)
            position[window][front] = ray[window][front] * depth[front][:, None]
            ids[window][front] = element.number
            left[window] *= 1 - coverage
        length = np.linalg.norm(normal, axis=-1, keepdims=True)
        normal = np.where(length > 0.05, normal / np.maximum(length, 1e-6), 0).astype(np.float32)
        return Rendered(color, ids, albedo, normal, position, -position[..., 2], roughness)

    def vectors(self, picture: Rendered, time: float, other: float) -> tuple[FloatImage, Mask]:
        """True motion of each pixel's front element from one time to another, and where it gets hidden or leaves.

        Args:
            picture: What :meth:`render` gave for ``time`` at scale 1.
            time: Its frame time.
            other: The other frame time.

        Returns:
            float32 ``(height, width, 2)`` u right, v **up**, pixels; and bool ``(height, width)``, true where the point
            is behind something or outside the data window at ``other``.
        """
        x, y = _grid(1)
        moved = np.empty_like(picture.position)
        for element in self._scene:
            mine = picture.ids == element.number
            moved[mine] = element.carry(picture.position[mine], time, other)
        there_x, there_y = project(moved)
        motion = np.stack([there_x - x, y - there_y], axis=-1)
        inside = (np.abs(there_x - WIDTH / 2) <= WIDTH / 2 + OVERSCAN) & (
            np.abs(there_y - HEIGHT / 2) <= HEIGHT / 2 + OVERSCAN
        )
        nearest = self._nearest(rays(there_x, there_y), other)
        return motion.astype(np.float32), ~inside | (nearest < -moved[..., 2] * np.float32(0.995))

    def _nearest(self, ray: FloatImage, time: float) -> FloatImage:
        nearest = np.full(ray.shape[:-1], np.float32(np.inf))
        for element in self._scene:
            coverage, depth = element.trace(ray, time, 1.0)
            nearest = np.where((coverage >= 0.5) & (depth < nearest), depth, nearest)
        return nearest


def _grid(scale: int) -> tuple[FloatImage, FloatImage]:
    columns = (np.arange((WIDTH + 2 * OVERSCAN) * scale, dtype=np.float32) + 0.5) / scale - OVERSCAN
    rows = (np.arange((HEIGHT + 2 * OVERSCAN) * scale, dtype=np.float32) + 0.5) / scale - OVERSCAN
    x, y = np.meshgrid(columns, rows)
    return x.astype(np.float32), y.astype(np.float32)


def _window(element: Element, time: float, x: FloatImage, y: FloatImage) -> tuple[slice, slice] | None:
    bounds = element.bounds(time)
    if bounds is None:
        return slice(0, x.shape[0]), slice(0, x.shape[1])
    columns = np.flatnonzero((x[0] >= bounds[0]) & (x[0] <= bounds[2]))
    rows = np.flatnonzero((y[:, 0] >= bounds[1]) & (y[:, 0] <= bounds[3]))
    if not len(rows) or not len(columns):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _windows(scale: int) -> tuple[Window, Window]:
    display = Window(0, 0, WIDTH, HEIGHT)
    data = Window(-OVERSCAN, -OVERSCAN, WIDTH + 2 * OVERSCAN, HEIGHT + 2 * OVERSCAN)
    return data.scaled(Fraction(scale)), display.scaled(Fraction(scale))


def picture_plate(picture: Rendered, frame: int, *, scale: int = 1, passes: bool = True) -> Plate:
    """A rendered picture as a plate: RGBA, IDs and, when wanted, albedo, normal, position and depth."""
    ids = picture.ids.view(np.float32)[..., None]
    parts, channels = [picture.color, ids], PLATE_CHANNELS
    types: tuple[SampleType, ...] = ("half", "half", "half", "half", "uint")
    if passes:
        parts += [
            picture.albedo,
            picture.normal,
            picture.roughness[..., None],
            picture.position,
            picture.depth[..., None],
        ]
        channels += PASS_CHANNELS
        types += ("half",) * 7 + ("float",) * 4
    return _plate(np.concatenate(parts, axis=-1), channels, types, frame, COLORSPACE, scale)


def vector_plate(shot: Shot, picture: Rendered, frame: int) -> Plate:
    """True vectors of a rendered frame to its neighbors, with masks of what gets hidden on the way."""
    forward, hidden_forward = shot.vectors(picture, frame, frame + 1)
    backward, hidden_backward = shot.vectors(picture, frame, frame - 1)
    pixels = np.concatenate([forward, backward, hidden_forward[..., None], hidden_backward[..., None]], axis=-1)
    return _plate(pixels.astype(np.float32), VECTOR_CHANNELS, ("float",) * 6, frame, "Raw", 1)


def _plate(
    pixels: FloatImage,
    channels: tuple[str, ...],
    types: tuple[SampleType, ...],
    frame: int,
    colorspace: str,
    scale: int,
) -> Plate:
    data, display = _windows(scale)
    return Plate(
        pixels=pixels,
        channels=channels,
        sample_types=types,
        data_window=data,
        display_window=display,
        frame=frame,
        colorspace=colorspace,
        metadata={"FramesPerSecond": FPS},
    )
