# SPDX-License-Identifier: Apache-2.0
"""``understudy interpolate``."""

from typing import Annotated, Any

import typer

from understudy.cli import options as o


def interpolate(
    source: o.Input,
    output: o.Output,
    speed: Annotated[str, typer.Option("--speed", help="Constant speed: 0.5 is half speed, twice the frames.")] = "",
    fps_in: Annotated[str, typer.Option("--fps-in", metavar="FPS", help="Frame rate of IN, such as 24000/1001.")] = "",
    fps_out: Annotated[str, typer.Option("--fps-out", metavar="FPS", help="Frame rate of OUT.")] = "",
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="One picture at this source time: 1003.5.")] = "",
    times: Annotated[
        str, typer.Option("--times", metavar="LIST", help="Source time of each output frame: 1001,1001.5,1003.")
    ] = "",
    curve: Annotated[
        str,
        typer.Option("--curve", metavar="FILE", help="YAML or JSON list of keys {frame, speed} or {frame, source}."),
    ] = "",
    timeline: Annotated[str, typer.Option("--timeline", metavar="X.otio", help="Retime of a clip (.otio, .edl).")] = "",
    clip: Annotated[str, typer.Option("--clip", help="Name of the clip in the timeline.")] = "",
    shutter: Annotated[
        float, typer.Option("--shutter", metavar="DEGREES", min=0, max=720, help="Motion blur; 180 is half a frame.")
    ] = 0.0,
    shutter_samples: Annotated[
        int, typer.Option("--shutter-samples", min=2, max=128, help="Pictures that are averaged for it.")
    ] = 8,
    vectors: Annotated[str, typer.Option("--vectors", help="Plates with forward and backward vectors of IN.")] = "",
    motion_pack: Annotated[str, typer.Option("--motion-pack", metavar="ID", help="Pack for the vectors.")] = "",
    cuts: Annotated[
        str, typer.Option("--cuts", help="auto, none, or the first frame after each cut: 1012,1040.")
    ] = "auto",
    edge: Annotated[str, typer.Option("--edge", help="Times beyond the source: error or hold.")] = "error",
    pack: o.Pack = "",
    confidence: o.Confidence = True,
    colorspace: o.Colorspace = "",
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
    cache_gb: o.CacheGb = None,
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
    """Retime: any speed, frame rate, curve or single time; whole frames stay the source, bit for bit."""
    from understudy.cli.job import option_values, output_path, pairs, run_nodes

    node: dict[str, Any] = {
        "type": "interpolate",
        "input": "plate",
        "vectors": "vectors" if vectors else "",
        "pack": pack,
        "motion_pack": motion_pack,
        "options": option_values(option),
        "kinds": pairs(kind, "--kind"),
        "cuts": cuts if cuts in ("auto", "none") else _numbers(cuts),
        "edge": edge,
        "confidence": confidence,
        "speed": speed,
        "at": at,
        "list": [part.strip() for part in times.split(",") if part.strip()],
        "curve": _curve(curve),
        "fps": _fps(fps_in, fps_out),
        "timeline": {"file": timeline, "clip": clip} if timeline else None,
        "shutter": {"angle": shutter, "samples": shutter_samples} if shutter else None,
    }
    nodes = {
        "plate": {"type": "read", "file": source, "colorspace": colorspace, "missing": missing, "view": view},
        "retime": node,
        "out": {
            "type": "write",
            "input": "retime",
            "file": output if at else output_path(source, output),
            "colorspace": out_colorspace,
            "sample_type": type,
            "compression": compression,
            "container": container,
        },
    }
    if vectors:
        nodes["vectors"] = {"type": "read", "file": vectors, "colorspace": "data"}
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
        cache_gb=cache_gb,
        rights=rights,
        no_record=no_record,
    )


def _fps(source: str, target: str) -> dict[str, str] | None:
    from understudy.contracts.errors import UsageError

    if bool(source) != bool(target):
        raise UsageError("--fps-in and --fps-out go together", fix="give both frame rates")
    return {"source": source, "target": target} if source else None


def _numbers(text: str) -> list[int]:
    from understudy.frames.sequence import parse_frames

    return list(parse_frames(text))


def _curve(path: str) -> list[Any]:
    if not path:
        return []
    from pathlib import Path

    from understudy.contracts.errors import UsageError
    from understudy.graph.yaml_file import read_yaml

    keys = read_yaml(Path(path), "curve")
    if not isinstance(keys, list) or not keys:
        raise UsageError("a curve is a list of keys", where=path, fix="for example: - {frame: 1001, speed: 0.5}")
    return keys
