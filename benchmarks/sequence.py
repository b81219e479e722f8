# SPDX-License-Identifier: Apache-2.0
"""What a sequence costs more through the service than in the process of whoever asks.

One service and one or two client processes on this machine. Each client runs frames in turns: by the engine in its own
process, through the service by shared memory, through the service by stream. Turns alternate, so that a busy machine
slows all ways alike. With two clients the ways are compared with two in-process runs at once. Each frame is new.

    python benchmarks/sequence.py --clients 1 --clients 2

The ratio is the median over all turns of a turn's mean frame over that of the in-process turn before it. Beside it
stands the ratio of the time of processors, of clients and service together, which other work on the machine changes
less.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

from proof.sequence_client import CASES, HERE, WAYS
from proof.served import Served, cpu_seconds, leave_on_sigterm

_TARGET = 1.05


def main() -> int:
    """Runs the cases and prints a table."""
    options = _options()
    leave_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="sequence") as folder:
        rows = [
            _case(case, clients, options, Path(folder))
            for case in options.case or CASES
            for clients in options.clients or (1, 2)
        ]
    report = {
        "schema": "understudy.sequence/1",
        "size": list(options.size),
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0]},
        "target": _TARGET,
        "cases": rows,
    }
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A sequence through the service beside the same engine in process.")
    parser.add_argument("--case", action="append", choices=[*CASES], help="may be repeated")
    parser.add_argument("--clients", action="append", type=int, choices=[1, 2], help="may be repeated")
    parser.add_argument("--size", type=int, nargs=2, default=(1920, 1080), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--frames", type=int, default=4, help="frames in a turn")
    parser.add_argument("--turns", type=int, default=5, help="turns of each way")
    parser.add_argument("--quick", action="store_true", help="a small picture, two turns of two frames")
    parser.add_argument("--out", type=Path, help="where the report goes as JSON")
    options = parser.parse_args()
    if options.quick:
        options.size, options.frames, options.turns = (320, 180), 2, 2
    return options


class _Client:
    def __init__(self, address: str, case: str, options: argparse.Namespace, number: int) -> None:
        width, height = options.size
        words = [address, case, "--size", str(width), str(height), "--client", str(number)]
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "proof.sequence_client", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parent,
        )

    def tell(self, order: dict[str, Any]) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps(order) + "\n")
        self._popen.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line:
            raise SystemExit("a client ended by itself")
        told: dict[str, Any] = json.loads(line)
        return told

    def close(self) -> None:
        for stream in (self._popen.stdin, self._popen.stdout):
            if stream is not None:
                stream.close()
        self._popen.wait(60)


def _case(case: str, count: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    started = time.monotonic()
    served = Served(["--port", "0"], folder / "service.log")
    clients: list[_Client] = []
    frames: dict[str, list[float]] = {way: [] for way in WAYS}
    turns: dict[str, list[float]] = {way: [] for way in WAYS}
    used: dict[str, list[float]] = {way: [] for way in WAYS}
    try:
        clients = [_Client(served.address, case, options, number) for number in range(count)]
        for turn in range(-1, options.turns):  # the first warms up
            for place, way in enumerate(WAYS):
                order = {"way": way, "frames": options.frames, "turn": (turn + 1) * len(WAYS) + place}
                before = cpu_seconds(served.pid)
                for client in clients:
                    client.tell(order)
                told = [client.hear() for client in clients]
                seconds = [one for client in told for one in client["seconds"]]
                if turn >= 0:
                    frames[way] += seconds
                    turns[way].append(mean(seconds))
                    cpu = sum(client["cpu_seconds"] for client in told) + cpu_seconds(served.pid) - before
                    used[way].append(cpu / len(seconds))
    finally:
        for client in clients:
            client.close()
        served.close()
    ratios, cpu_ratios = (
        {way: median(ours / here for ours, here in zip(what[way], what[HERE], strict=True)) for way in WAYS[1:]}
        for what in (turns, used)
    )
    sys.stderr.write(f"{case} with {count} took {time.monotonic() - started:.0f} s\n")
    return {
        "case": case,
        "pack": CASES[case][0],
        "clients": count,
        "seconds": {way: median(frames[way]) for way in WAYS},
        "ratios": ratios,
        "cpu_seconds": {way: median(used[way]) for way in WAYS},
        "cpu_ratios": cpu_ratios,
        "turns": options.turns,
    }


def _print(report: dict[str, Any]) -> None:
    width, height = report["size"]
    print(
        f"\n{width}x{height} RGBA float32, {report['machine']['cores']} cores, load {report['machine']['load']:.1f}\n"
    )
    print(f"{'case':<8} {'pack':<18} {'clients':>7} {'in process':>20} {'shared memory':>30} {'stream':>30}")
    for row in report["cases"]:
        here, cpu = row["seconds"][HERE], row["cpu_seconds"][HERE]
        told = f"{row['case']:<8} {row['pack']:<18} {row['clients']:>7} {1e3 * here:>7.0f} ms {1e3 * cpu:>5.0f} CPU"
        for way in WAYS[1:]:
            percent, cpu = 100 * (row["ratios"][way] - 1), 100 * (row["cpu_ratios"][way] - 1)
            told += f" {1e3 * row['seconds'][way]:>8.0f} ms {percent:>+6.1f} % {cpu:>+6.1f} CPU"
        print(told)


if __name__ == "__main__":
    sys.exit(main())
