# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from typing import Annotated

import typer

Input = Annotated[str, typer.Argument(metavar="IN", help="plate.%04d.exr, plate.####.exr, a folder, or one file.")]
Output = Annotated[str, typer.Argument(metavar="OUT", help="out.%04d.exr, a folder, or one file for a still.")]
Colorspace = Annotated[
    str,
    typer.Option(
        "--colorspace",
        metavar="SPACE",
        help="Color space of IN: a name, alias or role of the OCIO config, such as ACEScg, or texture_paint for sRGB "
        "pictures. Told from the header when left out.",
    ),
]
OutColorspace = Annotated[
    str, typer.Option("--out-colorspace", metavar="SPACE", help="Color space of OUT; that of IN when left out.")
]
Frames = Annotated[
    str, typer.Option("--frames", metavar="RANGE", help="Output frames: 1001-1010, 1001-1010x2, 1001,1005.")
]
Part = Annotated[
    str,
    typer.Option(
        "--part", metavar="RANGE", help="Only these frames of the job, and no handles around them: a share of a farm's."
    ),
]
Pack = Annotated[str, typer.Option("--pack", metavar="ID", help="id, id@version or id@version#sha256.")]
Draft = Annotated[
    bool,
    typer.Option(
        "--draft",
        help="Quick: at half the size with lighter packs, over the final's windows; OUT becomes x.draft.####.exr.",
    ),
]
DraftScale = Annotated[
    str,
    typer.Option("--draft-scale", metavar="1/N", help="Size at which a draft is computed: 1/2, 1/4, to 1/8, or 1."),
]
Tile = Annotated[int, typer.Option("--tile", metavar="PX", min=0, help="Tile side in input pixels; 0: chosen.")]
Options = Annotated[
    list[str], typer.Option("--option", "-o", metavar="NAME=VALUE", help="A knob of the pack; may be repeated.")
]
Kinds = Annotated[
    list[str],
    typer.Option("--kind", metavar="PATTERN=KIND", help="What channels are: 'puzzle.*=id'; may be repeated."),
]
Missing = Annotated[
    str, typer.Option("--missing", metavar="POLICY", help="A gap in the sequence: error, hold or black.")
]
View = Annotated[str, typer.Option("--view", help="Stereo view to read; all when left out.")]
SampleType = Annotated[
    str, typer.Option("--type", metavar="TYPE", help="half, float, uint8 or uint16; that of IN when left out.")
]
Compression = Annotated[
    str, typer.Option("--compression", metavar="NAME", help="EXR compression: none, zip, zips, piz, dwaa:45 ...")
]
Container = Annotated[str, typer.Option("--container", metavar="KIND", help="plain, or aces for SMPTE ST 2065-4.")]
Redo = Annotated[bool, typer.Option("--redo", help="Make frames again that are there and right.")]
CacheGb = Annotated[
    float | None,
    typer.Option(
        "--cache-gb",
        metavar="GB",
        min=0,
        help="The most that results kept for later renders take, 10^9 bytes; 0: keep and take none. When left out "
        "$UNDERSTUDY_CACHE_GB, else 20, or a tenth of the free disk where that is less.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be rendered and why, and render nothing.")]
Ocio = Annotated[str, typer.Option("--ocio", metavar="CONFIG", help="OCIO config; $OCIO or the pinned one otherwise.")]
Server = Annotated[
    str,
    typer.Option(
        "--server",
        metavar="ADDRESS",
        help="Compute on a running service, host:port or unix:/path; several with commas, or dns:///host:port, are "
        "replicas.",
    ),
]
Transport = Annotated[
    str,
    typer.Option(
        "--transport",
        metavar="KIND",
        help="How frames travel to --server: auto, shared-memory, stream; or files, when it reads and writes them "
        "itself, under the same names.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help="auto, cpu, openvino, or cuda: an error for a pack that can use it when it is not there.",
    ),
]
Policy = Annotated[
    str,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="The show policy (understudy.policy/1): a pack that it refuses is not used. $UNDERSTUDY_POLICY when left "
        "out.",
    ),
]
RightsFile = Annotated[
    str,
    typer.Option(
        "--rights",
        metavar="FILE",
        help="YAML with talent, use, consent, approval and do_not_train, for the record; over the graph's.",
    ),
]
NoRecord = Annotated[bool, typer.Option("--no-record", help="Write no record of provenance beside the frames.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell where a service's time went, for each frame.")]
Confidence = Annotated[bool, typer.Option("--confidence/--no-confidence", help="Add the layer confidence.Y.")]
