# SPDX-License-Identifier: Apache-2.0
"""What the soak asks for: each request follows from the seed and its number alone, and so does its right answer.

Pixels are whole numbers, another set for each request: a table of noise plus the request's number. A result that
belongs to another request is therefore wrong in every pixel.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np

from proof.exact_pack import PACK_ID, gain_of
from proof.tensors import TENSOR_PACK
from understudy.contracts.engine import Engine
from understudy.contracts.jobs import (
    InterpolateParams,
    MotionParams,
    PackPin,
    RelightParams,
    RoleParams,
    RoleRequest,
    RoleResult,
    UpscaleParams,
)
from understudy.contracts.lights import DirectionalLight, LightRig
from understudy.contracts.plate import FloatImage, Plate, blank_plate
from understudy.contracts.priority import Priority

SAME, GAIN, SOURCE, ENGINE = "same", "gain", "source", "engine"
"""How the right answer is known: the plate; times the gain of the version; one of two plates; by the engine here."""

_SUN = LightRig(lights=(DirectionalLight(type="directional", direction=(0, 0, 1), intensity=3),))
_PACKS = (
    ("identity-upscale", SAME, 24),
    ("identity-onnx-upscale", SAME, 14),
    ("identity-relight", SAME, 14),
    (PACK_ID, GAIN, 26),
    ("identity-interpolate", SOURCE, 14),
    ("lanczos", ENGINE, 5),
    ("dis-draft", ENGINE, 3),
)
_LARGE = ("identity-upscale", "identity-relight", PACK_ID, "identity-interpolate")
USERS = {"ann": Priority.INTERACTIVE, "bob": Priority.NORMAL, "eve": Priority.BATCH}
"""Who sends, and how urgent it is."""

TRANSPORTS = ("stream", "shared-memory")
TENSORS = "tensors"
"""The Open Inference Protocol, beside the transports of our own."""

LARGE = 1 << 16
"""Pixels from which a plate is large."""
_COMMON = 500
CANCEL, DEADLINE = "cancel", "deadline"


@dataclass(frozen=True, slots=True)
class Item:
    """One request of the plan.

    Attributes:
        serial: Its number.
        pack: The pack's id.
        truth: How its right answer is known.
        width: Of its plates, pixels.
        height: Of its plates, pixels.
        end: Empty, or how its client gives up: ``cancel`` or ``deadline``.
        after_s: When it does.
        wait_ms: How long each tile of the gain pack takes beside the work.
        tile: Side of its tiles; 0 for the engine's own.
        user: Who sends it.
        transport: How its pixels travel.
    """

    serial: int
    pack: str
    truth: str
    width: int
    height: int
    end: str = ""
    after_s: float = 0.0
    wait_ms: float = 0.0
    tile: int = 0
    user: str = ""
    transport: str = "stream"


def plan_item(seed: int, serial: int, large_every: int, large_size: tuple[int, int]) -> Item:
    """The request of a number.

    Args:
        seed: Of the whole plan.
        serial: Its number; each ``large_every``-th is large.
        large_every: How often a large one comes; 0 for never.
        large_size: Width and height of the large ones.
    """
    dice = random.Random(f"{seed}/{serial}")
    user = dice.choice(list(USERS))
    transport = dice.choice(TRANSPORTS)
    if large_every and serial % large_every == large_every - 1:
        pack = dice.choice(_LARGE)
        truth = next(truth for name, truth, _ in _PACKS if name == pack)
        end, after = (CANCEL, dice.uniform(0.0, 0.5)) if dice.random() < 0.1 else ("", 0.0)
        return Item(serial, pack, truth, *large_size, end=end, after_s=after, user=user, transport=transport)
    pack, truth, _ = dice.choices(_PACKS, weights=[weight for _, _, weight in _PACKS])[0]
    width, height = dice.randint(4, 96), dice.randint(4, 64)
    draw = dice.random()
    if draw < 0.08:
        end = CANCEL if draw < 0.05 else DEADLINE
        # Slow work in many tiles, so that giving up falls before, into and after it.
        return Item(
            serial,
            PACK_ID,
            GAIN,
            width,
            height,
            end=end,
            after_s=dice.uniform(0.001, 0.12),
            wait_ms=dice.uniform(1, 8),
            tile=16,
            user=user,
            transport=transport,
        )
    if pack == TENSOR_PACK and dice.random() < 0.5:
        transport = TENSORS
    return Item(serial, pack, truth, width, height, user=user, transport=transport)


def request_of(item: Item) -> RoleRequest:
    """The request itself."""
    plate = _plate(item, 0)
    plates: Mapping[str, Plate] = {"plate": plate}
    params: RoleParams
    match item.pack:
        case "identity-relight":
            params = RelightParams(lights=_SUN)
        case "identity-interpolate":
            plates = {"a": _common_plate(item), "b": _plate(item, 1)}
            params = InterpolateParams(outputs=((Fraction(item.serial % 2),),))
        case "dis-draft":
            plates = {"a": plate, "b": _plate(item, 1)}
            params = MotionParams()
        case "lanczos":
            params = UpscaleParams(scale=Fraction(2))
        case _:
            options = {"wait_ms": item.wait_ms} if item.pack == PACK_ID else {}
            params = UpscaleParams(scale=Fraction(1), tile=item.tile, options=options)
    return RoleRequest(pack=PackPin(id=item.pack), params=params, plates=plates, request_id=f"soak-{item.serial}")


def wrong(item: Item, request: RoleRequest, result: RoleResult, engine: Engine) -> str:
    """What is wrong with a result; empty when nothing is.

    Args:
        item: What was planned.
        request: What was sent.
        result: What came.
        engine: An engine in this process, for the truths that only it knows.
    """
    if result.pack.id != item.pack:
        return f"the pack {result.pack.id} played"
    plates = request.plates
    match item.truth:
        case "same":
            want = {"plate": plates["plate"]}
        case "gain":
            plate = plates["plate"]
            gains = np.array([gain_of(result.pack.version)] * 3 + [1], np.float32)
            want = {"plate": plate.with_pixels(plate.pixels * gains)}
        case "source":
            want = {"0": plates["ab"[item.serial % 2]]}
        case _:
            want = dict(engine.run(replace(request, pack=result.pack)).plates)
    if list(result.plates) != list(want):
        return f"plates {', '.join(result.plates)} came, not {', '.join(want)}"
    return next((said for name in want if (said := _differs(name, result.plates[name], want[name]))), "")


def _differs(name: str, got: Plate, want: Plate) -> str:
    for field in ("channels", "data_window", "display_window", "frame", "colorspace", "metadata", "sample_types"):
        if getattr(got, field) != getattr(want, field):
            return f"plate {name}: {field} is {getattr(got, field)}, not {getattr(want, field)}"
    here, there = got.pixels.view(np.uint32), want.pixels.view(np.uint32)
    if not np.array_equal(here, there):
        share = float((here != there).mean())
        return f"plate {name}: {100 * share:.2f} % of the samples differ, the first is {got.pixels.flat[0]}"
    return ""


def _common_plate(item: Item) -> Plate:
    """The first of a pair. Large ones are one and the same plate for several requests: it is named, not sent again."""
    if item.width * item.height < LARGE:
        return _plate(item, 0)
    return _kept_plate(item.serial // _COMMON * _COMMON, item.width, item.height)


@lru_cache(maxsize=2)
def _kept_plate(serial: int, width: int, height: int) -> Plate:
    return _plate(Item(serial, "", "", width, height), 0)


def _plate(item: Item, which: int) -> Plate:
    pixels = _noise(item.width, item.height) + np.float32(2 * item.serial + which)
    pixels[..., 3] = np.float32(0.5)
    plate = blank_plate(pixels, "RGBA", colorspace="ACEScg", sample_type="float", frame=1001 + item.serial + which)
    return replace(plate, metadata={"owner": item.user, "serial": item.serial, "which": which})


@lru_cache(maxsize=8)
def _large_noise(width: int, height: int) -> FloatImage:
    rng = np.random.default_rng(width * 65537 + height)
    return rng.integers(0, 4096, (height, width, 4)).astype(np.float32)


def _noise(width: int, height: int) -> FloatImage:
    if width * height >= LARGE:
        return _large_noise(width, height)
    return _large_noise(128, 128)[:height, :width]
