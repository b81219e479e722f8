# SPDX-License-Identifier: Apache-2.0
"""A day of the service in a quarter of an hour: many clients, mixed requests, cancels, deadlines, kills, pack reloads.

One real service, several real client processes. Every request has a right answer that is known beforehand and differs
from all others, so a wrong, lost or crossed result is seen. Clients are killed (``kill -9``) in the middle of requests
and started again; a pack's folder is rewritten with another version while it is in use; packs are loaded and unloaded.
After each round all clients leave, and what the service still holds is read from ``/proc`` and from its metrics.

    python benchmarks/soak.py                 20,000 small and 500 large requests
    python benchmarks/soak.py --quick         a few hundred

Exit code 1 when a result was wrong, lost or crossed, or something leaked.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proof.crew import Crew
from proof.exact_pack import PACK_ID, write_pack
from proof.judgment import Sample, leaks, log_wrong, requests_wrong
from proof.served import Facts, Served, leave_on_sigterm, wait_at_rest
from proof.tensors import Repository

_SHOWN = 20
_MOVED = ("identity-upscale", "identity-onnx-upscale", "lanczos", PACK_ID)


def main() -> int:
    """Runs the plan and judges it."""
    options = _options()
    leave_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        report = _soak(options, Path(folder))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)
    return int(bool(report["violations"]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Soaks the service and judges what it returned and what it kept.")
    parser.add_argument("--small", type=int, default=20_000, help="small requests")
    parser.add_argument("--large", type=int, default=500, help="large requests")
    parser.add_argument("--large-size", type=int, nargs=2, default=(1920, 1080), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--clients", type=int, default=3, help="client processes")
    parser.add_argument("--threads", type=int, default=2, help="requests at once in each")
    parser.add_argument("--rounds", type=int, default=20, help="rests, each with a look at the service")
    parser.add_argument("--kills", type=int, default=40, help="clients killed in the middle of requests")
    parser.add_argument("--reloads", type=int, default=60, help="times that the pack's folder is rewritten")
    parser.add_argument("--moves", type=int, default=60, help="times that an operator loads or unloads a pack")
    parser.add_argument("--most-growth", type=float, default=0.05, help="share that memory may grow by")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="300 small and 6 large requests, smaller ones")
    parser.add_argument("--out", type=Path, help="where the report goes as JSON")
    options = parser.parse_args()
    if options.quick:
        options.small, options.large, options.large_size = 300, 6, (480, 270)
        options.rounds, options.clients, options.kills, options.reloads, options.moves = 3, 2, 2, 3, 3
        options.most_growth = 0.25  # so soon the allocator has not settled
    return options


def _soak(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    total = options.small + options.large
    packs = folder / "packs"
    write_pack(packs / "gain", 0)
    started = time.monotonic()
    served = Served(["--port", "0", "--status", "127.0.0.1:0", "--packs", str(packs)], folder / "service.log")
    try:
        crew = Crew(_orders(options, served.address), folder, options.clients)
        try:
            samples, reloads = _rounds(options, crew, served, packs / "gain")
        finally:
            crew.close()
        exit_code = served.stop()
        violations = (
            requests_wrong(crew.results, total) + leaks(samples, options.most_growth) + log_wrong(served.log_lines())
        )
        violations += [f"the service ended with {exit_code}"] if exit_code else []
    finally:
        served.close()
    return {
        "schema": "understudy.soak/1",
        "requests": {"small": options.small, "large": options.large, "large_size": list(options.large_size)},
        "seconds": round(time.monotonic() - started, 1),
        "outcomes": crew.tally(),
        "kills": crew.kills,
        "reloads": reloads,
        "gain_versions": len({fact["version"] for _, _, fact in crew.results if fact.get("version")}),
        "samples": [asdict(sample) for sample in samples],
        "violations": violations,
    }


def _orders(options: argparse.Namespace, address: str) -> list[str]:
    every = (options.small + options.large) // options.large if options.large else 0
    width, height = options.large_size
    return [
        address,
        *("--seed", str(options.seed), "--threads", str(options.threads)),
        *("--large-every", str(every), "--large-size", str(width), str(height)),
    ]


def _rounds(options: argparse.Namespace, crew: Crew, served: Served, pack: Path) -> tuple[list[Sample], int]:
    dice = random.Random(options.seed)
    started = time.monotonic()
    total = options.small + options.large
    version = 0
    samples = []
    repository = Repository(served.address)

    def reload(_: Crew) -> None:
        nonlocal version
        version += 1
        write_pack(pack, version)

    def kill(crew: Crew) -> None:
        crew.kill_one(dice)

    def move(_: Crew) -> None:
        pack = dice.choice(_MOVED)
        repository.load(pack) if dice.random() < 0.5 else repository.unload(pack)

    for number in range(options.rounds):
        acts: list[Callable[[Crew], None]] = [kill] * _share(options.kills, number, options.rounds)
        acts += [move] * _share(options.moves, number, options.rounds)
        acts += [reload] * _share(options.reloads, number, options.rounds)
        events = [(dice.random(), act) for act in acts]
        crew.work(range(*(total * n // options.rounds for n in (number, number + 1))), events)
        crew.leave()
        wait_at_rest(served.pid)
        counters = served.gauges()
        samples.append(Sample(number, round(time.monotonic() - started, 1), served.facts(), counters))
        sys.stderr.write(f"round {number + 1} of {options.rounds}: {crew.tally()}, {samples[-1].line()}\n")
    repository.close()
    return samples, version


def _share(count: int, number: int, rounds: int) -> int:
    return count * (number + 1) // rounds - count * number // rounds


def _print(report: dict[str, Any]) -> None:
    asked = report["requests"]
    print(f"{asked['small']} small and {asked['large']} large requests in {report['seconds']:.0f} s")
    print(", ".join(f"{count} {what}" for what, count in report["outcomes"].items()))
    print(f"{report['kills']} clients killed, {report['reloads']} reloads, {report['gain_versions']} versions played")
    quarter = max(1, len(report["samples"]) // 4)
    for name, sample in (("warm", report["samples"][quarter]), ("end", report["samples"][-1])):
        print(f"{name}: {Sample(sample['round'], sample['seconds'], Facts(**sample['facts'])).line()}")
    for violation in report["violations"][:_SHOWN]:
        print(f"WRONG: {violation}")
    if len(report["violations"]) > _SHOWN:
        print(f"... and {len(report['violations']) - _SHOWN} more")
    print("failed" if report["violations"] else "nothing wrong, lost, crossed or leaked")


if __name__ == "__main__":
    sys.exit(main())
