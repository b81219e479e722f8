# SPDX-License-Identifier: Apache-2.0
"""The whole campaign: ``cd tests && python -m fuzz --messages 100000``.

Most messages go to the functions that read them first; a part goes over a connection to a service in a process of its
own, with the packs that ship. Exit code 1 when anything was found; each finding names the seed that makes it again.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from fuzz import seeds
from fuzz.targets import TARGETS, attempt
from fuzz.wire import Aim
from proof.served import Served, leave_on_sigterm, wait_idle
from understudy.client.engine import RemoteEngine

_MOST_MEMORY = 1_500_000_000
_SHOWN = 25


def main() -> int:
    """Runs the campaign."""
    options = _options()
    leave_on_sigterm()
    started = time.monotonic()
    count, findings = codec_campaign(options.messages - options.wire, options.seed)
    print(f"{count} messages to the functions that read them, {time.monotonic() - started:.0f} s")
    if options.wire:
        with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
            findings += wire_campaign(options.wire, options.seed, Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if peak > _MOST_MEMORY:
        findings.append(f"the campaign's own process held {peak / 1e6:.0f} MB")
    for finding, times in Counter(finding.partition(" <- ")[0] for finding in findings).most_common(_SHOWN):
        example = next(one for one in findings if one.startswith(finding))
        print(f"FOUND {times}x: {example}")
    print(f"{len(findings)} findings")
    return int(bool(findings))


def codec_campaign(messages: int, seed: int) -> tuple[int, list[str]]:
    """Bent messages to every target in this process, in turn; how many, and what was found."""
    done, number, findings = 0, 0, []
    while done < messages:
        for name in TARGETS:
            read, finding = attempt(name, f"{seed}/{name}/{number}")
            done += read
            if finding:
                findings.append(f"{name}: {finding} <- {seed}/{name}/{number}")
        number += 1
    return done, findings


def wire_campaign(messages: int, seed: int, folder: Path, arguments: Sequence[str] = ()) -> list[str]:
    """Bent calls to a service of its own; what was found, on the line and in what the service holds afterwards."""
    findings: list[str] = []
    seeds.make_files(folder)
    config = folder / "service.toml"
    config.write_text(f'schema = "understudy.service/1"\n[files]\nread = ["{folder}/in"]\nwrite = ["{folder}/out"]\n')
    served = Served(["--port", "0", "--config", str(config), *arguments], folder / "service.log")
    aim = Aim(served.address, folder)
    closed = sorted((folder / "closed").iterdir())
    client = RemoteEngine(served.address, timeout_s=60)
    try:
        client.run(seeds.requests()[0])
        strike(aim, messages // 10, f"{seed}/warm", findings)
        wait_idle(served.pid)
        before = served.facts()
        strike(aim, messages, f"{seed}/wire", findings)
        wait_idle(served.pid)
        after = served.facts()
        print(f"{aim.messages} messages over the wire: {dict(aim.codes.most_common())}")
        for (method, code), count in sorted(aim.ends.items()):
            print(f"  {method:<30} {code:<20} {count}")
        print(f"the service held {before} before and {after} after")
        if not served.alive():
            findings.append("the service died")
        else:
            client.run(seeds.requests()[0])
        if after.rss_bytes > before.rss_bytes + 300_000_000 or after.descriptors > before.descriptors + 10:
            findings.append(f"the service held {before} before and {after} after")
        if sorted((folder / "closed").iterdir()) != closed:
            findings.append("files were written outside of the open folders")
        findings += [f"log: {line}" for line in served.log_lines() if "traceback" in line]
    finally:
        client.close()
        aim.close()
        served.close()
    return findings


def strike(aim: Aim, messages: int, seed: str, findings: list[str]) -> None:
    """Sends bent calls from a few threads until so many messages went out."""
    end = aim.messages + messages
    number = 0
    with ThreadPoolExecutor(4) as pool:
        while aim.messages < end:
            names = [f"{seed}/{n}" for n in range(number, number + 64)]
            number += 64
            for name, finding in zip(names, pool.map(aim.strike, names), strict=True):
                if finding:
                    findings.append(f"{finding} <- {name}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Bent messages to every reader of messages.")
    parser.add_argument("--messages", type=int, default=100_000, help="in all")
    parser.add_argument("--wire", type=int, default=10_000, help="of them over a connection to a real service")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
