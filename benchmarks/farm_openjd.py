# SPDX-License-Identifier: Apache-2.0
"""What an OpenJD chunk costs beyond the work in it.

One job in turns: once with all frames in one chunk, once with a frame in each, so that a busy machine slows both alike.
What the second takes longer, by the number of its further chunks, is what a chunk costs: the start and the end of its
process, the connection to the session's service, the plan of the job. A chunk that finds its frames done is told too,
and how long the service takes to start and to stop, once for a session.

    python benchmarks/farm_openjd.py

The frames are small (64x36, and twice that made of them), so that little work hides nothing.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from proof.openjd_session import Session, command_file, run, write_bundle
from shots import make_job

_TARGET_S = 1.0


def main() -> int:
    """Runs the turns and prints what they took."""
    options = _options()
    costs: dict[str, list[float]] = {name: [] for name in ("chunk", "chunk, processors", "done", "start", "stop")}
    with tempfile.TemporaryDirectory(prefix="farm") as folder:
        for turn in range(options.turns):
            _turn(Path(folder), turn, options.frames, costs)
    found = {name: round(median(values), 3) for name, values in costs.items()}
    report = {
        "schema": "understudy.farm-openjd/1",
        "machine": {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)},
        "turns": options.turns,
        "frames": options.frames,
        "target_s": _TARGET_S,
        "seconds": found,
        "least": {name: round(min(values), 3) for name, values in costs.items()},
    }
    if options.out:
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for name, value in found.items():
        print(f"{name:20} {value:6.2f} s   (least {report['least'][name]:.2f})")
    print(f"load {report['machine']['load']} on {os.cpu_count()} cores")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What an OpenJD chunk costs beyond the work in it.")
    parser.add_argument("--frames", type=int, default=8, help="of the job, and chunks of the second way")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the report here as JSON")
    return parser.parse_args()


def _turn(folder: Path, turn: int, frames: int, costs: dict[str, list[float]]) -> None:
    whole, whole_cpu = _run(folder, f"whole-{turn}", frames, frames)
    single, single_cpu = _run(folder, f"single-{turn}", frames, 1)
    costs["chunk"].append((sum(single.tasks) - sum(whole.tasks)) / (frames - 1))
    costs["chunk, processors"].append((single_cpu - whole_cpu) / (frames - 1))
    again, _ = _run(folder, f"single-{turn}", frames, 1)
    costs["done"].append(median(again.tasks))
    for session in (whole, single, again):
        costs["start"].append(session.entered)
        costs["stop"].append(session.left)


def _run(folder: Path, name: str, frames: int, chunk: int) -> tuple[Session, float]:
    """One session, and the processor time of all its processes."""
    job = make_job(folder, frames=frames, out=name)
    bundle = folder / f"{name}-bundle"
    write_bundle(job.graph, bundle, "--chunk", str(chunk), "--no-verify")
    kept = {"UNDERSTUDY_CACHE": str(folder / f"{name}-cache"), "UNDERSTUDY_LEDGER": str(folder / f"{name}-ledger")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    session = run(bundle, command_file(folder), kept)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(session.tasks) == -(-frames // chunk), session
    return session, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
