# SPDX-License-Identifier: Apache-2.0
"""Curves as small SVG pictures, for cards. Text and lines only, so that they are read on light and dark pages."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy_training.calibration import Reliability, Sparsification

_WIDTH, _HEIGHT = 440, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 34, 44
_INKS = ("#2563b0", "#c2410c", "#15803d", "#7e22ce")
_GRAY = "#808080"


def line_chart(
    title: str,
    lines: Mapping[str, tuple[ArrayLike, ArrayLike]],
    x_label: str,
    y_label: str,
    *,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    dashed: Sequence[str] = (),
) -> str:
    """A chart of lines, as SVG text.

    Args:
        title: Its heading.
        lines: x and y values by the line's name.
        x_label: What x is, with its unit.
        y_label: What y is, with its unit.
        x_range: From and to; of the values when left out.
        y_range: From and to; of the values when left out.
        dashed: Names of lines to dash.
    """
    points = {name: (np.asarray(x, float), np.asarray(y, float)) for name, (x, y) in lines.items()}
    x0, x1 = x_range or _span([x for x, _ in points.values()])
    y0, y1 = y_range or _span([y for _, y in points.values()])
    across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + (x - x0) / (x1 - x0) * across, _TOP + (1 - (y - y0) / (y1 - y0)) * down

    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11" fill="{_GRAY}">',
        f"<title>{escape(title)}</title>",
        f'<text x="{_LEFT}" y="18" font-size="13" font-weight="bold">{escape(title)}</text>',
    ]
    for tick in np.linspace(0, 1, 5):
        x, y = x0 + tick * (x1 - x0), y0 + tick * (y1 - y0)
        px, py = place(x, y)
        parts.append(f'<path d="M{_LEFT} {py:.1f}h{across}" stroke="{_GRAY}" stroke-opacity="0.25"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{py + 4:.1f}" text-anchor="end">{y:.3g}</text>')
        parts.append(f'<text x="{px:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{x:.3g}</text>')
    parts.append(f'<text x="{_LEFT + across / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>')
    middle = _TOP + down / 2
    parts.append(
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">{escape(y_label)}</text>'
    )
    for number, (name, (xs, ys)) in enumerate(points.items()):
        ink = _INKS[number % len(_INKS)]
        path = "L".join("{:.1f} {:.1f}".format(*place(x, y)) for x, y in zip(xs, ys, strict=True))
        dash = ' stroke-dasharray="5 4"' if name in dashed else ""
        parts.append(f'<path d="M{path}" fill="none" stroke="{ink}" stroke-width="2"{dash}/>')
        y = _TOP + 14 + 15 * number
        parts.append(f'<text x="{_WIDTH - _RIGHT - 6}" y="{y}" text-anchor="end" fill="{ink}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def sparsification_chart(title: str, curves: Mapping[str, Sparsification]) -> str:
    """Sparsification curves beside the oracle of the first, as SVG text."""
    lines = {f"{name} (AUSE {curve.ause:.3f})": (curve.dropped, curve.by_confidence) for name, curve in curves.items()}
    first = next(iter(curves.values()))
    lines["oracle"] = (first.dropped, first.by_oracle)
    labels = ("share of pixels dropped, least confident first", "mean error of the rest")
    top = max(1.0, *(float(curve.by_confidence.max()) for curve in curves.values()))
    return line_chart(title, lines, *labels, x_range=(0, 1), y_range=(0, top), dashed=("oracle",))


def reliability_chart(title: str, curves: Mapping[str, Reliability]) -> str:
    """What confidences promise beside what they hold, as SVG text."""
    lines: dict[str, tuple[ArrayLike, ArrayLike]] = {
        f"{name} (error {curve.expected_error:.3f})": (curve.promised, curve.held) for name, curve in curves.items()
    }
    lines["what is promised"] = ([0, 1], [0, 1])
    labels = ("confidence", "share of pixels that are good")
    return line_chart(title, lines, *labels, x_range=(0, 1), y_range=(0, 1), dashed=("what is promised",))


def _span(values: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    together = np.concatenate(values)
    low, high = float(together.min()), float(together.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)
