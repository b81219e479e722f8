# SPDX-License-Identifier: Apache-2.0
"""Upscaling: a plate in, a plate of another size out; color by the pack, everything else by its kind.

Color and, where the pack is a filter on plate values, alpha go through the pack together, so that premultiplied edges
keep no fringe; alpha is then held within its neighbors, unless the pack promises that. Depth, normals, positions,
vectors and unknown data are interpolated linearly, which never overshoots. Identifiers take the nearest sample, bit for
bit. Both windows are scaled; when a corner falls between pixels the window grows outward and samples keep their
absolute phase.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from understudy.contracts.channels import ChannelGroup, ChannelKind, classify
from understudy.contracts.engine import Control
from understudy.contracts.errors import UsageError
from understudy.contracts.jobs import RoleRequest, RoleResult, UpscaleParams
from understudy.contracts.manifest import Contract, Encoding, Role
from understudy.contracts.plate import FloatImage, Plate, Window
from understudy.roles.back_projection import measure, spread
from understudy.roles.batching import Steps, batch_size, in_batches
from understudy.roles.encoded import EncodedModel
from understudy.roles.memory import require_memory
from understudy.roles.resample import (
    LANCZOS3,
    LINEAR,
    Axis,
    Kernel,
    apply,
    axis,
    clamp_to_neighbors,
    limited,
    nearest,
)
from understudy.roles.tiling import Tile, as_index, crop, each_tile, plan_tiles, read_tile
from understudy.roles.tools import PackedModel, RoleTools

CONFIDENCE = "confidence.Y"

_REACH = 3
"""Halo for the filters beside the model: Lanczos-3 of alpha, the 4x4 limits, linear interpolation."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """Channels that go through the model in one call.

    Attributes:
        channels: Positions in the plate.
        alpha: Position in the plate of their alpha; None without. It goes through the model when it is in ``channels``.
        divide: Multiply by alpha before the filter and divide after it.
        hold: The model may leave an alpha's neighbors.
    """

    channels: tuple[int, ...]
    alpha: int | None = None
    divide: bool = False
    hold: bool = True

    @property
    def color(self) -> list[int]:
        """Positions of the color among ``channels``."""
        return [at for at, channel in enumerate(self.channels) if channel != self.alpha]

    @property
    def own_alpha(self) -> int | None:
        """Position of the alpha among ``channels``."""
        return self.channels.index(self.alpha) if self.alpha in self.channels else None


def run(request: RoleRequest, tools: RoleTools, control: Control) -> RoleResult:
    """Upscales ``plate``.

    Args:
        request: With :class:`UpscaleParams` and a plate named ``plate``.
        tools: Color config and packs.
        control: Progress per tile; asked for cancel between tiles.

    Returns:
        ``plate`` with both windows scaled. The report holds ``device``, ``tiles``, ``seconds``, ``scale`` and, when
        enlarging color, ``back_projection_db`` and ``back_projection_share`` (see ``roles.back_projection``).

    Raises:
        UsageError: There is no such plate, the pack does not offer the scale, or an option is wrong.
        PackError: The pack is missing or broken.
        JobCancelledError: The caller cancelled.
        MemoryBudgetError: The result does not fit in memory.
    """
    began = time.perf_counter()
    params = request.params
    if not isinstance(params, UpscaleParams):
        raise UsageError(f"upscale got parameters for {params.role.value}")
    if "plate" not in request.plates:
        raise UsageError("upscale needs an input named plate", where=", ".join(request.plates) or "no inputs")
    plate, scale = request.plates["plate"], params.scale
    model = tools.load(request.pack, Role.UPSCALE)
    contract = model.manifest.contract
    _check_scale(model, scale)
    groups = _groups(plate, params)
    encoded = EncodedModel(model, tools.color, plate.colorspace, options=params.options, draft=params.draft)
    units = _units(plate, groups, contract, scale)
    if contract.bounded and model.settle(params.options) == model.settle({}):
        units = tuple(replace(unit, hold=False) for unit in units)
    window = plate.data_window.scaled(scale)
    tiles = plan_tiles(plate.data_window, contract, scale=scale, side=params.tile, reach=0 if scale == 1 else _REACH)
    color = [plate.index(name) for group in groups if group.kind is ChannelKind.COLOR for name in group.names]
    scored = bool(color) and scale >= 1
    channels, sample_types = plate.channels, plate.sample_types
    if params.confidence and scored and CONFIDENCE not in channels:
        channels, sample_types = (*channels, CONFIDENCE), (*sample_types, "half")
    require_memory(window, len(channels), f"{plate.label} at {scale}x")
    whole = len(tiles) == 1 and len(units) == 1 and units[0].channels == tuple(range(len(channels)))
    pixels: FloatImage | None = None if whole else np.empty((window.height, window.width, len(channels)), np.float32)
    if pixels is not None and scale == 1:
        pixels[..., : len(plate.channels)] = plate.pixels
    jobs = (_tile(units, plate, encoded, tile, scale, pixels, window) for tile in tiles)
    batches = in_batches(model, jobs, batch_size(contract, tiles, scale))
    for tile, answers in zip(each_tile(tiles, control), batches, strict=True):
        for unit, answer in zip(units, answers, strict=True):
            if pixels is None:
                assert answer is not None
                pixels = answer
            elif answer is not None:
                crop(pixels, window, tile.target)[..., as_index(unit.channels)] = answer
        if pixels is not None and scale != 1:
            for group in groups:
                _rest(group, units, plate, tile, scale, crop(pixels, window, tile.target))
    assert pixels is not None
    report: dict[str, object] = {"device": model.device, "tiles": len(tiles), "scale": str(scale)}
    confidence = 1.0 if color else None
    if scored:
        score = measure(plate, pixels, window, color, scale, whole=params.confidence, doubt=contract.doubt)
        confidence = score.confidence
        report |= {"back_projection_db": score.db, "back_projection_share": score.share}
        if params.confidence:
            spread(score, plate, window, scale, pixels[..., channels.index(CONFIDENCE)])
    out = plate.with_pixels(
        pixels,
        channels=channels,
        sample_types=sample_types,
        data_window=window,
        display_window=plate.display_window.scaled(scale),
    )
    report["seconds"] = round(time.perf_counter() - began, 6)
    return RoleResult(plates={"plate": out}, pack=model.pin, confidence=confidence, report=report)


def _check_scale(model: PackedModel, scale: Fraction) -> None:
    offered = model.manifest.contract.scales
    if scale <= 0:
        raise UsageError(f"a scale of {scale} is no size", where="scale", fix="give a number over 0")
    if offered and not any(Fraction(str(one)) == scale for one in offered):
        raise UsageError(
            f"{model.manifest.id} does not scale by {scale}",
            where="scale",
            fix=f"it offers {', '.join(f'{one:g}' for one in offered)}; the pack lanczos takes any factor",
        )


def _groups(plate: Plate, params: UpscaleParams) -> tuple[ChannelGroup, ...]:
    """The plate's groups. What is stored as ``uint`` is bits in a float array and an ID whatever anyone calls it."""
    groups: list[ChannelGroup] = []
    for group in classify(plate.channels, plate.sample_types, params.kinds):
        bits = tuple(name for name in group.names if plate.sample_types[plate.index(name)] == "uint")
        if not bits or group.kind is ChannelKind.ID:
            groups.append(group)
            continue
        groups += [ChannelGroup(group.layer, ChannelKind.ID, (name,)) for name in bits]
        kind = ChannelKind.DATA if group.kind is ChannelKind.COLOR else group.kind
        groups += [ChannelGroup(group.layer, kind, (name,)) for name in group.names if name not in bits]
    return tuple(groups)


def _units(plate: Plate, groups: Sequence[ChannelGroup], contract: Contract, scale: Fraction) -> tuple[_Unit, ...]:
    """What goes through the model. Alpha comes along where the pack is a filter on plate values."""
    filters = contract.encoding is Encoding.PLATE and contract.domain is None and contract.channels != 3
    alphas = {group.layer: plate.index(group.names[0]) for group in groups if group.kind is ChannelKind.ALPHA}
    units = []
    for group in groups:
        if group.kind is not ChannelKind.COLOR:
            continue
        color = tuple(plate.index(name) for name in group.names)
        alpha = alphas.get(group.layer) if scale != 1 else None
        divide = alpha is not None and not plate.premultiplied
        if alpha is not None and filters:
            units.append(_Unit(tuple(sorted((*color, alpha))), alpha, divide))
        else:
            units.append(_Unit(tuple(sorted(color)) if filters else color, alpha, divide))
    if filters and scale != 1:
        taken = {channel for unit in units for channel in unit.channels}
        units += [_Unit((alpha,), alpha) for alpha in _alphas(plate, groups) if alpha not in taken]
    return tuple(units)


def _alphas(plate: Plate, groups: Sequence[ChannelGroup]) -> list[int]:
    return [plate.index(name) for group in groups if group.kind is ChannelKind.ALPHA for name in group.names]


def _tile(
    units: Sequence[_Unit],
    plate: Plate,
    encoded: EncodedModel,
    tile: Tile,
    scale: Fraction,
    pixels: FloatImage | None,
    window: Window,
) -> Steps[list[FloatImage | None]]:
    """Each unit's channels over the tile's target; None where the model wrote them into ``pixels`` over ``window``."""
    answers: list[FloatImage | None] = []
    for unit in units:
        alone = pixels is not None and len(unit.channels) == pixels.shape[2]
        out = crop(pixels, window, tile.target) if pixels is not None and alone else None
        answer = yield from _model(unit, plate, encoded, tile, scale, out)
        answers.append(None if answer is out else answer)
    return answers


def _model(
    unit: _Unit, plate: Plate, encoded: EncodedModel, tile: Tile, scale: Fraction, out: FloatImage | None
) -> Steps[FloatImage]:
    """A unit's channels over the tile's target."""
    x = read_tile(plate.pixels, plate.data_window, tile.source, unit.channels)
    if not unit.divide:
        y = yield from encoded.resized(x, tile, scale, out)
        if unit.own_alpha is not None and unit.hold and scale != 1:
            _hold_alpha(y, x, unit, tile, scale)
        return y
    return (yield from _divided(unit, x, plate, encoded, tile, scale))


def _divided(
    unit: _Unit, x: FloatImage, plate: Plate, encoded: EncodedModel, tile: Tile, scale: Fraction
) -> Steps[FloatImage]:
    """Color that is not premultiplied: filtered times alpha, divided again where alpha is over 0.

    Where the output's alpha is under 1, the quotient stays between the extremes of the input's color near by: that of
    two small numbers is not to be trusted further. Where it is 0, color is filtered as it is.
    """
    assert unit.alpha is not None
    before = read_tile(plate.pixels, plate.data_window, tile.source, [unit.alpha])
    times = x.copy()
    times[..., unit.color] *= before
    y = yield from encoded.resized(times, tile, scale)
    if unit.own_alpha is None:
        after = _filtered_alpha(before, tile, scale)
    else:
        if unit.hold:
            _hold_alpha(y, times, unit, tile, scale)
        after = y[..., unit.own_alpha, None]
    if (after < 1).any():
        plain = yield from encoded.resized(x, tile, scale)
        over = after > 0
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            quotient = np.where(over, y / np.where(over, after, 1), plain)
        held = quotient.copy()
        for at in unit.color:
            clamp_to_neighbors(held[..., at, None], x[..., at, None], tile.region, scale)
        colors = np.where(over & (after < 1), held, quotient)[..., unit.color]
        y[..., unit.color] = colors
    elif (after > 1).any():
        y[..., unit.color] /= after
    return y


def _hold_alpha(y: FloatImage, x: FloatImage, unit: _Unit, tile: Tile, scale: Fraction) -> None:
    """Holds the alpha of ``y`` within its neighbors in ``x``, in place; color goes with it, or it would fringe."""
    at = unit.own_alpha
    assert at is not None
    alpha = np.ascontiguousarray(x[..., at, None])
    if alpha.min() == alpha.max():
        y[..., at] = alpha[0, 0]
        return
    free = y[..., at].copy()
    clamp_to_neighbors(y[..., at, None], alpha, tile.region, scale)
    held = y[..., at]
    moved = (held != free) & (free != 0)
    if moved.any():
        share = np.clip(held[moved] / free[moved], 0, 4)
        for color in unit.color:
            y[moved, color] *= share


def _filtered_alpha(alpha: FloatImage, tile: Tile, scale: Fraction) -> FloatImage:
    rows, columns = _axes(LANCZOS3, tile, scale)
    return limited(alpha, rows, columns, in_x=tile.source.x, in_y=tile.source.y, overshoot=0.0)


def _axes(kernel: Kernel, tile: Tile, scale: Fraction) -> tuple[Axis, Axis]:
    return (
        axis(kernel, scale, tile.target.y, tile.target.height),
        axis(kernel, scale, tile.target.x, tile.target.width),
    )


def _rest(
    group: ChannelGroup, units: Sequence[_Unit], plate: Plate, tile: Tile, scale: Fraction, out: FloatImage
) -> None:
    """Writes a group that the model does not touch into ``out``, the tile's target."""
    where = [plate.index(name) for name in group.names]
    if group.kind is ChannelKind.COLOR or any(at in unit.channels for unit in units for at in where):
        return
    if group.kind is ChannelKind.ID:
        lies, target = plate.data_window, tile.target
        rows = np.clip(nearest(scale, target.y, target.height) - lies.y, 0, lies.height - 1)
        columns = np.clip(nearest(scale, target.x, target.width) - lies.x, 0, lies.width - 1)
        for at in where:
            # As integers: bits that look like a signaling NaN must not pass a float register.
            out.view(np.uint32)[..., at] = plate.pixels.view(np.uint32)[rows[:, None], columns, at]
        return
    x = read_tile(plate.pixels, plate.data_window, tile.source, where)
    if group.kind is ChannelKind.ALPHA:
        out[..., where] = _filtered_alpha(x, tile, scale)
        return
    rows_axis, columns_axis = _axes(LINEAR, tile, scale)
    at_source = {"in_x": tile.source.x, "in_y": tile.source.y}
    y = apply(x, rows_axis, columns_axis, **at_source)
    if group.kind is ChannelKind.NORMAL and len(where) == 3:
        length = apply(_length(x), rows_axis, columns_axis, **at_source)
        short = _length(y)
        y *= np.where(short > 0, length / np.where(short > 0, short, 1), 1)
    elif group.kind is ChannelKind.VECTOR:
        y *= np.float32(scale)
    out[..., where] = y


def _length(vectors: FloatImage) -> FloatImage:
    length: FloatImage = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=2, keepdims=True)).astype(np.float32)
    return length
