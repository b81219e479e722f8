# SPDX-License-Identifier: Apache-2.0
"""Checks of packs that make pixels: upscale and relight."""

import math
from fractions import Fraction

import numpy as np

from understudy.conformance.report import CheckFailedError, CheckSkippedError
from understudy.conformance.subject import DARK, HIGHLIGHT, Subject, flat, texture, wide_range
from understudy.contracts.errors import UsageError
from understudy.contracts.manifest import Role
from understudy.contracts.model import Region
from understudy.contracts.plate import FloatImage
from understudy.roles.resample import clamp_to_neighbors

_LARGEST_PROBE = 160
"""Radius in pixels up to which reach is measured; a wider frame would make the check slow."""
_TOUCHED = 1e-6
"""Relative change under which a pixel counts as untouched: float rounding differs with the shape of a convolution."""


def tiles(subject: Subject) -> str:
    """Tiles equal the whole frame to 1e-6 of the range."""
    if subject.contract.radius < 0:
        raise CheckSkippedError("radius = -1: the pack sees the whole frame, so there are no tiles")
    picture = wide_range(97, 141)
    whole = subject.alters(picture, tile=512)
    worst, at = 0.0, (0, 0)
    for side in (32, 45):
        part = subject.alters(picture, tile=side)
        # Relative to the pixel where it is bright, so that one highlight hides nothing elsewhere.
        error = np.abs(part - whole).max(axis=2) / np.maximum(np.abs(whole).max(axis=2), 1.0)
        if float(error.max()) > worst:
            worst, at = float(error.max()), divmod(int(error.argmax()), error.shape[1])
    if worst > 1e-6:
        fix = "raise contract.radius to what the pack really sees, or -1 for the whole frame"
        raise CheckFailedError(f"tiles differ from the whole by {worst:.3g} at pixel {at[1]}, {at[0]}", fix)
    return f"largest difference {worst:.2g}"


def radius(subject: Subject) -> str:
    """One input pixel reaches no further than the declared radius."""
    declared = subject.contract.radius
    if declared < 0:
        raise CheckSkippedError("radius = -1: a pixel may reach the whole frame")
    if declared > _LARGEST_PROBE:
        raise CheckSkippedError(f"a radius of {declared} px is too wide to measure here; tiles are compared instead")
    side = 2 * declared + 25
    picture = texture(side, side)
    reach = 0.0
    before = subject.alters(picture, tile=4 * side)
    for gain in (2.0, 0.5):
        touched = picture.copy()
        touched[side // 2, side // 2] *= np.float32(gain)
        after = subject.alters(touched, tile=4 * side)
        reach = max(reach, _reach(before, after, side // 2, subject))
    if reach > declared + 0.5:
        found = f"a pixel reaches {reach:.1f} px, the manifest says {declared}"
        raise CheckFailedError(found, f"write radius = {int(np.ceil(reach - 0.5))} or more")
    return f"a pixel reaches {reach:.1f} px of {declared}"


def highlights(subject: Subject) -> str:
    """An area of 1000 in a dark plate keeps its level, and leaves no halo beyond the radius."""
    declared = max(subject.contract.radius, 0)
    # What lies over the trained domain is carried with a linear resampler, which reaches 1 pixel.
    allowed = max(declared, 1 if subject.scale != 1 else 0)
    patch = 2 * min(max(declared, 4), 16) + 1
    side = min(2 * allowed + patch + 16, 400)
    dark = flat(side, side)
    bright = dark.copy()
    start = (side - patch) // 2
    bright[start : start + patch, start : start + patch] = HIGHLIGHT
    before, after = subject.alters(dark, tile=4 * side), subject.alters(bright, tile=4 * side)
    if subject.pack.role is Role.UPSCALE and float(after.max()) < 0.99 * HIGHLIGHT:
        found = f"in max {HIGHLIGHT:g} came out as {float(after.max()):.4g}"
        raise CheckFailedError(found, "do not clamp; state the trained domain and let the engine carry the rest")
    if subject.pack.role is Role.RELIGHT and float(after.max()) < 1000 * float(before.max()):
        found = f"{HIGHLIGHT / DARK:g} times brighter came out {float(after.max() / before.max()):.4g} times brighter"
        raise CheckFailedError(found, "do not clamp; state the trained domain and let the engine carry the rest")
    level = f"in max {HIGHLIGHT:g}, out max {float(after.max()):.6g}"
    if subject.contract.radius < 0:
        return f"{level}; radius = -1, so halos are not measured"
    reach = _reach(before, after, side // 2, subject) - patch // 2
    if reach > allowed + 0.5:
        found = f"the highlight's halo reaches {reach:.1f} px, {allowed} px are allowed"
        raise CheckFailedError(found, "raise contract.radius, or avoid statistics of the whole picture")
    return f"{level}, halo {max(reach, 0.0):.1f} px of {allowed}"


def scales(subject: Subject) -> str:
    """Every scale on offer gives the right size, and any other is refused with a sentence."""
    if subject.pack.role is not Role.UPSCALE:
        raise CheckSkippedError("only an upscaler has scales")
    offered = [Fraction(str(scale)) for scale in subject.contract.scales]
    tried = sorted(offered)[:6] or [Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(3)]
    picture = texture(24, 30)
    for scale in tried:
        try:
            out = subject.enlarges(picture, scale)
        except UsageError:
            if offered or scale >= 1:
                raise
            continue  # a pack for any scale may say that it only enlarges
        expected = (math.ceil(24 * scale), math.ceil(30 * scale))
        if out.shape[:2] != expected:
            found = f"30x24 at {scale} came out as {out.shape[1]}x{out.shape[0]}"
            raise CheckFailedError(found, "correct contract.scales or the model")
    if offered:
        other = max(offered) + Fraction(1, 3)
        try:
            subject.enlarges(picture, other)
        except UsageError:
            pass
        else:
            raise CheckFailedError(f"a scale of {other} was accepted", "list every scale in contract.scales, or none")
    return ", ".join(map(str, tried))


def bounded(subject: Subject) -> str:
    """A pack that declares bounded stays within the extremes of the 4x4 samples around each result."""
    if not subject.contract.bounded:
        raise CheckSkippedError("the manifest does not say bounded = true")
    if subject.pack.role is not Role.UPSCALE:
        raise CheckFailedError("only an upscaler can be bounded", "leave bounded out")
    picture = wide_range(49, 61)
    tried = [Fraction(str(scale)) for scale in subject.contract.scales] or [Fraction(3, 2), Fraction(2), Fraction(7, 3)]
    for scale in tried:
        out = subject.enlarges(picture, scale)
        held = out.copy()
        clamp_to_neighbors(held, picture, Region(0, 0, 0, 0, out.shape[1], out.shape[0]), scale)
        if not np.array_equal(held, out):
            found = f"at {scale}, results leave their neighbors by up to {float(np.abs(held - out).max()):.3g}"
            raise CheckFailedError(found, "limit them, or leave bounded out and let the engine hold alpha")
    return f"nothing leaves its neighbors at {', '.join(map(str, tried))}"


def negatives(subject: Subject) -> str:
    """Negative values stay negative."""
    picture = flat(49, 49, (0.5, 0.5, 0.5))
    picture[12:37, 12:37] = (-0.5, 0.4, -0.25)
    out = subject.alters(picture)
    middle = out[out.shape[0] // 2, out.shape[1] // 2]
    if middle[0] >= 0 or middle[2] >= 0:
        found = f"-0.5, 0.4, -0.25 came out as {middle[0]:.3g}, {middle[1]:.3g}, {middle[2]:.3g}"
        raise CheckFailedError(found, "do not clamp at zero")
    if subject.pack.role is Role.UPSCALE and abs(float(middle[0]) + 0.5) > 0.005:
        raise CheckFailedError(f"-0.5 came out as {middle[0]:.4g}", "keep flat areas at their level")
    return f"-0.5 came out as {middle[0]:.4g}"


def constant(subject: Subject) -> str:
    """A flat color comes out flat and within 1 % of itself."""
    if subject.pack.role is not Role.UPSCALE:
        raise CheckSkippedError("only an upscaler must keep a flat color")
    worst = 0.0
    for color in ((0.18, 0.18, 0.18), (0.9, 0.3, 0.05), (0.002, 0.004, 0.003)):
        out = subject.alters(flat(40, 40, color))
        worst = max(worst, float((np.abs(out - np.asarray(color, np.float32)) / np.float32(max(color))).max()))
    if worst > 0.01:
        raise CheckFailedError(f"a flat color moved by {100 * worst:.2g} %", "normalize the filter or the residual")
    return f"moved by at most {100 * worst:.2g} %"


def _reach(before: FloatImage, after: FloatImage, center: int, subject: Subject) -> float:
    """Input pixels from ``center`` to the furthest output pixel that changed; -0.5 when none did."""
    change = np.abs(after - before).max(axis=2)
    rows, columns = np.nonzero(change > _TOUCHED * max(float(change.max()), 1e-3))
    if not rows.size:
        return -0.5
    # Output pixel i has its center at (i + 0.5) / scale - 0.5 input pixels.
    spots = (np.concatenate([rows, columns]) + 0.5) / float(subject.scale) - 0.5
    return float(np.abs(spots - center).max())
