# SPDX-License-Identifier: Apache-2.0
"""Checks that what a model returned is what its role promises, by the table of ``understudy.contracts.model``."""

from collections.abc import Mapping

import numpy as np

from understudy.contracts.errors import PackError
from understudy.contracts.manifest import PackManifest, Role
from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage

_REQUIRED: Mapping[Role, Mapping[str, int]] = {
    Role.MOTION: {"forward": 2, "backward": 2},
    Role.INTERPOLATE: {"to_a": 2, "to_b": 2, "weight": 1},
    Role.UPSCALE: {"image": 0},
    Role.RELIGHT: {},
}
_OPTIONAL: Mapping[Role, Mapping[str, int]] = {
    Role.MOTION: {"forward_confidence": 1, "backward_confidence": 1},
    Role.INTERPOLATE: {"confidence": 1},
    Role.UPSCALE: {},
    Role.RELIGHT: {"image": 3, "normal": 3, "albedo": 3, "confidence": 1},
}


def input_names(role: Role) -> tuple[str, ...]:
    """The tensors that a model of a role is given, in order."""
    if role is Role.MOTION:
        return ("a", "b")
    return ("a", "b", "forward", "backward") if role is Role.INTERPOLATE else ("image",)


def required_outputs(role: Role) -> tuple[str, ...]:
    """The tensors that a model of a role must return."""
    return tuple(_REQUIRED[role])


def output_channels(role: Role) -> dict[str, int]:
    """The tensors that a model of a role may return, with their channels; 0 means as many as came in."""
    return {**_REQUIRED[role], **_OPTIONAL[role]}


def checked_outputs(
    manifest: PackManifest, tensors: Mapping[str, FloatImage], call: Call, out: Mapping[str, FloatImage]
) -> Tensors:
    """The same tensors, contiguous but for ``call.out``, once their names, types and shapes are right.

    Raises:
        PackError: One is missing, unknown, of another type or of another shape.
    """
    role, who = manifest.role, manifest.id
    if not isinstance(out, Mapping):
        raise PackError(f"its run() returned {type(out).__name__}, not a dict of tensors", where=who)
    allowed = output_channels(role)
    if unknown := [name for name in out if name not in allowed]:
        fix = f"a {role} pack may return {', '.join(allowed)}"
        raise PackError(f'it returned a tensor "{unknown[0]}"', where=who, fix=fix)
    if missing := [name for name in _REQUIRED[role] if name not in out]:
        raise PackError(f'it returned no tensor "{missing[0]}"', where=who, fix=f"a {role} pack must return it")
    if role is Role.RELIGHT and not {"image", "normal"} & set(out):
        raise PackError('it returned neither "normal" nor "image"', where=who, fix="a relight pack must return one")
    height, width, channels = tensors[input_names(role)[0]].shape
    if call.region is not None:
        height, width = call.region.height, call.region.width
    checked: Tensors = {}
    for name, tensor in out.items():
        expected = (height, width, allowed[name] or channels)
        if not isinstance(tensor, np.ndarray) or tensor.dtype != np.float32:
            kind = tensor.dtype if isinstance(tensor, np.ndarray) else type(tensor).__name__
            raise PackError(f'its tensor "{name}" is {kind}', where=who, fix="return float32 arrays")
        if tensor.shape != expected:
            fix = f"return {expected} (height, width, channels)"
            raise PackError(f'its tensor "{name}" has the shape {tensor.shape}', where=who, fix=fix)
        checked[name] = tensor if tensor is call.out else np.ascontiguousarray(tensor)
    return checked
