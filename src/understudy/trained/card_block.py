# SPDX-License-Identifier: Apache-2.0
"""The part of a pack's card that a training run writes, between two markers; the rest is the author's."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_HEADING = "## Measured"


def with_block(card: str, recipe: str, block: str) -> str:
    """A card with a recipe's block in it, new or in place of the old one.

    Args:
        card: The card's text.
        recipe: The recipe's name.
        block: The block's text, without markers.
    """
    begin, end = f"<!-- trained: {recipe} -->", f"<!-- /trained: {recipe} -->"
    whole = f"{begin}\n{block.strip()}\n{end}"
    old = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    if old.search(card):
        return old.sub(lambda _: whole, card, count=1)
    lines = card.rstrip("\n").split("\n")
    heading = next((n for n, line in enumerate(lines) if line.startswith("## ") and "measured" in line.lower()), None)
    if heading is None:
        return "\n".join([*lines, "", _HEADING, "", whole, ""])
    following = (n for n in range(heading + 1, len(lines)) if lines[n].startswith("#"))
    at = next(following, len(lines))
    before = "\n".join(lines[:at]).rstrip("\n")
    return "\n".join([before, "", whole, "", *lines[at:], ""]).rstrip("\n") + "\n"


def block_text(
    result: Mapping[str, Any], exports: Sequence[Mapping[str, Any]], more: str, figures: Mapping[str, float]
) -> str:
    """The block: how it was trained, what was measured on procedural held-out pictures, and what its graphs cost.

    Args:
        result: The run's result.
        exports: ``file``, ``parity`` and ``gflop_per_megapixel`` of each graph.
        more: Markdown that the task adds.
        figures: Further figures that the task gives.
    """
    how = f"{result['steps_done']:,} steps in {result['seconds'] / 60:.1f} minutes on {result['device']}"
    best = f"seed {result['seed']}; best at step {result['best_step']:,}"
    rows = {_words(name): f"{value:.4g}" for name, value in {**result["validation"], **figures}.items()}
    for one in exports:
        if one["gflop_per_megapixel"]:
            rows[f"GFLOP per input megapixel, `{one['file']}`"] = f"{one['gflop_per_megapixel']:.4g}"
        rows[f"largest difference of ONNX Runtime from torch, `{one['file']}`"] = f"{one['parity']:.2g}"
    lines = [
        f"Recipe `{result['recipe']}`: {result['parameters']:,} numbers, {how}, {best}.",
        "",
        f"| | held-out procedural set of `{result['recipe']}` |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]
    return "\n".join([*lines, *(("", more.strip()) if more.strip() else ())])


def _words(name: str) -> str:
    return name.replace("_", " ")
