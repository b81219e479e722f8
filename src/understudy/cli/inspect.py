# SPDX-License-Identifier: Apache-2.0
"""``understudy inspect``: what files hold, and how we would read them."""

import json as json_module
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import typer

from understudy.cli import options as o
from understudy.contracts.errors import ColorspaceError, InputError, UnderstudyError

if TYPE_CHECKING:
    from pathlib import Path

    from understudy.color.config import ColorConfig
    from understudy.contracts.header import FileHeader
    from understudy.frames.sequence import FrameSequence

_WORKERS = 2
"""Frames decoded at once; each is a whole plate in memory."""

_FILE_COLUMNS = 160
"""Width of the tables when they go into a file or a pipe."""


def inspect(
    files: Annotated[list[str], typer.Argument(metavar="FILES", help="Files, patterns or folders.")],
    frames: o.Frames = "",
    colorspace: o.Colorspace = "",
    no_pixels: Annotated[bool, typer.Option("--no-pixels", help="Headers only: no ranges, NaN and Inf.")] = False,
    ocio: o.Ocio = "",
    json: o.Json = False,
) -> None:
    """Show channels, types, windows, parts, views, color space and why, value ranges, NaN and Inf, missing frames.

    All frames are read unless --no-pixels is given. A damaged file is reported among the good ones; the exit code is
    then 3.
    """
    from understudy.color.config import ColorConfig

    config = ColorConfig.load(ocio)
    if colorspace:
        config.resolve(colorspace)
    failed = False
    for name in files:
        facts = _facts(name, frames, colorspace, config, pixels=not no_pixels)
        failed = failed or bool(facts["errors"])
        if json:
            typer.echo(json_module.dumps(facts, default=str))
        else:
            _show(facts)
    if failed:
        raise typer.Exit(InputError.exit_code)


def _facts(name: str, frames: str, colorspace: str, config: "ColorConfig", *, pixels: bool) -> dict[str, Any]:
    """Everything about one input, JSON types only; ``errors`` says what of it is broken."""
    from understudy.frames.header import read_header
    from understudy.frames.sequence import format_frames, open_sequence

    facts: dict[str, Any] = {"event": "inspect", "input": name, "errors": []}
    try:
        sequence = open_sequence(name, frames=frames)
    except InputError as error:
        facts["errors"].append(_error(error))
        return facts
    facts |= {
        "pattern": sequence.pattern,
        "still": sequence.still,
        "frames": format_frames(sequence.frames),
        "frame_count": len(sequence.frames) or 1,
        "missing": format_frames(_missing(sequence, frames)),
    }
    headers: dict[int | None, FileHeader] = {}
    for frame in sequence.frames or (None,):
        try:
            headers[frame] = read_header(sequence.path(frame))
        except UnderstudyError as error:
            facts["errors"].append(_error(error, frame))
    if not headers:
        return facts
    first = next(iter(headers.values()))
    facts |= _header_facts(first) | {"varies": _varies(list(headers.values()))}
    facts["colorspace"] = _colorspace(first, colorspace, config)
    if pixels:
        broken = _measure(facts, headers, sequence)
        facts["errors"] += broken
    return facts


def _missing(sequence: "FrameSequence", asked: str) -> tuple[int, ...]:
    """Gaps between the first and the last frame, or what was asked for and is not there."""
    from understudy.frames.sequence import parse_frames

    if sequence.still:
        return ()
    if asked:
        return tuple(sorted(set(parse_frames(asked)) - set(sequence.frames)))
    return sequence.missing(sequence.frames[0], sequence.frames[-1])


def _error(error: UnderstudyError, frame: int | None = None) -> dict[str, Any]:
    kind = type(error).__name__
    return {"kind": kind, "frame": frame, "where": error.where, "problem": error.problem, "fix": error.fix}


def _window(window: Any) -> list[int]:
    return [window.x, window.y, window.width, window.height]


def _header_facts(header: "FileHeader") -> dict[str, Any]:
    from understudy.contracts.channels import classify
    from understudy.frames.layout import main_first

    names = [name for part in header.parts for name in part.channels]
    types = [kind for part in header.parts for kind in part.sample_types]
    groups = classify(names, types)
    kinds = {name: group for group in groups for name in group.names}
    window = header.parts[0].data_window
    for part in header.parts:
        window = window.union(part.data_window)
    stored = dict(zip(names, types, strict=True))
    return {
        "container": header.container,
        "compression": header.compression,
        "channels": [
            {"name": name, "type": stored[name], "kind": kinds[name].kind.value, "layer": kinds[name].layer}
            for name in main_first(names)
        ],
        "parts": [
            {
                "name": part.name,
                "view": part.view,
                "channels": list(part.channels),
                "data_window": _window(part.data_window),
                "tile": list(part.tile) if part.tile else None,
                "levels": part.levels,
                "deep": part.deep,
                "luminance_chroma": part.subsampled,
            }
            for part in header.parts
        ],
        "views": list(header.views),
        "data_window": _window(window),
        "display_window": _window(header.display_window),
        "pixel_aspect": header.pixel_aspect,
        "premultiplied": header.premultiplied,
        "aces_container": header.color.aces_container,
        "metadata": {
            name: f"{len(value)} bytes" if name == "ICCProfile" and isinstance(value, tuple) else value
            for name, value in header.metadata.items()
        },
    }


def _varies(headers: list["FileHeader"]) -> list[str]:
    """What is not the same in all frames; a data window may move, the rest had better not."""
    first = headers[0]
    looks: dict[str, Callable[[FileHeader], object]] = {
        "data window": lambda h: [p.data_window for p in h.parts],
        "display window": lambda h: h.display_window,
        "channels": lambda h: [p.channels for p in h.parts],
        "types": lambda h: [p.sample_types for p in h.parts],
        "compression": lambda h: h.compression,
        "pixel aspect": lambda h: h.pixel_aspect,
        "color statements": lambda h: (
            h.color.interop_id,
            h.color.hint,
            h.color.aces_container,
            h.color.chromaticities,
        ),
    }
    return [what for what, look in looks.items() if any(look(header) != look(first) for header in headers)]


def _colorspace(header: "FileHeader", user: str, config: "ColorConfig") -> dict[str, Any]:
    from understudy.color.decide import decide

    try:
        decision = decide(header.color, user=user, config=config)
    except ColorspaceError as error:
        return {"name": None, "rule": "undeclared", "detail": error.problem, "fix": error.fix, "warnings": []}
    return {
        "name": decision.colorspace,
        "rule": decision.rule,
        "detail": decision.detail,
        "fix": None,
        "warnings": list(decision.warnings),
    }


def _measure(
    facts: dict[str, Any], headers: dict[int | None, "FileHeader"], sequence: "FrameSequence"
) -> list[dict[str, Any]]:
    """Adds value ranges over all frames to the channels, and NaN and Inf counts; returns what could not be read."""
    errors: list[dict[str, Any]] = []
    totals: dict[str, dict[str, float]] = {}
    nan = inf = 0
    for frame, found in _read_all(headers, sequence):
        if isinstance(found, UnderstudyError):
            errors.append(_error(found, frame))
            continue
        statistics, sanitized, count = found
        nan += sanitized.nan
        inf += sanitized.inf
        for one in statistics:
            total = totals.setdefault(
                one.name,
                {"min": one.minimum, "max": one.maximum, "sum": 0, "samples": 0, "over_one": 0, "below_zero": 0},
            )
            total["min"] = min(total["min"], one.minimum)
            total["max"] = max(total["max"], one.maximum)
            total["sum"] += one.mean * count
            total["samples"] += count
            total["over_one"] += one.over_one
            total["below_zero"] += one.below_zero
    for channel in facts["channels"]:
        total = totals.get(channel["name"], {})
        if total:
            channel["mean"] = total.pop("sum") / total.pop("samples")
            channel |= total
    if totals:
        facts |= {"nan": nan, "inf": inf}
    return errors


def _read_all(headers: dict[int | None, "FileHeader"], sequence: "FrameSequence") -> Iterator[tuple[int | None, Any]]:
    def read(item: tuple[int | None, "FileHeader"]) -> tuple[int | None, Any]:
        from understudy.frames.read import read_plate
        from understudy.frames.statistics import plate_statistics

        frame, header = item
        path: Path = sequence.path(frame)
        try:
            plate = read_plate(path, frame=frame, colorspace="", header=header)
        except UnderstudyError as error:
            return frame, error
        return frame, (plate_statistics(plate), plate.sanitized, plate.width * plate.height)

    with ThreadPoolExecutor(_WORKERS) as pool:
        yield from pool.map(read, headers.items())


def _show(facts: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from understudy.cli.console import Printer

    console = Printer(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = Printer(highlight=False, soft_wrap=True, width=_FILE_COLUMNS)
    title = facts["pattern"] if facts.get("frame_count", 1) > 1 else facts["input"]
    console.print(f"[bold]{escape(title)}[/bold]")
    if "container" in facts:
        table = Table.grid(padding=(0, 2))
        for label, text in _lines(facts):
            table.add_row(f"  {label}", escape(text))
        console.print(table)
        console.print(_channel_table(facts))
    for warning in facts.get("colorspace", {}).get("warnings", []):
        console.print(f"  [yellow]warning[/yellow] {escape(warning)}")
    for error in facts["errors"]:
        where = f"{error['where']}: " if error["where"] else ""
        fix = f"; {error['fix']}" if error["fix"] else ""
        console.print(f"  [red]error[/red] {escape(where + error['problem'] + fix)}")
    console.print()


def _lines(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not facts["still"]:
        gaps = f", missing {facts['missing']}" if facts["missing"] else ", none missing"
        yield "frames", f"{facts['frames']} ({facts['frame_count']}){gaps}"
    kind = "ACES container" if facts["aces_container"] else facts["container"]
    yield "format", f"{kind}, {facts['compression']}" if facts["compression"] else kind
    x, y, width, height = facts["data_window"]
    yield "data window", f"{width}x{height} at {x},{y}"
    x, y, width, height = facts["display_window"]
    yield "display window", f"{width}x{height} at {x},{y}"
    if facts["pixel_aspect"] != 1:
        yield "pixel aspect", f"{facts['pixel_aspect']:g}"
    if facts["views"]:
        yield "views", ", ".join(facts["views"])
    for part in facts["parts"]:
        text = _part_line(part, alone=len(facts["parts"]) == 1)
        if text:
            yield "part" if part["name"] else "storage", text
    if facts["varies"]:
        yield "differs by frame", ", ".join(facts["varies"])
    color = facts["colorspace"]
    why = color["detail"] if color["name"] else f"{color['detail']}; {color['fix']}"
    yield "color space", f"{color['name'] or 'undeclared'} ({why})"
    if not facts["premultiplied"]:
        yield "alpha", "unassociated: color is not multiplied by it"
    if "nan" in facts:
        yield "not finite", f"{facts['nan']} NaN, {facts['inf']} Inf"
    for name, value in facts["metadata"].items():
        yield "metadata", f"{name} = {_readable(name, value)}"


def _readable(name: str, value: Any) -> str:
    """A header value as a person writes it: time codes and rates apart, numbers short."""
    if name == "smpte:TimeCode" and len(value) == 2:  # binary-coded decimals, SMPTE ST 12-1
        digits = f"{value[0] & 0x3F7F7F3F:08x}"
        return ":".join(digits[at : at + 2] for at in (0, 2, 4, 6))
    if name == "FramesPerSecond" and isinstance(value, tuple):
        return f"{value[0]}/{value[1]}" if value[1] != 1 else str(value[0])
    if isinstance(value, tuple):
        return " ".join(f"{number:.7g}" for number in value)
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _part_line(part: dict[str, Any], *, alone: bool) -> str:
    facts = [part["name"]] if part["name"] else []
    if not alone:
        x, y, width, height = part["data_window"]
        facts += [f"view {part['view']}"] if part["view"] else []
        facts += [", ".join(part["channels"]), f"{width}x{height} at {x},{y}"]
    facts += [f"tiles of {part['tile'][0]}x{part['tile'][1]}"] if part["tile"] else []
    facts += [f"{part['levels']} levels"] if part["levels"] > 1 else []
    facts += ["deep, flattened on read"] if part["deep"] else []
    facts += ["luminance-chroma, rebuilt as RGB on read"] if part["luminance_chroma"] else []
    return " · ".join(facts)


def _channel_table(facts: dict[str, Any]) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    titles = ["channel", "type", "kind"]
    if "nan" in facts:
        titles += ["min", "max", "mean", "over 1", "below 0"]
    rows = []
    for channel in facts["channels"]:
        cells = [escape(channel["name"]), channel["type"], channel["kind"]]
        if "min" in channel:
            numbers = [f"{channel[key]:.5g}" for key in ("min", "max", "mean")]
            cells += [*numbers, str(channel["over_one"]), str(channel["below_zero"])]
        rows.append(cells)
    table = Table(box=SIMPLE_HEAD, pad_edge=True)
    for index, title in enumerate(titles):
        # A narrow terminal folds long channel names; numbers stay whole.
        least = max(len(cells[index]) for cells in [titles, *rows] if index < len(cells))
        table.add_column(
            title, justify="left" if index < 3 else "right", overflow="fold", min_width=least if index else None
        )
    for cells in rows:
        table.add_row(*cells)
    return table
