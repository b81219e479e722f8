# SPDX-License-Identifier: Apache-2.0
"""Speed and memory of every role beside the raw library calls that do the same arithmetic. ``make bench`` runs it.

Each case runs in processes of its own: one for peak memory (the role alone), one for speed, where role and raw call
take turns so that a busy machine slows both. Pixels are in memory; no file is read or written.

The raw calls, on arrays that are ready for them:

===========  =========================================================================================================
motion       OpenCV's DIS and variational refinement, one direction after the other on all of OpenCV's threads, with the
             pack's own preset, at the size that the role gives the pack; no confidence, no occlusion
interpolate  the same, and a ``cv2.remap`` of both pictures with the role's kernel (Lanczos over 8x8), averaged
upscale      the resampling kernel of the pack on the whole array; ``cv2.resize`` (Lanczos over 8x8) stands beside it
relight      numpy expressions: the whole plate copied, its color times new light over present light
===========  =========================================================================================================
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

SIZES = {"quick": (480, 270), "hd": (1920, 1080), "4k": (3840, 2160), "8k": (7680, 4320)}
ROLES = ("motion", "interpolate", "upscale", "relight")
PACKS = {"motion": "dis-good", "interpolate": "flow-projection", "upscale": "lanczos", "relight": "shape-from-shading"}
LIMIT_8K_BYTES = 6 * 1024**3

_BUDGET_S = {"quick": 2.0, "hd": 15.0, "4k": 20.0}
"""For how long turns go on, at most ``_MOST_TURNS`` and at least ``_LEAST_TURNS`` of them: one turn says little."""

_LEAST_TURNS = 3
_MOST_TURNS = 7


def main() -> int:
    """Runs the cases and prints a table; 1 when an 8K case needs more than 6 GB."""
    options = _options()
    if options.case:
        role, size, what = options.case
        print(json.dumps(_memory(role, size) if what == "memory" else _speed(role, size)))
        return 0
    sizes = ["quick"] if options.quick else options.size or ["hd", "4k"]
    started = time.monotonic()
    cases = [_case(role, size) for size in sizes for role in options.role or ROLES]
    report = {
        "schema": "understudy.bench/1",
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
        },
        "python": platform.python_version(),
        "seconds": round(time.monotonic() - started, 1),
        "cases": cases,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print_table(report)
    print(f"wrote {options.out / 'bench.json'}")
    return int(any(case["size"] == "8k" and case["peak_bytes"] > LIMIT_8K_BYTES for case in cases))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed and memory of every role beside the raw library calls.")
    parser.add_argument("--size", action="append", choices=[*SIZES], help="may be repeated; 8k measures memory alone")
    parser.add_argument("--role", action="append", choices=ROLES, help="may be repeated")
    parser.add_argument("--quick", action="store_true", help="a small picture, under a minute")
    parser.add_argument("--out", type=Path, default=Path("bench_out"))
    parser.add_argument("--case", nargs=3, metavar=("ROLE", "SIZE", "WHAT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick and options.size:
        parser.error("give --quick or --size")
    return options


def _case(role: str, size: str) -> dict[str, Any]:
    started = time.monotonic()
    case: dict[str, Any] = {"role": role, "size": size, "pack": PACKS[role], **_ask(role, size, "memory")}
    case |= _ask(role, size, "speed") if size != "8k" else {}
    sys.stderr.write(f"{role} {size} took {time.monotonic() - started:.0f} s\n")
    return case


def _ask(role: str, size: str, what: str) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__).resolve()), "--case", role, size, what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{role} {size} {what} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _print_table(report: dict[str, Any]) -> None:
    machine = report["machine"]
    print(f"\n{machine['cores']} cores, load {machine['load']:.1f}, {report['seconds']:.0f} s in all\n")
    head = f"{'role':<12} {'size':<6} {'pack':<20}"
    print(f"{head} {'frames/s':>9} {'raw':>9} {'overhead':>9} {'peak MB':>9} {'of it plates':>13}")
    for case in report["cases"]:
        fps, raw, over = "", "", ""
        if "seconds" in case:
            fps, raw = f"{1 / case['seconds']:.2f}", f"{1 / case['raw_seconds']:.2f}"
            over = f"{100 * (case['ratio'] - 1):+.0f} %"
        peak, plates = case["peak_bytes"] / 2**20, case["plate_bytes"] / 2**20
        head = f"{case['role']:<12} {case['size']:<6} {case['pack']:<20}"
        print(f"{head} {fps:>9} {raw:>9} {over:>9} {peak:>9.0f} {plates:>13.0f}")
        if "beside_seconds" in case:
            print(f"{'':<40} {1 / case['beside_seconds']:>9.2f} by {case['beside']}")


def _memory(role: str, size: str) -> dict[str, Any]:
    run, _, plate_bytes = _prepare(role, size, raw=False)
    run()
    return {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "plate_bytes": plate_bytes}


def _speed(role: str, size: str) -> dict[str, Any]:
    run, raws, _ = _prepare(role, size, raw=True)
    calls = {"role": run, **raws}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in raws.values():
        call()  # once for caches and first touches; the role has run while the raw calls were made ready
    end = time.monotonic() + _BUDGET_S[size]
    while len(times["role"]) < _LEAST_TURNS or (time.monotonic() < end and len(times["role"]) < _MOST_TURNS):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    ratios = [ours / raw for ours, raw in zip(times["role"], times["raw"], strict=True)]
    answer: dict[str, Any] = {
        "seconds": median(times["role"]),
        "raw_seconds": median(times["raw"]),
        "ratio": median(ratios),
        "turns": len(ratios),
    }
    beside = next((name for name in times if name not in ("role", "raw")), "")
    return answer | ({"beside": beside, "beside_seconds": median(times[beside])} if beside else {})


def _prepare(role: str, size: str, *, raw: bool) -> tuple[Callable[[], object], dict[str, Callable[[], object]], int]:
    from understudy.contracts.jobs import PackPin, RoleRequest
    from understudy.roles.engine import LocalEngine

    plates = _plates(role, *SIZES[size])
    request = RoleRequest(pack=PackPin(id=PACKS[role]), params=_params(role), plates=plates)
    engine = LocalEngine(device="cpu")

    def run() -> object:
        return engine.run(request)

    raws: dict[str, Callable[[], object]] = {}
    if raw:
        raws = {
            "motion": _raw_motion,
            "interpolate": _raw_interpolate,
            "upscale": _raw_upscale,
            "relight": _raw_relight,
        }[role](request, engine.run(request))
    return run, raws, sum(plate.nbytes for plate in plates.values())


def _plates(role: str, width: int, height: int) -> dict[str, Any]:
    import cv2
    import numpy as np

    from understudy.contracts.plate import blank_plate
    from understudy.demo.shot import COLORSPACE, OVERSCAN, Shot

    shot = Shot()
    plates = {}
    for name, frame in (("a", 1012), ("b", 1013)) if role in ("motion", "interpolate") else (("plate", 1012),):
        picture = shot.render(frame)
        parts, channels = [picture.color], ["R", "G", "B", "A"]
        if role == "relight":
            parts.append(picture.normal)
            channels += ["normal.X", "normal.Y", "normal.Z"]
        inner = np.concatenate(parts, axis=2)[OVERSCAN:-OVERSCAN, OVERSCAN:-OVERSCAN]
        pixels = np.ascontiguousarray(cv2.resize(inner, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
        plates[name] = blank_plate(pixels, channels, colorspace=COLORSPACE, sample_type="half", frame=frame)
    return plates


def _params(role: str) -> Any:
    from understudy.contracts.jobs import InterpolateParams, MotionParams, RelightParams, UpscaleParams

    if role == "motion":
        return MotionParams()
    if role == "interpolate":
        return InterpolateParams(outputs=((Fraction(1, 2),),), motion_pack="dis-good")
    if role == "upscale":
        return UpscaleParams(scale=Fraction(2))
    new, present = _lights()
    return RelightParams(method="ratio", lights=new, present=present)


def _lights() -> tuple[Any, Any]:
    from understudy.contracts.lights import AmbientLight, DirectionalLight, LightRig

    def rig(direction: tuple[float, float, float], intensity: float) -> LightRig:
        sun = DirectionalLight(type="directional", direction=direction, intensity=intensity)
        return LightRig(lights=(sun, AmbientLight(type="ambient", intensity=0.2)))

    return rig((-0.7, 0.5, 0.5), 2.0), rig((0.6, 0.6, 0.5), 3.5)


def _gray(plate: Any, factor: int) -> Any:
    """A plate as DIS reads it: 8-bit gray of the pack's field size."""
    import cv2
    import numpy as np

    color = plate.take(("R", "G", "B"))
    gray = np.clip(np.clip(color @ np.array([0.2126, 0.7152, 0.0722], np.float32), 0, 1) ** (1 / 2.2), 0, 1) * 255
    size = (-(-plate.width // factor), -(-plate.height // factor))
    gray = (
        gray.astype(np.float32)
        if factor == 1
        else cv2.resize(gray.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    )
    return np.ascontiguousarray(gray)


def _dis(request: Any, factor: int) -> Callable[[], list[Any]]:
    import cv2
    import numpy as np

    from understudy.share_root import share_root

    preset = json.loads((share_root() / "models" / "dis-good" / "preset.json").read_text(encoding="utf-8"))
    grays = [_gray(request.plates[name], factor) for name in ("a", "b")]
    codes = [np.rint(gray).astype(np.uint8) for gray in grays]

    def flow(here: int, there: int) -> Any:
        result = None
        for search in preset["searches"]:
            dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            dis.setFinestScale(search["finest"])
            dis.setPatchSize(search["patch"])
            dis.setPatchStride(search["stride"])
            dis.setGradientDescentIterations(search["descent"])
            dis.setVariationalRefinementIterations(search["variational"])
            result = dis.calc(codes[here], codes[there], None)
        if preset["refine"]:
            refine = cv2.VariationalRefinement_create()
            refine.setFixedPointIterations(preset["refine"])
            result = refine.calc(grays[here], grays[there], result)
        return result

    return lambda: [flow(0, 1), flow(1, 0)]


def _raw_motion(request: Any, result: Any) -> dict[str, Callable[[], object]]:
    return {"raw": _dis(request, int(result.report.get("field_scale", 1)))}


def _raw_interpolate(request: Any, result: Any) -> dict[str, Callable[[], object]]:
    import cv2
    import numpy as np

    factor = int(result.report.get("field_scale", 1))
    dis = _dis(request, factor)
    a, b = (request.plates[name].pixels for name in ("a", "b"))
    height, width = a.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))

    def raw() -> Any:
        forward, backward = dis()
        pictures = []
        for image, flow in ((a, backward), (b, forward)):
            half = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * np.float32(0.5 * factor)
            pictures.append(cv2.remap(image, columns + half[..., 0], rows + half[..., 1], cv2.INTER_LANCZOS4))
        return (pictures[0] + pictures[1]) * np.float32(0.5)

    return {"raw": raw}


def _raw_upscale(request: Any, _result: Any) -> dict[str, Callable[[], object]]:
    import cv2

    from understudy.roles.resample import LANCZOS3, axis, limited

    image = request.plates["plate"].pixels
    height, width = image.shape[:2]
    rows, columns = (axis(LANCZOS3, Fraction(2), 0, 2 * side) for side in (height, width))
    return {
        "raw": lambda: limited(image, rows, columns, in_x=0, in_y=0, overshoot=0.0),
        "cv2.resize": lambda: cv2.resize(image, (2 * width, 2 * height), interpolation=cv2.INTER_LANCZOS4),
    }


def _raw_relight(request: Any, _result: Any) -> dict[str, Callable[[], object]]:
    import numpy as np

    plate = request.plates["plate"]
    normal = plate.take(("normal.X", "normal.Y", "normal.Z"))

    def light(rig: Any) -> Any:
        sun, sky = rig.lights
        toward = np.array(sun.direction, np.float32) / np.float32(np.linalg.norm(sun.direction))
        facing = np.maximum(normal @ toward, 0)[..., None]
        return facing * np.array(sun.radiance, np.float32) / np.float32(np.pi) + np.array(sky.radiance, np.float32)

    def raw() -> Any:
        ratio = (light(request.params.lights) + np.float32(0.02)) / (light(request.params.present) + np.float32(0.02))
        out = plate.pixels.copy()
        out[..., :3] *= np.clip(ratio, 0.125, 8)
        return out

    return {"raw": raw}


if __name__ == "__main__":
    sys.exit(main())
