# SPDX-License-Identifier: Apache-2.0
"""How long it takes to see that a job is done, and how fast inputs are hashed.

    python benchmarks/planning.py [--frames 10000] [--plates 24] [--folder DIR] [--out planning.json]

A job of so many outputs, all done, is planned by ``understudy render --dry-run`` and by a render that has nothing to
do: with the ledger as the render left it, and without one, when every input is hashed and every output read. Pictures
are tiny, Python's start counts. Beside the wall time stands the processor time, which others on the machine do not
change. Then larger inputs are hashed: by a plain read, with a cold ledger, and with a warm one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from understudy.contracts.plate import blank_plate
from understudy.frames.write import write_plate
from understudy.graph.ledger import Ledger

_TURNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--plates", type=int, default=24, help="inputs of 66 MB that are hashed")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; a temporary one otherwise")
    parser.add_argument("--out", type=Path, help="results as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="planning-") as name:
        results = {**_planning(Path(name), given.frames), **_hashing(Path(name), given.plates)}
    for what, value in results.items():
        print(f"{what:40} {value:10.3f}")
    if given.out:
        given.out.write_text(json.dumps(results, indent=1))


def _planning(folder: Path, frames: int) -> dict[str, float]:
    """Seconds to plan a job of which everything is done, Python's start included."""
    (folder / "plates").mkdir()
    for index in range(frames // 2 + 1):
        pixels = np.full((4, 4, 3), 0.25, np.float32)
        pixels[0, 0, 0] = index
        plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg", sample_type="float", frame=1001 + index)
        write_plate(plate, folder / "plates" / f"plate.{1001 + index}.exr")
    nodes = {
        "plate": {"type": "read", "file": str(folder / "plates/plate.%04d.exr"), "colorspace": "ACEScg"},
        "vectors": {"type": "motion", "input": "plate", "pack": "identity-motion"},
        "slow": {
            "type": "interpolate", "input": "plate", "vectors": "vectors", "pack": "identity-interpolate",
            "speed": "1/2", "cuts": "none",
        },
        "big": {"type": "upscale", "input": "slow", "pack": "identity-upscale", "scale": 1},
        "out": {"type": "write", "input": "big", "file": str(folder / "out/big.%04d.exr")},
    }  # fmt: skip
    graph = folder / "graph.yaml"
    document = {"schema": "understudy.graph/1", "frames": f"1001-{1000 + frames}", "nodes": nodes}
    graph.write_text(json.dumps(document))
    environment = os.environ | {"UNDERSTUDY_LEDGER": str(folder / "ledger.sqlite"), "UNDERSTUDY_CACHE_GB": "0"}

    def render(what: str, *options: str) -> dict[str, float]:
        command = [sys.executable, "-m", "understudy", "render", str(graph), "--json", *options]
        before, began = os.times(), time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        wall, after = time.perf_counter() - began, os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        events = [json.loads(line) for line in done.stdout.splitlines()]
        states = {event["state"] for event in events if event["event"] == "plan"}
        if options and states != {"done"}:
            sys.exit(f"not everything is done: {states}")
        return {f"{what}, s": wall, f"{what}, processor s": cpu}

    found = render("render everything")
    turns = [render("plan, warm ledger", "--dry-run") for _ in range(_TURNS)]
    found |= {what: statistics.median(turn[what] for turn in turns) for what in turns[0]}
    found |= render("render with nothing to do")
    for path in folder.glob("ledger.sqlite*"):
        path.unlink()
    return found | render("plan, no ledger", "--dry-run")


def _hashing(folder: Path, count: int) -> dict[str, float]:
    """MB a second over files that the system has in memory, and what a warm ledger takes for each."""
    paths = [folder / f"input.{index}.bin" for index in range(count)]
    block = np.random.default_rng(1).bytes(66_355_200)
    for index, path in enumerate(paths):
        path.write_bytes(index.to_bytes(8, "little") + block)
    time.sleep(0.1)  # files that changed just now are not kept
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    found: dict[str, float] = {}
    reads, cold, warm = [], [], []
    for turn in range(_TURNS):
        began = time.perf_counter()
        buffer = bytearray(1 << 20)
        for path in paths:
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass
        reads.append(megabytes / (time.perf_counter() - began))
        ledger = Ledger(folder / f"hash.{turn}.sqlite")
        began = time.perf_counter()
        first = ledger.contents(paths)
        cold.append(megabytes / (time.perf_counter() - began))
        began = time.perf_counter()
        if ledger.contents(paths) != first:
            sys.exit("the ledger changed its mind")
        warm.append((time.perf_counter() - began) / count * 1e6)
        ledger.close()
    found["read, one thread, MB/s"] = statistics.median(reads)
    found["hash, cold ledger, MB/s"] = statistics.median(cold)
    found["hash, warm ledger, us a file"] = statistics.median(warm)
    return found


if __name__ == "__main__":
    main()
