# SPDX-License-Identifier: Apache-2.0
"""What a render asks and tells of the rights of its packs."""

from collections.abc import Mapping

from understudy.contracts.engine import EngineInfo, PackInfo
from understudy.graph.document import Graph
from understudy.graph.events import Listener
from understudy.packs.consent import require_consent
from understudy.packs.policy import ShowPolicy


def judged(info: EngineInfo, policy: ShowPolicy | None) -> EngineInfo:
    """What an engine says of its packs, judged by the caller's policy where there is one."""
    return policy.judged(info) if policy else info


def require_rights(graph: Graph, packs: Mapping[str, PackInfo]) -> None:
    """Refuses a graph whose shot is flagged with talent, for packs that need a consent that it does not name.

    Raises:
        RightsError: A consent is missing.
    """
    if graph.rights is not None:
        require_consent(packs, talent=bool(graph.rights.talent), consent=graph.rights.consent)


def tell_rights(packs: Mapping[str, PackInfo], info: EngineInfo, policy: ShowPolicy | None, listener: Listener) -> None:
    """Tells which policies were asked, and of each node's pack its pin and its badge."""
    if policy is not None:
        listener({"event": "policy", "by": "caller", "show": policy.show, "sha256": policy.sha256})
    # In this process the engine keeps to the caller's own policy; one of them is enough to tell.
    if info.policy is not None and (policy is None or info.policy != policy.info):
        listener({"event": "policy", "by": "engine", "show": info.policy.show, "sha256": info.policy.sha256})
    for name, pack in packs.items():
        pin = {"id": pack.pin.id, "version": pack.pin.version, "sha256": pack.pin.sha256}
        rights = {"badge": pack.badge, "badge_reasons": list(pack.badge_reasons)}
        listener({"event": "pack", "node": name, "title": pack.title, **pin, **rights})
