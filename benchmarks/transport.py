# SPDX-License-Identifier: Apache-2.0
"""What passing a frame to a service and back costs, beside one copy of the frame. ``make bench`` runs it.

A real server process with an engine that computes nothing, and one client. The ways take turns, so that a busy machine
slows all of them; figures are medians, ratios are medians of each turn's ratio to the memcpy beside it. Beside the
time stands the time of processors that client and server used together, which other work on the machine changes little.

====================  ================================================================================================
memcpy                ``np.copyto`` of the float32 frame, as programs hold it, between two arrays that were used before
memcpy, half          the same for the frame as its file holds it: half
control               ``Info``: a call with no pixels; the median of 15 in a row
shm in place, echo    the client rendered into memory of `RemoteEngine.empty`; the engine returns the very plate
shm in place          the same; the engine returns an array of its own, which the service copies to the client
shm, echo             the frame is copied in, the engine returns the very plate, the result is copied out
shm                   copied in, an array of the engine's own, copied out
stream                a frame that was not sent before, as chunks, both ways; hashed on the way
stream, not named     the same for memory that may still be written: it is not hashed
stream, known         a frame that was sent before: only the result travels
stream, as half       as ``stream``; the frame is that of a half file, and travels as half, as it does to other machines
bare gRPC             as many bytes, in chunks of 1 MiB, both ways, through gRPC for Python alone: a server copies them
                      into an array and sends them back. No transport over it can be faster
bare gRPC, half       the same for as many bytes as the frame has as half
====================  ================================================================================================
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bare_grpc import BareServer, bare_echo
from proof.served import cpu_seconds
from understudy.client.engine import RemoteEngine
from understudy.contracts.engine import NO_CONTROL, Control, EngineInfo
from understudy.contracts.jobs import PackPin, RoleRequest, RoleResult, UpscaleParams
from understudy.contracts.plate import Plate, blank_plate
from understudy.service.allocator import allocator, keep_memory

_CONTROL_CALLS = 15
_WARM_UP = 4
"""Turns in which memory is touched for the first time: the service keeps a gigabyte of frames that were sent."""

SIZES = {"quick": (480, 270), "hd": (1920, 1080), "4k": (3840, 2160)}
TARGETS = {
    "control": 0.001,
    "shm in place": 1.5,
    "shm in place, echo": 1.5,
    "shm": 4.0,
    "shm, echo": 4.0,
    "stream": 10.0,
}
"""Seconds for the control call; times one memcpy of the float32 frame for all others."""


class EchoEngine:
    """Pack ``echo`` returns the plates; ``own`` returns pixels that the engine made before."""

    def __init__(self) -> None:
        self._own: dict[tuple[int, ...], Any] = {}

    def info(self) -> EngineInfo:
        """Next to nothing."""
        return EngineInfo(version="0", device="cpu")

    def run(self, request: RoleRequest, _control: Control = NO_CONTROL, /) -> RoleResult:
        """Computes nothing."""
        plates = request.plates
        if request.pack.id == "own":
            plates = {name: plate.with_pixels(self._made(plate)) for name, plate in plates.items()}
        return RoleResult(plates=plates, pack=PackPin(id=request.pack.id, version="1.0.0", sha256="0" * 64))

    def close(self) -> None:
        """Holds nothing."""

    def _made(self, plate: Plate) -> Any:
        if plate.pixels.shape not in self._own:
            self._own[plate.pixels.shape] = plate.pixels.copy()
        return self._own[plate.pixels.shape]


def main() -> int:
    options = _options()
    keep_memory()
    if options.serve:
        return _serve(options.serve)
    options.out.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), "--serve", options.listen],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        address, port = server.stdout.readline().split()
        try:
            cases = _measure(address, int(port), server.pid, *SIZES[options.size], turns=options.turns)
        finally:
            server.stdin.close()
    report = {
        "schema": "understudy.bench-transport/1",
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "allocator": allocator(),
        },
        "python": platform.python_version(),
        "size": options.size,
        "turns": options.turns,
        "cases": cases,
    }
    (options.out / "transport.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print_table(report)
    print(f"wrote {options.out / 'transport.json'}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What passing a frame to a service costs, beside one memcpy.")
    parser.add_argument("--size", choices=[*SIZES], default="4k")
    parser.add_argument("--turns", type=int, default=11)
    parser.add_argument("--listen", default="127.0.0.1:0", help="where the server listens: TCP or unix:path")
    parser.add_argument("--out", type=Path, default=Path("bench_out"))
    parser.add_argument("--serve", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _serve(listen: str) -> int:
    from understudy.service.server import Service

    bare = BareServer()
    with Service(EchoEngine(), listen) as service:
        print(service.address, bare.port, flush=True)
        sys.stdin.read()  # until the client closes it, or is gone
    bare.close()
    return 0


def _request(pack: str, pixels: Any) -> RoleRequest:
    plate = blank_plate(pixels, "RGBA", colorspace="ACEScg")
    return RoleRequest(pack=PackPin(id=pack), params=UpscaleParams(scale=1), plates={"plate": plate})


def _measure(address: str, bare: int, server: int, width: int, height: int, *, turns: int) -> list[dict[str, Any]]:
    shared = RemoteEngine(address, transport="shared-memory", timeout_s=120)
    stream = RemoteEngine(address, transport="stream", timeout_s=120)
    halves = RemoteEngine(address, transport="stream", timeout_s=120, halves=True)
    half = np.random.default_rng(0).random((height, width, 4), dtype=np.float32).astype(np.float16)
    frame = half.astype(np.float32)
    half_out = np.zeros_like(half)
    out = np.zeros_like(frame)
    place = shared.empty(frame.shape)
    place[...] = frame
    known = _request("own", frame.copy())
    stream.run(known)
    in_place = {pack: _request(pack, place) for pack in ("echo", "own")}
    salt = 0

    def fresh() -> Any:
        nonlocal salt
        salt += 1
        pixels = frame.copy()
        pixels[0, 0] = salt
        return pixels

    def through(engine: RemoteEngine, request: RoleRequest, *, copy: bool = False) -> Callable[[], None]:
        def call() -> None:
            pixels = engine.run(request).plates["plate"].pixels
            if copy:
                np.copyto(out, pixels)

        return call

    # Each makes its case ready and gives what is timed.
    ways: dict[str, Callable[[], Callable[[], object]]] = {
        "memcpy": lambda: lambda: np.copyto(out, frame),
        "memcpy, half": lambda: lambda: np.copyto(half_out, half),
        "control": lambda: shared.info,
        "shm in place, echo": lambda: through(shared, in_place["echo"]),
        "shm in place": lambda: through(shared, in_place["own"]),
        "shm, echo": lambda: through(shared, _request("echo", fresh()), copy=True),
        "shm": lambda: through(shared, _request("own", fresh()), copy=True),
        "stream": lambda: through(stream, _request("echo", fresh())),
        "stream, not named": lambda: through(stream, _request("echo", fresh()[:])),
        "stream, known": lambda: through(stream, known),
        "stream, as half": lambda: through(halves, _request("echo", fresh())),
        "bare gRPC": lambda: bare_float,
        "bare gRPC, half": lambda: bare_half,
    }
    bare_float, bare_half = (bare_echo(bare, pixels.reshape(-1).view(np.uint8)) for pixels in (frame, half))
    times: dict[str, list[float]] = {name: [] for name in ways}
    used: dict[str, float] = dict.fromkeys(ways, 0.0)
    for turn in range(turns + _WARM_UP):
        for name, prepare in ways.items():
            call = prepare()
            count = _CONTROL_CALLS if name == "control" else 1
            before = _cpu_seconds(server)
            took = median(_timed(call) for _ in range(count))
            if turn >= _WARM_UP:
                times[name].append(took)
                used[name] += (_cpu_seconds(server) - before) / (count * turns)
    for engine in (shared, stream, halves):
        engine.close()
    return [_case(name, times) | {"cpu_seconds": used[name]} for name in ways]


def _cpu_seconds(server: int) -> float:
    """Time of processors that this process and the server have used."""
    return time.process_time() + cpu_seconds(server)


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _case(name: str, times: dict[str, list[float]]) -> dict[str, Any]:
    ratios = [ours / copy for ours, copy in zip(times[name], times["memcpy"], strict=True)]
    halves = [ours / copy for ours, copy in zip(times[name], times["memcpy, half"], strict=True)]
    case: dict[str, Any] = {
        "way": name,
        "seconds": median(times[name]),
        "least_seconds": min(times[name]),
        "ratio": median(ratios),
        "ratio_to_half": median(halves),
    }
    if name in TARGETS:
        reached = case["seconds"] if name == "control" else case["ratio"]
        case |= {"target": TARGETS[name], "reached": reached <= TARGETS[name]}
    return case


def _print_table(report: dict[str, Any]) -> None:
    machine = report["machine"]
    print(f"\n{report['size']} RGBA, {machine['cores']} cores, load {machine['load']:.1f}\n")
    print(f"{'way':<20} {'ms':>8} {'least ms':>9} {'CPU ms':>8} {'memcpys':>8} {'of half':>8}  target")
    for case in report["cases"]:
        target = ""
        if "target" in case:
            limit = f"{case['target'] * 1e3:g} ms" if case["way"] == "control" else f"{case['target']:g}x"
            target = f"{limit} {'reached' if case['reached'] else 'missed'}"
        ms, least = case["seconds"] * 1e3, case["least_seconds"] * 1e3
        cpu, ratio, of_half = case["cpu_seconds"] * 1e3, case["ratio"], case["ratio_to_half"]
        print(f"{case['way']:<20} {ms:>8.2f} {least:>9.2f} {cpu:>8.1f} {ratio:>8.2f} {of_half:>8.2f}  {target}")


if __name__ == "__main__":
    sys.exit(main())
