# SPDX-License-Identifier: Apache-2.0
"""The show policy, schema ``understudy.policy/1``: what a production allows. ``packs.policy`` reads it."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from understudy.contracts.manifest import Role
from understudy.contracts.rights import Color

SCHEMA = "understudy.policy/1"

Pin = Annotated[str, Field(min_length=1)]
"""``id``, ``id@version`` or ``id@version#sha256``, the digest in its first 12 or more digits."""

Evidence = Literal["self-declared", "contract", "audited", "not-applicable"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Show(_Part):
    """Whose rules these are.

    Attributes:
        name: The production, as messages and records name it.
        approved_by: Who approved these rules; messages send people there.
        date: When, ``YYYY-MM-DD``.
        contact: Where to ask: an address or a channel; empty for none.
    """

    name: str = Field(min_length=1)
    approved_by: str = Field(min_length=1)
    date: dt.date | None = None
    contact: str = ""


class Approval(_Part):
    """A pack that somebody approved for this show though its training basis is unknown or scraped. It is amber then.

    Attributes:
        pack: ``id``, ``id@version`` or ``id@version#sha256``.
        by: Who approved it.
        date: When, ``YYYY-MM-DD``.
        reference: Where the decision is filed; empty for none.
    """

    pack: Pin
    by: str = Field(min_length=1)
    date: dt.date
    reference: str = ""


class Rules(_Part):
    """Which packs may be loaded and rendered with.

    Attributes:
        allow: The only packs that may be used, each ``id``, ``id@version`` or ``id@version#sha256``. Left out: any. An
            empty list: none.
        deny: Packs that may not be used, whatever else is said.
        minimum_badge: The worst badge that is taken: ``green``, ``amber`` or ``red`` (any). Left out: any.
        generative: ``false`` takes only packs that say that they invent nothing. Left out: any.
        allow_licenses: SPDX identifiers; the concluded license must be met by these alone. Left out: any.
        deny_licenses: SPDX identifiers; a pack is refused when its concluded license can't be met without them.
    """

    allow: tuple[Pin, ...] | None = None
    deny: tuple[Pin, ...] = ()
    minimum_badge: Color | None = None
    generative: bool | None = None
    allow_licenses: tuple[str, ...] | None = None
    deny_licenses: tuple[str, ...] = ()


class PackRules(Rules):
    """The rules for packs of every role.

    Attributes:
        approvals: Packs of unknown or scraped training basis that somebody approved.
    """

    approvals: tuple[Approval, ...] = ()


class RecordRules(_Part):
    """What provenance records hold.

    Attributes:
        source_types: The ``digitalSourceType`` (IPTC) of an operation's frames, by operation, where it is to differ
            from the one that Understudy would give: ``upscale = "compositeWithTrainedAlgorithmicMedia"``.
        required_evidence: The kinds of training evidence that packs must have; a pack with another one is refused.
            Empty: any.
    """

    source_types: dict[str, str] = {}
    required_evidence: tuple[Evidence, ...] = ()


class PublishRules(_Part):
    """Limits of a publish.

    Attributes:
        confidence: A frame whose confidence (fifth percentile, 0 to 1) is below this is doubtful.
        doubtful_percent: The most doubtful frames that a publish passes without a warning, percent of its frames.
        colorspaces: The color spaces that frames may be in, as the config names them. Empty: any.
        ocio_cache_id: Cache id of the show's OCIO config; empty: any config.
        final_needs_approval: Frames for final delivery need an approval reference.
        signature_required: A record without a trusted signature is an error, not a warning.
    """

    confidence: float = Field(0.5, ge=0, le=1)
    doubtful_percent: float = Field(10.0, ge=0, le=100)
    colorspaces: tuple[str, ...] = ()
    ocio_cache_id: str = ""
    final_needs_approval: bool = True
    signature_required: bool = False


class PolicyDocument(_Part):
    """The whole of a policy file.

    Attributes:
        schema_: Always ``understudy.policy/1`` (written ``schema``).
        show: Whose rules these are.
        packs: The rules for packs of every role.
        roles: Rules for the packs of one role (``[roles.upscale]``). What is set here takes the place of the same field
            under ``[packs]``; lists of what is denied add up.
        record: What provenance records hold.
        publish: Limits of a publish.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    schema_: Literal["understudy.policy/1"] = Field(alias="schema")
    show: Show
    packs: PackRules = PackRules()
    roles: dict[Role, Rules] = {}
    record: RecordRules = RecordRules()
    publish: PublishRules = PublishRules()

    def rules_for(self, role: str) -> Rules:
        """The rules for packs of a role."""
        own = next((rules for name, rules in self.roles.items() if name.value == role), Rules())
        general = self.packs
        return Rules(
            allow=general.allow if own.allow is None else own.allow,
            deny=(*general.deny, *own.deny),
            minimum_badge=own.minimum_badge or general.minimum_badge,
            generative=general.generative if own.generative is None else own.generative,
            allow_licenses=general.allow_licenses if own.allow_licenses is None else own.allow_licenses,
            deny_licenses=(*general.deny_licenses, *own.deny_licenses),
        )
