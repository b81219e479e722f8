# SPDX-License-Identifier: Apache-2.0
"""How good estimates are: calibrates, estimates a render of each role, then really renders it and compares.

Everything is told before the first render begins, from the calibration alone: a drawn pattern, small to large. What is
rendered then is another picture, the shot of the demo. Seconds are those that the render itself tells (without the
start of the program), memory is the peak of its process. Run it on a machine that does nothing else:
``python benchmarks/estimates.py``; HD and 4K take some ten minutes on two cores.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIZES = {"quick": (480, 270), "hd": (1920, 1080), "4k": (3840, 2160)}
FRAMES = {"quick": 6, "hd": 4, "4k": 2}
ROLES = ("motion", "interpolate", "upscale", "relight")
WITHIN = 0.25
_SUN = {"type": "directional", "direction": [0.5, 0.7, 0.5], "intensity": 2.0}


def main() -> int:
    """Runs the cases and prints a table; 1 when a render took more than a quarter longer or less than was told."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="understudy-estimates-", dir=options.work))
    os.environ["UNDERSTUDY_COSTS"] = str(folder / "costs.json")
    os.environ["UNDERSTUDY_LEDGER"] = str(folder / "ledger.sqlite")
    try:
        started = time.monotonic()
        _calibrate(options.budget)
        cases = [_case(folder, role, size) for size in options.size or ["hd", "4k"] for role in options.role or ROLES]
        for case in cases:
            case["estimate"] = _understudy("estimate", case["graph"], "--json")[0][-1]
        for case in cases:
            _render(case)
        report = {
            "schema": "understudy.estimates/1",
            "cores": len(os.sched_getaffinity(0)),
            "load": os.getloadavg()[0],
            "seconds": round(time.monotonic() - started, 1),
            "cases": cases,
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "estimates.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print_table(report)
    return int(any(abs(case["seconds_ratio"] - 1) > WITHIN for case in cases))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Estimates beside what renders really take.")
    parser.add_argument("--size", action="append", choices=[*SIZES], help="may be repeated; hd and 4k when left out")
    parser.add_argument("--role", action="append", choices=ROLES, help="may be repeated")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds for the calibration")
    parser.add_argument("--work", type=Path, help="folder for pictures, some GB; the system's temporary one otherwise")
    parser.add_argument("--out", type=Path, default=Path("bench_out"))
    return parser.parse_args()


def _understudy(*arguments: str) -> tuple[list[dict[str, Any]], int]:
    """Events of a command, and the peak memory of its process in bytes."""
    command = [sys.executable, "-m", "understudy", *arguments]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed")
        out.seek(0)
        return [json.loads(line) for line in out], usage.ru_maxrss * 1024


def _calibrate(budget_s: float) -> None:
    began = time.monotonic()
    _understudy("estimate", "--calibrate", "--budget", str(budget_s), "--json")
    sys.stderr.write(f"calibration took {time.monotonic() - began:.0f} s\n")


def _case(folder: Path, role: str, size: str) -> dict[str, Any]:
    """Writes plates (unless they are there) and the graph of one role."""
    width, height = SIZES[size]
    plates = folder / size
    if not plates.exists():
        _write_plates(plates, width, height, FRAMES[size])
    nodes: dict[str, Any] = {"plate": {"type": "read", "file": f"{plates}/p.%04d.exr", "colorspace": "ACEScg"}}
    more: dict[str, dict[str, Any]] = {
        "interpolate": {"speed": "1/2"},
        "relight": {"lights": {"schema": "understudy.lights/1", "lights": [_SUN]}},
    }
    nodes["role"] = {"type": role, "input": "plate", **more.get(role, {})}
    nodes["out"] = {"type": "write", "input": "role", "file": f"{folder}/out/{size}-{role}.%04d.exr"}
    graph = folder / f"{size}-{role}.yaml"
    graph.write_text(json.dumps({"schema": "understudy.graph/1", "nodes": nodes}), encoding="utf-8")
    return {"role": role, "size": size, "graph": str(graph)}


def _write_plates(folder: Path, width: int, height: int, frames: int) -> None:
    import cv2
    import numpy as np

    from understudy.contracts.plate import blank_plate
    from understudy.demo.shot import OVERSCAN, Shot
    from understudy.frames.write import write_plate

    shot = Shot()
    for frame in range(1012, 1012 + frames):
        inner = shot.render(frame).color[OVERSCAN:-OVERSCAN, OVERSCAN:-OVERSCAN]
        pixels = np.ascontiguousarray(cv2.resize(inner, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
        plate = blank_plate(pixels, ("R", "G", "B", "A"), colorspace="ACEScg", sample_type="half", frame=frame)
        write_plate(plate, folder / f"p.{frame}.exr")


def _render(case: dict[str, Any]) -> None:
    events, peak = _understudy("render", case["graph"], "--json")
    done = next(event for event in events if event["event"] == "done")
    files = [Path(event["file"]) for event in events if event["event"] == "frame"]
    told = case["estimate"]
    low, likely, high = told["seconds"]
    case |= {
        "seconds": done["seconds"],
        "seconds_ratio": done["seconds"] / likely,
        "within_band": low <= done["seconds"] <= high,
        "peak_bytes": peak,
        "ram_ratio": peak / told["ram_bytes"],
        "disk_ratio": sum(file.stat().st_size for file in files) / told["disk_bytes"],
    }
    case["again"] = _understudy("estimate", case["graph"], "--json")[0][-1]["seconds"]
    for file in files:
        file.unlink()
    sys.stderr.write(f"{case['role']} {case['size']}: {done['seconds']:.1f} s, told {likely:.1f} s\n")


def _print_table(report: dict[str, Any]) -> None:
    print(f"\n{report['cores']} cores, load {report['load']:.1f}, {report['seconds']:.0f} s in all")
    print("ratios are measured over told: 1.00 is right\n")
    print(f"{'role':<12} {'size':<6} {'told s':>22} {'took s':>8} {'ratio':>6} {'band':>5} {'again':>6}", end=" ")
    print(f"{'peak MB':>8} {'ratio':>6} {'disk':>6}")
    for case in report["cases"]:
        low, likely, high = case["estimate"]["seconds"]
        told = f"{likely:.1f} ({low:.1f}-{high:.1f})"
        again = case["seconds"] / case["again"][1]
        print(
            f"{case['role']:<12} {case['size']:<6} {told:>22} {case['seconds']:>8.1f} {case['seconds_ratio']:>6.2f}"
            f" {'in' if case['within_band'] else 'out':>5} {again:>6.2f}"
            f" {case['peak_bytes'] / 1e6:>8.0f} {case['ram_ratio']:>6.2f} {case['disk_ratio']:>6.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
