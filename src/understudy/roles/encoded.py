# SPDX-License-Identifier: Apache-2.0
"""Runs a model on plate pixels: into its encoding, through its tiles, and back; what it never saw is carried around it.

Color is converted tile by tile, so memory stays bounded by the tile. A pack of the ``plate`` encoding with no domain is
called straight.
"""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from understudy.color.carry import excess, with_delta, with_excess
from understudy.color.config import ColorConfig
from understudy.color.encoder import Encoder
from understudy.contracts.engine import Control
from understudy.contracts.errors import PackError
from understudy.contracts.manifest import Encoding, OptionValue
from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage, Window
from understudy.roles.batching import Steps, batch_size, in_batches
from understudy.roles.resample import LINEAR, apply, axis
from understudy.roles.tiling import Tile, crop, each_tile, plan_tiles, read_tile
from understudy.roles.tools import PackedModel


class EncodedModel:
    """A model together with the way from plate pixels to its encoding and back. Fixed for a job.

    Attributes:
        model: The loaded model.
        reach: A halo that the carry needs beside the model's own, input pixels.

    Args:
        model: The loaded model.
        color: The config that ``colorspace`` belongs to.
        colorspace: What the pixels mean; unused by packs that see plate values.
        options: The pack's own knobs, as the user gave them.
        draft: Prefer speed.

    Raises:
        UsageError: An option is unknown or out of its range.
        ColorspaceError: The color space is unknown.
    """

    def __init__(
        self,
        model: PackedModel,
        color: ColorConfig,
        colorspace: str,
        *,
        options: Mapping[str, OptionValue],
        draft: bool = False,
    ) -> None:
        contract = model.manifest.contract
        self.model = model
        straight = contract.encoding is Encoding.PLATE and contract.domain is None
        self.reach = 0 if straight else 1
        self._encoder = None if straight else Encoder(color, colorspace, contract.encoding, contract.domain)
        self._channels = contract.channels
        self._options = model.settle(options)
        self._draft = draft

    def same_size(self, x: FloatImage, tile: Tile) -> Steps[Tensors]:
        """Runs a model that keeps the size on one tile.

        Args:
            x: Plate pixels over ``tile.source``: ``(h, w, 3)``, or one channel, or any number if the pack takes any.
            tile: The tile.

        Returns:
            The model's tensors over ``tile.core``. ``image`` is back in plate values; the others are as the model gave
            them.

        Raises:
            PackError: The model failed, or returned tensors of another size.
        """
        call = Call(draft=self._draft, options=self._options)
        color = _as_color(x) if self._encoder or self._channels == 3 else x
        if self._encoder is None:
            whole = yield from self._answer(color, call)
            answer = {name: crop(tensor, tile.source, tile.core) for name, tensor in whole.items()}
        else:
            seen, inside = self._encoder.encode_with_inside(color)
            whole = yield from self._answer(seen, call)
            answer = {name: crop(tensor, tile.source, tile.core) for name, tensor in whole.items()}
            if "image" in answer:
                new = np.ascontiguousarray(answer["image"])
                answer["image"] = with_delta(*_core(tile, color, seen, inside), new, self._encoder)
        if color is not x and "image" in answer:
            answer["image"] = answer["image"][..., 1:2]
        return answer

    def resized(self, x: FloatImage, tile: Tile, scale: Fraction, out: FloatImage | None = None) -> Steps[FloatImage]:
        """Runs an upscaler on one tile.

        Args:
            x: Plate pixels over ``tile.source``, as for :meth:`same_size`.
            tile: The tile.
            scale: Output pixels per input pixel.
            out: Where the pixels may be written; see :class:`Call`.

        Returns:
            Plate pixels over ``tile.target``: ``out`` itself where they were written there. At scale 1, bit for bit
            ``x`` where the model returned its input.

        Raises:
            PackError: The model failed, or returned another size than asked for.
        """
        call = Call(scale=scale, region=tile.region, draft=self._draft, options=self._options)
        color = _as_color(x) if self._encoder or self._channels == 3 else x
        if self._encoder is None:
            call = call if out is None or color is not x else replace(call, out=out)
            out = (yield from self._answer(color, call))["image"]
        elif scale == 1:
            seen, inside = self._encoder.encode_with_inside(color)
            answer = np.ascontiguousarray((yield from self._answer(seen, call))["image"])
            out = with_delta(*_core(tile, color, seen, inside), answer, self._encoder)
        else:
            seen, inside = self._encoder.encode_with_inside(color)
            grown = (yield from self._answer(seen, call))["image"]
            rows = axis(LINEAR, scale, tile.target.y, tile.target.height)
            columns = axis(LINEAR, scale, tile.target.x, tile.target.width)
            out = with_excess(
                color,
                excess(color, seen, inside, self._encoder),
                grown,
                self._encoder,
                # Linear: a highlight beyond the model's domain must not ring.
                lambda part: apply(part, rows, columns, in_x=tile.source.x, in_y=tile.source.y),
            )
        return out if color is x else out[..., 1:2]

    def _answer(self, seen: FloatImage, call: Call) -> Steps[Tensors]:
        """The model's tensors, channel by channel for a pack of one channel; sizes checked."""
        if self._channels == 1 and seen.shape[2] > 1:
            parts, call = [], replace(call, out=None)
            for at in range(seen.shape[2]):
                parts.append((yield {"image": np.ascontiguousarray(seen[..., at : at + 1])}, call))  # noqa: PERF401 - it yields
            answer = {"image": np.concatenate([_image(part, self.model) for part in parts], axis=2)}
        else:
            answer = yield {"image": seen}, call
        size = (call.region.height, call.region.width) if call.region else seen.shape[:2]
        if call.region is not None:
            _image(answer, self.model)
        for name, tensor in answer.items():
            wrong = (
                tensor.ndim != 3 or tensor.shape[:2] != size or (name == "image" and tensor.shape[2] != seen.shape[2])
            )
            if wrong or tensor.dtype != np.float32:
                raise PackError(
                    f"tensor {name!r} is {tensor.dtype} {tensor.shape} for {seen.shape}, wanted float32 {size}",
                    where=str(self.model.pin),
                    fix="run: understudy packs check on its folder",
                )
        return dict(answer)


def run_same_size(
    encoded: EncodedModel, image: FloatImage, window: Window, control: Control, *, tile: int = 0
) -> Tensors:
    """Runs a model that keeps the size over a whole frame, tile by tile.

    Args:
        encoded: The model and its encoding.
        image: Plate pixels ``(h, w, n)`` over ``window``: RGB, one channel, or any number for a pack that takes any.
        window: The data window.
        control: Progress per tile; asked for cancel between tiles.
        tile: Tile side in input pixels; 0 chooses.

    Returns:
        The model's tensors over the whole window, C-contiguous; ``image`` in plate values.

    Raises:
        PackError: The model failed.
        JobCancelledError: The caller cancelled.
    """
    tiles = plan_tiles(window, encoded.model.manifest.contract, side=tile)
    out: Tensors = {}
    jobs = (encoded.same_size(read_tile(image, window, part.source), part) for part in tiles)
    answers = in_batches(encoded.model, jobs, batch_size(encoded.model.manifest.contract, tiles))
    for part, answer in zip(each_tile(tiles, control), answers, strict=True):
        for name, tensor in answer.items():
            if name not in out:
                out[name] = np.empty((window.height, window.width, tensor.shape[2]), np.float32)
            crop(out[name], window, part.core)[...] = tensor
    return out


def _core(tile: Tile, x: FloatImage, seen: FloatImage, inside: FloatImage) -> tuple[FloatImage, FloatImage, FloatImage]:
    """The core's part of what lies over a tile's source."""
    here, old, known = (np.ascontiguousarray(crop(part, tile.source, tile.core)) for part in (x, seen, inside))
    return here, old, known


def _as_color(x: FloatImage) -> FloatImage:
    """A single channel as gray RGB; RGB as it is."""
    return np.repeat(x, 3, axis=2) if x.shape[2] == 1 else x


def _image(answer: Tensors, model: PackedModel) -> FloatImage:
    if "image" not in answer:
        raise PackError(f"the model returned {', '.join(answer) or 'nothing'} and no 'image'", where=str(model.pin))
    return answer["image"]
