# SPDX-License-Identifier: Apache-2.0
"""``understudy motion``."""

from typing import Annotated, Any

import typer

from understudy.cli import options as o


def motion(
    source: o.Input,
    output: o.Output,
    pack: o.Pack = "",
    matte: Annotated[str, typer.Option("--matte", help="Plates whose alpha says where motion is sought.")] = "",
    colorspace: o.Colorspace = "",
    frames: o.Frames = "",
    draft: o.Draft = False,
    draft_scale: o.DraftScale = "",
    option: o.Options = [],  # noqa: B006 - typer's way to a repeated option
    kind: o.Kinds = [],  # noqa: B006
    missing: o.Missing = "error",
    view: o.View = "",
    type: o.SampleType = "",
    compression: o.Compression = "",
    redo: o.Redo = False,
    dry_run: o.DryRun = False,
    rights: o.RightsFile = "",
    no_record: o.NoRecord = False,
    ocio: o.Ocio = "",
    device: o.Device = "auto",
    server: o.Server = "",
    transport: o.Transport = "auto",
    policy: o.Policy = "",
    json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Find the motion of every pixel: forward and backward vectors, confidence and occlusion."""
    from understudy.cli.job import option_values, output_path, pairs, run_nodes

    read = {"type": "read", "missing": missing, "colorspace": colorspace}
    nodes: dict[str, dict[str, Any]] = {
        "plate": {**read, "file": source, "view": view},
        "motion": {
            "type": "motion",
            "input": "plate",
            "pack": pack,
            "matte": "matte" if matte else "",
            "options": option_values(option),
            "kinds": pairs(kind, "--kind"),
        },
        "out": {
            "type": "write",
            "input": "motion",
            "file": output_path(source, output),
            "sample_type": type,
            "compression": compression,
        },
    }
    if matte:
        nodes["matte"] = {**read, "file": matte}
    run_nodes(
        nodes,
        ocio=ocio,
        device=device,
        server=server,
        transport=transport,
        policy=policy,
        as_json=json,
        verbose=verbose,
        frames=frames,
        draft=draft,
        draft_scale=draft_scale,
        redo=redo,
        dry_run=dry_run,
        rights=rights,
        no_record=no_record,
    )
