# SPDX-License-Identifier: Apache-2.0
"""A job for tests of farms, resumes and kills: a hundred small frames through retime, relight and upscale.

The plates are frames of the real shot in ``shared/data`` where that is there, else a drawn pattern; both made small, so
that what is tested is the running of a job and not the pictures.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from understudy.contracts.plate import FloatImage, blank_plate
from understudy.frames.write import write_plate

WIDTH, HEIGHT = 64, 36
FIRST, FRAMES = 1001, 100

_REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "seq_bedroom"


@dataclass(frozen=True)
class Job:
    """A job on disk.

    Attributes:
        graph: Its document.
        out: The folder of its outputs, not yet there.
        first: First output frame.
        frames: How many outputs there are.
    """

    graph: Path
    out: Path
    first: int
    frames: int

    def path(self, frame: int) -> Path:
        """The picture of an output frame."""
        return self.out / f"big.{frame}.exr"

    def pictures(self) -> dict[str, bytes]:
        """The bytes of every picture that is there, by name: for comparing one render with another."""
        return {path.name: path.read_bytes() for path in sorted(self.out.glob("[!.]*.exr"))}

    def strays(self) -> list[Path]:
        """Temporaries that a render left in the folder of its outputs."""
        return sorted(self.out.glob(".understudy-*"))


def make_job(folder: Path, *, frames: int = FRAMES, out: str = "out", **fields: Any) -> Job:
    """Writes plates (unless they are there) and a graph: motion, relight, retime at half speed, upscale by two.

    Args:
        folder: Where the job goes.
        frames: Output frames; half as many plates and one.
        out: Folder of the outputs in ``folder``.
        fields: More fields of the document, such as ``record=False``.
    """
    plates = folder / "plates"
    if not plates.is_dir():
        write_plates(plates, frames // 2 + 1)
    lights = {"lights": [{"name": "sun", "type": "directional", "direction": [-0.6, 0.5, 0.6], "intensity": 2}]}
    document = {
        "schema": "understudy.graph/1",
        "frames": f"{FIRST}-{FIRST + frames - 1}",
        "nodes": {
            "plate": {"type": "read", "file": str(plates / "plate.%04d.exr"), "colorspace": "ACEScg"},
            "vectors": {"type": "motion", "input": "plate", "pack": "dis-draft"},
            "relit": {"type": "relight", "input": "plate", "pack": "shape-from-shading", "lights": lights},
            "slow": {"type": "interpolate", "input": "relit", "vectors": "vectors", "speed": "1/2", "cuts": "none"},
            "big": {"type": "upscale", "input": "slow", "pack": "lanczos", "scale": 2},
            "out": {"type": "write", "input": "big", "file": str(folder / out / "big.%04d.exr")},
        },
        **fields,
    }
    graph = folder / f"{out}.yaml"
    graph.write_text(json.dumps(document, indent=1), encoding="utf-8")  # JSON is YAML
    return Job(graph, folder / out, FIRST, frames)


def write_plates(folder: Path, count: int) -> None:
    """Writes ``plate.1001.exr`` and so on: half float, ACEScg, 64x36."""
    folder.mkdir(parents=True)
    pictures = sorted(_REAL.glob("*.jpg")) if _REAL.is_dir() else []
    for index in range(count):
        pixels = _real(pictures, index) if pictures else _drawn(index)
        plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg", sample_type="half", frame=FIRST + index)
        write_plate(plate, folder / f"plate.{FIRST + index}.exr")


def _real(pictures: list[Path], index: int) -> FloatImage:
    turn = index % (2 * len(pictures) - 2)  # to and fro: no cut
    picture = cv2.imread(str(pictures[turn if turn < len(pictures) else 2 * len(pictures) - 2 - turn]))
    assert picture is not None
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)[..., ::-1]
    return np.ascontiguousarray((small.astype(np.float32) / np.float32(255)) ** np.float32(2.2) * 2)


def _drawn(index: int) -> FloatImage:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    x = x + 1.5 * index
    wave = 0.6 + 0.3 * np.sin(x / 4) * np.cos(y / 5) + 0.1 * np.sin((x + y) / 2)
    return np.stack([wave, wave * 0.6, wave * 2], axis=-1).astype(np.float32)
