# SPDX-License-Identifier: Apache-2.0
"""A job of a hundred frames in `openjd run`, killed with all it started at random moments, and run again.

    python benchmarks/proof/openjd_kills.py --kills 5

What comes out is compared byte for byte with what an undisturbed `understudy render` writes. Every process of a
session, the service too, gets ``kill -9`` at once, as when a machine loses power.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

if __name__ == "__main__":
    sys.path += [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "tests")]

from proof.openjd_session import command_file, run, run_command, write_bundle
from shots import Job, make_job


def main() -> int:
    """Runs, kills, and tells what came of it; 0 when all is as it should be."""
    parser = argparse.ArgumentParser(description="Kill an OpenJD session at random moments, and run it again.")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--chunk", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="kills") as name:
        folder = Path(name)
        undisturbed, job = (make_job(folder, frames=options.frames, out=out) for out in ("alone", "farm"))
        _render(undisturbed, folder)
        bundle, understudy = folder / "bundle", command_file(folder)
        write_bundle(job.graph, bundle, "--chunk", str(options.chunk))
        kept = _kept(folder, "farm")
        alike, kills = True, []
        for count in range(options.kills):
            # Later sessions get further: one frame of each share at least is there when the next begins.
            goal = moments.randint(0, options.frames * (count + 1) // (options.kills + 1))
            kills.append(_killed(job, run_command(bundle, understudy), kept, goal, moments.uniform(0, 0.3)))
            whole = undisturbed.pictures()
            alike = alike and all(whole[name] == content for name, content in job.pictures().items())
        run(bundle, understudy, kept)
        report = {
            "frames_at_kill": kills,
            "whole_after_each_kill": alike,
            "identical": job.pictures() == undisturbed.pictures(),
            "frames": len(job.pictures()),
            "strays": [path.name for path in job.strays()],
            "services_left": [path.name for path in Path(kept["TMPDIR"]).glob("understudy-farm-*/socket")],
        }
    print(json.dumps(report, indent=1))
    good = report["whole_after_each_kill"] and report["identical"] and report["frames"] == options.frames
    return 0 if good and not report["strays"] else 1


def _kept(folder: Path, name: str) -> dict[str, str]:
    """Variables by which a render keeps to itself; sockets are found by their folder."""
    temporary = folder / f"{name}-tmp"
    temporary.mkdir(exist_ok=True)
    own = {"UNDERSTUDY_CACHE": f"{folder}/{name}-cache", "UNDERSTUDY_LEDGER": f"{folder}/{name}-ledger"}
    return {**own, "TMPDIR": str(temporary)}


def _render(job: Job, folder: Path) -> None:
    command = [sys.executable, "-m", "understudy", "render", str(job.graph), "--json"]
    environment = os.environ | _kept(folder, "alone")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


def _killed(job: Job, command: list[str], kept: dict[str, str], goal: int, later_s: float) -> int:
    """Starts a session and kills it once so many frames are there; how many there were."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | kept)
    while process.poll() is None and len(list(job.out.glob("[!.]*.exr"))) < goal:
        time.sleep(0.02)
    time.sleep(later_s)
    tree = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    tree += [one.pid for one in psutil.process_iter() if _is_of(one, kept["TMPDIR"])]
    for pid in tree:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue
    process.wait()
    return len(job.pictures())


def _is_of(process: psutil.Process, folder: str) -> bool:
    """Whether a process was started with a path in a folder: the service, whose parent has ended."""
    try:
        return any(folder in word for word in process.cmdline())
    except psutil.Error:
        return False


if __name__ == "__main__":
    sys.exit(main())
