# SPDX-License-Identifier: Apache-2.0
"""What is worth keeping: how long roles compute, and how long their results take to keep and to read back.

    python benchmarks/kept_results.py [--folder DIR] [--width 1920] [--height 1080]

The pictures are drawn. The folder is on the disk to measure; what is read lies in the system's memory, as it does when
a render follows another.
"""

import argparse
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from statistics import median

import numpy as np

from understudy.contracts.jobs import (
    MotionParams,
    PackPin,
    RelightParams,
    RoleParams,
    RoleRequest,
    UpscaleParams,
)
from understudy.contracts.lights import LightRig
from understudy.contracts.plate import Plate, blank_plate
from understudy.graph.kept_results import worth_keeping
from understudy.graph.plate_cache import Entry, PlateCache
from understudy.roles.engine import LocalEngine

_TURNS = 3
_LIGHTS = LightRig.model_validate(
    {"lights": [{"name": "sun", "type": "directional", "direction": [-0.6, 0.5, 0.6], "intensity": 2}]}
)
_CASES: tuple[tuple[str, RoleParams, tuple[str, ...]], ...] = (
    ("dis-draft", MotionParams(), ("a", "b")),
    ("dis-good", MotionParams(), ("a", "b")),
    ("shape-from-shading", RelightParams(lights=_LIGHTS), ("plate",)),
    ("leaves-small", UpscaleParams(scale=Fraction(2)), ("plate",)),
    ("lanczos", UpscaleParams(scale=Fraction(2)), ("plate",)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    given = parser.parse_args()
    plates = {name: _plate(given.width, given.height, at) for name, at in (("a", 0), ("b", 1), ("plate", 0))}
    engine = LocalEngine(device="cpu")
    print(f"{'pack':22} {'compute s':>10} {'MB':>7} {'keep s':>8} {'read s':>8}  kept")
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="kept-") as folder:
        for pack, params, names in _CASES:
            request = RoleRequest(pack=PackPin(id=pack), params=params, plates={name: plates[name] for name in names})
            computed, kept, read = [], [], []
            engine.run(request)  # loads the model
            for turn in range(_TURNS):
                began = time.perf_counter()
                result = engine.run(request)
                computed.append(time.perf_counter() - began)
                cache, entry = PlateCache(Path(folder), 10**11), Entry(plates=result.plates, facts={})
                began = time.perf_counter()
                cache.put(f"{pack}-{turn}", entry)
                kept.append(time.perf_counter() - began)
                began = time.perf_counter()
                if cache.get(f"{pack}-{turn}") is None:
                    raise SystemExit("what was kept is not there")
                read.append(time.perf_counter() - began)
            seconds, size = median(computed), entry.nbytes
            worth = "yes" if worth_keeping(seconds, size) else "no"
            print(f"{pack:22} {seconds:10.2f} {size / 1e6:7.1f} {median(kept):8.3f} {median(read):8.3f}  {worth}")
    engine.close()


def _plate(width: int, height: int, index: int) -> Plate:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x = x + 3 * index
    wave = 0.6 + 0.3 * np.sin(x / 31) * np.cos(y / 47) + 0.1 * np.sin((x + y) / 5)
    pixels = np.stack([wave, wave * 0.6, wave * 2], axis=-1).astype(np.float32)
    return blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg", frame=index)


if __name__ == "__main__":
    main()
