# SPDX-License-Identifier: Apache-2.0
"""Small renders with records, for tests."""

from pathlib import Path
from typing import Any

import numpy as np

from understudy.contracts.plate import Plate, Window
from understudy.frames.write import write_plate
from understudy.graph.events import Listener
from understudy.graph.parsing import parse_graph
from understudy.graph.render import Summary, render_graph
from understudy.provenance.recorder import Recorder
from understudy.roles.engine import LocalEngine

WIDTH, HEIGHT = 48, 32


def write_shot(folder: Path, frames: range, **fields: Any) -> str:
    """A soft moving pattern with alpha; the pattern of its files."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    window = Window(0, 0, WIDTH, HEIGHT)
    for frame in frames:
        wave = 0.5 + 0.4 * np.sin((x + 2 * (frame - frames[0])) / 4) * np.cos(y / 5)
        pixels = np.stack([wave, wave * 0.5, wave * 2, np.ones_like(wave)], axis=-1).astype(np.float32)
        pixels[0, 0, :3] = 0
        given: dict[str, Any] = {"metadata": {"FramesPerSecond": (24000, 1001), "reelName": "A001"}} | fields
        plate = Plate(
            pixels=pixels,
            channels=("R", "G", "B", "A"),
            sample_types=("half",) * 4,
            data_window=window,
            display_window=window,
            frame=frame,
            colorspace="ACEScg",
            **given,
        )
        write_plate(plate, folder / f"plate.{frame}.exr")
    return str(folder / "plate.%04d.exr")


def retime(source: str, out: str, **fields: Any) -> dict[str, Any]:
    """A graph that shows a plate at half speed."""
    return {
        "nodes": {
            "plate": {"type": "read", "file": source},
            "slow": {"type": "interpolate", "input": "plate", "speed": "1/2"},
            "out": {"type": "write", "input": "slow", "file": out} | fields,
        }
    }


def grade(source: str, out: str, **fields: Any) -> dict[str, Any]:
    """A graph that only reads, converts and writes: quick."""
    return {
        "nodes": {
            "plate": {"type": "read", "file": source},
            "aces": {"type": "color", "input": "plate", "to": "ACES2065-1"},
            "out": {"type": "write", "input": "aces", "file": out} | fields,
        }
    }


def render(document: dict[str, Any], *, listener: Listener | None = None, **how: Any) -> Summary:
    """Renders a graph in this process, on record."""
    engine = LocalEngine(device="cpu")
    try:
        return render_graph(parse_graph(document), engine, on_event=listener, witness=Recorder(), **how)
    finally:
        engine.close()
