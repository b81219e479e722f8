# SPDX-License-Identifier: Apache-2.0
"""What Dask workers gain, and what they cost: ``python benchmarks/farm_dask.py``.

*Gain*: a job of small frames in memory (``/dev/shm``) by one worker that has one core, and by two that have one each.
Turns alternate, so that a busy machine slows both alike. Time runs from when the workers are ready to the last frame;
what starting them takes stands beside it.

*Cost*: the same job by ``understudy render`` on one core and by one worker on the same core. The difference for a frame
is what sharing out costs: planning and recording a chunk, messages, progress. It does not grow with the picture, so it
is set against the time of a 4K frame of the same graph (HD plates, upscaled by two).

Each worker computes with one thread. Nothing is taken from caches. Wall and processor seconds are given: on a machine
with other work the ratio of wall seconds says how many cores were got, that of processor seconds what was added.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from understudy.contracts.plate import blank_plate
from understudy.frames.write import write_plate

FIRST = 1001
GAIN_TARGET, COST_TARGET = 1.8, 0.03
_FRAMES_4K = 3
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Turn:
    """One run of a command.

    Attributes:
        seconds: From when it was ready to render to the end.
        start_s: Until then.
        cpu_s: Processor seconds of it and its workers, all told.
        frame_s: Median of what it told as a frame's seconds.
    """

    seconds: float
    start_s: float
    cpu_s: float
    frame_s: float


def main() -> int:
    """Runs the turns and prints a table."""
    options = _options()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        print("needs two cores", file=sys.stderr)
        return 1
    width, height = options.size
    dask = ["submit", "--to", "dask", "--chunk", str(options.chunk), "--workers"]
    with tempfile.TemporaryDirectory(prefix="dask", dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        small = _job(Path(name) / "small", options.frames, width, height)
        ways: dict[str, tuple[list[str], list[int]]] = {
            "render, one core": (["render"], cores[:1]),
            "1 worker, one core": ([*dask, "1"], cores[:1]),
            "2 workers, a core each": ([*dask, "2"], cores),
        }
        turns: dict[str, list[Turn]] = {way: [] for way in ways}
        for number in range(options.turns):
            for way, (command, own) in ways.items():
                turns[way].append(_turn(command, small, Path(name) / "out", own))
                print(f"turn {number + 1}, {way}: {turns[way][-1].seconds:.1f} s, load {os.getloadavg()[0]:.1f}")
        large = _job(Path(name) / "large", _FRAMES_4K, 1920, 1080)
        frame_4k = _turn(["render"], large, Path(name) / "out", cores[:1])
    report = _report(turns, frame_4k, options)
    if options.out:
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Two Dask workers beside one, and one beside a plain render.")
    parser.add_argument("--frames", type=int, default=96, help="of the small job")
    parser.add_argument("--size", type=int, nargs=2, default=(320, 180), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--chunk", type=int, default=12)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path, help="writes the report as JSON")
    options = parser.parse_args()
    if options.turns < 3:
        parser.error("a median needs three turns at least")
    if options.frames % (2 * options.chunk):
        parser.error("two workers need as many chunks each: frames that --chunk divides an even number of times")
    return options


def _job(folder: Path, frames: int, width: int, height: int) -> Path:
    """A graph document: motion, retime at half speed, upscale by two; its plates are a pattern that moves."""
    folder.mkdir()
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for index in range(frames // 2 + 2):
        wave = 0.5 + 0.3 * np.sin((x + 3 * index) / 9) * np.cos(y / 7) + 0.1 * np.sin((x + y) / 23)
        pixels = np.ascontiguousarray(np.stack([wave, wave * 0.7, wave * 1.6], axis=-1))
        plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg", sample_type="half", frame=FIRST + index)
        write_plate(plate, folder / f"plate.{FIRST + index}.exr")
    document = {
        "schema": "understudy.graph/1",
        "frames": f"{FIRST}-{FIRST + frames - 1}",
        "nodes": {
            "plate": {"type": "read", "file": str(folder / "plate.%04d.exr"), "colorspace": "ACEScg"},
            "slow": {
                "type": "interpolate",
                "input": "plate",
                "speed": "1/2",
                "cuts": "none",
                "motion_pack": "dis-draft",
            },
            "big": {"type": "upscale", "input": "slow", "scale": 2, "pack": "lanczos"},
            "out": {"type": "write", "input": "big", "file": str(folder.parent / "out" / "big.%04d.exr")},
        },
    }
    graph = folder / "graph.yaml"
    graph.write_text(json.dumps(document), encoding="utf-8")
    return graph


def _turn(command: list[str], graph: Path, out: Path, cores: list[int]) -> Turn:
    name, *options = command
    for file in out.rglob("*"):
        if file.is_file():
            file.unlink()
    line = ["taskset", "-c", ",".join(map(str, cores)), sys.executable, "-m", "understudy", name, str(graph), *options]
    with tempfile.TemporaryDirectory() as cache:
        environment = {
            **os.environ,
            "UNDERSTUDY_CACHE_GB": "0",
            "UNDERSTUDY_LEDGER": str(Path(cache) / "ledger.sqlite"),
        }
        began, before = time.perf_counter(), os.times()
        process = subprocess.Popen([*line, "--json"], stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout is not None
        ready = began
        spent: list[float] = []
        for text in process.stdout:
            event: dict[str, Any] = json.loads(text)
            if event["event"] == ("start" if name == "render" else "workers"):
                ready = time.perf_counter()
            elif event["event"] == "frame":
                spent.append(event["seconds"])
                last = time.perf_counter()
        code = process.wait()
        after = os.times()
    if code or not spent:
        raise SystemExit(f"{' '.join(line)} ended with {code}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Turn(last - ready, ready - began, cpu, median(spent))


def _report(turns: dict[str, list[Turn]], frame_4k: Turn, options: argparse.Namespace) -> dict[str, Any]:
    plain, one, two = turns.values()
    pairs = list(zip(plain, one, two, strict=True))
    added = median(b.seconds - a.seconds for a, b, _ in pairs) / options.frames
    return {
        "schema": "understudy.farm_dask/1",
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0]},
        "job": {"frames": options.frames, "size": list(options.size), "chunk": options.chunk},
        "turns": {way: [turn.__dict__ for turn in found] for way, found in turns.items()},
        "gain": {"ratio": median(b.seconds / c.seconds for _, b, c in pairs), "target": GAIN_TARGET},
        "cost": {
            "seconds_per_frame": added,
            "cpu_seconds_per_frame": median(b.cpu_s - a.cpu_s for a, b, _ in pairs) / options.frames,
            "frame_4k_s": frame_4k.frame_s,
            "share_of_4k_frame": added / frame_4k.frame_s,
            "target": COST_TARGET,
        },
    }


def _print(report: dict[str, Any]) -> None:
    frames = report["job"]["frames"]
    print(f"\n{frames} frames of {report['job']['size']}, upscaled by two; load {report['machine']['load']:.1f}")
    for way, found in report["turns"].items():
        seconds, cpu, start = (median(turn[key] for turn in found) for key in ("seconds", "cpu_s", "start_s"))
        each = seconds / frames * 1e3
        print(f"{way:24} {seconds:7.2f} s  {each:7.1f} ms a frame  {cpu:6.1f} s cpu  {start:5.1f} s start")
    gain, cost = report["gain"], report["cost"]
    print(f"two workers over one: {gain['ratio']:.2f} times (target {gain['target']})")
    print(
        f"a worker over a plain render: {cost['seconds_per_frame'] * 1e3:.1f} ms a frame, "
        f"{cost['share_of_4k_frame']:.1%} of a 4K frame's {cost['frame_4k_s']:.2f} s (target {cost['target']:.0%})"
    )


if __name__ == "__main__":
    sys.exit(main())
