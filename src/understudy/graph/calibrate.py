# SPDX-License-Identifier: Apache-2.0
"""Measures packs on this machine by rendering: what a render learns is what an estimate needs.

Without a graph, a drawn pattern that moves is rendered at a few sizes. With one, its own busiest frames are.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from understudy.contracts.engine import NO_CONTROL, Control, Engine, PackInfo
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import Role
from understudy.contracts.plate import FloatImage, blank_plate
from understudy.frames.sequence import format_frames
from understudy.frames.write import write_plate
from understudy.graph.document import Graph
from understudy.graph.events import Event, Listener
from understudy.graph.job_estimate import requests_by_frame
from understudy.graph.parsing import parse_graph
from understudy.graph.pins import DEFAULT_PACKS
from understudy.graph.render import render_graph
from understudy.graph.witness import NOBODY, Witness
from understudy.packs.pins import choose_pack, parse_pin
from understudy.packs.policy import ShowPolicy

SIZES = ((480, 270), (960, 540), (1920, 1080), (3840, 2160))
"""Width and height of the pattern, pixels."""

BUDGET_S = 120.0
"""A size that is expected to take longer than what is left of this is passed over."""

_FRAMES = 3
_SUN: dict[str, Any] = {
    "schema": "understudy.lights/1",
    "lights": [{"type": "directional", "direction": [0.5, 0.7, 0.5], "intensity": 2.0}],
}


def calibrate_packs(
    engine: Engine,
    packs: Sequence[str] = (),
    *,
    draft: bool = False,
    budget_s: float = BUDGET_S,
    on_event: Listener | None = None,
    control: Control = NO_CONTROL,
    policy: ShowPolicy | None = None,
    witness: Callable[[], Witness] = lambda: NOBODY,
) -> None:
    """Renders a pattern with packs, small to large; the machine's costs learn from it.

    Args:
        engine: In this process.
        packs: Pins; empty takes those that graphs take by default.
        draft: As for :func:`render_graph`.
        budget_s: Seconds for all of it. A size that would take longer than what is left is passed over; not the first.
        on_event: Hears an event ``calibrate`` for each pack and size.
        control: Cancels.
        policy: As for :func:`render_graph`.
        witness: Makes one for each render, as for :func:`render_graph`; what it costs is measured with the rest.

    Raises:
        PackError: A pack is missing.
        UnderstudyError: A render failed.
    """
    tell = on_event or (lambda _event: None)
    info = engine.info()
    chosen = [_find(info.packs, text) for text in packs or DEFAULT_PACKS.values()]
    how: dict[str, Any] = {"draft": draft, "control": control, "policy": policy}
    until = time.monotonic() + budget_s
    rates: dict[PackPin, float] = {}  # seconds per pixel, of the size before
    for width, height in SIZES:
        expected = {pack.pin: rates.get(pack.pin, 0.0) * width * height for pack in chosen}
        with tempfile.TemporaryDirectory(prefix="understudy-calibrate-") as name:
            folder = Path(name)
            for pack in chosen:
                event: Event = {"event": "calibrate", "pack": pack.pin.id, "width": width, "height": height}
                if expected[pack.pin] and time.monotonic() + expected[pack.pin] > until:
                    tell(event | {"seconds": None})
                    continue
                if not any(folder.iterdir()):
                    _draw(folder, width, height)
                seconds = _timed_render(_graph(folder, pack), engine, pictures=False, witness=witness(), **how)
                rates[pack.pin] = seconds / (width * height)
                tell(event | {"seconds": round(seconds, 3)})


def calibrate_graph(
    graph: Graph,
    engine: Engine,
    *,
    frames: str = "",
    draft: bool = False,
    on_event: Listener | None = None,
    control: Control = NO_CONTROL,
    policy: ShowPolicy | None = None,
    witness: Callable[[], Witness] = lambda: NOBODY,
) -> None:
    """Renders the busiest neighboring frames of a graph into a temporary folder; the machine's costs learn from it.

    Args:
        graph: The document; its outputs are not touched.
        engine: In this process.
        frames: Among which to choose; empty takes the graph's.
        draft: As for :func:`render_graph`.
        on_event: Hears an event ``calibrate``.
        control: Cancels.
        policy: As for :func:`render_graph`.
        witness: Makes one, as for :func:`render_graph`.

    Raises:
        UnderstudyError: The job would be refused, or failed.
    """
    tell = on_event or (lambda _event: None)
    asks = requests_by_frame(graph, engine, frames=frames, draft=draft, policy=policy)
    numbers = sorted(asks)
    windows = [numbers[at : at + _FRAMES] for at in range(max(1, len(numbers) - _FRAMES + 1))]
    busiest = max(windows, key=lambda window: sum(asks[number] for number in window))
    chosen = format_frames(busiest)
    with tempfile.TemporaryDirectory(prefix="understudy-calibrate-") as name:
        writes = {
            node: write.model_copy(update={"file": str(Path(name) / node / Path(write.file).name)})
            for node, write in graph.writes().items()
        }
        moved = graph.model_copy(update={"nodes": {**graph.nodes, **writes}, "handles": 0})
        how: dict[str, Any] = {"draft": draft, "control": control, "policy": policy}
        seconds = _timed_render(moved, engine, frames=chosen, witness=witness(), **how)
    tell({"event": "calibrate", "frames": chosen or "still", "seconds": round(seconds, 3)})


def _timed_render(graph: Graph, engine: Engine, **how: Any) -> float:
    """Seconds of a render that makes everything anew."""
    began = time.monotonic()
    render_graph(graph, engine, redo=True, **how)
    return time.monotonic() - began


def _find(packs: Sequence[PackInfo], text: str) -> PackInfo:
    pin = parse_pin(text, where="--pack")
    roles = [pack.role for pack in packs if pack.pin.id == pin.id] or [Role.UPSCALE]
    return choose_pack(packs, pin, Role(roles[0]), where="--pack")


def _graph(folder: Path, pack: PackInfo) -> Graph:
    """A graph in which a pack plays. Motion of its own would hide what an interpolation takes, so it is a node."""
    pin = f"{pack.pin.id}@{pack.pin.version}#{pack.pin.sha256}"
    role = Role(pack.role)
    nodes: dict[str, Any] = {"plate": {"type": "read", "file": f"{folder}/p.%04d.exr", "colorspace": "ACEScg"}}
    if role is Role.INTERPOLATE:
        nodes["motion"] = {"type": "motion", "input": "plate"}
        nodes["role"] = {"type": "interpolate", "input": "plate", "vectors": "motion", "speed": "1/3", "pack": pin}
    else:
        more: dict[str, Any] = {"lights": _SUN} if role is Role.RELIGHT else {}
        nodes["role"] = {"type": role.value, "input": "plate", "pack": pin, **more}
    nodes["out"] = {"type": "write", "input": "role", "file": f"{folder}/{pack.pin.id}/o.%04d.exr"}
    return parse_graph({"schema": "understudy.graph/1", "nodes": nodes}, source="calibrate")


def _draw(folder: Path, width: int, height: int) -> None:
    """A pattern that moves by a few pixels, with grain, as RGBA in half: neither flat nor noise alone."""
    for frame in range(1, _FRAMES + 1):
        pixels = _pattern(width, height, frame)
        plate = blank_plate(pixels, ("R", "G", "B", "A"), colorspace="ACEScg", sample_type="half", frame=frame)
        write_plate(plate, folder / f"p.{frame:04d}.exr")


def _pattern(width: int, height: int, frame: int) -> FloatImage:
    x = np.arange(width, dtype=np.float32)[None, :] + np.float32(3.25 * frame)
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(1.5 * frame)
    pixels = np.empty((height, width, 4), np.float32)
    for channel in range(3):
        long, middle, short = width / (3 + channel), 61 - 7 * channel, 17 + 3 * channel
        waves = np.sin(x / long + y / middle) * np.sin(y / long) + np.sin(x / middle) * np.sin(y / short)
        pixels[..., channel] = 0.4 + 0.15 * waves + 0.1 * np.sign(np.sin(x / 43) * np.sin(y / 59))
    grain = np.random.default_rng(frame).normal(0, 0.01, (height, width, 1))
    pixels[..., :3] = np.maximum(0, pixels[..., :3] + grain.astype(np.float32))
    pixels[..., 3] = 1
    return pixels
