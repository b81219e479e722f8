# SPDX-License-Identifier: Apache-2.0
"""Settles everything about a render before its first frame, and tells what would be made."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from understudy import __version__
from understudy.color.config import ColorConfig
from understudy.contracts.engine import NO_CONTROL, Control, Engine, EngineInfo, PackInfo
from understudy.contracts.paths import ANY_FILE, CONFIG_MARK, FileRules
from understudy.contracts.plate import MetadataValue
from understudy.graph.content_key import ContentKeys
from understudy.graph.document import Graph
from understudy.graph.draft import job_of_draft, make_proxy, with_draft_options
from understudy.graph.events import Listener
from understudy.graph.kept_results import KeptResults, nodes_to_keep
from understudy.graph.ledger import Ledger, default_ledger
from understudy.graph.paths import with_absolute_files
from understudy.graph.pins import pin_packs
from understudy.graph.plan import Plan, plan_graph
from understudy.graph.plate_cache import PlateCache
from understudy.graph.rights import judged, require_rights, tell_rights
from understudy.graph.standing import Output, Standing, keys_of, standings, told
from understudy.graph.steps.step import Setting
from understudy.packs.policy import ShowPolicy
from understudy.roles.stopwatch import NO_STOPWATCH, Stopwatch


@dataclass(frozen=True, kw_only=True)
class PreparedJob:
    """A render that was found possible.

    Attributes:
        plan: Steps and outputs.
        packs: The pack of each node.
        info: Who computes.
        color: The OCIO config.
        facts: What every header says of the job.
        keys: The content keys of its outputs.
        kept: Results of earlier renders; None for none.
    """

    plan: Plan
    packs: Mapping[str, PackInfo]
    info: EngineInfo
    color: ColorConfig
    facts: Mapping[str, MetadataValue]
    keys: ContentKeys
    kept: KeptResults | None = None

    def standings(self, ledger: Ledger, *, present_only: bool) -> dict[Output, Standing]:
        """How the outputs stand; with ``present_only`` just those whose file is there, which spares hashing inputs."""
        outputs = self.plan.outputs
        if present_only:
            outputs = tuple(output for output in outputs if self.plan.writes[output[0]].path(output[1]).exists())
        return standings(self.plan, keys_of(self.keys, ledger, outputs), ledger)


def prepare(
    graph: Graph,
    engine: Engine,
    ledger: Ledger,
    listener: Listener,
    control: Control,
    frames: str,
    *,
    draft: bool,
    ocio: str = "",
    files: FileRules = ANY_FILE,
    policy: ShowPolicy | None = None,
    part: str = "",
    cache: PlateCache | None = None,
    stopwatch: Stopwatch = NO_STOPWATCH,
) -> PreparedJob:
    """Settles config, packs and plan; see ``render_graph`` for the arguments and what is refused."""
    info = judged(engine.info(), policy)
    config = graph.config or ocio
    if CONFIG_MARK.fits(config):
        files.require(Path(config), CONFIG_MARK.access)
    color = ColorConfig.load(config)
    packs = pin_packs(graph, info, draft=draft)
    require_rights(graph, packs)
    pins = {name: pack.pin for name, pack in packs.items()}
    shared = {"version": __version__, "ocio": color.cache_id, "device": device_class(info)}
    kept = None if cache is None else KeptResults(cache, nodes_to_keep(graph), shared)
    setting = Setting(
        engine=engine,
        color=color,
        pins=pins,
        listener=listener,
        control=control,
        draft=draft,
        proxy=make_proxy(graph),
        files=files,
        kept=kept,
        stopwatch=stopwatch,
    )
    plan = plan_graph(with_draft_options(graph, packs, draft=draft), setting, frames=frames, part=part)
    tell_rights(packs, info, policy, listener)
    return PreparedJob(
        plan=plan,
        packs=packs,
        info=info,
        color=color,
        facts=_facts(graph, packs, color, draft=draft),
        keys=ContentKeys(
            plan,
            {**shared, "draft": str(graph.draft.scale) if draft else False},
            lambda path: ledger.contents([path])[path],
        ),
        kept=kept,
    )


def tell_standings(found: Mapping[Output, Standing], listener: Listener) -> None:
    """Tells how outputs stand, alike ones together."""
    for name, standing, text, count in told(found):
        event = {"event": "plan", "node": name, "state": str(standing.state), "frames": text}
        listener({**event, "count": count, "why": standing.why})


def survey_graph(
    graph: Graph,
    engine: Engine,
    *,
    frames: str = "",
    draft: bool = False,
    on_event: Listener | None = None,
    ocio: str = "",
    policy: ShowPolicy | None = None,
    part: str = "",
) -> dict[Output, Standing]:
    """How every output of a graph stands, and so what :func:`render_graph` would make; nothing is computed or written.

    Args:
        graph: As for :func:`render_graph`.
        engine: Tells its packs.
        frames: As for :func:`render_graph`.
        draft: As for :func:`render_graph`.
        on_event: Hears how color spaces and packs were settled, and an event ``plan`` for outputs that stand alike.
        ocio: As for :func:`render_graph`.
        policy: As for :func:`render_graph`.
        part: As for :func:`render_graph`.

    Raises:
        UnderstudyError: The job would be refused.
    """
    listener: Listener = on_event or (lambda _event: None)
    with closing(Ledger(default_ledger())) as ledger:
        job = prepare(
            graph, engine, ledger, listener, NO_CONTROL, frames, draft=draft, ocio=ocio, policy=policy, part=part
        )
        found = job.standings(ledger, present_only=False)
    tell_standings(found, listener)
    return found


def device_class(info: EngineInfo) -> str:
    """What the pixels of a model depend on: ``auto`` is another device on another machine."""
    device = info.device.partition(":")[0]
    if device != "auto":
        return device
    return "cuda" if "CUDAExecutionProvider" in info.providers else "cpu"


def _facts(graph: Graph, packs: Mapping[str, PackInfo], color: ColorConfig, *, draft: bool) -> dict[str, MetadataValue]:
    pins = {name: f"{p.pin.id}@{p.pin.version}#{p.pin.sha256}" for name, p in sorted(packs.items())}
    digest = with_absolute_files(graph).digest  # so that it tells the job, and not where it was started
    job = hashlib.sha256(
        json.dumps([digest, pins, color.cache_id, draft, *job_of_draft(graph, draft=draft)]).encode()
    ).hexdigest()
    return {
        "understudy:version": __version__,
        "understudy:graph": digest,
        "understudy:job": job,
        "understudy:packs": " ".join(pins.values()),
    }
