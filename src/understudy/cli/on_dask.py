# SPDX-License-Identifier: Apache-2.0
"""Renders a graph on a Dask cluster and tells how it goes, as ``understudy render`` does."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from understudy.farm.dask_cluster import Place
    from understudy.graph.document import Graph


def render_on_dask(
    graph: "Graph",
    place: "Place",
    *,
    frames: str,
    chunk: int,
    draft: bool,
    device: str,
    policy: str,
    as_json: bool,
) -> None:
    """Renders a graph.

    Raises:
        UnderstudyError: The render is refused or failed.
    """
    from understudy.cli.cancel import cancel_on_signal
    from understudy.cli.job import open_engine
    from understudy.cli.progress import JsonLines, ProgressBar
    from understudy.contracts.engine import Control
    from understudy.farm.dask_cluster import require_dask
    from understudy.farm.dask_render import render_on_dask as render
    from understudy.packs.policy import find_policy

    place.check()
    require_dask()
    rules = find_policy(policy)
    with cancel_on_signal() as caught, open_engine("", graph.config, device, policy=rules) as engine:
        control = Control(cancelled=lambda: bool(caught))
        with JsonLines() if as_json else ProgressBar() as listener:
            render(
                graph,
                engine,
                place,
                frames=frames,
                chunk=chunk,
                draft=draft,
                on_event=listener.hear,
                control=control,
                policy=rules,
            )
