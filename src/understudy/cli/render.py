# SPDX-License-Identifier: Apache-2.0
"""``understudy render``."""

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli import options as o


def render(
    graph: Annotated[Path, typer.Argument(metavar="GRAPH.yaml", help="A graph document (understudy.graph/1).")],
    frames: o.Frames = "",
    part: o.Part = "",
    draft: o.Draft = False,
    draft_scale: o.DraftScale = "",
    redo: o.Redo = False,
    dry_run: o.DryRun = False,
    cache_gb: o.CacheGb = None,
    rights: o.RightsFile = "",
    no_record: o.NoRecord = False,
    device: o.Device = "auto",
    server: o.Server = "",
    transport: o.Transport = "auto",
    policy: o.Policy = "",
    json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Render a graph document."""
    from understudy.cli.job import run_graph
    from understudy.graph.parsing import load_graph

    run_graph(
        load_graph(graph),
        device=device,
        server=server,
        transport=transport,
        policy=policy,
        as_json=json,
        verbose=verbose,
        frames=frames,
        part=part,
        draft=draft,
        draft_scale=draft_scale,
        redo=redo,
        dry_run=dry_run,
        cache_gb=cache_gb,
        rights=rights,
        no_record=no_record,
    )
