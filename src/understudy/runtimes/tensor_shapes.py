# SPDX-License-Identifier: Apache-2.0
"""Checks of raw tensors against a model's signature and its pack's contract, and copies between half and float."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fractions import Fraction

import numpy as np

from understudy.contracts.errors import UsageError
from understudy.contracts.manifest import PackManifest, Role
from understudy.contracts.model import Call, Tensor, TensorSpec

HALF_MAX = 65504.0
"""The largest finite float16."""

_BLOCK = 1 << 18


def check_names(given: Iterable[str], specs: Sequence[TensorSpec], what: str) -> None:
    """Refuses tensors that are unknown, and a set that lacks one.

    Args:
        given: Names that came.
        specs: What there is.
        what: ``input`` or ``output``.

    Raises:
        UsageError: A name is unknown, or missing and not optional.
    """
    names, known = set(given), [spec.name for spec in specs]
    for name in sorted(names.difference(known)):
        close = get_close_matches(name, known, n=1)
        fix = f'did you mean "{close[0]}"?' if close else f"there is {', '.join(known)}"
        raise UsageError(f"the model has no {what} of that name", where=name[:80], fix=fix)
    for spec in specs:
        if spec.name not in names and not spec.optional and what == "input":
            raise UsageError("this input is missing", where=spec.name, fix=f"send {list(spec.shape)}")


def check_shape(spec: TensorSpec, shape: tuple[int, ...]) -> None:
    """Refuses a shape that is not what the model declares.

    Raises:
        UsageError: Another rank, another fixed side, or a side of nothing.
    """
    fits = len(shape) == len(spec.shape) and all(
        side > 0 and declared in {-1, side} for side, declared in zip(shape, spec.shape, strict=True)
    )
    if not fits:
        raise UsageError(f"its shape is {list(shape)}", where=spec.name, fix=f"send {list(spec.shape)}, -1 being any")


def check_sides(manifest: PackManifest, sides: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """The one height and width of all images.

    Raises:
        UsageError: They differ, or are none that the pack's contract allows.
    """
    contract = manifest.contract
    (first, (height, width)), *others = sides.items()
    for name, other in others:
        if other != (height, width):
            problem = f"it is {other[1]}x{other[0]}, and {first} is {width}x{height}"
            raise UsageError(problem, where=name, fix="send images of one size")
    least, step = contract.minimum_size, contract.multiple_of
    if min(height, width) < least or height % step or width % step:
        wanted = f"sides of at least {least}, each a multiple of {step}"
        raise UsageError(f"it is {width}x{height}", where=first, fix=f"the model takes {wanted}; pad it")
    return height, width


def scaled_sides(manifest: PackManifest, call: Call, height: int, width: int) -> tuple[int, int]:
    """Height and width of the outputs.

    Raises:
        UsageError: The pack does not offer the scale.
    """
    offered = manifest.contract.scales
    if manifest.role is not Role.UPSCALE:
        if call.scale != 1:
            raise UsageError(f"a {manifest.role} pack has no scale", where="scale", fix="leave it out")
    elif offered and not any(Fraction(str(one)) == call.scale for one in offered):
        fix = f"choose one of {', '.join(f'{one:g}' for one in offered)}"
        raise UsageError(f"it does not scale by {call.scale}", where="scale", fix=fix)
    scaled = int(height * call.scale), int(width * call.scale)
    if min(scaled) < 1:
        raise UsageError(f"nothing is left of {width}x{height}", where="scale", fix="choose a larger scale")
    return scaled


def check_float(name: str, tensor: Tensor) -> None:
    """Refuses an image that is neither float16 nor float32.

    Raises:
        UsageError: It is of another type.
    """
    if tensor.dtype not in (np.float16, np.float32):
        raise UsageError(f"its samples are {tensor.dtype}", where=name, fix="send FP16 or FP32")


def as_type(tensor: Tensor, dtype: "np.dtype[np.generic]") -> Tensor:
    """The tensor in a type, aligned and contiguous; itself when it is so already."""
    if tensor.dtype == dtype:
        return np.require(tensor, requirements=["C", "A"])
    made = np.empty(tensor.shape, dtype)
    copy_tensor(made, tensor)
    return made


def copy_tensor(target: Tensor, source: Tensor) -> None:
    """Copies samples; what is finite and beyond half's range becomes ±65504 where the target is float16."""
    if target.dtype != np.float16 or source.dtype == np.float16:
        np.copyto(target, source, casting="same_kind")
        return
    to, samples = target.reshape(-1), source.reshape(-1)
    for start in range(0, to.size, _BLOCK):  # in blocks that stay in the cache
        block = samples[start : start + _BLOCK]
        clipped = np.clip(block, -HALF_MAX, HALF_MAX)
        np.copyto(clipped, block, where=np.isinf(block))
        to[start : start + _BLOCK] = clipped
