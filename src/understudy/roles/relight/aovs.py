# SPDX-License-Identifier: Apache-2.0
"""Albedo, normals, positions and materials of a plate: plates of their own or its layers, in bands of rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from understudy.color.config import ColorConfig
from understudy.contracts.channels import ChannelGroup, ChannelKind, alpha_of, classify, color_groups
from understudy.contracts.errors import PlateError, UsageError
from understudy.contracts.jobs import RelightParams
from understudy.contracts.plate import FloatImage, Plate, blank_plate
from understudy.roles.relight.energy import Values
from understudy.roles.relight.shading import Planes, constant, dot, normalized

LAYERS: dict[str, tuple[str, ...]] = {
    "albedo": ("albedo", "base_color", "basecolor", "diffuse_albedo"),
    "normal": ("n", "normal", "normals", "nrm", "cameranormal", "worldnormal"),
    "position": ("p", "position", "worldposition", "pworld"),
    "depth": ("z", "depth", "depth.z"),
    "roughness": ("roughness", "specular_roughness"),
    "metallic": ("metallic", "metalness"),
}
"""Layers of the main plate that hold an AOV, in lower case, best first."""

_SCALARS = ("depth", "roughness", "metallic")
_SUFFIXES = (("x", "y", "z"), ("r", "g", "b"), ("red", "green", "blue"))
_SPATIAL = ("normal", "position", "depth")
_FAR = np.float32(1e15)
_KINDS = {"normal": ChannelKind.NORMAL, "position": ChannelKind.POSITION, "depth": ChannelKind.DEPTH}


@dataclass(frozen=True, slots=True)
class Source:
    """Where an AOV is.

    Attributes:
        plate: The plate that holds it.
        channels: One index, or three.
        label: For reports: ``plate:N.X N.Y N.Z``.
    """

    plate: Plate
    channels: tuple[int, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Rows:
    """One band of a frame as planes of ``(rows * width,)``.

    Attributes:
        cover: Alpha, or 1 without one.
        albedo: Associated with ``cover``; None without an albedo.
        normal: Unit camera-space normals; zero where there is none. None without a normal.
        position: Camera-space points; None without position and depth.
        view: Unit vectors to the camera.
        roughness: 0.5 without an AOV: one number for all pixels, which saves most of the work.
        metallic: 0 without an AOV, the same.
        confidence: In the normal and the albedo; 1 for AOVs, the same.
    """

    cover: Values
    albedo: Planes | None
    normal: Planes | None
    position: Planes | None
    view: Planes
    roughness: Values
    metallic: Values
    confidence: Values


class Aovs:
    """All AOVs of a plate.

    Args:
        plates: The request's plates.
        params: The request's parameters.
        color: For an albedo in another color space than the plate's.

    Raises:
        PlateError: An AOV has the wrong channels or another display window; the plate has no color; world-space AOVs
            came without the camera.
        UsageError: ``camera_to_world`` is no rotation.
    """

    def __init__(self, plates: Mapping[str, Plate], params: RelightParams, color: ColorConfig) -> None:
        self.plate = main_plate(plates)
        self.params = params
        self.color = color
        self.group = color_group(self.plate, params.kinds)
        groups = classify(self.plate.channels, self.plate.sample_types, params.kinds)
        alpha = alpha_of(self.group, groups)
        self.alpha = None if alpha is None else self.plate.index(alpha)
        self.sources: dict[str, Source] = {}
        for name in LAYERS:
            found = _own_plate(plates[name], name) if name in plates else self._layer(name)
            if found is not None:
                self._check_windows(found.plate, name)
                self.sources[name] = found
        if "albedo" in self.sources:
            self.sources["albedo"] = self._in_plate_space(self.sources["albedo"])
        self._check_camera()

    def has(self, *names: str) -> bool:
        """Whether all these AOVs are there."""
        return all(name in self.sources for name in names)

    @property
    def has_position(self) -> bool:
        """Whether points in space are known."""
        return "position" in self.sources or "depth" in self.sources

    def rows(self, top: int, bottom: int) -> Rows:
        """Rows ``top`` to ``bottom`` of the plate's data window."""
        return self.grid(range(top, bottom), range(self.plate.width))

    def grid(self, lines: range, columns: range) -> Rows:
        """Some lines and columns of the plate's data window."""
        count = len(lines) * len(columns)
        one, none = np.ones(count, np.float32), np.zeros(count, np.float32)
        # Unassociated color is that of a whole surface wherever there is any.
        alpha = self._alpha(lines, columns)
        cover = alpha if self.plate.premultiplied else np.where(alpha > 0, one, none)
        normal = self._normal(lines, columns)
        position = self._position(lines, columns)
        if position is None:
            view: Planes = (none, none, one)
        else:
            x, y, z = normalized(position)
            # A point at the camera itself has no direction; it counts as straight ahead.
            view = (-x, -y, np.where(dot(position, position) > 0, -z, one))
        return Rows(
            cover=cover,
            albedo=self._albedo(lines, columns, cover),
            normal=normal,
            position=position,
            view=view,
            roughness=self._material("roughness", lines, columns, 0.5),
            metallic=self._material("metallic", lines, columns, 0.0),
            confidence=self._material("confidence", lines, columns, 1.0),
        )

    def _alpha(self, lines: range, columns: range) -> Values:
        if self.alpha is None:
            return np.ones(len(lines) * len(columns), np.float32)
        return np.ascontiguousarray(self.plate.pixels[as_slice(lines), as_slice(columns), self.alpha].ravel())

    def _normal(self, lines: range, columns: range) -> Planes | None:
        if "normal" not in self.sources:
            return None
        x, y, z = self._planes("normal", lines, columns)
        if self.params.normal_space == "world" and self.sources["normal"].label != "pack":
            x, y, z = self._to_camera((x, y, z))
        return normalized((x, y, z))

    def _position(self, lines: range, columns: range) -> Planes | None:
        if "position" in self.sources:
            x, y, z = self._planes("position", lines, columns)
            camera = self.params.camera_position
            if camera is None:
                return x, y, z
            return self._to_camera((x - constant(camera[0]), y - constant(camera[1]), z - constant(camera[2])))
        if "depth" not in self.sources:
            return None
        (depth,) = self._planes("depth", lines, columns)
        data, frame = self.plate.data_window, self.plate.display_window
        # Half the frame's width is the tangent of half the field of view, at distance one.
        unit = np.tan(np.radians(self.params.field_of_view / 2)) / (frame.width / 2)
        across = (np.asarray(columns) + 0.5 + data.x - frame.x - frame.width / 2) * unit
        up = -(np.asarray(lines) + 0.5 + data.y - frame.y - frame.height / 2) * unit / self.plate.pixel_aspect
        x = np.broadcast_to(across.astype(np.float32)[None], (len(lines), len(columns))).ravel()
        y = np.broadcast_to(up.astype(np.float32)[:, None], (len(lines), len(columns))).ravel()
        return x * depth, y * depth, -depth

    def _to_camera(self, vectors: Planes) -> Planes:
        assert self.params.camera_to_world is not None
        m = [np.float32(value) for value in self.params.camera_to_world]
        x, y, z = vectors
        # The inverse of a rotation is its transpose.
        return (
            m[0] * x + m[3] * y + m[6] * z,
            m[1] * x + m[4] * y + m[7] * z,
            m[2] * x + m[5] * y + m[8] * z,
        )

    def _check_camera(self) -> None:
        matrix = self.params.camera_to_world
        if matrix is None:
            for name, used in (
                ("normals", self.params.normal_space == "world" and "normal" in self.sources),
                ("positions", self.params.camera_position is not None and "position" in self.sources),
            ):
                if used:
                    raise PlateError(
                        f"the {name} are in world space and the camera's rotation is not known",
                        where="camera_to_world",
                        fix=f"give the 3x3 camera-to-world rotation, or render camera-space {name}",
                    )
            return
        rotation = np.array(matrix, np.float64).reshape(3, 3)
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) or np.linalg.det(rotation) < 0:
            raise UsageError(
                "the matrix is no rotation: its rows must be at right angles, of length one and right-handed",
                where="camera_to_world",
                fix="take the upper left 3x3 of the camera's matrix, without scale",
            )

    def _albedo(self, lines: range, columns: range, cover: Values) -> Planes | None:
        source = self.sources.get("albedo")
        if source is None:
            return None
        planes = self._planes("albedo", lines, columns)
        planes = planes * 3 if len(planes) == 1 else planes
        r, g, b = planes
        if source.plate.premultiplied == self.plate.premultiplied:
            return r, g, b
        if self.plate.premultiplied:
            return r * cover, g * cover, b * cover
        alpha = self._alpha(lines, columns)
        scale = np.divide(1, alpha, out=np.zeros_like(alpha), where=alpha > 0)
        return r * scale, g * scale, b * scale

    def _material(self, name: str, lines: range, columns: range, default: float) -> Values:
        if name not in self.sources:
            return constant(default)
        (values,) = self._planes(name, lines, columns)
        return values

    def _planes(self, name: str, lines: range, columns: range) -> tuple[Values, ...]:
        """The source's samples at the plate's absolute pixels; 0 where its data window does not reach."""
        planes = self._samples(name, lines, columns)
        # Renderers write 1e30 and more for "nothing there"; its square must still be a float.
        return tuple(np.clip(plane, -_FAR, _FAR) for plane in planes) if name in _SPATIAL else planes

    def _samples(self, name: str, lines: range, columns: range) -> tuple[Values, ...]:
        source = self.sources[name]
        data, lies = self.plate.data_window, source.plate.data_window
        if lies == data:
            part = source.plate.pixels[as_slice(lines), as_slice(columns)]
            return tuple(np.ascontiguousarray(part[..., c].ravel()) for c in source.channels)
        result = np.zeros((len(source.channels), len(lines), len(columns)), np.float32)
        to_y, from_y = _meeting(lines, data.y - lies.y, lies.height)
        to_x, from_x = _meeting(columns, data.x - lies.x, lies.width)
        part = source.plate.pixels[from_y, from_x]
        for plane, channel in zip(result, source.channels, strict=True):
            plane[to_y, to_x] = part[..., channel]
        return tuple(plane.ravel() for plane in result)

    def add(self, tensors: Mapping[str, FloatImage]) -> None:
        """Takes a pack's estimates where no AOV was given.

        Args:
            tensors: ``normal`` (camera space), optional ``albedo`` and ``confidence``, over the plate's data window.
        """
        given = "normal" in self.sources
        for name, names in (("normal", ("X", "Y", "Z")), ("albedo", ("R", "G", "B")), ("confidence", ("Y",))):
            if name in tensors and name not in self.sources and not (given and name == "confidence"):
                plate = blank_plate(tensors[name], names, colorspace=self.plate.colorspace, like=self.plate)
                plate = replace(plate, premultiplied=self.plate.premultiplied)
                self.sources[name] = Source(plate, tuple(range(len(names))), "pack")

    def _in_plate_space(self, source: Source) -> Source:
        """Whole at once, so that no band can differ from the frame."""
        space, target = source.plate.colorspace, self.plate.colorspace
        if space == target or self.color.is_data(space) or self.color.is_data(target):
            return source
        channels = source.channels if len(source.channels) == 3 else source.channels * 3
        rgb = self.color.convert(np.ascontiguousarray(source.plate.pixels[..., list(channels)]), space, target)
        plate = blank_plate(rgb, ("R", "G", "B"), colorspace=target, like=source.plate)
        return Source(replace(plate, premultiplied=source.plate.premultiplied), (0, 1, 2), source.label)

    def _layer(self, name: str) -> Source | None:
        plate, taken = self.plate, set(self.group.names)
        lower = {channel.lower(): channel for channel in plate.channels if channel not in taken}
        for pattern, kind in self.params.kinds.items():
            if _KINDS.get(name) is kind:
                fits = [channel for channel in plate.channels if fnmatchcase(channel, pattern)]
                if len(fits) == (1 if name in _SCALARS else 3):
                    return _source(plate, fits)
        for layer in LAYERS[name]:
            if name in _SCALARS:
                for single in (layer, f"{layer}.y", f"{layer}.r", f"{layer}.x", f"{layer}.z", f"{layer}.a"):
                    if single in lower:
                        return _source(plate, [lower[single]])
                continue
            for suffixes in _SUFFIXES:
                names = [f"{layer}.{suffix}" for suffix in suffixes]
                if all(each in lower for each in names):
                    return _source(plate, [lower[each] for each in names])
        return None

    def _check_windows(self, other: Plate, name: str) -> None:
        if other.display_window != self.plate.display_window:
            raise PlateError(
                f"the {name} is for a frame of {other.display_window}, the plate is {self.plate.display_window}",
                where=other.label,
                fix=f"render the {name} at the plate's format",
            )


def main_plate(plates: Mapping[str, Plate]) -> Plate:
    """The plate to relight.

    Raises:
        PlateError: There is none.
    """
    if "plate" not in plates:
        raise PlateError("relight needs a plate", where="plate", fix="name the plate to relight")
    return plates["plate"]


def color_group(plate: Plate, kinds: Mapping[str, ChannelKind]) -> ChannelGroup:
    """The channels that are relit: the main layer's color, else the first color layer that is not an AOV.

    Raises:
        PlateError: The plate has no color channels.
    """
    aov = {layer for names in LAYERS.values() for layer in names}
    for group in color_groups(classify(plate.channels, plate.sample_types, kinds)):
        if group.layer.lower() not in aov:
            return group
    raise PlateError(
        f"there are no color channels to relight among {', '.join(plate.channels)}",
        where=plate.label,
        fix="give a plate with R G B",
    )


def rgb_of(plate: Plate, color: ColorConfig, colorspace: str) -> FloatImage:
    """A plate's main color in another plate's color space, ``(height, width, 3)``; luminance is repeated.

    Raises:
        PlateError: It has no color.
        ColorspaceError: OCIO can't convert it.
    """
    group = color_group(plate, {})
    rgb = plate.take(group.names if len(group.names) == 3 else group.names * 3)
    return in_space(rgb, color, plate.colorspace, colorspace)


def in_space(rgb: FloatImage, color: ColorConfig, source: str, target: str) -> FloatImage:
    """RGB in another color space, ``(height, width, 3)``; itself where both are one or either is data.

    Raises:
        ColorspaceError: OCIO can't convert it.
    """
    if source == target or color.is_data(source) or color.is_data(target):
        return rgb
    return color.convert(rgb, source, target)


def _own_plate(plate: Plate, name: str) -> Source:
    """An AOV that came as a plate of its own, whatever its channels are called."""
    groups = classify(plate.channels, plate.sample_types)
    plain = [group for group in groups if group.kind is not ChannelKind.ALPHA]
    if name in _SCALARS:
        wanted = [group for group in plain if group.kind is _KINDS.get(name)] or plain
        if wanted:
            return _source(plate, [wanted[0].names[0]], name)
    else:
        kind = _KINDS.get(name, ChannelKind.COLOR)
        triples = [group for group in plain if len(group.names) == 3]
        best = [group for group in triples if group.kind is kind] or triples
        if best:
            return _source(plate, best[0].names, name)
        loose = [group.names[0] for group in plain if len(group.names) == 1]
        if len(loose) == 3 and name != "albedo":
            by_axis = sorted(loose, key=lambda channel: channel.rpartition(".")[2].lower())
            if "".join(channel.rpartition(".")[2].lower() for channel in by_axis) == "xyz":
                return _source(plate, by_axis, name)
        if len(loose) == 1 and name == "albedo":
            return _source(plate, loose, name)
    need = "one channel" if name in _SCALARS else "three channels such as X Y Z or R G B"
    raise PlateError(
        f"the {name} needs {need}, there are {', '.join(plate.channels)}", where=plate.label, fix=f"give another {name}"
    )


def _source(plate: Plate, names: list[str] | tuple[str, ...], label: str = "plate") -> Source:
    return Source(plate, tuple(plate.index(name) for name in names), f"{label}:{' '.join(names)}")


def as_slice(places: range) -> slice:
    """An index that takes these places; they run upward from 0 or more."""
    return slice(places.start, places.stop, places.step)


def _meeting(places: range, shift: int, size: int) -> tuple[slice, slice]:
    """Which of some places lie within ``0 .. size`` once shifted, counted from the first, and where they lie there."""
    first = max(0, -(-(-shift - places.start) // places.step))
    last = min(len(places), -(-(size - shift - places.start) // places.step))
    if last <= first:
        return slice(0, 0), slice(0, 0)
    inside = places[first:last]
    return slice(first, last), slice(inside.start + shift, inside.stop + shift, inside.step)
