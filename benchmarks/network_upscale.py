# SPDX-License-Identifier: Apache-2.0
"""The upscale role with a network beside ONNX Runtime on the same graph: 960x540 RGB to HD, in turns.

The raw call runs the graph once for each of three channels on arrays that are ready for it, the whole frame at once.
The role does all of its work: blocks, limits, light of highlights, the score. Prints JSON; 1 when the role takes more
than twice as long.

    python benchmarks/network_upscale.py [PACK] [--turns N]
"""

import argparse
import json
import os
import time
from fractions import Fraction
from statistics import median

import numpy as np
import onnxruntime

from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import blank_plate
from understudy.packs import discover, parse_pin
from understudy.roles.engine import LocalEngine

WIDTH, HEIGHT = 960, 540
MOST = 2.0


def main() -> int:
    """Runs the turns and prints what they took."""
    parser = argparse.ArgumentParser(description="The upscale role with a network beside ONNX Runtime on its graph.")
    parser.add_argument("pack", nargs="?", default="leaves-small")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    pack = discover().registry.find(parse_pin(options.pack))
    graph = onnxruntime.InferenceSession(str(pack.folder / "x2.onnx"), providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(1).uniform(0, 1, (HEIGHT, WIDTH, 3)).astype(np.float32)
    channels = [np.ascontiguousarray(pixels[None, None, ..., at]) for at in range(3)]
    engine = LocalEngine(device="cpu")
    plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg")
    request = RoleRequest(
        pack=PackPin(id=pack.pin.id), params=UpscaleParams(scale=Fraction(2)), plates={"plate": plate}
    )

    def role() -> None:
        engine.run(request)

    def raw() -> None:
        for channel in channels:
            graph.run(None, {"image": channel})

    took: dict[str, list[float]] = {"role": [], "raw": []}
    for turn in range(options.turns + 1):
        for name, run in (("role", role), ("raw", raw)):
            began = time.perf_counter()
            run()
            if turn:
                took[name].append(time.perf_counter() - began)
    engine.close()
    seconds = {name: median(times) for name, times in took.items()}
    ratio = median(a / b for a, b in zip(took["role"], took["raw"], strict=True))
    report = {"pack": str(pack.pin), "cores": os.cpu_count(), "load": os.getloadavg()[0], **seconds, "ratio": ratio}
    print(json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in report.items()}))
    return int(ratio > MOST)


if __name__ == "__main__":
    raise SystemExit(main())
