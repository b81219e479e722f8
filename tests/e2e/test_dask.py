# SPDX-License-Identifier: Apache-2.0
"""Jobs on real Dask clusters: processes of our own, and one with TLS that was there; killed, wrong and interrupted."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from contract.service.certificates import Authority, Pair
from shots import Job, make_job
from understudy.contracts.errors import (
    AccessError,
    JobCancelledError,
    SequenceError,
    UnavailableError,
    UnreadableFileError,
    UsageError,
)
from understudy.farm.dask_cluster import Place
from understudy.graph.parsing import load_graph
from understudy.graph.render import render_graph
from understudy.provenance.recorder import Recorder
from understudy.roles.engine import LocalEngine

pytest.importorskip("distributed")
from understudy.farm.dask_render import render_on_dask

pytestmark = pytest.mark.e2e

_FRAMES = 16
Events = list[dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def _no_cache() -> Iterator[None]:
    """Workers compute: they don't take from a cache what this process has computed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNDERSTUDY_CACHE_GB", "0")
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that was rendered in this process."""
    job = make_job(tmp_path_factory.mktemp("dask"), frames=_FRAMES)
    engine = LocalEngine()
    render_graph(load_graph(job.graph), engine, witness=Recorder())
    engine.close()
    return job


def again(whole: Job, out: str, **fields: Any) -> Job:
    return make_job(whole.graph.parent, frames=_FRAMES, out=out, **fields)


def on_dask(job: Job, place: Place, hear: Any = None, **how: Any) -> Events:
    events: Events = []

    def listen(event: dict[str, Any]) -> None:
        events.append(event)
        if hear:
            hear(event)

    engine = LocalEngine()
    try:
        render_on_dask(load_graph(job.graph), engine, place, on_event=listen, **how)
    finally:
        engine.close()
    return events


def record(job: Job) -> Any:
    """The record without times of day and the folder of the pictures."""
    text = (job.out / "big.provenance.json").read_text()
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "then", text)
    return json.loads(text.replace(str(job.out), "out"))


@dataclass(frozen=True)
class TlsCluster:
    """A scheduler and two workers that ask for certificates."""

    place: Place
    folder: Path
    authority: Authority
    worker: list[str]

    def start_worker(self, name: str, *more: str, **environment: str) -> "subprocess.Popen[bytes]":
        return started([*self.worker, "--name", name, *more], self.folder / f"{name}.log", **environment)


def started(command: list[str], log: Path, **environment: str) -> "subprocess.Popen[bytes]":
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=file,
            stderr=file,
            env={**os.environ, "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": "[]", **environment},
        )


def ended(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsCluster]:
    folder = tmp_path_factory.mktemp("cluster")
    authority = Authority(folder, "studio")

    def options(pair: Pair) -> list[str]:
        return [
            "--tls-ca-file", str(authority.file), "--tls-cert", str(pair.certificate), "--tls-key", str(pair.key),
            "--host", "tls://127.0.0.1",
        ]  # fmt: skip

    file = folder / "scheduler.json"
    no_pages = ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    scheduler = ["distributed.cli.dask_scheduler", "--scheduler-file", str(file), "--port", "0", *no_pages]
    processes = [started([*scheduler, *options(authority.issue("scheduler"))], folder / "scheduler.log")]
    worker = [
        "distributed.cli.dask_worker", "--scheduler-file", str(file), *options(authority.issue("worker")),
        "--nthreads", "2", *no_pages, "--local-directory", str(folder),
    ]  # fmt: skip
    try:
        until = time.monotonic() + 30
        text = ""  # the file is there before it is written
        while not text.endswith("}") and time.monotonic() < until:
            time.sleep(0.05)
            text = file.read_text().strip() if file.exists() else ""
        address = json.loads(text)["address"]
        assert address.startswith("tls://127.0.0.1:")
        mine = authority.issue("artist")
        place = Place(scheduler=address, tls_ca=authority.file, tls_cert=mine.certificate, tls_key=mine.key)
        found = TlsCluster(place, folder, authority, worker)
        processes += [found.start_worker(name) for name in ("one", "two")]
        yield found
    finally:
        for process in processes:
            ended(process)


def test_a_cluster_with_tls_gives_the_bytes_and_the_record_of_one_render(whole: Job, cluster: TlsCluster) -> None:
    job = again(whole, "tls")
    events = on_dask(job, cluster.place, chunk=3)
    assert job.pictures() == whole.pictures()
    assert record(job) == record(whole)
    assert not job.strays()
    frames = [event for event in events if event["event"] == "frame"]
    assert sorted(event["frame"] for event in frames) == list(range(1001, 1001 + _FRAMES))
    assert [event["done"] for event in frames] == list(range(1, _FRAMES + 1))
    kinds = [event["event"] for event in events if event["event"] in ("start", "done")]
    assert kinds == ["start", "done"]
    assert events[-1]["frames"] == _FRAMES


def test_what_is_there_is_left_alone_and_needs_no_cluster(whole: Job, cluster: TlsCluster) -> None:
    job = again(whole, "resumed")
    shutil.copytree(whole.out, job.out)
    events = on_dask(job, Place(scheduler="127.0.0.1:1"))
    assert (events[-1]["frames"], events[-1]["skipped"]) == (0, _FRAMES)
    for frame in (1004, 1009):
        job.path(frame).unlink()
    events = on_dask(job, cluster.place)
    assert (events[-1]["frames"], events[-1]["skipped"]) == (2, _FRAMES - 2)
    assert job.pictures() == whole.pictures()


def test_an_error_of_the_job_ends_it_at_once_with_its_sentence(whole: Job, cluster: TlsCluster) -> None:
    job = again(whole, "damaged")
    plates = job.graph.parent / "damaged_plates"
    shutil.copytree(whole.graph.parent / "plates", plates)
    (plates / "plate.1005.exr").write_bytes((plates / "plate.1005.exr").read_bytes()[:400])
    job.graph.write_text(job.graph.read_text().replace(str(whole.graph.parent / "plates"), str(plates)))
    events: Events = []
    with pytest.raises(UnreadableFileError, match=r"plate\.1005\.exr"):
        on_dask(job, cluster.place, events.append, chunk=2)
    assert not any(event["event"] == "done" for event in events)
    assert not job.strays()


def test_a_worker_that_differs_is_named_before_the_first_chunk(whole: Job, cluster: TlsCluster, tmp_path: Path) -> None:
    (tmp_path / "older.py").write_text("import understudy\nunderstudy.__version__ = '0.0.1'\n")
    other = cluster.start_worker("older", "--preload", str(tmp_path / "older.py"), PYTHONPATH=_path(tmp_path))
    job = again(whole, "differs")
    try:
        wait_for_workers(cluster, 3)
        with pytest.raises(
            UsageError, match=r"^worker tls://127\.0\.0\.1:\d+: runs Understudy 0\.0\.1, and .* is here"
        ):
            on_dask(job, cluster.place)
        assert not job.out.exists()
    finally:
        ended(other)


def test_who_is_not_trusted_is_told_so(whole: Job, cluster: TlsCluster, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    pair = stranger.issue("stranger")
    place = Place(scheduler=cluster.place.scheduler, tls_ca=stranger.file, tls_cert=pair.certificate, tls_key=pair.key)
    with pytest.raises(AccessError, match="does not trust"):
        on_dask(again(whole, "stranger"), place)


def test_a_job_that_would_be_refused_reaches_no_cluster(whole: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job = again(whole, "refused")
    job.graph.write_text(job.graph.read_text().replace("plate.%04d.exr", "nothing.%04d.exr", 1))
    nowhere = Place(scheduler="127.0.0.1:1")
    with pytest.raises(SequenceError, match="nothing"):
        on_dask(job, nowhere)
    monkeypatch.setattr("understudy.farm.dask_cluster.CONNECT_S", 1)
    with pytest.raises(UnavailableError, match="does not answer"):
        on_dask(again(whole, "nowhere"), nowhere)


def test_killed_workers_cost_their_frames_and_nothing_else(whole: Job) -> None:
    job = again(whole, "killed")
    me = psutil.Process()
    known: dict[Path, int] = {}
    killed: list[int] = []

    def kill_some(event: dict[str, Any]) -> None:
        if event["event"] == "frame" and event["done"] in (4, 9):
            worker = next(p for p in workers_of(me) if p.pid not in killed)
            killed.append(worker.pid)
            worker.kill()
            worker.wait(5)
            known.update({path: path.stat().st_mtime_ns for path in job.out.glob("big.*.exr")})

    events = on_dask(job, Place(workers=2), kill_some, chunk=4)
    assert len(killed) == 2
    assert job.pictures() == whole.pictures()
    assert {path: path.stat().st_mtime_ns for path in known} == known
    frames = [event["frame"] for event in events if event["event"] == "frame"]
    assert sorted(frames) == list(range(1001, 1001 + _FRAMES))
    assert record(job)["pending"] == {}
    assert [entry["frame"] for entry in record(job)["frames"]] == list(range(1001, 1001 + _FRAMES))
    assert not job.strays()


def test_the_command_is_interrupted_cleanly_and_resumes_elsewhere(whole: Job, cluster: TlsCluster) -> None:
    job = again(whole, "interrupted")
    command = [sys.executable, "-m", "understudy", "submit", str(job.graph), "--to", "dask", "--workers", "2", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "frame":
            break
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert json.loads(out.splitlines()[-1])["kind"] == JobCancelledError.__name__
    assert not psutil.wait_procs(workers, timeout=5)[1]
    assert not job.strays()
    assert 1 <= len(job.pictures()) < _FRAMES
    before = {path: path.stat().st_mtime_ns for path in job.out.glob("big.*.exr")}
    events = on_dask(job, cluster.place)
    assert (events[-1]["frames"], events[-1]["skipped"]) == (_FRAMES - len(before), len(before))
    assert job.pictures() == whole.pictures()
    assert {path: path.stat().st_mtime_ns for path in before} == before


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    alive = [p for p in process.children() if p.status() != psutil.STATUS_ZOMBIE]
    return [p for p in alive if "spawn_main" in " ".join(p.cmdline())]


def wait_for_workers(cluster: TlsCluster, count: int) -> None:
    from understudy.farm.dask_cluster import open_cluster

    with open_cluster(cluster.place) as found:
        found.client.wait_for_workers(count, timeout=30)


def _path(*more: Path) -> str:
    return os.pathsep.join([*map(str, more), *filter(None, [os.environ.get("PYTHONPATH")])])
