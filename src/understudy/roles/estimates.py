# SPDX-License-Identifier: Apache-2.0
"""What a request would cost on an engine of this process, told from its description."""

from collections.abc import Mapping, Sequence

from understudy.contracts.engine import Engine, PackState
from understudy.contracts.estimate import Estimate
from understudy.contracts.jobs import PackPin, RoleParams
from understudy.contracts.workload import PlateSize, workload_of
from understudy.packs.pins import choose_pack
from understudy.roles.costs import Costs


def estimated(
    engines: Sequence[Engine], pin: PackPin, params: RoleParams, sizes: Mapping[str, PlateSize], costs: Costs
) -> Estimate:
    """An estimate. Nothing is loaded and nothing runs.

    Args:
        engines: One per device; the first says which packs there are.
        pin: The pack, as a request names it.
        params: The role's parameters.
        sizes: Of the plates, by name.
        costs: What runs took so far.

    Raises:
        PackError: The pack is missing, of another role, or not the pinned one.
    """
    info = engines[0].info()
    pack = choose_pack(info.packs, pin, params.role)
    work = workload_of(params, pack.pin, sizes)
    cost = costs.cost(work)
    state = _state(engines, pack.pin)
    device = (state.device if state else "") or cost.device or info.device
    model_bytes = state.resident_bytes if state else 0
    on_gpu = device.startswith("cuda")
    return Estimate(
        pack=pack.pin,
        device=device,
        seconds=cost.seconds,
        seconds_low=cost.low,
        seconds_high=cost.high,
        ram_bytes=work.peak_bytes + (0 if on_gpu else model_bytes),
        vram_bytes=model_bytes if on_gpu else 0,
        measured_runs=cost.runs,
    )


def _state(engines: Sequence[Engine], pin: PackPin) -> PackState | None:
    """What is known of the pack's model where one is in memory."""
    for engine in engines:
        for state in getattr(engine, "states", tuple)():  # not every engine tells
            if state.pin == pin and state.resident_bytes:
                return state if isinstance(state, PackState) else None
    return None
