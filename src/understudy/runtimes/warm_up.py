# SPDX-License-Identifier: Apache-2.0
"""A small call that any model of a role can answer: to warm it up, and to see which tensors it gives."""

from fractions import Fraction

import numpy as np

from understudy.contracts.manifest import PackManifest, Role
from understudy.contracts.model import Call, Region, Tensors
from understudy.runtimes.outputs import input_names

_SIDE = 64


def warm_up_call(manifest: PackManifest) -> tuple[Tensors, Call]:
    """Tensors of the smallest useful size, a flat gray, and the call to run them with."""
    contract = manifest.contract
    side = max(_SIDE, contract.minimum_size)
    side = -(-side // contract.multiple_of) * contract.multiple_of
    low, high = contract.domain or (0.0, 1.0)
    gray = np.full((side, side, contract.channels or 3), (low + high) / 2, np.float32)
    still = np.zeros((side, side, 2), np.float32)
    names = input_names(manifest.role)
    tensors = {name: still if name in {"forward", "backward"} else gray for name in names}
    options = {
        name: float(spec.default) if spec.type == "float" else spec.default for name, spec in manifest.options.items()
    }
    if manifest.role is not Role.UPSCALE:
        return tensors, Call(time=0.5, options=options)
    offered = contract.scales
    scale = Fraction(2) if not offered or 2.0 in offered else Fraction(str(min(offered)))
    # A margin of a radius around what is asked for, as a tile has.
    margin = min(max(contract.radius, 0) + 1, side // 2 - 1)
    margin -= margin % scale.denominator  # the region begins at a whole pixel of the output
    size = int((side - 2 * margin) * scale)
    return tensors, Call(scale=scale, region=Region(-margin, -margin, 0, 0, size, size), options=options)
