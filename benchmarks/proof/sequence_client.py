# SPDX-License-Identifier: Apache-2.0
"""One client of the sequence benchmark: runs frames through the engine here or through the service, as it is told.

Orders are lines of JSON on standard input, ``{"way": "here", "frames": 4, "turn": 3}``; each is answered by a line with
the seconds that each frame took, and the time of processors that this process used for all of them.
"""

import argparse
import json
import sys
import time
from fractions import Fraction
from typing import Any

import numpy as np

from understudy.client.engine import RemoteEngine
from understudy.contracts.engine import Engine
from understudy.contracts.jobs import MotionParams, PackPin, RelightParams, RoleParams, RoleRequest, UpscaleParams
from understudy.contracts.lights import DirectionalLight, LightRig
from understudy.contracts.plate import Plate, blank_plate
from understudy.roles.engine import LocalEngine

HERE = "here"
WAYS = (HERE, "shared-memory", "stream")
_SUN = LightRig(lights=(DirectionalLight(type="directional", direction=(0, 0, 1), intensity=3),))
CASES: dict[str, tuple[str, RoleParams]] = {
    "upscale": ("lanczos", UpscaleParams(scale=Fraction(2))),
    "motion": ("dis-good", MotionParams()),
    "light": ("identity-relight", RelightParams(lights=_SUN)),
}
"""A pack and its parameters, by the name of the case."""


def main() -> int:
    """Works until its standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--size", type=int, nargs=2, required=True)
    parser.add_argument("--client", type=int, default=0)
    options = parser.parse_args()
    engines: dict[str, Engine] = {HERE: LocalEngine(device="cpu")}
    for way in WAYS[1:]:
        engines[way] = RemoteEngine(options.address, timeout_s=600, transport=way)
    width, height = options.size
    shot = Shot(width, height, options.client)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(_sequence(engines[order["way"]], options.case, shot, order)), flush=True)
    for engine in engines.values():
        engine.close()
    return 0


class Shot:
    """Frames of a texture that moves; another picture in each turn, so that no turn knows those of an earlier one."""

    def __init__(self, width: int, height: int, client: int) -> None:
        rng = np.random.default_rng(11 + client)
        coarse = rng.uniform(0, 1, (height // 8 + 16, width // 8 + 16, 3)).astype(np.float32)
        self._texture = np.kron(coarse, np.ones((8, 8, 1), np.float32))
        self._size = (height, width)

    def frame(self, turn: int, number: int) -> Plate:
        """One frame, in an array of its own, as a file reader makes one."""
        height, width = self._size
        pixels = np.empty((height, width, 4), np.float32)
        at = 3 * number
        pixels[..., :3] = self._texture[at : at + height, 2 * at : 2 * at + width] + np.float32(turn / 4096)
        pixels[..., 3] = 1
        return blank_plate(pixels, "RGBA", colorspace="ACEScg", sample_type="half", frame=1001 + number)


def _sequence(engine: Engine, case: str, shot: Shot, order: dict[str, Any]) -> dict[str, Any]:
    """What the frames took; they are made outside the time."""
    pack, params = CASES[case]
    seconds = []
    used = 0.0
    before = shot.frame(order["turn"], 0)
    for number in range(1, order["frames"] + 1):
        frame = shot.frame(order["turn"], number)
        plates = {"a": before, "b": frame} if case == "motion" else {"plate": frame}
        request = RoleRequest(pack=PackPin(id=pack), params=params, plates=plates)
        began, started = time.process_time(), time.perf_counter()
        result = engine.run(request)
        seconds.append(time.perf_counter() - started)
        used += time.process_time() - began
        del result, request, plates
        before = frame
    return {"seconds": seconds, "cpu_seconds": used}


if __name__ == "__main__":
    sys.exit(main())
