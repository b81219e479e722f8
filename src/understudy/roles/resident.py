# SPDX-License-Identifier: Apache-2.0
"""Brings a pack into memory: loads it, warms it up, and measures what it takes."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from understudy.contracts.manifest import OptionValue, PackManifest, Role
from understudy.contracts.model import Call, PackedModel, Region, Tensors
from understudy.contracts.plate import FloatImage
from understudy.packs.options import settle_options
from understudy.packs.pack import Pack
from understudy.roles.memory import resident_bytes
from understudy.runtimes.load import LoadedModel, load_model
from understudy.runtimes.outputs import input_names

_WARM_UP_SIDE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A model in memory.

    Attributes:
        packed: The model with its promise.
        size: Bytes it takes: how much the process grew, and no less than its files.
        note: What the caller of a request should be told, such as a fallback to the CPU.
        close: Frees it; no call follows.
    """

    packed: PackedModel
    size: int
    note: str
    close: Callable[[], None]


def load_resident(pack: Pack, device: str) -> Resident:
    """Loads a pack and runs it once, so that the first request is not the slow one.

    Args:
        pack: The pack; its hashes are verified.
        device: As in :func:`understudy.runtimes.load_model`.

    Raises:
        PackError: A file is not the declared one, the model is broken, or its runtime is missing.
        DeviceUnavailableError: The device was asked for by name and is not there.
        MemoryBudgetError: It does not fit in memory.
    """
    before = resident_bytes()
    loaded = load_model(pack, device=device)
    try:
        loaded.model.run(*warm_up_call(pack.manifest))
    except BaseException:
        loaded.model.close()
        raise
    grown = resident_bytes() - before
    return Resident(
        packed=_packed(pack, loaded), size=max(grown, file_bytes(pack)), note=loaded.note, close=loaded.model.close
    )


def file_bytes(pack: Pack) -> int:
    """Bytes of the pack's declared files: the least that its model can take."""
    sizes = 0
    for path, _ in pack.files():
        try:
            sizes += path.stat().st_size
        except OSError:  # a missing file is told of when the pack loads
            continue
    return sizes


def warm_up_call(manifest: PackManifest) -> tuple[dict[str, FloatImage], Call]:
    """Tensors of the smallest useful size, a flat gray, and the call to run them with."""
    contract = manifest.contract
    side = max(_WARM_UP_SIDE, contract.minimum_size)
    side = -(-side // contract.multiple_of) * contract.multiple_of
    low, high = contract.domain or (0.0, 1.0)
    gray = np.full((side, side, contract.channels or 3), (low + high) / 2, np.float32)
    still = np.zeros((side, side, 2), np.float32)
    names = input_names(manifest.role)
    tensors = {name: still if name in {"forward", "backward"} else gray for name in names}
    options = settle_options(manifest, {})
    if manifest.role is not Role.UPSCALE:
        return tensors, Call(time=0.5, options=options)
    offered = contract.scales
    scale = Fraction(2) if not offered or 2.0 in offered else Fraction(str(min(offered)))
    # A margin of a radius around what is asked for, as a tile has.
    margin = min(max(contract.radius, 0) + 1, side // 2 - 1)
    margin -= margin % scale.denominator  # the region begins at a whole pixel of the output
    size = int((side - 2 * margin) * scale)
    return tensors, Call(scale=scale, region=Region(-margin, -margin, 0, 0, size, size), options=options)


def _packed(pack: Pack, loaded: LoadedModel) -> PackedModel:
    lock = threading.Lock()

    def run(tensors: Mapping[str, FloatImage], call: Call) -> Tensors:
        with lock:
            return loaded.model.run(tensors, call)

    def settle(given: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
        return settle_options(pack.manifest, given)

    return PackedModel(manifest=pack.manifest, pin=pack.pin, device=loaded.device, run=run, settle=settle)
