# SPDX-License-Identifier: Apache-2.0
"""``kill -9`` of a render at any moment, again and again: what comes out is what an undisturbed render writes.

The moments are drawn from a seed. ``UNDERSTUDY_RENDER_KILLS`` sets how many there are (50 unless told otherwise).
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from shots import Job, make_job

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = int(os.environ.get("UNDERSTUDY_RENDER_KILLS", "50"))
SEED = 20260611

_TIMES = {"created", "updated", "started", "finished"}


class Renders:
    """Renders of one job, one process after another."""

    def __init__(self, job: Job, cache: Path) -> None:
        self._command = [sys.executable, "-m", "understudy", "render", str(job.graph), "--json"]
        self._environment = os.environ | {"UNDERSTUDY_CACHE": str(cache), "UNDERSTUDY_LEDGER": str(cache / "ledger")}
        self.told: list[int] = []
        """Frames that were said to be written, in all renders."""

    def killed(self, *, frames: int, later_s: float) -> bool:
        """Kills a render so long after it wrote so many frames; with -1 after its start. False when it ended before."""
        with subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=self._environment
        ) as process:
            assert process.stdout is not None
            if frames >= 0:
                for line in process.stdout:
                    event = json.loads(line)
                    frames -= self._note([event])
                    if frames <= 0 and event["event"] in ("start", "frame"):
                        break
            time.sleep(later_s)
            process.kill()
            self._note(json.loads(line) for line in process.stdout if line.endswith("\n"))
        return process.returncode == -9

    def whole(self) -> list[dict[str, Any]]:
        """Renders to the end; its events."""
        done = subprocess.run(
            self._command, capture_output=True, text=True, env=self._environment, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self._note(events)
        return events

    def _note(self, events: Iterable[dict[str, Any]]) -> int:
        written = [event["frame"] for event in events if event["event"] == "frame" and not event["skipped"]]
        self.told += written
        return len(written)


def _stamps(job: Job) -> dict[str, tuple[int, int]]:
    """What tells whether a picture was written again."""
    found = {path.name: path.stat() for path in job.out.glob("[!.]*.exr")} if job.out.is_dir() else {}
    return {name: (status.st_ino, status.st_mtime_ns) for name, status in found.items()}


def _record(job: Job) -> Any:
    """The record without its times, and without the name of the folder."""
    text = (job.out / "big.provenance.json").read_text().replace(str(job.out), "OUT")
    return _timeless(json.loads(text))


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(part) for name, part in value.items() if name not in _TIMES}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def test_a_render_that_is_killed_again_and_again_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    undisturbed, job = make_job(tmp_path, out="undisturbed"), make_job(tmp_path)
    assert Renders(undisturbed, tmp_path / "cache of its own").whole()[-1]["frames"] == job.frames
    moments, renders = random.Random(SEED), Renders(job, tmp_path / "cache")
    written: dict[str, tuple[int, int]] = {}
    kills = 0
    while kills < KILLS:
        left = job.frames - len(written)
        paced = max(0, left // (KILLS - kills) - 1)  # so that there is something to do until the last kill
        frames = moments.choice([-1, 0, paced // 2, paced, paced])
        kills += renders.killed(frames=frames, later_s=moments.uniform(0, 1.2 if frames < 0 else 0.06))
        there = _stamps(job)
        again = [name for name in written if there.get(name) != written[name]]
        assert not again, "was there and whole, and was written again"
        written = there
    assert len(written) < job.frames, "the kills came too late"
    events = renders.whole()
    assert events[-1]["skipped"] == len(written)
    assert sorted(renders.told) == sorted(set(renders.told)), "was written twice"
    assert {name: stamp for name, stamp in _stamps(job).items() if name in written} == written
    assert job.pictures() == undisturbed.pictures()
    assert len(job.pictures()) == job.frames
    assert _record(job) == _record(undisturbed)
    assert job.strays() == []
    assert list((tmp_path / "cache").glob(".understudy-*")) == []
