# SPDX-License-Identifier: Apache-2.0
"""What a production says of the rights in a render: claims with references, never the papers themselves."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ShotRights(BaseModel):
    """The ``rights`` block of a graph, and of the record that its render writes.

    Attributes:
        talent: A recognizable person is in the shot; none: nobody said.
        use: ``temporary`` material may not end in a final delivery without an approval.
        consent: References to consents (an id, a URI), never the contract.
        approval: Reference to the approval by client or production; empty for none.
        do_not_train: Nobody may train a model on these pictures.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    talent: bool | None = None
    use: Literal["temporary", "final"] = "temporary"
    consent: tuple[str, ...] = ()
    approval: str = ""
    do_not_train: bool = True
