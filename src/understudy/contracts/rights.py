# SPDX-License-Identifier: Apache-2.0
"""What a pack says of rights beyond license and training, and the words that rights are told in.

Everything here is a claim with an author and a date. Only hashes can be checked. What nobody said is ``unknown``, which
never counts in a pack's favor.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Answer = Literal["no", "yes", "unknown"]
"""An answer to a question, or that nobody gave one."""

Color = Literal["green", "amber", "red"]
"""The word of a badge, from best to worst."""

COLORS: tuple[Color, ...] = ("green", "amber", "red")

RecordState = Literal["agrees", "missing", "differs"]
"""A pack's rights record, ``pack.cdx.json``, beside its manifest and its files."""

RECORD_STATES: tuple[RecordState, ...] = ("agrees", "missing", "differs")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetSpec(_Part):
    """Data that the model learned from.

    Attributes:
        name: Its name.
        version: Its version or date; empty when it has none.
        license: SPDX expression of its terms; empty when nobody knows them.
        owner: Whose it is; empty when nobody knows.
        url: Where it can be seen; empty for none.
        people: Whether people can be recognized in it: ``no``, ``with-consent`` or ``unknown``.
    """

    name: str = Field(min_length=1)
    version: str = ""
    license: str = ""
    owner: str = ""
    url: str = ""
    people: Literal["no", "with-consent", "unknown"] = "unknown"


class AncestorSpec(_Part):
    """A model that this one was made from.

    Attributes:
        name: Its name.
        version: Its version; empty when it has none.
        license: SPDX expression of its terms; empty when nobody knows them.
    """

    name: str = Field(min_length=1)
    version: str = ""
    license: str = ""


class RightsSpec(_Part):
    """What ``pack.cdx.json`` holds beyond license and training. All of it may be left out, and then is ``unknown``.

    Attributes:
        people: Whether people can be recognized in what it learned from: ``no``, ``with-consent`` or ``unknown``.
        generative: It invents content that was not in its inputs, rather than moving, filtering or weighing what was.
        network: It needs a network to run.
        retains_inputs: It keeps what it is given beyond the call.
        trains_on_inputs: It learns from what it is given.
        commercial_use: Whether the concluded license allows commercial use, said by a reviewer. It counts for licenses
            that Understudy does not know, and where it says no.
        supplier: Who gives out the pack; empty when nobody is named.
        architecture: The family of the method: ``cnn``, ``transformer``, ``variational``; empty for none.
        use_cases: What it is meant for, one phrase each.
        evidence: What backs the training basis: paths in the pack folder or URLs, one each.
        reviewed_by: Who concluded license and rights; empty when nobody did.
        reviewed_on: When, ``YYYY-MM-DD``.
        datasets: What it learned from.
        ancestors: The models it was made from.
    """

    people: Literal["no", "with-consent", "unknown"] = "unknown"
    generative: Answer = "unknown"
    network: Answer = "unknown"
    retains_inputs: Answer = "unknown"
    trains_on_inputs: Answer = "unknown"
    commercial_use: Answer = "unknown"
    supplier: str = ""
    architecture: str = ""
    use_cases: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    reviewed_by: str = ""
    reviewed_on: dt.date | None = None
    datasets: tuple[DatasetSpec, ...] = ()
    ancestors: tuple[AncestorSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Badge:
    """What a pack's rights look like at a glance; computed, never stored in a pack.

    Attributes:
        color: ``green``, ``amber`` or ``red``.
        reasons: Why, one sentence each without a final period; never empty.
    """

    color: Color
    reasons: tuple[str, ...]
