# SPDX-License-Identifier: Apache-2.0
"""Motion between two plates on common ground: the union of their data windows, estimated or given by the user."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from understudy.color.config import ColorConfig
from understudy.color.encoder import Encoder
from understudy.contracts.channels import ChannelKind, classify, color_groups
from understudy.contracts.errors import PackError, PlateError
from understudy.contracts.manifest import Encoding, OptionValue
from understudy.contracts.model import Call
from understudy.contracts.plate import FloatImage, Plate, Window
from understudy.roles.confidence import Trust, measure
from understudy.roles.tiling import as_index
from understudy.roles.tools import PackedModel
from understudy.roles.warp import crop, extend, reduce, warp

LARGEST_FIELD = 9_000_000
"""Pixels up to which motion is estimated at full size; larger pictures are halved until they fit (8K at half size)."""

Kinds = Mapping[str, ChannelKind]

_LUMA = np.array([0.2722287, 0.6740818, 0.0536895], np.float32)  # AP1 luminance, of encoded values
_CUE_DOMAIN = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where two plates are looked at together.

    Attributes:
        window: Union of both data windows, absolute pixels.
        scale: Plate pixels per field pixel, both axes.
    """

    window: Window
    scale: int

    @property
    def width(self) -> int:
        """Columns of the field."""
        return -(-self.window.width // self.scale)

    @property
    def height(self) -> int:
        """Rows of the field."""
        return -(-self.window.height // self.scale)

    @property
    def field(self) -> Window:
        """The field's own pixels, counted from its corner."""
        return Window(0, 0, self.width, self.height)

    def cover(self, window: Window) -> Window:
        """A plate's window in field pixels, grown outward to whole ones."""
        left, top = (window.x - self.window.x) // self.scale, (window.y - self.window.y) // self.scale
        right = -(-(window.right - self.window.x) // self.scale)
        bottom = -(-(window.bottom - self.window.y) // self.scale)
        return Window(left, top, right - left, bottom - top)


@dataclass(frozen=True, slots=True)
class MotionField:
    """Both directions of motion over one ground, and how far to trust them.

    Attributes:
        ground: Where it lies.
        forward: float32 ``(h, w, 2)`` in field pixels, v down: a's pixel p is at p + forward in b.
        backward: float32 ``(h, w, 2)``: b's pixel p is at p + backward in a.
        trust_a: Of ``forward``.
        trust_b: Of ``backward``.
    """

    ground: Ground
    forward: FloatImage
    backward: FloatImage
    trust_a: Trust
    trust_b: Trust


def common_ground(a: Plate, b: Plate) -> Ground:
    """The union of both data windows, at a scale that keeps motion estimation within memory."""
    window = a.data_window.union(b.data_window)
    scale = 1
    while window.width * window.height > LARGEST_FIELD * scale * scale:
        scale *= 2
    return Ground(window, scale)


def main_color(plate: Plate, kinds: Kinds) -> tuple[str, ...]:
    """Channels of the layer that motion is read from: the main color layer, three names or one (luminance).

    Raises:
        PlateError: The plate has no color.
    """
    groups = color_groups(classify(plate.channels, plate.sample_types, kinds))
    if not groups:
        raise PlateError(
            f"no color channels to see motion in; there are {', '.join(plate.channels)}",
            where=plate.label,
            fix="give a plate with R, G and B or Y, or name its color channels with kinds",
        )
    return groups[0].names


def picture(plate: Plate, ground: Ground, kinds: Kinds) -> FloatImage:
    """The plate's main color, three channels, over the ground at the field's scale, in the plate's own color space."""
    names = main_color(plate, kinds)
    channels = as_index([plate.index(name) for name in (names if len(names) == 3 else names[:1] * 3)])
    return reduce(
        extend(np.ascontiguousarray(plate.pixels[..., channels]), plate.data_window, ground.window), ground.scale
    )


class Views:
    """Two plates as models and cues see them: over their common ground, and encoded once however many ask.

    Attributes:
        a: Frame n.
        b: Frame n+1.
        ground: Where they are looked at.

    Args:
        a: Frame n.
        b: Frame n+1.
        color: The config of their color spaces.
        kinds: Channel-name patterns to kinds.
    """

    def __init__(self, a: Plate, b: Plate, color: ColorConfig, kinds: Kinds) -> None:
        self.a, self.b = a, b
        self.ground = common_ground(a, b)
        self._color = color
        self._kinds = kinds
        self._made: dict[tuple[Encoding, tuple[float, float] | None], tuple[FloatImage, FloatImage]] = {}

    def encoded(self, encoding: Encoding, domain: tuple[float, float] | None) -> tuple[FloatImage, FloatImage]:
        """Both pictures in an encoding, ``(h, w, 3)``; not to be written to.

        Raises:
            PlateError: A plate has no color.
        """

        def encode(plate: Plate) -> FloatImage:
            encoder = Encoder(self._color, plate.colorspace, encoding, domain)
            return encoder.encode(picture(plate, self.ground, self._kinds))

        key = (encoding, domain)
        if key not in self._made:
            with ThreadPoolExecutor(2) as pool:
                a, b = pool.map(encode, (self.a, self.b))
            self._made[key] = (a, b)
        return self._made[key]

    def tensors(self, model: PackedModel) -> dict[str, FloatImage]:
        """``a`` and ``b`` as a pack's contract asks for them.

        Raises:
            PlateError: A plate has no color.
        """
        contract = model.manifest.contract
        a, b = self.encoded(contract.encoding, contract.domain)
        return {"a": padded(a, model), "b": padded(b, model)}


def estimate(
    views: Views, model: PackedModel, *, options: Mapping[str, OptionValue], draft: bool = False
) -> MotionField:
    """Asks a motion pack for both directions and measures them.

    Raises:
        PlateError: A plate has no color.
        PackError: The pack's answer breaks the protocol.
    """
    ground = views.ground
    answer = model.run(views.tensors(model), Call(draft=draft, options=model.settle(options)))
    forward, backward = (checked(answer, name, ground, 2, model) for name in ("forward", "backward"))
    field = measured(views, forward, backward)
    own = [checked(answer, name, ground, 1, model) if name in answer else None for name in _OWN]
    return MotionField(ground, forward, backward, _with_own(field.trust_a, own[0]), _with_own(field.trust_b, own[1]))


def measured(views: Views, forward: FloatImage, backward: FloatImage) -> MotionField:
    """A field of given vectors with measured trust.

    Args:
        views: The plates.
        forward: float32 ``(h, w, 2)`` over their ground, field pixels, v down.
        backward: The same, from b to a.

    Raises:
        PlateError: A plate has no color.
    """
    ground, whole = views.ground, views.ground.field
    a, b = (image @ _LUMA for image in views.encoded(Encoding.DISPLAY_LOG, _CUE_DOMAIN))
    ways = (
        (a, b, forward, backward, whole, ground.cover(views.b.data_window)),
        (b, a, backward, forward, whole, ground.cover(views.a.data_window)),
    )
    with ThreadPoolExecutor(len(ways)) as pool:
        trust_a, trust_b = pool.map(lambda way: measure(*way), ways)
    return MotionField(ground, forward, backward, trust_a, trust_b)


def given(views: Views, vectors_a: Plate | None, vectors_b: Plate | None) -> MotionField:
    """The user's vectors as a field; a direction that is not given is the inverse of the other.

    Confidence comes from ``confidence.Y`` of the vectors where it is there, else it is measured.

    Args:
        views: The plates.
        vectors_a: Over a: ``forward.u forward.v``, plate pixels, v up.
        vectors_b: Over b: ``backward.u backward.v``.

    Raises:
        PlateError: Channels are missing, or the vectors lie elsewhere.
    """
    ground = views.ground
    forward = _given_vectors(vectors_a, "forward", ground) if vectors_a else None
    backward = _given_vectors(vectors_b, "backward", ground) if vectors_b else None
    if forward is None:
        assert backward is not None
        forward = inverse(backward)
    elif backward is None:
        backward = inverse(forward)
    field = measured(views, forward, backward)
    own_a, own_b = (_given_confidence(plate, ground) for plate in (vectors_a, vectors_b))
    return MotionField(ground, forward, backward, _with_own(field.trust_a, own_a), _with_own(field.trust_b, own_b))


def inverse(flow: FloatImage) -> FloatImage:
    """The other direction's vectors: ``B(q) = -F(q + B(q))`` by fixed-point iteration.

    Chen et al., "A simple fixed-point approach to invert a deformation field", Med. Phys. 35, 2008.
    Where a point has no counterpart the iteration ends on a neighbor's vector, which the round-trip test then shows.

    Args:
        flow: float32 ``(h, w, 2)``, pixels.
    """
    whole = Window(0, 0, flow.shape[1], flow.shape[0])
    back = -flow
    for _ in range(8):
        back = -warp(flow, whole, whole, back, "linear")
    return back


def _given_vectors(plate: Plate, direction: str, ground: Ground) -> FloatImage:
    names = (f"{direction}.u", f"{direction}.v")
    if not plate.has(*names):
        raise PlateError(
            f"vectors need {names[0]} and {names[1]}; there are {', '.join(plate.channels)}",
            where=plate.label,
            fix="write them with: understudy motion",
        )
    up = plate.take(names)
    return _over_ground(up, plate, ground) * np.array([1, -1], np.float32) / np.float32(ground.scale)


def _given_confidence(plate: Plate | None, ground: Ground) -> FloatImage | None:
    if plate is None or not plate.has("confidence.Y"):
        return None
    return _over_ground(plate.take(["confidence.Y"]), plate, ground)


def _over_ground(image: FloatImage, plate: Plate, ground: Ground) -> FloatImage:
    window = plate.data_window.intersection(ground.window)
    if window is None:
        raise PlateError(
            f"vectors over {plate.data_window} do not touch the pictures over {ground.window}", where=plate.label
        )
    return reduce(extend(crop(image, plate.data_window, window), window, ground.window), ground.scale)


def padded(image: FloatImage, model: PackedModel) -> FloatImage:
    """``image`` with its right and bottom edge repeated to the sides that the pack's contract asks for."""
    contract = model.manifest.contract
    height, width = (
        -(-max(side, contract.minimum_size) // contract.multiple_of) * contract.multiple_of for side in image.shape[:2]
    )
    if (height, width) == image.shape[:2]:
        return np.ascontiguousarray(image)
    return np.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0)), mode="edge")


def checked(
    answer: Mapping[str, FloatImage], name: str, ground: Ground, channels: int, model: PackedModel
) -> FloatImage:
    """One tensor of a model's answer, cut to the field.

    Raises:
        PackError: It is missing, of another shape, or not finite.
    """
    tensor = answer.get(name)
    if tensor is None or tensor.ndim != 3 or tensor.shape[2] != channels:
        found = "nothing" if tensor is None else f"{tensor.dtype} {tensor.shape}"
        raise PackError(f"the model's {name} must be (h, w, {channels}); it gave {found}", where=str(model.pin))
    cut = tensor[: ground.height, : ground.width]
    if cut.shape[:2] != (ground.height, ground.width):
        size = f"{tensor.shape[1]}x{tensor.shape[0]}"
        raise PackError(
            f"the model's {name} is {size} for a picture of {ground.width}x{ground.height}",
            where=str(model.pin),
        )
    if not np.isfinite(cut).all():
        raise PackError(f"the model's {name} has values that are not finite", where=str(model.pin))
    return np.ascontiguousarray(cut, np.float32)


_OWN = ("forward_confidence", "backward_confidence")


def _with_own(trust: Trust, own: FloatImage | None) -> Trust:
    return trust if own is None else Trust(np.clip(own[..., 0], 0, 1), trust.occluded)
