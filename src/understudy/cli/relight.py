# SPDX-License-Identifier: Apache-2.0
"""``understudy relight``."""

from typing import Annotated, Any

import typer

from understudy.cli import options as o

_PASSES = ("albedo", "normal", "position", "depth", "roughness", "metallic")


def _aov(name: str) -> Any:
    return typer.Option(f"--{name}", metavar="FILE", help=f"Plates with the {name}; a layer of IN when left out.")


def relight(
    source: o.Input,
    output: o.Output,
    lights: Annotated[str, typer.Option("--lights", metavar="JSON", help="The new lights (understudy.lights/1).")] = "",
    present: Annotated[str, typer.Option("--present", metavar="JSON", help="The light in IN now, when known.")] = "",
    reference: Annotated[
        str, typer.Option("--reference", metavar="FILE", help="A picture whose light is the target.")
    ] = "",
    light_frame: Annotated[
        str,
        typer.Option("--light-frame", metavar="FRAME", help="Where unknown present light is found: first, each, 1001."),
    ] = "first",
    method: Annotated[str, typer.Option("--method", help="aov, ratio, or auto.")] = "auto",
    albedo: Annotated[str, _aov("albedo")] = "",
    normal: Annotated[str, _aov("normal")] = "",
    position: Annotated[str, _aov("position")] = "",
    depth: Annotated[str, _aov("depth")] = "",
    roughness: Annotated[str, _aov("roughness")] = "",
    metallic: Annotated[str, _aov("metallic")] = "",
    normal_space: Annotated[str, typer.Option("--normal-space", help="camera or world.")] = "camera",
    camera_to_world: Annotated[
        str, typer.Option("--camera-to-world", metavar="9 NUMBERS", help="Row-major rotation, for world normals.")
    ] = "",
    camera_position: Annotated[
        str, typer.Option("--camera-position", metavar="X,Y,Z", help="In the world; positions are world points then.")
    ] = "",
    field_of_view: Annotated[
        float, typer.Option("--field-of-view", metavar="DEGREES", help="Horizontal; turns depth into positions.")
    ] = 45.0,
    limit_stops: Annotated[float, typer.Option("--limit-stops", help="The ratio stays within plus/minus this.")] = 3.0,
    passes: Annotated[
        str,
        typer.Option("--passes", metavar="LIST", help="Layers: ratio,normal,albedo,diffuse,specular,confidence."),
    ] = "",
    pack: o.Pack = "",
    colorspace: o.Colorspace = "",
    aov_colorspace: Annotated[
        str, typer.Option("--aov-colorspace", metavar="SPACE", help="Color space of the albedo; --colorspace if empty.")
    ] = "",
    out_colorspace: o.OutColorspace = "",
    frames: o.Frames = "",
    draft: o.Draft = False,
    draft_scale: o.DraftScale = "",
    option: o.Options = [],  # noqa: B006 - typer's way to a repeated option
    kind: o.Kinds = [],  # noqa: B006
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
    """Put new light on a plate: from its passes, or as a ratio of new light over present light."""
    from understudy.cli.job import option_values, output_path, pairs, run_nodes

    files = dict(zip(_PASSES, (albedo, normal, position, depth, roughness, metallic), strict=True))
    given = {name: file for name, file in files.items() if file}
    node: dict[str, Any] = {
        "type": "relight",
        "input": "plate",
        **{name: name for name in given},
        "reference": "reference" if reference else "",
        "lights": lights,
        "present": present,
        "method": method,
        "normal_space": normal_space,
        "camera_to_world": camera_to_world.replace(",", " ").split(),
        "camera_position": camera_position.replace(",", " ").split(),
        "light_frame": light_frame if light_frame in ("first", "each") else _number(light_frame),
        "field_of_view": field_of_view,
        "limit_stops": limit_stops,
        "passes": [part.strip() for part in passes.split(",") if part.strip()],
        "pack": pack,
        "options": option_values(option),
        "kinds": pairs(kind, "--kind"),
    }
    nodes: dict[str, dict[str, Any]] = {
        "plate": {"type": "read", "file": source, "colorspace": colorspace, "missing": missing, "view": view},
        "relight": node,
        "out": {
            "type": "write",
            "input": "relight",
            "file": output_path(source, output),
            "colorspace": out_colorspace,
            "sample_type": type,
            "compression": compression,
            "container": container,
        },
    }
    for name, file in given.items():
        space = (aov_colorspace or colorspace) if name == "albedo" else "data"
        nodes[name] = {"type": "read", "file": file, "colorspace": space, "missing": missing}
    if reference:
        nodes["reference"] = {"type": "read", "file": reference, "colorspace": colorspace}
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


def _number(light_frame: str) -> int:
    from understudy.contracts.errors import UsageError

    try:
        return int(light_frame)
    except ValueError:
        fix = "say first, each, or a frame number"
        raise UsageError(f"{light_frame[:40]!r} is no frame", where="--light-frame", fix=fix) from None
