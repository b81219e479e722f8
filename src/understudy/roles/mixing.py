# SPDX-License-Identifier: Apache-2.0
"""Joins the warped pixels of two plates into one, each kind of channel by its own rule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from understudy.contracts.channels import ChannelGroup, ChannelKind
from understudy.contracts.plate import FloatImage, Plate, Window
from understudy.roles.confidence import Mask
from understudy.roles.warp import Kernel, warp

_BAND_ROWS = 256
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


def mix(a: Plate, b: Plate, groups: Sequence[ChannelGroup], names: Sequence[str], course: Course) -> FloatImage:
    """The picture along ``course``.

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

    Returns:
        float32 ``(course.window.height, course.window.width, len(names))``.
    """
    window = course.window
    out = np.empty((window.height, window.width, len(names)), np.float32)
    for top in range(0, window.height, _BAND_ROWS):
        rows = slice(top, min(top + _BAND_ROWS, window.height))
        band = Window(window.x, window.y + top, window.width, rows.stop - top)
        share = course.share[rows]
        for group in groups:
            from_a = _side(a, group, band, course.to_a[rows]) if share.min() < 1 else None
            from_b = _side(b, group, band, course.to_b[rows]) if share.max() > 0 else None
            out[rows][..., [names.index(name) for name in group.names]] = _joined(group.kind, from_a, from_b, share)
    if course.void is not None:
        out[course.void] = 0
    return out


def _side(plate: Plate, group: ChannelGroup, band: Window, flow: FloatImage) -> FloatImage:
    channels = [plate.index(name) for name in group.names]
    kernel = _KERNELS.get(group.kind, "linear")
    moved = warp(plate.pixels, plate.data_window, band, flow, kernel, channels)
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
        mixed = np.where(share == 1, from_b, from_a + share * (from_b - from_a))
    if kind is ChannelKind.NORMAL and mixed.shape[2] == 4:
        vector, length = mixed[..., :3], _length(mixed[..., :3])
        return vector * np.divide(mixed[..., 3:], length, out=np.ones_like(length), where=length > 0)
    return mixed


def _length(vector: FloatImage) -> FloatImage:
    return np.sqrt(np.sum(vector * vector, axis=2, keepdims=True, dtype=np.float32))
