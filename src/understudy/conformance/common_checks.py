# SPDX-License-Identifier: Apache-2.0
"""Checks that every role shares."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np

from understudy.conformance.report import CheckFailedError, CheckSkippedError
from understudy.conformance.subject import Subject, texture, wide_range
from understudy.contracts.errors import UsageError
from understudy.contracts.manifest import OptionSpec, OptionValue, Role
from understudy.contracts.plate import FloatImage

_ODD_SIZES = ((1, 1), (2, 3), (5, 7), (33, 17), (61, 97))


def loads(subject: Subject) -> str:
    """The pack loads and answers a first request."""
    results = subject.result(texture(48, 64), texture(48, 64, right=1))
    return f"answers with {', '.join(_shape(result) for result in results)}"


def odd_sizes(subject: Subject) -> str:
    """Any size comes back at its own size, down to a single pixel."""
    scale = subject.scale
    for height, width in _ODD_SIZES:
        expected = (-(-height * scale // 1), -(-width * scale // 1))
        for result in subject.result(texture(height, width), texture(height, width, right=1)):
            if result.shape[:2] != expected:
                found = f"{width}x{height} came back as {result.shape[1]}x{result.shape[0]}"
                raise CheckFailedError(found, "state multiple_of and minimum_size; the engine pads and crops")
    return ", ".join(f"{width}x{height}" for height, width in _ODD_SIZES)


def finite(subject: Subject) -> str:
    """Extreme values, 65504 to -65504 and denormals, give finite results."""
    picture = wide_range(40, 56)
    picture[5, 5], picture[20, 30], picture[30, 10] = 65504.0, -65504.0, 1e-40
    for result in subject.result(picture, np.roll(picture, 1, axis=1)):
        if not np.isfinite(result).all():
            count = int((~np.isfinite(result)).sum())
            raise CheckFailedError(f"{count} samples are NaN or infinite", "guard divisions, logarithms and roots")
    return "all finite"


def deterministic(subject: Subject) -> str:
    """The same input gives the same bytes: again, and from two threads at once."""
    if not subject.contract.deterministic:
        raise CheckSkippedError("the manifest says deterministic = false")
    a, b = texture(64, 80), texture(64, 80, right=2, down=1)
    first = subject.result(a, b)
    with ThreadPoolExecutor(2) as pool:
        others = [subject.result(a, b), *pool.map(lambda _: subject.result(a, b), range(4))]
    for other in others:
        if any(one.tobytes() != two.tobytes() for one, two in zip(first, other, strict=True)):
            worst = max(float(np.abs(one - two).max()) for one, two in zip(first, other, strict=True))
            fix = "seed every random number, keep no state between calls, or write deterministic = false"
            raise CheckFailedError(f"results differ by up to {worst:.3g}", fix)
    return "6 runs, the same bytes"


def batches(subject: Subject) -> str:
    """Tiles that share a call come out with the bytes that they have alone."""
    count = subject.contract.max_batch
    if count == 1:
        raise CheckSkippedError("it takes one tile a call")
    for several in {2, min(3, count), count}:
        alone, together = subject.batched(several)
        for one, two in zip(alone, together, strict=True):
            for name, tensor in one.items():
                if tensor.tobytes() != two[name].tobytes():
                    worst = float(np.abs(tensor - two[name]).max())
                    found = f'"{name}" differs by up to {worst:.3g} with {several} at once'
                    raise CheckFailedError(found, "leave contract.max_batch out")
    return f"up to {count} at once, the same bytes"


def precision(subject: Subject) -> str:
    """A pack that declares float32 keeps more steps than half floats have."""
    if "float32" not in subject.contract.precisions:
        raise CheckSkippedError(f"the manifest declares {', '.join(subject.contract.precisions)} only")
    if subject.pack.role is Role.MOTION:
        raise CheckSkippedError("a motion pack returns vectors, which have no tonal steps")
    steps = np.linspace(0.25, 0.5, 64 * 64, endpoint=False, dtype=np.float32).reshape(64, 64, 1)  # one stop
    ramp = np.ascontiguousarray(np.repeat(steps, 3, axis=2))
    if subject.pack.role is Role.INTERPOLATE:
        out = subject.between(ramp, ramp * np.float32(1.001), Fraction(1, 2))
    else:
        out = subject.alters(ramp)
    count = len(np.unique(out[..., 1]))
    if count < 2048:  # half floats have 1024 steps in a stop
        found = f"a stop of 4096 steps came out with {count}"
        raise CheckFailedError(found, "run in float32, or declare the precision it runs in")
    return f"a stop of 4096 steps came out with {count}"


def options(subject: Subject) -> str:
    """Every option takes the values it declares, and refuses the others with a sentence."""
    declared = subject.pack.manifest.options
    a, b = texture(48, 64), texture(48, 64, right=2, down=1)
    _must_refuse(subject, a, b, {"no_such_option": 1})
    if not declared:
        return "there are none; an unknown one is refused"
    unseen = []
    for name, spec in declared.items():
        results = [subject.result(a, b, {name: value}) for value in _values(spec)]
        if spec.type == "choice":
            _must_refuse(subject, a, b, {name: "no such choice"})
        elif spec.type != "bool" and spec.maximum is not None:
            _must_refuse(subject, a, b, {name: spec.maximum + 1})
        if all(_same(results[0], other) for other in results[1:]):
            unseen.append(name)
    found = f"{', '.join(declared)}: every value runs, bad ones are refused"
    return found + (f"; no effect seen on the test picture: {', '.join(unseen)}" if unseen else "")


def _must_refuse(subject: Subject, a: FloatImage, b: FloatImage, given: dict[str, OptionValue]) -> None:
    name, value = next(iter(given.items()))
    try:
        subject.result(a, b, given)
    except UsageError:
        return
    raise CheckFailedError(f"{name} = {value!r} was accepted", "let the manifest declare the option's range")


def _values(spec: OptionSpec) -> Iterator[OptionValue]:
    if spec.type == "bool":
        yield from (False, True)
    elif spec.type == "choice":
        yield from spec.choices
    else:
        for value in (spec.minimum, spec.default, spec.maximum):
            if value is not None:
                yield int(value) if spec.type == "int" else float(value)


def _same(one: tuple[FloatImage, ...], two: tuple[FloatImage, ...]) -> bool:
    return all(np.array_equal(left, right) for left, right in zip(one, two, strict=True))


def _shape(array: FloatImage) -> str:
    return "x".join(map(str, (array.shape[1], array.shape[0], array.shape[2])))
