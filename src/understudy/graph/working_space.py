# SPDX-License-Identifier: Apache-2.0
"""Into and out of the working form: scene-linear, premultiplied. Scene-linear plates pass untouched, bit for bit."""

from dataclasses import replace

import numpy as np

from understudy.color.config import ColorConfig
from understudy.contracts.channels import ChannelGroup, alpha_of, classify, color_groups
from understudy.contracts.errors import ColorspaceError
from understudy.contracts.plate import FloatImage, Plate
from understudy.frames.association import associate, dissociate

_SCENE_CONTAINERS = ("exr", "hdr")


def to_working(plate: Plate, color: ColorConfig) -> Plate:
    """The plate in scene-linear light with premultiplied color.

    A plate that is scene-linear (or declared as data) keeps its space; any other goes to the config's ``scene_linear``.

    Args:
        plate: As read; its ``colorspace`` is the file's.
        color: The config.
    """
    plate = replace(plate, storage=replace(plate.storage, colorspace=plate.colorspace))
    if not color.is_scene_linear(plate.colorspace) and not color.is_data(plate.colorspace):
        plate = convert(plate, color.scene_linear, color)
    return associate(plate)


def convert(plate: Plate, target: str, color: ColorConfig) -> Plate:
    """The plate with its color channels in another space; other channels stay as they are.

    Color of a premultiplied plate is divided by alpha first where the conversion is not linear.

    Raises:
        ColorspaceError: One of the spaces is data and the other is not.
    """
    if target == plate.colorspace:
        return plate
    groups = classify(plate.channels, plate.sample_types)
    linear = color.is_scene_linear(plate.colorspace) and color.is_scene_linear(target)
    pixels = plate.pixels.copy()
    for group in color_groups(groups):
        where = [plate.index(name) for name in group.names]
        rgb = pixels[..., where] if len(where) == 3 else np.repeat(pixels[..., where], 3, axis=2)
        alpha = None if linear or not plate.premultiplied else _alpha(plate, group, groups)
        if alpha is not None:
            rgb = np.divide(rgb, alpha, out=rgb, where=alpha > 0)
        rgb = color.convert(np.ascontiguousarray(rgb), plate.colorspace, target)
        if alpha is not None:
            rgb = np.where(alpha > 0, rgb * alpha, rgb)
        pixels[..., where] = rgb if len(where) == 3 else rgb[..., 1:2]
    return plate.with_pixels(pixels, colorspace=target)


def to_file_space(plate: Plate, target: str, color: ColorConfig, *, premultiplied: bool) -> Plate:
    """The plate as a file stores it.

    Args:
        plate: In working form.
        target: Canonical name of the file's color space.
        color: The config.
        premultiplied: Whether the container associates color with alpha.
    """
    return convert(plate if premultiplied else dissociate(plate), target, color)


def output_space(plate: Plate, declared: str, container: str, color: ColorConfig) -> str:
    """The color space a file is written in.

    Args:
        plate: In working form; ``storage`` tells of the file it came from.
        declared: What the user asked for; empty for nothing.
        container: Lower-case format name of the output.
        color: The config.

    Raises:
        ColorspaceError: The container holds display pictures and nobody said in which space.
    """
    origin = plate.storage.colorspace or plate.colorspace
    require_output_space(origin, plate.storage.container, declared, container, color)
    if declared:
        return color.resolve(declared)
    keeps_origin = container not in _SCENE_CONTAINERS or color.is_scene_linear(origin) or color.is_data(origin)
    return origin if keeps_origin else plate.colorspace


def require_output_space(origin: str, made_in: str, declared: str, container: str, color: ColorConfig) -> None:
    """Refuses a display picture in a space that nobody declared.

    Args:
        origin: The color space of the file that the picture comes from.
        made_in: That file's container.
        declared: What the user asked for; empty for nothing.
        container: Lower-case format name of the output.
        color: The config.

    Raises:
        ColorspaceError: The declared space is unknown, or one is needed.
    """
    if declared:
        color.resolve(declared)
        return
    linear = color.is_scene_linear(origin) or color.is_data(origin)
    linear_tiff = container == made_in == "tiff"
    if linear and container not in _SCENE_CONTAINERS and not linear_tiff:
        raise ColorspaceError(
            f"a {container} holds display pictures, and the input is {origin}",
            fix="say in which space to write with --out-colorspace, for example texture_paint for sRGB",
        )


def _alpha(plate: Plate, group: ChannelGroup, groups: tuple[ChannelGroup, ...]) -> FloatImage | None:
    name = alpha_of(group, groups)
    return None if name is None else plate.take([name])
