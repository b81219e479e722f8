# SPDX-License-Identifier: Apache-2.0
"""Runs a graph for a command: the engine, the signals, the progress."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.contracts.errors import UsageError

if TYPE_CHECKING:
    from understudy.contracts.engine import Engine
    from understudy.graph.document import Graph
    from understudy.packs.policy import ShowPolicy


@contextmanager
def open_engine(
    server: str, ocio: str = "", device: str = "auto", transport: str = "auto", policy: "ShowPolicy | None" = None
) -> Iterator["Engine"]:
    """The engine of a command: in this process, or the service at an address.

    An engine in this process keeps to the policy, or to that of the environment; a service to its own.

    Raises:
        RightsError: The policy of the environment is missing or wrong.
        UnavailableError: The service does not answer.
    """
    engine: Engine
    if server:
        from understudy.client.engine import RemoteEngine
        from understudy.service.allocator import keep_memory

        require_default_device(device)
        keep_memory()
        engine = RemoteEngine(server, transport=transport)
    else:
        from understudy.packs.policy import find_policy
        from understudy.roles.engine import LocalEngine

        if transport != "auto":
            raise UsageError("frames travel to a service only", where="--transport", fix="say which with --server")
        engine = LocalEngine(device=device, ocio_config=ocio, policy=policy or find_policy())
    try:
        yield engine
    finally:
        engine.close()


def require_default_device(device: str) -> None:
    """Refuses a device beside a service.

    Raises:
        UsageError: There is one.
    """
    if device != "auto":
        raise UsageError("--device is the service's own choice", where="--server", fix="start it with: serve --device")


def run_graph(
    graph: "Graph",
    *,
    device: str,
    server: str,
    as_json: bool,
    verbose: bool = False,
    frames: str = "",
    draft: bool = False,
    draft_scale: str = "",
    redo: bool = False,
    dry_run: bool = False,
    transport: str = "auto",
    policy: str = "",
    rights: str = "",
    no_record: bool = False,
    part: str = "",
    cache_gb: float | None = None,
    remarks: Sequence[str] = (),
) -> None:
    """Renders a graph and tells a person or a program how it goes; ``remarks`` go among the warnings of its record.

    Raises:
        UnderstudyError: The render is refused or failed.
    """
    from understudy.cli.cancel import cancel_on_signal
    from understudy.cli.progress import JsonLines, ProgressBar
    from understudy.cli.record_options import with_record_options
    from understudy.contracts.engine import Control
    from understudy.graph.draft import with_draft_scale
    from understudy.graph.plate_cache import default_cache
    from understudy.graph.render import render_graph
    from understudy.packs.policy import find_policy
    from understudy.provenance.recorder import Recorder

    rules = find_policy(policy)
    graph = with_record_options(graph, rights=rights, no_record=no_record)
    if draft_scale:
        graph = with_draft_scale(graph, draft_scale, draft=draft)
    if dry_run:
        _survey(
            graph, device=device, server=server, as_json=as_json, frames=frames, draft=draft, policy=rules, part=part
        )
        return
    if part and transport == "files":
        raise UsageError("a service that reads the files itself takes whole jobs", where="--part", fix="use --frames")
    if transport == "files":
        from understudy.cli.by_reference import render_by_reference

        render_by_reference(
            graph,
            device=device,
            server=server,
            as_json=as_json,
            verbose=verbose,
            frames=frames,
            draft=draft,
            redo=redo,
            policy=rules,
        )
        return
    with cancel_on_signal() as caught, open_engine(server, graph.config, device, transport, rules) as engine:
        control = Control(cancelled=lambda: bool(caught))
        with JsonLines() if as_json else ProgressBar(verbose=verbose) as listener:
            if server:
                _tell_transport(engine, listener.hear)
            recorder = Recorder(rules.document.record.source_types if rules else None)
            for remark in remarks:
                recorder.hear({"event": "warning", "message": remark})
            render_graph(
                graph,
                engine,
                frames=frames,
                draft=draft,
                redo=redo,
                on_event=listener.hear,
                control=control,
                policy=rules,
                witness=recorder,
                part=part,
                cache=default_cache(cache_gb),
            )


def _survey(
    graph: "Graph",
    *,
    device: str,
    server: str,
    as_json: bool,
    frames: str,
    draft: bool,
    policy: "ShowPolicy | None",
    part: str,
) -> None:
    from understudy.cli.progress import JsonLines, Plan
    from understudy.graph.prepare import survey_graph

    with open_engine(server, graph.config, device, policy=policy) as engine, JsonLines() if as_json else Plan() as tell:
        survey_graph(graph, engine, frames=frames, draft=draft, on_event=tell.hear, policy=policy, part=part)


def _tell_transport(engine: "Engine", hear: Callable[[dict[str, Any]], None]) -> None:
    from understudy.client.engine import RemoteEngine

    assert isinstance(engine, RemoteEngine)
    engine.info()  # whether it answers at all is told first
    transport = engine.transport
    hear({"event": "transport", "name": transport.name, "reason": transport.reason})


def run_nodes(nodes: Mapping[str, Mapping[str, Any]], *, ocio: str, **how: Any) -> None:
    """Renders nodes that a command put together; see ``run_graph``."""
    from understudy.graph.parsing import parse_graph

    given = {
        name: {field: value for field, value in node.items() if value not in ("", None, [], {}, ())}
        for name, node in nodes.items()
    }
    graph = parse_graph({"schema": "understudy.graph/1", "ocio": ocio, "nodes": given}, source="command line")
    run_graph(graph, **how)


def output_path(source: str, output: str) -> str:
    """The output pattern; a folder takes the input's file name.

    Raises:
        InputError: There is no such input.
        UsageError: No output was named.
    """
    if not output:  # an unset variable; as a path it would be the working folder
        raise UsageError(
            "no output was named", where="OUT", fix="name a file, a pattern such as out.%04d.exr, or a folder"
        )
    if not output.endswith(("/", "\\")) and not os.path.isdir(output):  # noqa: PTH112 - Path.is_dir raises on some
        return output
    from understudy.frames.sequence import open_sequence

    return str(Path(output) / Path(open_sequence(source).pattern).name)


def pairs(items: Sequence[str], what: str) -> dict[str, str]:
    """``NAME=VALUE`` items as a mapping.

    Raises:
        UsageError: An item has no ``=``.
    """
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageError(f"{item!r} is not NAME=VALUE", where=what)
        found[name] = value
    return found


def option_values(items: Sequence[str]) -> dict[str, Any]:
    """Pack options with numbers and booleans as such: ``iterations=8 antiringing=true``."""
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    values: dict[str, Any] = {}
    for name, text in pairs(items, "--option").items():
        values[name] = words.get(text.lower(), text)
        for number in (int, float):
            try:
                values[name] = number(text)
                break
            except ValueError:
                continue
    return values
