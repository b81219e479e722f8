# SPDX-License-Identifier: Apache-2.0
"""What a frame through an OpenFX node costs beside the engine's own time for it: three frames in, one out.

The node is Understudy Motion, in our own OpenFX host, with a real service process: it fetches frames t-1, t and t+1 and
gives both vectors. The engine's own time is that of the same two motion requests in this process, on plates that are
there. The ways take turns, so that a busy machine slows all of them; figures are medians, ratios are medians of each
turn's ratio to the engine beside it. Beside the time stands the time of processors that host and service used together.
What the host needs to hand its pictures over (three copies of a frame) counts for the node.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from proof.served import cpu_seconds
from understudy.contracts.jobs import MotionParams, PackPin, RoleRequest
from understudy.contracts.plate import FloatImage, blank_plate
from understudy.ofx_host import Footage, Host, Project, find_plugins
from understudy.roles.engine import LocalEngine
from understudy.service.allocator import keep_memory

SIZES = {"quick": (480, 270), "hd": (1920, 1080), "uhd": (3840, 2160)}
TARGETS = {"node, shared memory": 1.25, "node, stream": 3.0}
"""Times the engine's own time."""

_SOURCES = Path(__file__).resolve().parents[1] / "host_bridge" / "ofx"
_WARM_UP = 1


def main() -> int:
    options = _options()
    keep_memory()
    with tempfile.TemporaryDirectory(prefix="understudy-ofx-") as folder:
        bundle = options.bundle or _built(Path(folder))
        address = f"unix:{folder}/service.sock"
        command = [
            sys.executable,
            "-m",
            "understudy",
            "serve",
            "--json",
            "--listen",
            address,
            "--listen",
            "127.0.0.1:0",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
            try:
                assert server.stdout is not None
                addresses = json.loads(server.stdout.readline())["addresses"]
                cases = _measure(bundle, addresses, server.pid, options)
            finally:
                server.terminate()
    report = {
        "schema": "understudy.bench-ofx/1",
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
        },
        "size": options.size,
        "pack": options.pack,
        "turns": options.turns,
        "cases": cases,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "ofx.json").write_text(json.dumps(report, indent=2) + "\n")
    for case in cases:
        target = f", target {case['target']:.2f}" if case["target"] else ""
        print(
            f"{case['name']:22} {case['seconds']:7.3f} s {case['ratio']:5.2f} x engine{target};"
            f" processors {case['cpu_seconds']:7.3f} s, {case['cpu_ratio']:5.2f} x"
        )
    return int(any(case["target"] and case["ratio"] > case["target"] for case in cases))


def _measure(bundle: Path, addresses: list[str], server: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    width, height = SIZES[options.size]
    frames = {number: _frame(width, height, number) for number in range(1, 4)}
    plates = {n: blank_plate(frames[n], "RGBA", colorspace="ACEScg", frame=n) for n in frames}
    engine = LocalEngine(device="cpu")
    files = {plugin.identifier: plugin for plugin in find_plugins([bundle])}
    with Host().load(files["org.understudy.Motion"]) as effect:
        project = Project(width=width, height=height, first=1, last=3)
        source = Footage(lambda at: frames.get(int(at)), first=1, last=3)

        def ask() -> float:
            for first in (1, 2):
                pair = {"a": plates[first], "b": plates[first + 1]}
                engine.run(RoleRequest(pack=PackPin(id=options.pack), params=MotionParams(), plates=pair))
            return 0.0

        def node(address: str, transport: str) -> Callable[[], float]:
            instance = effect.create("General", project, values={"server": address, "pack": options.pack})
            instance.connect("Source", source)

            def render() -> float:
                # Each address has connections of its own, and they decide when they are made.
                os.environ["UNDERSTUDY_OFX_TRANSPORT"] = transport
                return instance.render(2).seconds

            return render

        shared, streamed = node(addresses[0], "auto"), node(addresses[1], "stream")
        cases = _turns({"engine": ask, "node, shared memory": shared, "node, stream": streamed}, server, options.turns)
    engine.close()
    return list(cases.values())


def _turns(ways: dict[str, Callable[[], float]], server: int, turns: int) -> dict[str, dict[str, Any]]:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(turns + _WARM_UP):
        for name, way in ways.items():
            busy, began = time.process_time() + cpu_seconds(server), time.perf_counter()
            seconds = way() or time.perf_counter() - began
            if turn >= _WARM_UP:
                times[name].append((seconds, time.process_time() + cpu_seconds(server) - busy))
    cases = {}
    for name, measured in times.items():
        ratios = [
            [mine / base for mine, base in zip(*pair, strict=True)]
            for pair in zip(measured, times["engine"], strict=True)
        ]
        cases[name] = {
            "name": name,
            "seconds": median(seconds for seconds, _ in measured),
            "ratio": median(ratio for ratio, _ in ratios),
            "cpu_seconds": median(cpu for _, cpu in measured),
            "cpu_ratio": median(ratio for _, ratio in ratios),
            "target": TARGETS.get(name),
        }
    return cases


def _frame(width: int, height: int, number: int) -> FloatImage:
    """Smooth detail of several sizes that moves five pixels a frame, RGBA."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x -= 5 * number
    waves = [np.sin(x * f + y * f * 0.7) * np.cos(y * f * 1.3) for f in (0.011, 0.047, 0.19)]
    picture = np.stack([*waves, np.ones_like(x)], axis=2)
    picture[..., :3] = 0.5 + 0.4 * (picture[..., :3] + picture[..., [1, 2, 0]]) / 2
    return np.ascontiguousarray(picture, np.float32)


def _built(folder: Path) -> Path:
    subprocess.run(["cmake", "-S", _SOURCES, "-B", folder / "build"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder / "build"], check=True, stdout=subprocess.DEVNULL)
    return folder / "build" / "Understudy.ofx.bundle"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a frame through an OpenFX node costs beside the engine alone.")
    parser.add_argument("--size", choices=SIZES, default="uhd")
    parser.add_argument("--pack", default="dis-good", help="motion pack")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--bundle", type=Path, help="Understudy.ofx.bundle; built when left out")
    parser.add_argument("--out", type=Path, default=Path("bench_out"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
