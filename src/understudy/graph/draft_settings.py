# SPDX-License-Identifier: Apache-2.0
"""How a graph document says at which size its drafts are computed."""

from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator

DRAFT_SCALE = Fraction(1, 2)
"""Size of a draft's pictures while they are computed, over the final's, where nobody says another."""

LARGEST_FACTOR = 8
"""Drafts are computed at no less than one over this."""


def _draft_scale(value: Any) -> Fraction:
    choices = [Fraction(1, factor) for factor in range(1, LARGEST_FACTOR + 1)]
    found = [scale for scale in choices if str(value) in (str(scale), str(float(scale)))]
    if not found:
        raise ValueError(f"{str(value)[:32]!r} is none of {', '.join(map(str, choices))}")
    return found[0]


DraftScale = Annotated[Fraction, PlainValidator(_draft_scale), PlainSerializer(str, return_type=str)]
"""Size of a draft over the final's: one over a whole number."""


class DraftSettings(BaseModel):
    """How drafts are made, of the whole graph with ``--draft`` and of nodes with ``quality: draft``.

    Attributes:
        scale: Size at which they are computed, over the final's: ``1/2``, ``1/4``, any 1/n down to 1/8, or 1. What is
            written has the final's size and windows all the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: DraftScale = DRAFT_SCALE
