# SPDX-License-Identifier: Apache-2.0
"""``understudy upscale``."""

from typing import Annotated

import typer

from understudy.cli import options as o


def upscale(
    source: o.Input,
    output: o.Output,
    scale: Annotated[str, typer.Option("--scale", help="Factor on both axes: 2, 1.5, 3/2.")] = "2",
    pack: o.Pack = "",
    confidence: Annotated[bool, typer.Option("--confidence", help="Add the layer confidence.Y.")] = False,
    colorspace: o.Colorspace = "",
    out_colorspace: o.OutColorspace = "",
    frames: o.Frames = "",
    draft: o.Draft = False,
    draft_scale: o.DraftScale = "",
    option: o.Options = [],  # noqa: B006 - typer's way to a repeated option
    kind: o.Kinds = [],  # noqa: B006
    tile: o.Tile = 0,
    missing: o.Missing = "error",
    view: o.View = "",
    type: o.SampleType = "",
    compression: o.Compression = "",
    container: o.Container = "plain",
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
    """Make a larger picture; every channel and both windows scale by its own policy."""
    from understudy.cli.job import option_values, output_path, pairs, run_nodes

    run_nodes(
        {
            "plate": {"type": "read", "file": source, "colorspace": colorspace, "missing": missing, "view": view},
            "upscale": {
                "type": "upscale",
                "input": "plate",
                "scale": scale,
                "pack": pack,
                "confidence": confidence,
                "options": option_values(option),
                "kinds": pairs(kind, "--kind"),
                "tile": tile,
            },
            "out": {
                "type": "write",
                "input": "upscale",
                "file": output_path(source, output),
                "colorspace": out_colorspace,
                "sample_type": type,
                "compression": compression,
                "container": container,
            },
        },
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
