# SPDX-License-Identifier: Apache-2.0
"""Checks of interpolation packs. Their vectors are given, so no motion pack takes part."""

from fractions import Fraction
from itertools import pairwise

import numpy as np

from understudy.conformance.report import CheckFailedError
from understudy.conformance.subject import HIGHLIGHT, Subject, texture, wide_range

_TIMES = (Fraction(1, 4), Fraction(1, 2), Fraction(7, 8))


def static_plate(subject: Subject) -> str:
    """What stands still stays as it is at every time, highlights and negatives too."""
    a = wide_range(72, 96)
    b = a.copy()
    b[-1, -1] *= 2  # one corner differs, so that the engine can't just return the frame
    worst = 0.0
    for time in _TIMES:
        out = subject.between(a, b, time)
        error = np.abs(out - a).max(axis=2) / np.maximum(np.abs(a).max(axis=2), 1.0)
        error[-8:, -8:] = 0
        worst = max(worst, float(error.max()))
    if worst > 1e-5:
        fix = "with zero vectors return to_a = to_b = 0 and a weight within 0 and 1"
        raise CheckFailedError(f"a plate that stands still changed by {worst:.3g}", fix)
    return f"in max {HIGHLIGHT:g} stays; largest change {worst:.2g}"


def weights(subject: Subject) -> str:
    """Between a dark and a bright frame the result is never outside both, and nearer to b as time runs."""
    a, b = texture(48, 64), texture(48, 64) * np.float32(4)
    low, high = np.minimum(a, b), np.maximum(a, b)
    means = []
    for time in _TIMES:
        out = subject.between(a, b, time)
        over = float(np.maximum(low - out, out - high).max())
        if over > 1e-5:
            raise CheckFailedError(f"at {time} a pixel lies {over:.3g} outside both frames", "return weights in 0 to 1")
        means.append(float(out.mean()))
    if not all(one <= two + 1e-6 for one, two in pairwise(means)):
        raise CheckFailedError("the result does not move toward b as time runs", "weight is the share of b")
    return f"mean {means[0]:.3g} to {means[-1]:.3g}"


def directions(subject: Subject) -> str:
    """With true vectors the picture halfway lies halfway, or is a plain dissolve; never the wrong way."""
    found = []
    for name, right, down in (("u", 4, 0), ("v", 0, -4)):  # one at a time: a flipped axis must not hide in the other
        a, b = texture(96, 128), texture(96, 128, right=right, down=down)
        truth = texture(96, 128, right=right // 2, down=down // 2)
        inner = (slice(12, -12), slice(12, -12))
        out = subject.between(a, b, Fraction(1, 2), shift=(right, -down))
        error = float(np.sqrt(np.mean((out - truth)[inner] ** 2)))
        dissolve = float(np.sqrt(np.mean(((a + b) / 2 - truth)[inner] ** 2)))
        if error > 1.001 * dissolve:
            problem = f"along {name} the error halfway is {error:.3g}, a dissolve's is {dissolve:.3g}"
            fix = "to_a leads from the pixel at the time back to a, to_b on to b; pixels, u right, v down"
            raise CheckFailedError(problem, fix)
        found.append(f"{name}: error {error:.2g}, a dissolve's {dissolve:.2g}")
    return "; ".join(found)
