# SPDX-License-Identifier: Apache-2.0
"""What a record, a report or a publish tells of the rights of a pack."""

from dataclasses import dataclass

from understudy.contracts.engine import PackInfo
from understudy.contracts.jobs import PackPin
from understudy.contracts.rights import Answer, Color
from understudy.packs.bom import serial_number
from understudy.packs.policy import ShowPolicy

_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsFacts:
    """The rights of a pack at the time it was asked.

    Attributes:
        pin: Id, version and digest.
        badge: ``green``, ``amber`` or ``red``.
        badge_reasons: Why, one sentence each.
        license: The concluded license, an SPDX expression.
        training_basis: What it learned from, as the manifest has it; ``none`` for a model that never learned.
        learned: It is a trained model; false for classical methods alone.
        generative: It invents content: ``no``, ``yes`` or ``unknown``.
        mlbom_serial: Serial number of its rights record, ``urn:uuid:...``.
    """

    pin: PackPin
    badge: Color
    badge_reasons: tuple[str, ...]
    license: str
    training_basis: str
    learned: bool
    generative: Answer
    mlbom_serial: str


def rights_facts(pack: PackInfo, policy: ShowPolicy | None = None) -> RightsFacts:
    """The rights of a pack as an engine tells of it.

    Args:
        pack: The pack.
        policy: The caller's policy, under which the badge is computed; None takes the engine's word.
    """
    color, reasons = pack.badge, pack.badge_reasons
    if policy is not None:
        badge = policy.badge_of(pack)
        color, reasons = badge.color, badge.reasons
    basis = str(pack.manifest.get("training", {}).get("basis", _UNKNOWN))
    return RightsFacts(
        pin=pack.pin,
        badge=color or "red",
        badge_reasons=reasons or ("the engine does not tell of its rights",),
        license=str(pack.manifest.get("license", {}).get("concluded", "NOASSERTION")),
        training_basis=basis,
        learned=basis != "none",
        generative=generative(pack),
        mlbom_serial=serial_number(pack.pin.sha256),
    )


def generative(pack: PackInfo) -> Answer:
    """Whether a pack invents content, as its manifest says; ``unknown`` where it does not."""
    said = pack.manifest.get("rights", {}).get("generative", _UNKNOWN)
    return said if said in {"no", "yes"} else "unknown"
