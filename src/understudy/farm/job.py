# SPDX-License-Identifier: Apache-2.0
"""A render that is to be shared out: the graph with its packs and its config settled, and the frames it makes."""

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from understudy.contracts.engine import NO_CONTROL, Engine, EngineInfo, PackInfo
from understudy.graph.document import Graph, Lock, RoleNode
from understudy.graph.events import Listener
from understudy.graph.ledger import Ledger, default_ledger
from understudy.graph.paths import with_absolute_files
from understudy.graph.pins import pin_packs
from understudy.graph.prepare import prepare
from understudy.packs.policy import ShowPolicy


@dataclass(frozen=True, kw_only=True)
class FarmJob:
    """A render that was found possible here, and that any machine will do alike or refuse.

    Attributes:
        graph: Absolute paths; ``frames`` as asked, ``lock`` with packs and config.
        frames: The frames it makes, handles among them, sorted; empty where it makes stills only.
        draft: It is rendered as a draft.
        policy: The show policy's file; None without one.
    """

    graph: Graph
    frames: tuple[int, ...]
    draft: bool
    policy: Path | None


def settle(
    graph: Graph,
    engine: Engine,
    *,
    frames: str = "",
    draft: bool = False,
    policy: ShowPolicy | None = None,
    policy_file: Path | None = None,
    listener: Listener | None = None,
) -> FarmJob:
    """Plans a render as `render_graph` would, and keeps what it settled on.

    Args:
        graph: The document; its paths are absolute or relative to the working folder.
        engine: Has the packs that the farm's machines have, too.
        frames: Output frames; empty takes the graph's, or all.
        draft: As for `render_graph`.
        policy: The show's.
        policy_file: Where it lies.
        listener: Hears warnings, and how color spaces and packs were settled.

    Raises:
        UnderstudyError: The render would be refused.
    """
    asked = frames or graph.frames
    with closing(Ledger(default_ledger())) as ledger:
        job = prepare(
            graph, engine, ledger, listener or (lambda _event: None), NO_CONTROL, asked, draft=draft, policy=policy
        )
    config = job.color.name if job.color.built_in else os.path.abspath(job.color.name)  # noqa: PTH100 - keeps links
    lock = Lock(packs=_pins(graph, job.info, job.packs, draft=draft), ocio="" if graph.ocio else config)
    made = {frame for _, frame in job.plan.outputs if frame is not None}
    settled = with_absolute_files(graph).model_copy(update={"frames": asked, "lock": lock})
    return FarmJob(graph=settled, frames=tuple(sorted(made)), draft=draft, policy=policy_file)


def _pins(graph: Graph, info: EngineInfo, packs: Mapping[str, PackInfo], *, draft: bool) -> tuple[str, ...]:
    """Every pack that is asked for on the way: a draft's stand-in is found by way of the pack that names it."""
    taken = [*packs.values()]
    drafts = [name for name, node in graph.nodes.items() if isinstance(node, RoleNode) and node.quality == "draft"]
    if draft or drafts:
        finals = {name: graph.nodes[name].model_copy(update={"quality": "final"}) for name in drafts}
        unjudged = replace(info, packs=tuple(replace(pack, refused="") for pack in info.packs))
        taken += pin_packs(
            graph.model_copy(update={"nodes": {**graph.nodes, **finals}}), unjudged, draft=False
        ).values()
    return tuple(sorted({f"{one.pin.id}@{one.pin.version}#{one.pin.sha256}" for one in taken}))
