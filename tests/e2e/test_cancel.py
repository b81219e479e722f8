# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM: exit code 130 within seconds, whole frames, nothing half written, and the next render goes on."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from proof.exact_pack import PACK_ID, write_pack
from shots import Job, make_job, write_plates
from understudy.cli.cancel import GRACE_S
from understudy.provenance.journal import read_journals
from understudy.provenance.record_file import find_records, read_record

pytestmark = pytest.mark.e2e

_SOON_S = 60.0  # the call that is stuck takes five minutes


@contextmanager
def _rendering(graph: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "understudy", "render", str(graph), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _next(process: subprocess.Popen[str], kind: str) -> dict[str, Any]:
    """Reads on to the next event of a kind."""
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == kind:
            return event
    raise AssertionError(f"no event {kind}")


def _rendered(job: Job) -> list[dict[str, Any]]:
    """Renders to the end; the frames that were written."""
    with _rendering(job.graph) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    return [event for event in events if event["event"] == "frame" and not event["skipped"]]


def test_a_cancelled_job_leaves_whole_frames_and_goes_on(tmp_path: Path) -> None:
    job = make_job(tmp_path, frames=40)
    with _rendering(job.graph) as process:
        for _ in range(3):
            _next(process, "frame")
        process.terminate()
        error = _next(process, "error")
        assert process.wait(_SOON_S) == 130
    assert (error["kind"], error["exit_code"]) == ("JobCancelledError", 130)
    assert job.strays() == []
    before = job.pictures()
    assert 3 <= len(before) < 40
    assert len(_rendered(job)) == 40 - len(before)
    assert {name: job.pictures()[name] for name in before} == before


def _stuck_job(folder: Path) -> tuple[Path, dict[str, str]]:
    """A graph whose second node can't be stopped for minutes, and the environment with its pack."""
    pack = folder / "packs" / "stuck"
    write_pack(pack, 0)
    adapter = (pack / "adapter.py").read_text()
    slow = adapter.replace("/ 1000", "* 1")  # its milliseconds are seconds
    manifest = (pack / "pack.toml").read_text()
    digest, other = (hashlib.sha256(text.encode()).hexdigest() for text in (adapter, slow))
    (pack / "adapter.py").write_text(slow)
    (pack / "pack.toml").write_text(manifest.replace(digest, other))
    write_plates(folder / "plates", 2)
    plates = str(folder / "plates" / "plate.%04d.exr")
    nodes = {
        "plate": {"type": "read", "file": plates, "colorspace": "ACEScg"},
        "stuck": {"type": "upscale", "input": "plate", "pack": PACK_ID, "scale": 1, "options": {"wait_ms": 300.0}},
        "copy": {"type": "write", "input": "plate", "file": str(folder / "out" / "copy.%04d.exr")},
        "out": {"type": "write", "input": "stuck", "file": str(folder / "out" / "out.%04d.exr")},
    }
    graph = folder / "stuck.yaml"
    graph.write_text(json.dumps({"schema": "understudy.graph/1", "nodes": nodes}))
    return graph, {"UNDERSTUDY_PACK_PATH": str(folder / "packs")}


@pytest.mark.parametrize("signals", [(signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM)], ids=["once", "twice"])
def test_a_call_that_can_not_be_stopped_ends_all_the_same(tmp_path: Path, signals: tuple[signal.Signals, ...]) -> None:
    assert GRACE_S < 5  # farms kill five seconds after SIGTERM
    graph, environment = _stuck_job(tmp_path)
    with _rendering(graph, **environment) as process:
        _next(process, "start")
        copy = tmp_path / "out" / "copy.1001.exr"
        while not copy.exists():  # written behind, while the other node is stuck
            assert process.poll() is None
            time.sleep(0.02)
        for number in signals:
            process.send_signal(number)
        assert process.wait(_SOON_S) == 130
        assert process.stdout is not None
        events = [json.loads(line) for line in process.stdout]
    assert events[-1]["exit_code"] == 130
    assert sorted(path.name for path in (tmp_path / "out").glob("*.exr")) == ["copy.1001.exr"]
    out = tmp_path / "out"
    left = {path.name for path in out.glob(".understudy-*")}
    journals = {name for name in left if name.startswith(".understudy-journal-")}
    assert left == journals, "of the half written nothing is left"
    recorded = {frame for record in find_records(out) for frame in read_record(record).by_frame}
    assert recorded | read_journals(out, "copy.%04d.exr").keys() == {1001}, "what is known of the whole frame is kept"
