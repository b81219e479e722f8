# SPDX-License-Identifier: Apache-2.0
"""The demo shot: pictures, passes, vectors and truths of the scene, in ACES2065-1 with 48 pixels of overscan."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from understudy.contracts.lights import LightRig
from understudy.contracts.plate import FloatImage, Plate, SampleType, Window
from understudy.demo.geometry import HEIGHT, WIDTH, Element, project, rays
from understudy.demo.light import DAY, shade
from understudy.demo.scene import make_scene

COLORSPACE = "ACES2065-1"
OVERSCAN = 48
FPS = (24, 1)
SEED = 20240
ONE = Fraction(1)

_BAND = 64
"""Rows that are rendered at a time, so that they stay in the cache."""

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

    def render(self, time: float, *, scale: Fraction = ONE, rig: LightRig = DAY) -> Rendered:
        """The picture at a frame time, fractional ones included.

        Args:
            time: Frame number.
            scale: Size over 960x540; edges and textures are filtered for it.
            rig: The lights.
        """
        x, y = _grid(scale)
        shape = x.shape
        picture = Rendered(
            color=np.zeros((*shape, 4), np.float32),
            ids=np.zeros(shape, np.uint32),
            albedo=np.zeros((*shape, 3), np.float32),
            normal=np.zeros((*shape, 3), np.float32),
            position=np.zeros((*shape, 3), np.float32),
            depth=np.zeros(shape, np.float32),
            roughness=np.zeros(shape, np.float32),
        )
        for top in range(0, shape[0], _BAND):
            band = slice(top, top + _BAND)
            fields = (getattr(picture, name)[band] for name in Rendered.__slots__)
            self._render_band(Rendered(*fields), x[band], y[band], time, float(1 / scale), rig)
        return picture

    def _render_band(
        self, picture: Rendered, x: FloatImage, y: FloatImage, time: float, pixel: float, rig: LightRig
    ) -> None:
        ray = rays(x, y)
        left = np.ones(x.shape, np.float32)
        for element in reversed(self._scene):  # front to back, so that only what shows is shaded
            window = _window(element, time, x, y)
            if window is None:
                continue
            coverage, depth = element.trace(ray[window], time, pixel)
            share = coverage * left[window]
            seen = share > 0
            part, points = share[seen][:, None], ray[window][seen] * depth[seen][:, None]
            look = element.surface(points, element.pose(time), pixel)
            radiance = shade(look, points, rig) + look.emission
            picture.color[window][seen] += np.concatenate([radiance * part, part * np.float32(element.solid)], axis=-1)
            picture.albedo[window][seen] += look.albedo * part
            picture.normal[window][seen] += look.normal * part
            picture.roughness[window][seen] += np.float32(look.roughness) * part[:, 0]
            front = (coverage >= 0.5) & (picture.ids[window] == 0)
            picture.position[window][front] = ray[window][front] * depth[front][:, None]
            picture.ids[window][front] = element.number
            left[window] *= 1 - coverage
        picture.depth[...] = -picture.position[..., 2]
        length = np.linalg.norm(picture.normal, axis=-1, keepdims=True)
        picture.normal[...] = np.where(length > 0.05, picture.normal / np.maximum(length, 1e-6), 0)

    def vectors(
        self, picture: Rendered, time: float, other: float, *, scale: Fraction = ONE
    ) -> tuple[FloatImage, Mask]:
        """True motion of each pixel's front element from one time to another, and where it gets hidden or leaves.

        Args:
            picture: What :meth:`render` gave for ``time`` and ``scale``.
            time: Its frame time.
            other: The other frame time.
            scale: Size over 960x540.

        Returns:
            float32 ``(height, width, 2)`` u right, v **up**, pixels of the picture; and bool ``(height, width)``, true
            where the point is behind something or outside the data window at ``other``.
        """
        x, y = _grid(scale)
        motion, hidden = np.empty((*x.shape, 2), np.float32), np.empty(x.shape, np.bool_)
        size = np.float32(scale)
        for top in range(0, len(x), _BAND):
            band = slice(top, top + _BAND)
            moved = np.empty_like(picture.position[band])
            for element in self._scene:
                mine = picture.ids[band] == element.number
                if mine.any():
                    moved[mine] = element.carry(picture.position[band][mine], time, other)
            there_x, there_y = project(moved)
            motion[band, :, 0], motion[band, :, 1] = (there_x - x[band]) * size, (y[band] - there_y) * size
            hidden[band] = self._hidden(there_x, there_y, -moved[..., 2], other)
        return motion, hidden

    def _hidden(self, x: FloatImage, y: FloatImage, depth: FloatImage, time: float) -> Mask:
        inside = (np.abs(x - WIDTH / 2) <= WIDTH / 2 + OVERSCAN) & (np.abs(y - HEIGHT / 2) <= HEIGHT / 2 + OVERSCAN)
        hidden: Mask = ~inside
        for element in self._scene[1:]:  # nothing is behind the sky
            bounds = element.bounds(time)
            at = inside if bounds is None else _within(x, y, bounds)
            if at.any():
                coverage, front = element.trace(rays(x[at], y[at]), time, 1.0)
                hidden[at] |= (coverage >= 0.5) & (front < depth[at] * np.float32(0.995))
        return hidden


def _within(x: FloatImage, y: FloatImage, bounds: tuple[float, float, float, float]) -> Mask:
    within: Mask = (x >= bounds[0]) & (y >= bounds[1]) & (x <= bounds[2]) & (y <= bounds[3])
    return within


def _grid(scale: Fraction) -> tuple[FloatImage, FloatImage]:
    width, height, size = int((WIDTH + 2 * OVERSCAN) * scale), int((HEIGHT + 2 * OVERSCAN) * scale), float(scale)
    columns = (np.arange(width, dtype=np.float32) + 0.5) / size - OVERSCAN
    rows = (np.arange(height, dtype=np.float32) + 0.5) / size - OVERSCAN
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


def _windows(scale: Fraction) -> tuple[Window, Window]:
    display = Window(0, 0, WIDTH, HEIGHT)
    data = Window(-OVERSCAN, -OVERSCAN, WIDTH + 2 * OVERSCAN, HEIGHT + 2 * OVERSCAN)
    return data.scaled(scale), display.scaled(scale)


def picture_plate(picture: Rendered, frame: int, *, scale: Fraction = ONE, passes: bool = True) -> Plate:
    """A rendered picture as a plate: RGBA, IDs and, when wanted, albedo, normal, position and depth."""
    ids = picture.ids.astype(np.float32)[..., None]
    parts, channels = [picture.color, ids], PLATE_CHANNELS
    types: tuple[SampleType, ...] = ("half", "half", "half", "half", "float")
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


def vector_plate(shot: Shot, picture: Rendered, frame: int, *, scale: Fraction = ONE) -> Plate:
    """True vectors of a rendered frame to its neighbors, with masks of what gets hidden on the way."""
    forward, hidden_forward = shot.vectors(picture, frame, frame + 1, scale=scale)
    backward, hidden_backward = shot.vectors(picture, frame, frame - 1, scale=scale)
    pixels = np.concatenate([forward, backward, hidden_forward[..., None], hidden_backward[..., None]], axis=-1)
    return _plate(pixels.astype(np.float32), VECTOR_CHANNELS, ("float",) * 6, frame, "Raw", scale)


def _plate(
    pixels: FloatImage,
    channels: tuple[str, ...],
    types: tuple[SampleType, ...],
    frame: int,
    colorspace: str,
    scale: Fraction,
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
