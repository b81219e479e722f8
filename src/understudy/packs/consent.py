# SPDX-License-Identifier: Apache-2.0
"""Which operations on a shot with recognizable people need a performer's consent on file.

A shot is flagged by a person, not by us: we recognize nobody. What is kept is a reference to the consent, never the
contract.
"""

from collections.abc import Mapping, Sequence

from understudy.contracts.engine import PackInfo
from understudy.contracts.errors import RightsError
from understudy.contracts.manifest import Role
from understudy.packs.rights import generative


def consent_reason(pack: PackInfo) -> str:
    """Why a pack's work on a person needs consent, one sentence; empty when it does not.

    Invented content does, and so does new light, which can change the character of a performance. A pack that does not
    say whether it invents content counts as one that does.
    """
    said = generative(pack)
    if said == "yes":
        return f"{pack.pin} invents content"
    if said == "unknown":
        return f"{pack.pin} does not say that it invents nothing"
    if pack.role == Role.RELIGHT.value:
        return f"{pack.pin} puts a performance in new light"
    return ""


def require_consent(packs: Mapping[str, PackInfo], *, talent: bool, consent: Sequence[str]) -> None:
    """Refuses operations on a shot with talent that need a consent reference, when there is none.

    Args:
        packs: The pack of each node, by the node's name.
        talent: The shot is flagged: people can be recognized in it.
        consent: References to consents on file.

    Raises:
        RightsError: A reference is missing; the message names the first node that needs one.
    """
    if not talent or any(reference.strip() for reference in consent):
        return
    for name, pack in packs.items():
        if reason := consent_reason(pack):
            raise RightsError(
                f"the shot is flagged with talent, {reason}, and no consent is named",
                where=f"nodes.{name}",
                fix="name the performer's consent under rights.consent, or take another pack",
            )
