# SPDX-License-Identifier: Apache-2.0
"""Joins the warped pixels of two plates into one, each kind of channel by its own rule."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from understudy.contracts.channels import ChannelGroup, ChannelKind
from understudy.contracts.plate import FloatImage, Plate, Window
from understudy.roles.confidence import Mask
from understudy.roles.tiling import as_index
from understudy.roles.warp import Kernel, warp

_BAND_ROWS = 128
_WORKERS = max(1, min(8, os.cpu_count() or 1))
_AT_ONCE = 4
_KERNELS: dict[ChannelKind, Kernel] = {
    ChannelKind.COLOR: "sharp",
    ChannelKind.ALPHA: "bounded",
    ChannelKind.ID: "nearest",
}


@dataclass(frozen=True, slots=True)
class Course:
    """Where the picture at one time comes from, pixel by pixel, over ``window``.

    Attributes:
        window: Absolute pixels.
        to_a: float32 ``(h, w, 2)``: displacement into a, plate pixels, v down.
        to_b: Into b.
        share: float32 ``(h, w, 1)``: share of b in 0-1.
        void: bool ``(h, w)``: nothing is there, result 0; None for nowhere.
    """

    window: Window
    to_a: FloatImage
    to_b: FloatImage
    share: FloatImage
    void: Mask | None


def mix(
    a: Plate, b: Plate, groups: Sequence[ChannelGroup], names: Sequence[str], course: Course, into: FloatImage
) -> None:
    """Writes the picture along ``course``.

    Color and alpha: a sharp kernel, both sides in their shares; alpha never overshoots. Depth, normals, positions,
    vectors and data: a linear kernel, the same shares, and a normal keeps the mixed length of its sources. Identifiers:
    the nearest sample of the side with the larger share, a on a tie. Where both sides agree bit for bit, so does the
    result.

    Args:
        a: Frame n.
        b: Frame n+1; has the channels of ``names``.
        groups: The groups of ``names``.
        names: Channels of the result, in order.
        course: Where they come from.
        into: float32 ``(course.window.height, course.window.width, n)``; the first channels are those of ``names``, and
            further ones stay as they are.
    """
    window, together = course.window, _together(groups, names)

    def band(top: int) -> None:
        rows = slice(top, min(top + _BAND_ROWS, window.height))
        lies = Window(window.x, window.y + top, window.width, rows.stop - top)
        share = course.share[rows]
        least, most = share.min(), share.max()
        for group in together:
            from_a = _side(a, group, lies, course.to_a[rows]) if least < 1 else None
            from_b = _side(b, group, lies, course.to_b[rows]) if most > 0 else None
            where = as_index([names.index(name) for name in group.names])
            into[rows][..., where] = _joined(group.kind, from_a, from_b, share)

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(band, range(0, window.height, _BAND_ROWS)))
    if course.void is not None:
        into[course.void, : len(names)] = 0


@dataclass(frozen=True, slots=True)
class _Together:
    """Channels that are warped in one go.

    Attributes:
        kind: Of all but ``held``.
        names: In the order of the result.
        held: Alpha among a color's names.
    """

    kind: ChannelKind
    names: tuple[str, ...]
    held: tuple[str, ...] = ()


def _together(groups: Sequence[ChannelGroup], names: Sequence[str]) -> list[_Together]:
    """The groups as they are, but alpha with its layer's color: the same kernel, and OpenCV takes four channels."""
    alphas = {group.layer: group.names for group in groups if group.kind is ChannelKind.ALPHA}
    found, joined = [], set()
    for group in groups:
        alpha = alphas.get(group.layer, ())
        if group.kind is ChannelKind.COLOR and alpha and len(group.names) + len(alpha) <= _AT_ONCE:
            joined |= set(alpha)
            found.append(_Together(group.kind, tuple(sorted(group.names + alpha, key=names.index)), alpha))
        else:
            found.append(_Together(group.kind, group.names))
    return [one for one in found if not joined.issuperset(one.names)]


def _side(plate: Plate, group: _Together, band: Window, flow: FloatImage) -> FloatImage:
    channels, held = ([plate.index(name) for name in some] for some in (group.names, group.held))
    kernel = _KERNELS.get(group.kind, "linear")
    moved = warp(plate.pixels, plate.data_window, band, flow, kernel, channels, held)
    if group.kind is not ChannelKind.NORMAL or len(channels) != 3:
        return moved
    return np.dstack([moved, warp(_length(plate.pixels[..., channels]), plate.data_window, band, flow, kernel)])


def _joined(kind: ChannelKind, from_a: FloatImage | None, from_b: FloatImage | None, share: FloatImage) -> FloatImage:
    if from_a is None or from_b is None:
        mixed = from_b if from_a is None else from_a
        assert mixed is not None
    elif kind is ChannelKind.ID:
        bits = np.where(share > 0.5, from_b.view(np.uint32), from_a.view(np.uint32))
        return bits.view(np.float32)
    else:
        # As wide as the channels: numpy is slow where it repeats a value over so short an axis.
        shares = cv2.merge([share] * from_a.shape[2]).reshape(from_a.shape)
        mixed = from_b - from_a
        mixed *= shares
        mixed += from_a
        np.copyto(mixed, from_b, where=shares == 1)
    if kind is ChannelKind.NORMAL and mixed.shape[2] == 4:
        vector, length = mixed[..., :3], _length(mixed[..., :3])
        return vector * np.divide(mixed[..., 3:], length, out=np.ones_like(length), where=length > 0)
    return mixed


def _length(vector: FloatImage) -> FloatImage:
    return np.sqrt(np.sum(vector * vector, axis=2, keepdims=True, dtype=np.float32))
