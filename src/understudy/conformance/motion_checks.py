# SPDX-License-Identifier: Apache-2.0
"""Checks of motion packs."""

import numpy as np

from understudy.conformance.report import CheckFailedError, CheckSkippedError
from understudy.conformance.subject import Subject, rgb_plate, texture, wide_range
from understudy.contracts.jobs import MotionParams

_RIGHT, _DOWN = 3, 2
_EDGE = 24


def no_motion(subject: Subject) -> str:
    """Two identical frames have no motion."""
    picture = texture(120, 160)
    worst = max(float(np.abs(field).max()) for field in subject.moves(picture, picture))
    if worst > 0.05:
        raise CheckFailedError(f"identical frames move by up to {worst:.3g} px", "center the matching window")
    return f"at most {worst:.2g} px"


def directions(subject: Subject) -> str:
    """A known shift comes out with the right signs in both directions: u right, v down inside, v up in plates."""
    before, after = texture(144, 176), texture(144, 176, right=_RIGHT, down=_DOWN)
    fields = subject.moves(before, after)
    if all(float(np.abs(field).max()) == 0 for field in fields):
        raise CheckSkippedError("the pack says that nothing moves, so there is no sign to look at")
    found = []
    for name, field, sign in (("forward", fields[0], 1), ("backward", fields[1], -1)):
        inner = field[_EDGE:-_EDGE, _EDGE:-_EDGE]
        u, v = (float(np.median(inner[..., axis])) for axis in (0, 1))
        found.append(f"{name} {u:+.2f} {v:+.2f}")
        if abs(u - sign * _RIGHT) > 0.5 or abs(v + sign * _DOWN) > 0.5:
            problem = f"{name} is {u:+.2f}, {v:+.2f} px where {sign * _RIGHT:+d}, {-sign * _DOWN:+d} is true (v up)"
            fix = "tensors hold u right and v down in pixels; forward is a to b and lies on a, backward is b to a on b"
            raise CheckFailedError(problem, fix)
    return ", ".join(found)


def trust(subject: Subject) -> str:
    """Confidence lies within 0 and 1, highlights and negatives in the picture or not."""
    picture = wide_range(72, 96)
    plates = {"a": rgb_plate(picture, frame=1), "b": rgb_plate(np.roll(picture, 2, axis=1), frame=2)}
    result = subject.run(plates, MotionParams())
    spans = [plate.take(["confidence.Y"]) for plate in result.plates.values()]
    low, high = min(float(span.min()) for span in spans), max(float(span.max()) for span in spans)
    if low < 0 or high > 1:
        raise CheckFailedError(f"confidence runs from {low:.3g} to {high:.3g}", "return 0 to 1")
    return f"from {low:.2g} to {high:.2g}"
