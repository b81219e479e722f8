# SPDX-License-Identifier: Apache-2.0
"""Has a service render a graph on files that both ends see."""

from typing import TYPE_CHECKING

from understudy.contracts.errors import UsageError

if TYPE_CHECKING:
    from understudy.graph.document import Graph
    from understudy.packs.policy import ShowPolicy


def render_by_reference(
    graph: "Graph",
    *,
    device: str,
    server: str,
    as_json: bool,
    verbose: bool,
    frames: str,
    draft: bool,
    redo: bool,
    policy: "ShowPolicy | None" = None,
) -> None:
    """Renders a graph where its files are read and written by the service, and tells how it goes.

    Raises:
        RightsError: The policy refuses a pack; the service was not asked to render.
        UnderstudyError: The render is refused or failed.
    """
    from understudy.cli.cancel import cancel_on_signal
    from understudy.cli.job import require_default_device
    from understudy.cli.progress import JsonLines, ProgressBar
    from understudy.client.render import render_by_reference as have_rendered
    from understudy.color.config import ColorConfig
    from understudy.contracts.engine import Control
    from understudy.graph.paths import with_absolute_files
    from understudy.graph.reach import files_to_prove

    if not server:
        raise UsageError("there is no service to read and write the files", where="--transport", fix="add --server")
    require_default_device(device)
    graph = with_absolute_files(graph)
    config = "" if graph.config else ColorConfig.load().name
    if policy is not None:
        _require_allowed(graph, server, policy, draft=draft)
    inputs, outputs = files_to_prove(graph)
    with cancel_on_signal() as caught, JsonLines() if as_json else ProgressBar(verbose=verbose) as listener:
        have_rendered(
            server,
            graph.model_dump_json(by_alias=True),
            inputs=inputs,
            outputs=outputs,
            on_event=listener.hear,
            frames=frames,
            draft=draft,
            redo=redo,
            ocio_config=config,
            policy=policy.content if policy else b"",
            control=Control(cancelled=lambda: bool(caught)),
        )


def _require_allowed(graph: "Graph", server: str, policy: "ShowPolicy", *, draft: bool) -> None:
    """Refuses a graph for which the service would take a pack that the policy does not allow.

    Raises:
        RightsError: It would.
    """
    from understudy.client.engine import RemoteEngine
    from understudy.graph.pins import pin_packs

    engine = RemoteEngine(server)
    try:
        pin_packs(graph, policy.judged(engine.info()), draft=draft)
    finally:
        engine.close()
